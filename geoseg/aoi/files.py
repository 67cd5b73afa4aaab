"""Vector files: the geometries of one layer, and what they mean.

Inputs are data, not programs: GDAL also opens files that make it read others or call
services, and those are refused before it sees them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import CRS

from geoseg.errors import AoiError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_SNIFFED = 4096
"""Bytes at a file's beginning that show what it is."""
_MARKS = re.compile(
    rb"<OGR\w*DataSource|<OGRVRT|gdal_streamed_alg|<OGRWFS|FeatureServer|<wfs:|"
    rb"<WFS_Cap|<CSW_|^WFS:|^OAPIF:",
    re.IGNORECASE,
)
"""How files begin that stand for others or for services."""
_PARQUET = b"PAR1"
"""How a Parquet file begins."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What a layer of a vector file holds."""

    shapes: NDArray[np.object_]
    """The geometries."""
    crs: CRS
    """What their coordinates mean."""
    labels: tuple[str | None, ...]
    """Each geometry's value of the field asked for; empty where none was."""


def read_layer(path: Path, layer: str | None, field: str | None) -> Layer:
    """Read the geometries of a layer, as they are in the file.

    Args:
        path: A vector file that GDAL knows, or GeoParquet.
        layer: The layer; the only one where None.
        field: A field whose values tell the geometries apart.

    Raises:
        AoiError: There is no such file, layer or field, or it has no CRS, is damaged,
            or stands for other files.

    """
    if not path.exists():
        raise AoiError(f"there is no area of interest at {path}")
    beginning = _beginning(path)
    if _MARKS.search(beginning):
        raise AoiError(
            f"the area of interest {path} stands for other files or a service, which "
            f"geoseg does not follow; save its polygons as a file of their own"
        )
    if beginning.startswith(_PARQUET):
        shapes, crs, values = _from_parquet(path, layer, field)
    else:
        shapes, crs, values = _from_gdal(path, layer, field)
    if crs is None:
        raise AoiError(
            f"the area of interest {path} has no CRS; save it again with one"
        )
    return Layer(shapes, crs, tuple(_label(value) for value in values))


def _beginning(path: Path) -> bytes:
    if path.is_dir():  # a file geodatabase, or shapefiles
        return b""
    try:
        with path.open("rb") as file:
            return file.read(_SNIFFED)
    except OSError as error:
        raise AoiError(
            f"the area of interest {path} cannot be read ({error.strerror})"
        ) from error


_Read = tuple["NDArray[np.object_]", "CRS | None", "NDArray[np.object_]"]
"""Geometries, their CRS, and the values of the field asked for."""


def _from_gdal(path: Path, wanted: str | None, field: str | None) -> _Read:
    # Workers unpickle areas but read none: spare them geopandas, which pyogrio
    # imports where it can.
    import pyogrio  # noqa: PLC0415 (the reason is above)

    try:
        layer = _layer(path, wanted)
        if field is not None:
            _check_field(path, field, pyogrio.read_info(path, layer=layer)["fields"])
        meta, _, shapes, values = pyogrio.raw.read(
            path, layer=layer, columns=[field] if field else []
        )
        crs = None if meta["crs"] is None else CRS.from_user_input(meta["crs"])
    except pyogrio.errors.DataSourceError as error:
        raise AoiError(
            f"the area of interest {path} is no vector file that GDAL can read; "
            f"give polygons as GeoJSON, GeoPackage or the like"
        ) from error
    except (RuntimeError, UnicodeError) as error:  # pyogrio's and PROJ's, GDAL's texts
        raise AoiError(
            f"the area of interest {path} is damaged ({error}); save it again"
        ) from error
    geometries = shapely.from_wkb(shapes, on_invalid="fix")
    return geometries, crs, values[0] if field else np.zeros(0, object)


def _from_parquet(path: Path, wanted: str | None, field: str | None) -> _Read:
    """Read GeoParquet, for which most builds of GDAL lack the driver."""
    import geopandas  # noqa: PLC0415  # workers read no areas

    if wanted is not None:
        raise AoiError(f"{path} has no layers; leave out '|layer={wanted}'")
    try:
        frame = geopandas.read_parquet(path)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise AoiError(
            f"the area of interest {path} is no GeoParquet that can be read "
            f"({' '.join(str(error).split())}); save it again"
        ) from error
    if field is not None:
        _check_field(path, field, frame.columns.drop(frame.geometry.name).to_numpy())
    values = frame[field].to_numpy(object) if field else np.zeros(0, object)
    return np.asarray(frame.geometry), frame.crs, values


def _layer(path: Path, wanted: str | None) -> str:
    import pyogrio  # noqa: PLC0415 (as above)

    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind]
    if wanted is None and len(layers) == 1:
        return layers[0]
    if wanted in layers:
        return str(wanted)
    there = ", ".join(layers) or "no layer with geometry"
    if wanted is not None:
        raise AoiError(f"{path} has no layer {wanted!r}; it has {there}")
    if not layers:
        raise AoiError(f"the area of interest {path} has {there}")
    raise AoiError(
        f"an area of interest is one layer of polygons, but {path} has "
        f"{len(layers)}: {there}; choose one: '{path}|layer={layers[0]}'"
    )


def _check_field(path: Path, field: str, fields: NDArray[np.object_]) -> None:
    if field not in fields:
        there = ", ".join(map(str, fields)) or "no fields at all"
        raise AoiError(f"the area of interest {path} has no field {field!r}: {there}")


def _label(value: object) -> str | None:
    """Write a field's value as text; None where the feature has none."""
    if value is None or value != value:  # noqa: PLR0124  # NaN is not itself
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None
