"""The sample area and the model that ships: what others rely on."""

from __future__ import annotations

import json
import re

import geopandas
import numpy as np
import pytest
import shapely
import torch
from paths import SAMPLE

from geoseg.evaluate import compare
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import Split
from geoseg.geo.windows import Window
from geoseg.models.band_match import match_bands
from geoseg.models.find import load_package
from geoseg.models.networks.network import load_network
from geoseg.overlay.labels import rasterize_labels, read_labels
from geoseg.scene import open_scene


@pytest.fixture(scope="module")
def scene():
    return open_scene(SAMPLE / "scene.tif")


@pytest.fixture(scope="module")
def package():
    return load_package("sentinel2-landcover")


def test_the_scene_is_what_its_readme_says(scene):
    assert (scene.geobox.height, scene.geobox.width) == (768, 1536)
    assert scene.geobox.crs.to_epsg() == 32633
    names = "B02 B03 B04 B05 B06 B07 B08 B8A B11 B12"
    assert scene.bands == tuple(names.split())
    assert (scene.dtype, scene.nodata) == ("uint16", 0)
    _, valid = scene.read(Window(0, 0, 768, 1536), tuple(range(10)))
    assert valid.all()


def test_the_sample_is_small():
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) < 20_000_000


def test_labels_are_valid_disjoint_and_in_the_legend_of_the_model(package):
    labels = geopandas.read_file(SAMPLE / "labels.gpkg")
    assert labels.is_valid.all()
    assert set(labels.geom_type) == {"Polygon"}
    for land_class in package.legend:
        ids = labels.loc[labels["class"] == land_class.name, "class_id"]
        assert set(ids) == {land_class.id}
    shapes = labels.geometry.to_numpy()
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = one < other
    shared = shapely.intersection(shapes[one[pairs]], shapes[other[pairs]])
    assert shapely.area(shared).max() < 1  # m2


def test_the_aoi_has_a_hole_and_crosses_tiles_but_leaves_much_out(scene):
    content = json.loads((SAMPLE / "aoi.geojson").read_text())
    shapes = [shapely.geometry.shape(f["geometry"]) for f in content["features"]]
    assert all(shape.is_valid for shape in shapes)
    assert any(len(shape.interiors) for shape in shapes)
    assert all(shape.exterior.is_ccw for shape in shapes)  # RFC 7946
    ground = geopandas.GeoSeries(shapes, crs=4326).to_crs(scene.geobox.crs)
    bounds = scene.geobox.bounds
    frame = shapely.box(bounds.left, bounds.bottom, bounds.right, bounds.top)
    assert ground.within(frame).all()
    assert 0.2 < ground.area.sum() / frame.area < 0.5
    assert (ground.bounds.maxx - ground.bounds.minx > 2560).all()  # more than a tile


def test_the_model_finds_its_bands_in_the_sample(scene, package):
    match = match_bands(package, scene.bands)
    assert (match.indices, match.by_order) == (tuple(range(10)), False)


def test_the_stored_model_is_as_good_as_its_card_says(scene, package):
    """Each block of the held-out fold, predicted alone as the card says."""
    card = (package.path / "README.md").read_text()
    promised = float(re.search(r"Overall accuracy: U-Net (0\.\d+)", card)[1])
    split = Split(768, 1536, fold=0)
    labels = read_labels(SAMPLE / "labels.gpkg")
    reference = rasterize_labels(labels, scene.geobox, package.legend)
    reference[~split.test_area()] = NODATA
    predicted = np.full(reference.shape, NODATA, np.uint8)
    network = load_network(package)
    means, stds = np.array([(b.mean, b.std) for b in package.bands]).T[:, :, None, None]
    for rows, cols in split.test_blocks():
        window = Window.between((rows.start, rows.stop), (cols.start, cols.stop))
        pixels, _ = scene.read(window, tuple(range(10)))
        tile = ((pixels * package.scale - means) / stds).astype(np.float32)
        with torch.inference_mode():
            logits = network(torch.from_numpy(tile)[None])
        predicted[rows, cols] = logits[0].argmax(dim=0).numpy()
    accuracy = compare(reference, predicted, package.legend)
    assert accuracy.overall == pytest.approx(promised, abs=0.002)
    assert accuracy.overall > accuracy.majority + 0.15
