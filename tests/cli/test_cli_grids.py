"""Other grids from the command line: what is chosen is mapped, and nothing moves."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from members import sample, write_raster
from onnx_models import SAID, write_onnx

from geoseg.cli import main
from geoseg.models.package.make import make_package


@pytest.fixture
def work(tmp_path):
    """Give a small scene, and a model of single pixels."""
    pixels, transform, names = sample((0, 90), (0, 110))
    write_raster(tmp_path / "scene.tif", pixels, transform, names=names)
    said = replace(SAID, gsd_m=20.0, mean=(1.3, 0.0, 1.0))
    make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "model", said)
    return tmp_path


def segment(work, *flags, out="out", scene="scene.tif"):
    """Run geoseg segment."""
    command = ["segment", work / scene, "-o", work / out, "--model", work / "model"]
    return CliRunner().invoke(main, [str(each) for each in (*command, "-q", *flags)])


def read(work, out="out"):
    with rasterio.open(work / out / "landcover.tif") as dataset:
        return dataset.read(1), dataset.transform, dataset.crs.to_epsg()


def test_bounds_give_the_crop_of_the_map_of_the_chosen_grid(work):
    grid = ("--crs", "EPSG:32632", "--resolution", "20")
    done = segment(work, *grid, out="whole")
    assert done.exit_code == 0, done.output
    whole, transform, epsg = read(work, "whole")
    assert (epsg, transform.a, transform.e) == (32632, 20, -20)
    assert transform.c % 20 == transform.f % 20 == 0
    assert set(np.unique(whole)) == {1, 4, 255}
    left, top = transform * (7.3, 5.2)
    right, bottom = transform * (40.2, 31.9)
    done = segment(work, *grid, "--bounds", f"{left},{bottom},{right},{top}")
    assert done.exit_code == 0, done.output
    part, moved, _ = read(work)
    assert moved == transform * Affine.translation(7, 5)
    assert np.array_equal(part, whole[5:32, 7:40])


def test_the_map_lies_on_the_pixels_of_another_raster(work):
    odd = Affine(19, 0, 737_001.25, 0, -21, 5_824_803.5)
    like = np.ones((1, 60, 70), np.uint8)
    write_raster(work / "like.tif", like, odd, crs="EPSG:32632")
    done = segment(work, "--like", work / "like.tif", "--resampling", "cubic")
    assert done.exit_code == 0, done.output
    found, transform, epsg = read(work)
    assert (found.shape, transform, epsg) == ((60, 70), odd, 32632)
    assert {1, 4} <= set(np.unique(found))


@pytest.mark.parametrize(
    ("crs", "scale", "says"),
    [
        ("EPSG:32632", 1, ("2 in EPSG:32633", "1 in EPSG:32632", "c.tif")),
        ("EPSG:32633", 2, ("pixels of 10 metre", "pixels of 20 metre", "c.tif")),
    ],
)
def test_mixed_members_want_a_choice(work, crs, scale, says):
    pixels, transform, names = sample((0, 40), (0, 50))
    members = work / "members"
    members.mkdir()
    beside = transform * Affine.translation(50, 0)
    write_raster(members / "a.tif", pixels, transform, names=names)
    write_raster(members / "b.tif", pixels, beside, names=names)
    other = beside * Affine.scale(scale)
    write_raster(members / "c.tif", pixels, other, crs=crs, names=names)
    done = segment(work, scene="members")
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1
    for words in (*says, "--crs and --resolution", "--like"):
        assert words in done.stderr
    assert not (work / "out").exists()
