"""Sizes are those on the ground, whatever the unit of the CRS, as geodesics say."""

from __future__ import annotations

import json
import subprocess
import sys

import brightest
import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from maps import LEGEND, terrain
from paths import ROOT
from pyproj import CRS, Geod, Transformer

import geoseg
from geoseg.errors import GridError, VectorError
from geoseg.evaluate.boundary import widened
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.options import PolygonOptions, SceneOptions
from geoseg.overlay.labels.shapes import Labels
from geoseg.raster import ClassMap, write_class_map
from geoseg.run.assess import _tolerance
from geoseg.scene import open_scene
from geoseg.storage.vectors.write import check_locatable
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import polygons

KILOMETRES = "+proj=utm +zone=33 +datum=WGS84 +units=km"
PLACES = {
    "EPSG:3857": ((14, 5), (14, 52), (14, 80)),
    "EPSG:3395": ((14, 5), (14, 52), (14, 80)),
    "EPSG:4087": ((14, -5), (14, 52), (14, 80)),
    "EPSG:32662": ((14, 5), (14, 52), (14, -80)),
    "EPSG:3413": ((-40, 60), (10, 75), (100, 89.99)),
    "EPSG:3035": ((10, 35), (17, 52), (25, 70)),
    "EPSG:32633": ((15, 5), (17, 52), (12, 80)),
    "EPSG:2180": ((15, 49.2), (19, 52), (23, 54.5)),
    "EPSG:2263": ((-74, 40.5), (-73, 40.8), (-72, 41)),
    "EPSG:4326": ((14, 5), (14, 52), (14, -80)),
    "EPSG:4807": ((0, 42), (2, 47), (7, 51)),
    "EPSG:6933": ((14, 5), (14, 52), (14, 80)),
    KILOMETRES: ((15, 5), (17, 52), (12, 80)),
}
CASES = [(crs, *place) for crs, places in PLACES.items() for place in places]


def plane_at(crs, lon, lat, shape=(37, 53), metres=10.0):
    """Lay a plane whose pixels are so many nominal metres wide around a place."""
    crs = CRS.from_user_input(crs)
    unit = crs.axis_info[0].unit_conversion_factor
    side = metres / (unit * (6_371_000 if crs.is_geographic else 1))
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    origin = x - shape[1] / 2 * side, y + shape[0] / 2 * side
    return GeoBox(*shape, Affine(side, 0, origin[0], 0, -side, origin[1]), crs)


def geodesic(geometries, crs):
    """Measure polygons on the ellipsoid: areas and perimeters, by geographiclib."""
    geodetic = crs.geodetic_crs
    degrees = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    move = Transformer.from_crs(crs, geodetic, always_xy=True)
    longest = shapely.length(geometries).max() / 3000
    found = []
    for part in shapely.segmentize(geometries, longest):
        lonlat = shapely.transform(
            part,
            lambda xy: np.stack(move.transform(*xy.T), axis=1) * degrees,
        )
        rings = [lonlat.exterior, *lonlat.interiors]
        geod = geodetic.get_geod()
        sizes = np.abs([geod.geometry_area_perimeter(ring) for ring in rings])
        found.append((2 * sizes[0, 0] - sizes[:, 0].sum(), sizes[:, 1].sum()))
    return np.array(found).T


def distance(start, end, crs):
    """Measure from a place to another, by geographiclib."""
    geodetic = crs.geodetic_crs
    degrees = np.degrees(geodetic.axis_info[0].unit_conversion_factor)
    move = Transformer.from_crs(crs, geodetic, always_xy=True)
    lons, lats = move.transform([start[0], end[0]], [start[1], end[1]])
    lons, lats = np.array(lons) * degrees, np.array(lats) * degrees
    return geodetic.get_geod().inv(lons[0], lats[0], lons[1], lats[1])[2]


