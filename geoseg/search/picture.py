"""A picture of what a search found, over the area that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from geoseg.search.results import shape_of
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shapely import Geometry

_AREA = "#c2410c"


def draw_found(
    path: Path, items: Sequence[Mapping[str, Any]], area: Geometry | None, title: str
) -> None:
    """Draw footprints over an area, coloured by how cloudy they are, as a PNG.

    Args:
        path: The picture; replaced where it exists.
        items: As a STAC API gives them.
        area: What was asked for, in WGS 84.
        title: What stands above.

    Raises:
        DiskError: It cannot be written.

    """
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.add_subplot()
    viridis = colormaps["viridis"]
    for item in items:
        cloud = item["properties"].get("eo:cloud_cover")
        known = isinstance(cloud, int | float)
        colour = viridis(float(cloud) / 100) if known else "#777777"
        for ring in _rings(shape_of(item)):
            axes.fill(*ring.T, facecolor=colour, alpha=0.12)
            axes.plot(*ring.T, color=colour, linewidth=1.2)
    if area is not None:
        for ring in _rings(area):
            axes.plot(*ring.T, color=_AREA, linewidth=2)
    low, high = axes.get_ylim()
    axes.set_aspect(1 / max(np.cos(np.radians((low + high) / 2)), 0.05))
    axes.set(title=title, xlabel="longitude", ylabel="latitude")
    scale = ScalarMappable(Normalize(0, 100), viridis)
    figure.colorbar(scale, ax=axes, label="cloud (%)", shrink=0.7)
    with atomic_file(path) as whole:
        FigureCanvasAgg(figure)
        figure.savefig(whole, format="png", metadata={"Software": "geoseg"})


def _rings(shape: Geometry) -> list[np.ndarray]:
    parts = shapely.get_parts(shape)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return [
        shapely.get_coordinates(each) for each in shapely.get_exterior_ring(polygons)
    ]
