"""What a raster makes somebody decode to see one of its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    import rasterio

MOST_BLOCK_BYTES = 2_000_000_000
"""What a compressed block may hold once it is decoded: it is decoded as a whole."""
_LARGEST_ITEM = 16


def block_bytes(dataset: rasterio.DatasetReader) -> int:
    """Count the bytes that are decoded to see one pixel of all bands."""
    shapes = zip(dataset.block_shapes, dataset.dtypes, strict=True)
    return sum(rows * cols * _itemsize(dtype) for (rows, cols), dtype in shapes)


def _itemsize(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize
    except TypeError:  # one that numpy lacks, of complex integers
        return _LARGEST_ITEM


def check_blocks(path: str, dataset: rasterio.DatasetReader) -> None:
    """Refuse blocks that nobody can decode without gigabytes of memory.

    Raises:
        SceneError: One is too large.

    """
    size, structure = block_bytes(dataset), dataset.tags(ns="IMAGE_STRUCTURE")
    if structure.get("INTERLEAVE") != "PIXEL":  # a VRT may say anything
        size //= max(dataset.count, 1)  # a container of others has no band
    if structure.get("COMPRESSION") and size > MOST_BLOCK_BYTES:
        rows, cols = dataset.block_shapes[0]
        raise SceneError(
            f"{without_secrets(path)} is compressed in blocks of {rows:,} x {cols:,} "
            f"pixels, {size / 1e9:,.1f} GB each once they are decoded, and "
            f"{MOST_BLOCK_BYTES / 1e9:,.1f} GB are the most; write it in small tiles: "
            f"gdal_translate -of COG in.tif out.tif"
        )
