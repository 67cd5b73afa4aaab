"""Polygons whose vertices were rounded: whatever GEOS finds broken is found, too."""

import numpy as np
import pytest
import shapely
from maps import LEGEND, ArrayMap, terrain

from geoseg.storage.vectors.crossings import find_doubtful
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import polygons

DRAWINGS = {
    "exact": Drawing(),
    "simplified": Drawing(tolerance=1.5),
    "smooth": Drawing(tolerance=1.0, smoothing=2),
    "by corners": Drawing(connectivity=8, tolerance=1.0),
    "dissolved": Drawing(dissolve=True, tolerance=1.0),
}


def doubtful(shapes, moved):
    """Ask of polygons, or multipolygons, whose vertices become others."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    _, points, (rings, ends) = shapely.to_ragged_array(parts, include_z=False)
    rows = ends[np.searchsorted(owner, np.arange(len(shapes) + 1))]
    return find_doubtful(points, np.rint(moved(points)), rings, rows)


def drawn(seed, drawing):
    raster = ArrayMap(terrain(seed, (50, 60), 1).astype(np.uint8))
    return polygons(raster, legend=LEGEND, drawing=drawing).geometry.to_numpy()


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("grain", [0.05, 1, 4, 10, 15])
def test_what_rounding_breaks_is_doubted(name, grain):
    """A pixel has ten units: 15 of them break nearly all, a twentieth none."""
    broken = 0
    for seed in range(4):
        shapes = drawn(seed, DRAWINGS[name])
        turned = np.array([[0.94, 0.34], [-0.34, 0.94]])  # no side along an axis

        def moved(points, turned=turned):
            return (points - points.min(axis=0)) @ turned / grain

        after = shapely.transform(shapes, lambda points: np.rint(moved(points)))
        invalid = ~shapely.is_valid(after)
        found = doubtful(shapes, moved)
        assert found[invalid].all()
        broken += invalid.sum()
        if grain < 1:
            assert not found.any()
    assert broken or grain < 10


def square(left, bottom, side=10):
    return shapely.box(left, bottom, left + side, bottom + side)


def test_islands_that_touch_at_a_corner_may_go_on_to():
    sea = square(0, 0, 100).difference(
        shapely.union_all([square(20, 20), square(30, 30), square(60, 60)])
    )
    assert not doubtful(np.array([sea]), lambda points: points * 3).any()


@pytest.mark.parametrize(
    ("shape", "moved"),
    [
        ([(0, 0), (9, 0), (9, 9), (0, 9)], {(9, 9): (9, 0)}),
        ([(0, 0), (9, 0), (9, 9), (5, 1), (0, 9)], {(5, 1): (5, 0)}),
        ([(0, 0), (9, 0), (9, 9), (5, 1), (0, 9)], {(5, 1): (5, -1)}),
        ([(0, 0), (9, 0), (9, 9), (5, 1), (5, 9), (0, 9)], {(9, 9): (4, 9)}),
        ([(0, 0), (9, 0), (9, 9), (1, 1), (0, 9)], {(1, 1): (0, 0)}),
    ],
    ids=["two are one", "on a side", "beyond it", "round a corner", "new touch"],
)
def test_each_way_of_breaking_is_doubted(shape, moved):
    polygon = np.array([shapely.Polygon(shape)])
    assert shapely.is_valid(polygon).all()
    assert not doubtful(polygon, lambda points: points * 8).any()

    def move(points):
        return np.array([moved.get(tuple(each), each) for each in points])

    assert doubtful(polygon, move).all()


def test_sides_too_long_to_be_multiplied_are_left_to_geos():
    assert doubtful(np.array([square(0, 0, 1 << 26)]), lambda points: points).all()
