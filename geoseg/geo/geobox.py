"""A pixel plane on Earth: shape, transform and CRS as one value.

Pass a `GeoBox`, never a loose ``(transform, crs, height, width)``.

It has the algebra of odc-geo's class of that name, and goes there and back. That class
was weighed as the pixel plane itself: its crops, pads, intersections and unions have
the same transforms as these to the last bit (a test; and 900 random ones of each, in
metres, in degrees and rotated), so exactness is no reason against it. It is not taken
because what geoseg asks of a plane besides (where it lies in its CRS's grid, by which
tiles are anchored; ground areas; extents over the 180th meridian and poles) it has
not, so that every function would take a pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

from affine import Affine
from pyproj import CRS, Transformer

from geoseg.errors import GridError, brief
from geoseg.geo.ground import Frame, Ground, GroundField, ground_at, is_on_earth

if TYPE_CHECKING:
    from collections.abc import Iterable

_TURN = 360.0
"""Degrees of longitude once round the Earth."""
_ON_GRID = 1e-6
"""How far, in pixels, an origin may lie off a multiple of the pixel size."""


class Rectangle(Protocol):
    """A rectangle of whole pixels, such as `geoseg.geo.windows.Window`."""

    @property
    def row(self) -> int:
        """First row; may be negative."""

    @property
    def col(self) -> int:
        """First column; may be negative."""

    @property
    def height(self) -> int:
        """Number of rows."""

    @property
    def width(self) -> int:
        """Number of columns."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A rectangle in CRS units."""

    left: float
    """Smallest x."""
    bottom: float
    """Smallest y."""
    right: float
    """Largest x."""
    top: float
    """Largest y."""

    def __str__(self) -> str:
        """Write ``left, bottom, right, top`` with digits that fit the size."""
        return ", ".join(
            f"{v:.10g}" for v in (self.left, self.bottom, self.right, self.top)
        )


