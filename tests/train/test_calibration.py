"""Temperatures: fitted, measured on other ground, kept, applied, and left out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import brightest as bright
import geopandas
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from click.testing import CliRunner
from packages import CARD, TRAINING
from scipy.special import log_softmax, softmax
from shapely import box

import geoseg
from geoseg.cli import main
from geoseg.errors import LabelsError, ModelError
from geoseg.geo.legend import LandClass, Legend
from geoseg.models.networks.activations import to_logits
from geoseg.models.package.card import Artifact
from geoseg.models.package.mlm_read import read_card
from geoseg.models.package.mlm_write import write_card
from geoseg.models.package.reliability import Bin, Reliability
from geoseg.train.temperature import (
    SeenPixels,
    calibrated,
    fit_in_turn,
    fit_on_other_ground,
    fit_temperature,
)

PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
ARTIFACT = Artifact("model.safetensors", 64 * "7")
THREE = Legend(tuple(LandClass(i, n, "#000000") for i, n in enumerate("abc")))
TRUE = 2.0
"""What the scores of these tests are too great by."""


def drawn(count=30_000, blocks=5, seed=0):
    """Scores of pixels whose classes come as often as softmax(scores / TRUE) says."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 3, (count, 3)).astype(np.float32)
    likely = softmax(scores / TRUE, axis=1)
    chosen = (likely.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return SeenPixels(
        scores, chosen.astype(np.uint8), random.integers(0, blocks, count)
    )


def expected_error(scores, classes, temperature):
    """Guo et al.'s error, bin by bin, of confidences in whole percents."""
    temperature = np.broadcast_to(temperature, len(scores))[:, None]
    likely = softmax(scores.astype(np.float64) / temperature, axis=1)
    percent = np.rint(100 * likely.max(axis=1))
    right = likely.argmax(axis=1) == classes
    error = 0.0
    for low in range(0, 100, 10):
        inside = (percent > low) & (percent <= low + 10)
        if inside.any():
            gap = right[inside].mean() - percent[inside].mean() / 100
            error += inside.mean() * abs(gap)
    return error


def test_the_temperature_is_the_one_of_the_greatest_likelihood():
    """Beside those of a grid, and the one that the scores were made with."""
    seen = drawn()
    found = fit_temperature(seen, THREE)
    assert found == pytest.approx(TRUE, rel=0.03)
    grid = np.arange(1.8, 2.2, 0.005)
    rows = np.arange(len(seen.channels))
    losses = [
        -log_softmax(seen.logits / t, axis=1)[rows, seen.channels].mean() for t in grid
    ]
    assert found == pytest.approx(grid[np.argmin(losses)], abs=0.006)


def test_each_block_is_measured_by_the_temperature_of_the_others():
    seen = drawn(3000)
    found = fit_in_turn(seen, THREE, "here")
    own = np.empty(len(seen.channels))
    for block in range(5):
        others = seen.where(seen.blocks != block)
        own[seen.blocks == block] = fit_temperature(others, THREE)
    reliability = found.reliability
    before = expected_error(seen.logits, seen.channels, 1)
    after = expected_error(seen.logits, seen.channels, own)
    assert reliability.error_before == pytest.approx(before, abs=1e-6)
    assert reliability.error_after == pytest.approx(
        after, abs=2e-4
    )  # kept in four digits
    assert after < before / 3
    assert found.temperature == fit_temperature(seen, THREE)
    assert reliability.pixels == sum(each.pixels for each in reliability.after) == 3000


def test_other_ground_is_measured_by_a_temperature_that_never_saw_it():
    known, asked = drawn(4000, seed=1), drawn(2000, seed=2)
    found = fit_on_other_ground(known, asked, THREE, "there")
    assert found.temperature == fit_temperature(known, THREE)
    after = expected_error(asked.logits, asked.channels, found.temperature)
    assert found.reliability.error_after == pytest.approx(after, abs=1e-6)
    assert found.reliability.pixels == 2000


def test_a_temperature_is_kept_where_it_helps_on_ground_that_it_does_not_know():
    good = fit_in_turn(drawn(3000), THREE, "here")
    card, said = calibrated(CARD, lambda: good)
    assert (card.temperature, card.reliability) == (good.temperature, good.reliability)
    assert said == ()
    seen = drawn(3000, blocks=2)
    too_sure = np.where(seen.blocks, 2.5, 0.4)[:, None] / TRUE
    seen = replace(seen, logits=(seen.logits * too_sure).astype(np.float32))
    bad = fit_in_turn(seen, THREE, "here")
    assert bad.reliability.error_after > bad.reliability.error_before
    card, (said,) = calibrated(CARD, lambda: bad)
    assert card.temperature == 1
    assert card.reliability.error_after == bad.reliability.error_before
    assert card.reliability.after == bad.reliability.before
    assert f"{bad.temperature:g}" in said
    assert f"{bad.reliability.error_after:.3f}, and " in said


def test_what_cannot_be_fitted_is_said_with_its_reason():
    seen = drawn(300)
    lacking = seen.where(seen.channels != 1)
    with pytest.raises(LabelsError, match="no labelled pixel there is of b;"):
        fit_temperature(lacking, THREE)
    right = replace(seen, channels=seen.logits.argmax(axis=1).astype(np.uint8))
    with pytest.raises(LabelsError, match=r"at the end, 0\.05.*100\.0% of 300 pixels"):
        fit_temperature(right, THREE)
    wrong = replace(seen, channels=seen.logits.argmin(axis=1).astype(np.uint8))
    with pytest.raises(LabelsError, match=r"at the end, 20.*0\.0% of 300"):
        fit_temperature(wrong, THREE)
    with pytest.raises(LabelsError, match="all labelled pixels lie in one block"):
        fit_in_turn(replace(seen, blocks=0 * seen.blocks), THREE, "here")


RELIABILITY = Reliability(
    "blocks, fold 0/5", 9, 0.125, 0.0625, (Bin(0.5, 0.25, 9),), (Bin(0.375, 0.25, 9),)
)


def test_a_temperature_stands_where_the_extension_has_room_for_it(tmp_path):
    card = replace(CARD, temperature=1.25, reliability=RELIABILITY)
    content = json.loads(json.dumps(write_card(card, TRAINING, ARTIFACT)))
    assert read_card(content, tmp_path) == (card, ARTIFACT)
    (output,) = content["properties"]["mlm:output"]
    assert output["post_processing_function"]["expression"] == {"temperature": 1.25}
    output["post_processing_function"] = {"format": "python", "expression": "f:g"}
    assert read_card(content, tmp_path)[0].temperature == 1
    for wrong in (0, -1, float("inf"), float("nan"), "warm", None):
        output["post_processing_function"] = {
            "format": "geoseg:temperature-scaling", "expression": {"temperature": wrong}
        }  # fmt: skip
        with pytest.raises(ModelError, match="damaged"):
            read_card(content, tmp_path)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_any_activation_is_divided_by_the_temperature_before_the_softmax(activation):
    two = Legend(THREE.classes[:2])
    card = replace(CARD, legend=two, activation=activation, temperature=2.5)
    scores = torch.randn(2, 2, 5, 7, generator=torch.manual_seed(0)) * 4
    output = {
        "softmax": scores,
        "sigmoid": scores[:, 1:] - scores[:, :1],
        "none": scores.softmax(dim=1),
    }[activation]
    given = to_logits(output, replace(card, channels=(1, 0))).softmax(dim=1)
    expected = (scores / 2.5).softmax(dim=1).flip(1)
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-5)


