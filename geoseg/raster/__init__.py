"""The door for class rasters: parts to Cloud Optimized GeoTIFFs, and back.

* `read` is the one reader of class rasters, of geoseg and of other tools: `values` says
  which values one holds and gives them ids, `foreign_names` finds names and colours
* `resampled` asks a class raster at the pixels of another plane
* `write` takes the parts in one pass, also while a map is being made, and writes the
  products of all layers: each is `growing` with its overviews, and becomes a `cog` in
  the end; `class_names` is how a GeoTIFF keeps the names and colours of its classes
* `extents` says how much of each class there is, while pixels are in memory
* `legend_file` reads files of classes, `relabelling` gives a map another legend, and
  `legends` are those that ship
* `arrays` gives class maps to xarray, and takes them from there; it alone needs xarray
* `given` takes a file or such an array for whatever reads class maps from files;
  `map_folder` finds the map where a folder of geoseg is named
* `rasterio_windows` says our windows in rasterio's words
"""

from geoseg.raster.extents import ClassMeans, Extent, Extents
from geoseg.raster.read import ClassMap
from geoseg.raster.write import (
    ClassLayer,
    ImageLayer,
    MeasureLayer,
    write_class_map,
    write_layers,
    write_measures,
)

__all__ = [
    "ClassLayer",
    "ClassMap",
    "ClassMeans",
    "Extent",
    "Extents",
    "ImageLayer",
    "MeasureLayer",
    "write_class_map",
    "write_layers",
    "write_measures",
]
