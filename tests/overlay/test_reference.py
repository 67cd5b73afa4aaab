"""References on the pixels of a map: held against GDAL, and against thought."""

from __future__ import annotations

import pickle

import geopandas
import numpy as np
import pytest
from affine import Affine
from paths import SAMPLE
from pyproj import CRS
from shapely import MultiPoint, Point, box

from geoseg.errors import LabelsError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.overlay.labels import rasterize_labels, read_labels
from geoseg.overlay.reference import read_reference
from geoseg.overlay.reference.matching import match_classes
from geoseg.scene import open_scene

NAMES = ("cropland", "grassland", "woodland", "wetland", "water", "built-up", "cloud")
CLASSES = {name: index for index, name in enumerate(NAMES)}


def read(reference, window):
    near = reference.near(window)
    shape = window.height, window.width
    return np.full(shape, 255, np.uint8) if near is None else near.read(window)


def test_polygons_of_the_sample_are_those_that_gdal_rasterizes():
    geobox = open_scene(SAMPLE / "scene.tif").geobox
    legend = Legend(tuple(LandClass(i, n, "#000000") for n, i in CLASSES.items()))
    labels = read_labels(SAMPLE / "labels.gpkg")
    rasterized = rasterize_labels(labels, geobox, legend)
    reference = read_reference(SAMPLE / "labels.gpkg", geobox, CLASSES)
    ours = np.full_like(rasterized, 255)
    for row in range(0, geobox.height, 300):
        for col in range(0, geobox.width, 500):
            plane = Window(0, 0, geobox.height, geobox.width)
            window = Window(row, col, 300, 500).intersection(plane)
            ours[window.slices()] = read(reference, window)
    # The two differ where a centre lies on an edge, if anywhere.
    assert (ours != rasterized).sum() < 20


@pytest.mark.parametrize("turn", [0, 30])
def test_polygons_on_a_rotated_map_survive_a_journey(tmp_path, turn):
    transform = Affine.translation(399_960, 5_800_020) @ Affine.rotation(turn)
    transform = transform @ Affine.scale(10, -20)
    geobox = GeoBox(37, 53, transform, CRS.from_epsg(32633))
    corners = [transform @ at for at in ((3, 5), (20, 5), (20, 30), (3, 30))]
    shape = geopandas.GeoSeries.from_wkt(
        ["POLYGON((" + ",".join(f"{x} {y}" for x, y in [*corners, corners[0]]) + "))"],
        crs="EPSG:32633",
    )
    path = tmp_path / "labels.gpkg"
    frame = geopandas.GeoDataFrame({"class": ["water"]}, geometry=shape)
    frame.to_crs(4326).to_file(path)
    reference = read_reference(path, geobox, CLASSES)
    whole = read(reference, Window(0, 0, 37, 53))
    expected = np.full((37, 53), 255)
    expected[5:30, 3:20] = CLASSES["water"]
    np.testing.assert_array_equal(whole, expected)
    travelled = pickle.loads(pickle.dumps(reference))  # noqa: S301  # our own
    np.testing.assert_array_equal(read(travelled, Window(0, 0, 37, 53)), expected)
    assert reference.near(Window(32, 30, 5, 23)) is None


def test_labels_of_half_the_world_on_a_map_of_a_town(tmp_path):
    path = tmp_path / "world.gpkg"
    frame = geopandas.GeoDataFrame(
        {"class": [4.0, 2.0, 0.0]},  # ids, as a table with gaps has them
        geometry=[box(-180, -89, 13.5, 89), box(13.5, -89, 180, 89), box(90, 0, 91, 1)],
        crs="EPSG:4326",
    )
    frame.to_file(path)
    # Zone 33's central meridian is 15 degrees; 13.5 degrees is near x = 400 km.
    geobox = GeoBox(
        50, 60, Affine(100, 0, 395_000, 0, -100, 5_800_000), CRS.from_epsg(32633)
    )
    classes = read(read_reference(path, geobox, CLASSES), Window(0, 0, 50, 60))
    assert set(np.unique(classes)) == {2, 4}
    assert (np.diff(classes.astype(int), axis=1) <= 0).all()  # water in the west


def test_other_names_are_never_guessed():
    words = "has not: Water, wod; the reference has .*`mapping='Water=water'`"
    with pytest.raises(LabelsError, match=words):
        match_classes({"Water", "wod", "cloud"}, CLASSES, {})
    with pytest.raises(LabelsError, match="did you mean 'Water'"):
        match_classes({"Water", "cloud"}, CLASSES, {"water": "water"})
    mapping = {"Water": "water", "wod": "2"}
    matched = match_classes({"Water", "wod", "cloud"}, CLASSES, mapping)
    assert matched == {"Water": 4, "wod": 2, "cloud": 6}


MAP = GeoBox(5, 7, Affine(10, 0, 400_000, 0, -10, 5_800_000), CRS.from_epsg(32633))


def test_multipoints_are_points_and_layers_are_chosen(tmp_path):
    path = tmp_path / "points.gpkg"
    at = [MAP.xy(row=row + 0.5, col=col + 0.5) for row, col in ((1, 2), (3, 4), (0, 6))]
    frame = geopandas.GeoDataFrame(
        {"Reference": ["Water ", "  "], "id": [8, 9]},
        geometry=[MultiPoint(at[:2]), Point(at[2])],
        crs=MAP.crs,
    )
    frame.to_file(path, layer="first")
    frame.to_file(path, layer="second")
    with pytest.raises(LabelsError, match=r"choose one: .*\|layer=first"):
        read_reference(path, MAP, CLASSES)
    source, mapping = f"{path}|layer=first", {"Water": "water"}
    points = read_reference(source, MAP, CLASSES, mapping=mapping)
    assert points.rows.tolist() == [1, 3, 0]
    assert points.cols.tolist() == [2, 4, 6]
    assert points.names == ("8", "8", "9")
    assert points.ids.tolist() == [CLASSES["water"]] * 2 + [255]
    assert points.unlabelled == 1


def test_references_are_refused_as_areas_are(tmp_path):
    path = tmp_path / "reference.gpkg"
    path.write_text("<OGRVRTDataSource/>")
    with pytest.raises(LabelsError, match="stands for other files or a service"):
        read_reference(path, MAP, CLASSES)