@dataclass(frozen=True, slots=True)
class GeoBox:
    """A pixel plane: ``height`` x ``width`` pixels located on Earth."""

    height: int
    """Number of rows."""
    width: int
    """Number of columns."""
    transform: Affine
    """From (column, row) of a pixel's upper-left corner to (x, y) in the CRS."""
    crs: CRS
    """The coordinate reference system of (x, y)."""

    def __post_init__(self) -> None:
        """Refuse a plane without pixels or without area."""
        if not isinstance(self.transform, Affine) or not isinstance(self.crs, CRS):
            raise GridError(
                f"a pixel plane has an affine.Affine as `transform` and a pyproj.CRS "
                f"as `crs`, got {brief(self.transform)} and {brief(self.crs)}"
            )
        if self.height < 1 or self.width < 1:
            raise GridError(
                f"a pixel plane needs at least one pixel, "
                f"got {self.height} rows x {self.width} columns"
            )
        if self.transform.is_degenerate:
            raise GridError(
                f"the transform {tuple(self.transform)[:6]} has no area; "
                f"the raster's georeferencing is broken"
            )

    def __repr__(self) -> str:
        """Write it in a line, its CRS by code or name."""
        transform = ", ".join(f"{number:.12g}" for number in self.transform[:6])
        return (
            f"GeoBox({self.height}, {self.width}, Affine({transform}), {self.crs_name})"
        )

    @property
    def crs_name(self) -> str:
        """Its CRS by code, or by name where it has none."""
        return ":".join(self.crs.to_authority() or ()) or self.crs.name

    @property
    def is_north_up(self) -> bool:
        """Whether rows run east and columns run south, without rotation."""
        t = self.transform
        return t.b == 0 and t.d == 0 and t.a > 0 and t.e < 0

    @property
    def is_on_earth(self) -> bool:
        """Whether the CRS can be brought to longitude and latitude.

        A local one, such as the grid of a building site, cannot.
        """
        return is_on_earth(self.crs)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The four outer corners as (x, y), in ring order from the upper left."""
        pixels = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return tuple(self.xy(row=row, col=col) for col, row in pixels)

    @property
    def bounds(self) -> Bounds:
        """The smallest rectangle in CRS units that holds every pixel."""
        xs, ys = zip(*self.corners, strict=True)
        return Bounds(min(xs), min(ys), max(xs), max(ys))

    @property
    def anchor(self) -> tuple[int, int]:
        """The plane's (row, column) in the grid of all such pixels of the CRS.

        Two rasters cut from one aligned grid agree on where its pixels are, so
        tiles laid out from this index fall on the same ground in both. A plane
        that is rotated, or whose origin is no multiple of its pixel size, has
        no such index and is its own grid: (0, 0).
        """
        t = self.transform
        if not self.is_north_up:
            return 0, 0
        col, row = t.c / t.a, t.f / t.e
        if abs(col - round(col)) > _ON_GRID or abs(row - round(row)) > _ON_GRID:
            return 0, 0
        return round(row), round(col)

    def xy(self, *, row: float, col: float) -> tuple[float, float]:
        """Locate a pixel corner: (x, y) in the CRS of fractional (row, col)."""
        x, y = self.transform @ (col, row)
        return x, y

    def crop(self, window: Rectangle) -> GeoBox:
        """Take the plane of a window, which may reach outside this one.

        The pixels keep their size and position to the last bit that floating
        point allows: the origin is this transform applied to whole pixels.
        """
        origin = Affine.translation(window.col, window.row)
        return GeoBox(window.height, window.width, self.transform @ origin, self.crs)

    def __getitem__(self, roi: tuple[slice, slice]) -> GeoBox:
        """Take the plane of some rows and columns, as numpy would of an array.

        Args:
            roi: Slices of rows and columns, without a step.

        Raises:
            GridError: They choose no pixel, or leave some out.

        """
        rows, cols = (
            each.indices(size)
            for each, size in zip(roi, (self.height, self.width), strict=True)
        )
        if rows[2] != 1 or cols[2] != 1:
            raise GridError("a plane is cut by slices without a step; zoom_out it")
        return self._between(rows[:2], cols[:2])

    def pad(self, cols: int, rows: int | None = None) -> GeoBox:
        """Add pixels on each side: columns, and as many rows unless `rows` is given."""
        more = cols if rows is None else rows
        return self._between((-more, self.height + more), (-cols, self.width + cols))

    def zoom_out(self, factor: float) -> GeoBox:
        """Take pixels so many times as large; the last may reach over the edge.

        Args:
            factor: More than 0; below 1 pixels become smaller.

        """
        if not 0 < factor < math.inf:
            raise GridError(f"pixels are zoomed by a number above 0, got {factor}")
        height, width = (
            max(1, math.ceil(size / factor - _ON_GRID))
            for size in (self.height, self.width)
        )
        larger = self.transform @ Affine.scale(factor)
        return GeoBox(height, width, larger, self.crs)

    def __and__(self, other: GeoBox) -> GeoBox:
        """Take the pixels that both planes have, aligned with this one's.

        Raises:
            GridError: They have none in common, or pixels of other positions or sizes.

        """
        rows, cols = self._of(other)
        return self._between(
            (max(0, rows[0]), min(self.height, rows[1])),
            (max(0, cols[0]), min(self.width, cols[1])),
        )

    def __or__(self, other: GeoBox) -> GeoBox:
        """Take the smallest plane with the pixels of both, aligned with this one's.

        Raises:
            GridError: Their pixels are of other positions or sizes.

        """
        rows, cols = self._of(other)
        return self._between(
            (min(0, rows[0]), max(self.height, rows[1])),
            (min(0, cols[0]), max(self.width, cols[1])),
        )

    def _of(self, other: GeoBox) -> tuple[tuple[int, int], tuple[int, int]]:
        """Give the rows and columns, in this plane, of another one's pixels."""
        shift = ~self.transform @ other.transform
        col, row = round(shift.c), round(shift.f)
        moved = Affine.translation(col, row)
        if other.crs != self.crs or not shift.almost_equals(moved, _ON_GRID):
            raise GridError(
                "the planes have pixels of other positions or sizes; bring one "
                "onto the grid of the other first"
            )
        return (row, row + other.height), (col, col + other.width)

    def _between(self, rows: tuple[int, int], cols: tuple[int, int]) -> GeoBox:
        height, width = rows[1] - rows[0], cols[1] - cols[0]
        if height < 1 or width < 1:
            raise GridError(
                f"there is no pixel: rows {rows[0]} to {rows[1]}, columns {cols[0]} to "
                f"{cols[1]} of {self.height} x {self.width}"
            )
        origin = Affine.translation(cols[0], rows[0])
        return GeoBox(height, width, self.transform @ origin, self.crs)

    def to_odc(self) -> Any:  # noqa: ANN401  # an extra, without which this module is
        """Give the same plane as an `odc.geo.geobox.GeoBox`, for odc-stac and others.

        Raises:
            ImportError: odc-geo is not installed.

        """
        from odc.geo.geobox import GeoBox as OdcGeoBox  # noqa: PLC0415  # an extra

        return OdcGeoBox((self.height, self.width), self.transform, self.crs.to_wkt())

    @classmethod
    def from_odc(cls, geobox: Any) -> GeoBox:  # noqa: ANN401  # the same
        """Take a plane of odc-geo, such as ``array.odc.geobox``."""
        height, width = geobox.shape
        transform = Affine(*tuple(geobox.affine)[:6])
        return cls(int(height), int(width), transform, CRS.from_user_input(geobox.crs))

    def same_plane_as(self, other: GeoBox) -> bool:
        """Return whether both planes have the same pixels on the same ground."""
        return (
            (self.height, self.width) == (other.height, other.width)
            and self.transform == other.transform
            and self.crs == other.crs
        )

    def lonlat_bounds(self) -> Bounds:
        """The plane's extent in degrees of WGS 84 (edges are densified).

        From -180 to 180 all round a pole; left is greater than right across the
        antimeridian, as in GeoJSON (RFC 7946) and STAC.
        """
        found = reproject_bounds(self.bounds, self.crs, CRS.from_epsg(4326))
        if not self.crs.is_geographic or self.crs.is_derived:
            return found
        # Longitudes of a plane in degrees may go on beyond 180: PROJ leaves them so, or
        # loses count of them.
        degree = math.degrees(self.crs.axis_info[0].unit_conversion_factor)
        width = (self.bounds.right - self.bounds.left) * degree
        bottom, top = max(found.bottom, -90.0), min(found.top, 90.0)
        if width >= _TURN - _ON_GRID * width / self.width:
            return Bounds(-_TURN / 2, bottom, _TURN / 2, top)
        if -_TURN / 2 <= found.left < found.right <= _TURN / 2:
            return Bounds(found.left, bottom, found.right, top)
        left = (found.left + _TURN / 2) % _TURN - _TURN / 2
        right = left + width
        return Bounds(left, bottom, right - _TURN * (right > _TURN / 2), top)

    def ground(self) -> Ground:
        """Measure the ground in the plane's middle."""
        middle = {"col": self.width / 2, "row": self.height / 2}
        return ground_at(self.crs, self.transform, **middle)

    def ground_field(self) -> GroundField:
        """Measure the ground everywhere in the plane: u is a column, v is a row."""
        whole = Frame(0, 0, self.width, self.height)
        return GroundField(self.crs, self.transform, whole)

    def pixel_area_m2(self) -> float:
        """The area of the plane's middle pixel on the ground, in square metres."""
        return self.ground().pixel_m2

    def gsd_m(self) -> float:
        """The ground sample distance: metres a side of a square of the same area.

        That of the middle pixel, on the ground, whatever the unit of the CRS.
        """
        return math.sqrt(self.pixel_area_m2())


