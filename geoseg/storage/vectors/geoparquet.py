"""GeoParquet: rows along a Hilbert curve, read from where they wait a group at a time.

Files are those that GeoPandas writes of all rows at once, to the last byte: their
schema and what is said of them is what it writes of one row, with the bounds and types
of all.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from geoseg.geo.jit import kernel
from geoseg.storage.vectors.read_back import check_file

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geoseg.storage.mapped import Arrays
    from geoseg.storage.vectors.rows import Rows

_ROW_GROUP = 65_536
"""Polygons in a row group: what a reader can skip at once."""
_HALF = 16
"""Bits of half a distance along the curve."""
_FIELD_ID = b"PARQUET:field_id"
"""What a schema holds once it has been in a file, and not before."""
_SIDES = {"minx": "xmin", "miny": "ymin", "maxx": "xmax", "maxy": "ymax"}


def write_parquet(rows: Rows, path: Path) -> None:
    """Write GeoParquet, neighbours on the ground in the same row group."""
    if not rows.count:
        empty = next(rows.batches())
        empty.attrs.update(rows.attrs)
        empty.to_parquet(path, **_AS)
        check_file(path, 0)
        return
    order = _along_curve(rows)
    schema = _schema(rows)
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for first in range(0, rows.count, _ROW_GROUP):
            frame = rows.some(order[first : first + _ROW_GROUP])
            file.write_table(_table(frame, schema), row_group_size=_ROW_GROUP)
    check_file(path, rows.count)


_AS: dict[str, Any] = {  # as GeoPandas takes it
    "index": False,
    "compression": "zstd",
    "schema_version": "1.1.0",
    "write_covering_bbox": True,
}


def _schema(rows: Rows) -> pa.Schema:
    """Give the schema of a file of all rows, and what it says of them."""
    one = rows.some(np.zeros(1, np.int64))
    one.attrs.update(rows.attrs)
    buffer = io.BytesIO()
    one.to_parquet(buffer, **_AS)
    schema = pq.read_schema(buffer)
    geo = json.loads(schema.metadata[b"geo"])
    kinds = {"MultiPolygon": rows.many, "Polygon": rows.single}
    geo["columns"]["geometry"] |= {
        "geometry_types": [name for name, there in kinds.items() if there],
        "bbox": rows.bounds.tolist(),
    }
    metadata = schema.metadata | {b"geo": json.dumps(geo).encode()}
    return pa.schema([_as_made(field) for field in schema], metadata)


def _as_made(field: pa.Field) -> pa.Field:
    """Take from a field what it did not have before it was in a file."""
    if pa.types.is_struct(field.type):
        field = field.with_type(pa.struct([_as_made(each) for each in field.type]))
    kept = {k: v for k, v in (field.metadata or {}).items() if k != _FIELD_ID}
    return field.with_metadata(kept) if kept else field.remove_metadata()


def _table(frame: gpd.GeoDataFrame, schema: pa.Schema) -> pa.Table:
    """Turn rows into a table of a schema, with a box beside each."""
    shapes, boxes = frame.geometry.to_numpy(), frame.bounds
    plain = pa.Table.from_pandas(frame.drop(columns="geometry"), preserve_index=False)
    sides = [pa.array(boxes[name]) for name in _SIDES]
    columns = {
        **{name: plain[name] for name in plain.column_names},
        "geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
        "bbox": pa.StructArray.from_arrays(sides, names=list(_SIDES.values())),
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _along_curve(rows: Rows) -> NDArray[np.int64]:
    """List the rows along a Hilbert curve."""
    distances = rows.arrays.growing(np.uint32)
    for frame in rows.batches():
        along = frame.geometry.hilbert_distance(total_bounds=rows.middles)
        distances.append(along.to_numpy())
    return _sorted(distances.whole(), rows.arrays)


def _sorted(values: NDArray[np.uint32], arrays: Arrays) -> NDArray[np.int64]:
    """List the places of values, the lowest first; of equal ones in their order."""
    order = arrays.zeros(len(values), np.int64)
    _sort(values, order)
    return order


@kernel
def _sort(values: NDArray[np.uint32], order: NDArray[np.int64]) -> None:
    """Sort by the upper half of each value, and what has the same by the lower."""
    starts = np.zeros((1 << _HALF) + 1, np.int64)
    for value in values:
        starts[(value >> _HALF) + 1] += 1
    for k in range(1 << _HALF):
        starts[k + 1] += starts[k]
    places = starts.copy()
    for k in range(len(values)):
        half = values[k] >> _HALF
        order[places[half]] = k
        places[half] += 1
    for k in range(1 << _HALF):
        own = order[starts[k] : starts[k + 1]].copy()
        by_value = np.argsort(values[own], kind="mergesort")
        for j in range(len(own)):
            order[starts[k] + j] = own[by_value[j]]
