"""STAC items of others with the MLM extension: every scaling, files and addresses."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import WEIGHTS, write_onnx
from several_inputs import save_model
from web import served as serving

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.models.exchange.export_onnx import about, for_deepness
from geoseg.models.exchange.import_model import import_model
from geoseg.models.find import load_package
from geoseg.models.networks.network import load_network
from geoseg.models.package.value_scaling import fold
from geoseg.predict.loaded_model import LoadedModel

NAMES = ("B02", "B03", "B04")


@pytest.fixture(autouse=True)
def _own_models(tmp_path, monkeypatch):
    """Keep packages that are made out of the user's folder of models."""
    monkeypatch.setenv("GEOSEG_MODELS", str(tmp_path / "models"))


def item(weights, **changes):
    """Write a minimal item as others do, by the extension's own words alone."""
    taken = {
        "name": "tiles",
        "bands": list(NAMES),
        "input": {
            "shape": [-1, 3, 32, 32],
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": [{"type": "scale", "value": 10_000}],
        **changes.pop("taken", {}),
    }
    output = {
        "name": "scores",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, 2, 32, 32],
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": 3, "name": "dark", "color_hint": "0000FF"},
            {"value": 1, "name": "bright"},
        ],
        **changes.pop("output", {}),
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": ["https://stac-extensions.github.io/mlm/v1.5.0/schema.json"],
        "id": "thresholds",
        "geometry": None,
        "properties": {
            "datetime": "2024-05-06T00:00:00Z",
            "gsd": 10,
            "license": "MIT",
            "mlm:name": "thresholds",
            "mlm:architecture": "Conv",
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:input": [taken],
            "mlm:output": [output],
            "bands": [
                {"name": name, "eo:common_name": common, "data_type": "uint16"}
                for name, common in zip(NAMES, ("blue", "green", "red"), strict=True)
            ],
            **changes.pop("own", {}),
        },
        "links": [],
        "assets": {
            "metadata": {"href": "./readme.txt", "roles": ["metadata"]},
            "model": {
                "href": f"./{weights.name}",
                "roles": ["mlm:model"],
                "file:checksum": "1220"
                + hashlib.sha256(weights.read_bytes()).hexdigest(),
                **changes.pop("asset", {}),
            },
        },
    }


def written(folder, **changes):
    """Write an ONNX file and its item; give the item's path."""
    weights = write_onnx(folder / "thresholds.onnx")
    path = folder / "item.json"
    path.write_text(json.dumps(item(weights, **changes)))
    return path


def executed(scaling, pixels):
    """Do what the extension's table says, an operation after the other, in float64."""
    steps = {
        "min-max": lambda x, s: (x - s["minimum"]) / (s["maximum"] - s["minimum"]),
        "z-score": lambda x, s: (x - s["mean"]) / s["stddev"],
        "clip": lambda x, s: np.minimum(np.maximum(x, s["minimum"]), s["maximum"]),
        "clip-min": lambda x, s: np.maximum(x, s["minimum"]),
        "clip-max": lambda x, s: np.minimum(x, s["maximum"]),
        "offset": lambda x, s: x - s["value"],
        "scale": lambda x, s: x / s["value"],
        None: lambda x, _: x,
    }
    for each in scaling if isinstance(scaling, list) else [scaling]:
        pixels = steps[each["type"]](pixels, each)
    return pixels


SCALINGS = {
    "each band its own": [
        {"type": "min-max", "minimum": 100, "maximum": 4000},
        {"type": "z-score", "mean": 900, "stddev": 400},
        {"type": "scale", "value": 10_000},
    ],
    "clips, of one side and both": [
        {"type": "clip", "minimum": 200, "maximum": 3000},
        {"type": "clip-min", "minimum": 500},
        {"type": "clip-max", "maximum": 700},
    ],
    "one for all": [{"type": "offset", "value": 1000}],
    "nothing for one": [{"type": None}, {"type": None}, {"type": "scale", "value": 2}],
    "chains": [
        [
            {"type": "offset", "value": 1000},
            {"type": "clip-min", "minimum": 0},
            {"type": "scale", "value": 10_000},
            {"type": "z-score", "mean": 0.1, "stddev": 0.05},
        ],
        [
            {"type": "min-max", "minimum": 0, "maximum": 3000},
            {"type": "clip", "minimum": 0, "maximum": 1},
            {"type": "z-score", "mean": 0.485, "stddev": 0.229},
            {"type": "clip-max", "maximum": 2},
        ],
        {"type": "scale", "value": 255},
    ],
}


