"""Reference labels: read from files, rasterized onto a scene's pixels."""

from __future__ import annotations

import warnings

import geopandas
import numpy as np
import pytest
from affine import Affine
from pyproj import CRS
from shapely import (
    GeometryCollection,
    LineString,
    MultiPoint,
    Point,
    Polygon,
    box,
)

import geoseg
from geoseg.errors import LabelsError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.overlay.labels import Labels, open_labels, rasterize_labels, read_labels

LEGEND = Legend((LandClass(2, "land", "#885522"), LandClass(5, "sea", "#0011ff")))
UTM = CRS.from_epsg(32633)
PLANE = GeoBox(5, 7, Affine(10, 0, 400_000, 0, -10, 5_800_000), UTM)


def square(row, col, height, width):
    """The ground of whole pixels of the plane."""
    left, top = PLANE.xy(row=row, col=col)
    right, bottom = PLANE.xy(row=row + height, col=col + width)
    return box(left, bottom, right, top)


def table(shapes, names, crs=UTM):
    return geopandas.GeoDataFrame({"class": names}, geometry=shapes, crs=crs)


def test_pixels_get_the_class_of_their_polygon_and_255_elsewhere():
    labels = Labels((square(0, 1, 2, 3), square(4, 6, 9, 9)), ("sea", "land"), UTM)
    expected = np.full((5, 7), 255)
    expected[:2, 1:4] = 5
    expected[4, 6] = 2
    rasterized = rasterize_labels(labels, PLANE, LEGEND)
    assert rasterized.dtype == np.uint8
    np.testing.assert_array_equal(rasterized, expected)


def test_a_pixel_counts_when_its_centre_is_inside():
    a_bit_more_than_half = square(0, 0, 1, 1).buffer(0)
    left, bottom, right, top = a_bit_more_than_half.bounds
    wide = box(left, bottom, right + 5.1, top)  # past the next pixel's centre
    narrow = box(left, bottom, right + 4.9, top)
    for shape, pixels in ((wide, 2), (narrow, 1)):
        rasterized = rasterize_labels(Labels((shape,), ("sea",), UTM), PLANE, LEGEND)
        assert (rasterized == 5).sum() == pixels


def test_labels_in_degrees_land_on_the_same_pixels():
    there = Labels((square(1, 2, 3, 4),), ("land",), UTM)
    degrees = geopandas.GeoSeries(list(there.shapes), crs=UTM).to_crs(4326)
    moved = Labels(tuple(degrees), there.names, CRS.from_epsg(4326))
    np.testing.assert_array_equal(
        rasterize_labels(moved, PLANE, LEGEND), rasterize_labels(there, PLANE, LEGEND)
    )


def test_a_hole_in_a_polygon_stays_unlabelled():
    outer = square(0, 0, 5, 5)
    ring = Polygon(outer.exterior, [square(2, 2, 1, 1).exterior])
    rasterized = rasterize_labels(Labels((ring,), ("sea",), UTM), PLANE, LEGEND)
    assert (rasterized == 5).sum() == 24
    assert rasterized[2, 2] == 255


def test_a_file_gives_back_its_shapes_and_leaves_out_what_has_no_class(tmp_path):
    shapes = [square(0, 0, 1, 1), square(1, 1, 2, 2), None, square(0, 0, 1, 1)]
    shapes += [Point(400_000, 5_800_000), LineString([(0, 0), (1, 1)])]
    names = ["land", "sea", "sea", None, "land", "land"]
    path = tmp_path / "labels.gpkg"
    table(shapes, names).to_file(path)
    labels = read_labels(path)
    assert labels.names == ("land", "sea", "land", "land")
    assert [shape.area for shape in labels.shapes] == [100, 400, 0, 0]
    assert labels.crs.to_epsg() == 32633


