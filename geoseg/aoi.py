"""Areas of interest: read, repair, reproject; which pixels are in.

A pixel is in when its centre is in the area or on its edge. GDAL's rasterizer
is fast, but what it answers where an edge passes close to a centre depends on
the window it is asked for. So it decides far from edges only; the pixels that
an edge touches are decided one by one by GEOS, whose answer depends on nothing
but the point and the area. The mask of a window is the crop of the mask of the
scene, to the last pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import CRS, Transformer
from rasterio.features import geometry_mask, rasterize

from geoseg.errors import AoiError
from geoseg.georef import Bounds, Georef, reproject_bounds
from geoseg.grid import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely import Geometry

    Used = Callable[[int, int], NDArray[np.bool_]]
    """Which rows (or columns) of ``[start, stop)`` hold a pixel of the area."""

_WGS84 = CRS.from_epsg(4326)

_STRIP = 256
"""Rows or columns looked at together when the area's window is found."""

_PIECES = 100
"""An edge as long as the area is cut into this many before it is reprojected,
since a straight line in one CRS is bent in another."""


_TOUCHED = {"all_touched": True, "dtype": "uint8"}
"""How GDAL is asked for every pixel that a line passes."""


@dataclass(frozen=True, slots=True)
class Aoi:
    """An area of interest on the pixels of a scene. Pickles cheaply."""

    geometry: Geometry
    """The area, a valid (multi)polygon in the scene's CRS."""
    georef: Georef
    """The scene's plane."""
    window: Window
    """The smallest window of the scene that holds every pixel of the area."""
    warnings: tuple[str, ...] = ()
    """What was repaired or left out when the area was read, a sentence each."""

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Tell which pixels of a window are in the area.

        The window may reach outside the scene; no pixel there is in. The
        answer for a pixel is the same in every window. Safe to call from
        several threads.

        Returns:
            Shape (y, x), True where the pixel's centre is in the area or on
            its edge, and in the scene.

        """
        mask = np.zeros((window.height, window.width), np.bool_)
        common = window.intersection(self.window)
        if common is not None:
            inside = _centres_inside(self.geometry, self.georef, common)
            mask[common.relative_to(window).slices()] = inside
        return mask

    def touches(self, window: Window) -> bool:
        """Tell whether any pixel of a window is in the area, exactly.

        Not for several threads at once: GEOS fills the index of the prepared
        geometry on first use, without a lock.
        """
        common = window.intersection(self.window)
        if common is None:
            return False
        shapely.prepare(self.geometry)
        answer = _same_everywhere(self.geometry, self.georef.crop(common))
        return bool(self.mask(common).any()) if answer is None else answer


def whole_scene(georef: Georef) -> Aoi:
    """Take every pixel of a scene as the area of interest."""
    window = Window(0, 0, georef.height, georef.width)
    return Aoi(shapely.Polygon(georef.corners), georef, window)


def read_aoi(path: Path, georef: Georef) -> Aoi:
    """Read the polygons of a vector file as one area on a scene.

    Any format and CRS that GDAL knows; GeoJSON without a CRS is WGS 84, as its
    standard says. Edges are densified before they are reprojected. Overlapping
    polygons are united; points and lines are left out with a warning.

    Args:
        path: The vector file, with one layer of polygons.
        georef: The scene's plane.

    Returns:
        The area, in the scene's CRS.

    Raises:
        AoiError: The file is missing, no vector file, or has no usable
            polygon, no CRS, or none that overlaps the scene.

    """
    shapes, crs = _read_shapes(path)
    area, warnings = _united(path, shapes)
    area = _placed_on(georef, path, area, crs)
    window = _window_of(area, georef)
    if window is None:
        raise AoiError(
            f"no pixel of the scene has its centre in the area {path}; "
            f"draw an area larger than a pixel ({georef.gsd_m():.3g} m)"
        )
    return Aoi(area, georef, window, tuple(warnings))


def _read_shapes(path: Path) -> tuple[NDArray[np.object_], CRS]:
    """Read the geometries of the only layer, as they are in the file."""
    # Workers unpickle areas but read none: spare them geopandas, which pyogrio
    # imports where it can.
    import pyogrio  # noqa: PLC0415 (the reason is above)

    if not path.exists():
        raise AoiError(f"there is no area of interest at {path}")
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind]
        if len(layers) != 1:
            raise AoiError(
                f"an area of interest is one layer of polygons, but {path} has "
                f"{len(layers)}: {', '.join(layers) or 'no layer with geometry'}"
            )
        meta, _, shapes, _ = pyogrio.raw.read(path, layer=layers[0], columns=[])
    except pyogrio.errors.DataSourceError as error:
        raise AoiError(
            f"the area of interest {path} is no vector file that GDAL can read; "
            f"give polygons as GeoJSON, GeoPackage or the like"
        ) from error
    if meta["crs"] is None:
        raise AoiError(
            f"the area of interest {path} has no CRS; save it again with one"
        )
    return shapely.from_wkb(shapes, on_invalid="fix"), CRS.from_user_input(meta["crs"])


def _united(path: Path, shapes: NDArray[np.object_]) -> tuple[Geometry, list[str]]:
    """Unite all polygons; repair those that are invalid."""
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    parts = shapely.get_parts(shapely.get_parts(shapes))  # collections, then multis
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not len(polygons):
        raise AoiError(f"the area of interest {path} has no polygon")

    warnings = []
    if len(parts) > len(polygons):
        warnings.append(
            f"{path}: left out {len(parts) - len(polygons)} shapes that are no polygons"
        )
    invalid = ~shapely.is_valid(polygons)
    if invalid.any():
        reason = shapely.is_valid_reason(polygons[invalid][0])
        warnings.append(f"{path}: repaired {invalid.sum()} invalid polygons ({reason})")
    area = _only_polygons(shapely.union_all(shapely.make_valid(polygons)))
    if area.is_empty:
        raise AoiError(
            f"the polygons of the area of interest {path} are invalid and enclose "
            f"no area ({shapely.is_valid_reason(polygons[0])}); draw them again"
        )
    return area, warnings


def _only_polygons(geometry: Geometry) -> Geometry:
    """Drop the points and lines that a repair may leave."""
    parts = shapely.get_parts(shapely.get_parts([geometry]))
    kinds = shapely.get_type_id(parts)
    return shapely.union_all(parts[kinds == shapely.GeometryType.POLYGON])


def _placed_on(georef: Georef, path: Path, area: Geometry, crs: CRS) -> Geometry:
    """Bring an area into the scene's CRS; refuse one that is not on the scene."""
    placed = area if crs == georef.crs else _reproject(area, crs, georef.crs)
    finite = np.isfinite(shapely.get_coordinates(placed)).all()
    if finite and shapely.intersects(placed, shapely.Polygon(georef.corners)):
        return placed

    extent = Bounds(*area.bounds)
    raise AoiError(
        f"the area of interest {path} does not overlap the scene: in WGS 84 degrees "
        f"(left, bottom, right, top) it covers {reproject_bounds(extent, crs, _WGS84)} "
        f"and the scene {georef.lonlat_bounds()}; in their own CRS it covers {extent} "
        f"({crs.name}) and the scene {georef.bounds} ({georef.crs.name})"
    )


