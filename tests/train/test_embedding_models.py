"""Models of learned features: from points on a mosaic over two zones to its map."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from embedding_fields import (
    quantised,
    vectors,
    write_alphaearth,
    write_tessera,
)
from pyproj import Transformer
from shapely import Point

import geoseg
from geoseg.cli import main
from geoseg.errors import LabelsError, ModelError, SceneError
from geoseg.models.find import load_package

CLASSES = ("bare", "crop", "water")
TOP = 5_500_000
LEFT = 713_000
SIZE = 120
SHARE = 70
"""Columns of the first file behind which the second begins."""
ATTRIBUTION = (
    "The AlphaEarth Foundations Satellite Embedding dataset is produced by Google and "
    "Google DeepMind."
)


def truth_at(x, y):
    """The class of ground in UTM 32 N: squares of 200 m in three classes."""
    return ((x - LEFT) // 200 + (TOP - y) // 200).astype(int) % 3


def numbers_of(transform, crs, rows, cols, seed):
    """Made-up AlphaEarth numbers of the ground's classes, on pixels of a zone."""
    col, row = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    x, y = transform @ (col, row)
    x, y = Transformer.from_crs(crs, 32632, always_xy=True).transform(x, y)
    return quantised(vectors(truth_at(x, y), seed=seed))


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """Two files of neighbouring zones over the same 12th meridian, which overlap."""
    folder = tmp_path_factory.mktemp("v1") / "v1" / "annual" / "2024"
    folder.mkdir(parents=True)
    left = Affine(10, 0, LEFT, 0, -10, TOP)
    move = Transformer.from_crs(32632, 32633, always_xy=True)
    x, y = move.transform(LEFT + 10 * SHARE, TOP)
    right = Affine(10, 0, 10 * round(x / 10), 0, -10, 10 * round(y / 10))
    for name, plane, crs in (("32N", left, 32632), ("33N", right, 32633)):
        write_alphaearth(
            folder / f"{name}.tiff",
            numbers_of(plane, crs, SIZE, SIZE, crs),
            plane,
            crs=f"EPSG:{crs}",
        )
    return folder


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """Points in the middles of squares all over both files."""
    path = tmp_path_factory.mktemp("labels") / "points.gpkg"
    points_on_map = [
        (LEFT + 200 * i + 100, TOP - 200 * j - 100)
        for i in range(9)
        for j in range(6)
        if (i + j) % 2 == 0 or j == 3
    ]
    classes = [
        CLASSES[int(truth_at(np.array(x), np.array(y)))] for x, y in points_on_map
    ]
    geopandas.GeoDataFrame(
        {"class": classes},
        geometry=[Point(*point) for point in points_on_map],
        crs=32632,
    ).to_file(path)
    return path


