"""A pixel is in the area when its centre is, whatever window is asked for."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.features import geometry_mask

from geoseg.errors import AoiError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.overlay.aoi import Aoi, read_aoi, read_features, whole_scene

UTM = CRS.from_epsg(32633)
SCENE = GeoBox(37, 53, Affine(10, 0, 399_960, 0, -10, 5_800_020), UTM)
WHOLE = Window(0, 0, 37, 53)
TRIANGLE = shapely.Polygon(
    [(400_003, 5_799_991), (400_404, 5_799_903), (400_051, 5_799_702)]
)


def save(path, *shapes, crs=UTM):
    geopandas.GeoDataFrame(geometry=list(shapes), crs=crs).to_file(path)
    return path


def centres(geobox):
    rows, cols = np.mgrid[: geobox.height, : geobox.width] + 0.5
    return geobox.transform @ (cols.ravel(), rows.ravel())


def brute_force(geometry, geobox):
    """Ask GEOS for every pixel, one by one, without any index."""
    points = shapely.points(*centres(geobox))
    return shapely.intersects(geometry, points).reshape(geobox.height, geobox.width)


# Corners on pixel corners, centres and edges: where rasterizers disagree.
halves = st.integers(-6, 120).map(lambda half: half / 2)
corner = st.tuples(halves, halves)


@st.composite
def areas(draw, transform):
    """Draw a polygon, as often as not with edges through pixel centres."""
    ring = draw(st.lists(corner, min_size=3, max_size=7, unique=True))
    shape = shapely.make_valid(shapely.Polygon(ring))
    assume(shape.geom_type in {"Polygon", "MultiPolygon"})
    return shapely.transform(shape, lambda x, y: transform @ (x, y), interleaved=False)


BOTH_GRIDS = pytest.mark.parametrize(
    "transform",
    [SCENE.transform, SCENE.transform @ Affine.rotation(27)],
    ids=["north-up", "rotated"],
)


@BOTH_GRIDS
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_mask_is_the_same_in_every_window(transform, data):
    aoi = Aoi(data.draw(areas(transform)), GeoBox(37, 53, transform, UTM), WHOLE)
    beyond = np.zeros((37 + 50, 53 + 70), np.bool_)
    beyond[5:42, 5:58] = aoi.mask(WHOLE)
    row, col = data.draw(st.integers(-5, 36)), data.draw(st.integers(-5, 52))
    size = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 60))
    window = Window(row, col, *size)
    expected = beyond[window.relative_to(Window(-5, -5, 1, 1)).slices()]
    np.testing.assert_array_equal(aoi.mask(window), expected)
    assert aoi.touches(window) == expected.any()


@BOTH_GRIDS
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_pixel_is_in_when_its_centre_is(transform, data):
    geobox = GeoBox(37, 53, transform, UTM)
    area = data.draw(areas(transform))
    mask = Aoi(area, geobox, WHOLE).mask(WHOLE)
    points = shapely.points(*centres(geobox))
    clear = shapely.distance(area.boundary, points).reshape(37, 53) > 1e-6
    np.testing.assert_array_equal(mask[clear], brute_force(area, geobox)[clear])


@BOTH_GRIDS
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_areas_that_share_edges_share_no_pixel_and_leave_none(transform, data):
    geobox = GeoBox(37, 53, transform, UTM)
    points = data.draw(st.lists(corner, min_size=3, max_size=9, unique=True))
    cells = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points)))
    assume(len(cells))
    hull = shapely.union_all(cells)

    def mask(shape):
        moved = shapely.transform(
            shape, lambda x, y: transform @ (x, y), interleaved=False
        )
        return Aoi(moved, geobox, WHOLE).mask(WHOLE)

    hits = np.sum([mask(cell) for cell in cells], axis=0)
    np.testing.assert_array_equal(hits > 0, mask(hull))
    assert hits.max() <= 1


def test_the_mask_of_a_general_area_is_rasterios(plane, tmp_path):
    x, y = plane.xy(row=17.3, col=23.7)
    area = shapely.Point(x, y).buffer(143.7)
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", area), plane)
    expected = geometry_mask([area], (37, 53), plane.transform, invert=True)
    np.testing.assert_array_equal(aoi.mask(WHOLE), expected)


def test_the_window_is_the_smallest_that_holds_every_pixel(tmp_path):
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", TRIANGLE), SCENE)
    rows, cols = np.nonzero(brute_force(TRIANGLE, SCENE))
    assert aoi.window == Window.between(
        (rows.min(), rows.max() + 1), (cols.min(), cols.max() + 1)
    )


def test_the_window_of_an_area_that_is_thin_for_hundreds_of_pixels(tmp_path):
    geobox = GeoBox(701, 409, SCENE.transform, UTM)
    spike = shapely.Polygon([(0, 0), (4090, 0), (4090, -7010), (4089, -7010)])
    spike = shapely.affinity.translate(spike, 399_960, 5_800_020)
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", spike), geobox)
    rows, cols = np.nonzero(brute_force(spike, geobox))
    assert aoi.window == Window.between(
        (rows.min(), rows.max() + 1), (cols.min(), cols.max() + 1)
    )


def test_an_area_larger_than_the_scene_is_clipped_to_it(tmp_path):
    area = shapely.box(*TRIANGLE.bounds).buffer(5000)
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", area), SCENE)
    assert aoi.window == WHOLE
    mask = aoi.mask(Window(-3, -4, 44, 61))
    assert mask[3:40, 4:57].all()
    assert mask.sum() == WHOLE.pixels
    assert not aoi.touches(Window(-3, 0, 3, 53))
    (warning,) = aoi.warnings
    assert warning.endswith("99.8% of the area lies outside the scene")


def test_a_hole_is_outside_and_overlapping_polygons_count_once(tmp_path):
    x, y = SCENE.xy(row=20, col=20)
    ring = shapely.Point(x, y).buffer(150).difference(shapely.Point(x, y).buffer(50))
    neighbour = shapely.Point(x + 100, y).buffer(60)
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", ring, neighbour), SCENE)
    truth = brute_force(ring, SCENE) | brute_force(neighbour, SCENE)
    np.testing.assert_array_equal(aoi.mask(WHOLE), truth)
    assert not aoi.touches(Window(19, 19, 2, 2))
    assert aoi.warnings == ()


def test_geojson_without_a_crs_is_wgs84(tmp_path):
    path = tmp_path / "aoi.geojson"
    in_degrees = geopandas.GeoSeries([TRIANGLE], crs=UTM).to_crs(4326)
    shape = shapely.geometry.mapping(in_degrees.iloc[0])
    path.write_text(json.dumps(shape))
    aoi = read_aoi(path, SCENE)
    np.testing.assert_array_equal(aoi.mask(WHOLE), brute_force(TRIANGLE, SCENE))


def test_long_edges_are_straight_in_the_areas_own_crs(tmp_path):
    """Half a degree of a parallel is no straight line in UTM: 34 m of sag."""
    geobox = GeoBox(60, 3700, Affine(10, 0, 430_000, 0, -10, 5_795_300), UTM)
    band = shapely.box(14.0, 52.0, 14.5, 52.3)
    aoi = read_aoi(save(tmp_path / "aoi.geojson", band, crs=4326), geobox)
    in_degrees = shapely.points(*centres(geobox))
    in_degrees = geopandas.GeoSeries(in_degrees, crs=UTM).to_crs(4326)
    truth = shapely.intersects(band, in_degrees.array).reshape(60, 3700)
    assert truth.any()
    assert not truth.all()
    assert (aoi.mask(Window(0, 0, 60, 3700)) != truth).mean() < 1e-4


def test_a_self_crossing_polygon_is_repaired_with_a_warning(tmp_path):
    x, y = SCENE.xy(row=30, col=5)
    bow = [(x, y), (x + 200, y + 200), (x + 200, y), (x, y + 200)]
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", shapely.Polygon(bow)), SCENE)
    (warning,) = aoi.warnings
    assert "repaired 1 invalid polygons (Self-intersection" in warning
    assert aoi.geometry.is_valid
    assert aoi.geometry.area == pytest.approx(20_000)


def test_points_among_polygons_are_left_out_with_a_warning(tmp_path):
    point = TRIANGLE.centroid
    aoi = read_aoi(save(tmp_path / "aoi.geojson", TRIANGLE, point), SCENE)
    assert aoi.warnings == (
        f"{tmp_path / 'aoi.geojson'}: left out 1 shape that is no polygon",
    )


FAR = shapely.affinity.translate(TRIANGLE, 0, 40_000)
FLAT = shapely.Polygon([(399_970, 5_799_990)] * 2 + [(400_200, 5_799_990)] * 2)
LINE = shapely.LineString([(399_970, 5_799_990), (400_200, 5_799_800)])
SQUARE = shapely.box(400_000, 5_799_800, 400_100, 5_799_900)
SPECK = shapely.box(399_961, 5_800_011, 399_963, 5_800_013)


@pytest.mark.parametrize(
    ("shapes", "crs", "words"),
    [
        ([FAR], UTM, "does not overlap the scene"),
        ([FLAT], UTM, "are invalid and enclose no area"),
        ([LINE], UTM, "has no polygon"),
        ([shapely.Polygon()], UTM, "has no polygon"),
        ([SPECK], UTM, r"no pixel of the scene.*larger than a pixel \(10 m\)"),
        ([TRIANGLE], None, "has no CRS"),
        ([TRIANGLE], 4326, "does not overlap the scene"),
        ([shapely.box(130, -40, 131, -39)], 4326, "does not overlap the scene"),
    ],
    ids=[
        "north of the scene",
        "folded to a line",
        "a line",
        "empty",
        "between two centres",
        "no CRS",
        "metres called degrees",
        "other side of the Earth",
    ],
)
@pytest.mark.filterwarnings(
    "ignore:'crs' was not provided"  # by pyogrio, when it writes the row with none
)
def test_a_useless_area_is_refused_in_one_sentence(shapes, crs, words, tmp_path):
    path = save(tmp_path / "aoi.gpkg", *shapes, crs=crs)
    with pytest.raises(AoiError, match=words) as caught:
        read_aoi(path, SCENE)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_area_off_the_scene_gives_both_extents(tmp_path):
    path = save(tmp_path / "aoi.gpkg", FAR)
    with pytest.raises(AoiError) as caught:
        read_aoi(path, SCENE)
    message = str(caught.value)
    assert (
        "it covers 400003, 5839702, 400404, 5839991 (WGS 84 / UTM zone 33N)" in message
    )
    assert (
        "the scene 399960, 5799650, 400490, 5800020 (WGS 84 / UTM zone 33N)" in message
    )
    assert "in WGS 84 degrees (left, bottom, right, top) it covers 13.5" in message


def test_a_missing_file_and_a_file_of_another_kind_are_refused(make_raster, tmp_path):
    with pytest.raises(AoiError, match=r"there is no area of interest at .*none\.gpkg"):
        read_aoi(tmp_path / "none.gpkg", SCENE)
    text = tmp_path / "notes.geojson"
    text.write_text("no polygons here")
    for path in (make_raster(), text):
        with pytest.raises(AoiError, match="is no vector file that GDAL can read"):
            read_aoi(path, SCENE)


def test_a_coordinate_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "aoi.geojson"
    ring = "[[13.5, 52.3], [13.6, 1e999], [13.6, 52.3], [13.5, 52.3]]"
    path.write_text(f'{{"type": "Polygon", "coordinates": [{ring}]}}')
    with pytest.raises(AoiError, match=r"aoi\.geojson has a coordinate that is no fin"):
        read_aoi(path, SCENE)


def test_a_damaged_file_is_refused(tmp_path):
    cells = [
        shapely.box(x, 5_799_700, x + 1, 5_799_701) for x in range(400_000, 400_500)
    ]
    path = save(tmp_path / "aoi.gpkg", *cells)
    content = bytearray(path.read_bytes())
    page = content.rindex(b"GP\0") // 4096 * 4096  # of SQLite, with the last polygon
    content[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(AoiError, match=r"aoi\.gpkg is damaged \(.*malformed"):
        read_aoi(path, SCENE)


def test_several_layers_are_refused_by_name(tmp_path):
    path = two_layers(tmp_path)
    with pytest.raises(AoiError, match=r"has 2: aoi, more; choose one: .*\|layer=aoi"):
        read_aoi(path, SCENE)


def two_layers(folder):
    path = save(folder / "aoi.gpkg", TRIANGLE)
    geopandas.GeoDataFrame(geometry=[SQUARE], crs=UTM).to_file(path, layer="more")
    return path


@pytest.mark.parametrize("word", ["layer", "layername"])
def test_a_layer_is_chosen_behind_a_bar(word, tmp_path):
    path = two_layers(tmp_path)
    assert read_aoi(f"{path}|{word}=more", SCENE).geometry.equals(SQUARE)
    with pytest.raises(AoiError, match="has no layer 'none'; it has aoi, more"):
        read_aoi(f"{path}|{word}=none", SCENE)


def test_an_empty_layer_has_no_polygon(tmp_path):
    path = tmp_path / "aoi.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(AoiError, match=r"aoi\.geojson"):
        read_aoi(path, SCENE)


def test_the_whole_scene_is_every_pixel_of_it(plane):
    aoi = whole_scene(plane)
    assert aoi.window == WHOLE
    assert aoi.mask(WHOLE).all()
    assert aoi.mask(Window(30, 50, 10, 10)).sum() == 7 * 3
    assert aoi.touches(Window(36, 52, 5, 5))
    assert not aoi.touches(Window(37, 0, 1, 1))


def test_an_area_travels_to_workers_and_their_threads(tmp_path):
    aoi = read_aoi(save(tmp_path / "aoi.gpkg", TRIANGLE), SCENE)
    sent = pickle.dumps(aoi)
    assert len(sent) < 10_000
    arrived = pickle.loads(sent)  # noqa: S301 (just made)
    rows = [Window(row, 0, 1, 53) for row in range(37)]
    with ThreadPoolExecutor(4) as pool:
        mask = np.concatenate(list(pool.map(arrived.mask, rows)))
    np.testing.assert_array_equal(mask, aoi.mask(WHOLE))


def test_the_whole_world_covers_the_scene(tmp_path, plane):
    path = tmp_path / "world.gpkg"
    geopandas.GeoSeries([shapely.box(-180, -90, 180, 90)], crs=4326).to_file(path)
    aoi = read_aoi(path, plane)
    assert aoi.window == Window(0, 0, plane.height, plane.width)
    assert aoi.mask(aoi.window).all()


LONLAT = shapely.box(*geopandas.GeoSeries([SQUARE], crs=UTM).to_crs(4326).total_bounds)
NUMBERS = ",".join(f"{number:.9f}" for number in LONLAT.bounds)


@pytest.mark.parametrize(
    "area",
    [
        SQUARE.wkt.join(["EPSG:32633;", ""]),
        SQUARE.wkt.join(["SRID=32633; ", " "]),
        "EPSG:32633;400000,5799800,400100,5799900",
        "epsg:32633; 4e5 , 5799800.0,+400100,5799900.",
    ],
)
def test_wkt_and_boxes_are_in_the_crs_before_them(area):
    assert read_aoi(area, SCENE).geometry.equals(SQUARE)


@pytest.mark.parametrize("area", [LONLAT.wkt, NUMBERS, f"EPSG:4326;{NUMBERS}"])
def test_wkt_and_boxes_are_in_degrees_where_nothing_is_said(area):
    found = read_aoi(area, SCENE).geometry
    assert found.symmetric_difference(SQUARE).area < 0.05 * SQUARE.area


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ("POLYGON ((0 0, 1 1))", "is no valid WKT"),
        ("EPSG:0;1,2,3,4", "'EPSG:0' is no CRS"),
        (
            "EPSG:4326;1,2,3",
            "'1,2,3' is neither a file nor, after its CRS, a bounding box",
        ),
        ("lakes;2020.gpkg", "'lakes;2020.gpkg' is neither a file nor"),
        ("1,2,3,1", "is empty"),
        ("400000,5799800,400100,5799900", "is not in degrees"),
        ("EPSG:32633;400100,5799800,400000,5799900", "ends west of where it begins"),
        ("10,20,30,91", "is not in degrees"),
        (f"EPSG:32633;{NUMBERS}", "look like degrees, so its CRS may be wrong"),
    ],
)
def test_boxes_and_wkt_that_make_no_sense_are_refused(area, words):
    with pytest.raises(AoiError, match=words):
        read_aoi(area, SCENE)


FIJI = GeoBox(
    140, 240, Affine(1000, 0, 700_000, 0, -1000, 8_240_000), CRS.from_epsg(32760)
)
"""Across the antimeridian, in UTM zone 60."""
PACIFIC = GeoBox(40, 80, Affine(0.1, 0, 176, 0, -0.1, -15), CRS.from_epsg(4326))
"""The same, in degrees that go on beyond 180."""


@pytest.mark.parametrize("plane", [FIJI, PACIFIC], ids=["UTM", "degrees"])
@pytest.mark.parametrize(
    "area",
    [
        "179,-17,-179,-16",
        "179,-17,181,-16",
        (
            "MULTIPOLYGON (((179 -17, 180 -17, 180 -16, 179 -16, 179 -17)),"
            " ((-180 -17, -179 -17, -179 -16, -180 -16, -180 -17)))"
        ),
    ],
    ids=["box", "beyond 180", "cut there"],
)
def test_an_area_goes_across_the_antimeridian(plane, area):
    aoi = read_aoi(area, plane)
    east, west = (
        read_aoi("179,-17,180,-16", plane),
        read_aoi("-180,-17,-179,-16", plane),
    )
    window = Window(0, 0, plane.height, plane.width)
    np.testing.assert_array_equal(
        aoi.mask(window), east.mask(window) | west.mask(window)
    )
    halves = east.mask(window).sum(), west.mask(window).sum()
    assert max(halves) - min(halves) < 0.02 * max(halves)


def test_an_area_around_the_world_the_long_way_is_reported():
    area = read_aoi("POLYGON ((179 -17, 179 -3, -179 -3, -179 -17, 179 -17))", WORLD)
    assert any("spans 358 degrees; if it is to cross" in w for w in area.warnings)


WORLD = GeoBox(18, 36, Affine(10, 0, -180, 0, -10, 90), CRS.from_epsg(4326))


def features(path, **shapes):
    names, geometry = list(shapes), list(shapes.values())
    frame = geopandas.GeoDataFrame({"name": names}, geometry=geometry, crs=UTM)
    frame.to_file(path)
    return str(path)


def test_each_feature_is_an_area_of_its_own(tmp_path):
    path = features(tmp_path / "parks.gpkg", **{"a/b": TRIANGLE, "c": SQUARE, "d": FAR})
    areas = read_features(path, "name", SCENE)
    assert list(areas) == ["a_b", "c"]
    assert areas["c"].geometry.equals(SQUARE)
    assert any("left out d: the area of interest" in w for w in areas["a_b"].warnings)


def test_features_of_one_name_are_one_area(tmp_path):
    frame = geopandas.GeoDataFrame(
        {"id": [7.0, 7.0]}, geometry=[TRIANGLE, SQUARE], crs=UTM
    )
    frame.to_file(tmp_path / "parks.gpkg")
    areas = read_features(str(tmp_path / "parks.gpkg"), "id", SCENE)
    assert list(areas) == ["7"]
    assert areas["7"].geometry.equals(TRIANGLE.union(SQUARE))


def test_features_that_cannot_be_named_are_refused(tmp_path):
    path = features(tmp_path / "parks.gpkg", **{"a/b": TRIANGLE, "a:b": SQUARE})
    with pytest.raises(AoiError, match="would share the folder 'a_b'"):
        read_features(path, "name", SCENE)
    twins = features(tmp_path / "twins.gpkg", North=TRIANGLE, north=SQUARE)
    with pytest.raises(AoiError, match="the folder 'north' on Windows and macOS"):
        read_features(twins, "name", SCENE)
    with pytest.raises(AoiError, match="has no field 'id': name"):
        read_features(path, "id", SCENE)
    with pytest.raises(AoiError, match="a bounding box and WKT are one area"):
        read_features(NUMBERS, "name", SCENE)
    nameless = features(tmp_path / "nameless.gpkg", **{"": TRIANGLE, "b": SQUARE})
    with pytest.raises(AoiError, match="1 feature of 2 without 'name'"):
        read_features(nameless, "name", SCENE)
    far = features(tmp_path / "far.gpkg", far=FAR)
    with pytest.raises(AoiError, match="does not overlap the scene"):
        read_features(far, "name", SCENE)


def test_geoparquet_is_read_like_any_other_file(tmp_path):
    path = tmp_path / "parks.parquet"
    frame = geopandas.GeoDataFrame({"id": [7, 9]}, geometry=[TRIANGLE, SQUARE], crs=UTM)
    frame.to_parquet(path)
    assert read_aoi(path, SCENE).geometry.equals(TRIANGLE.union(SQUARE))
    assert read_features(str(path), "id", SCENE)["9"].geometry.equals(SQUARE)
    with pytest.raises(AoiError, match="has no layers"):
        read_aoi(f"{path}|layer=a", SCENE)
    frame.set_crs(None, allow_override=True).to_parquet(path)
    with pytest.raises(AoiError, match="has no CRS"):
        read_aoi(path, SCENE)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(AoiError, match="is no GeoParquet that can be read") as caught:
        read_aoi(path, SCENE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        (
            "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>secret.gpkg"
            "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        ),
        '{"type": "gdal_streamed_alg", "command_line": "gdal vector read a"}',
        "<OGRWFSDataSource><URL>http://127.0.0.1:9/wfs</URL></OGRWFSDataSource>",
    ],
)
def test_an_area_that_stands_for_other_files_is_refused(text, tmp_path):
    path = tmp_path / "aoi.geojson"
    path.write_text(text)
    with pytest.raises(AoiError, match="stands for other files or a service"):
        read_aoi(path, SCENE)


def test_metres_called_degrees_are_suspected(tmp_path):
    path = save(tmp_path / "aoi.gpkg", TRIANGLE, crs=4326)
    with pytest.raises(AoiError, match="coordinates are no degrees, so its CRS may be"):
        read_aoi(path, SCENE)
