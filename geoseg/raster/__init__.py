"""The door for rasters of our own: parts -> one Cloud Optimized GeoTIFF, and back.

* `arrays` gives class maps to xarray, and takes them from there; it alone needs xarray
* `write` gathers the parts and writes the product
* `legend` is how a GeoTIFF keeps the names and colours of its classes
* `read` is the one reader of class rasters, of geoseg and of other tools
* `values` says which values one holds, and gives them ids
* `names` finds what other tools call them, and their colours
* `placed` asks a class raster at the pixels of another plane
* `windows` says our windows in rasterio's words
"""

from geoseg.raster.read import ClassMap, Extent, class_extents, class_means
from geoseg.raster.write import write_class_map, write_measures

__all__ = [
    "ClassMap",
    "Extent",
    "class_extents",
    "class_means",
    "write_class_map",
    "write_measures",
]
