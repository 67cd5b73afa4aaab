"""The fully connected CRF: against its definition, against the paper's own program."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner
from paths import ROOT

from geoseg.cli import main
from geoseg.errors import InputError, ShapeError
from geoseg.models.find import load_package
from geoseg.models.networks.crf import CrfOptions, fully_connected_crf
from geoseg.predict import TilePredictor, resolve_compute

SAMPLE = ROOT / "sample_aoi" / "scene.tif"
OPTIONS = CrfOptions(
    iterations=3, appearance_px=3.0, appearance_deviation=0.7, window=4
)


def definition(probabilities, image, valid, how):
    """Give what the docstring's formulas say, pixel pair by pixel pair, in float64."""
    height, width = valid.shape
    rows, cols = (axis.ravel() for axis in np.indices((height, width)))
    down, right = rows[:, None] - rows, cols[:, None] - cols
    apart = down**2 + right**2
    seen = np.where(valid, image, 0).reshape(len(image), -1).T.astype(np.float64)
    unlike = ((seen[:, None] - seen) ** 2).sum(axis=2)
    both = np.outer(valid.ravel(), valid.ravel())
    reached = both & (abs(down) <= how.window) & (abs(right) <= how.window)
    near = np.exp(-apart / (2 * how.smoothness_px**2))
    alike = np.exp(
        -apart / (2 * how.appearance_px**2) - unlike / (2 * how.appearance_deviation**2)
    )
    total = 0
    for weight, kernel in ((how.smoothness, near), (how.appearance, alike)):
        kernel = np.where(reached, kernel, 0)  # noqa: PLW2901  # what is beyond is gone
        sums = np.maximum(kernel.sum(axis=1), 1e-9)
        total = total + weight * kernel / np.sqrt(np.outer(sums, sums))
    given = np.log(np.clip(probabilities, 1e-5, None)).reshape(len(probabilities), -1)
    refined = np.exp(given) / np.exp(given).sum(axis=0)
    for _ in range(how.iterations):
        energy = np.exp(given + refined @ total)
        refined = energy / energy.sum(axis=0)
    refined = refined.reshape(probabilities.shape)
    return np.where(valid, refined, probabilities)


