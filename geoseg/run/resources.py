"""What a run holds at most, in memory and on disk.

Bounds, not averages: what stages leave behind is not given back to the machine at once,
so that their shares are added up. A run on a map of the sampled kind takes between two
thirds of the forecast and all of it; `tests/run/test_memory.py` holds runs against it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.report.pyramid import finest_image
from geoseg.run.cluster.memory import still_free
from geoseg.run.disk_space import run_directory_bytes, strip_share
from geoseg.run.job import THREADS, tasks_at_once
from geoseg.scene.files.pool import kept_bytes
from geoseg.storage.full_disk import existing, held
from geoseg.storage.remote import as_url
from geoseg.storage.vectors.formats import BY_NAME
from geoseg.vectorize.memory import ON_DISK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.run.configuration import RunConfig
    from geoseg.run.samples import Busy
    from geoseg.storage.vectors.formats import VectorFormat

_LATER = 340_000_000
"""Bytes of what comes after inference: the vectorizer's kernels, which the first run on
a machine compiles, GDAL's cache, the writers' buffers and the preview's canvas."""
_TRACED = 2049**2
"""Pixels on their way through the vectorizer, for each block that is inferred."""
_FOR_TRACED = 16
"""Bytes that it holds for each of them: class, confidence, labels, corners."""
_FOR_VERTEX = 70
"""Bytes that polygons take for a vertex as long as they are few: 35 to 50 were measured
on maps of 1 to 67 Mpx, and the rest is for what a sample misses."""
_MOST_LINES = 1_400_000_000
"""Bytes that they take at most, however many: the rest is in files."""
_FOR_LARGEST = 100
"""Bytes for a vertex of the largest, which is drawn, measured and written at once."""
_DRAFTED = 3 * 4
"""Bytes of a pixel of the pictures' draft: three bands of float32."""
_PREVIEWED = 2048**2
"""Pixels of the draft of a preview, at most."""


def block_bytes(config: RunConfig) -> int:
    """What blocks in flight hold, and open files.

    All pixels of blocks, and the scores of two. Pixels are held twice while they are
    read, once by GDAL. Where they come through a network, blocks are read ahead.
    """
    at_once = tasks_at_once(remote=config.scene.is_remote)
    plan, predictor = config.plan, config.predictor
    pixels = max(plan.lattice.block_view(block).pixels for block in plan.blocks)
    bands, size = len(predictor.bands), np.dtype(config.as_read[0].dtype).itemsize
    scene = config.scene
    kept = kept_bytes(at_once * len(scene.rasters), len(scene.bands) * size)
    read = bands * (2 * size + 1) + 2  # and their masks
    files = config.layers.count + strip_share(config) * (4 * predictor.planes + 1)
    taken = at_once * (read + files) + 2 * 4 * predictor.planes
    return int(pixels * taken) + kept


def product_bytes(config: RunConfig) -> int:
    """What the process that writes the products takes beside polygons."""
    traced = min(config.plan.area.pixels, THREADS * _TRACED)
    return _LATER + traced * _FOR_TRACED


def polygon_bytes(config: RunConfig, busy: Busy) -> int:
    """What polygons take in memory; those that are many wait in files."""
    if not config.options.vector_formats:
        return 0
    vertices = busy.traced * config.plan.area.pixels
    written = vertices * max(form.held_per_vertex for form in _formats(config))
    together = min(vertices * _FOR_VERTEX, _MOST_LINES) + written
    return int(together + largest_bytes(config, busy))


def largest_bytes(config: RunConfig, busy: Busy) -> int:
    """What the largest polygon takes."""
    vertices = busy.largest * config.plan.area.pixels
    return int(vertices * _FOR_LARGEST) if config.options.vector_formats else 0


def waiting_bytes(config: RunConfig, busy: Busy) -> int:
    """What lines and rows of polygons take of the disk until they are written."""
    vertices = busy.traced * config.plan.area.pixels
    return int(vertices * ON_DISK) if config.options.vector_formats else 0


def vector_bytes(config: RunConfig, busy: Busy) -> int:
    """Size of all vector files that are asked for."""
    each = sum(
        form.bytes_per_polygon * busy.polygons + form.bytes_per_vertex * busy.vertices
        for form in _formats(config)
    )
    return int(each * config.plan.area.pixels)


def _formats(config: RunConfig) -> list[VectorFormat]:
    return [BY_NAME[name] for name in config.options.vector_formats]


def draft_bytes(config: RunConfig) -> int:
    """What the draft that preview and page share takes of the output's disk."""
    area, megabytes = config.plan.area, config.options.report_size
    plane = config.plan.geobox.crop(area)
    shown = finest_image(plane, megabytes).pixels if megabytes else 0
    return _DRAFTED * max(shown, min(_PREVIEWED, area.pixels))


def shortages(config: RunConfig, busy: Busy) -> Iterator[str]:
    """Say, in a sentence each, of what a run may need more than there is.

    Args:
        config: The run.
        busy: How busy the map will be, where that is known; else nothing is said of
            polygons, until they are traced.

    """
    polygons = polygon_bytes(config, busy)
    elsewhere = config.options.workers or config.options.scheduler
    blocks = 0 if elsewhere else block_bytes(config)
    needed, free = blocks + product_bytes(config) + polygons, still_free()
    if needed > free:
        lesser = "`min_area`, such as 10px, merges small patches, and "
        yield (
            f"the run may take {needed / 1e9:,.1f} GB of memory more than now, and "
            f"{free / 1e9:,.1f} GB are free; {lesser if polygons > blocks else ''}"
            f"a smaller `block` or `batch` takes less"
        )
    directory = config.run_directory
    if as_url(directory) is not None:
        return
    folder = Path(directory)
    there = existing(folder)
    aside = waiting_bytes(config, busy) + draft_bytes(config)
    needed = (
        run_directory_bytes(config) + aside + vector_bytes(config, busy) - held(folder)
    )
    free = shutil.disk_usage(there).free
    if needed > free:
        yield (
            f"the run may take {needed / 1e9:,.1f} GB of disk at {there}, and "
            f"{free / 1e9:,.1f} GB are free there; make room, or name another "
            f"`run_dir` and output"
        )
