"""What comes after the model: how long products take.

What is sampled from the scene, at the rates of this machine now: see `rates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.diagnose.rates import ROW, rates_of_this_machine
from geoseg.storage.vectors.formats import BY_NAME

if TYPE_CHECKING:
    from geoseg.run.configuration import RunConfig
    from geoseg.run.samples import Busy

BEGIN_S = 0.5
"""Seconds that inference takes to begin, on a core that nobody else uses."""
_VECTORIZE, _PREVIEW, _PAGE = 0.5, 1.5, 2.2
"""The same of polygons, with their kernels, and of the pictures, beside reading the
scene: libraries that they alone need are imported meanwhile."""


def seconds_after(
    config: RunConfig, busy: Busy, mapped: int, slow: float
) -> dict[str, float]:
    """Seconds that each stage after inference takes.

    Args:
        config: The run.
        busy: How many polygons and vertices there are for a pixel, and how long one
            takes to read.
        mapped: Pixels of the rasters.
        slow: How many times slower this machine is now than when nobody else uses it.

    """
    formats = config.options.vector_formats
    rates = rates_of_this_machine(formats)
    stages = {"raster": mapped * config.layers.count * rates.raster * slow}
    if formats:

        def units(per_polygon: int) -> float:
            return busy.vertices + per_polygon * busy.polygons

        each = busy.traced * rates.traced + units(ROW) * rates.drawn
        each += sum(
            units(BY_NAME[name].vertices_per_polygon) * rates.written[name]
            for name in formats
        )
        stages["vectorize"] = (_VECTORIZE + mapped * each) * slow
    seen_coarse = all(raster.overviews for raster in config.scene.rasters)
    picture = 0.0 if seen_coarse else busy.read * mapped
    stages["preview"] = _PREVIEW * slow + picture
    if config.options.report_size:
        stages["page"] = _PAGE * slow + picture
    return stages
