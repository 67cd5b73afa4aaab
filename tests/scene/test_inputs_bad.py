"""Bad scenes: one sentence and status 2 and nothing left, or a warning that is kept.

What is found while blocks are read, and areas of interest, have tests of their own.
"""

import json
import os
import re
import socket

import numpy as np
import pytest
import rasterio
from affine import Affine
from brightest import expected, mapped, refused
from conftest import ROTATED
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.shutil import copy
from waits import shorten
from web import served

import geoseg
from geoseg.errors import AoiError, SceneError
from geoseg.scene import open_scene

VALUES = np.random.default_rng(7).integers(1, 4000, (3, 37, 53), np.uint16)
VALUES[:, :5, :7] = 0
TRUTH = expected(VALUES, (VALUES > 0).all(axis=0))


@pytest.fixture
def refuse(brightest, tmp_path):
    """Give a function that maps what must be refused and gives its sentence."""
    return lambda *given: refused(brightest, tmp_path / "out", *given)


@pytest.mark.parametrize(
    "transform",
    [
        ROTATED,
        Affine(10, 2.5, 399_961.3, 1.5, -10, 5_800_020.7),
        Affine(10.1, 0, 399_960.3, 0, 10.1, 5_800_020.7),
        Affine(-10, 0, 399_960, 0, -10, 5_800_020),
        Affine(10, 0, 399_960, 0, -20.7, 5_800_020.1),
    ],
    ids=["rotated", "sheared", "south-up", "mirrored", "not square"],
)
def test_scenes_are_mapped_in_their_own_pixels(
    transform, make_raster, tmp_path, brightest
):
    scene = make_raster(values=VALUES, transform=transform)
    classes, georeference, _ = mapped(brightest, tmp_path / "out", scene)
    assert georeference == (transform, 32633), "to the last bit"
    assert np.array_equal(classes, TRUTH)


def test_a_scene_without_crs_is_refused_or_given_one(
    make_raster, refuse, tmp_path, brightest
):
    scene = make_raster(values=VALUES, crs=None)
    words = refuse(scene)
    assert words.startswith(f"{scene} has no coordinate reference system; assign one")
    assert "--assume-crs" in words
    assume = "--assume-crs", "EPSG:32633"
    assert "'EPSG:0'; write one such as" in refuse(scene, assume[0], "EPSG:0")
    classes, georeference, _ = mapped(brightest, tmp_path / "out", scene, *assume)
    assert np.array_equal(classes, TRUTH)
    assert georeference[1] == 32633
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert report["settings"]["scene"]["assume_crs"] == "EPSG:32633"


def test_a_geotransform_of_no_numbers_is_refused(make_raster, refuse):
    scene = make_raster(values=VALUES)
    vrt = scene.with_suffix(".vrt")
    copy(scene, vrt, driver="VRT")
    damaged = re.sub("<GeoTransform>[^,]*", "<GeoTransform>NaN", vrt.read_text())
    vrt.write_text(damaged)
    assert f"{vrt} has a geotransform that holds no finite" in refuse(vrt)


def test_a_crs_that_a_file_names_is_not_assumed_away(make_raster, tmp_path, brightest):
    scene, assume = make_raster(values=VALUES), ("--assume-crs", "EPSG:32632")
    _, georeference, warnings = mapped(brightest, tmp_path / "out", scene, *assume)
    assert georeference[1] == 32633
    assert any(
        "`assume_crs` is not used: every file names its CRS" in w for w in warnings
    )


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_scenes_that_points_or_polynomials_locate_are_refused(make_raster, refuse):
    scene = make_raster(values=VALUES, crs=None, transform=Affine.identity())
    assert f"{scene} has no geotransform" in refuse(scene)
    points = [GroundControlPoint(r, c, c, -r) for r, c in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(scene, "r+") as dataset:
        dataset.gcps = points, rasterio.crs.CRS.from_epsg(32633)
    assert f"{scene} is located by ground control points only; rect" in refuse(scene)
    scene = make_raster(values=VALUES, crs=None, transform=Affine.identity())
    terms = [1.0] * 20
    with rasterio.open(scene, "r+") as dataset:
        dataset.rpcs = RPC(
            height_off=0,
            height_scale=1,
            lat_off=0,
            lat_scale=1,
            line_den_coeff=terms,
            line_num_coeff=terms,
            line_off=0,
            line_scale=1,
            long_off=0,
            long_scale=1,
            samp_den_coeff=terms,
            samp_num_coeff=terms,
            samp_off=0,
            samp_scale=1,
        )
    words = refuse(scene)
    assert f"{scene} is located by rational polynomials (RPC) only; rectify" in words


@pytest.mark.parametrize("dtype", ["complex64", "complex_int16"])
def test_complex_numbers_are_refused(dtype, make_raster, refuse):
    values = VALUES.astype(np.complex64)
    scene = make_raster(values=values, nodata=None, dtype=dtype)
    assert refuse(scene).startswith(f"{scene} holds complex numbers (band 1); convert")


def test_a_palettes_colours_are_refused(make_raster, refuse):
    values = np.ones((1, 37, 53), np.uint8)
    scene = make_raster(values=values, photometric="palette")
    with rasterio.open(scene, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})
    assert "palette's colours (band 1), no measurements; expand" in refuse(scene)


