"""Polygons on the globe: cut at the antimeridian, closed over poles.

On the globe a ring has its polygon on its left, and that is all one needs to know. With
its longitudes counted on beyond 180 degrees, so that they never jump, a ring

* that turns once round the globe eastwards has all that is north of it on its left,
  and westwards all that is south: it is closed along the pole;
* that comes back counterclockwise has its inside on the left, and
* that comes back clockwise has all the rest of the globe: so it is with holes, and with
  shells around both poles.

A polygon is what its rings have in common on the map of the world, which is 360
degrees wide; what goes on beyond is cut there and carried to the other end.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.storage.vectors.formats import DECIMALS
from geoseg.storage.vectors.polygons import only_polygons
from geoseg.storage.vectors.to_lonlat import POLE, TURN, turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from geoseg.storage.vectors.densify import RingVertices
    from geoseg.storage.vectors.to_lonlat import Way

_HALF_TURN = TURN / 2
_GRAIN = 2.0**-32
"""Degrees, far less than a decimal, of which longitudes are multiples where they are
cut: with a turn more or less they are so still, to the last bit."""


def on_globe(
    shapes: RingVertices, lonlat: NDArray[np.float64], way: Way
) -> tuple[NDArray[np.object_], NDArray[np.intp]]:
    """Bring polygons to longitudes from -180 to 180 and latitudes from -90 to 90.

    Args:
        shapes: Valid polygons in a CRS, their sides bent as they must be.
        lonlat: What the way makes of their vertices: finite numbers, `rounded`, so
            that those of neighbours are alike whether they are cut or not.
        way: From the CRS to degrees.

    Returns:
        Polygons, multipolygons where one was cut, shape ``(polygon,)``, rounded; what
        is small may be broken by that, or empty. And the numbers of those that were cut
        or closed over a pole, whose vertices are not those that were given.

    Raises:
        shapely.errors.GEOSException: A polygon is not valid in degrees and cannot be
            made so.

    """
    odd = _beyond(shapes, lonlat, way)
    found: NDArray[np.object_] = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, lonlat, (shapes.rings, shapes.polygons)
    )
    for number in odd:
        shape = _common(_lines(shapes, lonlat, way, number))
        found[number] = shapely.transform(shape, rounded)
    return found, odd


def rounded(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round degrees to what GeoJSON holds."""
    return np.asarray(np.round(lonlat, DECIMALS) + 0.0)  # no zero has a sign


def _lines(
    shapes: RingVertices, lonlat: NDArray[np.float64], way: Way, polygon: int
) -> Iterator[NDArray[np.float64]]:
    """Give the rings of a polygon with longitudes that never jump.

    They are closed, in degrees, with the polygon on their left.
    """
    first, end = shapes.polygons[polygon : polygon + 2]
    for ring in range(first, end):
        span = slice(*shapes.rings[ring : ring + 2])
        points = shapes.points[span]
        is_ccw = shapely.is_ccw(shapely.linearrings(points))
        step = 1 if is_ccw == (ring == first) else -1
        line = lonlat[span][::step]
        if way.x_degree is None:
            line = _unroll(line[:-1], way.at_pole(points[::step][:-1]))
        seam = TURN * np.rint((line[:, 0] - _HALF_TURN) / TURN) + _HALF_TURN
        near = np.abs(line[:, 0] - seam) < way.close
        east = np.where(near, seam, np.rint(line[:, 0] / _GRAIN) * _GRAIN)
        yield np.stack([east, line[:, 1]], axis=1)


def _beyond(
    shapes: RingVertices, lonlat: NDArray[np.float64], way: Way
) -> NDArray[np.intp]:
    """Find the polygons that touch a pole or lie on both sides of the antimeridian."""
    odd = way.at_pole(shapes.points) | (np.abs(lonlat) > (_HALF_TURN, POLE)).any(axis=1)
    if way.x_degree is None:
        firsts = shapes.firsts()
        jump = np.abs(lonlat[firsts + 1, 0] - lonlat[firsts, 0]) > _HALF_TURN
        odd[firsts[jump]] = True
    ring = np.searchsorted(shapes.rings, np.flatnonzero(odd), side="right") - 1
    return np.unique(np.searchsorted(shapes.polygons, ring, side="right") - 1)


