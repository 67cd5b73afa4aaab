"""Reading: the header, windows, the valid mask, and what is refused."""

import pickle

import numpy as np
import pytest
import rasterio
from affine import Affine
from damage import damage_unnoticed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import ChangedError, SceneError
from geoseg.geo.windows import Window
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.files import parts


def test_the_header_is_what_rasterio_says(make_raster):
    path = make_raster()
    scene = open_scene(path)
    with rasterio.open(path) as dataset:
        assert (scene.geobox.height, scene.geobox.width) == dataset.shape == (37, 53)
        assert scene.geobox.transform == dataset.transform
    assert scene.geobox.crs == CRS.from_epsg(32633)
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
    assert {tuple(pixel) for pixel in np.argwhere(~valid)} == {(1, 2), (3, 4)}
    _, valid = scene.read(Window(0, 0, 5, 7), (0,))
    assert {tuple(pixel) for pixel in np.argwhere(~valid)} == {(1, 2)}


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
    with pytest.raises(SceneError, match="no geotransform, so its pixels are nowhere"):
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


def test_a_block_that_cannot_be_decoded_is_named_with_its_offset_in_the_file(
    make_raster,
):
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 48, "interleave": "band"}
    path = make_raster(height=100, width=90, compress="zstd", **tiles)
    scene = open_scene(path)
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=2))
    damage_unnoticed(path, offset, 40)
    assert scene.read(Window(0, 0, 48, 90), (0, 1, 2))[1].any()
    with pytest.raises(SceneError, match=rf"band 2.* begins at byte {offset}\);"):
        scene.read(Window(0, 0, 100, 90), (0, 1, 2))


def test_a_crs_can_be_assumed_where_a_file_has_none(make_raster):
    path = make_raster(crs=None)
    scene = open_scene(path, SceneOptions(assume_crs="EPSG:32633"))
    assert scene.geobox.crs == CRS.from_epsg(32633)
    with pytest.raises(SceneError, match="`assume_crs` is no coordinate"):
        open_scene(path, SceneOptions(assume_crs="EPSG:nowhere"))


def test_nodata_can_be_said_or_denied(make_raster):
    path, window = make_raster(), Window(0, 0, 37, 53)
    with rasterio.open(path) as dataset:
        blue = dataset.read(1)
    for said, expected in ((None, blue != 0), ("none", blue >= 0), (7.0, blue != 7)):
        _, valid = open_scene(path, SceneOptions(nodata=said)).read(window, (0,))
        assert np.array_equal(valid, expected)


@pytest.mark.parametrize("alpha", [True, False], ids=["alpha band", "mask"])
def test_alpha_bands_and_masks_say_where_data_is(tmp_path, alpha):
    values = np.random.default_rng(1).integers(1, 99, (4, 37, 53), np.uint8)
    values[3] = np.where(values[3] > 50, 255, 0)
    path = tmp_path / "masked.tif"
    shape = {"height": 37, "width": 53, "dtype": "uint8", "count": 4 if alpha else 3}
    georeference = {"crs": "EPSG:32633", "transform": Affine(10, 0, 0, 0, -10, 9000)}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", **shape, **georeference) as dataset,
    ):
        dataset.write(values[: dataset.count])
        if alpha:
            dataset.colorinterp = [*dataset.colorinterp[:3], ColorInterp.alpha]
        else:
            dataset.write_mask(values[3] > 0)
    scene = open_scene(path)
    assert len(scene.bands) == 3
    pixels, valid = scene.read(Window(2, 3, 20, 30), (2, 0))
    part = (slice(2, 22), slice(3, 33))
    assert np.array_equal(valid, values[3][part] > 0)
    assert np.array_equal(pixels, values[[2, 0]][(slice(None), *part)])


