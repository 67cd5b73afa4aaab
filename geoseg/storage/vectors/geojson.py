"""GeoJSON as RFC 7946 wants it: features by GDAL, their coordinates by a compiled loop.

GDAL takes eight times as long for the numbers of polygons as for all the rest of them.
What is written is what it would write, but that it trims numbers that look to it like
errors of rounding, such as 100.0000001.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

from geoseg.geo.jit import kernel
from geoseg.storage.prefetch import read_ahead
from geoseg.storage.vectors.formats import BY_NAME, DECIMALS
from geoseg.storage.vectors.lonlat import ToLonlat
from geoseg.storage.vectors.polygons import nested
from geoseg.storage.vectors.read_back import check_lines
from geoseg.storage.vectors.rows import to_frame, with_geometry
from geoseg.storage.vectors.to_lonlat import WGS84

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geoseg.storage.vectors.rows import Rows

SUFFIXES = (".geojson", ".geojsonl")
"""Of a collection, and of a feature in each line."""
_ONE = 10**DECIMALS
_AHEAD = 2
"""Batches that are prepared before they are written, each in a thread."""
_NO_GEOMETRY = b"null }"
"""How a feature ends that has none."""
_POLYGON = np.frombuffer(b'{ "type": "Polygon", "coordinates": ', np.uint8)
_MULTIPOLYGON = np.frombuffer(b'{ "type": "MultiPolygon", "coordinates": ', np.uint8)
_OPEN, _CLOSE, _NEXT, _END = (
    np.frombuffer(each, np.uint8) for each in (b"[ ", b" ]", b", ", b" }")
)
_MINUS, _POINT, _ZERO = (ord(each) for each in "-.0")
_FOR_VERTEX, _FOR_RING, _FOR_PART, _FOR_ROW = 34, 8, 8, 64
"""Letters that each of them takes at most."""


class _Features(NamedTuple):
    """Some features, ready to be written."""

    attributes: pa.Table
    """What is known of each, with a ``feature_id``."""
    shapes: NDArray[np.uint8]
    """The text of all geometries."""
    ends: NDArray[np.int64]
    """Where that of each begins, and the end."""


def write_geojson(rows: Rows, path: Path, name: str) -> None:
    """Write one collection, or a feature in each line where the suffix says so.

    Raises:
        VectorError: Polygons cannot be brought to degrees.
        OSError: The file cannot be written.

    """
    head, between, tail = b"", b"\n", b"\n" if rows.count else b""
    if path.suffix == ".geojson":
        named = json.dumps(name, ensure_ascii=False)
        opened = f'{{"type": "FeatureCollection", "name": {named}, "features": [\n'
        head, between, tail = opened.encode(), b",\n", b"\n]}\n"
    with path.open("wb") as target:
        target.write(head)
        for number, features in enumerate(_prepared(rows)):
            target.write(between if number else b"")
            target.writelines(_pieces(features, between))
        target.write(tail)
    gaps = max(rows.count - 1, 0)
    check_lines(path, head.count(b"\n") + gaps + tail.count(b"\n"))


def _prepared(rows: Rows) -> Iterator[_Features]:
    """Bring rows to degrees and to text, in threads, some before they are written."""
    if not rows.count:
        return  # there is nowhere to bring from
    to_lonlat = ToLonlat.of(rows.crs, rows.bounds, rows.pixel)

    def prepared(some: tuple[int, pa.Table]) -> _Features:
        first, table = some
        frame: gpd.GeoDataFrame = to_lonlat(to_frame(table, rows.crs))
        shapes, ends = written_out(frame.geometry.to_numpy())
        numbers = pa.array(np.arange(first, first + len(table)))
        attributes = table.drop_columns("geometry")
        return _Features(attributes.append_column("feature_id", numbers), shapes, ends)

    for _, features in read_ahead(prepared, rows.numbered(), _AHEAD):
        yield features


def _pieces(features: _Features, between: bytes) -> Iterator[bytes | memoryview]:
    """Give the pieces of features: what GDAL writes, geometries, and ends."""
    lines, ends = _without_geometry(features.attributes), features.ends.tolist()
    end = b""
    for line, first, stop in zip(lines, ends[:-1], ends[1:], strict=True):
        before = line.removesuffix(_NO_GEOMETRY)
        if before == line:
            raise OSError(f"this GDAL writes features in another way: {line[-40:]!r}")
        yield end
        yield before
        yield features.shapes[first:stop].data
        end = b" }" + between
    yield b" }"


def _without_geometry(attributes: pa.Table) -> list[bytes]:
    """Let GDAL write features without any geometry, a line each."""
    table = with_geometry(attributes, pa.nulls(len(attributes), pa.binary()))
    form, made = BY_NAME["geojsonl"], io.BytesIO()
    pyogrio.write_arrow(
        table,
        made,
        driver=form.driver,
        geometry_name="geometry",
        geometry_type="Unknown",
        crs=WGS84,
        encoding="UTF-8",
        **form.options,
    )
    return made.getvalue().splitlines()


def written_out(
    polygons: NDArray[np.object_],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Write polygons and multipolygons in degrees out as GeoJSON's geometries.

    Shells run counterclockwise and holes clockwise, whatever they did.

    Returns:
        The text in UTF-8, and where that of each polygon begins and the last ends.

    """
    (points, rings, parts), rows = nested(polygons)
    many = shapely.get_type_id(polygons) == shapely.GeometryType.MULTIPOLYGON
    points *= _ONE
    whole = np.rint(points, out=points).astype(np.int64)
    del points
    size = (
        len(whole) * _FOR_VERTEX
        + len(rings) * _FOR_RING
        + len(parts) * _FOR_PART
        + len(rows) * _FOR_ROW
    )
    text, stops = np.empty(size, np.uint8), np.zeros(len(rows), np.int64)
    _write_shapes(whole, (rings, parts, rows), many, text, stops)
    return text, stops


