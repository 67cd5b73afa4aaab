"""Small ONNX models whose answer is known."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from geoseg.options import NewPackage

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
