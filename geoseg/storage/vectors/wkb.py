"""Polygons as well-known binary (ISO 19125-1), by compiled loops over vertices.

The bytes are those that shapely writes, without an object a polygon on the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from geoseg.geo.jit import kernel
from geoseg.storage.vectors.formats import MOST_BYTES, VERTEX_BYTES, check_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POLYGON, _MULTIPOLYGON = 3, 6
"""Kinds of geometries."""
_HEAD, _COUNT = 9, 4
"""Bytes of byte order, kind and how many parts; and of how many vertices."""


class Shapes(NamedTuple):
    """A polygon or a multipolygon a row, by vertices."""

    points: NDArray[np.float64]
    """Those of all rings, the first of each at its end again: ``(vertex, 2)``."""
    rings: NDArray[np.int64]
    """Where each ring's begin, and the end: shape ``(ring + 1,)``."""
    polygons: NDArray[np.int64]
    """Where each polygon's rings begin, and the end: shape ``(polygon + 1,)``."""
    counts: NDArray[np.int64]
    """How many polygons each row has."""
    many: NDArray[np.bool_]
    """Whether a row is a multipolygon, be it of one."""

    def to_wkb(self) -> pa.Array:
        """Give them as well-known binary.

        Raises:
            VectorError: One is larger than any file holds.

        """
        rings, polygons = self.rings, self.polygons
        ends = np.zeros(len(self.counts) + 1, np.int64)
        _sum_up(rings, polygons, self.counts, self.many, ends)
        check_size(int(np.diff(ends).max(initial=0)), MOST_BYTES, "a file")
        data = np.empty(ends[-1], np.uint8)
        points = self.points.reshape(-1).view(np.uint8)
        _write(points, rings, polygons, self.counts, self.many, data)
        offsets = ends.astype(np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.binary(), len(self.counts), buffers)

    def measured(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Give boxes ``(row, 4)``, areas in units of the plane, and vertices."""
        count = len(self.counts)
        boxes, areas = np.empty((count, 4)), np.zeros(count)
        vertices = np.zeros(count, np.int64)
        boxes[:, :2], boxes[:, 2:] = np.inf, -np.inf
        _measure(*self[:4], boxes, areas, vertices)
        return boxes, areas, vertices


@kernel
def _sum_up(
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    counts: NDArray[np.int64],
    many: NDArray[np.bool_],
    ends: NDArray[np.int64],
) -> None:
    """Set where each row ends among the bytes of all."""
    first = 0
    for row in range(len(counts)):
        last = first + counts[row]
        inside = polygons[last] - polygons[first]
        vertices = rings[polygons[last]] - rings[polygons[first]]
        size = (
            _HEAD * (counts[row] + many[row])
            + _COUNT * inside
            + VERTEX_BYTES * vertices
        )
        ends[row + 1] = ends[row] + size
        first = last


@kernel
def _write(  # a kernel takes no objects
    points: NDArray[np.uint8],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    counts: NDArray[np.int64],
    many: NDArray[np.bool_],
    data: NDArray[np.uint8],
) -> None:
    """Write all rows, one after the other; points are given as bytes."""
    at, polygon = 0, 0
    for row in range(len(counts)):
        if many[row]:
            at = _begin(data, at, _MULTIPOLYGON, counts[row])
        for _ in range(counts[row]):
            first, last = polygons[polygon], polygons[polygon + 1]
            at = _begin(data, at, _POLYGON, last - first)
            for ring in range(first, last):
                start, stop = rings[ring], rings[ring + 1]
                at = _put(data, at, stop - start)
                size = VERTEX_BYTES * (stop - start)
                data[at : at + size] = points[
                    VERTEX_BYTES * start : VERTEX_BYTES * stop
                ]
                at += size
            polygon += 1


@kernel
def _begin(data: NDArray[np.uint8], at: int, kind: int, parts: int) -> int:
    data[at] = 1  # the lowest byte comes first
    return _put(data, _put(data, at + 1, kind), parts)


@kernel
def _put(data: NDArray[np.uint8], at: int, number: int) -> int:
    for place in range(4):
        data[at + place] = (number >> (8 * place)) & 0xFF
    return at + 4


@kernel
def _measure(  # noqa: PLR0913, PLR0917  # a kernel takes no objects
    points: NDArray[np.float64],
    rings: NDArray[np.int64],
    polygons: NDArray[np.int64],
    counts: NDArray[np.int64],
    boxes: NDArray[np.float64],
    areas: NDArray[np.float64],
    vertices: NDArray[np.int64],
) -> None:
    """Fill the last three, as GEOS does it."""
    polygon = 0
    for row in range(len(counts)):
        for _ in range(counts[row]):
            first, last = polygons[polygon], polygons[polygon + 1]
            area = 0.0
            for ring in range(first, last):
                start, stop = rings[ring], rings[ring + 1]
                vertices[row] += stop - start
                inside = abs(_area(points[start:stop]))
                area += inside if ring == first else -inside
            areas[row] += area
            for k in range(rings[first], rings[first + 1]):
                for axis in range(2):
                    value = points[k, axis]
                    boxes[row, axis] = min(boxes[row, axis], value)
                    boxes[row, 2 + axis] = max(boxes[row, 2 + axis], value)
            polygon += 1


@kernel
def _area(ring: NDArray[np.float64]) -> float:
    """Sum up a ring's area by the shoelace formula, from its first x."""
    total = 0.0
    for k in range(1, len(ring) - 1):
        total += (ring[k, 0] - ring[0, 0]) * (ring[k - 1, 1] - ring[k + 1, 1])
    return total / 2.0
