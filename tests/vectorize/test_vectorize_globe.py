"""Polygons in degrees, wherever on the globe: what is read back is what was there."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine
from maps import LEGEND, ArrayMap, terrain
from pyproj import Geod, Transformer
from scipy import ndimage

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.storage.vectors.densify import SideLimits
from geoseg.storage.vectors.lonlat import ToLonlat
from geoseg.storage.vectors.to_lonlat import Way
from geoseg.storage.vectors.write import write_polygons
from geoseg.vectorize.polygons import Drawing, polygons

GEOD = Geod(ellps="WGS84")
TO_EQUAL_AREA = Transformer.from_crs(4326, 6933, always_xy=True)
WORLD = shapely.box(-180, -90, 180, 90)


def write(tmp_path, class_map, **drawing):
    """Write a map as GeoJSON; give the frame and the shapes that the file has."""
    frame = polygons(class_map, legend=LEGEND, drawing=Drawing(**drawing))
    path = tmp_path / "landcover.geojson"
    write_polygons(frame, path, legend=LEGEND)
    features = json.loads(path.read_text())["features"]
    shapes = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features]
    return frame, np.array(shapes, object)


def ground_area(shapes):
    """Measure shapes whose sides are straight in degrees, in square metres."""
    fine = shapely.segmentize(shapes, 0.02)
    flat = shapely.transform(
        fine, lambda xy: np.stack(TO_EQUAL_AREA.transform(*xy.T), axis=1)
    )
    return shapely.area(flat)


def pixel_areas(class_map):
    """Measure each pixel along geodesics between many points of its sides."""
    geobox = class_map.geobox
    to_degrees = Transformer.from_crs(geobox.crs, 4326, always_xy=True)
    ring = shapely.segmentize(shapely.box(0, 0, 1, 1), 0.05).exterior
    found = np.zeros((geobox.height, geobox.width))
    for row, col in np.ndindex(found.shape):
        cols, rows = np.asarray(ring.coords).T
        xs, ys = geobox.transform @ (cols + col, rows + row)
        lons, lats = to_degrees.transform(xs, ys)
        area, _ = GEOD.polygon_area_perimeter(lons, np.clip(lats, -90, 90))
        found[row, col] = abs(area)
    return found


def insides(class_map):
    """Give longitude and latitude of a point in each pixel, in [-180, 180).

    Not of its centre, which the antimeridian likes to pass.
    """
    geobox = class_map.geobox
    rows, cols = np.indices((geobox.height, geobox.width))
    xs, ys = geobox.transform @ (cols.ravel() + 0.43, rows.ravel() + 0.56)
    to_degrees = Transformer.from_crs(geobox.crs, 4326, always_xy=True)
    east, north = to_degrees.transform(xs, ys)
    return (np.asarray(east) + 180) % 360 - 180, np.asarray(north)


def check(class_map, shapes, *, is_ring=False):
    """Hold shapes against the pixels: valid, on the globe, each pixel in its own."""
    assert shapely.is_valid(shapes).all()
    assert not shapely.is_empty(shapes).any()
    assert shapely.covered_by(shapes, WORLD).all()
    if not is_ring:  # whose ends meet without knowing of each other
        assert shapely.coverage_is_valid(shapes)
    east, north = insides(class_map)
    inside = [shapely.contains_xy(shape, east, north) for shape in shapes]
    labels = np.zeros(class_map.pixels.shape, int)
    for value in np.unique(class_map.pixels[class_map.pixels != NODATA]):
        found, _ = ndimage.label(class_map.pixels == value)
        labels[found > 0] = found[found > 0] + labels.max()
    held = np.array(inside)
    on_globe = np.abs(north) < 90
    valid = (class_map.pixels.ravel() != NODATA) & on_globe
    assert (held.sum(axis=0)[on_globe] == valid[on_globe]).all()
    owner = held.argmax(axis=0)[valid]
    pairs = set(zip(owner.tolist(), labels.ravel()[valid].tolist(), strict=True))
    assert len(pairs) == len({shape for shape, _ in pairs})
    assert len(pairs) == len({label for _, label in pairs})
    assert on_globe.all() <= (len(pairs) == len(shapes))


RINGS = {"all degrees from Greenwich", "all degrees, centres on the edges"}
STEREO = Affine(250_000, 0, -2_500_000, 0, -250_000, 3_000_000)
PLANES = {
    "the Arctic, the pole a corner": (3413, STEREO),
    "the Arctic, the pole inside a pixel": (
        3413,
        STEREO @ Affine.translation(0.5, 0.5),
    ),
    "the Arctic, the pole on a side": (3413, STEREO @ Affine.translation(0.5, 0)),
    "the Arctic, the pole all but on a side": (
        3413,
        STEREO @ Affine.translation(0.3, 1e-9),
    ),
    "the Arctic, turned": (3413, STEREO @ Affine.rotation(30, (10, 12))),
    "the Antarctic": (3031, STEREO),
    "the Antarctic, equal areas": (6932, STEREO @ Affine.translation(0.2, 0.7)),
    "the Arctic, equal areas": (6931, STEREO),
    "the Arctic, seen from Europe": (
        3035,
        Affine(250_000, 0, 2_000_000, 0, -250_000, 9_500_000),
    ),
    "the north, from a plane that is conic": (
        3979,
        Affine(250_000, 0, -2_700_000, 0, -250_000, 5_000_000),
    ),
    "a zone across the antimeridian": (
        32601,
        Affine(20_000, 0, 300_000, 0, -20_000, 7_200_000),
    ),
    "Mercator across the antimeridian": (
        3857,
        Affine(100_000, 0, 19_000_000, 0, -100_000, 8_000_000),
    ),
    "the Pacific": (3832, Affine(500_000, 0, -5_200_000, 0, -500_000, 6_000_000)),
    "a pole that was moved": (
        (
            "+proj=ob_tran +o_proj=longlat +o_lat_p=39.25 +lon_0=18 +ellps=WGS84 "
            "+to_meter=0.0174532925199433 +no_defs"
        ),
        Affine(5, 0, -50, 0, -5, 88),
    ),
    "degrees beyond 180": (4326, Affine(2, 0, 165, 0, -2, 20)),
    "degrees far beyond 180": (4326, Affine(0.1, 0, 205, 0, -0.1, 20)),
    "degrees before -180": (4326, Affine(2, 0, -200, 0, -2, 20)),
    "degrees over more than half the globe": (4326, Affine(10, 0, -100, 0, -3, 40)),
    "all degrees": (4326, Affine(360 / 21, 0, -180, 0, -180 / 23, 90)),
    "all degrees from Greenwich": (4326, Affine(360 / 21, 0, 0, 0, -180 / 23, 90)),
    "all degrees, centres on the edges": (
        4326,
        Affine(360 / 21, 0, -180 - 180 / 21, 0, -180 / 22, 90 + 90 / 22),
    ),
    "grads from Paris": (4807, Affine(18, 0, -210, 0, -4, 60)),
    "all the world as squares": (
        4087,
        Affine(40075016.68557849 / 21, 0, -20037508.342789244, 0, -870_000, 10_000_000),
    ),
    "all the world in Mercator": (
        3857,
        Affine(40075016.68557849 / 21, 0, -20037508.342789244, 0, -1_700_000, 1.95e7),
    ),
    "all the world, equal areas": (
        6933,
        Affine(34735060.9 / 21, 0, -17367530.45, 0, -630_000, 7_250_000),
    ),
}


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("kind", ["terrain", "noise", "continents", "one class"])
def test_wherever_a_map_lies_each_pixel_is_in_its_own_polygon(tmp_path, plane, kind):
    crs, transform = PLANES[plane]
    pixels = {
        "terrain": terrain(5, (23, 21), 1.5),
        "noise": np.random.default_rng(2).integers(0, 3, (23, 21)).astype(np.uint8),
        "continents": np.where(terrain(9, (23, 21), 1) == 1, 1, 0).astype(np.uint8),
        "one class": np.zeros((23, 21), np.uint8),
    }[kind]
    class_map = ArrayMap(pixels, transform, crs)
    frame, shapes = write(tmp_path, class_map)
    assert len(frame) == len(shapes)
    check(class_map, shapes, is_ring=plane in RINGS)


@pytest.mark.parametrize("plane", PLANES)
def test_areas_of_what_is_read_back_are_those_of_the_pixels(tmp_path, plane):
    crs, transform = PLANES[plane]
    class_map = ArrayMap(terrain(5, (23, 21), 1.5), transform, crs)
    frame, shapes = write(tmp_path, class_map, dissolve=True)
    areas = pixel_areas(class_map)
    there = [areas[class_map.pixels == value].sum() for value in frame["class_id"]]
    np.testing.assert_allclose(ground_area(shapes), there, rtol=2e-3)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32633, Affine(10, 0, 250_000, 0, -10, 6_900_020)),
        (3413, Affine(100, 0, 250_000, 0, -100, 120_000)),
        (3035, Affine(100, 0, 2_500_000, 0, -100, 4_500_000)),
    ],
)
def test_long_sides_run_where_they_were_and_neighbours_share_them(
    tmp_path, crs, transform
):
    pixels = np.zeros((60, 11_000), np.uint8)
    pixels[:, 7_000:] = 1
    pixels[20:, 900:10_500] = 2
    pixels[30:33, 2_000:9_000] = 0
    class_map = ArrayMap(pixels, transform, crs)
    frame, shapes = write(tmp_path, class_map)
    back = Transformer.from_crs(4326, crs, always_xy=True)
    fine = shapely.segmentize(shapes, 0.001)
    located = shapely.transform(
        fine, lambda xy: np.stack(back.transform(*xy.T), axis=1)
    )
    side = transform.a
    assert shapely.hausdorff_distance(located, frame.geometry).max() < 0.1 * side
    assert shapely.coverage_is_valid(shapes)


def test_bent_sides_of_straightened_arcs_are_shared_too(tmp_path):
    pixels = terrain(3, (211, 307), 25)
    class_map = ArrayMap(pixels, Affine(3_000, 0, 200_000, 0, -3_000, 8_000_000))
    _, shapes = write(tmp_path, class_map, tolerance=5.0)
    plain, _ = write(tmp_path, class_map)
    assert shapely.coverage_is_valid(shapes)
    assert len(shapes) == len(plain)


def test_no_side_that_bends_is_taken_for_a_short_one(tmp_path, monkeypatch):
    planes = ["the Arctic, turned", "a zone across the antimeridian", "the Pacific"]
    maps = [
        ArrayMap(terrain(5, (23, 21), 1), PLANES[p][1], PLANES[p][0]) for p in planes
    ]
    maps.append(ArrayMap(terrain(5, (301, 211), 20), Affine(1e3, 0, 1e6, 0, -1e3, 7e6)))
    drawing = {"tolerance": 3.0}
    screened = [write(tmp_path, each, **drawing)[1] for each in maps]
    monkeypatch.setattr(
        SideLimits, "may_bend", lambda _, starts, __: np.arange(len(starts))
    )
    for shapes, each in zip(screened, maps, strict=True):
        _, asked = write(tmp_path, each, **drawing)
        assert shapely.equals_exact(shapes, asked, 1e-12).all()


def test_sides_of_a_usual_map_are_not_asked_one_by_one(tmp_path, monkeypatch):
    asked = []
    lonlat = Way.lonlat

    def counted(way, points):
        asked.append(len(points))
        return lonlat(way, points)

    monkeypatch.setattr(Way, "lonlat", counted)
    _, shapes = write(tmp_path, ArrayMap(terrain(4, (811, 907), 3)))
    vertices = shapely.get_num_coordinates(shapes).sum()
    for_the_map = sum(asked) - vertices
    assert for_the_map < 40_000  # of the cells of its reach, however large it is


def test_a_polygon_over_more_than_half_the_globe_is_not_its_complement(tmp_path):
    class_map = ArrayMap(
        np.zeros((3, 7), np.uint8), Affine(30, 0, -100, 0, -9, 20), 4326
    )
    _, [shape] = write(tmp_path, class_map)
    assert shape.equals(shapely.box(-100, -7, 110, 20))


def test_what_lies_beyond_180_degrees_is_carried_to_the_other_side(tmp_path):
    beyond = ArrayMap(np.zeros((4, 2), np.uint8), Affine(1, 0, 205, 0, -1, 2), 4326)
    _, [shape] = write(tmp_path, beyond)
    assert shape.equals(shapely.box(-155, -2, -153, 2))
    across = ArrayMap(np.zeros((4, 2), np.uint8), Affine(1, 0, 179, 0, -1, 2), 4326)
    _, [shape] = write(tmp_path, across)
    halves = shapely.box(179, -2, 180, 2), shapely.box(-180, -2, -179, 2)
    assert shape.equals(shapely.MultiPolygon(halves))


def test_a_polygon_around_a_pole_is_closed_along_it(tmp_path):
    class_map = ArrayMap(np.zeros((20, 20), np.uint8), STEREO, 3413)
    _, [shape] = write(tmp_path, class_map)
    assert shape.geom_type == "Polygon"
    assert shape.exterior.is_ccw
    assert shape.bounds[0::2] == (-180, 180)
    assert shape.bounds[3] == 90
    assert shape.contains(shapely.box(-179, 85, 179, 89.9))


@pytest.mark.parametrize("drawing", [{"connectivity": 8}, {"dissolve": True}])
def test_multipolygons_are_cut_as_well(tmp_path, drawing):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 2, (20, 20)).astype(np.uint8)
    class_map = ArrayMap(pixels, STEREO, 3413)
    frame, shapes = write(tmp_path, class_map, **drawing)
    assert len(shapes) == len(frame)
    east, north = insides(class_map)
    for value, shape in zip(frame["class_id"], shapes, strict=True):
        inside = shapely.contains_xy(shape, east, north)
        assert (pixels.ravel()[inside] == value).all()
    held = sum(shapely.contains_xy(shape, east, north).astype(int) for shape in shapes)
    assert (held == 1).all()


def test_a_polygon_that_vanishes_is_refused(tmp_path):
    class_map = ArrayMap(
        np.zeros((1, 1), np.uint8), Affine(1e-8, 0, 10, 0, -1e-8, 10), 4326
    )
    with pytest.raises(VectorError, match="smaller than GeoJSON's 7 decimals"):
        write(tmp_path, class_map)


def test_what_fails_while_gdal_asks_for_polygons_is_reported_as_it_is(
    tmp_path, monkeypatch
):
    def fails(*_):
        raise ZeroDivisionError("not GDAL's")

    monkeypatch.setattr(ToLonlat, "__call__", fails)
    with pytest.raises(ZeroDivisionError, match="not GDAL's"):
        write(tmp_path, ArrayMap(np.zeros((3, 3), np.uint8)))
