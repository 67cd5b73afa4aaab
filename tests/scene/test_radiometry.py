"""Pixels of every type are mapped as the numbers that they stand for."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.shutil import copy
from tiny_models import SHALLOW, build, save

import geoseg
from geoseg.cli import main
from geoseg.geo.windows import Window
from geoseg.models.package.card import InputBand
from geoseg.scene import SceneOptions, open_scene

NAMES = ("B02", "B03", "B04")
TRANSFORM = rasterio.transform.from_origin(400_000, 5_800_000, 10, 10)
HOLE = (slice(20, 31), slice(40, 53))
KINDS = {  # dtype: what it writes for "no data"
    "uint8": 255,
    "int8": -128,
    "int16": -32_768,
    "uint16": 65_535,
    "int32": -(1 << 31),
    "uint32": (1 << 32) - 1,
    "int64": -(1 << 50),
    "uint64": 1 << 50,
    "float16": -1000,  # which GDAL reads as float32
    "float32": -3.4028234663852886e38,
    "float64": -1.7976931348623157e308,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Give a model for numbers from 1 to 120."""
    return save(
        tmp_path_factory.mktemp("model") / "tiny",
        build("Unet", "resnet18", SHALLOW, bands=3),
        bands=[InputBand(name, "", 0.6, 0.3) for name in NAMES],
        scale=0.01,
        dtype="uint8",
        gsd_m=10.0,
        overlap=16,
    ).path


@pytest.fixture(scope="module")
def numbers():
    """Give whole numbers that all types can write, shape (band, y, x)."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(1, 121, (3, 8, 10))
    return np.kron(coarse, np.ones((1, 10, 11), int))[:, :71, :103]


def write(path, values, **profile):
    """Write pixels as a scene of the model's bands."""
    shape = dict(zip(("count", "height", "width"), values.shape, strict=True))
    georeference = {
        "crs": "EPSG:32633",
        "transform": TRANSFORM,
        "dtype": values.dtype.name,
    }
    with rasterio.open(
        path, "w", driver="GTiff", **shape, **georeference, **profile
    ) as made:
        made.write(values)
        made.descriptions = NAMES
    return path


def run(scene, output, model):
    """Map a scene on the command line: what it says, and the class of each pixel."""
    words = ("segment", scene, "-o", output, "--model", model)
    done = CliRunner().invoke(main, [*map(str, words), "--block", "1"])
    assert done.exit_code == 0, done.output
    with rasterio.open(output / "landcover.tif") as dataset:
        return done, dataset.read(1)


@pytest.fixture(scope="module")
def expected(numbers, tmp_path_factory, model):
    """Give the map of the numbers as float32, with a hole of NaN."""
    values = numbers.astype(np.float32)
    values[(slice(None), *HOLE)] = np.nan
    folder = tmp_path_factory.mktemp("known")
    path = write(folder / "known.tif", values, nodata=None)
    _, found = run(path, folder / "out", model)
    assert (found[HOLE] == 255).all()
    assert {*np.unique(found)} == {2, 5, 255}
    return found


@pytest.mark.parametrize("dtype", KINDS)
def test_every_type_of_pixel_gives_the_same_map(
    numbers, tmp_path, model, expected, dtype
):
    hole, halved = KINDS[dtype], {"nbits": 16} if dtype == "float16" else {}
    dtype = "float32" if halved else dtype
    values = numbers.astype(dtype)
    values[(slice(None), *HOLE)] = hole
    path = write(tmp_path / "scene.tif", values, nodata=hole, **halved)
    _, found = run(path, tmp_path / "out", model)
    assert np.array_equal(found, expected)
    info = geoseg.info(path, exact=True)
    assert info.dtype == dtype
    for band, known in zip(info.bands, numbers, strict=True):
        seen = np.delete(known.ravel(), _hole(known.shape))
        assert (band.smallest, band.largest) == (seen.min(), seen.max())
        assert (band.mean, band.std) == pytest.approx((seen.mean(), seen.std()))
    assert info.nodata_share == pytest.approx((expected == 255).mean())


def _hole(shape):
    mask = np.zeros(shape, bool)
    mask[HOLE] = True
    return np.flatnonzero(mask)


