"""Areas and perimeters of polygons on the ground.

Both are on the ellipsoid of the CRS, whatever its unit. A side is the straight line in
the CRS, as it is drawn on a map: the sides of pixels run along parallels or grid lines,
not along geodesics.

An area is a sum over the sides of its rings (Green's theorem): of what lies on the
ground between each side and the left edge of all polygons. Sizes on the ground change
so slowly that they are interpolated between nodes: see `geoseg.geo.ground.GroundField`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine

from geoseg.geo.ground import Frame, GroundField
from geoseg.geo.jit import kernel
from geoseg.vectorize.rings import Drawn

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

_GAUSS = 0.5 / 3**0.5
"""How far from the middle of a line the two points lie that stand for it: with them,
what changes along it up to the third power is summed exactly."""


def measure(
    polygons: NDArray[np.object_], crs: CRS, bounds: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure polygons.

    Args:
        polygons: Polygons or multipolygons in (x, y) of the CRS.
        crs: Their CRS; in a local one, which is nowhere on Earth, the ground is flat.
        bounds: Left, bottom, right and top of the map that they are some polygons of,
            between whose nodes sizes are interpolated; their own where None.

    Returns:
        Areas in square metres and perimeters in metres (holes add to them).

    """
    if shapely.is_empty(polygons).all():
        return np.zeros(len(polygons)), np.zeros(len(polygons))
    bounds = shapely.total_bounds(polygons) if bounds is None else bounds
    parts, owners = polygons, np.arange(len(polygons))
    if (shapely.get_type_id(polygons) == shapely.GeometryType.MULTIPOLYGON).any():
        parts, owners = shapely.get_parts(polygons, return_index=True)
    rings, part_of = shapely.get_rings(parts, return_index=True)
    points, ring_of = shapely.get_coordinates(rings, return_index=True)
    ends = np.searchsorted(ring_of, np.arange(len(rings) + 1))
    drawn = Drawn(points, ends, np.searchsorted(part_of, np.arange(len(parts) + 1)))
    return measure_drawn(drawn, owners, len(polygons), crs, bounds)


def measure_drawn(
    drawn: Drawn,
    owners: NDArray[np.int64],
    count: int,
    crs: CRS,
    bounds: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure polygons by their vertices.

    Args:
        drawn: Their rings, the shell of each before its holes.
        owners: To which of so many areas and perimeters each of them is added.
        count: How many these are.
        crs: As for `measure`.
        bounds: As for `measure`.

    Returns:
        Areas in square metres and perimeters in metres (holes add to them).

    """
    areas, perimeters = np.zeros((2, count))
    if not len(drawn.points):
        return areas, perimeters
    field = GroundField(crs, Affine.identity(), Frame(*bounds.tolist()))
    inside, around = _measure_rings(
        drawn.points,
        drawn.rings,
        np.array(field.origin, np.float64),
        field.cell,
        _with_swept(field),
    )
    is_shell = np.zeros(len(inside), np.bool_)
    is_shell[drawn.polygons[:-1][np.diff(drawn.polygons) > 0]] = True
    owner = np.repeat(owners, np.diff(drawn.polygons))
    np.add.at(areas, owner, np.where(is_shell, np.abs(inside), -np.abs(inside)))
    np.add.at(perimeters, owner, around)
    return areas, perimeters


def _with_swept(field: GroundField) -> NDArray[np.float64]:
    """Add what lies left of each node: square metres along a unit of y."""
    area = field.nodes[3]
    swept = np.zeros_like(area)
    steps = (area[:, 1:] + area[:, :-1]) * (field.cell[0] / 2)
    np.cumsum(steps, axis=1, out=swept[:, 1:])
    return np.concatenate([field.nodes, swept[np.newaxis]])


@kernel
def _measure_rings(
    points: NDArray[np.float64],
    rings: NDArray[np.int64],
    origin: NDArray[np.float64],
    cell: tuple[float, float],
    nodes: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure rings.

    Args:
        points: Vertices, shape ``(vertex, 2)``.
        rings: Where those of each ring begin, and the end.
        origin: Where the first node is.
        cell: How far apart nodes are.
        nodes: Those of a field, and what lies left of each, shape ``(5, y, x)``.

    Returns:
        The area in each, with the sign of its direction, and its length.

    """
    count = len(rings) - 1
    areas, lengths = np.zeros(count), np.zeros(count)
    for ring in range(count):
        for k in range(rings[ring] + 1, rings[ring + 1]):
            x, y = points[k - 1, 0] - origin[0], points[k - 1, 1] - origin[1]
            dx, dy = points[k, 0] - origin[0] - x, points[k, 1] - origin[1] - y
            # A line through several cells is one of several pieces.
            pieces = 1 + int(max(abs(dx) / cell[0], abs(dy) / cell[1]))
            dx, dy = dx / pieces, dy / pieces
            for piece in range(pieces):
                middle_x, middle_y = x + (piece + 0.5) * dx, y + (piece + 0.5) * dy
                lengths[ring] += _length(middle_x, middle_y, dx, dy, cell, nodes)
                if dy != 0:
                    for side in (-_GAUSS, _GAUSS):
                        at_x, at_y = middle_x + side * dx, middle_y + side * dy
                        areas[ring] += _left_of(at_x, at_y, cell, nodes) * dy / 2
    return areas, lengths


@kernel
def _length(
    x: float,
    y: float,
    dx: float,
    dy: float,
    cell: tuple[float, float],
    nodes: NDArray[np.float64],
) -> float:
    """Metres of a step around a point."""
    across, down, lean = 0.0, 0.0, 0.0
    row, col, right, below = _cell_of(x, y, cell, nodes)
    for i in range(2):
        for j in range(2):
            weight = (below if i else 1 - below) * (right if j else 1 - right)
            across += weight * nodes[0, row + i, col + j]
            down += weight * nodes[1, row + i, col + j]
            lean += weight * nodes[2, row + i, col + j]
    across, down = across * dx, down * dy
    square = across * across + down * down + 2 * lean * across * down
    return float(np.sqrt(max(square, 0.0)))


@kernel
def _left_of(
    x: float, y: float, cell: tuple[float, float], nodes: NDArray[np.float64]
) -> float:
    """Square metres between a point and the first nodes, along a unit of y."""
    row, col, right, below = _cell_of(x, y, cell, nodes)
    total = 0.0
    for i in range(2):
        first, then = nodes[3, row + i, col], nodes[3, row + i, col + 1]
        part = right * first + right * right / 2 * (then - first)
        weight = below if i else 1 - below
        total += weight * (nodes[4, row + i, col] + part * cell[0])
    return total


@kernel
def _cell_of(
    x: float, y: float, cell: tuple[float, float], nodes: NDArray[np.float64]
) -> tuple[int, int, float, float]:
    """Find a point's cell (row, column), and how far in it the point is, 0 to 1."""
    across, down = x / cell[0], y / cell[1]
    col = min(max(int(across), 0), nodes.shape[2] - 2)
    row = min(max(int(down), 0), nodes.shape[1] - 2)
    return row, col, across - col, down - row