@pytest.fixture
def package(brightest, tmp_path):
    """The model whose scores are its bands, to be changed."""
    return shutil.copytree(brightest, tmp_path / "package")


@pytest.fixture
def ground(make_raster):
    """A scene of such scores, and classes as often as they say at TRUE, as a raster."""
    random = np.random.default_rng(3)
    scores = random.integers(1, 12, (3, 80, 112)).astype(np.uint16)
    likely = softmax(scores / TRUE, axis=0)
    channel = (likely.cumsum(axis=0) > random.random((80, 112))).argmax(axis=0)
    scene = make_raster(values=scores, bands=bright.BANDS, transform=PLANE)
    labels = make_raster(
        "labels.tif", values=bright.CLASSES[channel][None], bands=(), transform=PLANE,
        nodata=255,
    )  # fmt: skip
    return scene, labels


def calibrate(*arguments):
    words = ["models", "calibrate", *arguments]
    return CliRunner().invoke(main, [str(word) for word in words])


def confidence(output):
    with rasterio.open(output / "confidence.tif") as dataset:
        return dataset.read(1)


def test_calibrate_keeps_a_temperature_by_which_maps_say_what_comes_true(
    package, ground, tmp_path
):
    """The command, then a map with and without it, beside numpy."""
    scene, labels = ground
    before = json.loads((package / "mlm.json").read_text())
    blocks = ["--held-out-block", 16]
    result = calibrate(package, scene, "--labels", labels, *blocks)
    assert result.exit_code == 0, result.output
    found = geoseg.load_package(package)
    assert found.temperature == pytest.approx(TRUE, rel=0.1)
    assert found.reliability.error_after < found.reliability.error_before / 2
    assert f"temperature {found.temperature:g}" in result.stdout
    assert (package / "reliability.png").read_bytes().startswith(b"\x89PNG")
    after = json.loads((package / "mlm.json").read_text())
    after["properties"].pop("geoseg:calibration")
    after["properties"]["mlm:output"][0].pop("post_processing_function")
    assert after == before
    with rasterio.open(scene) as dataset:
        scores = dataset.read().astype(np.float64)
    for flags, temperature in (((), found.temperature), (("--no-calibration",), 1)):
        output = tmp_path / f"map{len(flags)}"
        arguments = (scene, "--format", "none", *flags)
        bright.mapped(package, output, *arguments)
        expected = 100 * softmax(scores / temperature, axis=0).max(axis=0)
        assert np.abs(confidence(output) - expected).max() <= 0.51
        report = json.loads((output / "run.json").read_text())
        assert report["models"][0]["temperature"] == temperature
        # A resume compares the identity, in which no temperature is none.
        known = {"temperature": f"{temperature:g}"} if temperature != 1 else {}
        assert report["identity"].items() >= known.items()
        assert ("temperature" in report["identity"]) == bool(known)
    first, second = (tmp_path / f"map{n}" / "landcover.tif" for n in (0, 1))
    with rasterio.open(first) as one, rasterio.open(second) as other:
        assert (one.read() == other.read()).all()


