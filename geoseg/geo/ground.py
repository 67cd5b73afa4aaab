"""How large things are on the ground: what a step in a CRS is on Earth, in metres.

Nothing else knows it. A unit of a CRS is no metre on the ground: in Web Mercator one
is half a metre at 60 degrees north, and in degrees nothing is a length at all. Here a
point (x, y) is put on the ellipsoid of its CRS, as a vector from Earth's centre, and
what a step changes of that vector is what it is on the ground. That holds in every CRS,
at poles and on both sides of the 180th meridian. A local CRS, which is nowhere on
Earth, is flat and in its own unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from geoseg.errors import GridError

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray

HECTARE_M2 = 10_000
"""Square metres."""
_WGS84 = (6_378_137.0, 0.0066943799901413165)
"""Equatorial radius in metres and squared eccentricity."""
_STEP_M = 10.0
"""How far one looks to each side of a point, about: short enough to be straight, and
long enough to exceed rounding."""
_CLOSE = 1e-6
"""By which share sizes between the nodes of a field may be off."""
_FEWEST, _MOST = 3, 513
"""Nodes on a side of a field."""
_NOTHING = 1e-3
"""Sizes that are a smaller share of the largest are not looked at so closely."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground at a position of a pixel plane."""

    column_m: float
    """Metres from one column to the next."""
    row_m: float
    """Metres from one row to the next."""
    pixel_m2: float
    """The area of a pixel in square metres."""
    north: tuple[float, float] | None
    """True north as a unit vector (right, up) on a picture whose rows run down
    and whose pixels have their true proportions; None where the CRS knows none."""


class Frame(NamedTuple):
    """A rectangle of a plane: from ``u0`` to ``u1`` across, ``v0`` to ``v1`` down."""

    u0: float
    v0: float
    u1: float
    v1: float


@lru_cache(maxsize=64)
def is_on_earth(crs: CRS) -> bool:
    """Whether a CRS can be brought to longitude and latitude.

    A local one cannot, and neither can one whose file is damaged so that it names a
    geodetic CRS and no way there.
    """
    if crs.geodetic_crs is None:
        return False
    try:
        _Earth.of(crs)
    except ProjError:
        return False
    return True


def ground_at(crs: CRS, transform: Affine, *, col: float, row: float) -> Ground:
    """Measure the ground at a position of a plane.

    Args:
        crs: The plane's CRS.
        transform: From (column, row) to (x, y) in the CRS.
        col: The column; a fraction is a position inside a pixel.
        row: Its row.

    Raises:
        GridError: The position is nowhere on Earth.

    """
    with np.errstate(invalid="ignore"):  # refused below
        right, down = _steps(crs, transform, np.array([col]), np.array([row]))
    column_m, row_m = float(_length(right)[0]), float(_length(down)[0])
    if not math.isfinite(column_m * row_m):
        x, y = transform @ (col, row)
        raise GridError(
            f"the image's middle, x {x:g} and y {y:g}, is nowhere on Earth in "
            f"{crs.name}: the coordinates or the coordinate reference system are "
            f"wrong; assign the right one"
        )
    area = float(_length(np.cross(right, down))[0])
    north = None
    if is_on_earth(crs):
        x, y = transform @ (col, row)
        lon, lat = _Earth.of(crs).lonlat(np.array([x]), np.array([y]))
        pole = np.array([0.0, 0.0, 1.0])
        up = _directions(lon, lat)[0]
        sides = np.stack([right[0] / column_m, down[0] / row_m], axis=1)
        along = np.linalg.lstsq(sides, pole - up * (pole @ up), rcond=None)[0]
        length = math.hypot(*along)
        north = (float(along[0] / length), float(-along[1] / length))
    return Ground(column_m, row_m, area, north)


