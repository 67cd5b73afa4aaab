"""One rule of which pixels a polygon covers, of training and measuring alike."""

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS
from shapely.geometry import LineString, Polygon, box

from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.overlay.coverage import NOBODY, uppermost
from geoseg.overlay.labels.shapes import ShapesOnGrid
from geoseg.overlay.reference.polygons import ReferencePolygons

UTM = CRS.from_epsg(32633)
SIZE = 37, 53
WHOLE = Window(0, 0, *SIZE)
PLANES = [
    GeoBox(*SIZE, Affine(10, 0, 500_000, 0, -10, 5_900_000), UTM),
    GeoBox(*SIZE, Affine(8, 6, 500_000, 6, -8, 5_900_000), UTM),
]


def cells(geobox):
    """Triangles that fill the plane; many corners and edges are on pixels' centres."""
    rng = np.random.default_rng(4)
    inner = rng.integers(0, SIZE[::-1], (60, 2)) + 0.5
    corners = [(-9, -9), (90, -9), (-9, 90), (90, 90)]
    points = shapely.MultiPoint(np.vstack((inner, corners)))
    found = shapely.get_parts(shapely.delaunay_triangles(points))
    return shapely.transform(found, lambda p: np.column_stack(geobox.transform @ p.T))


def centres(geobox):
    cols, rows = np.meshgrid(np.arange(SIZE[1]) + 0.5, np.arange(SIZE[0]) + 0.5)
    return shapely.points(*(geobox.transform @ (cols, rows)))


@pytest.mark.parametrize("geobox", PLANES, ids=["upright", "turned"])
def test_each_pixel_on_a_shared_edge_belongs_to_exactly_one_neighbour(geobox):
    shapes, points = cells(geobox), centres(geobox)
    alone = [uppermost([shape], geobox, WHOLE) != NOBODY for shape in shapes]
    assert (np.sum(alone, axis=0) == 1).all()
    inside = [shapely.contains_properly(each.buffer(-1e-6), points) for each in shapes]
    on_edges = np.sum(inside, axis=0) == 0
    assert on_edges.sum() > 50
    for mine, sure in zip(alone, inside, strict=True):
        assert mine[sure].all()


@pytest.mark.parametrize("geobox", PLANES, ids=["upright", "turned"])
def test_training_and_measuring_agree_in_every_window(geobox):
    shapes = cells(geobox)
    values = (np.arange(len(shapes)) % 250).astype(np.uint8)
    labels, reference = (
        ShapesOnGrid(geobox, shapes, values),
        ReferencePolygons(geobox, shapes, values),
    )
    whole = labels.read(WHOLE)
    assert np.array_equal(whole, reference.read(WHOLE))
    for window in (Window(0, 0, 11, 53), Window(7, 13, 30, 17), Window(36, 52, 1, 1)):
        assert np.array_equal(labels.read(window), whole[window.slices()])


def test_later_shapes_lie_on_top_whatever_their_kinds():
    geobox = PLANES[0]
    left, top = geobox.bounds.left, geobox.bounds.top
    field = box(left, top - 300, left + 300, top)
    hole = [(left + 100, top - 100), (left + 100, top - 200), (left + 200, top - 200)]
    road = LineString([(left + 5, top - 55), (left + 400, top - 55)])
    shapes = [field, road, box(left, top - 100, left + 100, top)]
    read = ShapesOnGrid(geobox, np.array(shapes), np.array([1, 2, 3], np.uint8)).read
    found = read(WHOLE)
    assert found[5].tolist() == [3] * 10 + [2] * 31 + [255] * 12
    assert found[20].tolist() == [1] * 30 + [255] * 23
    holed = Polygon(field.exterior.coords, [hole])
    covered = uppermost([holed], geobox, WHOLE) == 0
    expected = shapely.contains(holed.buffer(1e-6), centres(geobox))
    diagonal = shapely.intersects(Polygon(hole).exterior, centres(geobox))
    assert np.array_equal(covered[~diagonal], expected[~diagonal])


def test_a_polygon_with_a_corner_nowhere_covers_nothing():
    geobox = PLANES[0]
    lost = Polygon([(500_000, 5_900_000), (np.inf, 5_900_000), (500_100, 5_899_000)])
    found = uppermost([lost, box(0, 5e6, 1e6, 6e6)], geobox, WHOLE)
    assert (found == 1).all()
