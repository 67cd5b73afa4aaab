"""Sixty members in two zones, renamed, with gaps, one broken: each pixel of the map.

The truth asks PROJ for every pixel, and paints member by member.
"""

import hashlib
import json

import numpy as np
import pytest
import rasterio
import rasterio.warp
from click.testing import CliRunner
from members import COMPRESSIONS, cut_members, write_raster
from onnx_models import write_onnx
from pyproj import Transformer

from geoseg.cli import main
from geoseg.models.package.make import make_package
from geoseg.options import NewPackage

ROWS, COLS, GAPS = 6, 11, {(0, 3), (1, 9), (2, 2), (3, 3), (4, 7), (5, 5)}
BRIGHT = 2600
"""Near infrared, from which on a pixel is bright."""
OFF = 0.06
"""Pixels of a member by which a coordinate, rounded, may be off, and a little."""


def renumber(path, number):
    """Give a member three bands: near infrared, its number, and 1."""
    with rasterio.open(path) as dataset:
        infrared, transform = dataset.read(1), dataset.transform
    there = (infrared > 0).astype(np.uint16)
    pixels = np.stack((infrared, there * np.uint16(number), there))
    path.unlink()
    name = hashlib.sha256(str(number).encode()).hexdigest()[:8]
    plane = {"crs": "EPSG:32633", "transform": transform}
    if number % COLS > COLS // 2:  # the east is delivered in the next zone
        move, size = (plane["crs"], "EPSG:32632"), infrared.shape[::-1]
        bounds = rasterio.transform.array_bounds(*infrared.shape, transform)
        to, width, height = rasterio.warp.calculate_default_transform(
            *move, *size, *bounds, resolution=10
        )
        moved = np.zeros((3, height, width), np.uint16)
        rasterio.warp.reproject(
            pixels,
            moved,
            src_transform=transform,
            src_crs=move[0],
            src_nodata=0,
            dst_transform=to,
            dst_crs=move[1],
            dst_nodata=0,
        )
        pixels, plane = moved, {"crs": move[1], "transform": to}
    write_raster(
        path.with_name(f"{name}.tif"),
        pixels,
        names=("nir", "member", "one"),
        compress=COMPRESSIONS[number % len(COMPRESSIONS)],
        **plane,
    )


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Map the members by a model that says of which member a pixel is, and light."""
    work = tmp_path_factory.mktemp("zones")
    folder = cut_members(work / "members", rows=ROWS, cols=COLS, side=36, bands=(7,))
    for number, (i, j) in enumerate(np.ndindex(ROWS, COLS), start=1):
        path = folder / f"member_{i}_{j}.tif"
        path.unlink() if (i, j) in GAPS else renumber(path, number)
    whole = min(folder.iterdir()).read_bytes()
    (folder / "broken.tif").write_bytes(b"II*\0" + whole[99:3000])
    # The nearest number n of a member s is that of the largest 2 n s - n n.
    numbers = np.repeat(np.arange(1, ROWS * COLS + 1), 2)
    light = np.tile([-0.5, 0.5], ROWS * COLS)
    scores = np.stack((light, 2 * numbers, -(numbers**2) - light * BRIGHT), axis=1)
    weights = write_onnx(
        work / "m.onnx", kernel=scores.astype(np.float32)[:, :, None, None]
    )
    classes = tuple(f"c{index}:{index}" for index in range(len(scores)))
    said = NewPackage(
        name="members",
        bands=("nir", "member", "one"),
        classes=classes,
        gsd_m=10.0,
        tile=64,
        overlap=16,
        stride=2,
    )
    model = make_package(weights, work / "model", said).path
    done = CliRunner().invoke(
        main,
        f"segment {folder} -o {work / 'out'} --model {model} --crs EPSG:3035 "
        f"--skip-unreadable --block 2 --format fgb -q".split(),
    )
    assert done.exit_code == 0, done.output
    return folder, work / "out"


class Member:
    """A member as its file gives it, and where the map's pixels are in it."""

    def __init__(self, path, positions):
        """Read the file; positions are where pixels of the map are, by the CRS."""
        with rasterio.open(path) as dataset:
            self.pixels, back = dataset.read(), ~dataset.transform
            self.cols, self.rows = back * positions[dataset.crs.to_epsg()]
        self.number = self.pixels[1].max()

    def at(self, rows, cols, band):
        """Give the pixels that points lie in; 0 where there are none."""
        rows, cols = np.floor(rows).astype(int), np.floor(cols).astype(int)
        height, width = self.pixels.shape[1:]
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        rows, cols = np.where(inside, rows, 0), np.where(inside, cols, 0)
        return np.where(inside, self.pixels[band][rows, cols], 0)

    def light(self):
        """Interpolate near infrared; the lowest and the highest that it may be."""
        rows, cols = self.rows - 0.5, self.cols - 0.5
        corners = np.stack(
            [
                self.at(np.floor(rows) + i + 0.5, np.floor(cols) + j + 0.5, 0).astype(
                    float
                )
                for i, j in np.ndindex(2, 2)
            ]
        )
        y, x = rows % 1, cols % 1
        shares = (1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x
        value = sum(
            share * corner for share, corner in zip(shares, corners, strict=True)
        )
        doubt = 1 + 2 * OFF * np.ptp(corners, axis=0)
        doubt = np.where((corners == 0).any(axis=0), np.inf, doubt)
        return value - doubt, value + doubt


def test_each_pixel_of_a_map_of_two_zones_is_what_the_right_member_says(mapped):
    folder, out = mapped
    with rasterio.open(out / "landcover.tif") as dataset:
        given, transform, crs = dataset.read(1), dataset.transform, dataset.crs
    assert crs.to_epsg() == 3035
    assert (transform.a, transform.e) == (10, -10)
    assert transform.c % 10 == transform.f % 10 == 0
    cols, rows = np.meshgrid(*(np.arange(n) + 0.5 for n in given.shape[::-1]))
    xs, ys = transform * (cols, rows)
    paths = [path for path in sorted(folder.iterdir()) if path.stem != "broken"]
    moved = {
        zone: Transformer.from_crs(crs, zone, always_xy=True).transform(xs, ys)
        for zone in (32632, 32633)
    }
    members = [Member(path, moved) for path in paths]
    assert len(members) == 60
    positions = [(0, 0), (OFF, OFF), (OFF, -OFF), (-OFF, OFF), (-OFF, -OFF)]
    painted = np.zeros((len(positions), *given.shape), int)
    for member in reversed(members):  # the first one comes on top
        for layer, (down, across) in zip(painted, positions, strict=True):
            number = member.at(member.rows + down, member.cols + across, 1)
            np.copyto(layer, number, where=number > 0)
    sure, right = (painted == painted[0]).all(axis=0), painted[0]
    assert sure.mean() > 0.9
    assert len(np.unique(right)) == 61
    assert (given[sure & (right == 0)] == 255).all()
    seen = sure & (right > 0)
    assert (given[seen] // 2 + 1 == right[seen]).all()
    compared = 0
    for member in members:
        low, high = member.light()
        own = seen & (right == member.number)
        assert (given[own & (low > BRIGHT)] % 2 == 1).all()
        assert (given[own & (high < BRIGHT)] % 2 == 0).all()
        compared += (own & ((low > BRIGHT) | (high < BRIGHT))).sum()
    assert compared > 0.7 * seen.sum()


def test_the_report_names_the_member_that_was_left_out(mapped):
    report = json.loads((mapped[1] / "run.json").read_text())
    assert [text for text in report["warnings"] if "broken.tif" in text]
