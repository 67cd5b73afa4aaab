"""The one grid of a scene: whether its files agree on one, and which is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.geo.geobox import GeoBox
    from geoseg.scene.files.raster import Raster

_SAME = 1e-3
"""How far, in pixels, a file's corners may lie off a grid that it is laid on."""
_NAMED = 3
"""Files of a group that a message names."""


def offset_on(plane: GeoBox, grid: GeoBox) -> tuple[int, int] | None:
    """Find a plane's first pixel (row, col) on a grid; None where pixels differ.

    All of the plane's pixels must lie on pixels of the grid, which may go on beyond
    its own edges.
    """
    if plane.crs is not grid.crs and plane.crs != grid.crs:
        return None
    # In numbers: ten thousand files are laid, and Affine's own operations are slow.
    a, b, col, d, e, row = tuple(~grid.transform @ plane.transform)[:6]
    if not (math.isfinite(col) and math.isfinite(row)):  # transforms beyond all measure
        return None
    for x, y in ((0, 0), (plane.width, 0), (0, plane.height)):
        if abs(a * x + b * y + col - x - round(col)) > _SAME:
            return None
        if abs(d * x + e * y + row - y - round(row)) > _SAME:
            return None
    return round(row), round(col)


def common_grid(rasters: Sequence[Raster]) -> GeoBox:
    """Find the grid that all files lie on, just large enough for them.

    Raises:
        SceneError: They lie on several; the message lists the groups.

    """
    groups = list(_groups(rasters))
    if len(groups) > 1:
        raise SceneError(
            f"the files do not lie on one grid: {'; '.join(map(str, groups))}; choose "
            f"one with `crs` and `resolution`, or with `like` and a file"
        )
    return groups[0].union()


@dataclass(slots=True)
class _Group:
    """Files on one grid."""

    grid: GeoBox
    """The first one's plane."""
    names: list[str]
    """What people call them."""
    windows: list[Window]
    """Their pixels on the grid."""

    def __str__(self) -> str:
        """Say what the grid is, and which files are on it."""
        more = len(self.names) - _NAMED
        named = ", ".join(self.names[:_NAMED]) + (
            f" and {more} more" if more > 0 else ""
        )
        return f"{len(self.names)} in {described(self.grid)} ({named})"

    def union(self) -> GeoBox:
        """Make the plane that just holds all of them."""
        top = min(window.row for window in self.windows)
        left = min(window.col for window in self.windows)
        bottom = max(window.rows[1] for window in self.windows)
        right = max(window.cols[1] for window in self.windows)
        return self.grid.crop(Window.between((top, bottom), (left, right)))


def described(grid: GeoBox) -> str:
    """Say a grid's CRS and pixels in a few words."""
    t = grid.transform
    turned = "" if t.b == t.d == 0 else ", turned"
    origin = f"{t.c:.12g}, {t.f:.12g}"
    size = pixel_size(grid)
    return f"{grid.crs_name} with pixels of {size}{turned}, one corner at {origin}"


def pixel_size(grid: GeoBox) -> str:
    """Say how large a grid's pixels are, in units of its CRS."""
    t = grid.transform
    across, down = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
    is_square = abs(across - down) < _SAME * down
    size = f"{across:.6g}" if is_square else f"{across:.6g} x {down:.6g}"
    unit = grid.crs.axis_info[0].unit_name if grid.crs.axis_info else "unit"
    return f"{size} {unit}"


def _groups(rasters: Sequence[Raster]) -> Iterator[_Group]:
    """Sort files by the grid that they lie on."""
    groups: list[_Group] = []
    for raster in rasters:
        plane = raster.geobox
        for group in groups:
            offset = offset_on(plane, group.grid)
            if offset is not None:
                group.names.append(raster.name)
                group.windows.append(Window(*offset, plane.height, plane.width))
                break
        else:
            window = Window(0, 0, plane.height, plane.width)
            groups.append(_Group(plane, [raster.name], [window]))
    yield from groups
