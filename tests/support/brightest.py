"""A model whose map is known: the class of a pixel is its brightest band.

It is a 1 x 1 convolution by the identity, as ONNX, so that a run costs next to nothing
and numpy's argmax says what its map must be, whatever stands between the two.
"""

from __future__ import annotations

import json

import numpy as np
import onnx
import rasterio
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from geoseg.cli import main
from geoseg.models.package.make import make_package
from geoseg.options import NewPackage

BANDS = ("B02", "B03", "B04")
CLASSES = np.array([1, 3, 4], np.uint8)
"""The class of each band."""
NODATA = 255


def save_model(folder, *, dtype="uint16", gsd_m=10.0):
    """Make the package and give its folder."""
    count = len(BANDS)
    folder.mkdir(parents=True, exist_ok=True)
    shape = ["n", count, "s", "s"]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["in", "kernel"], ["out"])],
        "brightest",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(
                np.eye(count, dtype=np.float32)[:, :, None, None], "kernel"
            )
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    weights = folder / "brightest.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), weights)
    said = NewPackage(
        name="brightest",
        bands=BANDS,
        classes=("blue:1", "green:3", "red:4"),
        gsd_m=gsd_m,
        gsd_tolerance=0.9,
        dtype=dtype,
        value_range=(1, 4000),
        tile=64,
        overlap=16,
        stride=16,
    )
    return make_package(weights, folder / "package", said).path


def expected(values, valid=None):
    """Say what the map of pixels (band, y, x) is: classes, and 255 where not valid."""
    classes = CLASSES[values[: len(BANDS)].argmax(axis=0)]
    return classes if valid is None else np.where(valid, classes, NODATA)


def segment(model, output, *arguments):
    """Map with the model through the command line; give click's result."""
    command = ["segment", *arguments, "--model", model, "-o", output, "--quiet"]
    return CliRunner().invoke(main, [str(word) for word in command])


def mapped(model, output, *arguments):
    """Map what can be mapped; give the classes, where they are, and the warnings."""
    result = segment(model, output, *arguments)
    assert result.exit_code == 0, result.stderr
    with rasterio.open(output / "landcover.tif") as dataset:
        georeference = dataset.transform, dataset.crs.to_epsg()
        classes = dataset.read(1)
    report = json.loads((output / "run.json").read_text())["warnings"]
    assert len(result.stderr.splitlines()) == len(report)
    return classes, georeference, report


def refused(model, output, *arguments):
    """Map what cannot be mapped; give the one sentence, after which nothing is left."""
    result = segment(model, output, *arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not output.exists()
    (sentence,) = result.stderr.strip().splitlines()
    assert sentence.startswith("geoseg: ")
    return sentence.removeprefix("geoseg: ")
