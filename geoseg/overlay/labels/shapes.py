"""Labelled shapes, rasterized onto pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import geopandas
import numpy as np
import shapely
from rasterio import features
from shapely import STRtree, box

from geoseg.errors import LabelsError
from geoseg.geo.geobox import Bounds
from geoseg.geo.ground import unit_axes
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.overlay.aoi.reproject import suspicion
from geoseg.overlay.coverage import NOBODY, uppermost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyproj import CRS
    from shapely import Geometry

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.overlay.labels.label_raster import LabelRaster


@dataclass(frozen=True, slots=True)
class Labels:
    """Shapes on the ground, each with the name of its class."""

    shapes: tuple[Geometry, ...]
    """Polygons, lines and points, in units of the CRS."""
    names: tuple[str, ...]
    """The class name of each shape."""
    crs: CRS
    """The coordinate reference system of the shapes."""
    width: float = 0.0
    """How wide lines are on the ground, in metres; 0 for one pixel."""
    warnings: tuple[str, ...] = ()
    """What was left out when they were read, a sentence each."""

    @property
    def also(self) -> Mapping[str, tuple[str, ...]]:
        """What else classes are called: shapes know one name of each."""
        return {}

    @property
    def legend(self) -> None:
        """Shapes have neither ids nor colours."""
        return

    def rasterize(self, geobox: GeoBox, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give each pixel the value of the class that its centre lies in.

        Lines have their width; without one they label the pixels that they pass
        through, as points always do. Where shapes overlap, the later one wins.

        Args:
            geobox: The pixel plane wanted.
            values: The value of each class; shapes of other classes are left out.

        Returns:
            Shape ``(height, width)`` of the plane; 255 where no shape says anything.

        Raises:
            LabelsError: No shape touches the plane.

        """
        whole = Window(0, 0, geobox.height, geobox.width)
        return self.on_grid(geobox, values).read(whole)

    def on_grid(self, geobox: GeoBox, values: Mapping[str, int]) -> ShapesOnGrid:
        """Bring the shapes into a plane's CRS, to be rasterized window by window.

        Arguments and errors are those of `rasterize`.
        """
        wanted = [index for index, name in enumerate(self.names) if name in values]
        shapes = geopandas.GeoSeries([self.shapes[i] for i in wanted], crs=self.crs)
        given = Bounds(*shapes.total_bounds.tolist())
        shapes = _widened(shapes, self.width).to_crs(geobox.crs)
        edges = geobox.bounds
        frame = box(edges.left, edges.bottom, edges.right, edges.top)
        if not shapes.intersects(frame).any():
            raise LabelsError(self._elsewhere(geobox, given, shapes))
        codes = [values[self.names[i]] for i in wanted]
        return ShapesOnGrid(geobox, shapes.to_numpy(), np.array(codes, np.uint8))

    def _elsewhere(
        self, geobox: GeoBox, given: Bounds, shapes: geopandas.GeoSeries
    ) -> str:
        """Say where scene and labels are; in the labels' CRS if the scene's fails."""
        there = Bounds(*shapes.total_bounds.tolist())
        theirs = f"{there} (left, bottom, right, top in the scene's CRS)"
        if not np.isfinite(shapes.total_bounds).all():
            theirs = f"{given} in their own CRS ({self.crs.name})"
        return (
            f"no label lies in the scene: the scene covers {geobox.bounds}, the "
            f"labels {theirs}{suspicion(given, self.crs)}"
        )


def put_together(several: Sequence[Labels]) -> Labels:
    """Make one of labels of several files, in the CRS of the first."""
    first = several[0]
    moved = [
        geopandas.GeoSeries(list(each.shapes), crs=each.crs).to_crs(first.crs)
        for each in several
    ]
    return replace(
        first,
        shapes=tuple(shape for each in moved for shape in each),
        names=tuple(name for each in several for name in each.names),
        warnings=tuple(said for each in several for said in each.warnings),
    )


