"""What a run holds at most, in memory and on disk.

Bounds, not averages: what stages leave behind is not given back to the machine at once,
so that their shares are added up. A run on a map of the sampled kind takes between two
thirds of the forecast and all of it; `tests/run/test_memory.py` holds runs against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.run.job import THREADS, tasks_at_once
from geoseg.run.room import strip_share

if TYPE_CHECKING:
    from geoseg.run.configuration import RunConfig

_LATER = 340_000_000
"""Bytes of what comes after inference: the vectorizer's kernels, which the first run on
a machine compiles, GDAL's cache, the writers' buffers and the preview's canvas."""
_TRACED = 2049**2
"""Pixels of a block of the vectorizer."""
_FOR_TRACED = 16
"""Bytes that it holds for each of them: class, confidence, labels, corners."""
_FOR_VERTEX = 240
"""Bytes that polygons take for a vertex, from tracing to writing: 150 to 160 were
measured on maps of 1 to 17 Mpx, and half as much is for what the sample missed."""


def block_bytes(config: RunConfig) -> int:
    """What blocks in flight hold: all their pixels, and the scores of two.

    Pixels are held twice while they are read, once by GDAL. Where they come through a
    network, blocks are read ahead.
    """
    at_once = tasks_at_once(remote=config.scene.is_remote)
    plan, predictor = config.plan, config.predictor
    pixels = max(plan.lattice.block_view(block).pixels for block in plan.blocks)
    bands, size = len(predictor.bands), np.dtype(config.scene.dtype).itemsize
    read = bands * (2 * size + 1) + 2  # and their masks
    files = config.layers.count + strip_share(config) * (4 * predictor.planes + 1)
    return int(pixels * (at_once * (read + files) + 2 * 4 * predictor.planes))


def product_bytes(config: RunConfig) -> int:
    """What the process that writes the products takes beside polygons."""
    traced = min(config.plan.area.pixels, THREADS * _TRACED)
    return _LATER + traced * _FOR_TRACED


def polygon_bytes(config: RunConfig, vertices_per_pixel: float) -> int:
    """What polygons take, which are drawn at once for the whole map."""
    return int(config.plan.area.pixels * vertices_per_pixel * _FOR_VERTEX)
