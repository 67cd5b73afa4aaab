"""ONNX files of others: what Deepness says of them, and graphs that take bytes."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import WEIGHTS, write_onnx

from geoseg.errors import ModelError
from geoseg.models.exchange.import_model import import_model
from geoseg.models.networks.network import load_network
from geoseg.options import NewPackage
from geoseg.predict.loaded_model import LoadedModel

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BANDS = NewPackage(bands=("red", "green", "blue"))


def deepness(path, **changes):
    """Write a model with the metadata that Deepness' exporters add."""
    said = {
        "model_type": "Segmentor",
        "class_names": {0: "other", 1: "road"},
        "resolution": 21.0,
        "tiles_size": 128,
        "tiles_overlap": 30,
        "standardization_mean": MEAN,
        "standardization_std": STD,
        **changes,
    }
    model = onnx.load(write_onnx(path))
    for key, value in said.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    onnx.save(model, path)
    return path


def test_what_deepness_says_of_a_model_need_not_be_said(tmp_path):
    package = import_model(deepness(tmp_path / "road.onnx"), tmp_path / "p", BANDS)
    assert [each.name for each in package.legend] == ["other", "road"]
    assert (package.gsd_m, package.tile, package.dtype) == (0.21, 128, "uint8")
    assert package.overlap == 32  # 30 % are 38 px; 32 is the multiple below


def test_bytes_are_normalised_as_deepness_does(tmp_path):
    package = import_model(deepness(tmp_path / "road.onnx"), tmp_path / "p", BANDS)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 128, 128), np.uint8)
    normal = (pixels.transpose(1, 2, 0) / 255 - MEAN) / STD
    wanted = normal @ WEIGHTS.T
    model = LoadedModel(package, (0, 1, 2))
    tiles = model.normalise(torch.from_numpy(pixels.astype("f4"))[None], None)
    found = load_network(package)(tiles)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_what_the_user_says_counts_more(tmp_path):
    said = NewPackage(bands=("1", "2", "3"), classes=("a", "b"), gsd_m=2, scale=0.5)
    package = import_model(deepness(tmp_path / "road.onnx"), tmp_path / "p", said)
    assert [each.name for each in package.legend] == ["a", "b"]
    assert (package.gsd_m, package.scale, package.dtype) == (2, 0.5, "uint16")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "Detector"}, "it is a Detector"),
        ({"class_names": {0: "a", 2: "b"}}, "class_names are numbered 0, 2"),
        ({"class_names": {}}, "does not say what its classes are"),
        ({"resolution": "fine"}, "make no sense"),
        (
            {"standardization_mean": MEAN[:2]},
            "it standardises 2 bands, and 3 are said",
        ),
        ({"class_names": {0: "a", 1: "b", 2: "c"}}, "3 classes are declared"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(changes, said, tmp_path):
    path = deepness(tmp_path / "road.onnx", **changes)
    with pytest.raises(ModelError, match=said):
        import_model(path, tmp_path / "p", BANDS)
    assert not (tmp_path / "p").exists()


def test_a_bare_graph_is_asked_for_all_that_it_does_not_say(tmp_path):
    with pytest.raises(ModelError, match=r"`bands`.*`classes`.*`gsd_m`"):
        import_model(write_onnx(tmp_path / "m.onnx"), tmp_path / "p")


def test_a_graph_that_takes_bytes_gets_raw_pixels(tmp_path):
    kernel = WEIGHTS * np.float32(0.37)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["in"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["real", "kernel"], ["out"]),
        ],
        "bytes",
        [helper.make_tensor_value_info("in", TensorProto.UINT8, ["n", 3, "s", "s"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 2, "s", "s"])],
        [numpy_helper.from_array(kernel[:, :, None, None], "kernel")],
    )
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "bytes.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    said = NewPackage(
        bands=("1", "2", "3"), classes=("a", "b"), gsd_m=1, dtype="uint8", tile=64
    )
    network = load_network(import_model(path, tmp_path / "p", said))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    found = network(torch.from_numpy(pixels.astype("f4"))[None])[0].numpy()
    wanted = np.einsum("kb,byx->kyx", kernel, pixels.astype("f4"))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
