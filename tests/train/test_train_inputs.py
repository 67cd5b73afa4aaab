"""Learning from several inputs: what changed between two dates, and bands beside."""

import json

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from click.testing import CliRunner
from embedding_fields import quantised, vectors, write_alphaearth

import geoseg
from geoseg.cli import main
from geoseg.diagnose.export import export_model
from geoseg.models.find import load_package
from geoseg.models.networks.network import build_network

CORNER = Affine(10, 0, 399_960, 0, -10, 5_800_020)


def write(path, pixels, *, size=10, names=("red", "nir"), **profile):
    pixels = np.atleast_3d(pixels.T).T
    settings = {"nodata": 0, "dtype": pixels.dtype, "crs": "EPSG:32633", **profile}
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width}
    transform = CORNER @ Affine.scale(size / 10)
    with rasterio.open(
        path, "w", driver="GTiff", transform=transform, **shape, **settings
    ) as dataset:
        dataset.write(pixels)
        dataset.descriptions = names[:count]
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Write two dates of fields of any brightness, of which a third has changed."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(3)
    fields = rng.integers(1000, 5000, (2, 2, 8, 8))
    changed = rng.random((8, 8)) < 1 / 3
    fields[1] = np.where(changed, 6000 - fields[0], fields[0])
    near = np.abs(fields[1] - fields[0]).max(axis=0) < 1500
    fields[1][:, changed & near] += 2500
    fine = fields.repeat(16, axis=2).repeat(16, axis=3)
    fine = (fine + rng.normal(0, 60, fine.shape)).astype(np.uint16)
    truth = changed.repeat(16, axis=0).repeat(16, axis=1).astype(np.uint8)
    return {
        "before": write(folder / "before.tif", fine[0]),
        "after": write(folder / "after.tif", fine[1]),
        "labels": write(
            folder / "labels.tif", truth[None], nodata=255, names=("change",)
        ),
        "truth": truth,
    }


def call(*arguments):
    result = CliRunner().invoke(main, [str(word) for word in arguments])
    assert result.exit_code == 0, result.stderr
    return result


def test_two_dates_teach_what_changed_and_their_map_says_so(tmp_path, pair):
    given = [f"--input={name}={pair[name]}" for name in ("before", "after")]
    model = tmp_path / "changes"
    call(
        *("train", *given, "--labels", pair["labels"], "-o", model, "--quiet"),
        *("--encoder", "resnet18", "--encoder-weights", "none", "--chip", "32"),
        *("--block", "32", "--gap", "0", "--epochs", "1", "--steps", "40"),
        *("--batch", "4", "--tile", "32", "--device", "cpu", "--precision", "float32"),
    )
    package = load_package(model)
    assert package.architecture.startswith("FCSiamDiff")
    assert [each.name for each in package.inputs] == ["before", "after"]
    assert [each.name for each in package.bands] == [
        "before:red", "before:nir", "after:red", "after:nir"
    ]  # fmt: skip
    accuracy = json.loads((model / "accuracy.json").read_text())["overall accuracy"]
    assert accuracy > 0.8
    call(
        "segment", *given, "--model", model, "-o", tmp_path / "map", "--format=none",
        "--quiet",
    )  # fmt: skip
    with rasterio.open(tmp_path / "map" / "landcover.tif") as dataset:
        found = dataset.read(1)
    assert (found == pair["truth"]).mean() > 0.8


def test_a_siamese_network_is_shown_the_second_date_and_what_differs():
    torch.manual_seed(0)
    network = build_network(
        {"_model_class": "FCSiamDiff", "encoder_name": "resnet18", "in_channels": 4}
    ).eval()
    before, after = torch.randn(2, 1, 2, 64, 64)
    with torch.inference_mode():
        given = network(torch.cat([before, after], dim=1))
        one, other = network.encoder(before), network.encoder(after)
        seen = [abs(a - b) for a, b in zip(one, other, strict=True)]
        seen[-1] = other[-1]
        wanted = network.segmentation_head(network.decoder(seen))
    assert torch.allclose(given, wanted, atol=1e-5)
    with pytest.raises(geoseg.InputError, match="even number of bands"):
        build_network(
            {"_model_class": "FCSiamDiff", "encoder_name": "resnet18", "in_channels": 3}
        )


def test_a_dem_beside_an_image_is_learned_from_in_metres(tmp_path, pair):
    """Class is height alone, in a file of coarser pixels that declares a scale."""
    high = np.arange(1, 32 * 32 + 1, dtype=np.int16).reshape(32, 32)
    dem = write(tmp_path / "dem.tif", high, size=40, names=("elevation",), nodata=-1)
    with rasterio.open(dem, "r+") as dataset:
        dataset.scales = (0.5,)
    fine = (high > 512).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random(fine.shape) < 0.05, fine, 255).astype(np.uint8)
    labels = write(tmp_path / "labels.tif", sparse, nodata=255, names=("class",))
    trained = geoseg.train(
        {"s2": pair["before"], "dem": dem},
        labels,
        tmp_path / "model",
        options=geoseg.TrainOptions(bands=("s2:red", "dem:elevation")),
    )
    package = trained.package
    assert [each.name for each in package.bands] == ["s2:red", "dem:elevation"]
    assert package.inputs[1].gsd_m == 40
    assert package.inputs[1].bands[0].mean == pytest.approx(0.5 * 512, rel=0.05)
    assert trained.accuracy.overall > 0.95
    made = export_model(
        package.path,
        tmp_path / "model.onnx",
        options=geoseg.ExportOptions(scene={"s2": pair["before"], "dem": dem}),
    )
    assert made.equal > 0.9999
    with pytest.raises(geoseg.InputError, match="takes several inputs"):
        export_model(package.path, tmp_path / "other.onnx")


def test_whom_features_are_of_is_said_where_they_are_one_input_among_several(tmp_path):
    classes = np.arange(64)[:, None] // 16 % 2 + np.zeros((1, 64), int)
    numbers = quantised(vectors(classes, 64))
    field = write_alphaearth(tmp_path / "field.tif", numbers, CORNER, crs="EPSG:32633")
    high = np.arange(1, 64 * 64 + 1, dtype=np.int16).reshape(64, 64)
    dem = write(tmp_path / "dem.tif", high, names=("elevation",))
    marks = np.where(np.arange(64)[None] % 16 == 3, classes, 255).astype(np.uint8)
    labels = write(tmp_path / "labels.tif", marks, nodata=255, names=("class",))
    inputs = {"features": field, "dem": dem}
    how = geoseg.TrainOptions(architecture="pixel", head="discriminant")
    model = geoseg.train(inputs, labels, tmp_path / "m", options=how).package.path
    options = geoseg.SegmentOptions(model=model, formats="none")
    geoseg.segment(inputs, tmp_path / "map", options=options)
    said = json.loads((tmp_path / "map" / "run.json").read_text())
    assert said["scene"]["features"] == "AlphaEarth"
    wanted = "produced by Google and Google DeepMind"
    assert wanted in said["scene"]["attribution"]
    assert wanted in load_package(model).attribution
    assert wanted in (tmp_path / "map" / "report.html").read_text()


def test_what_cannot_be_learned_together_is_refused(tmp_path, pair):
    options = geoseg.TrainOptions(architecture="FCSiamDiff")
    with pytest.raises(geoseg.InputError, match="compares two dates of the same bands"):
        geoseg.train([pair["before"]], pair["labels"], tmp_path / "m", options=options)
    with pytest.raises(geoseg.InputError, match="no scene is given"):
        geoseg.train([], pair["labels"], tmp_path / "m")
