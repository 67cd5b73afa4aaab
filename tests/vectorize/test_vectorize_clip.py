"""Polygons end where the area does."""

import numpy as np
import pytest
import shapely
from affine import Affine
from maps import FLAT, LEGEND, ArrayMap
from pyproj import CRS

from geoseg.storage.vectors.rows import Batch, together
from geoseg.vectorize import clip as clip_module
from geoseg.vectorize.polygons import Drawing, polygons

ORIGIN = Affine(10, 0, 0, 0, -10, 370)
"""Puts the lower left corner of 37 rows of 10 m at (0, 0)."""


def noise(tolerance=0.0):
    pixels = np.random.default_rng(11).integers(0, 4, (37, 53)).astype(np.uint8)
    drawing = Drawing(tolerance=tolerance)
    return polygons(ArrayMap(pixels, ORIGIN, FLAT), legend=LEGEND, drawing=drawing)


@pytest.fixture(name="clip", params=[1000, 7])
def _clip(request, tmp_path):
    """Cut a frame that comes at once, or a few rows at a time."""

    def cut(frame, area):
        parts = [
            Batch.of(frame.iloc[first : first + request.param].reset_index(drop=True))
            for first in range(0, len(frame), request.param)
        ]
        clipped = clip_module.clip(parts, area, tmp_path / "waiting")
        return together([batch.frame() for batch in clipped])

    return cut


RING = shapely.Point(260, 180).buffer(170) - shapely.Point(240, 190).buffer(60)


@pytest.mark.parametrize("tolerance", [0, 1.5])
def test_what_is_left_covers_the_area_and_no_more(tolerance, clip):
    clipped = clip(noise(tolerance), RING)
    drawn = clipped.geometry.array
    assert shapely.is_valid(drawn).all()
    assert shapely.coverage_is_valid(drawn)
    assert clipped.area_m2.sum() == pytest.approx(RING.area, rel=1e-9)
    np.testing.assert_allclose(clipped.area_m2, shapely.area(drawn), rtol=1e-9)
    np.testing.assert_allclose(clipped.perimeter_m, shapely.length(drawn), rtol=1e-9)
    assert shapely.union_all(drawn).symmetric_difference(RING).area < 1e-6


def test_what_is_well_inside_is_untouched(clip):
    frame = noise()
    inside = frame[frame.within(RING.buffer(-1))].reset_index(drop=True)
    clipped = clip(inside, RING)
    assert clipped.to_wkb().equals(inside.to_wkb())


def test_what_only_touches_the_area_is_gone(clip):
    frame = polygons(ArrayMap(np.array([[0, 1, 2]], np.uint8), ORIGIN), legend=LEGEND)
    clipped = clip(frame, shapely.box(10, 360, 20, 370))
    assert clipped.class_id.tolist() == [1]
    assert clipped.index.tolist() == [0]


def test_an_area_elsewhere_leaves_nothing(clip):
    clipped = clip(noise(), shapely.box(-20, -20, -10, -10))
    assert len(clipped) == 0
    assert clipped.crs == CRS.from_user_input(FLAT)
