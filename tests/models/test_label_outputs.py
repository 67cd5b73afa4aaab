"""ONNX files with their argmax inside: labels come out, and no certainty."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper, save
from onnx_models import SAID, WEIGHTS

import geoseg
from geoseg.cli import main
from geoseg.errors import InputError, ModelError
from geoseg.models.networks.network import load_network
from geoseg.models.package.make import make_package
from geoseg.options import NewPackage

KERNEL = WEIGHTS[:, :, None, None].copy()
MIDDLE = np.array([1.0, -2.0], np.float32)
"""What is added to scores: the second class wins from 1.5 on of normalised pixels."""
INT = TensorProto.INT64


def write_labels(path, *, keep=1, cast=None, pool=None, last=False, shift=0):
    """Write a 1 x 1 convolution with an argmax after it, or (pool) of squares."""
    kernel, bias = (numpy_helper.from_array(*a) for a in ((KERNEL, "k"), (MIDDLE, "b")))
    more = [numpy_helper.from_array(np.array(shift, np.int64), "shift")]
    steps = [helper.make_node("Conv", ["in", "k", "b"], ["scores"])]
    top = "scores"
    if pool:
        sides = {"kernel_shape": [pool, pool], "strides": [pool, pool]}
        steps.append(helper.make_node("AveragePool", [top], ["pooled"], **sides))
        top = "pooled"
    if last:
        steps.append(helper.make_node("Transpose", [top], ["tr"], perm=[0, 2, 3, 1]))
        top = "tr"
    axis = 3 if last else 1
    steps += [
        helper.make_node("ArgMax", [top], ["best"], axis=axis, keepdims=keep),
        helper.make_node("Add", ["best", "shift"], ["labels"]),
    ]
    name, dtype = "labels", INT
    if cast is not None:
        steps.append(helper.make_node("Cast", ["labels"], ["cast"], to=cast))
        name, dtype = "cast", cast
    shape = ["n", "h", "w"]
    if keep:
        shape.insert(axis, 1)
    graph = helper.make_graph(
        steps,
        "labels",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 3, "s", "s"])],
        [helper.make_tensor_value_info(name, dtype, shape)],
        [kernel, bias, *more],
    )
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def wanted(normal):
    """The channel of each pixel, from the formula."""
    scores = np.einsum("kb,nbyx->nkyx", WEIGHTS, normal) + MIDDLE[:, None, None]
    return scores, scores.argmax(axis=1)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"keep": 0},
        {"last": True},
        {"keep": 0, "cast": TensorProto.UINT8},
        {"keep": 0, "cast": TensorProto.FLOAT},
        {"cast": TensorProto.INT32, "last": True},
    ],
    ids=["int64", "no channel", "last", "bytes", "floats", "int32, last"],
)
def test_labels_are_taken_for_votes(layout, tmp_path):
    steps = []
    package = make_package(
        write_labels(tmp_path / "m.onnx", **layout),
        tmp_path / "p",
        SAID,
        on_step=steps.append,
    )
    assert package.activation == "labels"
    assert any("confidence is not known" in w for s in steps for w in s.warnings)
    pixels = torch.randn(2, 3, 16, 16) * 2
    logits = load_network(package)(pixels)
    assert (logits.argmax(dim=1).numpy() == wanted(pixels.numpy())[1]).all()
    shares = logits.softmax(dim=1).numpy()
    assert (shares.round(30) == shares.round()).all()  # all or nothing


def test_a_channel_of_floats_is_labels_where_one_says_so(tmp_path):
    weights = write_labels(tmp_path / "m.onnx", cast=TensorProto.FLOAT)
    with pytest.raises(ModelError, match="or say `activation='labels'`"):
        make_package(weights, tmp_path / "p", SAID)
    said = replace(SAID, activation="labels")
    package = make_package(weights, tmp_path / "p", said)
    pixels = torch.randn(1, 3, 16, 16) * 2
    found = load_network(package)(pixels).argmax(dim=1).numpy()
    assert (found == wanted(pixels.numpy())[1]).all()


def test_labels_of_squares_are_those_of_all_their_pixels(tmp_path):
    weights = write_labels(tmp_path / "m.onnx", pool=4, keep=0)
    package = make_package(weights, tmp_path / "p", SAID)
    pixels = torch.randn(1, 3, 16, 16) * 2
    scores, _ = wanted(pixels.numpy())
    squares = scores.reshape(1, 2, 4, 4, 4, 4).mean(axis=(3, 5)).argmax(axis=1)
    found = load_network(package)(pixels).argmax(dim=1).numpy()
    assert (found == squares.repeat(4, axis=1).repeat(4, axis=2)).all()


def test_labels_beyond_the_classes_are_refused(tmp_path):
    weights = write_labels(tmp_path / "m.onnx", shift=1)
    with pytest.raises(ModelError, match=r"a number from 0 to 1, .* gives [01] to 2"):
        make_package(weights, tmp_path / "p", SAID)
    assert [each.name for each in tmp_path.iterdir()] == ["m.onnx"]


@pytest.fixture
def voting(tmp_path):
    return make_package(write_labels(tmp_path / "m.onnx"), tmp_path / "votes", SAID)


def test_a_map_of_labels_says_that_confidence_is_not_known(
    voting, make_raster, tmp_path
):
    values = np.random.default_rng(1).integers(1, 2000, (3, 37, 53), np.uint16)
    scene, out = make_raster(values=values), tmp_path / "out"
    run = CliRunner().invoke(
        main,
        ["segment", str(scene), "--model", str(voting.path), "-o", str(out)],
    )
    assert run.exit_code == 0, run.output
    assert "confidence is not known" in run.output
    with rasterio.open(out / "landcover.tif") as dataset:
        found = dataset.read(1)
    _, channels = wanted(values[None] * 0.001)
    assert (found == np.array([1, 4])[channels[0]]).all()
    record = json.loads((out / "run.json").read_text())
    assert record["confidence"] is None
    assert {each["confidence"] for each in record["class_areas"]} == {None}
    assert "confidence" not in record["products"]
    assert any("confidence is not known" in each for each in record["warnings"])
    assert "confidence is not known" in (out / "report.html").read_text()
    assert not (out / "confidence.tif").exists()
    item = json.loads((out / "landcover.stac.json").read_text())
    assert "confidence" not in item["assets"]
    assert "mean_confidence" not in (out / "landcover.geojson").read_text()
    again = CliRunner().invoke(
        main,
        ["segment", str(scene), "--model", str(voting.path), "-o", str(out)],
    )
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    "flags",
    [
        ["--min-confidence", "50"],
        ["--entropy"],
        ["--probabilities"],
        ["--crf"],
        ["--mask-model", "MODEL"],
    ],
)
def test_what_needs_certainty_is_refused(flags, voting, make_raster, tmp_path):
    scene = make_raster()
    flags = [str(voting.path) if each == "MODEL" else each for each in flags]
    before = {each.name for each in tmp_path.iterdir()}
    model = ["--model", str(voting.path), "-o", str(tmp_path / "out"), "-q"]
    run = CliRunner().invoke(main, ["segment", str(scene), *model, *flags])
    assert run.exit_code == 2, run.output
    assert "gives classes and no scores" in run.output
    assert run.output.count("\n") == 1
    assert {each.name for each in tmp_path.iterdir()} == before


def test_an_array_s_map_leaves_out_what_is_not_known(voting, make_raster):
    scene = geoseg.open_scene(make_raster())
    found = geoseg.Model(voting.path).predict(scene)
    assert set(found.data_vars) == {"class"}


def test_calibration_needs_scores(voting, make_raster):
    labels = make_raster("l.tif", values=np.ones((1, 37, 53), np.uint8), bands=())
    with pytest.raises(InputError, match="gives classes and no scores"):
        geoseg.calibrate_model(voting.path, make_raster(), labels)


def test_networks_of_geoseg_s_own_give_scores(tmp_path):
    shipped = geoseg.load_package("sentinel2-landcover").path
    said = NewPackage(
        bands=tuple(map(str, range(1, 11))), gsd_m=10, activation="labels",
        classes=tuple(f"class {each}" for each in range(7)),
    )  # fmt: skip
    with pytest.raises(ModelError, match="a Unet gives scores"):
        make_package(shipped / "model.safetensors", tmp_path / "p", said)
