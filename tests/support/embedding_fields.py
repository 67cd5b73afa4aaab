"""Fields of learned features in the layouts that they are published in, made small.

The features are made up: directions of length 1, one for each class of stripes, with
noise. AlphaEarth's files are int8 COGs with overviews; copies are stored south-up.
"""

from __future__ import annotations

import numpy as np
import rasterio
from affine import Affine
from rasterio.shutil import copy
from rasterio.vrt import WarpedVRT

ALPHAEARTH = tuple(f"A{number:02}" for number in range(64))
TESSERA = tuple(f"Tessera_Band_{number}" for number in range(128))


def vectors(classes, bands=64, *, noise=0.05, seed=0):
    """Make unit vectors (band, y, x) that distinguish classes (y, x)."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(int(classes.max()) + 1, bands))
    found = centres[classes].transpose(2, 0, 1) / np.sqrt(bands)
    found = found + rng.normal(0, noise, found.shape)
    return found / np.linalg.norm(found, axis=0)


def quantised(values):
    """Write values of -1 to 1 in the int8 numbers that stand for them."""
    return np.rint(np.sign(values) * np.sqrt(np.abs(values)) * 127.5).clip(
        -127, 127
    ).astype(np.int8)  # fmt: skip


def dequantised(numbers):
    """Give what numbers stand for, in float64: Google's own words, term by term."""
    v = numbers.astype(np.float64)
    return np.sign(v) * (np.abs(v) / 127.5) ** 2


def write_alphaearth(
    path, numbers, transform, *, crs="EPSG:32632", names=ALPHAEARTH, **more
):
    """Write int8 numbers (band, y, x) as a tiled COG with overviews and names."""
    count, height, width = numbers.shape
    plain = path.with_name(f"plain_{path.name}")
    with rasterio.open(
        plain, "w", driver="GTiff", count=count, height=height, width=width,
        dtype="int8", crs=crs, transform=transform, nodata=-128, tiled=True,
        blockxsize=64, blockysize=64,
    ) as dataset:  # fmt: skip
        dataset.write(numbers)
        for index, name in enumerate(names[:count], start=1):
            dataset.set_band_description(index, name)
        dataset.update_tags(**more)
        dataset.build_overviews([2], rasterio.enums.Resampling.nearest)
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    copy(plain, path, driver="GTiff", compress="zstd", copy_src_overviews=True, **tiles)
    plain.unlink()
    return path


def write_south_up(path, numbers, transform, **more):
    """Write a copy whose first row is the southernmost, and a .vrt that turns it."""
    height = numbers.shape[1]
    turned = transform @ Affine.translation(0, height) @ Affine.scale(1, -1)
    write_alphaearth(path, numbers[:, ::-1], turned, **more)
    vrt = path.with_suffix(".vrt")
    with (
        rasterio.open(path) as source,
        WarpedVRT(
            source, crs=source.crs, transform=transform, height=height,
            width=numbers.shape[2],
        ) as warped,
    ):  # fmt: skip
        copy(warped, vrt, driver="VRT")
    return vrt


def write_tessera(path, values, transform, *, crs="EPSG:32632", **tags):
    """Write float vectors (band, y, x) as geotessera exports them."""
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width,
        dtype="float32", crs=crs, transform=transform, compress="lzw", tiled=True,
        blockxsize=64, blockysize=64,
    ) as dataset:  # fmt: skip
        dataset.write(values.astype(np.float32))
        for index in range(count):
            dataset.set_band_description(index + 1, TESSERA[index])
        dataset.update_tags(**tags)
    return path


def write_tessera_pair(folder, values, transform, *, crs="EPSG:32632"):
    """Write int8 numbers and each pixel's scale, NaN without data, as two files."""
    scales = (np.abs(values).max(axis=0) / 127).astype(np.float32)
    numbers = np.rint(np.nan_to_num(values / scales)).astype(np.int8)
    height, width = scales.shape
    shape = {"height": height, "width": width, "crs": crs, "transform": transform}
    with rasterio.open(
        folder / "grid.tif", "w", count=len(numbers), dtype="int8", **shape
    ) as dataset:
        dataset.write(numbers)
        for index in range(len(numbers)):
            dataset.set_band_description(index + 1, TESSERA[index])
    with rasterio.open(
        folder / "grid_scales.tif",
        "w",
        count=1,
        dtype="float32",
        nodata=np.nan,
        **shape,
    ) as dataset:
        dataset.write(scales[np.newaxis])
    return numbers, scales
