"""Areas of interest: read, repair, reproject; which pixels are in.

A pixel is in when its centre is. Along each row of centres one notes where the
edges of the area cross it: in behind the first crossing, out behind the second,
and so on. A crossing is computed from its edge and its row alone, so the mask of
any window is the crop of the mask of the scene, to the last pixel; and of two
areas that share an edge, exactly one has a pixel whose centre lies on it. (GDAL's
rasterizer keeps neither promise, and warns when threads share it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import CRS, Transformer

from geoseg.errors import AoiError
from geoseg.georef import Bounds, Georef, reproject_bounds
from geoseg.grid import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely import Geometry

_WGS84 = CRS.from_epsg(4326)

_PIECES = 100
"""An edge as long as the area is cut into this many before it is reprojected,
since a straight line in one CRS is bent in another."""

_NEARBY = 10
"""What of an area is farther from the scene than this many of its sides does not
matter to it."""

_NEGLIGIBLE = 0.0005
"""A smaller share of the area may lie outside the scene without a warning."""

_STRIP = 4096
"""Rows looked at together when the area's window is found."""


@dataclass(frozen=True)  # without slots: the edges are kept once they are known
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
        answer for a pixel is the same in every window.

        Returns:
            Shape (y, x), True where the pixel's centre is in the area, and the
            pixel in the scene.

        """
        mask = np.zeros((window.height, window.width), np.bool_)
        common = window.intersection(self.window)
        if common is not None:
            for row, start, stop in _runs(self._edges, common).tolist():
                mask[row - window.row, start - window.col : stop - window.col] = True
        return mask

    def touches(self, window: Window) -> bool:
        """Tell whether any pixel of a window is in the area."""
        common = window.intersection(self.window)
        return common is not None and len(_runs(self._edges, common)) > 0

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return _edges_of(self.geometry, self.georef)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without the edges: the other side computes them again."""
        return Aoi, (self.geometry, self.georef, self.window, self.warnings)


def whole_scene(georef: Georef) -> Aoi:
    """Take every pixel of a scene as the area of interest."""
    window = Window(0, 0, georef.height, georef.width)
    return Aoi(_footprint(georef), georef, window)


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
    outside = 1 - area.intersection(_footprint(georef)).area / area.area
    if outside > _NEGLIGIBLE:
        warnings.append(f"{path}: {outside:.1%} of the area lies outside the scene")
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
    except pyogrio.errors.DataLayerError as error:
        raise AoiError(
            f"the area of interest {path} is damaged ({error}); save it again"
        ) from error
    if meta["crs"] is None:
        raise AoiError(
            f"the area of interest {path} has no CRS; save it again with one"
        )
    return shapely.from_wkb(shapes, on_invalid="fix"), CRS.from_user_input(meta["crs"])


def _united(path: Path, shapes: NDArray[np.object_]) -> tuple[Geometry, list[str]]:
    """Unite all polygons; repair those that are invalid."""
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    parts = _parts(shapes)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    if not len(polygons):
        raise AoiError(f"the area of interest {path} has no polygon")
    if not np.isfinite(shapely.get_coordinates(polygons)).all():
        raise AoiError(
            f"the area of interest {path} has a coordinate that is no finite number; "
            f"draw it again"
        )

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


