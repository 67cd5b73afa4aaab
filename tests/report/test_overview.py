"""A scene is read once for all pictures of it."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.raster import ClassMap, write_class_map
from geoseg.report.imagery import Shown
from geoseg.report.overview import Overview
from geoseg.report.preview import write_preview
from geoseg.report.pyramid import ClassPlanes, build_pyramid, finest_image, levels_of
from geoseg.report.report import class_areas

PLANE = GeoBox(1400, 1100, Affine(10, 0, 0, 0, -10, 0), CRS.from_epsg(32633))
WINDOW = Window(13, 21, 1201, 1041)
PART = PLANE.crop(WINDOW)


class Painted:
    """An image that notes what is read of it."""

    geobox = PLANE

    def __init__(self):
        """Paint noise with a hole."""
        noise = np.random.default_rng(4)
        self.values = noise.integers(1, 99, (2, PLANE.height, PLANE.width)) / 1.0
        self.values[:, 300:400, 500:700] = np.nan
        self.read = []

    def picture(self, window, bands, shape):
        """Average squares of whole pixels, those at the edges cut."""
        self.read.append((window, tuple(bands)))
        pixels = self.values[(list(bands), *window.slices())]
        factor = -(-window.height // shape[0])
        starts = (np.arange(n) * factor for n in shape)
        for axis, start in enumerate(starts, start=1):
            valid = np.add.reduceat(np.isfinite(pixels), start, axis=axis)
            sums = np.add.reduceat(np.nan_to_num(pixels), start, axis=axis)
            with np.errstate(invalid="ignore"):
                pixels = sums / valid
        return np.ma.masked_invalid(pixels)


def test_an_overview_shows_what_the_scene_does(tmp_path):
    scene, level = Painted(), levels_of(PART.height, PART.width)[-2]
    made = Overview.of(scene, (1, 0, 1), PART, level, tmp_path)
    assert not list(tmp_path.iterdir()), "its file has no name"
    assert {bands for _, bands in scene.read} == {(0, 1)}
    for coarser in (level, levels_of(PART.height, PART.width)[0]):
        inside = Window(0, 0, coarser.height, coarser.width)
        ground = coarser.ground(inside, PART.height, PART.width)
        shape = coarser.height, coarser.width
        shown = made.picture(ground, (1, 0, 1), shape)
        there = Window(ground.row + 13, ground.col + 21, ground.height, ground.width)
        expected = scene.picture(there, (1, 0, 1), shape)
        same = np.s_[:, :-1, :-1]  # the last row of one may be thinner
        assert np.array_equal(shown.mask[same], expected.mask[same])
        assert shown.mask.any()
        assert abs(shown - expected)[same].mean() < 0.5
    odd = made.picture(Window(0, 0, PART.height, PART.width), (0,), (211, 173))
    assert odd.shape == (1, 211, 173)
    assert odd.mean() == pytest.approx(np.nanmean(scene.values), rel=0.01)


@pytest.mark.parametrize("megabytes", [0, 0.1, 10])
def test_preview_and_page_read_a_scene_once(megabytes, tmp_path, legend):
    classes = np.ones((WINDOW.height, WINDOW.width), np.uint8)
    path = tmp_path / "landcover.tif"
    parts = [(Window(0, 0, *classes.shape), classes)]
    write_class_map(path, PART, parts, legend=legend, tags={}, scratch=tmp_path)
    scene = Painted()
    shown = write_preview(
        tmp_path / "preview.png",
        scene=scene,
        rgb=(0, 1, 0),
        map_path=path,
        legend=legend,
        areas=class_areas(ClassMap.open(path).extents(), legend),
        title="A title",
        megabytes=megabytes,
    )
    found = build_pyramid(ClassPlanes(PART, path, None), shown, round(megabytes * 1e6))
    assert found.tiles["image"]
    times = np.zeros((PLANE.height, PLANE.width), int)
    for window, _ in scene.read:
        times[window.slices()] += 1
    assert (times[WINDOW.slices()] == 1).all()
    assert times.sum() == WINDOW.pixels
    if megabytes < 10:
        return
    again = Shown(scene, shown.bands, shown.stretch)
    whole = Window(0, 0, PART.height, PART.width)
    level = finest_image(PART, megabytes)
    assert level.factor == 1
    fine = level.height, level.width
    assert np.array_equal(again.read(PART, whole, fine), shown.read(PART, whole, fine))
