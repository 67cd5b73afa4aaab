"""Scores of single pixels straight from what files hold, beside the long way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from embedding_fields import ALPHAEARTH, dequantised

from geoseg.models.find import load_package
from geoseg.models.networks.network import save_package
from geoseg.models.networks.pixelwise import Pixelwise, put_layer
from geoseg.models.package.new_card import describe
from geoseg.options import NewPackage
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.linear_head import LinearHead

BANDS, CLASSES = 64, 3
HOW = resolve_compute("cpu", "float32")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A linear head on 64 bands, with means, deviations and a temperature."""
    rng = np.random.default_rng(0)
    network = Pixelwise(encoder_name="pixel", in_channels=BANDS, classes=CLASSES)
    put_layer(
        network.segmentation_head.classifier,
        rng.normal(size=(CLASSES, BANDS)),
        rng.normal(size=CLASSES),
    )
    new = NewPackage(
        name="linear", bands=ALPHAEARTH, classes=("bare", "crop", "water"), gsd_m=10.0,
        dtype="float32", tile=64, overlap=0,
    )  # fmt: skip
    card = describe(new, "Pixelwise", 1, 1)
    bands = tuple(
        replace(band, mean=float(mean), std=float(std))
        for band, mean, std in zip(
            card.bands,
            rng.normal(0, 0.1, BANDS),
            rng.uniform(0.05, 0.2, BANDS),
            strict=True,
        )
    )
    folder = tmp_path_factory.mktemp("linear") / "model"
    folder.mkdir()
    save_package(
        folder, network, replace(card, bands=bands, temperature=1.5), half=False
    )
    return load_package(folder)


def tiles_of(seed):
    """Numbers as AlphaEarth stores them, some pixels without data."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-127, 128, (2, BANDS, 37, 53)).astype(np.int8)
    return numbers, rng.random((2, 37, 53)) > 0.2


def predictor_of(package, order=tuple(range(BANDS)), *, stored=False, times=1):
    made = TilePredictor.of([(package, order)] * times, HOW)
    return replace(made, takes_stored=stored)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", "float64"])
def test_scores_are_those_of_float64(dtype, stored):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 100, (2, 5, 7, 11)).astype(dtype)
    valid = rng.random((2, 7, 11)) > 0.3
    head = LinearHead(rng.normal(size=(3, 4)), rng.normal(size=3), np.arange(3.0))
    bands = (4, 0, 1, 3)
    found = head.scores(pixels, valid, bands, stored=stored)
    raw = dequantised(pixels) if stored else pixels.astype(np.float64)
    truth = np.einsum("cb,tbyx->tcyx", head.weight, raw[:, list(bands)])
    truth += head.bias[:, None, None]
    truth = np.where(valid[:, None], truth, head.unseen[:, None, None])
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-4)


def test_probabilities_are_those_of_the_network(package):
    numbers, valid = tiles_of(1)
    values = dequantised(numbers).astype(np.float32)
    order = tuple(reversed(range(BANDS)))
    direct = predictor_of(package, order)(values, valid)
    of_two = predictor_of(package, order, times=2)(values, valid)  # torch, step by step
    assert (direct - of_two).abs().max() < 1e-5
    assert torch.equal(direct.argmax(1), of_two.argmax(1))


@pytest.mark.parametrize("times", [1, 2])
def test_numbers_as_they_are_stored_give_what_they_stand_for(package, times):
    numbers, valid = tiles_of(2)
    values = dequantised(numbers).astype(np.float32)
    stored = predictor_of(package, stored=True, times=times)(numbers, valid)
    plain = predictor_of(package, times=times)(values, valid)
    assert (stored - plain).abs().max() < 1e-5


def test_a_pixel_has_the_same_scores_in_any_tile():
    numbers, valid = tiles_of(4)
    rng = np.random.default_rng(4)
    head = LinearHead(rng.normal(size=(3, BANDS)), np.zeros(3), np.ones(3))
    part = slice(0, 1), slice(None), slice(5, 21), slice(17, 40)
    whole = head.scores(numbers, valid, tuple(range(BANDS)), stored=True)
    alone = head.scores(
        numbers[part], valid[:1, 5:21, 17:40], tuple(range(BANDS)), stored=True
    )
    np.testing.assert_array_equal(whole[part], alone)


def test_what_has_no_data_counts_nowhere(package):
    values = dequantised(tiles_of(5)[0]).astype(np.float32)
    valid = np.ones((2, 37, 53), bool)
    valid[0, 3:9, 4:8] = False
    poisoned = values.copy()
    poisoned[0, :, 3:9, 4:8] = np.nan
    predict = predictor_of(package)
    assert torch.equal(predict(values, valid), predict(poisoned, valid))
