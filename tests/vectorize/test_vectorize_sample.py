"""A real map: the sample's labels as a class raster."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from maps import ArrayMap
from paths import ROOT
from rasterio import features
from rasterio.transform import Affine

from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.vectorize.polygons import Drawing, polygons

LABELS = ROOT / "sample_aoi" / "labels.gpkg"
LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#336699") for i in range(30)))
PLANE = Affine(10, 0, 330_000, 0, -10, 5_822_040)


@pytest.fixture(scope="module")
def real():
    labels = gpd.read_file(LABELS)
    pixels = features.rasterize(
        zip(labels.geometry, labels.class_id, strict=True),
        out_shape=(768, 1536),
        transform=PLANE,
        fill=NODATA,
        dtype=np.uint8,
    )
    pixels[:300, :500][pixels[:300, :500] == NODATA] = 29  # land between, in a part
    return ArrayMap(pixels, PLANE)


def points_of(geometries, values):
    """Describe polygons by their points, without those on straight lines."""
    simple = shapely.normalize(shapely.simplify(geometries, 0))
    return sorted(zip(shapely.to_wkb(simple), values, strict=True))


def test_polygons_are_those_of_rasterio_point_for_point(real):
    frame = polygons(real, legend=LEGEND, block=256)
    found = list(
        features.shapes(real.pixels, mask=real.pixels != NODATA, transform=PLANE)
    )
    theirs = np.array([shapely.geometry.shape(shape) for shape, _ in found])
    values = [int(value) for _, value in found]
    assert len(frame) > 300
    assert points_of(frame.geometry.to_numpy(), frame.class_id) == points_of(
        shapely.buffer(theirs, 0), values
    )


def test_tidied_polygons_are_a_coverage_and_smaller(real):
    exact = polygons(real, legend=LEGEND)
    tidy = polygons(
        real, legend=LEGEND, drawing=Drawing(min_pixels=50, tolerance=1.5, smoothing=1)
    )
    assert shapely.is_valid(tidy.geometry.array).all()
    assert shapely.coverage_is_valid(tidy.geometry.array)
    assert tidy.pixel_count.min() >= 50
    assert len(tidy) < len(exact)
    assert tidy.area_m2.sum() == pytest.approx(exact.area_m2.sum(), rel=0.02)