def test_files_in_several_crs_are_put_together_and_a_later_one_is_on_top(
    tmp_path, make_raster
):
    fields = table([square(0, 0, 5, 4), square(0, 4, 5, 3)], ["land", "sea"])
    places = [square(1, 2, 1, 1).centroid, square(3, 6, 1, 1).centroid]
    points = table(places, ["sea", "sea"])
    fields.to_file(tmp_path / "fields.gpkg")
    points = points.to_crs(4326)
    points.loc[2] = [None, points.geometry[0]]
    points.to_file(tmp_path / "points.geojson")
    expected = np.full((5, 7), 2)
    expected[:, 4:] = expected[1, 2] = 5
    files = [tmp_path / "fields.gpkg", str(tmp_path / "points.geojson")]
    found = open_labels(files)
    assert found.crs == UTM
    assert "left out 1 feature that has no 'class'" in found.warnings[0]
    np.testing.assert_array_equal(rasterize_labels(found, PLANE, LEGEND), expected)
    under = rasterize_labels(open_labels(files[::-1]), PLANE, LEGEND)
    assert (under[1, 2], under[3, 6]) == (2, 5)
    raster = make_raster(values=np.ones((1, 4, 4), np.uint8), bands=())
    with pytest.raises(LabelsError, match="is a raster of classes and 2 files of lab"):
        open_labels([files[0], raster])
    with pytest.raises(LabelsError, match="no file of labels is given"):
        open_labels([])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(LabelsError, match="does not exist"):
        read_labels(tmp_path / "labels.gpkg")


def test_a_file_that_is_no_vector_file_is_refused(tmp_path):
    path = tmp_path / "labels.gpkg"
    path.write_text("nothing of the kind")
    with pytest.raises(LabelsError, match="is no vector file that GDAL can read"):
        read_labels(path)


def test_a_table_without_geometry_is_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("class,area\nland,3\n")
    with pytest.raises(LabelsError, match="has no layer with geometry"):
        read_labels(path)


def test_a_file_without_a_crs_is_refused(tmp_path):
    path = tmp_path / "labels.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        table([square(0, 0, 1, 1)], ["land"], crs=None).to_file(path)
    with pytest.raises(LabelsError, match="no coordinate reference system"):
        read_labels(path)


def test_a_missing_column_is_answered_with_those_there(tmp_path):
    path = tmp_path / "labels.gpkg"
    table([square(0, 0, 1, 1)], ["land"]).to_file(path)
    with pytest.raises(
        LabelsError, match=r"no column 'kind'.*`class_field='class'`: class$"
    ):
        read_labels(path, column="kind")


def test_a_file_without_a_labelled_shape_is_refused(tmp_path):
    path = tmp_path / "labels.gpkg"
    table([Point(0, 0), None], [None, "land"]).to_file(path)
    with pytest.raises(LabelsError, match="no shape"):
        read_labels(path)


def test_a_class_that_the_legend_lacks_is_named():
    labels = Labels((square(0, 0, 1, 1),), ("moor",), UTM)
    with pytest.raises(LabelsError, match=r"\['moor'\].*\['land', 'sea'\]"):
        rasterize_labels(labels, PLANE, LEGEND)


def test_labels_elsewhere_are_refused_with_both_extents():
    labels = Labels((square(100, 100, 1, 1),), ("sea",), UTM)
    with pytest.raises(LabelsError, match=r"covers 400000,.*the labels 401000,"):
        rasterize_labels(labels, PLANE, LEGEND)


def test_a_width_is_for_lines_and_a_point_labels_its_own_pixel():
    x, y = PLANE.xy(row=2.5, col=3.5)
    line = LineString([PLANE.xy(row=0.5, col=0), PLANE.xy(row=0.5, col=7)])
    labels = Labels((Point(x, y), line), ("sea", "land"), UTM, width=30.0)
    rasterized = labels.rasterize(PLANE, {"sea": 1, "land": 2})
    np.testing.assert_array_equal(np.argwhere(rasterized == 1), [[2, 3]])
    assert (rasterized[:2, 1:-1] == 2).all()


def test_collections_are_taken_apart_and_keep_their_order(tmp_path):
    nested = GeometryCollection(
        [
            GeometryCollection([square(0, 0, 2, 2), Point(PLANE.xy(row=4.5, col=6.5))]),
            MultiPoint([PLANE.xy(row=4.5, col=0.5), PLANE.xy(row=3.5, col=0.5)]),
        ]
    )
    path = tmp_path / "labels.geojson"
    over = square(1, 1, 1, 1)
    table([nested, over, None], ["sea", "land", "sea"]).to_file(path)
    labels = read_labels(path)
    assert [shape.geom_type for shape in labels.shapes] == [
        *("Polygon", "Point", "Point", "Point", "Polygon")
    ]
    rasterized = labels.rasterize(PLANE, {"sea": 1, "land": 2})
    expected = np.full((5, 7), 255)
    expected[:2, :2] = expected[4, 6] = expected[4, 0] = expected[3, 0] = 1
    expected[1, 1] = 2
    np.testing.assert_array_equal(rasterized, expected)


