"""Features that files hold as whole numbers of 8 bits: what these stand for.

AlphaEarth's number v stands for sign(v) (|v| / 127.5)^2, and -128 for no data;
TESSERA's for v times the scale of its pixel, which is in a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.embeddings import ALPHAEARTH_ONE
from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASKED = -128
"""AlphaEarth's number for no data, which all bands have at once."""


def decode(
    stored: NDArray[np.generic],
    data: NDArray[np.bool_],
    scales: NDArray[np.generic] | None,
    out: NDArray[np.generic] | None = None,
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Give what numbers stand for.

    Args:
        stored: As the file holds them, shape ``(band, y, x)``.
        data: Where the file says that there is data, that shape or ``(1, y, x)``.
        scales: TESSERA's, of each pixel, ``(1, y, x)``, or of each number, NaN without
            data; None for AlphaEarth.
        out: Where values go, float32; a new array where None.

    Returns:
        Values, float32, and where there is data, ``(1, y, x)``: in all of the bands, or
        in none.

    """
    values = np.empty(stored.shape, np.float32) if out is None else out
    has = np.all(data, axis=0, keepdims=True)
    if scales is None:
        decode_alphaearth(stored, values, has[0])
    else:
        with np.errstate(invalid="ignore"):
            np.multiply(stored, scales.astype(np.float32, copy=False), out=values)
        has &= np.isfinite(scales).all(axis=0)
    return values, has


def where_stored(
    stored: NDArray[np.generic], data: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Say where AlphaEarth's numbers are data, ``(1, y, x)``: see `decode`."""
    has: NDArray[np.bool_] = np.all(data, axis=0, keepdims=True)
    _mark_missing(stored, has[0])
    return has


@kernel
def _mark_missing(stored: NDArray[np.generic], has: NDArray[np.bool_]) -> None:
    """Set `has` to False where a band has no data."""
    for band in range(stored.shape[0]):
        for row in range(stored.shape[1]):
            line, there = stored[band, row], has[row]
            for col in range(stored.shape[2]):
                there[col] &= line[col] != MASKED


@kernel
def decode_alphaearth(
    stored: NDArray[np.generic], values: NDArray[np.generic], has: NDArray[np.bool_]
) -> None:
    """Undo the quantisation of AlphaEarth.

    v |v| is a whole number below 2^15 and 127.5^2 a float32, so that their quotient is
    the float32 next to the exact value.

    Args:
        stored: int8, shape ``(band, y, x)``.
        values: Where values go, float32, the same shape.
        has: Set to False where a band has no data, shape ``(y, x)``.

    """
    unit = np.float32(ALPHAEARTH_ONE)
    for band in range(stored.shape[0]):
        for row in range(stored.shape[1]):
            line, found, there = stored[band, row], values[band, row], has[row]
            for col in range(stored.shape[2]):
                number = np.float32(line[col])
                found[col] = number * abs(number) / unit
                there[col] &= line[col] != MASKED


def block_means(
    values: NDArray[np.generic], data: NDArray[np.bool_], shape: tuple[int, int]
) -> np.ma.MaskedArray:
    """Average blocks of pixels to a picture, or repeat them where it is larger.

    Args:
        values: Shape ``(band, y, x)``.
        data: Which of them count, ``(band, y, x)``, or ``(1, y, x)`` in all bands.
        shape: Rows and columns of the picture.

    Returns:
        Means, float32, shape ``(band, *shape)``, masked where nothing counts.

    """
    if shape == data.shape[1:]:
        return np.ma.MaskedArray(values, mask=np.broadcast_to(~data, values.shape))
    rows, cols = (
        np.arange(wanted + 1) * length // wanted
        for wanted, length in zip(shape, data.shape[1:], strict=True)
    )
    means = np.empty((len(values), *shape), np.float32)
    hidden = np.empty(means.shape, np.bool_)
    _average_blocks(values, data, rows, cols, means, hidden)
    return np.ma.MaskedArray(means, mask=hidden)


@kernel
def _average_blocks(  # a kernel takes no objects
    values: NDArray[np.generic],
    data: NDArray[np.bool_],
    rows: NDArray[np.int64],
    cols: NDArray[np.int64],
    means: NDArray[np.float32],
    hidden: NDArray[np.bool_],
) -> None:
    """Set `means` and where nothing counts, both ``(band, y, x)``.

    A block reaches from one of `rows` and `cols` to the next, a pixel at least.
    """
    for band in range(means.shape[0]):
        pixels, counts = values[band], data[min(band, len(data) - 1)]
        for i in range(means.shape[1]):
            bottom = max(rows[i + 1], rows[i] + 1)
            for j in range(means.shape[2]):
                right = max(cols[j + 1], cols[j] + 1)
                total, count = np.float32(0), 0
                for y in range(rows[i], bottom):
                    for x in range(cols[j], right):
                        if counts[y, x]:
                            total += np.float32(pixels[y, x])
                            count += 1
                means[band, i, j] = total / np.float32(max(count, 1))
                hidden[band, i, j] = count == 0