def written(path, plane, pixels):
    """Write a class map and open it."""
    whole = [(Window(0, 0, *pixels.shape), pixels)]
    path.mkdir()
    write_class_map(
        path / "map.tif", plane, whole, legend=LEGEND, tags={}, scratch=path
    )
    return ClassMap.open(path / "map.tif")


@pytest.mark.parametrize(("crs", "lon", "lat"), CASES)
def test_areas_and_perimeters_are_those_on_the_ellipsoid(crs, lon, lat, tmp_path):
    plane = plane_at(crs, lon, lat)
    pixels = terrain(3, (plane.height, plane.width), 3)
    class_map = written(tmp_path / "map", plane, pixels)
    frame = polygons(class_map, legend=LEGEND)
    area, perimeter = geodesic(frame.geometry.to_numpy(), class_map.geobox.crs)
    np.testing.assert_allclose(frame.area_m2, area, rtol=1e-4)
    np.testing.assert_allclose(frame.perimeter_m, perimeter, rtol=1e-4)
    extents = class_map.extents()
    assert {*extents} >= {*frame.class_id}
    for value, extent in extents.items():
        if value == NODATA:
            continue
        mine = frame[frame.class_id == value].area_m2.sum()
        assert extent.area_m2 == pytest.approx(mine, rel=1e-6)
    corner = plane.height // 2, plane.width // 2
    ring = [
        plane.xy(row=corner[0] + down, col=corner[1] + right)
        for down, right in ((0, 0), (0, 1), (1, 1), (1, 0))
    ]
    pixel, _ = geodesic(np.array([shapely.Polygon(ring)]), plane.crs)
    assert plane.gsd_m() == pytest.approx(pixel[0] ** 0.5, rel=1e-4)


@pytest.mark.parametrize(("crs", "lon", "lat"), CASES)
def test_the_smallest_area_is_one_on_the_ground(crs, lon, lat, tmp_path):
    plane = plane_at(crs, lon, lat)
    pixels = np.zeros((plane.height, plane.width), np.uint8)
    pixels[5:15, 5:15], pixels[20:31, 30:41] = 1, 2  # 100 and 121 pixels
    class_map = written(tmp_path / "map", plane, pixels)
    square = polygons(class_map, legend=LEGEND).set_index("class_id").geometry[1]
    area, _ = geodesic(np.array([square]), plane.crs)
    for share, kept in ((0.99, {0, 1, 2}), (1.01, {0, 2}), (1.3, {0})):
        options = PolygonOptions(min_area=f"{share * area[0]:.3f}m2")
        frame = polygons(class_map, legend=LEGEND, drawing=Drawing.of(options, LEGEND))
        assert set(frame.class_id) == kept


@pytest.mark.parametrize(("crs", "lon", "lat"), CASES)
@pytest.mark.parametrize("turned", [False, True])
def test_lines_move_by_metres_on_the_ground(crs, lon, lat, turned, tmp_path):
    plane = plane_at(crs, lon, lat)
    pixels = np.zeros((plane.height, plane.width), np.uint8)
    if turned:
        pixels[:, 20:], pixels[10:20, 20] = 1, 0  # a notch, one column deep
        ends = [plane.xy(row=15, col=col) for col in (20, 21)]
    else:
        pixels[20:], pixels[20, 10:20] = 1, 0  # one row deep
        ends = [plane.xy(row=row, col=15) for row in (20, 21)]
    deep = distance(*ends, plane.crs)
    class_map = written(tmp_path / "map", plane, pixels)
    for share, is_kept in ((0.99, True), (1.01, False)):
        options = PolygonOptions(simplify=f"{share * deep:.4f}m")
        frame = polygons(class_map, legend=LEGEND, drawing=Drawing.of(options, LEGEND))
        assert (shapely.get_num_coordinates(frame.geometry[0]) > 5) == is_kept, share


