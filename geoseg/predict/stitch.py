"""Tile scores to classes and confidence, in integers on the device.

The score of a class at a pixel is the weighted mean of its probabilities in all
tiles that cover the pixel. It is summed in fixed point, because integer addition
has no order: the same bytes come out whatever finishes first. Of sums of nine
float32 contributions, almost half differ between two orders.

* A probability becomes ``round(probability * 2**14)``.
* A tile's weight is the product of one integer for the row and one for the
  column; along each axis the weights of the tiles that cover a pixel sum to
  exactly ``2**8``.
* So a score is at most ``2**30`` and int32 holds every partial sum. There is no
  weight raster and no division afterwards.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from torch import Tensor

from geoseg.errors import ShapeError
from geoseg.options import Blend
from geoseg.predict.fixed_point import (
    PROBABILITY_ONE,
    SCORE_BITS,
    SCORE_ONE,
    WEIGHT_ONE,
    add_weighted,
)
from geoseg.predict.one_pass import softmax
from geoseg.predict.streams import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.tiling import Axis, Tile
    from geoseg.geo.windows import Window

BLENDS: tuple[Blend, ...] = get_args(Blend)

_STRIP = 1 << 18
"""Numbers that a CPU handles at a time: a mebibyte, which its cache holds from one
operation to the next. Done so, a chain of them takes a third of the time."""


def axis_weights(axis: Axis, tile: int, blend: Blend) -> NDArray[np.int32]:
    """Give a tile's integer weights along one axis, shape ``(axis.tile,)``.

    Where two tiles overlap, their windows (a half-sample Hann window, never
    zero, for ``hann``) are normalised and rounded down, and what is missing to
    `WEIGHT_ONE` goes to the larger, so that they sum to it exactly. Where a
    neighbour does not exist, or does not reach, the weight is `WEIGHT_ONE`.
    """
    weights = np.full(axis.tile, WEIGHT_ONE, np.int32)
    rising = _rising_weights(axis.tile, axis.overlap, blend)
    if axis.overlap and tile > 0:
        weights[: axis.overlap] = rising
    if axis.overlap and tile < axis.tiles - 1:
        weights[-axis.overlap :] = WEIGHT_ONE - rising
    return weights


def _rising_weights(tile: int, overlap: int, blend: Blend) -> NDArray[np.int32]:
    """Weights of the later of two tiles over their overlap, shape ``(overlap,)``."""
    position = np.arange(overlap)
    if blend == "crop":
        return np.where(position >= overlap // 2, np.int32(WEIGHT_ONE), np.int32(0))
    if blend == "mean":
        return np.full(overlap, WEIGHT_ONE // 2, np.int32)
    later = np.sin(np.pi * (position + 0.5) / tile) ** 2
    earlier = later[::-1]
    share = WEIGHT_ONE * later / (later + earlier)
    # Rounded down where it is the smaller, up where it is the larger.
    rounded: NDArray[np.float64] = np.where(
        later < earlier, np.floor(share), np.ceil(share)
    )
    return rounded.astype(np.int32)


class Accumulator:
    """The running scores of a window of the scene, kept on one device.

    Threads may add tiles at the same time, each in a stream of its own on a GPU.
    """

    def __init__(self, window: Window, classes: int, device: torch.device) -> None:
        """Start with no tile.

        Memory: four bytes a class and pixel of the window.
        """
        self._window = window
        self._adding = Lock()
        self._sums = _zeros((classes, window.height, window.width), device)

    def add(
        self,
        probabilities: Tensor,
        view: Window,
        weights: tuple[NDArray[np.int32], NDArray[np.int32]],
    ) -> None:
        """Add a tile; what of it lies outside the window is left out.

        Args:
            probabilities: Float32, 0 to 1, shape ``(class, y, x)``, on the device.
            view: The tile's window in scene pixels, of the same height and width.
            weights: Its weights along the rows and along the columns.

        Raises:
            ShapeError: Probabilities and accumulator do not have the same classes,
                or probabilities and view not the same height and width.

        """
        expected = (self._sums.shape[0], view.height, view.width)
        if tuple(probabilities.shape) != expected:
            raise ShapeError(
                f"a tile's probabilities need shape {expected} (class, y, x), "
                f"got {tuple(probabilities.shape)}"
            )
        seen = view.intersection(self._window)
        if seen is None:
            return
        rows, cols = seen.relative_to(view).slices()
        by_row, by_col = weights[0][rows], weights[1][cols]
        if self._sums.device.type == "cpu":
            tile = np.ascontiguousarray(probabilities.numpy())
            corner = seen.relative_to(self._window)
            with self._adding:
                add_weighted(
                    tile,
                    (rows.start, cols.start),
                    (by_row, by_col),
                    self._sums.numpy(),
                    (corner.row, corner.col),
                )
        else:
            self._add(probabilities[:, rows, cols], (by_row, by_col), seen)

    def _add(
        self,
        probabilities: Tensor,
        weights: tuple[NDArray[np.int32], NDArray[np.int32]],
        seen: Window,
    ) -> None:
        """Do it by operations of torch's, on a GPU."""
        by_row, by_col = (torch.from_numpy(w).to(self._sums.device) for w in weights)
        fixed = (probabilities * PROBABILITY_ONE).round_().to(torch.int32)
        fixed.mul_(by_row[:, None] * by_col)
        sums = self.scores(seen)
        with self._adding:
            sums += fixed
            wait_for(sums.device)

    def scores(self, window: Window) -> Tensor:
        """Take the scores of a window inside the accumulator's.

        Returns:
            Int32, shape ``(class, y, x)``: a view, not a copy.

        """
        rows, cols = window.relative_to(self._window).slices()
        return self._sums[:, rows, cols]


