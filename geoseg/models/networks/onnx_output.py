"""Which output of an ONNX file is the scores, and in which order its sides come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnxruntime import NodeArg

    from geoseg.models.package.card import Card

    Shape = Sequence[int | str | None]

IMAGES = 4
"""Dimensions of a batch of images: tile, band, row and column, in some order."""
SECOND, LAST = 1, 3
"""Where an image's bands stand in PyTorch, and where in TensorFlow."""
_SCORES = frozenset(("tensor(float)", "tensor(float16)", "tensor(double)"))
"""The types that scores may have."""


@dataclass(frozen=True, slots=True)
class ClassOutput:
    """An output that is the channel of each pixel's class."""

    name: str
    """Its name in the graph."""

    def one_hot(
        self, given: NDArray[np.float32], sides: tuple[int, int], classes: int
    ) -> NDArray[np.float32] | None:
        """Write labels as scores, 1 for a pixel's class and 0 for others.

        Labels of squares of pixels, as of a smaller output, are each pixel's of theirs.

        Args:
            given: Shape ``(tile, y, x)``, or with a side of 1 second or last.
            sides: Of a tile.
            classes: How many there are.

        Returns:
            Shape ``(tile, class, y, x)``; None where it has another shape, or labels
            that are none of the classes'.

        """
        if given.ndim == IMAGES:
            given = given[:, 0] if given.shape[SECOND] == 1 else given[..., 0]
        times = enlargement(given.shape[1:], sides) if given.ndim == IMAGES - 1 else 0
        if not times or not np.isin(given, np.arange(classes)).all():
            return None
        whole = given.repeat(times, axis=1).repeat(times, axis=2)
        channels = np.arange(classes)[:, None, None]
        scores: NDArray[np.float32] = (whole[:, None] == channels).astype(np.float32)
        return scores


def label_output(listed: Sequence[NodeArg], output_name: str, name: str) -> ClassOutput:
    """Find the output that is labels.

    Args:
        listed: The outputs of the file.
        output_name: The one that is meant; empty where the file says.
        name: What people call the file.

    Raises:
        ModelError: None may be, or several.

    """
    found = [
        each.name
        for each in listed
        if _may_be_labels(each.shape) and output_name in {"", each.name}
    ]
    if len(found) != 1:
        raise ModelError(
            f"{name} must give the class of each pixel in one output of three "
            f"dimensions, or of one channel; {len(found)} of its outputs, "
            f"{names(listed)}, may be that: say which with `output_name`"
        )
    return ClassOutput(found[0])


def are_labels(listed: Sequence[NodeArg], output_name: str = "") -> bool:
    """Whether a file gives classes of pixels alone, as far as its outputs say."""
    meant = [each for each in listed if output_name in {"", each.name}]
    return bool(meant) and all(
        _may_be_labels(each.shape)
        and (each.type not in _SCORES or len(each.shape) == IMAGES - 1)
        for each in meant
    )


def _may_be_labels(shape: Shape) -> bool:
    if len(shape) == IMAGES:
        return any(shape[axis] in {1, None} for axis in (SECOND, LAST)) or all(
            not isinstance(shape[axis], int) for axis in (SECOND, LAST)
        )
    return len(shape) == IMAGES - 1


@dataclass(frozen=True, slots=True)
class ScoreOutput:
    """An output that may be the scores."""

    name: str
    """Its name in the graph."""
    axes: tuple[int, ...]
    """Where its channels may stand, as far as its declared shape says: `SECOND`, `LAST`
    or either."""

    def axis(
        self, shape: tuple[int, ...], sides: tuple[int, int], card: Card
    ) -> int | None:
        """Return where channels of what it gave stand; None where it is no scores."""
        return next(
            (
                axis
                for axis in self.axes
                if len(shape) == IMAGES
                and shape[axis] in card.outputs
                and enlargement(_sides(shape, axis), sides)
            ),
            None,
        )

    def enlarged(
        self, shape: tuple[int, ...], sides: tuple[int, int], card: Card
    ) -> int:
        """Say how many times larger a tile is than what it gave; 0 for no scores."""
        axis = self.axis(shape, sides, card)
        return 0 if axis is None else enlargement(_sides(shape, axis), sides) or 0


