"""How fast are pixels found that many polygons cover, beside GDAL's rasterizer?

    python workflows/benchmarks/polygon_rule.py [--polygons 100000] [--side 4096]

Voronoi cells of 250 classes fill a plane of pixels; both give each pixel the class of
the last cell that covers its centre, in turns, three times: `geoseg.rasterize` with all
that it does of labels. You learn seconds of each, the best of three, and on how
many pixels they differ.
"""

from __future__ import annotations

import argparse
import time

import geopandas
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS
from rasterio import features

import geoseg

NAMES = [f"class {number:03d}" for number in range(250)]


def main() -> None:
    """Make cells, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polygons", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=4096)
    given = parser.parse_args()
    side, transform = given.side, Affine(10, 0, 500_000, 0, -10, 5_900_000)
    geobox = geoseg.GeoBox(side, side, transform, CRS.from_epsg(32633))
    seeds = np.random.default_rng(0).uniform(0, side, (given.polygons, 2))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seeds)))
    cells = shapely.transform(cells, lambda p: np.column_stack(transform @ p.T))
    values = np.arange(len(cells)) % len(NAMES)  # neighbours rarely share one
    labels = geopandas.GeoDataFrame(
        {"class": np.array(NAMES)[values]}, geometry=cells, crs=geobox.crs
    )
    times: dict[str, list[float]] = {"this rule": [], "GDAL": []}
    for _ in range(3):
        started = time.perf_counter()
        ours = geoseg.rasterize(labels, geobox).to_numpy()
        times["this rule"].append(time.perf_counter() - started)
        started = time.perf_counter()
        theirs = features.rasterize(
            zip(cells, values, strict=True),
            out_shape=(side, side),
            transform=transform,
            fill=255,
            dtype="uint8",
        )
        times["GDAL"].append(time.perf_counter() - started)
    for name, seconds in times.items():
        print(f"{name}: {min(seconds):.2f} s for {len(cells):,} polygons")
    print(f"they differ on {(ours != theirs).sum():,} of {side * side:,} pixels")


if __name__ == "__main__":
    main()
