"""Class maps in memory, of every awkward kind."""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from pyproj import CRS
from scipy import ndimage

from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.geo.windows import Window

LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#336699") for i in range(6)))
PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
FLAT = 'LOCAL_CS["a building site",UNIT["metre",1]]'
"""A CRS that is nowhere on Earth, where what is drawn is as large as it is drawn."""


@dataclass
class ArrayMap:
    """A class map in memory that refuses to be read outside its pixels."""

    pixels: np.ndarray
    transform: Affine = PLANE
    crs: str = "EPSG:32633"

    @property
    def geobox(self):
        crs = CRS.from_user_input(self.crs)
        return GeoBox(*self.pixels.shape, self.transform, crs)

    def read(self, window):
        assert Window(0, 0, *self.pixels.shape).contains(window)
        return self.pixels[window.slices()]


def spiral(side):
    """Wind one class around another, one pixel wide."""
    pixels = np.zeros((side, side), np.uint8)
    row, col, step = 0, 0, (0, 1)
    pixels[row, col] = 1
    for length in [side - 1, *np.repeat(np.arange(side - 1, 1, -2), 2)]:
        for _ in range(length):
            row, col = row + step[0], col + step[1]
            pixels[row, col] = 1
        step = step[1], -step[0]
    return pixels


def nested_rings(side):
    """Put rings of changing class inside each other, with nodata between some."""
    rows, cols = np.indices((side, side))
    depth = np.minimum(np.minimum(rows, cols), side - 1 - np.maximum(rows, cols))
    return np.choose(depth % 4, [0, 1, NODATA, 2]).astype(np.uint8)


def terrain(seed, shape, smoothness):
    """Make patches with winding boundaries, islands, and lakes on the islands."""
    noise = np.random.default_rng(seed).normal(size=shape)
    height = ndimage.gaussian_filter(noise, smoothness)
    pixels = np.digitize(height, np.quantile(height, [0.25, 0.5, 0.75]))
    return np.where(pixels == 3, NODATA, pixels).astype(np.uint8)


ADVERSARIES = {
    "checkerboard": np.indices((17, 19)).sum(axis=0).astype(np.uint8) % 2,
    "checkerboard with nodata": np.where(
        np.indices((19, 17)).sum(axis=0) % 2, 0, NODATA
    ).astype(np.uint8),
    "spiral": spiral(33),
    "nested rings": nested_rings(37),
    "noise": np.random.default_rng(7).integers(0, 6, (41, 37)).astype(np.uint8),
    "terrain": terrain(5, (61, 67), 2),
    "one region": np.full((23, 5), 3, np.uint8),
    "all nodata": np.full((7, 11), NODATA, np.uint8),
    "one pixel": np.zeros((1, 1), np.uint8),
    "one row": np.array([[0, 0, 1, NODATA, 1, 2, 2, 0, 0]], np.uint8),
    "one column": np.array([[0], [1], [1], [NODATA], [1]], np.uint8),
    "two holes that touch": np.array(
        [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], np.uint8
    ),
    "a shell that touches itself": np.array(
        [[0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]], np.uint8
    ),
}
