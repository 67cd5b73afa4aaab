"""Points as a reference, and points to be labelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyogrio
import shapely
from pyproj import CRS

from geoseg.errors import LabelsError
from geoseg.georef import Bounds, Georef
from geoseg.reference.classes import class_name
from geoseg.reference.pixels import are_on, no_overlap, pixels_at
from geoseg.vectorize.writers import fixed_time

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas
    from numpy.typing import NDArray

_POINT_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON"}
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


def points_of(
    path: Path,
    table: geopandas.GeoDataFrame,
    names: list[str],
    values: NDArray[np.uint8],
    georef: Georef,
) -> Points:
    """Bring points onto the map's pixels.

    Args:
        path: Their file, for sentences about them.
        table: The points.
        names: The class of each as the file has it; empty where there is none.
        values: The map's class id of each; 255 where it is left out.
        georef: The map's plane.

    Raises:
        LabelsError: No point lies on the map.

    """
    x, y = shapely.get_coordinates(table.geometry.to_numpy()).T
    crs = CRS.from_user_input(table.crs)
    rows, cols = pixels_at(georef, x, y, crs)
    inside = are_on(georef, rows, cols)
    if not inside.any():
        raise no_overlap(path, Bounds(*table.total_bounds), crs, georef)
    given = table["id"] if "id" in table else range(1, len(table) + 1)
    labels = [class_name(each) for each in given]
    return Points(
        rows=rows[inside],
        cols=cols[inside],
        ids=values[inside],
        names=tuple(np.array(labels, object)[inside].tolist()),
        labelled=np.array([bool(name) for name in names])[inside],
        outside=int((~inside).sum()),
    )


def check_points_suffix(path: Path) -> None:
    """Refuse a file for points that is neither GeoPackage nor GeoJSON.

    Raises:
        LabelsError: Its suffix is another one.

    """
    if path.suffix not in _POINT_DRIVERS:
        raise LabelsError(
            f"points are written as {' or '.join(_POINT_DRIVERS)}, got {path}"
        )


def write_points(path: Path, table: geopandas.GeoDataFrame) -> None:
    """Write points to be labelled; the same points give the same bytes.

    Args:
        path: A ``.gpkg``, in the table's CRS, or a ``.geojson``, in degrees of WGS 84.
        table: Points with their columns; columns without a value are kept, as text.

    """
    check_points_suffix(path)
    if path.suffix == ".geojson":
        table = table.to_crs(_WGS84)
    with fixed_time():
        pyogrio.write_dataframe(
            table.astype(
                {name: "string" for name in table if table[name].isna().all()}
            ),
            path,
            layer=path.stem,
            driver=_POINT_DRIVERS[path.suffix],
            geometry_type="Point",
        )
