"""Encoders of others, in the layouts of torchgeo and timm: what fits, what is said."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

import geoseg
from geoseg.cli import main
from geoseg.errors import InputError, ModelError
from geoseg.models.package.new_card import describe
from geoseg.options import NewPackage
from geoseg.train.encoder_weights import load_encoder
from geoseg.train.initial import new_network

ORDER = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)
"""Sentinel-2's bands as torchgeo's weights of 13 bands take them."""


@pytest.fixture(scope="module")
def resnet50():
    """A ResNet-50 of timm's for all bands, with the head of a classifier."""
    torch.manual_seed(3)
    return timm.create_model("resnet50", in_chans=13, num_classes=2).eval()


@pytest.fixture(scope="module")
def unet():
    """A U-Net over such an encoder, for four bands."""
    return new_network("Unet", "resnet50", 4, 2, seed=1).eval()


def bands_named(*names):
    return describe(
        NewPackage(name="new", bands=names, classes=("a", "b"), gsd_m=1), "", 0, 32
    ).bands


LAYOUTS = {
    "torchgeo's weights: names of timm": lambda held: held,
    "torchgeo's trainer: Lightning, model.": lambda held: {
        "state_dict": {f"model.{name}": each for name, each in held.items()},
        "hyper_parameters": {"model": "resnet50", "in_channels": 13},
        "epoch": 7,
    },
    "a contrastive training: two copies and a projection": lambda held: {
        "state_dict": {
            **{f"momentum_encoder.{k}": torch.zeros_like(v) for k, v in held.items()},
            **{f"backbone.{name}": each for name, each in held.items()},
            "projection.weight": torch.zeros(5, 5),
        }
    },
    "DDP, without a head": lambda held: {
        "model": {f"module.{k}": v for k, v in held.items() if k[:2] != "fc"}
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_channels_of_the_scene_s_bands_are_picked(layout, resnet50, unet, tmp_path):
    path = tmp_path / "resnet50.pth"
    torch.save(LAYOUTS[layout](resnet50.state_dict()), path)
    said = load_encoder(unet, path, bands_named("B08", "B04", "x=green", "swir22"))
    kernel = resnet50.conv1.weight.detach()
    places = [ORDER.index(name) for name in ("B08", "B04", "B03")]
    found = unet.encoder.conv1.weight.detach()
    torch.testing.assert_close(found[:, :3], kernel[:, places] * 13 / 4)
    torch.testing.assert_close(found[:, 3], kernel.mean(dim=1) * 13 / 4)
    assert "of its 13 bands B8, B4, B3 are used, without B1, B2, B5" in said[0]
    assert "does not know swir22: begun with the mean" in said[1]


def test_features_are_those_of_the_published_encoder(resnet50, unet, tmp_path):
    """On a scene of its four bands alone, as where the others were empty."""
    path = tmp_path / "resnet50.safetensors"
    save_file(resnet50.state_dict(), path)
    used, left = load_encoder(unet, path, bands_named("B02", "B03", "B04", "B08"))
    tile = torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    whole = torch.zeros(1, 13, 64, 64)
    whole[:, [1, 2, 3, 7]] = tile * 13 / 4
    with torch.inference_mode():
        wanted = resnet50.forward_features(whole)
        found = unet.encoder(tile)[-1]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert "B2, B3, B4, B8 are used, without B1, B5" in used
    assert "left out 2 tensors of a classifier: fc.bias, fc.weight" in left


@pytest.mark.parametrize(
    ("channels", "names", "sentence"),
    [
        (12, ("B11",), "of its 12 bands B11 are used"),
        (10, ("B11",), "of its 10 bands B11 are used"),
        (11, ("B11",), "takes 11 bands, of which nothing says what they are"),
        (13, ("#1",), "the scene's, band 1, are none of them"),
        (2, ("#1", "#2"), "its 2 bands were taken to be the scene's, in order"),
    ],
)
def test_files_of_other_numbers_of_bands(channels, names, sentence, tmp_path):
    encoder = new_network("Unet", "resnet18", channels, 2, seed=1).encoder
    path = tmp_path / "encoder.safetensors"
    save_file(encoder.state_dict(), path)
    network = new_network("Unet", "resnet18", len(names), 2, seed=2)
    before = network.encoder.conv1.weight.clone()
    if "are used" not in sentence and "in order" not in sentence:
        with pytest.raises(ModelError, match=sentence):
            load_encoder(network, path, bands_named(*names))
        assert torch.equal(before, network.encoder.conv1.weight)
        return
    (said,) = load_encoder(network, path, bands_named(*names))
    assert sentence in said
    channel = {12: 10, 10: 8, 2: 0}[channels]
    wanted = encoder.conv1.weight[:, channel] * (channels / len(names))
    torch.testing.assert_close(network.encoder.conv1.weight[:, 0], wanted)


def test_training_says_what_of_the_file_did_not_fit(make_raster, tmp_path):
    encoder = timm.create_model("resnet18", in_chans=13, num_classes=3)
    path = tmp_path / "s2.pth"
    torch.save(encoder.state_dict(), path)
    scene = make_raster(height=96, width=160, bands=("B02", "B08"))
    labels = tmp_path / "labels.tif"
    classes = np.ones((1, 96, 160), np.uint8)
    classes[:, 48:] = 2
    make_raster("labels.tif", values=classes, bands=())
    result = CliRunner().invoke(
        main,
        [
            *("train", str(scene), "--labels", str(labels)),
            *("-o", str(tmp_path / "out"), "--encoder-weights", str(path)),
            *("--encoder", "resnet18", "--architecture", "Unet", "--epochs", "1"),
            *("--steps", "1", "--batch", "2", "--block", "32", "--gap", "2"),
            *("--chip", "32", "--tile", "64"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "of its 13 bands B2, B8 are used" in result.output
    assert geoseg.load_package(tmp_path / "out").pretrained_source.endswith("s2.pth")


def test_one_sample_of_one_value_is_refused_before_it_is_learned_from(
    make_raster, tmp_path
):
    scene = make_raster(height=96, width=160, bands=("B02", "B08"))
    classes = np.ones((1, 96, 160), np.uint8)
    classes[:, 48:] = 2
    labels = make_raster("labels.tif", values=classes, bands=())
    options = geoseg.TrainOptions(
        encoder="resnet18", encoder_weights="none", architecture="Unet", epochs=1,
        steps=1, batch=1, block=32, gap=2, chip=32, tile=64,
    )  # fmt: skip
    with pytest.raises(InputError, match="give a greater `batch` or `chip`"):
        geoseg.train([scene], labels, tmp_path / "out", options=options)
    assert {each.name for each in tmp_path.iterdir()} == {"scene.tif", "labels.tif"}
