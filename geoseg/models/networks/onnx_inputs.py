"""What an ONNX file takes: one array of tiles, or one for each of a model's inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.errors import ModelError
from geoseg.models.networks.onnx_output import IMAGES, LAST, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, NodeArg

    from geoseg.models.package.card import Card

_DTYPES: dict[str, type[np.number[Any]]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
"""The types of inputs that can be given."""
_BRIGHTEST = 255
"""The greatest value of a byte."""
_TO_LAST = (0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class TileInput:
    """An array that a file takes, made of some of a model's bands."""

    name: str
    """Its name in the graph."""
    dtype: type[np.number[Any]]
    """The type of its numbers."""
    bands: slice
    """Which of the model's bands."""
    dates: int
    """How many dates it has a dimension for, after that of tiles; 0 where it has no
    such dimension."""
    bands_last: bool
    """Whether bands come last, as in TensorFlow, and not before rows and columns."""
    batch: int
    """The size of batch that it fixes; 0 where it takes any."""

    def of(self, tiles: NDArray[np.floating[Any]]) -> NDArray[np.number[Any]]:
        """Cut the array out of tiles, ``(tile, band, y, x)``, as the file has it."""
        pixels = tiles[:, self.bands]
        if self.dtype is np.uint8:  # such networks normalise by themselves
            pixels = pixels.round().clip(0, _BRIGHTEST)
        if self.dates:
            pixels = pixels.reshape(len(pixels), self.dates, -1, *pixels.shape[2:])
        if self.bands_last:
            pixels = pixels.transpose(_TO_LAST)
        return np.ascontiguousarray(pixels, dtype=self.dtype)


def tile_inputs(
    session: InferenceSession, card: Card, name: str
) -> tuple[TileInput, ...]:
    """Find which bands of a model each input of a file is made of.

    One input takes all of them; several are the model's inputs, by their names.

    Args:
        session: The file, opened.
        card: What is said of it.
        name: What people call the file.

    Raises:
        ModelError: Its inputs are not what is said.

    """
    nodes = session.get_inputs()
    if any(node.type not in _DTYPES for node in nodes) or not nodes:
        found = ", ".join(f"{each.name}: {each.type}" for each in nodes)
        raise ModelError(
            f"{name} must take arrays of real numbers or bytes, the tiles; it takes "
            f"{found or 'nothing'}"
        )
    if len(nodes) == 1:
        dates = len(card.inputs[0].dates) if len(card.inputs) == 1 else 0
        return (_input(nodes[0], (0, len(card.bands)), dates, card.tile, name),)
    by_name = {node.name: node for node in nodes}
    if set(by_name) != {each.name for each in card.inputs}:
        declared = ", ".join(each.name for each in card.inputs) or "one image"
        raise ModelError(
            f"{name} takes the inputs {', '.join(by_name)}, and {declared} is "
            f"declared; declare an input of each of these names (`inputs`)"
        )
    made: list[TileInput] = []
    first = 0
    for each in card.inputs:
        last = first + len(each.slots) * len(each.bands)
        node, dates = by_name[each.name], len(each.dates)
        made.append(_input(node, (first, last), dates, card.tile, name))
        first = last
    return tuple(made)


def _input(
    node: NodeArg, bands: tuple[int, int], dates: int, tile: int, name: str
) -> TileInput:
    """Hold an input's shape against bands, dates and tile that are said of it."""
    shape, count = node.shape, bands[1] - bands[0]
    timed = dates > 0 and len(shape) == IMAGES + 1
    if len(shape) != IMAGES and not timed:
        raise ModelError(
            f"{name} must take tiles of {IMAGES} dimensions, or {IMAGES + 1} where "
            f"there are dates; its input {node.name} has shape {shape}"
        )
    of_tile = [shape[0], *shape[2:]] if timed else shape
    last = _bands_last(of_tile, count // dates if timed else count, name)
    if timed and (last or (isinstance(shape[1], int) and shape[1] != dates)):
        raise ModelError(
            f"{name} takes tiles of shape {shape}, and {dates} dates of "
            f"{count // dates} bands are declared: time comes second, then bands"
        )
    _check_tile(of_tile, tile, name, last=last)
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 0
    return TileInput(
        node.name,
        _DTYPES[node.type],
        slice(*bands),
        dates if timed else 0,
        last,
        batch,
    )


def _bands_last(shape: Sequence[int | str | None], bands: int, name: str) -> bool:
    """Return whether bands come last; where a file leaves it open, second."""
    second, last = shape[SECOND], shape[LAST]
    if second == bands:
        return False
    if last == bands:
        return True
    if not isinstance(second, int):
        return False
    raise ModelError(
        f"{name} takes tiles of shape {shape}, and {bands} bands are declared; "
        f"declare one for each that it takes"
    )


def _check_tile(
    shape: Sequence[int | str | None], tile: int, name: str, *, last: bool
) -> None:
    sides = shape[1:3] if last else shape[2:4]
    fixed = [side for side in sides if isinstance(side, int)]
    if any(side != tile for side in fixed):
        raise ModelError(
            f"{name} takes tiles of {' x '.join(map(str, fixed))} pixels, and {tile} "
            f"is declared; give `tile={fixed[0]}`"
        )