@kernel
def _write_shapes(
    points: NDArray[np.int64],
    nested: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    many: NDArray[np.bool_],
    text: NDArray[np.uint8],
    stops: NDArray[np.int64],
) -> None:
    """Write geometries one after the other.

    Args:
        points: Longitude and latitude in units of the last decimal.
        nested: Where the vertices of each ring begin, the rings of each part, and the
            parts of each row, and the ends.
        many: Which rows are multipolygons.
        text: Filled.
        stops: Filled with where each row's text ends, from the second on.

    """
    rings, parts, rows = nested
    at = 0
    for row in range(len(many)):
        at = _put(text, at, _MULTIPOLYGON if many[row] else _POLYGON)
        if many[row]:
            at = _put(text, at, _OPEN)
        for part in range(rows[row], rows[row + 1]):
            if part > rows[row]:
                at = _put(text, at, _NEXT)
            at = _put(text, at, _OPEN)
            for ring in range(parts[part], parts[part + 1]):
                if ring > parts[part]:
                    at = _put(text, at, _NEXT)
                own = points[rings[ring] : rings[ring + 1]]
                at = _write_ring(own, ring - parts[part], text, at)
            at = _put(text, at, _CLOSE)
        if many[row]:
            at = _put(text, at, _CLOSE)
        at = _put(text, at, _END)
        stops[row + 1] = at


@kernel
def _write_ring(
    points: NDArray[np.int64], number: int, text: NDArray[np.uint8], at: int
) -> int:
    """Write the shell, which is number 0, or a hole; give the text's end."""
    turns = _is_counterclockwise(points) == (number == 0)
    at = _put(text, at, _OPEN)
    for k in range(len(points)):
        vertex = k if turns else len(points) - 1 - k
        if k > 0:
            at = _put(text, at, _NEXT)
        at = _put(text, at, _OPEN)
        at = _write_number(points[vertex, 0], text, at)
        at = _put(text, at, _NEXT)
        at = _write_number(points[vertex, 1], text, at)
        at = _put(text, at, _CLOSE)
    return _put(text, at, _CLOSE)


@kernel
def _is_counterclockwise(points: NDArray[np.int64]) -> bool:
    """Return whether a closed ring has its inside on the left."""
    twice = 0.0
    for k in range(1, len(points) - 2):
        ax, ay = points[k, 0] - points[0, 0], points[k, 1] - points[0, 1]
        bx, by = points[k + 1, 0] - points[0, 0], points[k + 1, 1] - points[0, 1]
        twice += float(ax) * float(by) - float(bx) * float(ay)
    return bool(twice > 0)


@kernel
def _write_number(value: int, text: NDArray[np.uint8], at: int) -> int:
    """Write a number of decimals, one of which stays where they are noughts."""
    if value < 0:
        text[at] = _MINUS
        at, value = at + 1, -value
    units, rest, width = value // _ONE, value % _ONE, DECIMALS
    while width > 1 and rest % 10 == 0:
        rest, width = rest // 10, width - 1
    before_point = 1
    while units >= 10**before_point:
        before_point += 1
    at = _write_digits(units, before_point, text, at)
    text[at] = _POINT
    return _write_digits(rest, width, text, at + 1)


@kernel
def _write_digits(value: int, width: int, text: NDArray[np.uint8], at: int) -> int:
    """Write so many last digits of a number."""
    for k in range(at + width - 1, at - 1, -1):
        text[k] = _ZERO + value % 10
        value //= 10
    return at + width


@kernel
def _put(text: NDArray[np.uint8], at: int, letters: NDArray[np.uint8]) -> int:
    """Write some letters; give the text's end."""
    for letter in letters:
        text[at] = letter
        at += 1
    return at