def unit_steps(
    crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres on the ground of a unit of x and of one of y, at points of a CRS."""
    east, north = _tangents(crs, x, y)
    return _length(east), _length(north)


def unit_areas(
    crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Square metres on the ground of a unit of x times one of y, at points of a CRS."""
    return _length(np.cross(*_tangents(crs, x, y)))


def unit_axes(
    crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give what turns steps in a CRS into steps in metres on the ground, at points.

    Returns:
        A matrix for each point, shape ``(point, 2, 2)``; the first axis on the ground
        goes the way of x.

    """
    east, north = _tangents(crs, x, y)
    across = _length(east)
    axes = np.zeros((len(x), 2, 2))
    axes[:, 0, 0] = across
    axes[:, 0, 1] = (east * north).sum(axis=1) / across
    axes[:, 1, 1] = _length(np.cross(east, north)) / across
    return axes


class GroundField:
    """Sizes on the ground everywhere in a rectangle of a plane.

    They are asked for at the nodes of a lattice and interpolated between, by which
    they are off by a millionth at most (in rectangles as large as Earth by less than
    1e-4). Where the CRS has no answer everything has the size 0.
    """

    origin: tuple[float, float]
    """(u, v) of the first node."""
    cell: tuple[float, float]
    """How far apart nodes are, along u and along v."""
    nodes: NDArray[np.float64]
    """Of each node, shape ``(4, v, u)``: metres of a unit of u; metres of one of v; the
    cosine between both on the ground; square metres of one times the other."""

    def __init__(self, crs: CRS, transform: Affine, within: Frame) -> None:
        """Measure the ground.

        Args:
            crs: The plane's CRS.
            transform: From (u, v) of the plane to (x, y) in the CRS.
            within: What is asked about, with some width and height.

        """
        self._within, count = within, _FEWEST
        nodes = self._ask(crs, transform, count)
        while True:
            count = 2 * count - 1
            finer = self._ask(crs, transform, count)
            if count >= _MOST or _differ(nodes, finer) <= 4 * _CLOSE:
                break
            nodes = finer
        self.origin = (float(within.u0), float(within.v0))
        self.cell = (
            float(within.u1 - within.u0) / (count - 1),
            float(within.v1 - within.v0) / (count - 1),
        )
        self.nodes = np.nan_to_num(finer, nan=0.0, posinf=0.0, neginf=0.0)

    @property
    def unevenness(self) -> float:
        """By which share of the smallest the largest area is larger."""
        areas = self.nodes[3][self.nodes[3] > 0]
        return float(areas.max() / areas.min() - 1) if areas.size else 0.0

    def areas(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Square metres of a unit of u times one of v, at points."""
        return self._between(self.nodes[3], u, v)

    def grid_areas(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Square metres of a unit of u times one of v, for each v and each u.

        Returns:
            Shape ``(v, u)``, from positions in the rectangle along either side.

        """
        lines, above, share = self.grid_lines(u, v)
        share = share[:, np.newaxis]
        return np.asarray(lines[above] * (1 - share) + lines[above + 1] * share)

    def grid_lines(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Give `grid_areas` as what is interpolated along v.

        Returns:
            What it is at each u of each line of nodes, shape ``(line, u)``; for each v
            the line above it; and how far it is from there to the next, 0 to 1. By
            arithmetic that gives the same numbers on every processor.

        """
        areas = self.nodes[3]
        left, across = self._beside(u, axis=0)
        above, down = self._beside(v, axis=1)
        lines = areas[:, left] * (1 - across) + areas[:, left + 1] * across
        return lines, above, down

    def _beside(
        self, positions: NDArray[np.float64], axis: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Give the node before each position, and how far it is towards the next."""
        steps = (positions - self.origin[axis]) / self.cell[axis]
        before = np.clip(steps.astype(np.int64), 0, self.nodes.shape[1] - 2)
        return before, steps - before

    def steps(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Metres of a unit of u and of one of v, at points."""
        return self._between(self.nodes[0], u, v), self._between(self.nodes[1], u, v)

    def _ask(self, crs: CRS, transform: Affine, count: int) -> NDArray[np.float64]:
        """Ask at nodes, ``count`` a side."""
        u, v = np.meshgrid(
            np.linspace(self._within.u0, self._within.u1, count),
            np.linspace(self._within.v0, self._within.v1, count),
        )
        right, down = _steps(crs, transform, u, v)
        across, along = _length(right), _length(down)
        with np.errstate(invalid="ignore", divide="ignore"):
            lean = (right * down).sum(axis=-1) / (across * along)
            return np.stack([across, along, lean, _length(np.cross(right, down))])

    def _between(
        self,
        nodes: NDArray[np.float64],
        u: NDArray[np.float64],
        v: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        col, across = self._beside(u, axis=0)
        row, down = self._beside(v, axis=1)
        upper = nodes[row, col] * (1 - across) + nodes[row, col + 1] * across
        lower = nodes[row + 1, col] * (1 - across) + nodes[row + 1, col + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)


def _differ(coarse: NDArray[np.float64], fine: NDArray[np.float64]) -> float:
    """How far fine nodes are from where coarse ones put them, as a share."""
    guess = np.empty_like(fine)
    guess[:, ::2, ::2] = coarse
    guess[:, ::2, 1::2] = (coarse[:, :, 1:] + coarse[:, :, :-1]) / 2
    guess[:, 1::2] = (guess[:, 2::2] + guess[:, :-1:2]) / 2
    known = np.isfinite(guess).all(axis=0) & np.isfinite(fine).all(axis=0)
    if not known.any():
        return 0.0
    off, sizes = np.abs(guess - fine)[:, known], np.abs(fine)[:, known]
    # A share of the size itself, but where that is next to nothing (at a pole).
    sizes = np.maximum(sizes, _NOTHING * sizes.max(axis=1, keepdims=True))
    sizes[2] = 1.0  # a cosine
    return float((off / sizes).max())


@dataclass(frozen=True, slots=True)
class _Earth:
    """The ellipsoid of a CRS, and the way to it."""

    radius: float
    """Its equatorial radius in metres."""
    squared: float
    """Its eccentricity, squared."""
    radian: float
    """Radians of a unit of its longitudes and latitudes."""
    way: Transformer

    @classmethod
    def of(cls, crs: CRS) -> _Earth:
        geodetic = crs.geodetic_crs
        if geodetic is None:
            raise ValueError(f"{crs.name} is nowhere on Earth")
        if geodetic.is_derived and geodetic.source_crs is not None:  # a turned pole
            geodetic = geodetic.source_crs
        radius, squared = _WGS84
        if (ellipsoid := geodetic.ellipsoid) is not None:
            radius = ellipsoid.semi_major_metre
            squared = 1 - (ellipsoid.semi_minor_metre / radius) ** 2
        radian = geodetic.axis_info[0].unit_conversion_factor
        way = Transformer.from_crs(crs, geodetic, always_xy=True)
        return cls(radius, squared, radian, way)

    def lonlat(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bring points to longitude and latitude in radians."""
        lon, lat = self.way.transform(x, y)
        return np.asarray(lon) * self.radian, np.asarray(lat) * self.radian

    def vectors(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Locate points: metres from Earth's centre, shape ``(..., 3)``."""
        lon, lat = self.lonlat(x, y)
        with np.errstate(invalid="ignore"):
            up = _directions(lon, lat)
            bent = self.radius / np.sqrt(1 - self.squared * up[..., 2] ** 2)
            flat = np.array([1.0, 1.0, 1 - self.squared])
            return np.asarray(up * flat * bent[..., np.newaxis])


def _directions(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the direction upwards at points in radians, shape ``(..., 3)``."""
    flat = np.cos(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), np.sin(lat)], axis=-1)


def _steps(
    crs: CRS, transform: Affine, u: NDArray[np.float64], v: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give steps of one unit of u and of v as vectors in metres, shape ``(..., 3)``."""
    t = transform
    east, north = _tangents(crs, t.a * u + t.b * v + t.c, t.d * u + t.e * v + t.f)
    return east * t.a + north * t.d, east * t.b + north * t.e


def _tangents(
    crs: CRS, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give what a unit of x and one of y are on the ground: vectors in metres."""
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    if not is_on_earth(crs):
        flat = np.broadcast_to([unit, 0.0, 0.0], (*x.shape, 3))
        return flat, np.broadcast_to([0.0, unit, 0.0], (*x.shape, 3))
    earth = _Earth.of(crs)
    step = _STEP_M / (unit * earth.radius if crs.is_geographic else unit)
    centre = earth.vectors(x, y)

    def tangent(dx: float, dy: float) -> NDArray[np.float64]:
        """Look to both sides, or to one where the other is off the map."""
        ahead, behind = earth.vectors(x + dx, y + dy), earth.vectors(x - dx, y - dy)
        sides = np.zeros(centre.shape)
        for vectors in (ahead, behind):
            known = np.isfinite(vectors)
            vectors[~known] = centre[~known]
            sides += known
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((ahead - behind) / (sides * step))

    return tangent(step, 0.0), tangent(0.0, step)


def _length(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt((vectors**2).sum(axis=-1)))
