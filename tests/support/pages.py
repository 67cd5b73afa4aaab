"""A page of a small map of noise, on an image of noise."""

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster import ClassLayer, ClassMap, MeasureLayer, write_layers
from geoseg.report.imagery import Shown, Stretch
from geoseg.report.map_page import MapPage, write_map_page
from geoseg.report.pyramid import ClassPlanes
from geoseg.report.report import class_areas
from geoseg.scene import open_scene

ATTACK = "<img src=x onerror=alert(1)>"
LEGEND = Legend(
    (LandClass(1, ATTACK, "#1f78b4"), LandClass(4, "wood & </script>", "#33a02c"))
)
CORNER = Affine(10, 0, 399_960, 0, -10, 5_800_020)


def write_page_of_noise(folder, shape=(300, 531), megabytes=10, **more):
    """Write landcover.tif, confidence.tif, image.tif and report.html.

    Returns:
        The page, and the classes and confidences of the map; columns 0 to 19 are
        nodata.

    """
    noise = np.random.default_rng(7)
    classes = noise.choice(np.array([1, 4], np.uint8), shape)
    classes[:, :20] = 255
    confidence = noise.integers(30, 101, shape, np.uint8)
    confidence[:, :20] = 255
    geobox = GeoBox(*shape, CORNER, CRS.from_epsg(32633))
    paths = folder / "landcover.tif", folder / "confidence.tif"
    layers = [ClassLayer(paths[0], LEGEND), MeasureLayer(paths[1], ["confidence"])]
    part = Window(0, 0, *shape), [classes, confidence]
    write_layers(layers, geobox, [part], tags={}, scratch=folder)
    page = MapPage(
        title=ATTACK,
        subtitle="a & b",
        planes=ClassPlanes(geobox, *paths),
        legend=LEGEND,
        areas=class_areas(ClassMap.open(paths[0]).extents(), LEGEND),
        image=Shown(_image(folder, noise, shape), (0, 1, 2), Stretch(((0, 255),) * 3)),
        **more,
    )
    path = folder / "report.html"
    write_map_page(path, page, megabytes)
    return path, classes, confidence


def _image(folder, noise, shape):
    """Make a reddish image, which no class is."""
    path = folder / "image.tif"
    values = noise.integers(0, 50, (3, *shape), np.uint8)
    values[0] += 200
    settings = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:32633"}
    height, width = shape
    with rasterio.open(
        path, "w", height=height, width=width, transform=CORNER, **settings
    ) as dataset:
        dataset.write(values)
    return open_scene(path)
