"""A mask put on a map: clouds out of land cover, by a run of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from onnx_models import SAID, write_onnx

from geoseg.cli import main
from geoseg.errors import InputError, ResumeError
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.models.package.make import make_package
from geoseg.options import SegmentOptions
from geoseg.run.masking import plan_masking
from geoseg.run.segment import segment

LAND = Legend((LandClass(1, "dark", "#000000"), LandClass(4, "bright", "#ffffff")))
SKY = Legend(
    (
        LandClass(0, "clear", "#00ff00"),
        LandClass(1, "cloud", "#eeeeee"),
        LandClass(2, "shadow", "#333333"),
    )
)


def test_masked_classes_become_nodata_and_nothing_else_changes():
    masking = plan_masking(["cloud", "shadow"], SKY, LAND, keep=False)
    mask = np.array([[0, 1, 2, NODATA, 1]], np.uint8)
    found = np.array([[[1, 4, 1, 4, NODATA]]], np.uint8)
    assert masking.classes(mask, found).tolist() == [[[1, NODATA, NODATA, 4, NODATA]]]
    assert masking.measures(mask, found[:, :, :]).tolist() == [
        [[1, NODATA, NODATA, 4, NODATA]]
    ]
    assert masking.legend == LAND


def test_classes_of_their_own_take_ids_that_are_free():
    land = Legend((*LAND.classes, LandClass(7, "cloud", "#dddddd")))
    masking = plan_masking(["cloud", "shadow"], SKY, land, keep=True)
    assert masking.values == ((1, 7), (2, 0))
    assert masking.legend.ids == (0, 1, 4, 7)
    mask = np.array([[0, 1, 2]], np.uint8)
    found = np.array([[[4, 4, NODATA]]], np.uint8)
    assert masking.classes(mask, found).tolist() == [[[4, 7, NODATA]]]
    own = np.array([[90, 80, 70]], np.uint8)
    assert masking.measures(mask, found, own).tolist() == [[[4, 80, NODATA]]]


@pytest.mark.parametrize(
    ("names", "says"), [([], "no class of the mask"), (["haze"], "no class is named")]
)
def test_classes_that_the_mask_lacks_are_refused(names, says):
    with pytest.raises(InputError, match=says):
        plan_masking(names, SKY, LAND, keep=False)


@pytest.fixture
def models(tmp_path):
    """Land cover by the first and third band, clouds where the second is high."""
    land = make_package(
        write_onnx(tmp_path / "land.onnx"),
        tmp_path / "land",
        replace(SAID, mean=(1.0, 0.0, 0.5), name="land"),
    )
    kernel = np.array([[0, -1, 0], [0, 1, 0]], np.float32)[:, :, None, None]
    clouds = make_package(
        write_onnx(tmp_path / "sky.onnx", kernel=kernel),
        tmp_path / "sky",
        replace(SAID, classes=("clear", "cloud"), mean=(0.0, 3.0, 0.0), name="sky"),
    )
    return str(land.path), str(clouds.path)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_the_map_is_what_it_was_less_the_clouds(make_raster, models, tmp_path):
    scene, (land, sky) = make_raster(), models
    plain = SegmentOptions(model=land, polygons=SegmentOptions().polygons)
    masked = replace(plain, mask_model=sky, mask_classes=("cloud",))
    segment(scene, tmp_path / "plain", options=plain)
    report = segment(scene, tmp_path / "out", options=masked)
    before = read(tmp_path / "plain" / "landcover.tif")
    clouds = read(tmp_path / "out" / "mask.tif") == 1
    after = read(tmp_path / "out" / "landcover.tif")
    assert 0.1 < clouds.mean() < 0.9
    assert np.array_equal(after, np.where(clouds, NODATA, before))
    certain = read(tmp_path / "out" / "confidence.tif")
    assert np.array_equal(certain == NODATA, after == NODATA)
    assert report.mask["pixels"] == {"cloud": int(clouds.sum())}
    assert report.identity["mask"].startswith("sky ")
    assert report.products["mask"] == str(tmp_path / "out" / "mask.tif")
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]


def test_a_mask_of_other_values_is_refused_without_force(make_raster, models, tmp_path):
    """Reflectances of 0 to 1 for a mask of integers: all would be clear."""
    scene = make_raster(values=np.random.default_rng(5).random((3, 37, 53), np.float32))
    given = ["segment", str(scene), "-o", str(tmp_path / "out"), "-q"]
    given += ["--model", models[0], "--mask-model", models[1], "--mask-classes"]
    refused = CliRunner().invoke(main, [*given, "cloud"])
    assert refused.exit_code == 2
    assert "but the model sky was trained on uint16" in refused.stderr
    assert "or --force" in refused.stderr
    assert not (tmp_path / "out").exists()
    forced = CliRunner().invoke(main, [*given, "cloud", "--force"])
    assert forced.exit_code == 0, forced.stderr


def test_clouds_can_be_a_class_of_their_own(make_raster, models, tmp_path):
    scene, (land, sky) = make_raster(), models
    given = ["--model", land, "--mask-model", sky, "--mask-classes", "cloud", "-q"]
    done = CliRunner().invoke(
        main,
        ["segment", str(scene), "-o", str(tmp_path / "out"), *given, "--mask-keep"],
    )
    assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "out" / "landcover.tif") as dataset:
        names, after = dataset.tags(), dataset.read(1)
    assert "cloud" in str(names)
    clouds = read(tmp_path / "out" / "mask.tif") == 1
    assert (after[clouds] == 0).all()
    own = read(tmp_path / "out" / "mask_confidence.tif")
    assert np.array_equal(
        read(tmp_path / "out" / "confidence.tif")[clouds], own[clouds]
    )


def test_a_masked_run_resumes_and_refuses_another_mask(make_raster, models, tmp_path):
    scene, (land, sky) = make_raster(), models
    options = SegmentOptions(
        model=land, mask_model=sky, mask_classes=("cloud",), keep_parts=True
    )
    segment(scene, tmp_path / "out", options=options)
    (tmp_path / "out" / "landcover.tif").unlink()  # else nothing would be left to do
    steps = []
    segment(scene, tmp_path / "out", options=options, on_step=steps.append)
    for name in ("mask", "infer"):
        first = next(step for step in steps if step.name == name)
        assert first.resumed_blocks == first.blocks > 0
    for other in (replace(options, mask_keep=True), replace(options, mask_model=None)):
        with pytest.raises(ResumeError, match="mask"):
            segment(scene, tmp_path / "out", options=other)


def test_a_mask_without_such_classes_is_refused_before_anything(
    make_raster, models, tmp_path
):
    given = ["--model", models[0], "--mask-model", models[1], "-q"]
    refused = CliRunner().invoke(
        main, ["segment", str(make_raster()), "-o", str(tmp_path / "out"), *given]
    )
    assert refused.exit_code == 2
    assert "no class is named 'shadow'; the names are clear, cloud" in refused.output
    assert not (tmp_path / "out").exists()