@pytest.mark.parametrize("name", SCALINGS)
def test_scalings_are_executed_as_the_extension_says(name, tmp_path):
    scaling = SCALINGS[name]
    path = written(tmp_path, taken={"value_scaling": scaling})
    package = import_model(path, tmp_path / "p")
    pixels = np.random.default_rng(0).integers(0, 6000, (3, 32, 32), np.uint16)
    each = scaling * 3 if len(scaling) == 1 else scaling
    wanted = np.stack(
        [executed(s, band) for s, band in zip(each, pixels.astype("f8"), strict=True)]
    )
    raw = torch.from_numpy(pixels.astype("f4"))[None]
    model = LoadedModel(load_package(tmp_path / "p"), (0, 1, 2))
    found = model.normalise(raw, None)
    np.testing.assert_allclose(found[0].numpy(), wanted, rtol=1e-5, atol=1e-5)
    scores = load_network(package)(found)[0].numpy()
    by_channel = np.einsum("cb,byx->cyx", WEIGHTS, wanted)
    np.testing.assert_allclose(scores, by_channel[::-1], rtol=1e-4, atol=1e-3)


NUMBER = st.floats(-1e4, 1e4, width=32)
STEP = st.one_of(
    st.builds(lambda v: {"type": "offset", "value": v}, NUMBER),
    st.builds(lambda v: {"type": "scale", "value": v}, st.floats(0.1, 1e3)),
    st.builds(lambda v: {"type": "clip-min", "minimum": v}, NUMBER),
    st.builds(lambda v: {"type": "clip-max", "maximum": v}, NUMBER),
    st.builds(
        lambda m, s: {"type": "z-score", "mean": m, "stddev": s},
        NUMBER,
        st.floats(0.1, 1e3),
    ),
    st.builds(
        lambda a, d: {"type": "min-max", "minimum": a, "maximum": a + d},
        NUMBER,
        st.floats(1, 1e3),
    ),
)


@given(st.lists(STEP, max_size=6))
def test_any_chain_is_one_cut_and_one_line(steps):
    pixels = np.linspace(-20_000, 20_000, 101)
    wanted = executed(steps, pixels)
    try:
        folded = fold(steps)
    except ValueError:  # it leaves one value
        assert np.ptp(wanted) <= 1e-6 * np.abs(wanted).max()
        return
    found = (pixels.clip(folded.least, folded.most) - folded.centre) / folded.spread
    scale = max(np.abs(wanted).max(), abs(folded.centre / folded.spread), 1)
    np.testing.assert_allclose(found, wanted, atol=1e-9 * scale)