def lonlat_boxes(bounds: Bounds) -> tuple[Bounds, ...]:
    """Cut bounds in degrees at the antimeridian, where they cross it."""
    if bounds.left <= bounds.right:
        return (bounds,)
    east = replace(bounds, right=_TURN / 2)
    west = replace(bounds, left=-_TURN / 2)
    return east, west


def lonlat_union(bounds: Iterable[Bounds]) -> Bounds:
    """Give the narrowest bounds in degrees that hold others, at least one.

    Like them they may cross the antimeridian.
    """
    boxes = sorted(
        (box for each in bounds for box in lonlat_boxes(each)),
        key=lambda box: box.left,
    )
    bottom, top = min(b.bottom for b in boxes), max(b.top for b in boxes)
    reached = list(accumulate((box.right for box in boxes), max))
    after = [*(box.left for box in boxes[1:]), boxes[0].left + _TURN]
    gaps = [left - right for left, right in zip(after, reached, strict=True)]
    widest = gaps.index(max(gaps))
    left, right = boxes[(widest + 1) % len(boxes)].left, reached[widest]
    return Bounds(left, bottom, right, top)


def lonlat_outline(bounds: Bounds) -> dict[str, Any]:
    """Draw bounds in degrees as a GeoJSON geometry, of two parts across 180 degrees."""
    rings = [
        [
            [
                [box.left, box.bottom],
                [box.right, box.bottom],
                [box.right, box.top],
                [box.left, box.top],
                [box.left, box.bottom],
            ]
        ]
        for box in lonlat_boxes(bounds)
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def reproject_bounds(bounds: Bounds, source: CRS, target: CRS) -> Bounds:
    """Move a rectangle to another CRS, as the smallest rectangle around it.

    Edges are densified, so a curved edge stays inside. Values that the target
    cannot express come back as infinity, as PROJ gives them.
    """
    move = Transformer.from_crs(source, target, always_xy=True)
    return Bounds(
        *move.transform_bounds(bounds.left, bounds.bottom, bounds.right, bounds.top)
    )
