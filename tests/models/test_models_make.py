"""Packages made of bare weights, of checkpoints and of archives."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import tarfile
import zipfile

import pytest
import segmentation_models_pytorch as smp
import torch
from click.testing import CliRunner
from pystac.stac_object import STACObjectType
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from safetensors.torch import save_file

from geoseg.cli import main
from geoseg.errors import InputError, ModelError, OutputError
from geoseg.models.find import load_package
from geoseg.models.networks.network import load_network
from geoseg.models.package.card import Artifact
from geoseg.models.package.make import make_package, unpack_package
from geoseg.models.package.mlm_read import read_card
from geoseg.models.package.mlm_write import write_card
from geoseg.models.package.new_card import describe
from geoseg.models.package.package import sha256
from geoseg.models.validate import validate_model
from geoseg.options import NewPackage

SAID = {
    "name": "tiny",
    "bands": ("B02", "B8A=nir08", "#3"),
    "classes": ("land:9:#885522", "sea:0", "ice:7"),
    "gsd_m": 20.0,
    "architecture": "Unet",
    "encoder": "tu-tf_efficientnet_lite0",
    "scale": 0.5,
    "offset": -1.0,
    "mean": (0.5, 0.25, 0.125),
    "std": (2.0,),
    "tile": 64,
    "value_range": (1, 255),
    "metrics": (("mean F1", 0.5),),
}
"""Everything that weights alone do not say; the classes are not in order of value."""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(2)
    return smp.Unet(SAID["encoder"], encoder_weights=None, in_channels=3, classes=3)


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "bare.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def made(weights, tmp_path_factory):
    """A package as `make_package` writes it; not to be changed."""
    return make_package(
        weights, tmp_path_factory.mktemp("made") / "tiny", NewPackage(**SAID)
    )


def run(*args):
    return CliRunner().invoke(main, ["models", *map(str, args)])


def test_a_package_of_bare_weights_says_what_was_said(made):
    assert [band.name for band in made.bands] == ["B02", "B8A", "band 3"]
    assert [band.common_name for band in made.bands] == ["blue", "nir08", ""]
    assert [band.index for band in made.bands] == [None, None, 3]
    assert [band.mean for band in made.bands] == [0.5, 0.25, 0.125]
    assert {(band.std, band.minimum, band.maximum) for band in made.bands} == {
        (2.0, 1.0, 255.0)
    }
    assert made.legend.ids == (0, 7, 9)
    assert made.channels == (1, 2, 0)
    assert (made.tile, made.overlap, made.stride) == (64, 32, 32)
    assert (made.scale, made.offset, made.gsd_tolerance) == (0.5, -1.0, 0.25)
    assert made.metrics == (("mean F1", 0.5),)


def test_a_card_of_nowhere_and_no_time_is_a_stac_item(made):
    card = json.loads((made.path / "mlm.json").read_text())
    JsonSchemaSTACValidator().validate_core(card, STACObjectType.ITEM, "1.1.0")
    assert card["properties"]["mlm:pretrained_source"] is None
    checksum = card["assets"]["model"]["file:checksum"]
    assert checksum == "1220" + sha256(made.weights)


@pytest.mark.parametrize("percentiles", [None, (0.5, 99.0)])
def test_a_card_says_that_each_scene_normalises(weights, tmp_path, percentiles):
    own = {} if percentiles else {"mean": (), "std": ()}
    said = {**SAID, "normalise": "scene", "percentiles": percentiles, **own}
    package = make_package(weights, tmp_path / "own", NewPackage(**said))
    assert (package.normalise, package.percentiles) == ("scene", percentiles)
    figures = [(band.mean, band.std) for band in package.bands]
    known = [(0.5, 2.0), (0.25, 2.0), (0.125, 2.0)]
    assert figures == (known if percentiles else [(0.0, 1.0)] * 3)
    card = json.loads((package.path / "mlm.json").read_text())
    JsonSchemaSTACValidator().validate_core(card, STACObjectType.ITEM, "1.1.0")
    for change, says in (
        ({"format": "python"}, "which geoseg does not execute"),
        ({"type": "z-score", "mean": 1, "stddev": 2}, "by other statistics"),
        ({"type": "clip"}, "value_scaling of B8A lacks 'minimum'"),
        ({"expression": {"type": "l2"}}, "its type is 'l2'"),
        ({"expression": {"type": "min-max", "clip": False}}, "are clipped, not so"),
        ({"expression": {"type": "min-max", "clip": True}}, "KeyError"),
    ):
        changed = json.loads(json.dumps(card))
        changed["properties"]["mlm:input"][0]["value_scaling"][1] |= change
        (package.path / "mlm.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=says):
            load_package(package.path)


def test_scores_come_in_the_order_of_the_classes_values(made, network):
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.eval()(pixels)[:, [1, 2, 0]]
        assert torch.equal(load_network(made)(pixels), expected)


def test_a_config_beside_the_weights_is_enough(made, tmp_path):
    said = {**SAID, "architecture": None, "encoder": None}
    again = make_package(made.weights, tmp_path / "again", NewPackage(**said))
    assert again.fingerprint == made.fingerprint


@pytest.mark.parametrize("nest", [None, "state_dict", "model"])
def test_a_checkpoint_becomes_a_package(network, made, tmp_path, nest):
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    path = tmp_path / "x.pt"
    torch.save(state if nest is None else {nest: state, "epoch": 3}, path)
    package = make_package(path, tmp_path / "new", NewPackage(**SAID), pickled=True)
    assert package.weights.read_bytes() == made.weights.read_bytes()


def test_a_checkpoint_that_runs_code_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    for name, save in (("a.pt", torch.save), ("b.pth", _dump)):
        save({"state_dict": {"a": torch.zeros(1)}, "args": Bomb()}, tmp_path / name)
        with pytest.raises(ModelError, match="holds more than tensors"):
            make_package(
                tmp_path / name, tmp_path / "new", NewPackage(**SAID), pickled=True
            )
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "new").exists()


def _dump(content, path):
    path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"nonsense", "no checkpoint"),
        ({"epoch": 3}, "no state dict"),
        ([torch.zeros(1)], "no state dict"),
    ],
)
def test_a_checkpoint_without_weights_is_refused(tmp_path, content, says):
    path = tmp_path / "x.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ModelError, match=says):
        make_package(path, tmp_path / "new", NewPackage(**SAID), pickled=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"bands": ("B02", "B03"), "mean": ()},
            r"wanted \(32, 2, 3, 3\), found \(32, 3, 3, 3\)",
        ),
        ({"classes": ("a", "b")}, "does not fit the Unet"),
        ({"classes": ("a", "b:255", "c:2")}, "255 is nodata"),
        ({"classes": ("a", "b:0", "c:2")}, "'a' and 'b' both have the id 0"),
        ({"classes": ("a", "b:x", "c")}, "'b:x' is no class"),
        ({"bands": ("#x", "B02", "B03")}, "'#x' is no band"),
        ({"bands": ("#0", "B02", "B03")}, "counted from 1"),
        ({"mean": (1.0, 2.0)}, "3 bands need one mean each, got 2"),
        ({"std": (0.0,)}, "must be above 0"),
        ({"scale": 0.0}, "not above 0"),
        ({"gsd_m": -1.0}, "must be above 0"),
        ({"normalise": "scene"}, "B02 has a mean and a deviation of its own"),
        ({"percentiles": (2, 98)}, "percentiles are those of a scene"),
        ({"normalise": "scene", "percentiles": (98, 2)}, "98 and 2; they must rise"),
        ({"normalise": "scene", "percentiles": (2, 101)}, "from 0 to 100"),
        ({"tile": 70}, "do not fit"),
        ({"stride": 16, "tile": 96, "overlap": 16}, "multiples of 32"),
        ({"activation": "sigmoid"}, "of two classes, not 3"),
        ({"architecture": "UNet"}, "geoseg loads .*Unet"),
        ({"encoder": None}, "give `architecture` and `encoder`"),
        ({"name": " "}, "the model has no name"),
        ({"name": "a\x1b[2Jb"}, "characters cannot be printed"),
        ({"name": "长" * 86}, "255 bytes at most, .* has 258"),
    ],
)
def test_what_does_not_fit_the_weights_is_refused(weights, tmp_path, changes, says):
    with pytest.raises(InputError, match=says):
        make_package(weights, tmp_path / "new", NewPackage(**{**SAID, **changes}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("模型", None),
        ("my-model-", "my-model"),
        ("modèle #1 100%", "modele -1 100"),
        ("x", "model-x"),
        ("2024", "model-2024"),
        ("Wald & Wiesen (v2)", "Wald - Wiesen -v2"),
        ("長" * 85, None),
    ],
)
def test_a_model_may_be_called_what_people_call_a_folder(tmp_path, name, plain):
    """The MLM extension's schema allows a few of ASCII's characters in its own name."""
    card = describe(NewPackage(**{**SAID, "name": name}), "Unet", 0, 32)
    item = write_card(card, None, Artifact("model.safetensors", None))
    written = item["properties"]["mlm:name"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", written)
    assert plain in {written, None}
    JsonSchemaSTACValidator().validate_core(item, STACObjectType.ITEM, "1.1.0")
    again, _ = read_card(json.loads(json.dumps(item)), tmp_path)
    assert again.name == name


def test_a_package_can_be_read_by_whom_the_umask_says(weights, tmp_path):
    before = os.umask(0o022)
    try:
        package = make_package(weights, tmp_path / "p", NewPackage(**SAID))
    finally:
        os.umask(before)
    modes = {f.name: f.stat().st_mode & 0o777 for f in package.path.iterdir()}
    assert set(modes.values()) == {0o644}


def test_a_folder_with_something_in_it_is_left_alone(weights, tmp_path):
    (tmp_path / "mine").write_text("dear")
    with pytest.raises(OutputError, match="exists"):
        make_package(weights, tmp_path, NewPackage(**SAID))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    """Two classes by one channel: the weights, and the network."""
    torch.manual_seed(3)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=1)
    path = tmp_path_factory.mktemp("binary") / "bare.safetensors"
    save_file(network.state_dict(), path)
    return path, network.eval()


BINARY = {
    "name": "water",
    "bands": ("#1",),
    "classes": ("land", "water:200"),
    "gsd_m": 1.0,
    "architecture": "Unet",
    "encoder": "resnet18",
    "activation": "sigmoid",
    "tile": 64,
}


def test_a_sigmoid_decides_between_two_classes(binary, tmp_path):
    weights, network = binary
    package = make_package(weights, tmp_path / "water", NewPackage(**BINARY))
    assert package.legend.ids == (0, 200)
    pixels = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        probability = network(pixels).sigmoid()
        given = load_network(package)(pixels).softmax(dim=1)
    torch.testing.assert_close(given, torch.cat((1 - probability, probability), 1))


@pytest.mark.parametrize("squash", ["sigmoid", "softmax2d"])
def test_a_network_that_gives_probabilities_is_taken_at_its_word(tmp_path, squash):
    torch.manual_seed(4)
    classes = 1 if squash == "sigmoid" else 2
    network = smp.Unet(
        "resnet18",
        encoder_weights=None,
        in_channels=1,
        classes=classes,
        activation=squash,
    ).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    config = {
        "_model_class": "Unet",
        "encoder_name": "resnet18",
        "in_channels": 1,
        "classes": classes,
        "activation": squash,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    said = {**BINARY, "architecture": None, "encoder": None}
    with pytest.raises(ModelError, match=r"gives the network the activation|disagree"):
        make_package(
            tmp_path / "w.safetensors",
            tmp_path / "twice",
            NewPackage(**{**said, "activation": "softmax"}),
        )
    package = make_package(
        tmp_path / "w.safetensors",
        tmp_path / "water",
        NewPackage(**{**said, "activation": "none"}),
    )
    pixels = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        own = network(pixels)
        expected = torch.cat((1 - own, own), 1) if classes == 1 else own
        given = load_network(package)(pixels).softmax(dim=1)
    torch.testing.assert_close(given, expected)


def test_scores_that_are_said_to_be_probabilities_are_refused(binary, tmp_path):
    config = {"_model_class": "Unet", "encoder_name": "resnet18", "classes": 1}
    (tmp_path / "c.json").write_text(json.dumps({**config, "in_channels": 1}))
    said = NewPackage(
        **{
            **BINARY,
            "architecture": None,
            "activation": "none",
            "config": tmp_path / "c.json",
        }
    )
    with pytest.raises(ModelError, match="said to give probabilities"):
        make_package(binary[0], tmp_path / "new", said)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_a_package_is_unpacked(made, tmp_path, kind):
    archive = tmp_path / f"tiny.{kind}"
    _pack(archive, {f"tiny/{f.name}": f.read_bytes() for f in made.path.iterdir()})
    package = unpack_package(archive, tmp_path / "out")
    assert package.fingerprint == made.fingerprint


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["../mlm.json", "/mlm.json", "a/../../mlm.json", "C:\\mlm.json"]
)
def test_an_archive_whose_paths_leave_the_folder_is_refused(tmp_path, kind, name):
    archive = tmp_path / f"evil.{kind}"
    _pack(archive, {"mlm.json": b"{}", name: b"{}"})
    with pytest.raises(ModelError, match="leaves the folder"):
        unpack_package(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_with_a_link_is_refused(tmp_path, kind):
    archive = tmp_path / f"evil.{kind}"
    if kind == "zip":
        entry = zipfile.ZipInfo("mlm.json")
        entry.external_attr = 0o120777 << 16
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr(entry, "/etc/passwd")
    else:
        member = tarfile.TarInfo("mlm.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        with tarfile.open(archive, "w") as content:
            content.addfile(member)
    with pytest.raises(ModelError, match="a link or a device"):
        unpack_package(archive, tmp_path / "out")


def _pack(archive, files):
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as content:
            for name, data in files.items():
                content.writestr(name, data)
        return
    with tarfile.open(archive, "w") as content:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            content.addfile(member, io.BytesIO(data))


def test_a_file_that_is_no_archive_is_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpack_package(weights, tmp_path / "out")


def test_a_package_is_made_shown_and_validated_from_the_command_line(weights, tmp_path):
    said = (
        "--bands B02,B03,B04 --class land --class sea:3:#0011ff --class ice:7 --gsd 20 "
        "--architecture Unet --encoder tu-tf_efficientnet_lite0 --tile 64 "
        "--mean 0.1,0.2,0.3 --std 0.5 --metric f1=0.75 --trained-on nothing"
    )
    folder = tmp_path / "sea"
    done = run("package", weights, "-o", folder, *said.split())
    assert done.exit_code == 0, done.output
    shown = run("show", folder)
    for words in ("sea 1", "20 m, 5 m more or less", "f1 0.75", "B03", "#0011ff"):
        assert words in shown.output
    checked = run("validate", folder)
    assert checked.exit_code == 0
    assert "can be used" in checked.output
    assert "does not say which values" in checked.output
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"\x01")
    refused = run("validate", folder)
    assert refused.exit_code == 2
    assert refused.output.count("\n") == 1
    assert "checksum" in refused.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--mean", "a"), "not numbers"),
        (("--metric", "f1"), "not NAME=VALUE"),
        (("--from-checkpoint", "x.pt"), "give either WEIGHTS or --from-checkpoint"),
    ],
)
def test_flags_that_make_no_sense_are_refused(weights, tmp_path, args, says):
    needed = ("--bands", "B02", "--class", "a", "--gsd", 1, "-o", tmp_path / "x")
    refused = run("package", weights, *needed, *args)
    assert refused.exit_code == 2
    assert says in refused.output


def test_what_a_card_leaves_out_is_reported(made):
    licence, training = validate_model(made.path).doubts
    assert "the licence of the weights" in licence
    assert "what the model was trained on" in training
    assert validate_model("sentinel2-landcover").package == load_package(
        "sentinel2-landcover"
    )