def _zeros(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Give zeros of int32 on a device.

    On a CPU numpy asks for them in huge pages, each of which the kernel finds once: a
    block's 128 MB are there in a quarter of the time that torch's take.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=torch.int32, device=device)
    sums = np.empty(shape, np.int32)  # what zeros() gives has none
    sums.fill(0)
    return torch.from_numpy(sums)


def tile_weights(
    axes: tuple[Axis, Axis], tile: Tile, blend: Blend
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give a tile's weights along the rows and along the columns."""
    rows, cols = axes
    return axis_weights(rows, tile.row, blend), axis_weights(cols, tile.col, blend)


def class_probabilities(logits: Tensor) -> Tensor:
    """Take the softmax over the classes.

    Args:
        logits: Float32, shape ``(tile, class, y, x)``, in any memory layout.

    Returns:
        The same shape, summing to 1 over the classes, each class contiguous. A
        pixel with a logit that is not a number, or is infinite, becomes NaN.

    """
    if logits.device.type != "cpu":
        return logits.softmax(dim=1).contiguous()
    result = torch.empty_like(logits, memory_format=torch.contiguous_format)
    for given, made in zip(logits.numpy(), result.numpy(), strict=True):
        softmax(given, made)
    return result


def decide(scores: Tensor, calibrated: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Choose each pixel's class: the greatest score, the lowest channel on a tie.

    Args:
        scores: Complete scores, int32, shape ``(class, y, x)``.
        calibrated: Other scores of the same shape, of which the winner's is given.

    Returns:
        The winning channel and its score in percent of certainty, rounded half
        up, both uint8 of shape ``(y, x)``.

    """
    shape = scores.shape[1:]
    channel = torch.zeros(shape, dtype=torch.uint8, device=scores.device)
    percent = torch.empty_like(channel)
    for strip in by_strips(scores):
        part = scores[:, strip]
        best = part.amax(dim=0)
        # The first channel that has the best score is counted up to; argmax takes
        # longer, and promises which of equal maxima it gives on some devices only.
        later = torch.ones_like(best, dtype=torch.bool)
        for plane in part[:-1]:
            later &= plane != best
            channel[strip] += later
        if calibrated is not None:
            chosen = channel[strip].to(torch.int64)[None]
            best = calibrated[:, strip].gather(0, chosen)[0]
        hundredfold = best.to(torch.int64).mul_(100).add_(SCORE_ONE // 2)
        percent[strip] = hundredfold.bitwise_right_shift_(SCORE_BITS)
    return channel, percent


def by_strips(planes: Tensor) -> Iterator[slice]:
    """Cut ``(..., y, x)`` into strips of rows that a CPU's cache holds.

    A GPU gets all rows at once.
    """
    height = planes.shape[-2]
    of_a_row = max(planes.numel() // height, 1)
    rows = max(_STRIP // of_a_row, 1) if planes.device.type == "cpu" else height
    for start in range(0, height, rows):
        yield slice(start, min(start + rows, height))
