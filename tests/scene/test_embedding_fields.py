"""Fields of learned features as scenes: what numbers stand for, on any grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from embedding_fields import (
    ALPHAEARTH,
    TESSERA,
    dequantised,
    quantised,
    vectors,
    write_alphaearth,
    write_south_up,
    write_tessera,
    write_tessera_pair,
)
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer

import geoseg
from geoseg.cli import main
from geoseg.errors import SceneError
from geoseg.geo.embeddings import Embedding, listed, version_of
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.report.components import principal_components
from geoseg.scene.files.quantised import block_means

PLANE = Affine(10, 0, 500_000, 0, -10, 5_500_000)
HEIGHT, WIDTH = 131, 149


@pytest.fixture(scope="module")
def numbers():
    """Stripes of three classes as int8 vectors, without data in a corner."""
    classes = np.arange(HEIGHT)[:, None] // 13 % 3 + np.zeros((1, WIDTH), int)
    found = quantised(vectors(classes))
    found[:, :9, :11] = -128
    return found


@pytest.fixture(scope="module")
def field(numbers, tmp_path_factory):
    """Give an AlphaEarth file where it is published: the address has the version."""
    folder = tmp_path_factory.mktemp("bucket") / "v1" / "annual" / "2024" / "32N"
    folder.mkdir(parents=True)
    return write_alphaearth(folder / "field.tiff", numbers, PLANE)


def read(path, **options):
    scene = geoseg.open_scene(path, geoseg.SceneOptions(**options))
    return scene, *scene.read(scene.window)


def test_alphaearth_is_known_by_names_and_dtype_and_dequantised_exactly(field, numbers):
    scene, pixels, valid = read(field)
    assert (scene.embedding, scene.dtype) == (Embedding("alphaearth", "1"), "float32")
    assert np.array_equal(valid, numbers[0] != -128)
    exact = dequantised(numbers).astype(np.float32)
    assert np.array_equal(pixels[:, valid], exact[:, valid])
    assert abs(np.linalg.norm(pixels[:, valid], axis=0) - 1).max() < 0.02
    some, _ = scene.read(Window(20, 30, 7, 5), (63, 2))
    assert np.array_equal(some, exact[[63, 2], 20:27, 30:35])


def test_each_of_the_255_numbers_stands_for_the_float_next_to_the_exact_value(tmp_path):
    every = np.arange(-127, 128, dtype=np.int8)
    values = np.broadcast_to(every, (64, 3, 255))
    path = write_alphaearth(tmp_path / "all.tif", values, PLANE)
    _, pixels, _ = read(path)
    wanted = (np.sign(every) * (np.abs(every, dtype=float) / 127.5) ** 2).astype("f4")
    assert np.array_equal(pixels[5, 1], wanted)
    assert pixels[0, 0, -1] < 1  # and not 1, as dividing by 127 would give


def test_files_without_names_are_alphaearth_where_the_user_says_so(
    field, numbers, tmp_path
):
    path = write_alphaearth(tmp_path / "bare.tif", numbers, PLANE, names=())
    plain, pixels, _ = read(path)
    assert plain.embedding is None
    assert pixels.dtype == np.int8
    said, pixels, valid = read(path, numbers="alphaearth")
    assert said.bands == ALPHAEARTH
    assert np.array_equal(pixels[:, valid], read(field)[1][:, valid])
    raw, pixels, _ = read(field, radiometry="raw")
    assert (raw.embedding, pixels.dtype) == (None, np.int8)


def test_a_number_without_data_in_one_band_is_without_data_in_all(tmp_path, numbers):
    broken = numbers.copy()
    broken[17, 50, 60] = -128
    path = write_alphaearth(tmp_path / "broken.tif", broken, PLANE)
    _, _, valid = read(path)
    assert not valid[50, 60]
    assert valid[50, 61]


def test_numbers_are_given_as_files_hold_them_where_nothing_is_made_of_several(
    tmp_path, numbers
):
    holed = numbers.copy()
    holed[17, 20:25, 30] = -128
    path = write_alphaearth(tmp_path / "holed.tif", holed, PLANE)
    scene = geoseg.open_scene(path)
    stored = scene.as_stored()
    assert stored.dtype == "int8"
    stored.check()
    window = geoseg.Window(10, 7, 40, 50)
    for bands in (None, (17, 3)):
        pixels, valid = stored.read(window, bands)
        values, has = scene.read(window, bands)
        np.testing.assert_array_equal(valid, has)
        found = dequantised(pixels).astype(np.float32)
        np.testing.assert_array_equal(found[:, valid], values[:, valid])
    raw = geoseg.open_scene(path, geoseg.SceneOptions(radiometry="raw"))
    warped = geoseg.open_scene(path, geoseg.SceneOptions(resolution=(20, 20)))
    assert raw.as_stored() is None
    assert warped.as_stored() is None


def test_copies_that_are_stored_south_up_are_the_same_ground(tmp_path, field, numbers):
    vrt = write_south_up(tmp_path / "copy.tiff", numbers, PLANE)
    _, wanted, has = read(field)
    turned, pixels, valid = read(vrt)
    assert turned.geobox.transform == PLANE
    assert np.array_equal(valid, has)
    assert np.array_equal(pixels[:, has], wanted[:, has])
    scene, pixels, valid = read(tmp_path / "copy.tiff")
    assert scene.geobox.transform.e == 10
    assert np.array_equal(pixels[:, ::-1][:, has], wanted[:, has])
    on_grid, pixels, valid = read(
        tmp_path / "copy.tiff", like=str(field), resampling="nearest"
    )
    assert on_grid.geobox.transform == PLANE
    assert np.array_equal(valid, has)
    assert np.array_equal(pixels[:, has], wanted[:, has])


def test_on_another_grid_it_is_the_mean_of_vectors_brought_to_length_one(
    field, numbers
):
    _, pixels, valid = read(field, resolution=20)
    values = np.where(numbers[0] == -128, 0, dequantised(numbers))
    # A pixel of 20 m that begins at an even one: the triangle reaches 4 x 4 of 10 m.
    weights = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    for row, col in ((30, 40), (21, 33), (60, 70)):
        part = values[:, 2 * row - 1 : 2 * row + 3, 2 * col - 1 : 2 * col + 3]
        mean = (part * weights).sum(axis=(1, 2))
        assert valid[row, col]
        found = pixels[:, row, col]
        assert abs(found - mean / np.linalg.norm(mean)).max() < 1e-6
    assert abs(np.linalg.norm(pixels[:, valid], axis=0) - 1).max() < 1e-6


def test_in_another_zone_each_pixel_is_as_pyproj_says_and_a_band_as_in_all(field):
    scene, pixels, valid = read(field, crs="EPSG:32633", resampling="nearest")
    move = Transformer.from_crs(32633, 32632, always_xy=True)
    rows, cols = np.nonzero(valid)
    rows, cols = rows[::97], cols[::97]
    x, y = move.transform(*(scene.geobox.transform @ (cols + 0.5, rows + 0.5)))
    at = ~PLANE @ (x, y)
    own = geoseg.open_scene(field).read(Window(0, 0, HEIGHT, WIDTH))[0]
    near = own[:, np.floor(at[1]).astype(int), np.floor(at[0]).astype(int)]
    assert (pixels[:, rows, cols] == near).all(axis=0).mean() > 0.98  # of 1/128 px
    smooth = geoseg.open_scene(field, geoseg.SceneOptions(crs="EPSG:32633"))
    window = Window(40, 30, 31, 47)
    whole, _ = smooth.read(smooth.window)
    some, _ = smooth.read(window, (5, 41))
    assert np.array_equal(some, whole[[5, 41], 40:71, 30:77])


def test_a_mosaic_over_two_zones_has_no_gap_and_the_first_counts(tmp_path, numbers):
    left, right = tmp_path / "32N.tif", tmp_path / "33N.tif"
    # Both hold the ground around 12 degrees east, where the zones meet.
    move = Transformer.from_crs(32632, 32633, always_xy=True)
    x, y = 715_000, 5_500_000
    write_alphaearth(left, numbers, Affine(10, 0, x, 0, -10, y))
    there = [10 * round(each / 10) for each in move.transform(x + 745, y)]
    field_right = Affine(10, 0, there[0], 0, -10, there[1])
    write_alphaearth(right, numbers, field_right, crs="EPSG:32633")
    with pytest.raises(SceneError, match="do not lie on one grid"):
        geoseg.open_scene([left, right])
    scene, pixels, valid = read([left, right], crs="EPSG:32632")
    assert scene.geobox.crs == CRS.from_epsg(32632)
    alone = geoseg.open_scene(left)
    offset = ~scene.geobox.transform @ (x, y)
    part = np.s_[round(offset[1]) :, round(offset[0]) :]
    own, has = alone.read(alone.window)
    found = pixels[(slice(None), *part)][:, :HEIGHT, :WIDTH]
    assert valid[part][:HEIGHT, :WIDTH][has].all()
    assert np.array_equal(found[:, has], own[:, has])  # it lies on the grid
    assert valid[part][60, WIDTH + 20]


def test_pictures_average_what_numbers_stand_for(field, numbers):
    scene = geoseg.open_scene(field)
    picture = scene.picture(scene.window, range(64), (13, 14))
    assert abs(np.linalg.norm(picture.filled(np.nan)[:, 5, 5]) - 1) < 1e-6
    values = np.where(numbers[0] == -128, np.nan, dequantised(numbers))[:, ::2, ::2]
    mean = values[:, 25:30, 25:30].mean(axis=(1, 2))  # of which it shows some
    cosine = picture[:, 5, 5] @ (mean / np.linalg.norm(mean))
    assert cosine > 0.9
    assert picture.mask[:, 0, 0].all()
    assert not picture.mask[:, 5, 5].any()


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([1, 2]),
)
def test_blocks_of_a_picture_are_means_of_what_counts(height, width, rows, cols, masks):
    rng = np.random.default_rng(height * 9 + width)
    values = rng.normal(size=(2, height, width)).astype(np.float32)
    data = rng.random((masks, height, width)) < 0.7
    found = block_means(values, data, (rows, cols))
    counts = np.broadcast_to(data, values.shape)
    for band, i, j in np.ndindex(2, rows, cols):
        top, left = i * height // rows, j * width // cols
        bottom = max((i + 1) * height // rows, top + 1)
        right = max((j + 1) * width // cols, left + 1)
        block = band, slice(top, bottom), slice(left, right)
        part = values[block][counts[block]]
        if part.size:
            assert np.isclose(found[band, i, j], part.mean(), atol=1e-5)
        else:
            assert found.mask[band, i, j]


def test_tessera_is_read_as_geotessera_exports_it(tmp_path):
    values = vectors(np.zeros((70, 83), int), bands=128) * 5
    values[:, 3:9, 4:8] = np.nan
    tags = {"TESSERA_DATASET_VERSION": "v1.1", "TESSERA_DATASET_VARIANT": "cam"}
    path = write_tessera(tmp_path / "grid_0.15_52.05.tif", values, PLANE, **tags)
    scene, pixels, valid = read(path)
    assert scene.embedding == Embedding("tessera", "1.1-cam")
    assert scene.bands == TESSERA
    assert np.array_equal(valid, ~np.isnan(values[0]))
    assert np.array_equal(pixels[:, valid], values.astype(np.float32)[:, valid])


def test_tesseras_numbers_get_the_scales_that_are_named_with_them(tmp_path):
    values = vectors(np.zeros((70, 83), int), bands=128) * 5
    values[:, 3:9, 4:8] = np.nan
    numbers, scales = write_tessera_pair(tmp_path, values, PLANE)
    for named in (tmp_path, [tmp_path / "grid_scales.tif", tmp_path / "grid.tif"]):
        scene, pixels, valid = read(named)
        assert np.array_equal(valid, np.isfinite(scales))
        exact = (numbers.astype(np.float32) * scales)[:, valid]
        assert np.array_equal(pixels[:, valid], exact)
        assert {each.name.rpartition("/")[2] for each in scene.rasters} == {
            "grid.tif",
            "grid_scales.tif",
        }
    scene.check()
    with pytest.raises(SceneError, match=r"without their scales; name .*grid_scales"):
        geoseg.open_scene(tmp_path / "grid.tif")
    with rasterio.open(tmp_path / "grid_scales.tif", "r+") as dataset:
        dataset.transform = PLANE @ Affine.translation(1, 0)
    with pytest.raises(SceneError, match="on the same"):
        geoseg.open_scene(tmp_path)


def test_features_that_cannot_be_compared_make_no_mosaic(tmp_path, field, numbers):
    other = tmp_path / "v2" / "annual"
    other.mkdir(parents=True)
    write_alphaearth(other / "next.tiff", numbers, PLANE)
    with pytest.raises(SceneError, match=r"AlphaEarth 1, and .* AlphaEarth 2"):
        geoseg.open_scene([field, other / "next.tiff"])
    values = dequantised(numbers).astype(np.float32)
    values[:, numbers[0] == -128] = np.nan
    as_floats = tmp_path / "floats.tif"
    with rasterio.open(field) as source:
        profile = source.profile | {"dtype": "float32", "nodata": np.nan}
    with rasterio.open(as_floats, "w", **profile) as dataset:
        dataset.write(values)
        dataset.descriptions = ALPHAEARTH
    _, pixels, valid = read([as_floats, field])  # of a version that nobody named
    assert np.array_equal(pixels[:, valid], values[:, valid])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_cannot_be_alphaearth_is_refused_in_a_sentence(tmp_path, numbers):
    ten = write_alphaearth(tmp_path / "ten.tif", numbers[:10], PLANE, names=())
    with pytest.raises(SceneError, match="has 10 bands of int8; AlphaEarth has 64"):
        geoseg.open_scene(ten, geoseg.SceneOptions(numbers="alphaearth"))
    lost = write_alphaearth(tmp_path / "lost.tif", numbers, Affine.identity())
    with pytest.raises(SceneError, match=r"no geotransform.* a \.vrt beside"):
        geoseg.open_scene(lost)


def test_a_range_of_bands_is_written_in_short(field):
    flags = [str(field), "--bands", "1-3,64", "--json", "--quiet"]
    result = CliRunner().invoke(main, ["info", *flags])
    record = json.loads(result.stdout)
    assert [band["name"] for band in record["bands"]] == ["A00", "A01", "A02", "A63"]
    result = CliRunner().invoke(main, ["info", str(field), "--bands", "1-x"])
    assert result.exit_code == 2
    assert "1-64" in result.stderr


def test_info_says_many_bands_in_a_line_with_components_and_attribution(field):
    result = CliRunner().invoke(main, ["info", str(field)])
    assert result.exit_code == 0
    assert "all 64: A00 to A63" in result.stdout
    assert "A17" not in result.stdout
    assert "three principal components hold" in result.stdout
    assert "AlphaEarth 1" in result.stdout
    assert "produced by Google" in " ".join(result.stdout.split())


def test_principal_components_are_those_of_a_singular_value_decomposition():
    rng = np.random.default_rng(3)
    seen = rng.normal(size=(20, 5)) @ rng.normal(size=(5, 437)) + 4
    picture = np.ma.MaskedArray(np.zeros((20, 19, 23)), mask=False)
    picture.data[:] = seen.reshape(20, 19, 23)
    picture[:, 2:4, 5] = np.ma.masked
    found, shares = principal_components(picture)
    flat = picture.data[:, ~picture.mask[0]]
    left, values, _ = np.linalg.svd(flat - flat.mean(1, keepdims=True), full_matrices=0)
    assert np.allclose(shares, values[:3] ** 2 / (values**2).sum())
    wanted = left[:, :3].T @ (flat - flat.mean(1, keepdims=True))
    for ours, theirs in zip(found[:, ~picture.mask[0]], wanted, strict=True):
        assert np.allclose(ours, theirs, atol=1e-4) or np.allclose(
            ours, -theirs, atol=1e-4
        )
    assert found.mask[:, 2:4, 5].all()


def test_words_for_bands_and_versions():
    assert listed([f"#{n}" for n in range(1, 129)]) == "#1 to #128"
    assert listed([f"x{n * n}y" for n in range(30)]).endswith("and 15 more")
    assert [version_of(text) for text in ("v1", "1.0", "V2.1", "new")] == [
        *("1", "1", "2.1", ""),
    ]
    made = Embedding("tessera", "1.1-cam")
    assert Embedding.parse(made.id) == made
    assert made.is_as(Embedding("tessera", "1.1"))
    assert not made.is_as(Embedding("tessera", "1.1-vultr"))
    with pytest.raises(ValueError, match="none of"):
        Embedding.parse("word2vec/1")


def test_a_plane_is_not_read_for_one(field):
    scene = geoseg.open_scene(field)
    assert isinstance(scene.geobox, GeoBox)
    assert scene.coarse_valid(range(64)).shape == (66, 75)
