"""The door for references: what is held to be true, brought onto a map's pixels.

A reference is polygons, points or a raster, in any CRS, whose classes are called as the
map's or matched to them. Polygons and rasters are read window by window; a pixel gets
the class that its centre lies in, whatever the grid of the reference.

* `read` opens a file of any of the three kinds
* `polygons`, `reference_raster` and `points` are those kinds; `marks` is what the first
  and the last begin as
* `matching` finds the map's class of each of the reference's
* `ground_points` says whether a reference and a map overlap
"""

from geoseg.overlay.reference.ground_points import may_overlap
from geoseg.overlay.reference.points import Points, check_points_suffix, write_points
from geoseg.overlay.reference.read import read_reference
from geoseg.raster.resampled import coordinates

__all__ = [
    "Points",
    "check_points_suffix",
    "coordinates",
    "may_overlap",
    "read_reference",
    "write_points",
]