def test_what_an_item_says_need_not_be_said(tmp_path):
    package = import_model(written(tmp_path), tmp_path / "p")
    assert [(e.id, e.name) for e in package.legend] == [(1, "bright"), (3, "dark")]
    assert package.legend.by_id(3).colour == "#0000ff"
    assert [band.common_name for band in package.bands] == ["blue", "green", "red"]
    assert (package.gsd_m, package.tile, package.dtype) == (10, 32, "uint16")
    assert (package.name, package.license) == ("thresholds", "MIT")
    assert "item.json, thresholds.onnx, SHA-256" in package.source


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {
                "taken": {
                    "value_scaling": [
                        {
                            "type": "processing",
                            "format": "calc",
                            "expression": "A*2",
                        }
                    ]
                }
            },
            "processing expression, 'A*2' (calc), which geoseg does not execute",
        ),
        (
            {
                "taken": {
                    "pre_processing_function": {
                        "format": "python",
                        "expression": "their.module:fold",
                    }
                }
            },
            "pre_processing_function 'their.module:fold', which geoseg does not",
        ),
        ({"taken": {"resize_type": "crop"}}, "resize_type 'crop'"),
        (
            {"taken": {"bands": [{"name": "ndvi", "expression": "(A-B)/(A+B)"}]}},
            "its band ndvi is computed by '(A-B)/(A+B)'",
        ),
        ({"taken": {"value_scaling": [{"type": "log"}]}}, "type is 'log'"),
        (
            {"taken": {"value_scaling": [{"type": "scale", "value": 0}]}},
            "divides by 0, which must be above 0",
        ),
        (
            {"taken": {"value_scaling": [{"type": None}] * 2}},
            "3 bands, and scalings for 2",
        ),
        (
            {
                "taken": {
                    "input": {
                        "shape": [-1, 4, 3, 32, 32],
                        "dim_order": ["batch", "time", "channel", "height", "width"],
                    }
                }
            },
            "its input has the dimension time",
        ),
        ({"own": {"mlm:input": []}}, "it has no mlm:input"),
        ({"own": {"gsd": 0}}, "how many metres a pixel has (--gsd)"),
        (
            {"asset": {"file:checksum": "1220" + "0" * 64}},
            "is not the file that",
        ),
        ({"asset": {"href": "../thresholds.onnx"}}, "named without a path"),
        (
            {"asset": {"href": "https://elsewhere.example/other.onnx"}},
            "fetches nothing from where its user did not name",
        ),
        (
            {"asset": {"href": "./weights.tflite"}},
            "has no asset with the role mlm:model",
        ),
    ],
)
def test_what_cannot_be_done_right_is_one_sentence(changes, sentence, tmp_path):
    path = written(tmp_path, **changes)
    out = tmp_path / "p"
    result = CliRunner().invoke(main, ["models", "import", str(path), "-o", str(out)])
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert result.output.count("\n") == 1
    assert {each.name for each in tmp_path.iterdir()} == {
        "item.json",
        "thresholds.onnx",
    }


def of_two_inputs(folder, **changes):
    """Write an item of a model of colours and heights, by the extension alone."""
    save_model(folder, timed=False, inputs=PLAIN)  # for its ONNX file
    shape = {"dim_order": ["batch", "channel", "height", "width"]}
    s2 = {
        "name": "s2",
        "bands": ["B04", "B08"],
        "input": {"shape": [-1, 2, 64, 64], "data_type": "float32", **shape},
        "value_scaling": [{"type": "scale", "value": 10_000}],
    }
    dem = {
        "name": "dem",
        "bands": ["elevation"],
        "input": {"shape": [-1, 1, 64, 64], "data_type": "float32", **shape},
        "value_scaling": [
            [
                {"type": "clip", "minimum": 0, "maximum": 900},
                {"type": "z-score", "mean": 100, "stddev": 1000},
            ]
        ],
    } | changes
    bands = [
        {"name": "B04", "eo:common_name": "red", "data_type": "uint16"},
        {"name": "B08", "eo:common_name": "nir", "data_type": "uint16"},
        {"name": "elevation", "data_type": "float32", "gsd": 30},
    ]
    classes = [{"value": v, "name": n} for v, n in ((1, "a"), (3, "b"), (4, "high"))]
    path = folder / "item.json"
    said = item(
        folder / "seasons.onnx",
        own={"mlm:input": [s2, dem], "bands": bands},
        output={"classification:classes": classes},
    )
    path.write_text(json.dumps(said))
    return path


PLAIN = (
    {"name": "s2", "bands": ["B04=red", "B08=nir"], "gsd": 10, "scale": 0.0001},
    {"name": "dem", "bands": ["elevation"], "gsd": 30, "dtype": "float32"},
)


@pytest.mark.parametrize("by", ["file", "address"])
def test_several_inputs_are_taken_as_each_is_said_to_be(by, tmp_path):
    path = of_two_inputs(tmp_path)
    with serving(tmp_path) as (url, _):
        source = path if by == "file" else f"{url}/item.json"
        package = import_model(source, tmp_path / "p")
    s2, dem = package.inputs
    assert (s2.name, s2.gsd_m, s2.dtype) == ("s2", 10, "uint16")
    assert (dem.name, dem.gsd_m, dem.dtype) == ("dem", 30, "float32")
    assert [band.common_name for band in s2.bands] == ["red", "nir"]
    raw = torch.tensor([2000.0, 4000, 5000])[None, :, None, None].expand(1, 3, 64, 64)
    model = LoadedModel(load_package(tmp_path / "p"), (0, 1, 2))
    scores = load_network(package)(model.normalise(raw, None))[0, :, 0, 0]
    np.testing.assert_allclose(scores.numpy(), [0.2, 0.4, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "flags", "sentence"),
    [
        ({"name": "heights"}, (), "declare an input of each of these names"),
        ({}, ("--bands", "1,2,3"), "it has 2 inputs, s2, dem; say of each"),
        ({"resize_type": "crop"}, (), "resize_type 'crop'"),
        (
            {
                "input": {
                    "shape": [-1, 1, 32, 32],
                    "dim_order": ["batch", "channel", "height", "width"],
                }
            },
            (),
            "tiles of 32 and 64 pixels",
        ),
    ],
)
def test_several_inputs_that_do_not_fit_are_one_sentence(
    changes, flags, sentence, tmp_path
):
    path = of_two_inputs(tmp_path, **changes)
    out = tmp_path / "p"
    words = ["models", "import", str(path), "-o", str(out), *flags]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()


