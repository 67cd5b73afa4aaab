"""Vector files: the geometries of one layer, and what they mean.

The one reader of the vector files that people hand in, whether as areas, as labels or
as a reference: all are refused for the same reasons. Inputs are data, not programs:
GDAL also opens files that make it read others or call services, and those are refused
before it sees them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from pyproj import CRS

from geoseg.errors import STREAM, AoiError, InputError, LabelsError, is_stream
from geoseg.storage.allowed_drivers import allowed_drivers
from geoseg.storage.gdal_paths import readable
from geoseg.storage.vectors.views import check_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_SNIFFED = 4096
"""Bytes at a file's beginning that show what it is."""
_MARKS = re.compile(
    rb"<OGR\w*DataSource|<OGRVRT|gdal_streamed_alg|<OGRWFS|FeatureServer|<wfs:|"
    rb"<WFS_Cap|<CSW_|^WFS:|^OAPIF:|\bIsSeamless\b|^\s*open table ",
    re.IGNORECASE | re.MULTILINE,
)
"""How files begin that stand for others or for services."""
_RASTER = re.compile(rb"<VRTDataset|<GDALTileIndexDataset|<GDAL_WMS|<MRF_META")
"""How files begin that make GDAL read other rasters: no vector files."""
_FILES = frozenset(
    (
        *("GPKG", "GeoJSON", "GeoJSONSeq", "TopoJSON", "ESRIJSON", "JSONFG"),
        *("ESRI Shapefile", "OpenFileGDB", "FlatGeobuf", "SQLite", "MapInfo File"),
        *("GML", "KML", "LIBKML", "GPX", "GeoRSS", "OSM", "MBTiles", "PMTiles", "MVT"),
        *("CSV", "XLSX", "ODS", "DXF", "DGN", "Parquet", "Arrow"),
    )
)
"""Drivers of GDAL whose files hold their own features."""
_SETTINGS = {
    # Do not fetch the schema of a GML file from where it says that it is.
    "GML_DOWNLOAD_SCHEMA": "NO",
}
_PARQUET = b"PAR1"
"""How a Parquet file begins."""
_LAYER = re.compile(r"(?P<path>.*)\|layer(?:name)?=(?P<layer>.*)", re.DOTALL)
_APART = (shapely.GeometryType.GEOMETRYCOLLECTION, shapely.GeometryType.MULTIPOINT)
"""Kinds of geometries that are taken apart where each part counts by itself."""
_CLASS_COLUMNS = ("class", "reference", "class_name")
"""The columns in which classes are looked for where none is named: the usual name, that
of points of `geoseg sample-points`, and that of geoseg's own polygons."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a file is to whoever named it, for messages about it."""

    noun: str
    """What people call it."""
    needs: str
    """What it has to hold."""
    error: type[InputError]
    """How it is refused."""


AREA = Role("area of interest", "polygons", AoiError)
LABELS = Role("file of labels", "shapes with a class", LabelsError)
REFERENCE = Role("reference", "polygons or points with a class", LabelsError)

Choice: TypeAlias = "Callable[[Sequence[str]], Sequence[str]]"
"""What picks columns among those that a file has, or refuses them."""


@dataclass(frozen=True, slots=True)
class VectorLayer:
    """What a layer of a vector file holds; nothing of it is repaired."""

    shapes: NDArray[np.object_]
    """The geometries; None where a feature has none."""
    crs: CRS
    """What their coordinates mean."""
    columns: Mapping[str, NDArray[np.generic]]
    """Each feature's values of the columns that were asked for."""

    def texts(self, column: str) -> tuple[str | None, ...]:
        """Write a column's values as people would; None where there is none."""
        return tuple(_text(value) for value in self.columns[column])

    def apart(self) -> VectorLayer:
        """Take collections and multipoints apart, each part with its row's values.

        What has no geometry, or an empty one, is left out.
        """
        shapes, rows = self.shapes, np.arange(len(self.shapes))
        while np.isin(shapely.get_type_id(shapes), _APART).any():
            shapes, rows = _opened(shapes, rows)
        there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        return self.take(rows[there], shapes[there])

    def take(self, rows: NDArray[np.intp], shapes: NDArray[np.object_]) -> VectorLayer:
        """Give other shapes, each with the values of a row of this layer."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return VectorLayer(shapes, self.crs, columns)


def _opened(
    shapes: NDArray[np.object_], rows: NDArray[np.intp]
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Take the outermost collections apart, in their order."""
    whole = ~np.isin(shapely.get_type_id(shapes), _APART)
    parts, of_part = shapely.get_parts(shapes[~whole], return_index=True)
    at = np.concatenate([np.flatnonzero(whole), np.flatnonzero(~whole)[of_part]])
    order = np.argsort(at, kind="stable")
    found = np.concatenate([shapes[whole], parts])[order]
    return found, rows[at[order]]


