"""A package's network as one ONNX file: normalised tiles in, probabilities out."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from geoseg.errors import ModelError
from geoseg.models.exchange.onnx_halving import OPERATOR, halved
from geoseg.models.networks.network import load_network
from geoseg.models.package.scaling import scalings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.models.package.card import Card
    from geoseg.models.package.package import ModelPackage

INPUT, OUTPUT = "tiles", "probabilities"
_OPSET = 17
_BYTE = 255
_CENTIMETRES = 100
_FREE = {INPUT: {0: "n"}, OUTPUT: {0: "n"}}
"""Sides that stay open: how many tiles there are."""


class _Probabilities(nn.Module):
    """A network with the softmax after it, and its temperature before that."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        probabilities: torch.Tensor = self.network(tiles).float().softmax(dim=1)
        return probabilities


def to_onnx(package: ModelPackage) -> bytes:
    """Write a package's network as ONNX, in float32.

    Returns:
        The file. It takes normalised pixels, ``(n, band, y, x)`` of the package's
        tile, and gives the probability of each class, in the legend's order.

    Raises:
        ModelError: It is an ONNX file already, or has something that ONNX lacks.

    """
    if package.is_onnx:
        raise ModelError(
            f"{package.name} is an ONNX file already: {package.weights}; copy it"
        )
    network = _Probabilities(load_network(package)).eval()
    tiles = torch.zeros(1, len(package.bands), package.tile, package.tile)
    known = torch.onnx.register_custom_op_symbolic  # type: ignore[attr-defined]  # it is
    known(OPERATOR, halved, _OPSET)
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        _without_output(),
    ):
        written = Path(folder, "model.onnx")
        # The exporter that needs no further package is the older one, and says so.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                network,
                (tiles,),
                written,
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes=_FREE,
                opset_version=_OPSET,
                autograd_inlining=False,  # a forest says what it is in ONNX
            )
        except Exception as error:  # the exporter's errors have no one parent
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"torch cannot write {package.name} as ONNX ({reason}); map with the "
                f"package itself"
            ) from error
        return written.read_bytes()


@contextmanager
def _without_output() -> Iterator[None]:
    """Let torch's exporter print no graph of a network that it cannot write.

    It prints it past Python, however quiet it is asked to be.
    """
    if sys.stdout is None:  # a program without a terminal, as on Windows
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def with_metadata(content: bytes, said: dict[str, Any]) -> bytes:
    """Put values into an ONNX file's metadata, as JSON."""
    import onnx  # noqa: PLC0415  # an extra

    graph = onnx.load_from_string(content)
    values = {key: json.dumps(value) for key, value in said.items()}
    onnx.helper.set_model_props(graph, values)
    whole: bytes = graph.SerializeToString()
    return whole


def about(card: Card) -> dict[str, Any]:
    """Write what a file's user has to know: bands, how they are normalised, classes."""
    each = scalings(card)
    ends = {
        "least": [_finite(band.least) for band in each],
        "most": [_finite(band.most) for band in each],
    }
    return {
        "model": f"{card.name} {card.version}",
        "license": card.license,
        "bands": [band.name for band in card.bands],
        "normalisation": card.normalise,
        "gain": [band.gain for band in each],
        "less": [band.offset for band in each],
        **{
            name: said
            for name, said in ends.items()
            if any(v is not None for v in said)
        },
        "gsd_m": card.gsd_m,
        "classes": {str(channel): c.name for channel, c in enumerate(card.legend)},
        "class_ids": list(card.legend.ids),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def for_deepness(card: Card) -> dict[str, Any]:
    """Write it as Deepness reads it, which divides all pixels by 255 first.

    Raises:
        ModelError: Pixels are normalised by each scene, which it cannot say.

    """
    if card.normalise == "scene":
        raise ModelError(
            f"{card.name} is normalised by the statistics of each scene, for which "
            f"Deepness has no metadata; export it without `target`"
        )
    if any(band.clip for band in card.bands):
        raise ModelError(
            f"{card.name} cuts raw pixels to a range first, for which Deepness has no "
            f"metadata; export it without `target`"
        )
    each = scalings(card)
    return {
        "model_type": "Segmentor",
        "class_names": {str(channel): c.name for channel, c in enumerate(card.legend)},
        "resolution": round(card.gsd_m * _CENTIMETRES, 4),
        "tiles_size": card.tile,
        "tiles_overlap": round(100 * card.overlap / card.tile, 4),
        # pixels * gain - offset = (pixels / 255 - mean) / std
        "standardization_mean": [band.offset / (band.gain * _BYTE) for band in each],
        "standardization_std": [1 / (band.gain * _BYTE) for band in each],
    }


def to_int8(content: bytes, tiles: Sequence[NDArray[np.float32]]) -> bytes:
    """Quantise an ONNX file's larger convolutions: weights, and what flows into them.

    They take most of the time. The first and the last layer, those of 1 x 1 and those
    of single channels lose most by it and stay as they are: of the shipped model 99.4 %
    of the labels are the same so, and 75 % at best where all is quantised.

    Args:
        content: The file.
        tiles: Normalised tiles, ``(1, band, y, x)``, whose range of values counts.

    Raises:
        ModelError: It has no such layer.

    """
    from onnxruntime import quantization as quant  # noqa: PLC0415  # an extra
    from onnxruntime.quantization.shape_inference import (  # noqa: PLC0415
        quant_pre_process,
    )

    class Reader(quant.CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self.left: Iterator[NDArray[np.float32]] = iter(tiles)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            tile = next(self.left, None)
            return None if tile is None else {INPUT: tile}

    with tempfile.TemporaryDirectory() as folder:
        whole, ready, small = (Path(folder, f"{n}.onnx") for n in ("a", "b", "c"))
        whole.write_bytes(content)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        layers = _larger_convolutions(ready)
        if not layers:
            raise ModelError(
                "the network has no convolution over several pixels and channels that "
                "would gain by 8 bits; export it without `int8`"
            )
        quant.quantize_static(
            ready,
            small,
            Reader(),
            quant_format=quant.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quant.QuantType.QUInt8,
            weight_type=quant.QuantType.QInt8,
            nodes_to_quantize=layers,
        )
        return small.read_bytes()


def _larger_convolutions(path: Path) -> list[str]:
    """Name convolutions over several pixels and channels, the first and last aside."""
    import onnx  # noqa: PLC0415  # an extra

    graph = onnx.load(path).graph
    shapes = {each.name: tuple(each.dims) for each in graph.initializer}
    found = [node for node in graph.node if node.op_type == "Conv"]
    return [
        node.name
        for node in found[1:-1]
        if max(shapes.get(node.input[1], ())[2:], default=1) > 1
        and all(each.i == 1 for each in node.attribute if each.name == "group")
    ]