def test_its_user_knows_better_than_code_that_is_not_run(tmp_path):
    path = written(tmp_path, taken={"resize_type": "crop"})
    result = CliRunner().invoke(
        main,
        ["models", "import", str(path), "-o", str(tmp_path / "p"), "--scale", "0.001"],
    )
    assert result.exit_code == 0, result.output
    assert load_package(tmp_path / "p").scale == 0.001


def test_an_item_at_an_address_is_a_model(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    written(served, output={"post_processing_function": {"expression": "m:argmax"}})
    with serving(served) as (url, server):
        address = f"{url}/item.json?sig=s3cret"
        first = load_package(address)
        assert load_package(address) == first  # fetched and made once
        asked = server.requests
    assert asked == 3  # the item twice, its weights once
    assert load_package(address) == first  # no network: what was made before
    assert "s3cret" not in (first.path / "mlm.json").read_text()
    with pytest.raises(ModelError, match="cannot be fetched"):
        load_package(address.replace("item", "other"))
    shown = CliRunner().invoke(main, ["models", "show", address])
    assert shown.exit_code == 0, shown.output
    assert "thresholds" in shown.output


@pytest.mark.parametrize(
    "changes",
    [
        {"asset": {"href": "./weights.tflite?sig=s3cret"}},
        {"asset": {"file:checksum": "1220" + "0" * 64}},
        {"taken": {"resize_type": "crop"}},
        {"taken": {"bands": None}},
        None,
    ],
    ids=["no weights", "other weights", "code", "no bands", "no item"],
)
def test_no_refusal_of_a_signed_address_shows_the_signature(changes, tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    if changes is None:
        (served / "item.json").write_text("no JSON")
    else:
        written(served, **changes)
    with serving(served) as (url, _), pytest.raises(ModelError) as refused:
        import_model(f"{url}/item.json?sig=s3cret", tmp_path / "p")
    assert "item.json" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_weights_on_another_server_are_not_fetched(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    with serving(tmp_path) as (elsewhere, other), serving(served) as (url, _):
        written(served, asset={"href": f"{elsewhere}/served/thresholds.onnx"})
        with pytest.raises(ModelError, match="did not name"):
            import_model(f"{url}/item.json", tmp_path / "p")
        assert other.requests == 0
    # Beside the item's own file it is taken, whatever the address.
    assert import_model(served / "item.json", tmp_path / "p").gsd_m == 10


def test_a_package_of_geoseg_s_own_is_taken_whole_from_an_address(tmp_path):
    shipped = load_package("sentinel2-landcover")
    served = tmp_path / "served"
    shutil.copytree(shipped.path, served)
    with serving(served) as (url, _):
        taken = load_package(f"{url}/mlm.json")
    assert taken.fingerprint == shipped.fingerprint
    result = CliRunner().invoke(main, ["models", "import", str(served / "mlm.json")])
    assert result.exit_code == 2
    assert "is of a model package already: give its folder to --model" in result.output


def test_exports_say_how_pixels_are_cut(tmp_path):
    scaling = [{"type": "clip", "minimum": 0, "maximum": 3000}]
    package = import_model(
        written(tmp_path, taken={"value_scaling": scaling}), tmp_path / "p"
    )
    assert about(package)["most"] == [3000.0] * 3
    with pytest.raises(ModelError, match="cuts raw pixels"):
        for_deepness(package)
