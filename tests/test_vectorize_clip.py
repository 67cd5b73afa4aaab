"""Polygons end where the area does."""

from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from geoseg.classes import LandClass, Legend
from geoseg.georef import Georef
from geoseg.vectorize.clip import clip
from geoseg.vectorize.polygons import Drawing, polygons

LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#336699") for i in range(4)))


@dataclass
class ArrayRaster:
    """A map in memory, of pixels of 10 m, its lower left corner at (0, 0)."""

    pixels: np.ndarray

    @property
    def georef(self):
        height, width = self.pixels.shape
        plane = Affine(10, 0, 0, 0, -10, 10 * height)
        return Georef(height, width, plane, CRS.from_epsg(32633))

    def read(self, window):
        return self.pixels[window.slices()]


def noise(tolerance=0.0):
    pixels = np.random.default_rng(11).integers(0, 4, (37, 53)).astype(np.uint8)
    drawing = Drawing(tolerance=tolerance)
    return polygons(ArrayRaster(pixels), legend=LEGEND, drawing=drawing)


RING = shapely.Point(260, 180).buffer(170) - shapely.Point(240, 190).buffer(60)


@pytest.mark.parametrize("tolerance", [0, 1.5])
def test_what_is_left_covers_the_area_and_no_more(tolerance):
    clipped = clip(noise(tolerance), RING)
    drawn = clipped.geometry.array
    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert clipped.area_m2.sum() == pytest.approx(RING.area, rel=1e-9)
    np.testing.assert_allclose(clipped.area_m2, shapely.area(drawn), rtol=1e-9)
    np.testing.assert_allclose(clipped.perimeter_m, shapely.length(drawn), rtol=1e-9)
    assert shapely.union_all(drawn).symmetric_difference(RING).area < 1e-6


def test_what_is_well_inside_is_untouched():
    frame = noise()
    inside = frame[frame.within(RING.buffer(-1))].reset_index(drop=True)
    clipped = clip(inside, RING)
    assert clipped.to_wkb().equals(inside.to_wkb())


def test_what_only_touches_the_area_is_gone():
    frame = polygons(ArrayRaster(np.array([[0, 1, 2]], np.uint8)), legend=LEGEND)
    clipped = clip(frame, shapely.box(10, 0, 20, 10))
    assert clipped.class_id.tolist() == [1]
    assert clipped.index.tolist() == [0]


def test_an_area_elsewhere_leaves_nothing():
    clipped = clip(noise(), shapely.box(-20, -20, -10, -10))
    assert len(clipped) == 0
    assert clipped.crs == CRS.from_epsg(32633)
