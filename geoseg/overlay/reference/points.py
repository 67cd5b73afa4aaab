"""Points as a reference, and points to be labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import shapely
from pyproj import CRS

from geoseg.errors import LabelsError
from geoseg.overlay.reference.ground_points import no_overlap
from geoseg.raster.resampled import are_on, pixels_at
from geoseg.storage.gdal_paths import writable
from geoseg.storage.vectors.own_layer import write_own_layer
from geoseg.storage.vectors.read_back import writing
from geoseg.storage.vectors.write import reproducible

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.overlay.reference.marks import Marks

_POINT_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON"}
_LAYER = "points"
"""Whatever the file's name is, so that the same points are the same bytes."""
_WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True, slots=True)
class Points:
    """Reference points on the pixels of a map; arrays of shape ``(point,)``."""

    rows: NDArray[np.int64]
    """The map's row in which each lies."""
    cols: NDArray[np.int64]
    """The map's column."""
    ids: NDArray[np.uint8]
    """The map's class id of each; 255 where none is given."""
    names: tuple[str, ...]
    """The name of each: its ``id`` where the file has such a column, or its number."""
    labelled: NDArray[np.bool_]
    """Which have a class, one that is left out included."""
    outside: int
    """How many lie beside the map; they are in no array."""

    @property
    def unlabelled(self) -> int:
        """How many have no class yet."""
        return int((~self.labelled).sum())


NAMES = "id"
"""The column of the points' names."""


def points_of(marks: Marks, geobox: GeoBox) -> Points:
    """Bring points onto the map's pixels.

    Args:
        marks: The points.
        geobox: The map's plane.

    Raises:
        LabelsError: No point lies on the map.

    """
    layer = marks.layer
    x, y = shapely.get_coordinates(layer.shapes).T
    rows, cols = pixels_at(geobox, x, y, layer.crs)
    inside = are_on(geobox, rows, cols)
    if not inside.any():
        raise no_overlap(marks.path, marks.bounds, layer.crs, geobox)
    numbers = tuple(str(number) for number in range(1, len(x) + 1))
    labels = layer.texts(NAMES) if NAMES in layer.columns else numbers
    return Points(
        rows=rows[inside],
        cols=cols[inside],
        ids=marks.ids[inside],
        names=tuple(label or "" for label in np.array(labels, object)[inside]),
        labelled=np.array([bool(name) for name in marks.names])[inside],
        outside=int((~inside).sum()),
    )


def check_points_suffix(path: Path) -> None:
    """Refuse a file for points that is neither GeoPackage nor GeoJSON.

    Raises:
        LabelsError: Its suffix is another one.

    """
    if path.suffix.lower() not in _POINT_DRIVERS:
        raise LabelsError(
            f"points are written as {' or '.join(_POINT_DRIVERS)}, got {path}"
        )


def write_points(path: Path, table: geopandas.GeoDataFrame) -> None:
    """Write points to be labelled; the same points give the same bytes.

    A GeoPackage is marked as ours, with a checksum of its rows: see `authorship`.

    Args:
        path: A ``.gpkg``, in the table's CRS, or a ``.geojson``, in degrees of WGS 84.
        table: Points with their columns; columns without a value are kept, as text.

    Raises:
        OSError: They cannot be written, or not read back.

    """
    check_points_suffix(path)
    driver = _POINT_DRIVERS[path.suffix.lower()]
    unfilled = [name for name in table if table[name].isna().all()]
    table = table.astype(dict.fromkeys(unfilled, "string"))
    if driver == "GPKG":
        write_own_layer(path, table, _LAYER, "Point")
        return
    with writing(), reproducible(), writable(path, path.suffix.lower()) as plain:
        pyogrio.write_dataframe(
            table.to_crs(_WGS84),
            plain,
            layer=_LAYER,
            driver=driver,
            geometry_type="Point",
        )
