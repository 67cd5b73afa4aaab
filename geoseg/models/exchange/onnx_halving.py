"""Half an image's sides without aliasing, in the words of ONNX.

ONNX has a resizing of its own for it since opset 18, but ONNX Runtime 1.32 gives other
values than torch at the edges. Halved, an axis's pixel is the mean of four, weighted 1,
3, 3, 1, of which the first and the last pixel have three: a convolution that sees zeros
beyond the edge, and what it lacks there put right.
"""

from __future__ import annotations

from typing import Any

import torch

OPERATOR = "aten::_upsample_bilinear2d_aa"
"""What torch calls the resizing."""
_WEIGHTS = torch.tensor((1.0, 3.0, 3.0, 1.0)) / 8


def halved(graph: Any, pixels: Any, *_: object) -> Any:  # noqa: ANN401  # the exporter's
    """Write the halving of ``(n, channel, y, x)``; torch's exporter calls this.

    Raises:
        ValueError: The sides become other than half.

    """
    _, channels, *sides = pixels.type().varyingSizes()
    halves = graph.original_node.output().type().varyingSizes()[2:]
    if sides != [2 * half for half in halves]:
        raise ValueError(
            f"the network resizes {sides[0]} x {sides[1]} to {halves[0]} x "
            f"{halves[1]} without aliasing, and half the sides alone can be written"
        )
    kernel = torch.outer(_WEIGHTS, _WEIGHTS).expand(channels, 1, -1, -1)
    rows, cols = (torch.ones(half) for half in halves)
    for each in (rows, cols):
        each[[0, -1]] = 1 / (1 - float(_WEIGHTS[0]))
    summed = graph.op(
        "Conv",
        pixels,
        graph.op("Constant", value_t=kernel.contiguous()),
        group_i=channels,
        kernel_shape_i=[4, 4],
        pads_i=[1, 1, 1, 1],
        strides_i=[2, 2],
    )
    by_rows = graph.op("Mul", summed, graph.op("Constant", value_t=rows[:, None]))
    return graph.op("Mul", by_rows, graph.op("Constant", value_t=cols))