def test_blanks_are_no_classes_and_are_counted(tmp_path):
    shapes = [square(0, col, 1, 1) for col in range(6)]
    path = tmp_path / "labels.gpkg"
    table(shapes, ["sea ", "", "  ", None, " sea", "land"]).to_file(path)
    labels = read_labels(path)
    assert labels.names == ("sea", "sea", "land")
    assert labels.warnings == (f"{path}: left out 3 features that have no 'class'",)


def test_classes_are_found_in_the_columns_of_geosegs_own_polygons(tmp_path):
    path = tmp_path / "map.gpkg"
    frame = geopandas.GeoDataFrame(
        {"class_id": [3], "class_name": ["sea"]}, geometry=[square(0, 0, 1, 1)], crs=UTM
    )
    frame.to_file(path)
    assert read_labels(path).names == ("sea",)
    assert read_labels(path, column="class_id").names == ("3",)
    frame.rename(columns={"class_name": "Class"}).to_file(path)
    assert read_labels(path).names == ("sea",)


def test_one_of_several_layers_has_to_be_named(tmp_path):
    path = tmp_path / "labels.gpkg"
    table([square(0, 0, 1, 1)], ["land"]).to_file(path, layer="old")
    table([square(0, 0, 1, 1)], ["sea"]).to_file(path, layer="new")
    with pytest.raises(LabelsError, match=r"has 2: old, new; choose .*\|layer=old"):
        open_labels(path)
    assert open_labels(f"{path}|layer=new").names == ("sea",)


