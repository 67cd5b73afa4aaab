"""Checkpoints in the layouts of others, imported and held against their networks."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from geoseg.cli import main
from geoseg.models.find import load_package
from geoseg.models.networks.network import load_network


@pytest.fixture(autouse=True)
def _own_models(tmp_path, monkeypatch):
    """Keep packages that are made out of the user's folder of models."""
    monkeypatch.setenv("GEOSEG_MODELS", str(tmp_path / "models"))


def trained(architecture="unet", encoder="resnet18", bands=4, classes=3, **settings):
    """Give a network of smp weights, and statistics of batches, as a training does."""
    torch.manual_seed(3)
    network = smp.create_model(architecture, encoder, None, bands, classes, **settings)
    with torch.no_grad():
        network(torch.randn(2, bands, 64, 64))
    return network.eval()


def under(prefix, network):
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}


def torchgeo(network):
    """SemanticSegmentationTask: Lightning's nesting, a loss with weights beside."""
    return {
        "epoch": 9,
        "global_step": 900,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {
            **under("model.", network),
            "criterion.weight": torch.ones(3),
        },
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "model": "unet",
            "backbone": "resnet18",
            "weights": None,
            "in_channels": 4,
            "num_classes": 3,
            "loss": "ce",
            "class_weights": None,
            "lr": 0.001,
        },
    }


def ftw(network):
    """CustomSemanticSegmentationTask of ftw-baselines, compiled and with metrics."""
    return {
        "state_dict": under("model._orig_mod.", network),
        "hyper_parameters": {
            "model_type": "single-head",
            "model": "unet",
            "backbone": "resnet18",
            "weights": True,
            "patch_weights": False,
            "num_classes": 3,
            "ignore_index": None,
            "lr": 0.001,
        },
        "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
    }


def flair(network):
    """FLAIR: its class around smp's network, in a Lightning module."""
    return {
        "state_dict": under("model.seg_model.", network),
        "hyper_parameters": {"config": {"encoder_decoder": "resnet18_unet"}},
    }


def geoai_state(network):
    """The state dict alone, as geoai and many others save it."""
    return network.state_dict()


def geoai_checkpoint(network):
    """A trainer's checkpoint, made by DataParallel."""
    return {
        "epoch": 3,
        "model_state_dict": under("module.", network),
        "optimizer_state_dict": {"state": {}, "param_groups": []},
        "best_iou": 0.7,
    }


SAID = ("--bands", "B02,B03,B04,B08", "--gsd", "10", "--class", "a", "--class", "b")
THREE = (*SAID, "--class", "c")


def run(*arguments):
    return CliRunner().invoke(main, ["models", "import", *map(str, arguments)])


def imported(source, *flags):
    result = run(source, "--json", *flags)
    assert result.exit_code == 0, result.output
    return load_package(json.loads(result.stdout)["path"])


def refusal(source, *flags):
    result = run(source, *flags)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1, result.output
    assert not list(Path(os.environ["GEOSEG_MODELS"]).glob("*"))
    return result.output


def difference(network, package):
    """The largest between what both give for a tile."""
    tile = torch.randn(1, len(package.bands), 64, 64)
    with torch.inference_mode():
        wanted, found = network(tile).numpy(), load_network(package)(tile).numpy()
    assert (wanted.argmax(1) == found.argmax(1)).all()
    return np.abs(wanted - found).max()


@pytest.mark.parametrize(
    "layout", [torchgeo, ftw, flair, geoai_state, geoai_checkpoint]
)
def test_a_checkpoint_computes_what_its_network_did(layout, tmp_path):
    network = trained()
    path = tmp_path / "fields.ckpt"
    torch.save(layout(network), path)
    package = imported(path, *THREE)
    assert difference(network, package) < 1e-5
    assert package.name == "fields"
    assert package.source.startswith("fields.ckpt, SHA-256 ")
    assert load_package("fields").fingerprint == package.fingerprint


@pytest.mark.parametrize(
    ("architecture", "bands", "settings"),
    [
        ("deeplabv3plus", 13, {}),
        ("fpn", 8, {}),
        ("unet", 5, {"decoder_attention_type": "scse"}),
    ],
)
def test_a_network_is_inferred_from_the_shapes_of_its_tensors(
    architecture, bands, settings, tmp_path
):
    network = trained(architecture, bands=bands, **settings)
    path = tmp_path / "named.pth"
    torch.save({"params": under("net.", network)}, path)
    numbers = ",".join(map(str, range(1, bands + 1)))
    package = imported(path, *THREE[2:], "--bands", numbers)
    assert difference(network, package) < 1e-5


def test_a_folder_of_save_pretrained_is_taken_as_it_is(tmp_path):
    network = trained("fpn", decoder_segmentation_channels=32)
    network.save_pretrained(tmp_path / "roads")
    package = imported(tmp_path / "roads", *THREE)
    assert difference(network, package) < 1e-5
    assert package.name == "roads"