def read_layer(
    source: Path | str, role: Role, choose: Choice | None = None
) -> VectorLayer:
    """Read the geometries of a layer, as they are in the file.

    Args:
        source: A vector file that GDAL knows, or GeoParquet; ``file.gpkg|layer=name``
            for one layer of several.
        role: What it is, for messages.
        choose: Is given the columns that there are and picks those to be read; none
            where it is None.

    Raises:
        InputError: There is no such file or layer, or it has no CRS, is damaged, or
            stands for other files; of the role's kind.

    """
    path, layer = split_layer(source)
    read = _from_parquet if _is_parquet(path, role) else _from_gdal
    shapes, crs, columns = read(path, role, layer, choose or (lambda _: ()))
    if crs is None:
        raise role.error(
            f"the {role.noun} {path} has no CRS, no coordinate reference system; "
            f"assign one, or save it again with one"
        )
    return VectorLayer(shapes, crs, columns)


class _EnoughError(Exception):
    """The columns were seen; nothing else is to be read."""


def list_fields(source: Path | str) -> tuple[str, ...]:
    """Name the columns of a vector file, or of one of its layers; read no shape.

    Args:
        source: A vector file that GDAL knows, or GeoParquet; ``file.gpkg|layer=name``
            for one layer of several.

    Raises:
        LabelsError: There is no such file or layer, or it is damaged or stands for
            other files.

    """
    seen: list[str] = []

    def look(columns: Sequence[str]) -> Sequence[str]:
        seen.extend(columns)
        raise _EnoughError

    with suppress(_EnoughError):
        read_layer(source, LABELS, look)
    return tuple(seen)


def split_layer(source: Path | str) -> tuple[Path, str | None]:
    """Split a file from the name of its layer.

    Example:
        >>> split_layer("parks.gpkg|layer=north")
        (PosixPath('parks.gpkg'), 'north')

    """
    parts = _LAYER.fullmatch(str(source))
    return (Path(parts["path"]), parts["layer"]) if parts else (Path(source), None)


def is_vector(source: Path | str, role: Role) -> bool:
    """Return whether a file holds layers of features, or a table at least.

    Raises:
        InputError: There is no such file, or it stands for others; of the role's kind.

    """
    import pyogrio  # noqa: PLC0415 (see `_from_gdal`)

    path, layer = split_layer(source)
    if layer is not None or _is_parquet(path, role):
        return True
    if _RASTER.search(_beginning(path, role)):
        return False
    try:
        pyogrio.set_gdal_config_options(_SETTINGS)
        with readable(path) as plain:
            return len(pyogrio.list_layers(plain)) > 0
    except pyogrio.errors.DataSourceError:
        return False


def class_column(
    path: Path | str, role: Role, column: str | None, columns: Sequence[str]
) -> str:
    """Find the column of the classes: the one named, or else one of the usual names.

    Raises:
        InputError: There is none; of the role's kind.

    """
    wanted = _CLASS_COLUMNS if column is None else (column,)
    by_case = {name.casefold(): name for name in reversed(columns)}
    for name in wanted:
        if name in columns or (column is None and name in by_case):
            return name if name in columns else by_case[name]
    if not columns:
        raise role.error(f"the {role.noun} {path} has no columns, and needs classes")
    raise role.error(
        f"the {role.noun} {path} has no column {' or '.join(map(repr, wanted))} of "
        f"classes; name one of its own, as in `class_field={columns[0]!r}`: "
        f"{', '.join(columns)}"
    )


def _is_parquet(path: Path, role: Role) -> bool:
    """Distinguish GeoParquet from other files; refuse those that stand for others."""
    if not path.exists():
        raise role.error(f"there is no {role.noun} at {path}, which does not exist")
    beginning = _beginning(path, role)
    if _MARKS.search(beginning):
        raise role.error(
            f"the {role.noun} {path} stands for other files or a service, which "
            f"geoseg does not follow; save its features as a file of their own"
        )
    return beginning.startswith(_PARQUET)


