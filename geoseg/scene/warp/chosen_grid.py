"""The grid that a user chooses instead of the files' own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from geoseg.errors import SceneError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.ground import unit_areas
from geoseg.geo.windows import Window
from geoseg.scene.files.georeference import parse_crs
from geoseg.scene.warp.coordinates import mover
from geoseg.scene.warp.warped import covered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyproj import CRS

    from geoseg.options import SceneOptions

_MOST_PIXELS = 1 << 45
"""A grid of more pixels was not meant: the land of Earth has 2**40 of 10 m."""


def is_chosen(options: SceneOptions) -> bool:
    """Whether a user chose another grid than the files' own."""
    return any(
        chosen is not None for chosen in (options.crs, options.resolution, options.like)
    )


def choose_grid(
    planes: Sequence[GeoBox], options: SceneOptions, like: GeoBox | None
) -> GeoBox:
    """Make the grid that a user chose, large enough for all files.

    Its pixels begin at multiples of their size, so that scenes of one CRS and
    resolution share their pixels, unless those of another raster were chosen.

    Args:
        planes: The files' planes.
        options: What the user said.
        like: The plane of the raster that was named as an example.

    Raises:
        SceneError: The choice contradicts itself, or the files are nowhere on it.

    """
    if like is not None:
        if options.crs is not None or options.resolution is not None:
            raise SceneError(
                "`like` names a grid already; leave out `crs` and `resolution`"
            )
        return like
    crs = _crs(planes, options)
    width, height = _resolution(planes, crs, options)
    probe = GeoBox(1, 1, Affine(width, 0, 0, 0, -height, 0), crs)
    # From 0 to 360 degrees, files on both sides of the 180th meridian are close.
    unions = [_union(planes, probe, around) for around in (None, 180.0)]
    union = min((u for u in unions if u), key=lambda u: u.width, default=None)
    if union is None:
        raise SceneError(f"the files are nowhere in {crs.name}; choose another `crs`")
    if union.pixels > _MOST_PIXELS:
        raise SceneError(
            f"pixels of {width:g} x {height:g} in {crs.name} make a scene of "
            f"{union.height:,} x {union.width:,} pixels; choose a larger `resolution`"
        )
    return probe.crop(union)


def _union(
    planes: Sequence[GeoBox], probe: GeoBox, around: float | None
) -> Window | None:
    """The pixels that hold all files; None where they are nowhere."""
    found = [covered(plane, probe, around) for plane in planes]
    windows = [window for window in found if window is not None]
    if not windows:
        return None
    return Window.between(
        (min(w.row for w in windows), max(w.rows[1] for w in windows)),
        (min(w.col for w in windows), max(w.cols[1] for w in windows)),
    )


def bounds_window(grid: GeoBox, bounds: tuple[float, float, float, float]) -> Window:
    """Find the pixels of a grid whose centre lies in bounds.

    Raises:
        SceneError: There is none.

    """
    left, bottom, right, top = bounds
    if not (left < right and bottom < top) or not all(map(math.isfinite, bounds)):
        raise SceneError(
            f"`bounds` are left, bottom, right, top in the scene's CRS; got "
            f"{', '.join(f'{edge:g}' for edge in bounds)}"
        )
    corners = [~grid.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    cols, rows = zip(*corners, strict=True)
    edges = [
        (max(math.ceil(min(axis) - 0.5), 0), min(math.ceil(max(axis) - 0.5), length))
        for axis, length in ((rows, grid.height), (cols, grid.width))
    ]
    if any(start >= stop for start, stop in edges):
        raise SceneError(
            f"`bounds` {', '.join(f'{edge:g}' for edge in bounds)} hold no pixel "
            f"of the scene, which covers {grid.bounds} ({grid.crs.name})"
        )
    return Window.between(*edges)


def _crs(planes: Sequence[GeoBox], options: SceneOptions) -> CRS:
    if options.crs is not None:
        return parse_crs(options.crs, "`crs`")
    found = [planes[0].crs]
    for plane in planes:
        if plane.crs is not found[0] and plane.crs not in found:
            found.append(plane.crs)
    if len(found) > 1:
        raise SceneError(
            f"the files are in {', '.join(crs.name for crs in found)}; choose one with "
            f"`crs`"
        )
    return found[0]


def _resolution(
    planes: Sequence[GeoBox], crs: CRS, options: SceneOptions
) -> tuple[float, float]:
    """The pixel size named, or that of the finest file on the ground, in 3 digits."""
    if options.resolution is not None:
        named = options.resolution
        width, height = named if isinstance(named, tuple) else (named, named)
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise SceneError(
                f"`resolution` is a pixel's side in units of the CRS, above 0; got "
                f"{width:g} x {height:g}"
            )
        return width, height
    finest, side = _finest(planes)
    x, y = finest.xy(row=finest.height / 2, col=finest.width / 2)
    there = mover(finest.crs, crs, None)(np.array([x]), np.array([y]))
    unit = math.sqrt(unit_areas(crs, *there)[0])
    if not 0 < unit < math.inf:
        raise SceneError(
            f"the files are nowhere in {crs.name}, so that it gives no size of pixels; "
            f"choose another `crs`"
        )
    rounded = float(f"{side / unit:.3g}")
    return rounded, rounded


def _finest(planes: Sequence[GeoBox]) -> tuple[GeoBox, float]:
    """Find the plane of the smallest pixels on the ground, and their side in metres."""
    groups: list[tuple[CRS, list[GeoBox]]] = []
    for plane in planes:
        same = (m for crs, m in groups if crs is plane.crs or crs == plane.crs)
        members = next(same, None)
        if members is None:
            groups.append((plane.crs, [plane]))
        else:
            members.append(plane)
    found = []
    for crs, members in groups:
        middles = [p.xy(row=p.height / 2, col=p.width / 2) for p in members]
        units = unit_areas(crs, *np.array(middles).T)
        areas = units * [abs(plane.transform.determinant) for plane in members]
        smallest = int(np.argmin(areas))
        found.append((math.sqrt(areas[smallest]), members[smallest]))
    side, finest = min(found, key=lambda each: each[0])
    return finest, side
