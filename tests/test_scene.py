"""Reading: the header, windows, the valid mask, and what is refused."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import SceneError
from geoseg.grid import Window
from geoseg.scene import open_scene


def test_the_header_is_what_rasterio_says(make_raster):
    path = make_raster()
    scene = open_scene(path)
    with rasterio.open(path) as dataset:
        assert (scene.georef.height, scene.georef.width) == dataset.shape == (37, 53)
        assert scene.georef.transform == dataset.transform
    assert scene.georef.crs == CRS.from_epsg(32633)
    assert scene.bands == ("B02", "B03", "B04")
    assert (scene.dtype, scene.nodata) == ("uint16", 0)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(row=st.integers(0, 36), col=st.integers(0, 52), data=st.data())
def test_a_window_is_what_rasterio_reads(make_raster, row, col, data):
    path = make_raster()
    window = Window(
        row,
        col,
        data.draw(st.integers(1, 37 - row)),
        data.draw(st.integers(1, 53 - col)),
    )
    pixels, valid = open_scene(path).read(window, (2, 0))
    part = RasterioWindow(col, row, window.width, window.height)
    with rasterio.open(path) as dataset:
        assert np.array_equal(pixels, dataset.read([3, 1], window=part))
        expected = dataset.read([3, 1], window=part).min(axis=0) > 0
    assert np.array_equal(valid, expected)


def test_values_that_are_no_numbers_are_not_valid(make_raster):
    values = np.ones((2, 5, 7), np.float32)
    values[0, 1, 2] = np.nan
    values[1, 3, 4] = np.inf
    scene = open_scene(make_raster(values=values, nodata=None))
    _, valid = scene.read(Window(0, 0, 5, 7), (0, 1))
    assert {tuple(place) for place in np.argwhere(~valid)} == {(1, 2), (3, 4)}
    _, valid = scene.read(Window(0, 0, 5, 7), (0,))
    assert {tuple(place) for place in np.argwhere(~valid)} == {(1, 2)}


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SceneError, match=r"no\.tif does not exist; check"):
        open_scene(tmp_path / "no.tif")


def test_a_file_that_is_no_raster_is_refused(tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("not a raster")
    with pytest.raises(SceneError, match="cannot be opened as a raster"):
        open_scene(path)


def test_a_raster_without_crs_is_refused(make_raster):
    with pytest.raises(SceneError, match="no coordinate reference system; assign"):
        open_scene(make_raster(crs=None))


def test_a_raster_without_geotransform_is_refused(make_raster):
    with pytest.warns(NotGeoreferencedWarning):
        path = make_raster(transform=Affine.identity())
    with pytest.raises(SceneError, match="no geotransform, so its pixels have no"):
        open_scene(path)


def test_a_scene_whose_nodata_is_nan_is_the_same_when_opened_again(make_raster):
    values = np.ones((2, 5, 7), np.float32)
    values[0, 1, 2] = np.nan
    path = make_raster(values=values, nodata=np.nan)
    scene = open_scene(path)
    assert scene == open_scene(path)
    _, valid = scene.read(Window(0, 0, 5, 7), (0, 1))
    assert (~valid).sum() == 1


def test_a_raster_of_complex_numbers_is_refused(make_raster):
    values = np.ones((1, 5, 7), np.complex64)
    with pytest.raises(SceneError, match="complex numbers"):
        open_scene(make_raster(values=values, nodata=None))


def test_a_damaged_file_is_named_with_the_window(make_raster):
    path = make_raster(compress="deflate")
    scene = open_scene(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SceneError, match=r"scene\.tif cannot be read at rows 0-37"):
        scene.read(Window(0, 0, 37, 53), (0, 1, 2))
