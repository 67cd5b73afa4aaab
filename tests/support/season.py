"""A season of the sample: cloudy dates of it in two UTM zones, as a catalogue has them.

Clouds are painted in and reported by an SCL band, every other date has numbers raised
by 1000, as Sentinel-2's baseline 04.00 does, and every third lies in the zone beside.
"""

from __future__ import annotations

import json

import numpy as np
import rasterio
import shapely
from members import SCENE, write_raster
from rasterio.warp import (
    Resampling,
    calculate_default_transform,
    reproject,
    transform_bounds,
)

COLLECTION = "sentinel-2-l2a"
CLOUD, LAND, WHITE = 9, 4, 9000


def write_season(folder, *, side=160, dates=12, cloudy=0.4, seed=14):
    """Write the clear scene and the dates below a folder.

    Returns:
        The clear scene, items whose files are beside, and how many dates are clear at
        each pixel of it.

    """
    rng = np.random.default_rng(seed)
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window(0, 0, side, side)
        pixels, names = dataset.read(window=window), dataset.descriptions
        transform = dataset.window_transform(window)
    clear = write_raster(folder / "clear.tif", pixels, transform, names=names)
    bounds = rasterio.transform.array_bounds(side, side, transform)
    counts, items = np.zeros((side, side), int), []
    for date in range(dates):
        hidden = paint_clouds(rng, side, cloudy)
        counts += ~hidden
        added = 1000 * (date % 2)
        cloudy_pixels = np.where(hidden, WHITE, pixels) + added
        classes = np.where(hidden, CLOUD, LAND)[None]
        for name, bands in (("", cloudy_pixels.astype("uint16")),
                            ("_scl", classes.astype("uint8"))):  # fmt: skip
            path = folder / f"{date}{name}.tif"
            write_in_zone(path, bands, transform, 33 if date % 3 else 32)
        items.append(describe(date, names, bounds, 100 * hidden.mean(), added))
    return clear, items, counts


def paint_clouds(rng, side, share):
    """Paint round clouds until a share of a square is hidden."""
    rows, cols = np.mgrid[:side, :side]
    hidden = np.zeros((side, side), bool)
    while hidden.mean() < share:
        row, col = rng.uniform(0, side, 2)
        radius = rng.uniform(side / 20, side / 6)
        hidden |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    return hidden


def write_in_zone(path, pixels, transform, zone):
    """Write bands on their own pixels, or by the nearest on those of another zone."""
    crs = f"EPSG:326{zone}"
    if zone != 33:
        bounds = rasterio.transform.array_bounds(*pixels.shape[1:], transform)
        grid, width, height = calculate_default_transform(
            "EPSG:32633", crs, *pixels.shape[:0:-1], *bounds, resolution=10
        )
        moved = np.zeros((len(pixels), height, width), pixels.dtype)
        frames = {"src_crs": "EPSG:32633", "src_transform": transform}
        frames |= {"dst_crs": crs, "dst_transform": grid}
        reproject(pixels, moved, resampling=Resampling.nearest, **frames)
        pixels, transform = moved, grid
    write_raster(path, pixels, transform, crs=crs)


def describe(date, names, bounds, cloud, added):
    """Write the item of a date."""
    box = transform_bounds("EPSG:32633", "EPSG:4326", *bounds)
    kind = {"type": "image/tiff; application=geotiff", "roles": ["data"]}
    bands = {"image": [*names], "scl": ["SCL"]}
    files = {"image": f"{date}.tif", "scl": f"{date}_scl.tif"}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"date-{date}",
        "collection": COLLECTION,
        "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        "bbox": list(box),
        "properties": {
            "datetime": f"2024-{date + 1:02}-15T10:20:30Z",
            "eo:cloud_cover": cloud,
            "s2:processing_baseline": "05.00" if added else "02.04",
        },
        "links": [],
        "assets": {
            key: {"href": files[key], "eo:bands": [{"name": n} for n in bands[key]]}
            | kind
            for key in files
        },
    }
