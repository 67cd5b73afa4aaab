"""What is no number is no data, in training as in mapping."""

import numpy as np
import pytest
import rasterio

from geoseg.scene import open_scene
from geoseg.train.bands import choose_bands
from geoseg.train.chips.files import ImageProfile, image_file
from geoseg.train.labelled_scenes import read_ground, statistics


class Everywhere:
    """Labels of one class all over."""

    names = ("land",)

    def rasterize(self, geobox, values):
        return np.full((geobox.height, geobox.width), values["land"], np.uint8)


@pytest.mark.parametrize("nodata", [None, -9, float("nan")])
def test_ground_without_numbers_is_not_learned_from(make_raster, nodata):
    values = np.random.default_rng(3).normal(500, 90, (3, 37, 53)).astype(np.float32)
    values[0, 3, 5:9], values[1, 20, 30] = np.inf, -np.inf
    values[2, 30:33, 40] = np.nan
    if nodata is not None:
        values[:, 11, 13] = nodata
    there = np.isfinite(values).all(axis=0) & (values[0] != -9)
    scene = open_scene(make_raster(values=values, nodata=nodata))
    bands = choose_bands(scene, ())
    ground = read_ground(scene, bands, Everywhere(), {"land": 4})
    assert np.array_equal(ground.valid[:], there)
    assert np.array_equal(ground.labels[:] == 4, there)
    (*measured,) = statistics([ground], [np.ones((37, 53), bool)], bands)
    means = [band.mean for band in measured]
    assert means == pytest.approx(values[:, there].astype(float).mean(axis=1))
    image = ground.normalised(tuple(measured))[:]
    assert np.isfinite(image).all()
    assert not image[:, ~there].any()


def test_chips_hold_a_nodata_value_where_there_is_no_number(make_raster, tmp_path):
    values = np.full((3, 37, 53), 7, np.float32)
    values[1, 4, 5], values[2, 6, 7], values[:, 8, 9] = np.inf, np.nan, -9
    scene = open_scene(make_raster(values=values, nodata=-9))
    pixels, valid = scene.read(scene.window, (0, 1, 2))
    profile = ImageProfile(("a", "b", "c"), "float32", -9.0, (1.0,) * 3, (0.0,) * 3)
    chip = image_file(pixels, valid, scene.geobox, profile)
    (tmp_path / "chip.tif").write_bytes(chip)
    with rasterio.open(tmp_path / "chip.tif") as dataset:
        written = dataset.read()
    assert np.array_equal(written, np.where(np.isfinite(values), values, -9))