def possible_outputs(
    listed: Sequence[NodeArg], card: Card, name: str, *, bands_last: bool
) -> list[ScoreOutput]:
    """Find the outputs that may be scores, as far as their declared shapes say.

    Args:
        listed: The outputs of the file.
        card: What is said of it; where that names an output, no other counts.
        name: What people call the file.
        bands_last: Whether its input has the bands last.

    Raises:
        ModelError: None may be; says why the likeliest is not.

    """
    if card.output_name:
        chosen = [each for each in listed if each.name == card.output_name]
        if not chosen:
            raise ModelError(
                f"{name} has no output {card.output_name!r}; it has {names(listed)}"
            )
        listed = chosen
    found = [
        ScoreOutput(each.name, axes)
        for each in listed
        if (axes := _axes(each, card, bands_last=bands_last))
    ]
    if not found:
        others = f" (it has the outputs {names(listed)})" * (len(listed) > 1)
        reason = _why_not(listed[0], card, bands_last=bands_last)
        raise ModelError(f"{name} {reason}{others}")
    return found


def names(listed: Sequence[NodeArg] | Sequence[ScoreOutput]) -> str:
    """Name outputs in a sentence."""
    return ", ".join(each.name for each in listed)


def _axes(output: NodeArg, card: Card, *, bands_last: bool) -> tuple[int, ...]:
    """Say where the channels of an output may stand, likelier first; () for nowhere."""
    shape = output.shape
    if output.type not in _SCORES or len(shape) != IMAGES:
        return ()
    possible = [
        axis
        for axis in (SECOND, LAST)
        if _may_be(shape[axis], card.outputs)
        and all(_fits(side, card.tile) for side in _sides(shape, axis))
    ]
    known = [axis for axis in possible if isinstance(shape[axis], int)]
    likely = LAST if bands_last else SECOND
    return tuple(sorted(known or possible, key=lambda axis: axis != likely))


def _may_be(side: int | str | None, wanted: tuple[int, ...]) -> bool:
    return not isinstance(side, int) or side in wanted


def _fits(side: int | str | None, tile: int) -> bool:
    """Return whether a side is a tile's, or a whole part of it."""
    return not isinstance(side, int) or (0 < side <= tile and tile % side == 0)


def enlargement(
    given: tuple[int | str | None, ...], sides: tuple[int, int]
) -> int | None:
    """Say how many times larger a tile is than its scores, the same along both sides.

    Example:
        >>> enlargement((64, 64), (256, 256)), enlargement((254, 254), (256, 256))
        (4, None)

    """
    rows, cols = given
    if not (isinstance(rows, int) and isinstance(cols, int) and rows > 0 and cols > 0):
        return None
    times = sides[0] // rows
    return times if (rows * times, cols * times) == sides else None


def _sides(shape: Shape, axis: int) -> tuple[int | str | None, ...]:
    """Give the sides that are not the channels: rows and columns."""
    return tuple(shape[1:3] if axis == LAST else shape[2:4])


def _why_not(output: NodeArg, card: Card, *, bands_last: bool) -> str:
    shape = output.shape
    if output.type not in _SCORES or len(shape) == IMAGES - 1:
        return class_ids(f"{output.type.removeprefix('tensor')} of shape {shape}")
    if len(shape) != IMAGES:
        return (
            f"must give scores of {IMAGES} dimensions, a channel for each class; "
            f"{output.name} has shape {shape}"
        )
    return misfit(shape, (card.tile, card.tile), card, bands_last=bands_last)


def class_ids(found: str) -> str:
    """Say that classes come out where scores are needed."""
    return (
        f"gives {found}: class ids, not scores; export it without ArgMax, so that "
        f"geoseg blends tiles by the score of each class, or say "
        f"`activation='labels'`: tiles vote then, and confidence is not known"
    )


def misfit(
    shape: Shape, sides: tuple[int, int], card: Card, *, bands_last: bool
) -> str:
    """Say what of an output's shape is not as it must be."""
    likely = LAST if bands_last else SECOND
    fitting = [axis for axis in (SECOND, LAST) if _sides(shape, axis) == sides]
    axis = next((p for p in fitting if p == likely), fitting[0] if fitting else likely)
    if not _may_be(shape[axis], card.outputs):
        wanted = " or ".join(map(str, card.outputs))
        return (
            f"gives {shape[axis]} channels, and {len(card.legend)} classes are "
            f"declared, which are {wanted} with the activation {card.activation}; "
            f"declare a class for each channel"
        )
    rows, cols = _sides(shape, axis)
    return (
        f"gives {rows} x {cols} pixels for a tile of {sides[0]} x {sides[1]}; "
        f"geoseg needs a score for every pixel, or for squares of whole pixels"
    )
