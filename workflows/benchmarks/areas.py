"""What areas by district take: many districts on one large map, in one process.

    python workflows/benchmarks/areas.py --side 16384 --zones 1000

Makes a map of patches, and districts of crooked borders that cover it (a Voronoi
diagram); says CPU seconds, the peak of memory, and how far the sums over all districts
are from the areas of the map as a whole. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.windows import Window
from scipy import ndimage

import geoseg

PLANE = Affine(10, 0, 399_960, 0, -10, 5_900_040)
NAMES = ("field", "wood", "lake", "town")
TILE = 1024


def make_map(path: Path, side: int) -> None:
    """Write a class map of patches, mirrored from one tile of them."""
    rng = np.random.default_rng(0)
    height = ndimage.gaussian_filter(rng.normal(size=(TILE, TILE)), 9, mode="wrap")
    tile = np.digitize(height, np.quantile(height, [0.4, 0.7, 0.9])).astype(np.uint8)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 255}
    profile |= {"tiled": True, "compress": "deflate", "crs": "EPSG:32633"}
    profile |= {"height": side, "width": side, "transform": PLANE}
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side, TILE):
            for col in range(0, side, TILE):
                high, wide = min(TILE, side - row), min(TILE, side - col)
                window = Window(col, row, wide, high)
                dataset.write(tile[:high, :wide], 1, window=window)
        legend = [
            {"id": i, "name": name, "colour": f"#{i}08040"}
            for i, name in enumerate(NAMES)
        ]
        dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))


def make_zones(path: Path, side: int, count: int) -> None:
    """Write districts that cover the map's ground."""
    rng = np.random.default_rng(1)
    (left, top), (right, bottom) = PLANE @ (0, 0), PLANE @ (side, side)
    ground = shapely.box(left, bottom, right, top)
    seeds = shapely.multipoints(rng.uniform((left, bottom), (right, top), (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=ground))
    zones = shapely.intersection(cells, ground)
    names = [f"district {number}" for number in range(len(zones))]
    geopandas.GeoDataFrame({"name": names}, geometry=zones, crs=32633).to_file(path)


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--zones", type=int, default=1000)
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.scratch) as name:
        folder = Path(name)
        make_map(folder / "map.tif", given.side)
        make_zones(folder / "zones.gpkg", given.side, given.zones)
        whole = geoseg.areas(folder / "map.tif").to_frame()
        imports = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, started = time.process_time(), time.monotonic()
        found = geoseg.areas(
            folder / "map.tif",
            zones=folder / "zones.gpkg",
            by="name",
            output=folder / "areas.csv",
        ).to_frame()
        seconds, wall = time.process_time() - begun, time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sums = found.groupby("class_name")["area_ha"].sum()
    total = whole.set_index("class_name")["area_ha"]
    off = float((sums / total - 1).abs().max())
    memory = f"peak {peak / 1024:.0f} MB ({imports / 1024:.0f} MB before)"
    size = f"{given.zones:,} districts on {given.side} x {given.side} px"
    took = f"{seconds:.1f} CPU s, {wall:.1f} s"
    print(f"{size}: {took}, {memory}, sums off by {off:.1e}")


if __name__ == "__main__":
    main()