def test_one_channel_is_the_second_of_two_classes(tmp_path):
    network = trained(classes=1)
    torch.save(network.state_dict(), tmp_path / "water.pt")
    package = imported(tmp_path / "water.pt", *SAID)
    assert package.activation == "sigmoid"
    tile = torch.randn(1, 4, 64, 64)
    with torch.inference_mode():
        wanted = network(tile).sigmoid()[:, 0]
        found = load_network(package)(tile).softmax(1)[:, 1]
    assert float((wanted - found).abs().max()) < 1e-5


def test_bands_and_classes_that_a_checkpoint_names_need_not_be_said(tmp_path):
    network = trained()
    content = torchgeo(network)
    content["hyper_parameters"] |= {
        "bands": ["B02", "B03", "B04", "B08"],
        "class_names": ["land", "water", "ice"],
    }
    torch.save(content, tmp_path / "said.ckpt")
    package = imported(tmp_path / "said.ckpt", "--gsd", 10)
    assert [band.name for band in package.bands] == ["B02", "B03", "B04", "B08"]
    assert [each.name for each in package.legend] == ["land", "water", "ice"]


def test_what_a_file_does_not_say_is_asked_for_at_once(tmp_path):
    torch.save(torchgeo(trained()), tmp_path / "unet.ckpt")
    message = refusal(tmp_path / "unet.ckpt")
    assert "is a Unet with a resnet18 encoder" in message
    assert "which its 4 bands are" in message
    assert "what its 3 classes are (--class, 3 names)" in message
    assert "--gsd" in message


def test_an_encoder_that_is_unknown_is_asked_for(tmp_path):
    tensors = {"encoder.mine.weight": torch.ones(8, 4, 3, 3)}
    tensors["segmentation_head.0.weight"] = torch.ones(3, 8, 3, 3)
    save_file(tensors, tmp_path / "mine.safetensors")
    message = refusal(tmp_path / "mine.safetensors", "--encoder", "resnet18")
    assert "which are not those of resnet18: 100 missing (encoder.conv1" in message
    assert "give --architecture and --encoder" in message


def test_a_network_that_is_none_of_smp_is_named_by_its_tensors(tmp_path):
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "line.pth")
    message = refusal(tmp_path / "line.pth", *THREE)
    assert "holds 2 tensors (weight, bias, ...)" in message


def test_settings_that_shapes_do_not_say_are_asked_for(tmp_path):
    network = trained(decoder_channels=(64, 32, 16, 8, 8))
    torch.save(network.state_dict(), tmp_path / "narrow.pth")
    message = refusal(tmp_path / "narrow.pth", *THREE)
    assert "has the tensors of the encoder resnet18" in message
    assert "--config" in message


class Planted:
    """What a pickle would run."""

    def __reduce__(self):
        """Name a function."""
        return os.system, ("false",)


def test_an_object_in_a_checkpoint_is_named_and_never_built(tmp_path):
    content = {"state_dict": trained().state_dict(), "callbacks": Planted()}
    torch.save(content, tmp_path / "evil.ckpt")
    message = refusal(tmp_path / "evil.ckpt", *THREE)
    assert "objects that only code can build (posix.system)" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda held: held.pop("encoder.conv1.weight"),
            "not those of resnet18: 1 missing (encoder.conv1.weight)",
        ),
        (lambda held: held.update(classes=torch.ones(1)), None),
        (
            lambda held: held.update(
                {f"decoder.more{k}": torch.ones(1) for k in range(4)}
            ),
            "(nearest: Unet, 4 left over (decoder.more0, decoder.more1, decoder.more2",
        ),
    ],
    ids=["missing", "beside", "left over"],
)
def test_tensors_that_are_missing_or_left_over(change, said, tmp_path):
    held = dict(trained().state_dict())
    change(held)
    torch.save(held, tmp_path / "held.pth")
    if said is None:
        imported(tmp_path / "held.pth", *THREE)
    else:
        known = ("--encoder", "resnet18")
        assert said in refusal(tmp_path / "held.pth", *THREE, *known)


@pytest.mark.parametrize("name", ["broken.ckpt", "broken.safetensors", "broken.onnx"])
def test_a_file_that_is_no_checkpoint_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes(b"not what it says")
    assert name in refusal(tmp_path / name, *THREE)


def test_classes_whose_number_does_not_fit_are_refused(tmp_path):
    torch.save(torchgeo(trained()), tmp_path / "unet.ckpt")
    assert "3" in refusal(tmp_path / "unet.ckpt", *SAID)


def test_a_licence_that_is_not_stated_is_a_warning(tmp_path):
    torch.save(torchgeo(trained()), tmp_path / "unet.ckpt")
    silent = run(tmp_path / "unet.ckpt", *THREE, "-o", tmp_path / "silent")
    assert "the licence of unet.ckpt is not stated" in silent.output
    stated = (*THREE, "--license", "MIT", "-o", tmp_path / "stated")
    assert "is not stated" not in run(tmp_path / "unet.ckpt", *stated).output


def test_a_package_need_not_be_imported(tmp_path):
    (tmp_path / "mlm.json").write_text("{}")
    assert "give it to --model" in refusal(tmp_path)