def test_calibrate_makes_a_new_package_where_asked_and_of_what_is_not_yours(
    package, ground, tmp_path
):
    scene, labels = ground
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    output = tmp_path / "new"
    given = ("--labels", labels, "--held-out-block", 16, "--json")
    result = calibrate(package, scene, *given, "-o", output)
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["temperature"] == geoseg.load_package(output).temperature != 1
    assert {path.name: path.read_bytes() for path in package.iterdir()} == before
    again = calibrate(package, scene, *given, "-o", output)
    assert (again.exit_code, "exists; choose another" in again.stderr) == (2, True)
    shipped = calibrate("sentinel2-landcover", scene, "--labels", labels)
    assert shipped.exit_code == 2
    assert "not yours to change; give the folder of a new package with --output" in (
        shipped.stderr
    )


def test_calibrate_refuses_labels_that_no_temperature_can_be_fitted_on(
    package, ground, tmp_path, make_raster
):
    scene, labels = ground
    before = (package / "mlm.json").read_bytes()
    with rasterio.open(labels) as dataset:
        values = dataset.read()
    values[values == 3] = 255
    lacking = make_raster(
        "two.tif", values=values, bands=(), transform=PLANE, nodata=255
    )
    fields = geopandas.GeoDataFrame(
        {"class": ["wheat"]}, geometry=[box(399_970, 5_799_900, 400_500, 5_800_000)],
        crs=32633,
    )  # fmt: skip
    fields.to_file(tmp_path / "fields.gpkg")
    for given, sentence in (
        ((lacking, "--held-out-block", 16), "no labelled pixel there is of green"),
        ((tmp_path / "fields.gpkg",), "knows blue, green, red, and the labels are whe"),
        ((labels, "--held-out", "5/5"), "folds are numbered 0 to 4"),
    ):
        result = calibrate(package, scene, "--labels", *given)
        assert result.exit_code == 2, result.output
        assert result.stderr.strip().splitlines()[-1].startswith("geoseg: ")
        assert sentence in result.stderr
    assert (package / "mlm.json").read_bytes() == before
    assert not (package / "reliability.png").exists()