def _unroll(
    ring: NDArray[np.float64], at_pole: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Count the longitudes of a ring on beyond 180 degrees.

    A vertex at a pole becomes two, between which the ring follows the pole from the
    meridian on which it came to that on which it goes: westwards in the north and
    eastwards in the south, for the polygon is on its left.

    Args:
        ring: Longitude and latitude, the first vertex not repeated.
        at_pole: Which are poles.

    Returns:
        The ring, closed: its end is its beginning, or a turn from it.

    """
    first = int(np.argmin(at_pole))  # a ring has a vertex that is none
    ring, at_pole = np.roll(ring, -first, axis=0), np.roll(at_pole, -first)
    came, goes = np.roll(ring[:, 0], 1), np.roll(ring[:, 0], -1)
    copies = np.where(at_pole, 2, 1)
    line = np.repeat(ring, copies, axis=0)
    leaving = np.cumsum(copies) - 1  # the last copy of each vertex
    line[leaving, 0] = np.where(at_pole, goes, ring[:, 0])
    line[leaving[at_pole] - 1, 0] = came[at_pole]
    line = np.concatenate([line, line[:1]])
    steps = turn(np.diff(line[:, 0]))
    round_pole = leaving[at_pole] - 1
    north = line[round_pole, 1] > 0
    steps[round_pole] = np.where(
        north, -(-steps[round_pole] % TURN), steps[round_pole] % TURN
    )
    line[1:, 0] = line[0, 0] + np.cumsum(steps)
    return line


def _common(lines: Iterable[NDArray[np.float64]]) -> shapely.Geometry:
    """Give what is on the left of every ring."""
    inside: list[shapely.Geometry] = []
    holes: list[shapely.Geometry] = []
    for line in lines:
        turns = round((line[-1, 0] - line[0, 0]) / TURN)
        if turns:
            inside.append(_wrap(_close_over_pole(line, turns)))
            continue
        line[-1] = line[0]
        is_hole = not shapely.is_ccw(shapely.linearrings(line))
        (holes if is_hole else inside).append(_wrap(line))
    left = reduce(shapely.intersection, inside or [_world(0)])
    if holes:
        left = shapely.difference(left, shapely.union_all(holes))
    return shapely.orient_polygons(only_polygons(left))


def _close_over_pole(line: NDArray[np.float64], turns: int) -> NDArray[np.float64]:
    """Close a ring round the globe along the pole that is on its left.

    It is closed from the vertex nearest to the pole: nothing lies between them.
    """
    pole = POLE * turns
    body = line[:-1]
    first = int(np.argmax(body[:, 1] * turns))
    onward = body[:first] + np.array([turns * TURN, 0])
    body = np.concatenate([body[first:], onward])
    west, east = body[0, 0], body[0, 0] + turns * TURN
    end = [(east, body[0, 1]), (east, pole), (west, pole), (west, body[0, 1])]
    return np.concatenate([body, end])


def _wrap(line: NDArray[np.float64]) -> shapely.Geometry:
    """Cut what a ring encloses at the antimeridian, and carry all to one world."""
    shape = shapely.polygons(line)
    if not shapely.is_valid(shape):
        shape = shapely.make_valid(shape)
    first = int(np.floor((line[:, 0].min() + _HALF_TURN) / TURN))
    last = int(np.ceil((line[:, 0].max() + _HALF_TURN) / TURN))
    return shapely.union_all(
        [
            shapely.transform(
                only_polygons(shapely.intersection(shape, _world(turns))),
                lambda points, turns=turns: points - (turns * TURN, 0),
            )
            for turns in range(first, last)
        ]
    )


def _world(turns: int) -> shapely.Polygon:
    """Give all longitudes and latitudes, so many turns on."""
    middle = turns * TURN
    return shapely.box(middle - _HALF_TURN, -POLE, middle + _HALF_TURN, POLE)