@pytest.mark.parametrize(("crs", "lon", "lat"), CASES)
def test_a_map_as_large_as_a_country_is_measured_as_well(crs, lon, lat):
    plane = plane_at(crs, lon, lat, shape=(3, 5), metres=20_000.0)
    frame = polygons(_Rows(plane), legend=LEGEND)
    area, perimeter = geodesic(frame.geometry.to_numpy(), plane.crs)
    np.testing.assert_allclose(frame.area_m2, area, rtol=1e-4)
    np.testing.assert_allclose(frame.perimeter_m, perimeter, rtol=1e-4)


class _Rows:
    """A class map of which each row is a class."""

    def __init__(self, geobox):
        self.geobox = geobox

    def read(self, window):
        rows = np.arange(*window.rows, dtype=np.uint8)
        return np.repeat(rows[:, np.newaxis], window.width, axis=1)


def test_the_whole_earth_is_as_large_as_it_is():
    world = GeoBox(2, 1, Affine(360, 0, -180, 0, -90, 90), CRS.from_epsg(4326))
    frame = polygons(_Rows(world), legend=LEGEND)
    assert frame.area_m2.sum() == pytest.approx(510_065_621_724_089, rel=1e-5)
    assert frame.area_m2[0] == pytest.approx(frame.area_m2[1], rel=1e-9)


@pytest.mark.parametrize("crs", [c for c in PLACES if c != "EPSG:2263"])
def test_another_crs_gets_pixels_as_large_on_the_ground(crs, make_raster):
    lon, lat = PLACES[crs][1]
    utm = f"EPSG:{32600 + int((lon + 180) // 6) + 1}"
    plane = plane_at(utm, lon, lat)
    path = make_raster(
        values=np.ones((1, 37, 53), np.uint16), crs=utm, transform=plane.transform
    )
    found = open_scene(path, SceneOptions(crs=crs)).geobox
    assert found.gsd_m() == pytest.approx(10, rel=0.006)  # of three digits


def test_pixels_of_the_files_own_size_are_the_files_own(make_raster):
    transform = Affine(10, 0, 399_960, 0, -10, 5_800_020)
    values = np.ones((1, 96, 96), np.uint16)
    path = make_raster(values=values, transform=transform)
    scene = open_scene(path, SceneOptions(resolution=10))
    assert (scene.geobox.height, scene.geobox.width) == (96, 96)
    assert scene.geobox.transform == transform
    half = open_scene(path, SceneOptions(resolution=20)).geobox
    assert (half.height, half.width) == (48, 48)


def test_info_says_the_ground_of_web_mercator(make_raster):
    plane = plane_at("EPSG:3857", 14, 52)
    values = np.ones((1, 37, 53), np.uint16)
    path = make_raster(values=values, crs="EPSG:3857", transform=plane.transform)
    assert geoseg.info(path).gsd_m == pytest.approx(6.16, abs=0.02)


@pytest.mark.parametrize(("crs", "lon", "lat"), CASES)
def test_lines_are_as_wide_as_they_are_on_the_ground(crs, lon, lat):
    plane = plane_at(crs, lon, lat, shape=(200, 200), metres=1)
    ends = [plane.xy(row=row, col=col) for row, col in ((60, 70), (140, 150))]
    labels = Labels((shapely.LineString(ends),), ("class 1",), plane.crs, width=20)
    rasterized = labels.rasterize(plane, {"class 1": 1}) == 1
    found = rasterized.sum() * plane.ground().pixel_m2
    long = distance(*ends, plane.crs)
    assert found == pytest.approx(20 * long + np.pi * 10**2, rel=0.03)