def test_files_that_stand_for_others_are_refused(tmp_path):
    table([square(0, 0, 1, 1)], ["land"]).to_file(tmp_path / "secret.gpkg")
    path = tmp_path / "labels.gpkg"
    path.write_text(
        f"<OGRVRTDataSource><OGRVRTLayer name='secret'><SrcDataSource>"
        f"{tmp_path / 'secret.gpkg'}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(LabelsError, match="stands for other files or a service"):
        open_labels(path)


def test_geoparquet_is_read(tmp_path):
    path = tmp_path / "labels.parquet"
    table([square(0, 0, 1, 1)], ["land"]).to_parquet(path)
    assert open_labels(path).names == ("land",)


def test_metres_that_are_called_degrees_are_suspected(tmp_path):
    path = tmp_path / "labels.geojson"  # whose standard says degrees, without a CRS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table([square(0, 0, 1, 1)], ["land"], crs=None).to_file(path)
    with pytest.raises(LabelsError, match=r"400000,.*are no degrees") as caught:
        open_labels(path).rasterize(PLANE, {"land": 1})
    assert "inf" not in str(caught.value)


def test_a_line_is_as_wide_as_it_is_said_to_be():
    ends = [PLANE.xy(row=2.5, col=0), PLANE.xy(row=2.5, col=7)]
    degrees = geopandas.GeoSeries([LineString(ends)], crs=UTM).to_crs(4326)
    line = Labels(tuple(degrees), ("sea",), CRS.from_epsg(4326), width=30.0)
    rasterized = line.rasterize(PLANE, {"sea": 1})
    np.testing.assert_array_equal(
        rasterized[:, 1:-1] == 1, [[r in {1, 2, 3}] * 5 for r in range(5)]
    )


def test_a_raster_of_classes_lands_on_the_same_pixels_and_may_lack_nodata(make_raster):
    values = np.arange(35, dtype=np.uint8).reshape(1, 5, 7) % 3
    profile = {"crs": UTM, "transform": PLANE.transform}
    for nodata in (0, None):
        path = make_raster(values=values, bands=("class",), nodata=nodata, **profile)
        labels = open_labels(path)
        rasterized = labels.rasterize(PLANE, {"0": 7, "2": 9})
        expected = np.where(values[0] == 2, 9, 255)
        if nodata is None:
            expected[values[0] == 0] = 7
        np.testing.assert_array_equal(rasterized, expected)


def test_a_raster_of_measurements_is_no_raster_of_classes(make_raster):
    values = np.random.default_rng(0).random((1, 5, 7), np.float32)
    with pytest.raises(LabelsError, match=r"no raster of classes: .* with fractions"):
        open_labels(make_raster(values=values, bands=("x",)))


ODD = GeoBox(61, 83, Affine(10, 0, 400_003.3, 0, -10, 5_800_001.7), UTM)


def cut(gridded, sides):
    """Read a plane in pieces and put them together."""
    whole = np.zeros((ODD.height, ODD.width), np.uint8)
    for row in range(0, ODD.height, sides[0]):
        for col in range(0, ODD.width, sides[1]):
            height = min(sides[0], ODD.height - row)
            part = Window(row, col, height, min(sides[1], ODD.width - col))
            whole[part.slices()] = gridded.read(part)
    return whole


def test_however_a_plane_is_cut_shapes_label_the_same_pixels():
    random = np.random.default_rng(5)
    x = 400_000 + 830 * random.random((40, 2))
    y = 5_800_000 - 610 * random.random((40, 2))
    lines = [LineString(zip(*each, strict=True)) for each in zip(x, y, strict=True)]
    shapes = [*lines[:15], *(line.buffer(20) for line in lines[15:30])]
    shapes += [line.centroid for line in lines[30:]]
    degrees = geopandas.GeoSeries(shapes, crs=UTM).to_crs(4326)
    names = tuple(f"{number % 7}" for number in range(40))
    labels = Labels(tuple(degrees), names, CRS.from_epsg(4326))
    values = {str(value): value + 3 for value in range(7)}
    whole = labels.rasterize(ODD, values)
    assert len(np.unique(whole)) == 8
    for sides in ((1, 83), (7, 11), (32, 32)):
        np.testing.assert_array_equal(cut(labels.on_grid(ODD, values), sides), whole)


def test_however_a_plane_is_cut_a_raster_labels_the_same_pixels(make_raster):
    classes = np.random.default_rng(6).integers(0, 5, (1, 90, 120), np.uint8)
    grid = Affine(0.0001, 0, 13.5325, 0, -0.00007, 52.3415)  # degrees
    path = make_raster(values=classes, bands=("c",), crs="EPSG:4326", transform=grid)
    labels = open_labels(path)
    values = {str(value): value for value in range(1, 5)}
    whole = labels.rasterize(ODD, values)
    assert (whole != 255).mean() > 0.5
    for sides in ((1, 83), (7, 11), (32, 32)):
        np.testing.assert_array_equal(cut(labels.on_grid(ODD, values), sides), whole)


def test_labels_of_people_are_an_array_of_class_ids_that_others_read(tmp_path):
    shapes = [square(1, 1, 2, 2), square(2, 2, 2, 2), None]
    frame = geopandas.GeoDataFrame(
        {"class": ["sea", "land", "sea"], "code": ["a", "b", "c"]},
        geometry=shapes, crs=UTM,
    )  # fmt: skip
    frame.to_file(tmp_path / "labels.gpkg")
    wanted = rasterize_labels(
        Labels(tuple(shapes[:2]), ("sea", "land"), UTM), PLANE, LEGEND
    )
    for given in (frame, tmp_path / "labels.gpkg"):
        found = geoseg.rasterize(given, PLANE, legend=LEGEND)
        assert np.array_equal(found, wanted)
        assert found.attrs["flag_names"] == [each.name for each in LEGEND]
        drawn = geoseg.polygons(found)
        assert set(drawn["class_name"]) == {"sea", "land"}
    numbered = geoseg.rasterize(frame, PLANE, class_field="code")
    assert numbered.attrs["flag_names"] == ["a", "b"]
    with pytest.raises(LabelsError, match="no CRS"):
        geoseg.rasterize(frame.set_crs(None, allow_override=True), PLANE)
    with pytest.raises(LabelsError, match="'kind'"):
        geoseg.rasterize(frame, PLANE, class_field="kind")
