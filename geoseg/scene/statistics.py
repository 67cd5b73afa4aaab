"""What a scene's own pixels come to: read once, whole, and kept.

The figures are those of the pixels as a model gets them: on the scene's grid, in its
unit, without what is masked. They are of the whole scene whatever part of it is to be
mapped, and the same for any way of reading it.
"""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import astuple, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.windows import Window
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.scene.cache import keep, recall
from geoseg.scene.cache_key import cached_as
from geoseg.scene.histograms import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from geoseg.scene.image import Scene

_KIND, _FORMAT = "statistics", 1
"""What figures are kept as; counted up when they, or how they are measured, change."""
_ROWS, _COLS = 512, 1024
"""What a thread reads at a time: whole tiles of most files, 42 MB where ten bands are
scaled in float64."""
_MOST_THREADS = 8
"""Threads that read: a server answers so many at once, and a disk's files decode."""


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """What the valid pixels of a band come to; not a number where there are none."""

    pixels: int
    """How many there are."""
    smallest: float
    """The smallest."""
    largest: float
    """The largest."""
    mean: float
    """Their mean."""
    std: float
    """Their standard deviation."""
    percentiles: tuple[float, ...] = ()
    """The percentiles that were asked for, in their order."""


def measure(
    scene: Scene,
    bands: Sequence[int],
    percentiles: Sequence[float] = (),
    on_step: OnStep = ignore_step,
) -> tuple[BandStatistics, ...]:
    """Measure a scene's bands over all of its valid pixels.

    Figures of a scene whose files have not changed since are taken from the user's
    cache, ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``. A pixel counts where all of the
    bands have data; with ``valid="any"`` each band counts where it has.

    Args:
        scene: The scene.
        bands: Which bands, counted from 0.
        percentiles: Which percentiles, 0 to 100. They are exact for whole numbers to
            65 536, and for others less than 1/32 768 of their value too small.
        on_step: Called as pixels are read, from the calling thread.

    Returns:
        For each band its figures.

    Raises:
        SceneError: A file cannot be read somewhere.

    """
    path = _cached_as(scene, bands, percentiles)
    known = _kept(path, len(bands))
    if known is not None:
        return known
    rows = [
        Window(row, 0, min(_ROWS, scene.geobox.height - row), scene.geobox.width)
        for row in range(0, scene.geobox.height, _ROWS)
    ]
    tallies = _count_all(scene, bands, rows, on_step)
    found = _figures(tallies, percentiles)
    keep(path, [astuple(each) for each in found])
    return found


def measure_some(
    scene: Scene,
    bands: Sequence[int],
    percentiles: Sequence[float],
    windows: Iterable[Window],
) -> tuple[BandStatistics, ...]:
    """Estimate the figures of `measure` from some windows; keep nothing.

    Raises:
        SceneError: A file cannot be read there.

    """
    tallies = [Tally() for _ in bands]
    for window in windows:
        _add_window(tallies, scene, bands, window)
    return _figures(tallies, percentiles)


def find_kept(
    scene: Scene, bands: Sequence[int], percentiles: Sequence[float] = ()
) -> tuple[BandStatistics, ...] | None:
    """Give what `measure` found before; None where it would have to read the scene."""
    return _kept(_cached_as(scene, bands, percentiles), len(bands))


def _cached_as(
    scene: Scene, bands: Sequence[int], percentiles: Sequence[float]
) -> Path | None:
    return cached_as(_KIND, scene, _FORMAT, list(bands), list(percentiles))


def _kept(path: Path | None, bands: int) -> tuple[BandStatistics, ...] | None:
    """Read the figures of so many bands; None where they are not there."""
    try:
        found = [
            BandStatistics(pixels, smallest, largest, mean, std, tuple(marks))
            for pixels, smallest, largest, mean, std, marks in recall(path)
        ]
    except (ValueError, TypeError):
        return None
    return tuple(found) if len(found) == bands else None


def bytes_to_read(scene: Scene, bands: Sequence[int]) -> int:
    """Say what `measure` reads at most; pixels, where a file's size is not known."""
    sizes = [raster.fingerprint.size for raster in scene.rasters]
    if min(sizes) >= 0:
        return sum(sizes)
    return scene.window.pixels * len(bands) * np.dtype(scene.dtype).itemsize


def _count_all(
    scene: Scene, bands: Sequence[int], rows: Sequence[Window], on_step: OnStep
) -> list[Tally]:
    """Count row after row of windows, several at once, in whatever order they end."""
    tallies, done = [Tally() for _ in bands], 0
    pool = ThreadPoolExecutor(
        min(os.cpu_count() or 1, _MOST_THREADS), thread_name_prefix="statistics"
    )
    try:
        left, waiting = iter(rows), set[Future[list[Tally]]]()
        on_step(Step("statistics", 0, len(rows)))
        while done < len(rows):
            # No more at a time than are merged soon: a band's counts are megabytes.
            some = islice(left, 2 * _MOST_THREADS - len(waiting))
            waiting |= {pool.submit(_count_row, scene, bands, row) for row in some}
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            done += len(ended)
            while ended:
                for tally, counted in zip(tallies, ended.pop().result(), strict=True):
                    tally.merge(counted)
            on_step(Step("statistics", done, len(rows)))
    finally:
        pool.shutdown(cancel_futures=True)
    return tallies


def _count_row(scene: Scene, bands: Sequence[int], row: Window) -> list[Tally]:
    tallies = [Tally() for _ in bands]
    for col in range(0, row.width, _COLS):
        width = min(_COLS, row.width - col)
        _add_window(tallies, scene, bands, Window(row.row, col, row.height, width))
    return tallies


def _add_window(
    tallies: Sequence[Tally], scene: Scene, bands: Sequence[int], window: Window
) -> None:
    if scene.options.valid == "any":  # a band without data reads as 0, which it is not
        for tally, band in zip(tallies, bands, strict=True):
            pixels, valid = scene.read(window, [band])
            tally.add(pixels[0], valid)
        return
    pixels, valid = scene.read(window, bands)
    for tally, values in zip(tallies, pixels, strict=True):
        tally.add(values, valid)


def _figures(
    tallies: Sequence[Tally], percentiles: Sequence[float]
) -> tuple[BandStatistics, ...]:
    return tuple(
        BandStatistics(
            tally.pixels,
            tally.smallest,
            tally.largest,
            *tally.moments(),
            tuple(tally.percentile(percent) for percent in percentiles),
        )
        for tally in tallies
    )