class ShapesOnGrid:
    """Shapes in the CRS of a plane, and a tree to find those of a window."""

    def __init__(
        self, geobox: GeoBox, shapes: NDArray[np.object_], values: NDArray[np.uint8]
    ) -> None:
        """Plant the tree.

        Args:
            geobox: The plane.
            shapes: The shapes in its CRS; of two that overlap, the later one wins.
            values: The value of each.

        """
        self.geobox, self._shapes, self._values = geobox, shapes, values
        self._tree = STRtree(shapes)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Burn the shapes of a window of the plane; 255 where there is none."""
        edges = self.geobox.crop(window).bounds
        frame = box(edges.left, edges.bottom, edges.right, edges.top)
        found = np.sort(self._tree.query(frame))
        values = np.append(self._values[found], np.uint8(NODATA))  # nobody is the last
        return values[_uppermost(self._shapes[found], self.geobox, window)]


def _uppermost(
    shapes: NDArray[np.object_], geobox: GeoBox, window: Window
) -> NDArray[np.int32]:
    """Return which shape lies on top of each pixel of a window: the last one there.

    Of polygons by the one rule, `geoseg.overlay.coverage`; lines and points have no
    inside, and GDAL finds the pixels that they pass through.

    Returns:
        Shape ``(y, x)``: the shape's index, -1 where there is none.

    """
    size = window.height, window.width
    areal = shapely.get_dimensions(shapes) == 2  # noqa: PLR2004  # of an area
    top = np.full(size, NOBODY, np.int32)
    for own in (np.flatnonzero(areal), np.flatnonzero(~areal)):
        if not own.size:
            continue
        if areal[own[0]]:
            found = uppermost(shapes[own], geobox, window)
        else:
            found = features.rasterize(
                zip(shapes[own], range(own.size), strict=True),
                out_shape=size,
                transform=geobox.crop(window).transform,
                fill=NOBODY,
                dtype="int32",
            )
        index = np.append(own, NOBODY)[found].astype(np.int32)
        top = np.maximum(top, index)
    return top


def _widened(shapes: geopandas.GeoSeries, width: float) -> geopandas.GeoSeries:
    """Make lines as wide as they are on the ground."""
    thin = shapes.geom_type.isin(("LineString", "LinearRing", "MultiLineString"))
    if width == 0 or not thin.any():
        return shapes
    wide = shapes[thin]
    shapes = shapes.copy()
    shapes[thin] = _buffered(wide.to_numpy(), wide.crs, width / 2)
    return shapes


def _buffered(
    shapes: NDArray[np.object_], crs: CRS, metres: float
) -> NDArray[np.object_]:
    """Give shapes a margin in metres on the ground where each of them is."""
    centroids = shapely.centroid(shapes)
    middles = np.stack([shapely.get_x(centroids), shapely.get_y(centroids)], axis=1)
    to_ground = unit_axes(crs, middles[:, 0], middles[:, 1])
    known = np.isfinite(to_ground).all(axis=(1, 2))  # the others are nowhere on Earth
    middles, to_ground = middles[known], to_ground[known]
    wide = shapely.buffer(_applied(to_ground, shapes[known], middles, 0), metres)
    shapes = shapes.copy()
    back = np.linalg.inv(to_ground).astype(np.float64)
    shapes[known] = _applied(back, wide, 0, middles)
    return shapes


def _applied(
    axes: NDArray[np.float64],
    shapes: NDArray[np.object_],
    before: NDArray[np.float64] | int,
    after: NDArray[np.float64] | int,
) -> NDArray[np.object_]:
    """Apply to each shape its own matrix, around a point that is moved to another."""
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    before, after = (np.broadcast_to(at, (len(shapes), 2)) for at in (before, after))
    moved = np.einsum("pij,pj->pi", axes[owner], points - before[owner]) + after[owner]
    return np.asarray(shapely.set_coordinates(shapes.copy(), moved))


def rasterize_labels(
    labels: Labels | LabelRaster, geobox: GeoBox, legend: Legend
) -> NDArray[np.uint8]:
    """Give each pixel the class id of the shape that its centre lies in.

    Args:
        labels: The shapes, or a raster, in any CRS.
        geobox: The pixel plane wanted.
        legend: Where class names get their ids.

    Returns:
        Class ids, shape ``(height, width)`` of the plane; 255 where no shape
        says anything.

    Raises:
        LabelsError: A class is not in the legend, or no shape touches the
            plane.

    """
    ids = {land_class.name: land_class.id for land_class in legend}
    unknown = sorted(set(labels.names) - ids.keys())
    if unknown:
        raise LabelsError(
            f"the labels have classes {unknown}, the legend has {list(ids)}; "
            f"rename them to agree"
        )
    return labels.rasterize(geobox, ids)
