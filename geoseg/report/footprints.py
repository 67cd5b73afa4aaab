"""A picture of where a scene's members, an area of interest and tiles lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline

from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shapely import Geometry

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window

_DPI = 150
_SIDE = 8.0
"""Inches of the longer side."""
_MOST_LINES = 400
"""More tiles than this on a side would be a grey area, and are left out."""
_MEMBER, _AREA, _TILES, _GRID = "#3b6ea5", "#c2410c", "#9a9a9a", "#222222"


@dataclass(frozen=True, slots=True)
class Footprints:
    """What is drawn."""

    geobox: GeoBox
    """The scene's plane."""
    members: Sequence[Window]
    """The scene's pixels that each member covers."""
    area: Geometry | None
    """The area of interest, in the scene's CRS."""
    tiles: tuple[int, int] | None
    """Side and overlap of the tiles, in pixels; None to draw none."""
    title: str
    """The heading."""


def write_footprints(path: Path, footprints: Footprints) -> None:
    """Draw footprints in the scene's CRS, and save them as PNG.

    Raises:
        DiskError: The file cannot be written.

    """
    geobox = footprints.geobox
    bounds = geobox.bounds
    width, height = bounds.right - bounds.left, bounds.top - bounds.bottom
    longer = max(width, height)
    size = (max(_SIDE * width / longer, 4) + 1, max(_SIDE * height / longer, 3) + 1)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal", title=footprints.title)
    handles: list[Patch | Line2D] = []
    corners = [geobox.crop(window).corners for window in footprints.members]
    faint = to_rgba(_MEMBER, 0.18)
    axes.add_collection(
        PolyCollection(corners, linewidths=0.8, facecolor=faint, edgecolor=_MEMBER)
    )
    label = f"members ({len(corners):,})"
    handles.append(Patch(facecolor=faint, edgecolor=_MEMBER, label=label))
    if footprints.tiles is not None:
        step = footprints.tiles[0] - footprints.tiles[1]
        lines = _tile_lines(geobox, step)
        axes.add_collection(LineCollection(lines, colors=_TILES, linewidths=0.4))
        label = f"tiles (cores of {step} px)" if len(lines) else "tiles: too many"
        handles.append(Line2D([], [], color=_TILES, label=label))
    axes.add_collection(
        PolyCollection([geobox.corners], facecolor="none", edgecolor=_GRID)
    )
    handles.append(Patch(facecolor="none", edgecolor=_GRID, label="grid"))
    if footprints.area is not None:
        patches = [PathPatch(_outline(p)) for p in shapely.get_parts(footprints.area)]
        colour = to_rgba(_AREA, 0.25)
        axes.add_collection(
            PatchCollection(patches, facecolor=colour, edgecolor=_AREA, linewidth=1.4)
        )
        handles.append(Patch(facecolor=colour, edgecolor=_AREA, label="AOI"))
    axes.autoscale_view()
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.tick_params(labelsize=7)
    axes.set_xlabel(geobox.crs.name, fontsize=8)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    with atomic_file(path) as whole:
        figure.savefig(whole, format="png", metadata={"Software": "geoseg"})


def _tile_lines(geobox: GeoBox, step: int) -> list[list[tuple[float, float]]]:
    """The lines between the cores of tiles; none where they would be too many."""
    first = [-anchor % step for anchor in geobox.anchor]
    rows = range(first[0], geobox.height + 1, step)
    cols = range(first[1], geobox.width + 1, step)
    if max(len(rows), len(cols)) > _MOST_LINES:
        return []
    across = [
        [geobox.xy(row=row, col=0), geobox.xy(row=row, col=geobox.width)]
        for row in rows
    ]
    down = [
        [geobox.xy(row=0, col=col), geobox.xy(row=geobox.height, col=col)]
        for col in cols
    ]
    return across + down


def _outline(polygon: Geometry) -> Outline:
    """A polygon with its holes, as matplotlib draws one."""
    rings = [np.asarray(ring.coords)[:, :2] for ring in shapely.get_rings(polygon)]
    codes = [
        [Outline.MOVETO, *[Outline.LINETO] * (len(ring) - 2), Outline.CLOSEPOLY]
        for ring in rings
    ]
    return Outline(np.concatenate(rings), np.concatenate(codes))
