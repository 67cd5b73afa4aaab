"""ONNX files as models: any framework's, and what is no model."""

from __future__ import annotations

import builtins

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from geoseg.errors import GeosegError, InputError, ModelError
from geoseg.models.field import inspect_model
from geoseg.models.make import make_package
from geoseg.models.network import load_network
from geoseg.models.new import NewPackage
from geoseg.models.package import load_package
from geoseg.predict.compute import resolve_compute
from geoseg.predict.tiles import TilePredictor
from geoseg.prepare import SegmentOptions
from geoseg.run import segment
from geoseg.verify import verify

SAID = NewPackage(
    name="threshold",
    bands=("B02", "B03", "B04"),
    classes=("dark:1", "bright:4"),
    gsd_m=14.0,
    scale=0.001,
    tile=16,
    overlap=4,
    stride=2,
)
WEIGHTS = np.array([[-1, 0, -2], [1, 0, 2]], np.float32)
"""A score of each class for each band."""


def write_onnx(path, *, last=False, batch="n", side="s", bands=3, extra=(), **changes):
    """Write a 1 x 1 convolution as PyTorch exports one, or (last) TensorFlow."""
    kernel = changes.get("kernel", WEIGHTS[:, :bands, None, None])
    shape = [batch, side, side, bands] if last else [batch, bands, side, side]
    given = ["n", side, side, len(kernel)] if last else ["n", len(kernel), side, side]
    steps = [helper.make_node("Conv", ["in", "kernel"], ["out"])]
    if last:
        steps = [
            helper.make_node("Transpose", ["x"], ["in"], perm=[0, 3, 1, 2]),
            *steps,
            helper.make_node("Transpose", ["out"], ["y"], perm=[0, 2, 3, 1]),
        ]
    names = ("x", "y") if last else ("in", "out")
    if extra:
        steps.append(helper.make_node(extra, [names[1]], ["z"], axis=1))
        names = (names[0], "z")
    graph = helper.make_graph(
        steps,
        "threshold",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, given)],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.mark.parametrize("changes", [{}, {"last": True}, {"batch": 1}])
def test_any_layout_gives_the_same_scores(tmp_path, changes):
    weights = write_onnx(tmp_path / "model.onnx", **changes)
    package = make_package(weights, tmp_path / "p", SAID)
    network = load_network(package)
    pixels = torch.randn(3, 3, 16, 16)
    expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(network(pixels), expected)
    torch.testing.assert_close(network(pixels.bfloat16()), expected, rtol=0.1, atol=0.1)


def test_a_map_of_an_onnx_model_is_the_formula(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    values = np.random.default_rng(1).integers(1, 4000, (3, 37, 53), np.uint16)
    scene = make_raster(values=values)
    options = SegmentOptions(model=package.path, workers=0)
    report = segment(scene, tmp_path / "out", options=options)
    import rasterio  # noqa: PLC0415  # one test needs it

    with rasterio.open(tmp_path / "out" / "landcover.tif") as dataset:
        given = dataset.read(1)
    # Means are 0: the second class wins where blue + 2 red is above 0, everywhere.
    assert np.unique(given).tolist() == [4]
    assert report.compute["precision"] == "float32"


def test_probabilities_are_taken_as_they_are(tmp_path):
    weights = write_onnx(tmp_path / "m.onnx", extra="Softmax")
    said = NewPackage(**{**_fields(SAID), "activation": "none"})
    package = make_package(weights, tmp_path / "p", said)
    pixels = torch.randn(1, 3, 16, 16)
    logits = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(
        load_network(package)(pixels).softmax(1), logits.softmax(1)
    )


def _fields(said):
    return {name: getattr(said, name) for name in said.__dataclass_fields__}


def test_the_predictor_does_not_care(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    how = resolve_compute("cpu", "float32", compiled=True)
    predictor = TilePredictor.of([(package, (0, 1, 2))], how)
    pixels = np.full((1, 3, 16, 16), 500, np.uint16)
    given = predictor(pixels, np.ones((1, 16, 16), bool))
    expected = torch.tensor([-1.5, 1.5]).softmax(0)
    torch.testing.assert_close(given[0, :, 3, 5], expected)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bands": 2}, "disagree on the number of bands: 3 in mlm.json"),
        ({"kernel": np.ones((3, 3, 1, 1), np.float32)}, "number of channels: 2"),
        ({"side": 32}, "takes tiles of 32 x 32 pixels, and mlm.json says 16"),
        ({"kernel": np.ones((2, 3, 3, 3), np.float32)}, "a score for every pixel"),
    ],
)
def test_a_file_that_is_not_what_is_said_is_refused(tmp_path, changes, says):
    weights = write_onnx(tmp_path / "m.onnx", **changes)
    with pytest.raises(ModelError, match=says):
        make_package(weights, tmp_path / "p", SAID)
    assert not (tmp_path / "p").exists()


def test_a_file_that_refers_to_another_is_refused(tmp_path):
    path = write_onnx(tmp_path / "m.onnx")
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    onnx.save(
        onnx.load(path),
        path,
        save_as_external_data=True,
        location="secret",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match="from one file"):
        make_package(path, tmp_path / "p", SAID)


def test_what_is_no_onnx_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no ONNX model"):
        make_package(tmp_path / "m.onnx", tmp_path / "p", SAID)


def test_a_flipped_byte_of_an_onnx_file_is_noticed(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    content = bytearray(package.weights.read_bytes())
    content[-20] ^= 1
    package.weights.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_package(package.path)


def test_without_onnx_runtime_it_says_what_to_install(tmp_path, monkeypatch):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    real = builtins.__import__

    def fail(name, *rest):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ModelError, match=r"pip install 'geoseg\[onnx\]'"):
        load_network(package)


def test_a_precision_that_it_cannot_have_is_refused(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    options = SegmentOptions(model=package.path, precision="bfloat16")
    with pytest.raises(InputError, match="a precision of its own"):
        segment(make_raster(), tmp_path / "out", options=options)


def test_it_can_be_inspected(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    assert inspect_model(package.path).network == "ONNX in model.onnx"
    with pytest.raises(ModelError, match="cannot be measured: ONNX Runtime takes the"):
        inspect_model(package.path, receptive_field=True)


def test_its_tiles_are_compared_without_a_promise(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    found = verify(package.path, make_raster())
    assert found.receptive_field is None
    assert [each.exact for each in found.agreements] == [False] * 3
    assert {each.changed_pixels for each in found.agreements} == {0}  # it is 1 x 1


def test_tiles_of_another_side_are_refused_where_the_file_fixes_it(
    make_raster, tmp_path
):
    weights = write_onnx(tmp_path / "m.onnx", side=16)
    package = make_package(weights, tmp_path / "p", SAID)
    options = SegmentOptions(model=package.path, tile=32, overlap=4)
    with pytest.raises(GeosegError, match="does not take tiles of shape"):
        segment(make_raster(), tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()