def test_members_of_an_ensemble_have_their_own_temperatures(package, ground, tmp_path):
    scene, _ = ground
    with rasterio.open(scene) as dataset:
        scores = dataset.read().astype(np.float64)
    other = shutil.copytree(package, tmp_path / "warm")
    content = json.loads((other / "mlm.json").read_text())
    content["properties"]["mlm:output"][0]["post_processing_function"] = {
        "format": "geoseg:temperature-scaling", "expression": {"temperature": 3.0}
    }  # fmt: skip
    (other / "mlm.json").write_text(json.dumps(content))
    output = tmp_path / "both"
    bright.mapped(
        package, output, scene, "--format", "none", "--model", other, "--tta", "flips"
    )
    mean = (softmax(scores, axis=0) + softmax(scores / 3, axis=0)) / 2
    assert np.abs(confidence(output) - 100 * mean.max(axis=0)).max() <= 0.51


QUICK = geoseg.TrainOptions(
    encoder="resnet18", encoder_weights="none", architecture="Unet",
    block=32, gap=2, chip=32, tile=64, epochs=1, steps=30, batch=4, device="cpu",
    precision="float32", learning_rate=0.003,
)  # fmt: skip


@pytest.fixture
def halves(make_raster):
    """Dark and light ground, a fifth of whose labels are wrong."""
    random = np.random.default_rng(0)
    values = random.normal(100, 30, (2, 160, 192)).astype(np.float32)
    values[:, :, 96:] += 100
    truth = np.where(np.arange(192) < 96, 1, 2) + np.zeros((160, 1), int)
    noisy = np.where(random.random((160, 192)) < 0.2, 3 - truth, truth)
    return (
        make_raster(values=values, bands=("B02", "B03"), transform=PLANE, nodata=-1),
        make_raster(
            "labels.tif", values=noisy[None].astype(np.uint8), bands=(),
            transform=PLANE, nodata=255,
        ),
    )  # fmt: skip


def check_page(model, trained, *, pictures):
    """Hold report.html against the figures: it has them, and names no other file."""
    text = (model / "report.html").read_text()
    assert text.count('src="data:image/png;base64,') == pictures == text.count("src=")
    assert "href=" not in text
    for row in trained.accuracy.matrix:
        for pixels in row:
            assert f">\n{pixels:,}</td>" in text or f">{pixels:,}</td>" in text
    for value in (*trained.accuracy.f1, *trained.accuracy.iou):
        assert f"<td>{value:.4g}</td>" in text
    for epoch in trained.epochs:
        assert f"<td>{epoch.loss:.4g}</td>" in text


@pytest.mark.parametrize("patience", [0, 3])
def test_a_training_keeps_a_temperature_and_what_it_does_on_held_out_ground(
    halves, tmp_path, patience
):
    scene, labels = halves
    if not patience:  # It learns from what is right, and is measured on what is not.
        with rasterio.open(labels, "r+") as dataset:
            values = dataset.read(1)
            values[:] = np.where(np.arange(192) < 96, 1, 2)
            held_out = geoseg.Split(160, 192, 0, 32).test_area()
            wrong = held_out & (np.random.default_rng(0).random((160, 192)) < 0.35)
            values[wrong] = 3 - values[wrong]
            dataset.write(values, 1)
    options = replace(QUICK, patience=patience, block=64 if patience else 32)
    trained = geoseg.train([scene], labels, tmp_path / "model", options=options)
    found = trained.package.reliability
    assert found.pixels == trained.accuracy.pixels
    assert found.ground == "held-out blocks, fold 0/5"
    record = json.loads((tmp_path / "model" / "accuracy.json").read_text())
    assert record["calibration"]["temperature"] == trained.package.temperature != 1
    assert (tmp_path / "model" / "reliability.png").exists()
    check_page(tmp_path / "model", trained, pictures=2)
    right = sum(each.pixels * each.accuracy for each in found.before) / found.pixels
    assert right == pytest.approx(trained.accuracy.overall, abs=1e-3)
    loaded = geoseg.load_network(trained.package)
    plain = geoseg.load_network(replace(trained.package, temperature=1.0))
    tile = torch.randn(1, 2, 64, 64)
    with torch.inference_mode():
        scaled = plain(tile) / trained.package.temperature
        torch.testing.assert_close(loaded(tile), scaled)


