"""What comes after the model: how long products take, how large vector files are.

What is sampled from the scene, at the rates of this machine now: see `rates`. How large
a format's files are was found by least squares, of files of maps of several kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from geoseg.diagnose.rates import POLYGON, rates_of_this_machine, slowness

if TYPE_CHECKING:
    from geoseg.diagnose.trial_tiles import Busy
    from geoseg.run.configuration import RunConfig

_PREVIEW, _PAGE = 1.0, 1.7
"""Seconds for the pictures, beside reading the scene, on a core that nobody else uses;
libraries that they alone need are imported meanwhile."""


class _Format(NamedTuple):
    """Bytes that a file takes: for each polygon, and for each vertex."""

    polygon: float
    vertex: float


_FORMATS = {
    "gpkg": _Format(203, 16),
    "fgb": _Format(149, 16),
    "shp": _Format(213, 16),
    "parquet": _Format(40, 2.5),
    "geojson": _Format(340, 24),
    "geojsonl": _Format(340, 24),
    "pmtiles": _Format(40, 3),
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
        busy: How many polygons and vertices there are for a pixel, and how long one
            takes to read.
        mapped: Pixels of the rasters.

    """
    formats = config.options.vector_formats
    rates, slow = rates_of_this_machine(formats), slowness()
    stages = {"raster": mapped * config.layers.count * rates.raster * slow}
    if formats:

        def units(kind: str) -> float:
            return busy.vertices + POLYGON[kind] * busy.polygons

        each = busy.traced * rates.traced + units("rows") * rates.drawn
        each += sum(units(name) * rates.written[name] for name in formats)
        stages["vectorize"] = mapped * each * slow
    seen_coarse = all(raster.overviews for raster in config.scene.rasters)
    picture = 0.0 if seen_coarse else busy.read * mapped
    stages["preview"] = _PREVIEW * slow + picture
    if config.options.report_size:
        stages["page"] = _PAGE * slow + picture
    return stages
