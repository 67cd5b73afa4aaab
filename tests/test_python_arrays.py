"""geoseg in memory: arrays in, arrays and frames out, the bytes of the files."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import rasterio
import rioxarray  # the accessor that says what others read
import xarray as xr
from corner import write_corner
from shapely import box
from tiny_models import SHALLOW, build, save

import geoseg
from geoseg.errors import GridError, InputError
from geoseg.geo.cf import geobox_of

QUICK = {"device": "cpu", "formats": "gpkg"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_corner(tmp_path_factory.mktemp("scene"), 160, 200)


@pytest.fixture(scope="module")
def report(scene, tmp_path_factory):
    options = geoseg.SegmentOptions(**QUICK, probabilities=True)
    return geoseg.segment(scene, tmp_path_factory.mktemp("run"), options=options)


def pixels(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_a_report_opens_its_map_with_classes_as_flags(report):
    found = report.open()
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels(report.products["landcover"])[0])
    with rasterio.open(report.products["landcover"]) as dataset:
        assert found.rio.crs == dataset.crs
        assert found.rio.transform() == dataset.transform
    names = found.attrs["flag_meanings"].split()
    assert names == [each.name for each in report.class_areas]
    assert found.attrs["flag_values"].tolist() == [e.id for e in report.class_areas]


def test_a_report_opens_its_measures_in_their_units(report):
    sure = report.open("confidence", chunks=64)
    stored = pixels(report.products["confidence"])
    expected = np.where(stored == 255, np.nan, stored)
    assert np.array_equal(sure, expected, equal_nan=True)
    assert sure.chunks
    shares = report.open("probabilities")
    assert list(shares["band"].values) == [e.name for e in report.class_areas]
    total = shares.sum("band").to_numpy()[np.isfinite(expected[0])]
    assert np.abs(total - 1).max() < 0.03
    with pytest.raises(InputError, match="no raster 'height'"):
        report.open("height")


def test_a_report_reads_its_polygons(report):
    frame = report.polygons()
    other = geopandas.read_file(report.products["gpkg"], layer="landcover")
    assert frame.equals(other)
    drawn = geoseg.polygons(report.open())
    assert np.array_equal(drawn["pixel_count"], frame["pixel_count"])
    assert drawn["class_name"].tolist() == frame["class_name"].tolist()
    assert drawn.geometry.geom_equals(frame.geometry).all()


def test_polygons_of_a_plain_array_have_its_values_as_classes():
    values = np.array([[1, 1, 2], [1, 255, 2]], np.uint8)
    array = xr.DataArray(
        values, dims=("y", "x"), coords={"y": [15.0, 5.0], "x": [5.0, 15.0, 25.0]}
    ).rio.write_crs(32633)
    frame = geoseg.polygons(array)
    assert frame["class_name"].tolist() == ["class 1", "class 2"]
    assert frame.geometry.area.tolist() == [300, 200]
    with pytest.raises(InputError, match="whole numbers"):
        geoseg.polygons(array + 0.5)
    with pytest.raises(GridError, match="no CRS"):
        geoseg.polygons(array.drop_vars("spatial_ref"))


def test_areas_of_an_array_are_those_of_its_file(report):
    frame = geoseg.areas(report.open()).to_frame()
    other = geoseg.areas(report.products["landcover"], confidence=None).to_frame()
    columns = ["class_id", "class_name", "area_ha", "share"]
    assert frame[columns].equals(other[columns])
    own = {each.name: each.area_ha for each in report.class_areas}
    found = dict(zip(frame["class_name"], frame["area_ha"], strict=True))
    assert found == pytest.approx(own)


def test_a_model_maps_an_array_with_the_bytes_of_the_command(scene, report):
    image = geoseg.open_scene(scene).to_xarray()
    model = geoseg.Model()
    found = model.predict(image, probabilities=True)
    assert np.array_equal(found["class"], report.open())
    for name in ("confidence", "probabilities"):
        wanted = report.open(name)
        if name == "confidence":
            wanted = wanted.isel(band=0)
        assert np.array_equal(found[name], wanted, equal_nan=True), name
    assert model.bands == tuple(
        band.name for band in geoseg.load_package("sentinel2-landcover").bands
    )
    assert "cropland" in model.classes
    assert "sentinel2-landcover" in repr(model)


def test_what_an_interpreter_shows_of_values_is_a_line(scene, report):
    opened = geoseg.open_scene(scene)
    assert repr(opened.geobox) == (
        "GeoBox(160, 200, Affine(10, 0, 330000, 0, -10, 5822040), EPSG:32633)"
    )
    assert repr(opened).startswith(f"Scene({scene.name!r}, GeoBox(160, 200, ")
    assert repr(opened).endswith(
        "uint16, bands: B02, B03, B04, B05, B06, B07, B08, B8A, B11, B12)"
    )
    assert repr(report).startswith("Report(products: landcover, confidence, ")
    assert "cropland" in repr(report)


@pytest.mark.parametrize("axes", [("y", "x", "band"), ("band", "x", "y")])
def test_an_array_whose_last_axes_are_not_rows_and_columns_is_refused(scene, axes):
    image = geoseg.open_scene(scene).to_xarray().transpose(*axes)
    with pytest.raises(GridError, match=r"give array\.transpose\(\.\.\., 'y', 'x'\)"):
        geobox_of(image)


def test_a_scene_and_an_array_are_segmented_as_their_file_is(scene, report, tmp_path):
    opened = geoseg.open_scene(scene)
    with rioxarray.open_rasterio(scene) as stored:
        for name, image in (("scene", opened), ("array", stored)):
            options = geoseg.SegmentOptions(device="cpu", formats="none")
            made = geoseg.segment(image, tmp_path / name, options=options)
            for product in ("landcover", "confidence"):
                assert np.array_equal(
                    pixels(made.products[product]), pixels(report.products[product])
                )


def test_questions_of_a_scene_and_of_an_array_are_answered_as_of_their_file(scene):
    opened, options = geoseg.open_scene(scene), geoseg.SegmentOptions(**QUICK)
    asked = geoseg.info(scene)
    with rioxarray.open_rasterio(scene) as stored:
        stored.name = scene.stem
        images = [opened, stored]
        for image in images:
            found = geoseg.info(image)
            assert (found.bands, found.transform) == (asked.bands, asked.transform)
        wanted = geoseg.plan(scene, options=options)
        each = geoseg.plan_each([opened], options=options)
        assert each[scene.stem].tiles == wanted.tiles
        counts = geoseg.plan(stored, options=options)
        assert (counts.tiles, counts.map_pixels) == (wanted.tiles, wanted.map_pixels)


def test_scenes_and_arrays_are_mapped_each_by_itself_under_their_names(
    scene, report, tmp_path
):
    with rioxarray.open_rasterio(scene) as stored:
        stored.name = "array"
        images = [geoseg.open_scene(scene), stored]
        options = geoseg.SegmentOptions(device="cpu", formats="none")
        made = geoseg.segment_each(images, tmp_path, options=options)
        assert list(made) == [scene.stem, "array"]
        for each in made.values():
            found = pixels(each.products["landcover"])
            assert np.array_equal(found, pixels(report.products["landcover"]))
        with pytest.raises(InputError, match="would share the folder"):
            geoseg.segment_each([images[0], scene], tmp_path, options=options)


def test_an_array_is_evaluated_as_its_file_is(report):
    path = report.products["landcover"]
    shifted = report.open().load().copy(deep=True)
    shifted[:, :50] = shifted[:, 50:100].to_numpy()
    found, of_file = geoseg.evaluate(shifted, path), geoseg.evaluate(path, shifted)
    mine, other = found.evaluation.accuracy, of_file.evaluation.accuracy
    assert np.array_equal(mine.matrix, other.matrix.T)
    there = pixels(path)[0] != 255
    same = (shifted.to_numpy() == pixels(path)[0])[there].sum()
    assert np.trace(mine.matrix) == same
    assert found.class_map == of_file.reference == "an array"


def test_a_mosaic_of_files_with_other_scales_is_an_array_in_their_unit(tmp_path):
    for name, col, scale, offset in (("a", 0, 0.1, 0), ("b", 8, 0.2, -1)):
        transform = rasterio.Affine(10, 0, 500_000 + 10 * col, 0, -10, 5_900_000)
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", driver="GTiff", width=8, height=8, count=1,
            dtype="uint16", crs="EPSG:32633", transform=transform, nodata=0,
        ) as file:  # fmt: skip
            file.write(np.full((1, 8, 8), 10, np.uint16))
            file.scales, file.offsets = (scale,), (offset,)
    array = geoseg.open_scene([tmp_path / "a.tif", tmp_path / "b.tif"]).to_xarray()
    assert "scale" not in array.coords
    assert np.allclose(array[0, :, :8], 10 * 0.1)
    assert np.allclose(array[0, :, 8:], 10 * 0.2 - 1)


def test_the_plane_of_an_array_is_that_of_its_scene(scene):
    opened = geoseg.open_scene(scene)
    array = opened.to_xarray()
    assert geobox_of(array).same_plane_as(opened.geobox)
    part = opened.geobox[10:20, 5:30]
    assert geobox_of(array[:, 10:20, 5:30]).same_plane_as(part)
    coarse = geobox_of(array[:, ::2, ::2])
    assert coarse.transform.a == pytest.approx(2 * part.transform.a)
    bare = array[:, 10:20, 5:30].copy()
    bare["spatial_ref"].attrs.pop("GeoTransform")
    found = geobox_of(bare)
    assert (found.height, found.width) == (10, 25)
    assert tuple(found.transform) == pytest.approx(tuple(part.transform))


def test_an_array_keeps_units_and_fill_values_of_its_file(scene, tmp_path):
    path = tmp_path / "halved.tif"
    with rasterio.open(scene) as dataset:
        values = dataset.read(window=((0, 96), (0, 96))).astype(np.float32) / 2
        values[:, 10:40, 20:50] = -9999
        profile = dataset.profile | {"dtype": "float32", "nodata": -9999}
        with rasterio.open(path, "w", **profile | {"height": 96, "width": 96}) as made:
            made.write(values)
            made.descriptions = dataset.descriptions
            made.scales = [2e-4] * len(values)
    options = geoseg.SegmentOptions(device="cpu", formats="none")
    wanted = geoseg.segment(path, tmp_path / "out", options=options).open().load()
    hole = np.zeros((96, 96), bool)
    hole[10:40, 20:50] = True
    assert np.array_equal(wanted == 255, hole)
    image = geoseg.open_scene(path).to_xarray()
    assert image["scale"].values.tolist() == [2e-4] * len(values)
    model = geoseg.Model()
    with rioxarray.open_rasterio(path) as stored:
        for each in (image, stored):
            assert np.array_equal(model.predict(each, options=options)["class"], wanted)


def test_maps_in_memory_are_compared_relabelled_drawn_and_sampled_as_their_files(
    report, tmp_path
):
    path = report.products["landcover"]
    array = report.open().load()
    later = array.copy(deep=True)
    later[:, :50] = later[:, 50:100].to_numpy()
    was, now = pixels(path)[0], later.to_numpy()
    both = (was != 255) & (now != 255)

    found = geoseg.change(array, later, tmp_path / "change")
    counts = np.zeros((len(found.classes),) * 2, int)
    ids = array.attrs["flag_values"].tolist()
    for row, col in zip(was[both], now[both], strict=True):
        counts[ids.index(row), ids.index(col)] += 1
    assert np.array_equal(found.pixels, counts)
    assert found.before == found.after == "an array"
    assert not [*tmp_path.rglob("*array*")]

    for name, given in (("array", array), ("file", path)):
        geoseg.relabel(given, tmp_path / f"{name}.tif", legend="corine-1")
        geoseg.vectorize(given, tmp_path / f"{name}.gpkg")
        geoseg.sample_points(given, tmp_path / f"{name}.geojson")
    relabelled = [pixels(tmp_path / f"{each}.tif") for each in ("array", "file")]
    assert np.array_equal(*relabelled)
    drawn, wanted = (
        geopandas.read_file(tmp_path / f"{each}.gpkg", layer=each)
        for each in ("array", "file")
    )
    assert drawn.equals(wanted)
    points, same = (
        geopandas.read_file(tmp_path / f"{each}.geojson") for each in ("array", "file")
    )
    assert points.equals(same)


def test_each_feature_of_an_array_and_a_scene_is_mapped_as_of_the_file(
    scene, report, tmp_path
):
    with rasterio.open(scene) as dataset:
        left, bottom, right, top = dataset.bounds
        crs = dataset.crs
    halves = geopandas.GeoDataFrame(
        {"name": ["west", "east"]},
        geometry=[
            box(left, bottom, (left + right) / 2, top),
            box((left + right) / 2, bottom, right, top),
        ],
        crs=crs,
    )
    options = geoseg.SegmentOptions(device="cpu", formats="none")
    whole = pixels(report.products["landcover"])
    middle = whole.shape[2] // 2
    with rioxarray.open_rasterio(scene) as stored:
        for name, image in (("scene", geoseg.open_scene(scene)), ("array", stored)):
            made = geoseg.segment_features(
                image, tmp_path / name, aoi=halves, field="name", options=options
            )
            for each, wanted in (
                ("west", whole[..., :middle]), ("east", whole[..., middle:])
            ):  # fmt: skip
                found = pixels(made[each].products["landcover"])
                assert np.array_equal(found, wanted)


def test_overlap_is_verified_of_an_array_as_of_its_file(scene, tmp_path):
    bands = [band.name for band in geoseg.info(scene).bands][:2]
    network = build("Unet", "resnet18", SHALLOW, bands=2)
    model = save(tmp_path / "model", network, bands=bands, gsd_m=10.0).path
    options = geoseg.VerifyOptions(
        window=(8, 16, 96, 96), tile=64, overlap=32, device="cpu"
    )
    wanted = geoseg.verify(model, scene, options=options)
    with rioxarray.open_rasterio(scene) as stored:
        for image in (geoseg.open_scene(scene), stored):
            found = geoseg.verify(model, image, options=options)
            assert found.agreements == wanted.agreements