def test_a_member_that_cannot_be_opened_is_named_or_left_out(
    make_raster, refuse, tmp_path, brightest
):
    scene = make_raster(values=VALUES)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 and then nothing")
    words = refuse(scene, broken)
    assert words.startswith(f"{broken} cannot be opened as a raster (")
    assert words.endswith("; --skip-unreadable leaves such files out")
    only = refuse(broken, "--skip-unreadable")
    assert only.startswith(f"{broken} cannot be opened as a raster (")
    flags = scene, broken, "--skip-unreadable"
    classes, _, warnings = mapped(brightest, tmp_path / "out", *flags)
    assert np.array_equal(classes, TRUTH)
    assert warnings[0].startswith(f"left out: {broken} cannot be opened as a raster (")


def test_members_that_do_not_fit_together_are_refused(make_raster, refuse):
    scene = make_raster("a.tif", values=VALUES)
    fewer = make_raster("b.tif", values=VALUES[:2])
    assert f"{fewer} has 2 bands, but {scene} has 3; a mosaic" in refuse(scene, fewer)
    floats = make_raster("c.tif", values=VALUES.astype(np.float32))
    assert f"{floats} holds float32, but {scene} holds uint16" in refuse(scene, floats)
    other = make_raster("d.tif", values=VALUES, crs="EPSG:32632")
    words = refuse(scene, other)
    assert "the files do not lie on one grid: 1 in EPSG:32633 with pixels of" in words
    assert str(other) in words


@pytest.fixture
def folder(make_raster, tmp_path):
    """Give the folder that is served: with a scene of tiles in it."""
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    make_raster(values=VALUES, compress="deflate", **tiles)
    return tmp_path


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"status": 404}, "answers 404 (Not Found); check the address"),
        ({"status": 403}, "answers 403 (Forbidden); check the address, and whether it"),
        ({"status": 500}, "answers 500 (Internal Server Error)"),
        ({"ranges": False}, "ignores range requests, so that parts of the file cannot"),
    ],
    ids=str,
)
def test_a_server_that_refuses_is_reported_with_its_status(
    faults, words, folder, refuse
):
    with served(folder, **faults) as (address, _):
        message = refuse(f"{address}/scene.tif?key=secret")
    assert words in message
    assert f"{address}/scene.tif" in message
    assert "secret" not in message


def test_a_server_that_is_silent_is_given_up(refuse, monkeypatch):
    shorten(monkeypatch, answer=0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}/scene.tif"
        assert refuse(address).startswith(f"{address} does not answer (timed out)")


def test_a_server_that_stumbles_does_not_show(folder, tmp_path, brightest):
    with served(folder, fail_every=10, delay=0.002) as (address, _):
        classes, *_ = mapped(brightest, tmp_path / "out", f"{address}/scene.tif")
    assert np.array_equal(classes, TRUTH)


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (
            "<SourceFilename>/etc/hostname</SourceFilename>",
            "makes geoseg read '/etc/ho",
        ),
        (
            "<SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename>",
            "makes geoseg read '/vsicurl/http",
        ),
        (
            (
                "<PixelFunctionType>f</PixelFunctionType>"
                "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
            ),
            "in Python is refused",
        ),
    ],
    ids=["a file", "an address", "Python"],
)
def test_a_vrt_that_reaches_out_is_refused(inside, words, tmp_path, refuse):
    vrt = tmp_path / "scene.vrt"
    band = f'<VRTRasterBand dataType="Byte" band="1">{inside}</VRTRasterBand>'
    vrt.write_text(f'<VRTDataset rasterXSize="9" rasterYSize="9">{band}</VRTDataset>')
    assert words in refuse(vrt)
    vrt.write_text('<!DOCTYPE x [<!ENTITY a "b">]>' + vrt.read_text())
    assert "declares XML entities, which geoseg does not expand" in refuse(vrt)


def test_pixels_of_one_value_are_reported(make_raster, tmp_path, brightest):
    scene = make_raster(values=np.full((3, 37, 53), 7, np.uint16))
    classes, _, warnings = mapped(brightest, tmp_path / "out", scene)
    assert (classes == 1).all(), "the first of classes that are equal"
    assert any("every pixel looked at of its band for B02 is 7" in w for w in warnings)


def test_pixels_without_data_are_reported(make_raster, tmp_path, brightest):
    scene = make_raster(values=np.zeros((3, 37, 53), np.uint16))
    classes, _, warnings = mapped(brightest, tmp_path / "out", scene)
    assert (classes == 255).all()
    assert warnings == ["the map has no class anywhere: the area holds no valid pixel"]


@pytest.mark.parametrize(("height", "width"), [(37, 1), (1, 53), (1, 1), (9, 11)])
def test_scenes_smaller_than_a_tile_are_mapped(
    height, width, make_raster, tmp_path, brightest
):
    values = VALUES[:, 37 - height :, 53 - width :]
    scene = make_raster(values=values)
    classes, *_ = mapped(brightest, tmp_path / "out", scene)
    assert np.array_equal(classes, expected(values))


@pytest.mark.skipif(os.name == "nt", reason="of POSIX")
def test_a_pipe_is_refused_and_nobody_waits_for_it(tmp_path, make_raster):
    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    (area := tmp_path / "area.gpkg").symlink_to(pipe)
    with pytest.raises(SceneError, match=r"pipe\.tif is a pipe or a device"):
        open_scene(pipe)
    with pytest.raises(AoiError, match=r"area\.gpkg is a pipe or a device"):
        geoseg.info(make_raster(), aoi=area)
