"""Areas of interest: what somebody gives, brought onto the pixels of a scene.

* `given` reads what somebody gives: a file, WKT, a bounding box or shapes
* `reproject` repairs it and brings it into the scene's CRS
* `area` says which pixels are in, by the rule of `geoseg.overlay.coverage`
* `read` does all three, for one area or for each feature
* `zones` does so for named areas that may overlap
"""

from geoseg.overlay.aoi.area import Aoi, whole_scene
from geoseg.overlay.aoi.given import Area, described
from geoseg.overlay.aoi.read import read_aoi, read_features, read_lonlat
from geoseg.overlay.aoi.reproject import only_polygons
from geoseg.overlay.aoi.zones import Zones, read_zones
from geoseg.storage.vectors.read import split_layer

__all__ = [
    "Aoi",
    "Area",
    "Zones",
    "described",
    "only_polygons",
    "read_aoi",
    "read_features",
    "read_lonlat",
    "read_zones",
    "split_layer",
    "whole_scene",
]