@pytest.fixture
def noise():
    """Give random tiles: probabilities, image, and a mask with holes."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 13, 19, generator=generator)
    scores = torch.randn(2, 4, 13, 19, generator=generator)
    return (
        scores.softmax(dim=1),
        image,
        torch.rand(2, 13, 19, generator=generator) > 0.2,
    )


def test_refined_probabilities_are_what_the_definition_says(noise):
    found = fully_connected_crf(*noise, OPTIONS)
    for tile, result in enumerate(found.numpy()):
        given = [values[tile].numpy() for values in noise]
        expected = definition(*given, OPTIONS)
        np.testing.assert_allclose(result, expected, atol=1e-5)
    assert (found - noise[0]).abs().mean() > 0.01


@pytest.mark.parametrize("missing", ["smoothness", "appearance"])
def test_a_kernel_without_weight_says_nothing(noise, missing):
    how = replace(OPTIONS, **{missing: 0.0})
    found = fully_connected_crf(*noise, how)[0].numpy()
    given = [values[0].numpy() for values in noise]
    np.testing.assert_allclose(found, definition(*given, how), atol=1e-5)


def test_invalid_pixels_take_no_part(noise):
    given, image, valid = noise
    found = fully_connected_crf(given, image, valid, OPTIONS)
    for poison in (torch.nan, 1e6):
        spoiled = image.masked_fill(~valid[:, None], poison)
        again = fully_connected_crf(given, spoiled, valid, OPTIONS)
        assert torch.equal(found, again)
    unsure = given.masked_fill(~valid[:, None], 0.25)
    again = fully_connected_crf(unsure, image, valid, OPTIONS)
    planes = valid[:, None].expand_as(given)
    assert torch.equal(found[planes], again[planes])
    assert torch.equal(found[~planes], given[~planes])


def test_huge_values_are_no_trouble(noise):
    given, image, valid = noise
    found = fully_connected_crf(given, image * 1e7, valid, OPTIONS)
    assert found.isfinite().all()
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 13, 19))


def test_classes_come_to_follow_the_edges_of_the_image():
    image = torch.zeros(1, 1, 40, 40)
    image[..., 17:] = 3.0
    truth = image[0, 0] > 0
    generator = torch.Generator().manual_seed(1)
    scores = torch.where(truth, 1.0, -1.0) + 1.5 * torch.randn(
        40, 40, generator=generator
    )
    given = torch.stack([-scores, scores])[None].softmax(dim=1)
    valid = torch.ones(1, 40, 40, dtype=torch.bool)
    found = fully_connected_crf(given, image, valid, CrfOptions(appearance=10.0))
    before, after = (values[0].argmax(dim=0).bool() for values in (given, found))
    assert (before == truth).float().mean() < 0.8
    assert (after == truth).float().mean() > 0.98


SIDE = 64
"""Pixels of a crop of the sample: what is summed grows with the fourth power of it."""


@pytest.fixture(scope="module")
def crop():
    """Give a crop: what the shipped model says, and what they look like."""
    package = load_package("sentinel2-landcover")
    with rasterio.open(SAMPLE) as dataset:
        window = rasterio.windows.Window(300, 200, SIDE, SIDE)
        pixels = dataset.read(window=window)
    predictor = TilePredictor.of(
        [(package, tuple(range(10)))], resolve_compute("cpu", "float32")
    )
    probabilities = predictor(pixels[None], np.ones((1, SIDE, SIDE), bool))
    colours = pixels[[2, 1, 0]].astype(np.float32)
    mean, deviation = (
        f(colours, axis=(1, 2), keepdims=True) for f in (np.mean, np.std)
    )
    stretched = np.clip(128 + 50 * (colours - mean) / deviation, 0, 255)
    return probabilities, stretched.astype(np.uint8)


@pytest.mark.parametrize(
    "how",
    [
        CrfOptions(iterations=5, appearance_deviation=25.0),
        CrfOptions(
            iterations=3,
            smoothness=3.0,
            smoothness_px=3.0,
            appearance=10.0,
            appearance_px=20.0,
            appearance_deviation=13.0,
        ),
    ],
    ids=["defaults", "strong"],
)
def test_labels_agree_with_those_of_pydensecrf(crop, how):
    """Where the window covers the crop; pydensecrf's sums are approximate."""
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    probabilities, colours = crop
    classes = probabilities.shape[1]
    other = densecrf.DenseCRF2D(SIDE, SIDE, classes)
    unary = -np.log(np.clip(probabilities[0].numpy(), 1e-5, None)).reshape(classes, -1)
    other.setUnaryEnergy(np.ascontiguousarray(unary))
    other.addPairwiseGaussian(sxy=how.smoothness_px, compat=how.smoothness)
    other.addPairwiseBilateral(
        sxy=how.appearance_px,
        srgb=how.appearance_deviation,
        rgbim=np.ascontiguousarray(colours.transpose(1, 2, 0)),
        compat=how.appearance,
    )
    expected = np.array(other.inference(how.iterations)).reshape(classes, SIDE, SIDE)
    found = fully_connected_crf(
        probabilities,
        torch.from_numpy(colours.astype(np.float32))[None],
        torch.ones(1, SIDE, SIDE, dtype=torch.bool),
        replace(how, window=SIDE),
    )[0].numpy()
    assert (found.argmax(axis=0) == expected.argmax(axis=0)).mean() >= 0.99
    changed = found.argmax(axis=0) != probabilities[0].argmax(dim=0).numpy()
    assert changed.mean() > 0.01, "the CRF has something to say here"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iterations": 0},
        {"smoothness": -1.0},
        {"appearance_px": 0.0},
        {"appearance_deviation": float("nan")},
        {"window": 0},
    ],
)
def test_options_that_make_no_sense(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        CrfOptions(**wrong)


def test_shapes_that_do_not_fit_together(noise):
    given, image, valid = noise
    with pytest.raises(ShapeError, match=r"got \(2, 3, 13, 19\), \(2, 4, 12, 19\)"):
        fully_connected_crf(given[..., :12, :], image, valid)


def test_a_map_is_refined_by_a_flag(tmp_path):
    scene = tmp_path / "scene.tif"
    with rasterio.open(SAMPLE) as dataset:
        window = rasterio.windows.Window(300, 200, 90, 70)
        profile = {**dataset.profile, "height": 70, "width": 90}
        with rasterio.open(scene, "w", **profile) as copy:
            copy.write(dataset.read(window=window))
            copy.descriptions = dataset.descriptions
    maps = {}
    for flags in ((), ("--crf",)):
        output = tmp_path / f"out{len(flags)}"
        given = ["segment", str(scene), "--tile", "96", "--overlap", "32", *flags]
        given += ["--probabilities", "--quiet", "-o", str(output)]
        result = CliRunner().invoke(main, given)
        assert result.exit_code == 0, result.output
        maps[flags] = [
            rasterio.open(output / f"{name}.tif").read()
            for name in ("landcover", "confidence", "probabilities")
        ]
        settings = json.loads((output / "run.json").read_text())["settings"]
        assert (settings["crf"] is None) == (not flags)
    edges = {flags: (np.diff(each[0][0]) != 0).sum() for flags, each in maps.items()}
    assert edges["--crf",] < edges[()]
    (plain, _, before), (refined, sure, after) = maps.values()
    np.testing.assert_array_equal(before, after)
    ids = load_package("sentinel2-landcover").legend.ids
    chosen = np.take_along_axis(after, np.searchsorted(ids, refined), axis=0)
    np.testing.assert_allclose(sure / 100, chosen / 250, atol=0.0071)
    assert (sure[refined != plain] < 60).all(), "the CRF wins where the model doubts"
