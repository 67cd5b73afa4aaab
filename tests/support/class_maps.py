"""Small class maps and points, and the command line on them."""

from __future__ import annotations

import json

import geopandas
import rasterio
import rasterio.warp
from affine import Affine
from click.testing import CliRunner

from geoseg.cli import main

NAMES = {0: "field", 1: "wood", 2: "lake"}


LEGEND = json.dumps(
    [
        {"id": value, "name": name, "colour": colour}
        for (value, name), colour in zip(
            NAMES.items(), ("#e8c468", "#2d7a3a", "#2f78b7"), strict=True
        )
    ]
)


CORNER = Affine(10, 0, 399_960, 0, -10, 5_800_020)


def write(path, values, **profile):
    """Write a class raster of 10 m pixels in UTM 33 N."""
    settings = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": values.shape[0],
        "width": values.shape[1],
        "crs": "EPSG:32633",
        "transform": CORNER,
        "nodata": 255,
        "compress": "deflate",
        **profile,
    }
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(values, 1)
        dataset.update_tags(GEOSEG_LEGEND=LEGEND)
    return path


def points(path, positions, classes, *, crs="EPSG:32633", column="reference"):
    """Write points at centres of pixels (row, col)."""
    xy = [CORNER @ (col + 0.5, row + 0.5) for row, col in positions]
    frame = geopandas.GeoDataFrame(
        {column: classes}, geometry=geopandas.points_from_xy(*zip(*xy, strict=True)),
        crs="EPSG:32633",
    )  # fmt: skip
    frame.to_crs(crs).to_file(path)
    return path


def call(*arguments):
    return CliRunner().invoke(main, [str(each) for each in arguments])


def refuse(tmp_path, *arguments):
    before = {path.name for path in tmp_path.iterdir()}
    done = call(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (sentence,) = done.stderr.strip().splitlines()
    assert {path.name for path in tmp_path.iterdir()} == before
    return sentence