@pytest.fixture(scope="module")
def model(zones, points, tmp_path_factory):
    """Train as a user does, on the mosaic read in one zone's CRS."""
    output = tmp_path_factory.mktemp("model") / "fields"
    said = ["train", zones, "--crs", "EPSG:32632", "--labels", points, "-o", output]
    said += ["--head", "discriminant"]
    result = CliRunner().invoke(main, [*map(str, said), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["held_out"]["overall accuracy"] > 0.9
    return output


def test_a_model_of_points_on_two_zones_maps_both(zones, model, tmp_path):
    output = tmp_path / "map"
    said = ["segment", zones, "--crs", "EPSG:32632", "--model", model, "-o", output]
    result = CliRunner().invoke(main, [*map(str, said), "--format", "none"])
    assert result.exit_code == 0, result.output
    with rasterio.open(output / "landcover.tif") as dataset:
        classes, plane = dataset.read(1), dataset.transform
    rows, cols = np.nonzero(classes != 255)
    x, y = plane @ (cols + 0.5, rows + 0.5)
    legend = [each.name for each in load_package(model).legend]
    wanted = np.array([legend.index(name) for name in CLASSES])[truth_at(x, y)]
    ids = np.array([each.id for each in load_package(model).legend])[wanted]
    assert (classes[rows, cols] == ids).mean() > 0.97
    assert x.max() > LEFT + 10 * (SIZE + 40)  # what the second zone alone has
    report = json.loads((output / "run.json").read_text())
    assert report["scene"]["features"] == "AlphaEarth 1"
    assert report["scene"]["attribution"] == ATTRIBUTION
    assert report["models"][0]["attribution"] == ATTRIBUTION
    page = (output / "report.html").read_text(encoding="utf-8")
    assert ATTRIBUTION in page
    assert "A00 to A63" in page
    assert "A00, A01" not in page
    assert "warnings" in report
    assert not [w for w in report["warnings"] if "meaningless" in w]


def test_any_block_gives_the_same_bytes(zones, model, tmp_path):
    found = []
    read = geoseg.SceneOptions(crs="EPSG:32632")
    for name, tile, block in (("a", 32, 32), ("b", 64, 128)):
        options = geoseg.SegmentOptions(
            scene=read, model=model, tile=tile, block=block, formats="none"
        )
        geoseg.segment(zones, tmp_path / name, options=options)
        found.append((tmp_path / name / "landcover.tif").read_bytes())
    assert found[0] == found[1]


def test_the_package_says_whose_features_it_was_fitted_to(model):
    package = load_package(model)
    assert package.embedding == "alphaearth/1"
    assert package.attribution == ATTRIBUTION
    assert package.dtype == "float32"
    assert [band.name for band in package.bands[:2]] == ["A00", "A01"]
    result = CliRunner().invoke(main, ["models", "show", str(model)])
    assert "A00 to A63" in result.stdout
    assert "A17" not in result.stdout


def test_other_features_than_a_models_are_refused_before_they_are_read(
    zones, model, tmp_path, monkeypatch
):
    def refused(scene, match, **options):
        chosen = geoseg.SegmentOptions(
            model=model, scene=geoseg.SceneOptions(**options)
        )
        with pytest.raises(ModelError, match=match):
            geoseg.segment(scene, tmp_path / "none", options=chosen)
        assert not (tmp_path / "none").exists()

    field = zones / "32N.tiff"
    refused(
        field, r"AlphaEarth 1, 64 bands .* 64 bands of plain int8", radiometry="raw"
    )
    with rasterio.open(field) as source:
        numbers = source.read()
    bare = write_alphaearth(
        tmp_path / "bare.tif", numbers, Affine(10, 0, LEFT, 0, -10, TOP), names=()
    )
    refused(bare, r"say `numbers=alphaearth`")
    later = tmp_path / "v2" / "annual"
    later.mkdir(parents=True)
    newer = write_alphaearth(
        later / "32N.tiff", numbers, Affine(10, 0, LEFT, 0, -10, TOP)
    )
    refused(newer, "AlphaEarth 1, 64 bands .* AlphaEarth 2, 64 bands")
    monkeypatch.chdir(tmp_path)
    refused("v2/annual/32N.tiff", "AlphaEarth 1, 64 bands .* AlphaEarth 2, 64 bands")
    other = write_tessera(
        tmp_path / "tessera.tif",
        vectors(np.zeros((64, 64), int), bands=128),
        Affine(10, 0, LEFT, 0, -10, TOP),
        TESSERA_DATASET_VERSION="v1",
    )
    refused(other, "64 bands .* TESSERA 1, 128 bands")
    result = CliRunner().invoke(main, ["info", str(other), "--model", str(model)])
    assert result.exit_code == 2
    assert "does not fit" in result.stdout


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_a_model_of_the_plain_numbers_refuses_what_they_stand_for(
    zones, model, tmp_path, dtype
):
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in model.iterdir():
        (plain / file.name).write_bytes(file.read_bytes())
    card = json.loads((plain / "mlm.json").read_text())
    del card["properties"]["geoseg:embedding"]
    for band in card["assets"]["model"]["bands"]:
        band["data_type"] = dtype
    (plain / "mlm.json").write_text(json.dumps(card))
    options = geoseg.SegmentOptions(model=plain)
    with pytest.raises(ModelError, match="say `radiometry='raw'`"):
        geoseg.segment(zones / "32N.tiff", tmp_path / "none", options=options)
    with rasterio.open(zones / "32N.tiff") as source:
        profile, names = source.profile, source.descriptions
        profile.update(dtype="float32", nodata=None)
        with rasterio.open(tmp_path / "values.tif", "w", **profile) as values:
            values.write(source.read().astype(np.float32) / 128)
            values.descriptions = names
    with pytest.raises(ModelError, match="what they stand for; train the model anew"):
        geoseg.segment(tmp_path / "values.tif", tmp_path / "none", options=options)


def test_a_package_of_unknown_features_is_damaged(model, tmp_path):
    package = tmp_path / "unknown"
    package.mkdir()
    for file in model.iterdir():
        text = file.read_bytes()
        (package / file.name).write_bytes(text.replace(b"alphaearth/1", b"gloVe/1"))
    with pytest.raises(ModelError, match="none of alphaearth, tessera"):
        load_package(package)


def test_scenes_of_features_that_cannot_be_compared_train_no_model(
    zones, points, tmp_path
):
    later = tmp_path / "v2" / "annual"
    later.mkdir(parents=True)
    (later / "33N.tiff").write_bytes((zones / "33N.tiff").read_bytes())
    with pytest.raises(SceneError, match="AlphaEarth 2, which cannot be compared"):
        geoseg.train([zones / "32N.tiff", later / "33N.tiff"], points, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("value", "match"),
    [(np.nan, "no label lies where"), (0.25, "the same values in all bands")],
    ids=["no numbers", "constant"],
)
def test_vectors_that_say_nothing_train_no_model(points, tmp_path, value, match):
    values = np.full((128, SIZE, SIZE), value)
    scene = write_tessera(
        tmp_path / "field.tif", values, Affine(10, 0, LEFT, 0, -10, TOP)
    )
    with pytest.raises(LabelsError, match=match):
        geoseg.train([scene], points, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_many_bands_without_names_are_learned_from_by_their_numbers(points, tmp_path):
    col, row = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    plane = Affine(10, 0, LEFT, 0, -10, TOP)
    values = vectors(truth_at(*(plane @ (col, row))), bands=128).astype(np.float32)
    path = tmp_path / "learned.tif"
    profile = {"count": 128, "height": SIZE, "width": SIZE, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs=32632, transform=plane) as dataset:
        dataset.write(values)
    options = geoseg.TrainOptions(bands=("1-128",), head="discriminant")
    trained = geoseg.train([path], points, tmp_path / "model", options=options)
    assert trained.accuracy.overall > 0.9
    assert [band.index for band in trained.package.bands] == list(range(1, 129))
    report = geoseg.segment(
        path, tmp_path / "map", options=geoseg.SegmentOptions(model=tmp_path / "model")
    )
    assert report.nodata_pixels == 0
    more = geoseg.TrainOptions(bands=("1-300",), head="discriminant")
    with pytest.raises(SceneError, match="129 to 300, for which `bands` asks"):
        geoseg.train([path], points, tmp_path / "none", options=more)
