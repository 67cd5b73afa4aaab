"""What many tests need: small rasters with odd shapes, made on the spot."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import settings
from pyproj import CRS
from waits import shorten

from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend

settings.register_profile("steady", deadline=None)  # a busy machine fails no test
settings.load_profile("steady")

collect_ignore = ["support/qgis_session.py"]
"""What runs in QGIS's own Python."""

NORTH_UP = Affine(10, 0, 399_960, 0, -20, 5_800_020)
"""Off the origin, with pixels that are not square."""

ROTATED = Affine.translation(399_961.5, 5_800_020.25) @ Affine.rotation(30)
ROTATED = ROTATED @ Affine.scale(10, -10)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Keep what geoseg keeps between runs out of the user's cache."""
    if "GEOSEG_CACHE" not in os.environ:
        folder = tmp_path_factory.getbasetemp() / "geoseg-cache"
        monkeypatch.setenv("GEOSEG_CACHE", str(folder))


@pytest.fixture
def short_trials(monkeypatch):
    """Let forecasts try blocks for a moment, where their seconds do not matter."""
    shorten(monkeypatch, trial=0.1)


@pytest.fixture
def no_more_inference(monkeypatch):
    """Give what forbids to infer anything from then on."""

    def fail(*_, **__):
        raise AssertionError("inferred again")

    return lambda: monkeypatch.setattr(import_module("geoseg.run.segment"), "run", fail)


@pytest.fixture(params=["north-up", "rotated"])
def plane(request):
    """Give a plane of 37 x 53 pixels in UTM, north-up and then rotated."""
    transform = NORTH_UP if request.param == "north-up" else ROTATED
    return GeoBox(37, 53, transform, CRS.from_epsg(32633))


@pytest.fixture
def legend():
    """Give a legend whose ids neither begin at zero nor follow each other."""
    return Legend(
        (
            LandClass(1, "water", "#1f78b4"),
            LandClass(3, "forêt & bois", "#33a02c"),
            LandClass(4, "built-up", "#e31a1c"),
        )
    )


@pytest.fixture
def make_raster(tmp_path):
    """Give a function that writes a GeoTIFF and returns its path.

    By default: 37 x 53 pixels, three uint16 bands of seeded noise named B02,
    B03 and B04, nodata 0 in a corner of 5 x 7 pixels, off the origin, with
    pixels of 10 m x 20 m in UTM 33 N. Keywords go to rasterio; ``values``
    (band, y, x) sets the pixels and with them bands, height, width and dtype.
    """

    def make(name="scene.tif", *, values=None, bands=("B02", "B03", "B04"), **profile):
        if values is None:
            shape = len(bands), profile.pop("height", 37), profile.pop("width", 53)
            values = np.random.default_rng(0).integers(1, 4000, shape, np.uint16)
            values[:, :5, :7] = 0
        settings = {
            "driver": "GTiff",
            "crs": "EPSG:32633",
            "transform": NORTH_UP,
            "nodata": 0,
            "dtype": values.dtype.name,
            **dict(zip(("count", "height", "width"), values.shape, strict=True)),
            **profile,
        }
        path = Path(tmp_path, name)
        with rasterio.open(path, "w", **settings) as dataset:
            dataset.write(values)
            for index, band in enumerate(bands[: len(values)], start=1):
                dataset.set_band_description(index, band)
        return path

    return make


@pytest.fixture(scope="session")
def brightest(tmp_path_factory):
    """Give the package of a model that says which of three bands is the brightest."""
    from brightest import save_model  # noqa: PLC0415  # ONNX is for few tests

    return save_model(tmp_path_factory.mktemp("brightest"))
