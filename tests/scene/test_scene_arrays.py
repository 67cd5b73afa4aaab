"""A scene as xarray and rioxarray have it: the same pixels at the same coordinates."""

import dask
import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  # it registers the accessor
import xarray as xr
from members import SCENE
from pyproj import CRS

import geoseg

ROWS, COLS = slice(10, 40), slice(25, 60)


@pytest.fixture(scope="module")
def scene():
    return geoseg.open_scene(SCENE)


@pytest.fixture
def gappy(tmp_path):
    pixels = np.arange(2 * 7 * 9, dtype="uint16").reshape(2, 7, 9) + 1
    pixels[0, 2, 3] = pixels[1, 5, 6] = 0
    path = tmp_path / "gappy.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000),
        count=2,
        height=7,
        width=9,
        dtype="uint16",
        nodata=0,
    ) as dataset:
        dataset.write(pixels)
        dataset.descriptions = ("red", "nir")
    return path, pixels


@pytest.mark.parametrize("chunks", [None, 16, {"band": 1, "y": 8}])
def test_a_part_of_the_array_is_what_rasterio_reads_there(scene, chunks):
    array = scene.to_xarray(chunks=chunks)[:, ROWS, COLS]
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window.from_slices(ROWS, COLS)
        expected = dataset.read(window=window)
        assert array.rio.transform() == dataset.window_transform(window)
        assert array.rio.crs == dataset.crs
        assert tuple(array.band.values) == dataset.descriptions
    assert dask.is_dask_collection(array.data) == (chunks is not None)
    np.testing.assert_array_equal(array.values, expected)


def test_pixels_are_named_by_their_centres_as_rioxarray_does(scene):
    array = scene.to_xarray()
    theirs = xr.open_dataset(SCENE, engine="rasterio", chunks=None)
    np.testing.assert_array_equal(array.x.values, theirs.x.values)
    np.testing.assert_array_equal(array.y.values, theirs.y.values)
    assert CRS(array.spatial_ref.attrs["crs_wkt"]) == scene.geobox.crs


def test_a_pixel_without_data_in_a_band_is_masked_in_all_that_are_chosen(gappy):
    path, pixels = gappy
    scene = geoseg.open_scene(path)
    expected = np.where((pixels == 0).any(axis=0), np.nan, pixels)
    np.testing.assert_array_equal(scene.to_xarray().values, expected)
    red = scene.to_xarray(["red"])
    assert np.argwhere(np.isnan(red.values)).tolist() == [[0, 2, 3]]


@pytest.mark.parametrize(
    "key",
    [
        (1, 3, 4),
        (slice(None, None, -1), slice(6, 1, -2), slice(8, None, -3)),
        (0, slice(3, 3), slice(None)),
        ([1, 0], [4, 0, 2], slice(2, 8, 4)),
    ],
)
def test_an_index_of_any_kind_is_that_of_the_whole(gappy, key):
    array = geoseg.open_scene(gappy[0]).to_xarray()
    loaded = array.copy(data=array.values)
    xr.testing.assert_identical(array[key].load(), loaded[key])


def test_what_rioxarray_writes_of_it_is_the_raster_again(gappy, tmp_path):
    path, pixels = gappy
    copy = tmp_path / "copy.tif"
    whole = geoseg.open_scene(path).to_xarray()
    whole.rio.to_raster(copy)
    with rasterio.open(copy) as dataset:
        assert (dataset.dtypes[0], dataset.nodata) == ("uint16", 0)
        joint = np.where((pixels == 0).any(axis=0), 0, pixels)
        np.testing.assert_array_equal(dataset.read(), joint)


def test_an_unknown_band_is_refused_with_those_there_are(gappy):
    with pytest.raises(geoseg.InputError, match="its bands are 'red', 'nir'"):
        geoseg.open_scene(gappy[0]).to_xarray(["green"])


def test_a_scene_read_without_bands_gives_all(gappy):
    path, pixels = gappy
    found, valid = geoseg.open_scene(path).read(geoseg.Window(1, 2, 5, 6))
    np.testing.assert_array_equal(found[:, valid], pixels[:, 1:6, 2:8][:, valid])
    assert (~valid).sum() == 2
