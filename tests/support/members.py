"""Members cut from the sample: what a folder of imagery looks like, made small."""

from __future__ import annotations

import numpy as np
import rasterio
from paths import ROOT

SCENE = ROOT / "sample_aoi" / "scene.tif"
COMPRESSIONS = ("deflate", "lzw", "zstd", "packbits", None)


def write_raster(path, pixels, transform, *, crs="EPSG:32633", names=(), **profile):
    """Write pixels (band, y, x) with their transform and their bands' names."""
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    settings = {"nodata": 0, **profile}
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=transform, **shape, **settings
    ) as dataset:
        dataset.write(pixels)
        for index, name in enumerate(names[:count], start=1):
            dataset.set_band_description(index, name)
    return path


def sample(rows, cols, bands=(1, 2, 3)):
    """Read a part of the sample: pixels, transform and band names."""
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window.from_slices(rows, cols)
        pixels = dataset.read(list(bands), window=window)
        names = [dataset.descriptions[band - 1] for band in bands]
        return pixels, dataset.window_transform(window), names


def cut_sample(path, rows, cols):
    """Write a part of the sample, with all of its bands."""
    pixels, transform, names = sample(rows, cols, range(1, 11))
    return write_raster(path, pixels, transform, names=names, compress="deflate")


def cut_members(folder, *, rows=6, cols=10, side=60, overlap=12, bands=(1, 2, 3)):
    """Cut overlapping members from the sample, some with gaps, compressed in all ways.

    Member (i, j) begins at pixel (i, j) times the side; it reaches into its neighbours
    by the overlap, and holds their number plus a little, so that it shows which member
    counts. Every seventh has no data in a corner.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = rows * side + overlap, cols * side + overlap
    whole, transform, names = sample((0, height), (0, width), bands)
    for index, (i, j) in enumerate(np.ndindex(rows, cols)):
        part = slice(i * side, (i + 1) * side + overlap)
        part = part, slice(j * side, (j + 1) * side + overlap)
        pixels = whole[(slice(None), *part)] + np.uint16(index + 1)
        if index % 7 == 0:
            pixels[:, :20, :20] = 0
        write_raster(
            folder / f"member_{i}_{j}.tif",
            pixels,
            transform @ rasterio.Affine.translation(part[1].start, part[0].start),
            names=names,
            compress=COMPRESSIONS[index % len(COMPRESSIONS)],
        )
    return folder
