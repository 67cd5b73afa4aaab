"""The predictor against the network it wraps, and against devices that run full."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from geoseg.errors import DeviceError, InputError, RunError
from geoseg.models.find import load_package
from geoseg.models.networks.batch_norm import fold_batch_norm
from geoseg.models.networks.network import load_network, network_class
from geoseg.predict import Compute, TilePredictor, probe, resolve_compute

BANDS = tuple(range(10))


@pytest.fixture(scope="module")
def package():
    return load_package("sentinel2-landcover")


@pytest.fixture
def tile():
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 4000, (1, 10, 64, 96), np.uint16)
    return pixels, rng.random((1, 64, 96)) > 0.2


def test_probabilities_are_the_softmax_of_the_network(package, tile):
    pixels, valid = tile
    mean = np.array([band.mean for band in package.bands])[:, None, None]
    std = np.array([band.std for band in package.bands])[:, None, None]
    normal = np.where(valid[:, None], (pixels * package.scale - mean) / std, 0)
    with torch.inference_mode():
        logits = load_network(package)(torch.from_numpy(normal.astype(np.float32)))
    expected = logits.softmax(dim=1)
    compute = resolve_compute("cpu", "float32")
    found = TilePredictor.of([(package, BANDS)], compute)(pixels, valid)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-4)


def test_bfloat16_is_close_to_float32(package, tile):
    exact, rough = (
        TilePredictor.of([(package, BANDS)], resolve_compute("cpu", precision))(*tile)
        for precision in ("float32", "bfloat16")
    )
    assert (exact - rough).abs().mean() < 0.02


def test_what_is_under_invalid_pixels_does_not_matter(package, tile):
    pixels, valid = tile
    predictor = TilePredictor.of([(package, BANDS)], resolve_compute("cpu", "float32"))
    poisoned = np.where(valid[:, None], pixels.astype(np.float32), np.nan)
    assert torch.equal(predictor(pixels, valid), predictor(poisoned, valid))


def test_values_that_are_no_numbers_are_an_error(package, tile):
    pixels, valid = tile
    predictor = TilePredictor.of([(package, BANDS)], resolve_compute("cpu", "float32"))
    wrong = np.full(pixels.shape, np.nan, np.float32)
    with pytest.raises(RunError, match=r"not numbers.*its weights are damaged"):
        predictor(wrong, np.ones_like(valid))


def test_a_compiled_network_is_compiled_before_its_first_tile(
    package, tile, monkeypatch
):
    compiled = []
    monkeypatch.setattr(
        "torch.nn.Module.compile", lambda self, **_: compiled.append(type(self))
    )
    compute = resolve_compute("cpu", "float32", compiled=True)
    TilePredictor.of([(package, BANDS)], compute)(*tile)
    assert [kind.__name__ for kind in compiled] == ["Unet"]


@pytest.fixture
def full_at(package, monkeypatch):
    """Give a function that makes a predictor on a stand-in GPU that holds few tiles."""

    def make(most):
        def predict(_, pixels, valid):
            if len(pixels) > most:
                raise torch.OutOfMemoryError("out of memory")
            return torch.zeros(valid.shape)

        monkeypatch.setattr(TilePredictor, "_predict", predict)
        monkeypatch.setattr("geoseg.predict.streams.own_stream", nullcontext)
        compute = Compute("cuda", "float16", 8, 1, 1, "test")
        return TilePredictor.of([(package, BANDS)], compute)

    return make


@pytest.mark.parametrize(("most", "batch"), [(20, 8), (8, 8), (7, 4), (2, 2), (1, 1)])
def test_a_batch_is_halved_until_it_fits(full_at, most, batch):
    assert probe(full_at(most), 64).batch == batch


def test_a_device_that_holds_no_tile_is_refused(full_at):
    with pytest.raises(DeviceError, match="ran out of memory with 1 tiles"):
        probe(full_at(0), 64)


def test_memory_that_runs_out_later_names_the_flag(full_at):
    with pytest.raises(DeviceError, match="`restart` `batch=4`"):
        full_at(5)(np.ones((8, 10, 32, 32)), np.ones((8, 32, 32), bool))


def test_on_a_cpu_one_batch_is_tried_and_kept(full_at):
    predictor = full_at(8)
    on_cpu = replace(predictor, compute=replace(predictor.compute, device="cpu"))
    assert probe(on_cpu, 64) == on_cpu


def test_a_precision_that_the_device_lacks_is_refused():
    with pytest.raises(InputError, match="float16 is not for CPUs"):
        resolve_compute("cpu", "float16")


@pytest.mark.parametrize("name", ["Unet", "FPN", "DeepLabV3Plus", "Segformer"])
def test_folding_batch_norm_gives_the_same_scores(name):
    torch.manual_seed(0)
    make = network_class(name)
    network = make("resnet18", encoder_weights=None, in_channels=3, classes=4)
    for norm in _norms(network):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    network.eval()
    norms, tiles = len(_norms(network)), torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        scores = network(tiles)
        fold_batch_norm(network)
        torch.testing.assert_close(network(tiles), scores, rtol=1e-3, atol=1e-3)
    assert len(_norms(network)) < norms / 3


def _norms(network):
    kind = torch.nn.BatchNorm2d
    return [module for module in network.modules() if isinstance(module, kind)]


def test_what_cannot_be_followed_is_left_alone_and_its_parts_are_not():
    class Fickle(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = torch.nn.BatchNorm2d(3)
            self.part = torch.nn.Sequential(
                torch.nn.Conv2d(3, 3, 1), torch.nn.BatchNorm2d(3)
            )

        def forward(self, tiles):
            return self.kept(self.part(tiles if tiles.sum() > 0 else -tiles))

    network, tiles = Fickle().eval(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        scores = network(tiles)
        fold_batch_norm(network)
        torch.testing.assert_close(network(tiles), scores)
    assert isinstance(network.part[1], torch.nn.Identity)
    assert isinstance(network.kept, torch.nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("there", "can", "found"),
    [
        ("mps", {}, ("mps", "float16", 4, 1)),
        ("cpu", {}, ("cpu", "float32", 1, None)),
        ("cpu", {"avx512_bf16": True}, ("cpu", "bfloat16", 1, None)),
        ("cpu", {"amx_bf16": True}, ("cpu", "bfloat16", 1, None)),
    ],
)
def test_a_machine_s_own_device_and_precision_are_taken(there, can, found, monkeypatch):
    """An Apple GPU, and CPUs with and without bfloat16, as torch describes them."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there == "mps")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    device, precision, batch, streams = found
    how = resolve_compute()
    assert (how.device, how.precision, how.batch) == (device, precision, batch)
    assert how.streams == (streams or resolve_compute("cpu").streams)
    on_cpu = resolve_compute("cpu")
    assert on_cpu.precision == ("bfloat16" if can else "float32")
    assert on_cpu.reason.startswith("this CPU has")
    if there != "mps":
        with pytest.raises(InputError, match="has no mps device; it has: cpu"):
            resolve_compute("mps")
