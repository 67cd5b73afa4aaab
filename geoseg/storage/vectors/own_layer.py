"""A GeoPackage of one layer of our own: marked, and read back before it counts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pyogrio

from geoseg.storage.authorship import mark_layer
from geoseg.storage.gdal_paths import writable
from geoseg.storage.vectors.read_back import check_layer, writing
from geoseg.storage.vectors.write import reproducible

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas


def write_own_layer(
    path: Path, table: geopandas.GeoDataFrame, layer: str, geometry_type: str
) -> None:
    """Write a table as a GeoPackage; the same table gives the same bytes.

    Args:
        path: The ``.gpkg``.
        table: The rows, in any CRS; a row may have no geometry.
        layer: The layer's name, which is not the file's: bytes do not depend on that.
        geometry_type: What the layer holds, such as ``Point``; single parts become
            those of a ``Multi...`` type.

    Raises:
        OSError: It cannot be written, or not read back.

    """
    with writing(), reproducible(), writable(path, path.suffix.lower()) as plain:
        pyogrio.write_dataframe(
            table,
            plain,
            layer=layer,
            driver="GPKG",
            geometry_type=geometry_type,
            promote_to_multi=geometry_type.startswith("Multi"),
            # QGIS before 3.28 warns of later versions.
            dataset_options={"VERSION": "1.3"},
        )
        with closing(sqlite3.connect(plain)) as database, database:
            mark_layer(database, layer)
        nowhere = table.geometry.is_empty | table.geometry.isna()
        check_layer(plain, layer, len(table), empty=int(nowhere.sum()))
