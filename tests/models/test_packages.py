"""Model packages: what a good one says, and how each damaged one is refused."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys

import pystac
import pytest
import segmentation_models_pytorch as smp
import torch
from packages import CARD, LEGEND, TRAINING
from pystac.extensions.mlm import MLMExtension
from pystac.stac_object import STACObjectType
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from geoseg.errors import ModelError
from geoseg.models.band_match import match_bands
from geoseg.models.find import known_models, load_package
from geoseg.models.networks.network import load_network, save_package
from geoseg.models.package.card import Artifact
from geoseg.models.package.mlm_read import read_card
from geoseg.models.package.mlm_write import write_card
from geoseg.models.package.safetensors_header import tensor_shapes

ARTIFACT = Artifact("model.safetensors", 64 * "7")


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(1)
    network = smp.Unet(
        "tu-tf_efficientnet_lite0", encoder_weights=None, in_channels=2, classes=3
    )
    return network.eval()


@pytest.fixture(scope="session")
def sound(network, tmp_path_factory):
    """A package as `save_package` writes it; not to be changed."""
    path = tmp_path_factory.mktemp("package")
    save_package(path, network, CARD, TRAINING)
    return path


@pytest.fixture
def package(sound, tmp_path):
    """A copy of the package that a test may damage."""
    return shutil.copytree(sound, tmp_path / "model")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_package_gives_back_what_was_saved(sound):
    package = load_package(sound)
    assert (package.name, package.version) == ("tiny", "3")
    assert package.bands == CARD.bands
    assert package.legend == LEGEND
    assert (package.tile, package.overlap, package.stride) == (64, 32, 32)
    assert (package.scale, package.dtype, package.gsd_m) == (0.0001, "uint16", 10.0)


def test_a_card_survives_writing_and_reading(tmp_path):
    content = json.loads(json.dumps(write_card(CARD, TRAINING, ARTIFACT)))
    assert read_card(content, tmp_path) == (CARD, ARTIFACT)


def test_a_loaded_network_computes_what_the_saved_one_did(sound, network):
    loaded = load_network(load_package(sound))
    assert not loaded.training
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    pixels = torch.randn(2, 2, 64, 96)
    with torch.inference_mode():
        expected, got = network(pixels), loaded(pixels)
    assert got.shape == (2, 3, 64, 96)
    # The stored weights are float16: 11 bits.
    torch.testing.assert_close(got, expected, rtol=0.02, atol=0.02)


def test_tensor_shapes_are_those_of_the_network(sound, network):
    expected = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    assert tensor_shapes(sound / "model.safetensors") == expected


def test_the_fingerprint_changes_with_any_file(package):
    first = load_package(package).fingerprint
    assert load_package(package).fingerprint == first
    edit(package / "mlm.json", lambda c: c["properties"].update(note="new"))
    second = load_package(package).fingerprint
    edit(package / "config.json", lambda c: c.update(note="new"))
    assert len({first, second, load_package(package).fingerprint}) == 3


def test_more_bands_classes_or_tensors_than_any_model_has_are_refused(package):
    """A hostile card is refused by its counts: work on it grew with their square."""
    sound = json.loads((package / "mlm.json").read_text())
    many = json.loads(json.dumps(sound))
    listed = many["properties"]["mlm:input"][0]
    bands = many["assets"]["model"]["bands"]
    listed["bands"] = [f"b{i}" for i in range(1025)]
    listed["value_scaling"] = listed["value_scaling"][:1] * 1025
    bands[:] = [{**bands[0], "name": name} for name in listed["bands"]]
    (package / "mlm.json").write_text(json.dumps(many))
    with pytest.raises(ModelError, match="1,025 bands; geoseg takes 1,024 at most"):
        load_package(package)
    many = json.loads(json.dumps(sound))
    classes = many["properties"]["mlm:output"][0]["classification:classes"]
    classes[:] = classes * 100
    (package / "mlm.json").write_text(json.dumps(many))
    with pytest.raises(ModelError, match="300 classes; geoseg takes 255 at most"):
        load_package(package)
    many["properties"]["mlm:input"][0]["bands"] = ["band"] * 1_000_000
    (package / "mlm.json").write_text(json.dumps(many))
    with pytest.raises(ModelError, match="more than the 4,000,000 bytes"):
        load_package(package)
    (package / "mlm.json").write_text(json.dumps(sound))
    tensors = {f"t{i}": {"shape": [], "data_offsets": [0, 0]} for i in range(100_001)}
    content = json.dumps(tensors).encode()
    path = package / "model.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    with pytest.raises(ModelError, match="100,001 tensors; geoseg takes 100,000"):
        load_package(package)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'sentinel3'.*sentinel2-landcover"):
        load_package("sentinel3")


@pytest.mark.parametrize("name", ["mlm.json", "config.json", "model.safetensors"])
def test_a_missing_file_is_named(package, name):
    (package / name).unlink()
    with pytest.raises(ModelError, match=re.escape(name)):
        load_package(package)


@pytest.mark.parametrize("name", ["mlm.json", "config.json"])
@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_file_that_is_no_json_object_is_refused(package, name, content):
    (package / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"{re.escape(name)} is damaged"):
        load_package(package)


def test_weights_that_were_cut_off_are_refused(package):
    path = package / "model.safetensors"
    whole = path.read_bytes()
    for length in (0, 3, 8, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"model.safetensors is damaged"):
            load_package(package)


def test_weights_with_bytes_too_many_are_refused(package):
    path = package / "model.safetensors"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="its header promises"):
        load_package(package)


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"a": 1}',
        b'{"a": {"shape": 3, "data_offsets": [0, 0]}}',
        b'{"a": {"shape": [1], "data_offsets": [0]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, "x"]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, 1e999]}}',
        b'{"a": {"shape": [1e999], "data_offsets": [0, 4]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, NaN]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, 1' + b"0" * 5000 + b"]}}",
    ],
)
def test_a_header_that_makes_no_sense_is_refused(package, header):
    path = package / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match=r"model.safetensors is damaged"):
        load_package(package)


def test_a_pickle_is_refused_and_never_run(package, tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    (package / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="is damaged"):
        load_package(package)
    assert not (tmp_path / "exploded").exists()


def test_class_counts_that_disagree_are_refused(package):
    edit(package / "config.json", lambda c: c.update(classes=4))
    with pytest.raises(
        ModelError, match=r"3 in mlm.json, 4 in config.json, 3 in model.safetensors"
    ):
        load_package(package)


def test_a_head_for_other_classes_is_refused(package):
    def change(content):
        output = content["properties"]["mlm:output"][0]
        output["classification:classes"].pop()
        output["result"]["shape"][1] = 2

    edit(package / "mlm.json", change)
    edit(package / "config.json", lambda c: c.update(classes=2))
    with pytest.raises(ModelError, match=r"2 in mlm.json.*3 in model.safetensors"):
        load_package(package)


def test_band_counts_that_disagree_are_refused(package):
    edit(package / "config.json", lambda c: c.update(in_channels=3))
    with pytest.raises(ModelError, match=r"2 in mlm.json, 3 in config.json"):
        load_package(package)


def _item(content):
    return content["properties"]


def _first_class(content):
    return _item(content)["mlm:output"][0]["classification:classes"][0]


def _set_first_id(content, *, value):
    classes = _item(content)["mlm:output"][0]["classification:classes"]
    classes[0].update(value=value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("properties"), "no STAC item"),
        (lambda c: c.update(type="Collection"), "no STAC item"),
        (lambda c: c["stac_extensions"].clear(), "no STAC item"),
        (lambda c: _item(c).pop("mlm:input"), "no STAC item"),
        (lambda c: _item(c).pop("geoseg:overlap"), "geoseg:overlap"),
        (lambda c: _item(c)["mlm:input"].clear(), "damaged"),
        (lambda c: _first_class(c).pop("value"), "no STAC item.*'value'"),
        (lambda c: _item(c)["mlm:input"][0]["bands"].pop(), "scalings for"),
        (lambda c: _item(c)["mlm:input"][0]["input"]["shape"].pop(), "damaged"),
        (lambda c: c["assets"]["model"]["bands"].pop(), "no STAC item"),
        (lambda c: c["assets"].clear(), "one asset with the role mlm:model"),
        (lambda c: _item(c).update({"geoseg:scale": 0}), "not above 0"),
        (lambda c: _item(c).update({"geoseg:overlap": float("inf")}), "damaged"),
        (lambda c: _item(c).update({"geoseg:overlap": 32.5}), "whole number, got 32.5"),
        (lambda c: _item(c).update({"geoseg:stride": True}), "whole number, got True"),
        (
            lambda c: _item(c)["mlm:input"][0].update(bands=["B04", "B04"]),
            "input's bands have B04 more than once",
        ),
        (
            lambda c: c["assets"]["model"]["bands"][1].update(name="B04"),
            "asset's bands have B04 more than once",
        ),
        (lambda c: _set_first_id(c, value=True), "id True; ids are whole numbers"),
        (lambda c: _set_first_id(c, value=0.0), "id 0.0; ids are whole numbers"),
        (lambda c: _set_first_id(c, value="0"), "id '0'; ids are whole numbers"),
        (
            lambda c: _item(c)["mlm:input"][0]["value_scaling"][0].update(
                mean=float("nan")
            ),
            "mean of a value_scaling of type z-score is nan .B04",
        ),
        (
            lambda c: _item(c)["mlm:input"][0]["value_scaling"][1].update(stddev=0),
            "B8A",
        ),
        (
            lambda c: _item(c)["mlm:output"][0]["classification:classes"].pop(),
            "2 classes",
        ),
        (
            lambda c: _item(c)["mlm:output"][0]["classification:classes"][0].update(
                value=255
            ),
            "255",
        ),
        (
            lambda c: _item(c)["mlm:output"][0]["classification:classes"][0].update(
                color_hint="red"
            ),
            "#rrggbb",
        ),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(package, change, says):
    edit(package / "mlm.json", change)
    with pytest.raises(ModelError, match=says) as refusal:
        load_package(package)
    assert "mlm.json" in str(refusal.value)


@pytest.mark.parametrize(
    ("overlap", "stride"), [(48, 32), (64, 32), (-32, 32), (33, 1), (0, 0), (32, 48)]
)
def test_an_illegal_lattice_is_refused(package, overlap, stride):
    changes = {"geoseg:overlap": overlap, "geoseg:stride": stride}
    edit(package / "mlm.json", lambda c: c["properties"].update(changes))
    with pytest.raises(ModelError, match=f"overlap {overlap} and stride {stride}"):
        load_package(package)


def test_weights_of_another_network_are_refused(package):
    edit(
        package / "config.json", lambda c: c.update(decoder_channels=[64, 32, 16, 8, 4])
    )
    with pytest.raises(ModelError, match="tensors are missing, unexpected or of"):
        load_network(load_package(package))


def test_an_architecture_that_is_not_known_is_refused(package):
    edit(package / "config.json", lambda c: c.update(_model_class="OrderedDict"))
    with pytest.raises(ModelError, match=r"'OrderedDict'; geoseg loads .*Unet"):
        load_network(load_package(package))


def test_settings_that_the_architecture_does_not_take_are_refused(package):
    edit(package / "config.json", lambda c: c.update(encoder_name="no-such-encoder"))
    with pytest.raises(ModelError, match="cannot build the Unet"):
        load_network(load_package(package))


def test_an_encoder_from_a_hub_is_refused_and_not_fetched(package):
    edit(package / "config.json", lambda c: c.update(encoder_name="tu-hf_hub:a/b"))
    with pytest.raises(ModelError, match="without network access"):
        load_network(load_package(package))


def test_each_model_that_ships_is_sound():
    for name in known_models():
        package = load_package(name)
        assert package.name == name
        assert load_network(package)(torch.zeros(1, len(package.bands), 64, 64)).shape
        size = sum(file.stat().st_size for file in package.path.iterdir())
        assert size < 12_000_000


def test_the_shipped_metadata_is_a_stac_item_with_the_mlm_extension():
    for name in known_models():
        package = load_package(name)
        content = json.loads((package.path / "mlm.json").read_text())
        JsonSchemaSTACValidator().validate_core(content, STACObjectType.ITEM, "1.1.0")
        extension = MLMExtension.ext(pystac.Item.from_dict(content, migrate=False))
        assert extension.mlm_name == name
        colours = [each.color_hint for each in extension.output[0].classes]
        assert colours == [
            each.colour[1:].upper() for each in load_package(name).legend
        ]


def test_reading_a_package_needs_no_torch():
    code = (
        "import sys; from geoseg.models.find import load_package as load; "
        "load('sentinel2-landcover'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (("B02", "B04", "B8A"), (1, 2)),
        (("b8a", "b4"), (1, 0)),
        (("NIR08", "swir16", "Red"), (2, 0)),
        (("red", "B04", "B8A"), (1, 2)),
        (("", "B4", "B08", "B8A"), (1, 3)),
    ],
)
def test_bands_are_found_by_name(sound, names, indices):
    match = match_bands(load_package(sound), names)
    assert (match.indices, match.by_order) == (indices, False)


def test_bands_without_names_are_taken_in_order_and_said_to_be(sound):
    match = match_bands(load_package(sound), ("", ""))
    assert (match.indices, match.by_order) == ((0, 1), True)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("", "", ""), "needs 2 bands .*the scene has 3 without names"),
        (("B02", "B04"), "the scene has B02, B04 and lacks.*B8A \\(nir08\\)"),
        (("B04", "", "B8A", "B04"), "lacks, or has twice, B04 \\(red\\)"),
        (("B04", "B08"), "lacks, or has twice, B8A"),
    ],
)
def test_bands_that_do_not_fit_are_listed(sound, names, says):
    with pytest.raises(ModelError, match=says):
        match_bands(load_package(sound), names)