def test_a_training_whose_held_out_ground_lacks_a_class_says_so(
    halves, tmp_path, make_raster
):
    scene, labels = halves
    with rasterio.open(labels) as dataset:
        values = dataset.read(1)
    split = geoseg.Split(160, 192, 0, 32)
    values[split.test_area() & (values == 2)] = 255
    lacking = make_raster(
        "lacking.tif", values=values[None], bands=(), transform=PLANE, nodata=255
    )
    trained = geoseg.train([scene], lacking, tmp_path / "model", options=QUICK)
    assert trained.package.temperature == 1
    assert trained.package.reliability is None
    assert any(
        warning.startswith(
            "confidences are not calibrated: no temperature can be fitted"
        )
        for warning in trained.warnings
    )
    assert "calibration" not in json.loads(
        (tmp_path / "model" / "accuracy.json").read_text()
    )


def test_a_classifier_of_pixels_gets_a_temperature_too(make_raster, tmp_path):
    """A forest of few pixels in many bands is less sure than it may be."""
    random = np.random.default_rng(0)
    values = random.normal(100, 30, (12, 160, 192)).astype(np.float32)
    values[:2, :, 96:] += 40
    marked = np.full((1, 160, 192), 255, np.uint8)
    rows, cols = random.integers(0, 160, 200), random.integers(0, 192, 200)
    marked[0, rows, cols] = 1 + (cols >= 96)
    bands = tuple(f"B{number}" for number in range(12))
    scene = make_raster(values=values, bands=bands, transform=PLANE, nodata=-1)
    labels = make_raster(
        "labels.tif", values=marked, bands=(), transform=PLANE, nodata=255
    )
    options = geoseg.TrainOptions(architecture="pixel", head="forest")
    trained = geoseg.train([scene], labels, tmp_path / "model", options=options)
    found = trained.package.reliability
    assert found.ground == "labelled pixels of other folds"
    check_page(tmp_path / "model", trained, pictures=1)
    right = sum(each.pixels * each.accuracy for each in found.before) / found.pixels
    assert right == pytest.approx(trained.accuracy.overall, abs=1e-3)
    record = json.loads((tmp_path / "model" / "accuracy.json").read_text())
    assert record["calibration"]["temperature"] == trained.package.temperature < 0.9
    assert found.error_after < found.error_before / 2


def test_a_temperature_that_helps_on_no_other_ground_is_left_out(halves, tmp_path):
    """Labels that are wrong at random make no temperature better."""
    scene, labels = halves
    options = geoseg.TrainOptions(architecture="pixel", head="discriminant")
    trained = geoseg.train([scene], labels, tmp_path / "model", options=options)
    package = trained.package
    assert package.temperature == 1
    assert package.reliability == package.reliability.without()
    (said,) = [each for each in trained.warnings if "confidences" in each]
    assert said.startswith("confidences stay as they are: no temperature brings them")
    record = json.loads((tmp_path / "model" / "accuracy.json").read_text())
    assert record["calibration"]["temperature"] == 1
    assert record["calibration"]["note"] == said
    check_page(tmp_path / "model", trained, pictures=1)
    output = json.loads((tmp_path / "model" / "mlm.json").read_text())
    (output,) = output["properties"]["mlm:output"]
    assert not output.get("post_processing_function")