def _reproject(area: Geometry, source: CRS, target: CRS) -> Geometry:
    """Move an area to another CRS; infinite where that cannot express it."""
    left, bottom, right, top = area.bounds
    dense = shapely.segmentize(area, max(right - left, top - bottom) / _PIECES)
    move = Transformer.from_crs(source, target, always_xy=True).transform
    moved = shapely.transform(dense, move, interleaved=False)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        return moved
    return _only_polygons(shapely.make_valid(moved))


def _window_of(area: Geometry, georef: Georef) -> Window | None:
    """Find the smallest window of the scene that holds every pixel of the area."""
    t = ~georef.transform
    xs, ys = shapely.get_coordinates(area).T
    cols, rows = t.a * xs + t.b * ys + t.c, t.d * xs + t.e * ys + t.f
    scene = Window(0, 0, georef.height, georef.width)
    reach = Window.between(_whole(rows), _whole(cols)).intersection(scene)
    if reach is None:
        return None

    def rows_used(start: int, stop: int) -> NDArray[np.bool_]:
        window = Window.between((start, stop), reach.cols)
        mask = _centres_inside(area, georef, window)
        return np.asarray(mask.any(axis=1))

    def cols_used(start: int, stop: int) -> NDArray[np.bool_]:
        window = Window.between(reach.rows, (start, stop))
        mask = _centres_inside(area, georef, window)
        return np.asarray(mask.any(axis=0))

    rows_in = _used_range(reach.rows, rows_used)
    cols_in = _used_range(reach.cols, cols_used)
    if rows_in is None or cols_in is None:
        return None
    return Window.between(rows_in, cols_in)


def _whole(values: NDArray[np.float64]) -> tuple[int, int]:
    """Widen a range of fractional pixels to whole ones."""
    return int(np.floor(values.min())), int(np.ceil(values.max())) + 1


def _used_range(reach: tuple[int, int], used: Used) -> tuple[int, int] | None:
    """Shrink a range to what is used, strip by strip from both ends."""
    strips = [(start, min(start + _STRIP, reach[1])) for start in range(*reach, _STRIP)]
    first = _first_used(strips, used)
    last = _first_used(reversed(strips), used)
    return (int(first[0]), int(last[-1]) + 1) if first.size else None


def _first_used(strips: Iterable[tuple[int, int]], used: Used) -> NDArray[np.intp]:
    """List what is used in the first strip where anything is."""
    for start, stop in strips:
        hits = np.flatnonzero(used(start, stop))
        if hits.size:
            return hits + start
    return np.empty(0, np.intp)


def _same_everywhere(area: Geometry, plane: Georef) -> bool | None:
    """Tell whether a plane is all in the area or all outside; None if neither."""
    footprint = shapely.Polygon(plane.corners)
    if not area.intersects(footprint):
        return False
    return True if area.contains_properly(footprint) else None


def _centres_inside(
    area: Geometry, georef: Georef, window: Window
) -> NDArray[np.bool_]:
    """Tell which pixels of a window have their centre in the area."""
    shape = window.height, window.width
    plane = georef.crop(window)
    # A copy of its own: see `Aoi.touches`.
    area = shapely.from_wkb(shapely.to_wkb(area))
    shapely.prepare(area)
    answer = _same_everywhere(area, plane)
    if answer is not None:
        return np.full(shape, answer, np.bool_)

    # GDAL needs only what is near; its answers do not count where this cuts.
    margin = Window(-1, -1, window.height + 2, window.width + 2)
    around = plane.crop(margin).bounds
    near = shapely.clip_by_rect(
        area, around.left, around.bottom, around.right, around.top
    )
    inside: NDArray[np.bool_] = geometry_mask(
        [near], shape, plane.transform, invert=True
    )
    edges = rasterize([near.boundary], shape, transform=plane.transform, **_TOUCHED)
    rows, cols = np.nonzero(edges)
    # From scene pixels to (x, y) in one step, so that no window shows.
    t, row, col = georef.transform, rows + (window.row + 0.5), cols + (window.col + 0.5)
    xs, ys = t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f
    inside[rows, cols] = shapely.intersects_xy(area, xs, ys)
    return inside
