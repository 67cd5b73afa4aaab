"""Reference labels (polygons, lines, points, rasters) brought onto a scene's pixels.

* `shapes` rasterizes shapes, `label_raster` finds classes in a raster: both are laid on
  a plane once, and then read window by window
* `read` is the door, `rasterize` goes through it for people who want an array
"""

from geoseg.overlay.labels.label_raster import LabelRaster
from geoseg.overlay.labels.read import label_files, open_labels, read_labels
from geoseg.overlay.labels.shapes import Labels, rasterize_labels

__all__ = [
    "LabelRaster",
    "Labels",
    "label_files",
    "open_labels",
    "rasterize_labels",
    "read_labels",
]