def _beginning(path: Path, role: Role) -> bytes:
    if path.is_dir():  # a file geodatabase, or shapefiles
        return b""
    try:
        if is_stream(path):
            raise role.error(f"the {role.noun} {path} {STREAM}")
        with path.open("rb") as file:
            return file.read(_SNIFFED)
    except OSError as error:
        raise role.error(
            f"the {role.noun} {path} cannot be read ({error.strerror})"
        ) from error


_Read: TypeAlias = (
    "tuple[NDArray[np.object_], CRS | None, Mapping[str, NDArray[np.generic]]]"
)
"""Geometries, their CRS, and the values of the columns asked for."""


def _from_gdal(path: Path, role: Role, wanted: str | None, choose: Choice) -> _Read:
    # Workers unpickle areas but read none: spare them geopandas, which pyogrio
    # imports where it can.
    import pyogrio  # noqa: PLC0415 (the reason is above)

    try:
        pyogrio.set_gdal_config_options(_SETTINGS)
        with readable(path) as plain:
            layers = [str(name) for name, kind in pyogrio.list_layers(plain) if kind]
            layer = _layer(path, role, wanted, layers)
            if path.is_file():
                check_view(path, layer, role.error)
            info = pyogrio.read_info(plain, layer=layer)
            _check_driver(path, role, info["driver"])
            found = info["fields"]
            meta, _, shapes, values = pyogrio.raw.read(
                plain, layer=layer, columns=list(choose([str(name) for name in found]))
            )
        crs = None if meta["crs"] is None else CRS.from_user_input(meta["crs"])
    except pyogrio.errors.DataSourceError as error:
        raise role.error(
            f"the {role.noun} {path} is no vector file that GDAL can read; give "
            f"{role.needs} as GeoJSON, GeoPackage or the like"
        ) from error
    except (RuntimeError, UnicodeError) as error:  # pyogrio's and PROJ's, GDAL's texts
        raise role.error(
            f"the {role.noun} {path} is damaged ({error}); save it again"
        ) from error
    geometries = shapely.from_wkb(shapes, on_invalid="fix")
    return geometries, crs, dict(zip(meta["fields"], values, strict=True))


def _from_parquet(path: Path, role: Role, wanted: str | None, choose: Choice) -> _Read:
    """Read GeoParquet, for which most builds of GDAL lack the driver."""
    import geopandas  # noqa: PLC0415  # workers read no areas

    if wanted is not None:
        raise role.error(f"{path} has no layers; leave out '|layer={wanted}'")
    try:
        with readable(path) as plain:
            frame = geopandas.read_parquet(plain)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise role.error(
            f"the {role.noun} {path} is no GeoParquet that can be read "
            f"({' '.join(str(error).split())}); save it again"
        ) from error
    chosen = choose([str(name) for name in frame if name != frame.geometry.name])
    columns = {name: frame[name].to_numpy(object) for name in chosen}
    return np.asarray(frame.geometry), frame.crs, columns


def _check_driver(path: Path, role: Role, driver: str) -> None:
    """Refuse a format whose files may name others, once it is known, and not read."""
    if driver not in _FILES | allowed_drivers():
        raise role.error(
            f"the {role.noun} {path} is of a format ({driver}) that may make geoseg "
            f"read other files; save its features as GeoPackage or GeoJSON, or allow "
            f"that by `driver={driver!r}`"
        )


def _layer(path: Path, role: Role, wanted: str | None, layers: Sequence[str]) -> str:
    if wanted is None and len(layers) == 1:
        return layers[0]
    if wanted in layers:
        return str(wanted)
    there = ", ".join(layers) or "no layer with geometry"
    if wanted is not None:
        raise role.error(f"{path} has no layer {wanted!r}; it has {there}")
    if not layers:
        raise role.error(f"the {role.noun} {path} has {there}; give {role.needs}")
    raise role.error(
        f"the {role.noun} is one layer of {role.needs}, but {path} has "
        f"{len(layers)}: {there}; choose one: '{path}|layer={layers[0]}'"
    )


def _text(value: object) -> str | None:
    """Write a value as people would: no number has a fraction; None for a blank."""
    if value is None or value != value:  # noqa: PLR0124  # NaN is not itself
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None
