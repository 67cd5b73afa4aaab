"""Figures of zones as rows, and as files that offices open."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import geopandas
import numpy as np
import pandas as pd

from geoseg.errors import OutputError, json_text
from geoseg.storage.authorship import checksum, signature
from geoseg.storage.staging import atomic_file
from geoseg.storage.vectors.own_layer import write_own_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pyproj import CRS

    from geoseg.overlay.aoi import Zones

SUFFIXES = (".csv", ".parquet", ".gpkg")
"""The formats, by their suffixes."""
_LAYER = "zones"
"""Whatever the file's name is, so that the same figures are the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneClass:
    """What a zone holds of a class."""

    zone: str
    """The zone's name."""
    class_id: int
    """The class's number."""
    class_name: str
    """Its name."""
    area_ha: float
    """Hectares on the ground that the map shows."""
    share: float | None
    """Part of the zone's ground that has a class; None where none has."""
    confidence: float | None
    """The mean confidence there, 0 to 1; None where it is not known."""
    estimate_ha: float | None = None
    """Hectares that a sample of points says there are; None without enough of them."""
    low_ha: float | None = None
    """Where the estimate's 95 % interval begins."""
    high_ha: float | None = None
    """Where it ends."""
    note: str = ""
    """Why there is no estimate, where one was asked for."""


def check_table_suffix(path: Path) -> None:
    """Refuse a file of another format.

    Raises:
        OutputError: Its suffix is none of `SUFFIXES`.

    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"areas are written as {', '.join(SUFFIXES)}, which the suffix says; "
            f"got {path}"
        )


def sidecar(path: Path) -> Path:
    """Name the file beside a table that says what it was made from."""
    return path.with_name(f"{path.name}.json")


def to_frame(rows: Sequence[ZoneClass]) -> pd.DataFrame:
    """Give rows as a table, a row a zone and class."""
    names = [field.name for field in fields(ZoneClass)]
    return pd.DataFrame([asdict(row) for row in rows], columns=names)


def write_table(
    path: Path,
    rows: Sequence[ZoneClass],
    zones: Zones,
    crs: CRS,
    source: Mapping[str, Any],  # names, as JSON has them
) -> None:
    """Write figures of zones; the same figures give the same bytes.

    A ``.csv`` or ``.parquet`` has a row a zone and class, a ``.gpkg`` one a zone, with
    its polygon and a column of hectares a class. Beside it a JSON file says what the
    figures are of.

    Raises:
        DiskError: The file cannot be written.

    """
    table = to_frame(rows)
    asked = table["estimate_ha"].notna().any() or (table["note"] != "").any()
    if not asked:
        table = table.drop(columns=["estimate_ha", "low_ha", "high_ha", "note"])
    suffix = path.suffix.lower()
    with atomic_file(path) as whole:
        if suffix == ".csv":
            table.to_csv(
                whole,
                index=False,
                lineterminator="\n",
                encoding="utf-8",
                float_format="%.12g",
            )
        elif suffix == ".parquet":
            table.to_parquet(whole, index=False)
        else:
            write_own_layer(whole, _wide(table, zones, crs), _LAYER, "MultiPolygon")
        record = {"geoseg": signature(), "sha256": checksum(whole), **source}
        text = json_text(record)
        sidecar(whole).write_text(f"{text}\n", encoding="utf-8")


def _wide(table: pd.DataFrame, zones: Zones, crs: CRS) -> geopandas.GeoDataFrame:
    """Put a zone's figures in a row, hectares of each class in a column."""
    columns: dict[str, list[Any]] = {"zone": list(zones.names)}
    for (number, name), part in table.groupby(["class_id", "class_name"], sort=False):
        called = f"{name}_ha"
        if called.lower() in {each.lower() for each in columns}:
            called = f"{name}_{number}_ha"  # SQLite takes large letters for small ones
        columns[called] = part["area_ha"].tolist()
    shapes = geopandas.GeoSeries(list(zones.shapes), crs=crs)
    return geopandas.GeoDataFrame(columns, geometry=shapes)


def known(value: float) -> float | None:
    """Give a figure, or None for NaN, as JSON has it."""
    return None if np.isnan(value) else float(value)
