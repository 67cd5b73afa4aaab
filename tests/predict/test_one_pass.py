"""What a CPU does in one pass is what torch does in several."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.models.find import load_package
from geoseg.predict import LoadedModel, resolve_compute
from geoseg.predict.fixed_point import PROBABILITY_ONE
from geoseg.predict.one_pass import normalise, softmax

SCALING = np.array(
    [[0.25, 1.0, 1 / 3], [1.0, 0.0, -2.5], [-0.5, -np.inf, 0], [8, np.inf, 30]],
    np.float32,
)


def softmax_of(logits):
    made = np.empty(logits.shape, np.float32)
    softmax(logits, made)
    return made


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 60), st.integers(1, 9))
def test_softmax_is_exact_to_a_few_units_in_the_last_place(seed, spread, classes):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (classes, 5, 37)).astype(np.float32)
    powers = np.exp((logits - logits.max(axis=0)).astype(np.float64))
    found = softmax_of(logits)
    np.testing.assert_allclose(found, powers / powers.sum(axis=0), 5e-7, 1e-37)
    assert np.rint(found * PROBABILITY_ONE).max() <= PROBABILITY_ONE


def test_softmax_has_the_same_bits_in_any_layout_and_wherever_a_row_begins():
    logits = np.random.default_rng(0).normal(0, 5, (7, 6, 53)).astype(np.float32)
    last = np.ascontiguousarray(logits.transpose(1, 2, 0)).transpose(2, 0, 1)
    whole = softmax_of(logits)
    np.testing.assert_array_equal(softmax_of(last), whole)
    for start in range(9):
        part = softmax_of(np.ascontiguousarray(logits[:, :, start : start + 21]))
        np.testing.assert_array_equal(part, whole[:, :, start : start + 21])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("channel", [0, 2])
def test_a_logit_that_is_no_number_shows_in_every_class_of_its_pixel_alone(
    wrong, channel
):
    logits = np.zeros((3, 2, 40), np.float32)
    logits[channel, 1, 5] = wrong
    found = softmax_of(logits)
    assert np.isnan(found[:, 1, 5]).all()
    assert np.isfinite(found).sum() == found.size - 3


def test_a_class_that_is_ruled_out_has_no_share():
    logits = np.array([0, 0, -np.inf], np.float32).reshape(3, 1, 1)
    np.testing.assert_array_equal(softmax_of(logits).ravel().round(30), [0.5, 0.5, 0])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_pixels_are_normalised_to_torch_s_bits(dtype, precision, layout):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 250, (4, 9, 33)).astype(dtype)
    if dtype.startswith("float"):
        pixels += rng.random(pixels.shape).astype(dtype)
        pixels[1, 2, 3] = np.nan
    valid, bands = rng.random((9, 33)) > 0.2, np.array([3, 0, 1])
    gain, offset, least, most = torch.from_numpy(SCALING)[:, :, None, None]
    raw = torch.from_numpy(pixels).to(torch.float32)[bands]
    expected = (raw * gain).sub_(offset).clamp_(least, most)
    expected.masked_fill_(torch.from_numpy(~valid), 0.0)
    made = torch.empty((1, 3, 9, 33), dtype=precision, memory_format=layout)
    is_rounded = precision == torch.bfloat16
    bits = made.view(torch.uint16) if is_rounded else made
    planes = bits[0].permute(1, 2, 0).numpy()
    normalise(pixels, valid, bands, SCALING, is_rounded, planes)
    assert torch.equal(made[0].nan_to_num(7), expected.to(precision).nan_to_num(7))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_takes_on_a_cpu_what_it_is_given_on_a_gpu(precision):
    rng, package = np.random.default_rng(2), load_package("sentinel2-landcover")
    model = LoadedModel(package, tuple(range(9, -1, -1)))
    pixels = rng.integers(1, 4000, (2, 10, 32, 64), np.uint16)
    valid = rng.random((2, 32, 64)) > 0.2
    raw = torch.from_numpy(pixels).to(torch.float32)
    normal = model.normalise(raw, torch.from_numpy(~valid))
    taken = model.take(pixels, valid, resolve_compute("cpu", precision))
    assert taken.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(taken, normal.to(getattr(torch, precision)))