def test_boundaries_agree_by_metres_on_the_ground():
    at_sixty = plane_at("EPSG:3857", 14, 60)
    assert _tolerance("20m", at_sixty) == pytest.approx((4.0, 1), abs=0.02)
    assert _tolerance("2px", at_sixty) == (2, 1)
    utm = plane_at("EPSG:32633", 15, 52)
    assert _tolerance("20m", utm) == (2, 1)
    degrees = plane_at("EPSG:4326", 14, 60)
    tolerance, aspect = _tolerance("20m", degrees)
    assert aspect == pytest.approx(2, rel=0.01)
    mask = np.zeros((9, 15), bool)
    mask[4, 7] = True
    wide = widened(mask, tolerance, aspect)
    # Rows of 10.0 m, columns of 5.0 m.
    assert wide.any(axis=1).sum() == 5 - 2 * (at_row(degrees) > 10)
    assert wide.any(axis=0).sum() in {7, 9}


def at_row(plane):
    """How long a row is on the ground, in metres."""
    lon, lat = plane.xy(row=0, col=0)
    below = plane.xy(row=1, col=0)[1]
    return Geod(ellps="WGS84").inv(lon, lat, lon, below)[2]


def test_nothing_is_muttered_of_a_map_in_kilometres(tmp_path):
    plane = plane_at(KILOMETRES, 15, 52)
    path = tmp_path / "map.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=37,
        width=53,
        count=1,
        dtype="uint8",
        crs=rasterio.CRS.from_wkt(plane.crs.to_wkt()),
        transform=plane.transform,
    ) as dataset:
        dataset.write(terrain(1, (37, 53), 3) % 4, 1)
    command = [sys.executable, "-m", "geoseg", "vectorize", path]
    done = subprocess.run(
        [*command, "-o", tmp_path / "map.gpkg", "--quiet"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    frame = geopandas.read_file(tmp_path / "map.gpkg", layer="map")
    assert frame.area_m2.sum() == pytest.approx(37 * 53 * 100 * 0.9996**-2, rel=1e-5)


def test_a_crs_that_a_shapefile_cannot_hold_is_refused():
    turned = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39 +lon_0=18 +R=6371229"
    plane = GeoBox(2, 2, Affine(0.1, 0, 0, 0, -0.1, 0), CRS.from_user_input(turned))
    with pytest.raises(VectorError, match=r"\.shp .*no ESRI WKT.*write \.gpkg"):
        check_locatable([".gpkg", ".shp"], plane)
    check_locatable([".gpkg", ".fgb"], plane)
    check_locatable([".shp"], plane_at("EPSG:3035", 10, 52))


def test_an_area_of_interest_is_as_large_in_every_crs(tmp_path):
    model = brightest.save_model(tmp_path / "model")
    sample = ROOT / "sample_aoi"
    area = geopandas.read_file(sample / "aoi.geojson").to_crs(4326)
    geod = Geod(ellps="WGS84")
    truth = sum(abs(geod.geometry_area_perimeter(p)[0]) for p in area.geometry)
    for code in (32633, 3857, 3035, 4326, 3413):
        out = tmp_path / str(code)
        files = [sample / "scene.tif", "--aoi", sample / "aoi.geojson"]
        result = brightest.segment(model, out, *files, "--crs", f"EPSG:{code}")
        assert result.exit_code == 0, result.stderr
        rows = json.loads((out / "run.json").read_text())["class_areas"]
        mapped = 10_000 * sum(row["area_ha"] for row in rows)
        assert mapped == pytest.approx(truth, rel=1e-3), code
        drawn = geopandas.read_file(out / "landcover.geojson").area_m2.sum()
        assert drawn == pytest.approx(mapped, rel=1e-6), code


def test_a_size_is_in_pixels_or_on_the_ground():
    with pytest.raises(VectorError, match="not both"):
        Drawing(min_pixels=3, min_area_m2=5)


def test_an_image_whose_middle_is_nowhere_on_earth_is_refused():
    plane = GeoBox(4, 4, Affine(10, 0, 1e300, 0, -10, 0), CRS.from_epsg(32633))
    with pytest.raises(GridError, match=r"nowhere on Earth in WGS 84 / UTM zone 33N"):
        plane.gsd_m()