def test_pixels_count_where_any_band_has_data_if_asked(make_raster):
    values = np.ones((2, 5, 7), np.float32)
    values[0, 1, 2] = np.nan
    values[:, 3, 4] = np.nan
    scene = open_scene(make_raster(values=values), SceneOptions(valid="any"))
    pixels, valid = scene.read(Window(0, 0, 5, 7), (0, 1))
    assert {tuple(pixel) for pixel in np.argwhere(~valid)} == {(3, 4)}
    assert pixels[:, 1, 2].tolist() == [0, 1], "a band without data reads as 0"


def test_colours_of_a_palette_are_refused(make_raster):
    path = make_raster(values=np.ones((1, 5, 7), np.uint8), photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})
    with pytest.raises(SceneError, match="palette's colours"):
        open_scene(path)


def test_a_raster_located_by_points_is_refused(make_raster):
    with pytest.warns(NotGeoreferencedWarning):
        path = make_raster(transform=Affine.identity(), crs=None)
    points = [GroundControlPoint(r, c, c, -r) for r, c in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(path, "r+") as dataset:
        dataset.gcps = points, rasterio.crs.CRS.from_epsg(32633)
    with pytest.raises(SceneError, match="ground control points only; rectify"):
        open_scene(path)


def test_a_file_that_was_changed_is_read_by_who_opens_it_anew(make_raster):
    values = np.ones((1, 5, 7), np.uint16)
    scene = open_scene(make_raster(values=values, bands=("B02",)))
    window = Window(0, 0, 5, 7)
    assert scene.read(window, (0,))[0].max() == 1
    path = make_raster(values=9 * values, bands=("B02",))
    with pytest.raises(ChangedError, match=r"scene\.tif is not what it was"):
        scene.read(window, (0,))
    assert open_scene(path).read(window, (0,))[0].max() == 9


def test_every_option_that_changes_pixels_is_in_the_identity(make_raster):
    path = make_raster()
    chosen = ({}, {"nodata": 7}, {"nodata": "none"}, {"valid": "any"})
    identities = [open_scene(path, SceneOptions(**each)).identity() for each in chosen]
    assert len({tuple(each.values()) for each in identities}) == len(chosen)
    assert identities[0] == open_scene(path).identity()
    assert pickle.loads(pickle.dumps(open_scene(path))) == open_scene(path)  # noqa: S301  # just made


def test_a_picture_read_in_parts_is_the_picture_read_at_once(make_raster, monkeypatch):
    values = np.random.default_rng(0).integers(1, 9000, (2, 301, 97), np.uint16)
    values[:, 100:130, :50] = 0
    scene = open_scene(make_raster(values=values))
    window, shape = Window(7, 3, 290, 90), (33, 11)
    at_once = scene.picture(window, (1, 0), shape)
    monkeypatch.setattr(parts, "CACHED", 20_000)
    in_parts = scene.picture(window, (1, 0), shape)
    assert in_parts.shape == (2, 33, 11)
    assert np.array_equal(in_parts.mask, at_once.mask)
    away = np.abs(in_parts.astype(float) - at_once)
    assert away.max() <= 1  # of 9000: GDAL rounds weights at a part's edge


def test_a_fourth_byte_band_with_a_name_is_no_alpha_band(tmp_path):
    values = np.full((4, 8, 8), 7, np.uint8)
    values[3, :4] = 0
    shape = {"count": 4, "height": 8, "width": 8, "dtype": "uint8"}
    georeference = {
        "crs": "EPSG:32633",
        "transform": Affine(10, 0, 400_000, 0, -10, 5_800_000),
    }
    path = tmp_path / "rgbn.tif"
    for names, bands in (("red green blue nir", 4), ("", 3), ("r g b Alpha", 3)):
        with rasterio.open(
            path, "w", driver="GTiff", **shape, **georeference
        ) as dataset:
            dataset.write(values)
            for index, name in enumerate(names.split(), start=1):
                dataset.set_band_description(index, name)
        scene = open_scene(path)
        assert len(scene.bands) == bands
        _, valid = scene.read(Window(0, 0, 8, 8), range(bands))
        assert valid.all() == (bands == 4)
