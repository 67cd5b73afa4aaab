"""What comes after the model: how long products take, how large vector files are.

Rates are rough: those of polygons are from two drawings on a busy machine, those of
rasters and pictures are estimates. What they are applied to is sampled from the scene.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from geoseg.diagnose.trial_tiles import Busy
    from geoseg.run.configuration import RunConfig

_RASTER_PX = 5e-8
"""Seconds a pixel for rasters: read from parts, packed, and again as overviews."""
_TRACED_PX, _TRACED = 2e-8, 2e-8
"""Seconds to trace a map, a pixel and a vertex."""
_DRAWN = 5e-7
"""Seconds to draw and measure polygons, a vertex."""
_PREVIEW, _PAGE = 2.0, 2.0
"""Seconds for the pictures, whose size is fixed."""


class _Format(NamedTuple):
    """What a file takes: for each polygon, and for each vertex."""

    polygon: float
    """Bytes."""
    vertex: float
    """Bytes."""
    seconds: float
    """Seconds a polygon."""
    vertex_seconds: float
    """Seconds a vertex."""


_FORMATS = {
    "gpkg": _Format(203, 16, 1.5e-5, 2e-7),
    "fgb": _Format(149, 16, 5e-6, 2e-7),
    "shp": _Format(213, 16, 2e-5, 3e-7),
    "parquet": _Format(40, 2.5, 3e-6, 2e-7),
    "geojson": _Format(340, 24, 2e-5, 3e-6),
    "geojsonl": _Format(340, 24, 2e-5, 3e-6),
    "pmtiles": _Format(40, 3, 1e-4, 6e-6),
}


def vector_bytes(config: RunConfig, busy: Busy) -> int:
    """Size of all vector files that are asked for."""
    formats = [_FORMATS[name] for name in config.options.vector_formats]
    each = sum(f.polygon * busy.polygons + f.vertex * busy.vertices for f in formats)
    return int(each * config.plan.area.pixels)


def seconds_after(config: RunConfig, busy: Busy, mapped: int) -> dict[str, float]:
    """Seconds that each stage after inference takes.

    Args:
        config: The run.
        busy: How many polygons and vertices there are for a pixel.
        mapped: Pixels of the rasters.

    """
    stages = {"raster": mapped * config.layers.count / 2 * _RASTER_PX}
    formats = [_FORMATS[name] for name in config.options.vector_formats]
    if formats:
        drawn = _TRACED_PX + busy.traced * _TRACED + busy.vertices * _DRAWN
        written = sum(
            f.seconds * busy.polygons + f.vertex_seconds * busy.vertices
            for f in formats
        )
        stages["vectorize"] = mapped * (drawn + written)
    stages["preview"] = _PREVIEW
    if config.options.report_size:
        stages["page"] = _PAGE
    return stages
