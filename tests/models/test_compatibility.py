"""A model held against a scene: what is refused, what is a warning, what is neither."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from pyproj import Geod
from rasterio.transform import from_origin

from geoseg.errors import ModelError
from geoseg.models.band_match import match_bands
from geoseg.models.compatibility import check_scale, open_fitting
from geoseg.models.find import load_package
from geoseg.models.package.card import InputBand
from geoseg.models.plausibility import doubts, look_at
from geoseg.options import SegmentOptions
from geoseg.run.resolve import prepare
from geoseg.scene import open_scene
from geoseg.storage.output import Output

SHIPPED = load_package("sentinel2-landcover")
NAMES = tuple(band.name for band in SHIPPED.bands)


@pytest.fixture
def scene_of(make_raster):
    """Give a function that makes a scene of the ten bands of the shipped model."""

    def make(values, names=NAMES, gsd=10, **profile):
        transform = from_origin(300_000, 5_900_000, gsd, gsd)
        path = make_raster(values=values, bands=names, transform=transform, **profile)
        return open_scene(path)

    return make


def like_trained(dtype=np.uint16, factor=1.0, shift=0.0):
    """Pixels with the means and deviations that the shipped model knows."""
    noise = np.random.default_rng(5).normal(size=(10, 80, 90))
    means = np.array([band.mean for band in SHIPPED.bands])[:, None, None]
    deviations = np.array([band.std for band in SHIPPED.bands])[:, None, None]
    raw = (means + noise * deviations).clip(0.001) / SHIPPED.scale
    return (raw * factor + shift).astype(dtype)


def doubts_of(scene, package=SHIPPED):
    return list(doubts([(package, match_bands(package, scene.bands))], scene))


def test_a_scene_like_those_trained_on_raises_no_doubt(scene_of):
    assert doubts_of(scene_of(like_trained())) == []


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize(
    ("values", "found"),
    [
        (like_trained(factor=0.001), r"from \d to \d"),
        (like_trained(np.float32, factor=0.0001), "float32 of any size"),
        (like_trained(np.int32, factor=30), r"from \d+ to \d+"),
        (like_trained(np.int32, shift=-60_000), r"from -\d+ to -\d+"),
        (like_trained(np.int32, shift=160_000), r"has values from"),
    ],
)
def test_values_in_other_units_are_a_warning_with_both_ranges(
    scene_of, values, found, statistics
):
    package = SHIPPED
    if not statistics:
        bare = [replace(b, minimum=None, maximum=None) for b in SHIPPED.bands]
        package = replace(SHIPPED, bands=tuple(bare))
    (warning,) = doubts_of(scene_of(values), package)
    assert "but the model sentinel2-landcover was trained on" in warning
    assert "the map is meaningless unless" in warning
    assert re.search(found, warning)


def test_no_range_is_doubted_where_none_was_declared(scene_of):
    """A network that normalises by itself takes pixels as they are."""
    bands = tuple(
        replace(b, minimum=None, maximum=None, mean=0.0, std=1.0) for b in SHIPPED.bands
    )
    package = replace(SHIPPED, bands=bands, scale=1.0)
    assert doubts_of(scene_of(like_trained()), package) == []


def test_clouds_and_water_are_no_other_units(scene_of):
    values = like_trained()
    values[:, :, :20] = 14_000
    values[:, :, 60:] = 60
    assert doubts_of(scene_of(values)) == []


def test_a_scene_with_hardly_any_data_is_not_judged(scene_of):
    values = np.zeros((10, 80, 90), np.uint16)
    values[:, 40, 40] = 1
    scene = scene_of(values)
    assert look_at(scene, tuple(range(10))).shape == (10, 1)
    assert doubts_of(scene) == []


def test_bands_taken_in_order_and_assumed_are_reported(scene_of):
    (warning,) = doubts_of(scene_of(like_trained(), names=[""] * 10))
    assert "does not name its bands" in warning
    landsat = replace(
        SHIPPED, bands=tuple(b for b in SHIPPED.bands if b.common_name == "red")
    )
    scene = scene_of(like_trained()[:3], names=["SR_B2", "SR_B3", "SR_B4"])
    (warning,) = [w for w in doubts_of(scene, landsat) if "taken for" in w]
    assert "for the model sentinel2-landcover: its bands" in warning


@pytest.mark.parametrize(
    ("gsd", "fits"), [(8, True), (12, True), (7, False), (30, False)]
)
def test_pixels_of_another_size_are_refused_saying_both(scene_of, gsd, fits):
    scene = scene_of(like_trained(), gsd=gsd)
    _, models = open_fitting(["sentinel2-landcover"], lambda _: scene)
    if fits:
        check_scale(models, scene)
        return
    with pytest.raises(ModelError, match=rf"10 m \(7.5 to 12.5\).* have {gsd} m"):
        check_scale(models, scene)


BANDS = {
    "sentinel-2": (("B02", "B03", "B04", "B08", "B11", "B12"), (0, 1, 2, 3, 4, 5)),
    "common": (("swir22", "red", "green", "blue", "nir", "swir16"), (3, 2, 1, 4, 5, 0)),
    "landsat 9": (
        ("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B6", "SR_B7"),
        (1, 2, 3, 4, 5, 6),
    ),
    "landsat 7": (
        ("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7"),
        (0, 1, 2, 3, 4, 5),
    ),
}


@pytest.mark.parametrize("sensor", BANDS)
def test_six_bands_are_found_in_each_sensors_scene(sensor):
    common = ("blue", "green", "red", "nir", "swir16", "swir22")
    model = replace(
        SHIPPED, bands=tuple(InputBand(name, name, 0, 1) for name in common)
    )
    names, indices = BANDS[sensor]
    match = match_bands(model, names)
    assert match.indices == indices
    assert not match.by_order
    near = ["its nir08 band is taken for nir"] if "landsat" in sensor else []
    assert list(match.notes) == near


def test_a_band_by_index_needs_no_name():
    model = replace(
        SHIPPED,
        bands=(InputBand("third", "", 0, 1, index=3), InputBand("b2", "blue", 0, 1)),
    )
    assert match_bands(model, ("B03", "B02", "x")).indices == (2, 1)
    with pytest.raises(ModelError, match="lacks, or has twice, third"):
        match_bands(model, ("B03", "B02"))
    alone = replace(model, bands=model.bands[:1])
    match = match_bands(alone, ("", "", ""))
    assert (match.indices, match.by_order) == ((2,), False)


def test_a_scene_is_read_on_the_models_pixels_where_that_is_asked_for(
    scene_of, tmp_path
):
    scene = scene_of(like_trained(), gsd=20)
    with pytest.raises(ModelError, match="have 20 m; read it on pixels of the model"):
        prepare(scene.path, Output(tmp_path / "out"), None, SegmentOptions())
    setup = prepare(
        scene.path, Output(tmp_path / "out"), None, SegmentOptions(resample=True)
    )
    assert setup.scene.geobox.gsd_m() == pytest.approx(10, rel=1e-3)
    assert setup.scene.geobox.transform.a == 10
    assert setup.plan.identity["scene grid"] != scene.identity()["scene grid"]
    assert not (tmp_path / "out").exists()


def test_a_scene_that_fits_is_read_as_it_is(scene_of, tmp_path):
    scene = scene_of(like_trained(), gsd=9)
    setup = prepare(
        scene.path, Output(tmp_path / "out"), None, SegmentOptions(resample=True)
    )
    assert setup.scene.geobox == scene.geobox


def test_a_scene_in_degrees_is_read_on_square_pixels_of_the_models_size(
    make_raster, tmp_path
):
    path = make_raster(
        values=like_trained(),
        bands=NAMES,
        crs="EPSG:4326",
        transform=from_origin(12.5, 52.5, 0.0002, 0.0002),
    )
    with pytest.raises(ModelError, match="made for pixels of 10 m"):
        prepare(path, Output(tmp_path / "out"), None, SegmentOptions())
    setup = prepare(path, Output(tmp_path / "out"), None, SegmentOptions(resample=True))
    geobox = setup.scene.geobox
    left, top = geobox.xy(row=0, col=0)
    right, bottom = geobox.xy(row=1, col=1)
    geod = Geod(ellps="WGS84")
    assert geod.inv(left, top, right, top)[2] == pytest.approx(10, rel=0.005)
    assert geod.inv(left, top, left, bottom)[2] == pytest.approx(10, rel=0.005)
