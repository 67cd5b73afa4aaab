"""Polygons as a reference: each pixel whose centre is in one gets its class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Transformer

from geoseg.errors import LabelsError, counted
from geoseg.geo.geobox import GeoBox, reproject_bounds
from geoseg.geo.legend import NODATA
from geoseg.overlay.coverage import NO_POLYGONS, uppermost
from geoseg.overlay.reference.ground_points import may_overlap, no_overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyproj import CRS

    from geoseg.geo.windows import Window
    from geoseg.overlay.reference.marks import Marks

_TINY = 1e-9
"""The least length of an edge's pieces, in units of its CRS."""
_NAMELESS = "polygon without a class", "polygons without a class"
_PIECES = 100
"""An edge as long as its polygon is cut into this many before it is reprojected."""


@dataclass(frozen=True)  # without slots: the tree is kept once it is grown
class ReferencePolygons:
    """Polygons, each of one class, on the pixels of a map; later ones lie on top."""

    geobox: GeoBox
    """The map's plane."""
    shapes: NDArray[np.object_]
    """Valid (multi)polygons in the map's CRS, shape ``(polygon,)``."""
    ids: NDArray[np.uint8]
    """The map's class id of each."""
    warnings: tuple[str, ...] = ()
    """What was left out, a sentence each."""

    def near(self, window: Window) -> ReferencePolygons | None:
        """Take the polygons that touch a window; None where none does."""
        frame = shapely.Polygon(self.geobox.crop(window).corners)
        found = np.sort(self._tree.query(frame, predicate="intersects"))
        if not found.size:
            return None
        return ReferencePolygons(self.geobox, self.shapes[found], self.ids[found])

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Give the class of each pixel of a window, shape ``(y, x)``; 255 is none."""
        top = uppermost(self.shapes, self.geobox, window)
        return np.append(self.ids, np.uint8(NODATA))[top]  # nobody is the last

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without the tree: the other side needs none."""
        return ReferencePolygons, (self.geobox, self.shapes, self.ids, self.warnings)


AREAL = {int(shapely.GeometryType.POLYGON), int(shapely.GeometryType.MULTIPOLYGON)}
"""Kinds of geometries that have an area."""


def polygons_of(marks: Marks, geobox: GeoBox) -> ReferencePolygons:
    """Bring polygons into the map's CRS; other shapes are left out.

    Args:
        marks: The polygons.
        geobox: The map's plane.

    Raises:
        LabelsError: They lie beside the map, or none has a class.

    """
    named = np.array([bool(name) for name in marks.names])
    areal = np.isin(shapely.get_type_id(marks.layer.shapes), list(AREAL))
    warnings = [
        f"{marks.path}: left out {counted(count, *those)}"
        for count, those in (
            ((~areal).sum(), NO_POLYGONS),
            ((areal & ~named).sum(), _NAMELESS),
        )
        if count
    ]
    if not (named & areal).any():
        raise LabelsError(f"no polygon of {marks.path} has a class; fill its column in")
    crs = marks.layer.crs
    if not may_overlap(marks.bounds, crs, geobox):
        raise no_overlap(marks.path, marks.bounds, crs, geobox)
    keep = named & areal & (marks.ids != NODATA)
    shapes, ids = marks.layer.shapes[keep], marks.ids[keep]
    near, shapes = _nearby(shapes, crs, geobox)
    return ReferencePolygons(
        geobox, _onto_plane(shapes[near], crs, geobox), ids[near], tuple(warnings)
    )


def _onto_plane(
    shapes: NDArray[np.object_], crs: CRS, geobox: GeoBox
) -> NDArray[np.object_]:
    """Bring polygons into the map's CRS, valid; what cannot be there is empty."""
    if crs != geobox.crs and len(shapes):
        left, bottom, right, top = shapely.bounds(shapes).T
        longest = np.maximum(right - left, top - bottom)
        dense = shapely.segmentize(shapes, np.maximum(longest / _PIECES, _TINY))
        move = Transformer.from_crs(crs, geobox.crs, always_xy=True).transform
        shapes = shapely.transform(dense, move, interleaved=False)
    finite = [np.isfinite(shapely.get_coordinates(shape)).all() for shape in shapes]
    return np.asarray(shapely.make_valid(np.where(finite, shapes, shapely.Polygon())))


def _nearby(
    shapes: NDArray[np.object_], crs: CRS, geobox: GeoBox
) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """Choose the shapes near the map, and cut off what of vast ones is far from it.

    A reference may cover a continent, where the map's CRS has no answer.
    """
    near = reproject_bounds(geobox.bounds, geobox.crs, crs)
    edges = np.array([near.left, near.bottom, near.right, near.top])
    if not np.isfinite(edges).all() or near.left > near.right:
        return np.ones(shapes.shape, bool), shapes
    reach = max(near.right - near.left, near.top - near.bottom)
    frame = shapely.box(*(edges + np.array([-reach, -reach, reach, reach])))
    chosen = np.asarray(shapely.intersects(frame, shapes))
    vast = chosen & ~shapely.covers(frame, shapes)
    cut = shapes.copy()
    cut[vast] = shapely.intersection(shapely.make_valid(shapes[vast]), frame)
    return chosen, cut