@pytest.mark.parametrize(
    ("dtype", "hole"),
    [("int64", -(1 << 63)), ("uint64", (1 << 64) - 1), ("int64", (1 << 53) + 1)],
)
def test_nodata_that_a_float_cannot_hold_is_no_data(make_raster, dtype, hole):
    values = np.full((1, 2, 3), 1 << 53, dtype)
    values[0, 0, 1] = hole
    path = make_raster("long.tif", values=values, nodata=None)
    vrt = path.with_suffix(".vrt")
    copy(path, vrt, driver="VRT")
    start, band, rest = vrt.read_text().partition('band="1">')
    vrt.write_text(f"{start}{band}<NoDataValue>{hole}</NoDataValue>{rest}")
    _, valid = open_scene(vrt).read(Window(0, 0, 2, 3), (0,))
    assert np.argwhere(~valid).tolist() == [[0, 1]]
    denied = open_scene(vrt, SceneOptions(nodata="none"))
    assert denied.read(Window(0, 0, 2, 3), (0,))[1].all()
    other = open_scene(vrt, SceneOptions(nodata=float(1 << 53)))
    _, valid = other.read(Window(0, 0, 2, 3), (0,))
    assert np.argwhere(valid).tolist() == [[0, 1]]


def test_infinity_as_nodata_is_none_of_whole_numbers(make_raster):
    path = make_raster("whole.tif", values=np.ones((1, 2, 3), np.uint8), nodata=None)
    scene = open_scene(path, SceneOptions(nodata=float("inf")))
    assert scene.read(Window(0, 0, 2, 3), (0,))[1].all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_that_are_no_numbers_are_no_data_in_the_map(
    numbers, tmp_path, model, expected, dtype
):
    values = numbers.astype(dtype)
    rows = [values[:, row, HOLE[1]] for row in range(20, 31)]
    worst = (np.nan, np.inf, -np.inf, 1e300 if dtype == "float64" else np.nan)
    for number, row in enumerate(rows):
        row[number % 3] = worst[number % len(worst)]  # one band is enough
    path = write(tmp_path / "scene.tif", values, nodata=-9999)
    _, found = run(path, tmp_path / "out", model)
    assert np.array_equal(found, expected)


def test_scale_and_offset_are_those_of_each_band(numbers, tmp_path, model, expected):
    scales, offsets = (0.5, 0.25, 2.0), (-20.0, 0.0, 3.0)
    shape = (3, 1, 1)
    raw = (numbers - np.reshape(offsets, shape)) / np.reshape(scales, shape)
    physical = numbers * 0.01
    values = np.round(raw).astype(np.int16)
    values[(slice(None), *HOLE)] = -32_768
    path = write(tmp_path / "scene.tif", values, nodata=-32_768)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = tuple(0.01 * scale for scale in scales)
        dataset.offsets = tuple(0.01 * offset for offset in offsets)
    assert physical.max() < 1.3
    _, found = run(path, tmp_path / "out", model)
    # The third band's numbers are rounded to what steps of two can write.
    close = write(tmp_path / "close.tif", _close(values, scales, offsets), nodata=None)
    _, known = run(close, tmp_path / "close", model)
    assert np.mean(found != known) < 1e-3
    assert np.mean(found != expected) < 0.05
    info = geoseg.info(path, exact=True)
    assert info.bands[1].largest == values[1].max(), "as they are stored"


def _close(values, scales, offsets):
    numbers = values.astype(np.float64) * np.reshape(scales, (3, 1, 1))
    numbers += np.reshape(offsets, (3, 1, 1))
    numbers[(slice(None), *HOLE)] = np.nan
    return numbers.astype(np.float32)


@pytest.mark.parametrize("fill", [0, 60])
def test_a_scene_of_one_value_is_mapped_and_one_without_data_says_so(
    tmp_path, model, fill
):
    path = write(
        tmp_path / "scene.tif", np.full((3, 71, 103), fill, np.uint8), nodata=0
    )
    done, found = run(path, tmp_path / "out", model)
    empty = "the area holds no valid pixel" in done.stderr
    assert empty == (fill == 0) == bool((found == 255).all())
    assert Path(tmp_path / "out" / "landcover.geojson").exists()
    coarse, exact = (geoseg.info(path, exact=way) for way in (False, True))
    for info in (coarse, exact):
        assert info.nodata_share == (fill == 0)
        assert info.bands[0].smallest == (fill or None)