def _parts(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Take collections apart, and what is in them."""
    return np.asarray(shapely.get_parts(shapely.get_parts(shapes)))


def _only_polygons(geometry: Geometry) -> Geometry:
    """Drop the points and lines that a repair may leave."""
    parts = _parts(np.array([geometry]))
    kinds = shapely.get_type_id(parts)
    return shapely.union_all(parts[kinds == shapely.GeometryType.POLYGON])


def _placed_on(georef: Georef, path: Path, area: Geometry, crs: CRS) -> Geometry:
    """Bring an area into the scene's CRS; refuse one that is not on the scene."""
    placed = (
        area
        if crs == georef.crs
        else _reproject(_nearby(area, crs, georef), crs, georef.crs)
    )
    finite = np.isfinite(shapely.get_coordinates(placed)).all()
    if finite and shapely.intersects(placed, _footprint(georef)):
        return placed

    extent = Bounds(*area.bounds)
    raise AoiError(
        f"the area of interest {path} does not overlap the scene: in WGS 84 degrees "
        f"(left, bottom, right, top) it covers {reproject_bounds(extent, crs, _WGS84)} "
        f"and the scene {georef.lonlat_bounds()}; in their own CRS it covers {extent} "
        f"({crs.name}) and the scene {georef.bounds} ({georef.crs.name})"
    )


def _nearby(area: Geometry, crs: CRS, georef: Georef) -> Geometry:
    """Cut off what of a vast area is far from the scene, where CRSs have no answer."""
    near = reproject_bounds(georef.bounds, georef.crs, crs)
    edges = np.array([near.left, near.bottom, near.right, near.top])
    if not np.isfinite(edges).all() or near.left > near.right:
        return area
    reach = _NEARBY * max(near.right - near.left, near.top - near.bottom)
    frame = shapely.box(*(edges + np.array([-reach, -reach, reach, reach])))
    if frame.contains(area) or not frame.intersects(area):
        return area
    return _only_polygons(area.intersection(frame))


def _reproject(area: Geometry, source: CRS, target: CRS) -> Geometry:
    """Move an area to another CRS; infinite where that cannot express it."""
    left, bottom, right, top = area.bounds
    dense = shapely.segmentize(area, max(right - left, top - bottom) / _PIECES)
    move = Transformer.from_crs(source, target, always_xy=True).transform
    moved = shapely.transform(dense, move, interleaved=False)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        return moved
    return _only_polygons(shapely.make_valid(moved))


def _footprint(georef: Georef) -> Geometry:
    return shapely.Polygon(georef.corners)


def _window_of(area: Geometry, georef: Georef) -> Window | None:
    """Find the smallest window of the scene that holds every pixel of the area."""
    edges = _edges_of(area, georef)
    found = [runs for strip in _strips(georef) if len(runs := _runs(edges, strip))]
    if not found:
        return None
    top, bottom = found[0][0, 0], found[-1][-1, 0]
    left = min(runs[:, 1].min() for runs in found)
    right = max(runs[:, 2].max() for runs in found)
    return Window.between((int(top), int(bottom) + 1), (int(left), int(right)))


def _strips(georef: Georef) -> Iterator[Window]:
    """Cut a scene into bands of rows: an area may cross a row many times."""
    for row in range(0, georef.height, _STRIP):
        yield Window(row, 0, min(_STRIP, georef.height - row), georef.width)


def _edges_of(area: Geometry, georef: Georef) -> NDArray[np.float64]:
    """List the edges of all rings in pixels: (edge, upper and lower end, row and col).

    The upper end comes first, whichever way the ring runs: areas on both sides
    of an edge compute the same crossings.
    """
    rings = shapely.get_rings(shapely.get_parts(area))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    pixels = _on_pixels(georef, points)
    ends = np.stack((pixels[:-1], pixels[1:]), axis=1)
    edges: NDArray[np.float64] = ends[ring[:-1] == ring[1:]]
    upside_down = edges[:, 0, 0] > edges[:, 1, 0]
    edges[upside_down] = edges[upside_down, ::-1]
    return edges


def _on_pixels(georef: Georef, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn points (x, y) into fractional pixels (row, col), shape (point, 2).

    The origin is subtracted first: corners on the pixel grid stay exact.
    """
    t = georef.transform
    right, up = points[:, 0] - t.c, points[:, 1] - t.f
    rows, cols = t.a * up - t.d * right, t.e * right - t.b * up
    return np.column_stack((rows, cols)) / t.determinant


def _runs(edges: NDArray[np.float64], window: Window) -> NDArray[np.intp]:
    """List the runs of pixels of a window whose centres are in a valid area.

    An edge crosses the rows of centres from its upper end, included, to its
    lower end, not included; so a ring crosses each row evenly often, and the
    crossings of a row, sorted, are the beginnings and ends of its runs.

    Returns:
        A line a run, from the top down: row, first column, and the column
        behind the last, as in the scene. No run is empty.

    """
    first, stop = np.ceil(edges[:, :, 0] - 0.5).clip(*window.rows).astype(np.intp).T
    count = stop - first
    edge = np.repeat(np.arange(len(edges)), count)
    row = np.arange(len(edge)) - np.repeat(count.cumsum() - count - first, count)
    (row0, row1), (col0, col1) = edges[edge].T  # (row or col, upper or lower end)
    at = col0 + (row + 0.5 - row0) / (row1 - row0) * (col1 - col0)
    col = np.ceil(at - 0.5).clip(*window.cols).astype(np.intp)
    order = np.lexsort((col, row))
    row, col = row[order], col[order]
    runs = np.column_stack((row[::2], col[::2], col[1::2]))
    return runs[runs[:, 1] < runs[:, 2]]
