"""How a picture of a raster is cut into parts whose blocks GDAL's cache holds.

GDAL averages band by band. Where its cache does not hold all blocks that a part
touches, it decodes each of them anew for every band: 64 times for 64 bands.
"""

from __future__ import annotations

from itertools import pairwise

CACHED = 48_000_000
"""The bytes of decoded blocks that a part may touch; the cache holds a few more."""

Span = tuple[int, int]


def cut_for_cache(
    shape: tuple[int, int],
    source: tuple[int, int],
    block: tuple[int, int],
    pixel_bytes: int,
) -> list[tuple[Span, Span]]:
    """Cut a picture, into strips of whole rows where a row of blocks is not too long.

    Args:
        shape: Rows and columns of the picture.
        source: Rows and columns of the pixels that are read for it.
        block: Rows and columns of the file's blocks.
        pixel_bytes: The bytes of a pixel of all bands, which blocks may hold.

    Returns:
        Rows and columns of the picture, ``((first, end), (first, end))``, row by row.

    """
    pixels = CACHED // pixel_bytes
    long = -(-source[1] // block[1]) * block[1]
    high, wide = _within(pixels // long, block[0]), source[1]
    if high == 0:
        high = block[0]
        wide = max(_within(pixels // (2 * high), block[1]), block[1])
    rows, cols = (
        _spans(length, -(-there // step))
        for length, there, step in zip(shape, source, (high, wide), strict=True)
    )
    return [(row, col) for row in rows for col in cols]


def _within(pixels: int, block: int) -> int:
    """Say how long a part may be that touches no more pixels, wherever it begins."""
    return max(pixels // block - 1, 0) * block


def _spans(length: int, count: int) -> list[Span]:
    count = max(min(count, length), 1)
    return list(pairwise(length * index // count for index in range(count + 1)))
