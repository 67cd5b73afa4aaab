"""What a worker makes of a map: infer a block, merge a seam.

A block is read once, each of its tiles goes through the model once, and all that
is left goes to the run directory: a *part*, the finished classes and confidence of
pixels that the block alone decides, and *partials*, the partial scores of pixels
that it shares with its neighbours. A seam is merged from the
partials of the blocks that share it. So nothing waits in memory for a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Semaphore
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from geoseg.geo.windows import Window, reflect
from geoseg.predict.compute import explaining_memory
from geoseg.predict.stitch import Accumulator, tile_weights
from geoseg.predict.streams import in_streams
from geoseg.progress import Stopwatch
from geoseg.run.job import THREADS, Made
from geoseg.run.parts import (
    add_partials,
    pack_part,
    pack_partial,
    part_name,
    partial_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.tiling import Block, Piece, Tile
    from geoseg.options import Blend
    from geoseg.predict.layers import Layers
    from geoseg.run.journal.store import Receipt, Store
    from geoseg.run.plan import Plan


class Source(Protocol):
    """What a block is read from; `geoseg.scene.Scene` is one."""

    @property
    def geobox(self) -> GeoBox:
        """The pixel plane."""

    def check(self) -> None:
        """Raise an error where this process does not see the source."""

    def read(
        self, window: Window, bands: tuple[int, ...]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read pixels ``(band, y, x)`` and their valid mask ``(y, x)``."""

    def check_unchanged(self, window: Window) -> None:
        """Raise a ChangedError where what was read of a window may be of two states."""


class Predictor(Protocol):
    """What predicts tiles; `geoseg.predict.TilePredictor` is one."""

    @property
    def bands(self) -> tuple[int, ...]:
        """The source's bands to read, in the order wanted."""

    @property
    def planes(self) -> int:
        """How many numbers a pixel has: one a class, or two where they are refined."""

    @property
    def batch(self) -> int:
        """The number of tiles in a batch."""

    @property
    def device(self) -> torch.device:
        """Where the probabilities are."""

    @property
    def streams(self) -> int:
        """How many batches a process computes side by side."""

    @property
    def threads(self) -> int:
        """The threads that an operation of a stream uses on a CPU."""

    def check(self) -> None:
        """Raise an error where this process does not read the same models."""

    def __call__(
        self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> torch.Tensor:
        """Give the probabilities ``(tile, plane, y, x)`` of a batch of tiles."""


class Area(Protocol):
    """Where the map is wanted; `geoseg.overlay.aoi.Aoi` is one."""

    def touches(self, window: Window) -> bool:
        """Whether the window may hold pixels of the area."""

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Which pixels of the window are in the area."""


@dataclass(frozen=True, slots=True)
class SegmentJob:
    """All that a worker needs for any task of a run."""

    plan: Plan
    """What is to be done."""
    source: Source
    """Where pixels come from."""
    predictor: Predictor
    """What predicts."""
    area: Area
    """Where the map is wanted."""
    blend: Blend
    """How overlapping tiles share a pixel."""
    layers: Layers
    """What is kept of the scores."""
    store: Store
    """The files of the run directory."""
    at_once: int = THREADS
    """How many tasks of a process are under way: see `tasks_at_once`."""

    @property
    def on_gpu(self) -> bool:
        """Whether workers need a GPU each."""
        return self.predictor.device.type == "cuda"

    def check(self) -> None:
        """Raise an error where this process does not see the same scene and models."""
        self.source.check()
        self.predictor.check()

    def do_block(self, block: Block) -> Made:
        """Read and infer a block; make its parts and partials: see `infer_block`."""
        return infer_block(self, block)

    def merge_seam(self, piece: Piece, partials: Sequence[Receipt]) -> Made:
        """Add the partials of a piece; make the finished part: see `_merge_seam`."""
        return _merge_seam(self, piece, partials)


@dataclass(frozen=True, slots=True)
class _Pixels:
    """What was read for a block, indexed by scene pixels."""

    window: Window
    """Where it was read."""
    values: NDArray[np.generic]
    """As the scene gives them, shape ``(band, y, x)``."""
    valid: NDArray[np.bool_]
    """True where a pixel has data, shape ``(y, x)``."""

    def tile(
        self, view: Window, scene: GeoBox
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Cut out what the model sees of a tile: beyond the scene, its reflection."""
        if self.window.contains(view):
            part = view.relative_to(self.window).slices()
            return self.values[(slice(None), *part)], self.valid[part]
        rows, cols = (
            np.array(reflect(start, stop, length)) - first
            for start, stop, length, first in (
                (*view.rows, scene.height, self.window.row),
                (*view.cols, scene.width, self.window.col),
            )
        )
        # An axis at a time takes a quarter of the time of both at once.
        values = self.values.take(rows, axis=1).take(cols, axis=2)
        return values, self.valid.take(rows, axis=0).take(cols, axis=1)


def infer_block(job: SegmentJob, block: Block) -> Made:
    """Read and infer a block; make its parts and partials.

    Memory: the block's pixels, and four bytes a class and pixel for its scores.
    """
    lap, lattice = Stopwatch(), job.plan.lattice
    touched = [
        t for t in lattice.tiles(block) if job.area.touches(lattice.tile_view(t))
    ]
    pixels = _read(job, [lattice.tile_view(tile) for tile in touched])
    lap("read", pixels.values.nbytes)
    wanted = _wanted(job, lattice.block_view(block), pixels)
    tiles = [tile for tile in touched if wanted.any_in(lattice.tile_view(tile))]
    predictor = job.predictor
    with _computing, explaining_memory(predictor.device, predictor.batch):
        lap("wait")
        sums = _accumulate(job, block, tiles, pixels)
        contents = _finish(job, block, sums, wanted)
    lap("compute")
    return Made(contents, lap.laps(), len(tiles), len(touched) - len(tiles))


def _merge_seam(job: SegmentJob, piece: Piece, partials: Sequence[Receipt]) -> Made:
    lap, window = Stopwatch(), job.plan.output(piece)
    shares = [data for receipt in partials for data in job.store.read([receipt])]
    lap("read", sum(each.size for each in partials))
    scores, mask = add_partials(shares, window)
    part = pack_part(job.layers.decide(torch.from_numpy(scores), mask))
    lap("compute")
    return Made({part_name(piece): part}, lap.laps())


_computing = Semaphore(2)
"""The blocks of a process that compute at a time; others read and write meanwhile. Two,
so that no stream waits for a block's last tile, and their scores fit the memory."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which pixels of a block are to get a class: valid ones of the AOI."""

    window: Window
    """The block's view."""
    mask: NDArray[np.bool_]
    """True where a class is wanted, shape ``(y, x)``."""

    def any_in(self, view: Window) -> bool:
        """Whether a tile has such a pixel."""
        seen = view.intersection(self.window)
        return seen is not None and bool(self.within(seen).any())

    def within(self, window: Window) -> NDArray[np.bool_]:
        """The mask of a window inside the block's view."""
        return self.mask[window.relative_to(self.window).slices()]


def _read(job: SegmentJob, views: Sequence[Window]) -> _Pixels:
    """Read, in one window, all scene pixels that some tiles show."""
    scene = job.source.geobox
    rows = {r for v in views for r in _ends(*v.rows, scene.height)}
    cols = {c for v in views for c in _ends(*v.cols, scene.width)}
    window = Window.between((min(rows), max(rows) + 1), (min(cols), max(cols) + 1))
    values, valid = job.source.read(window, job.predictor.bands)
    job.source.check_unchanged(window)
    return _Pixels(window, values, valid)


def _ends(start: int, stop: int, length: int) -> tuple[int, int]:
    """The first and the last scene pixel of a range that may reach outside."""
    if start >= 0 and stop <= length:
        return start, stop - 1
    inside = reflect(start, stop, length)
    return min(inside), max(inside)


def _wanted(job: SegmentJob, view: Window, pixels: _Pixels) -> _Wanted:
    """Tiles that were not read touch no pixel of the AOI, so what is read suffices."""
    mask = np.zeros((view.height, view.width), np.bool_)
    seen = view.intersection(pixels.window)
    if seen is not None:
        inside = job.area.mask(seen)
        valid = pixels.valid[seen.relative_to(pixels.window).slices()]
        mask[seen.relative_to(view).slices()] = inside & valid
    return _Wanted(view, mask)


def _accumulate(
    job: SegmentJob, block: Block, tiles: Sequence[Tile], pixels: _Pixels
) -> Accumulator:
    """Send the tiles through the model, batch by batch, and add them up."""
    lattice, predictor = job.plan.lattice, job.predictor
    axes, size = (lattice.rows, lattice.cols), predictor.batch
    sums = Accumulator(lattice.block_view(block), predictor.planes, predictor.device)

    def add(batch: Sequence[Tile]) -> None:
        cuts = [pixels.tile(lattice.tile_view(t), job.source.geobox) for t in batch]
        cuts += cuts[-1:] * (size - len(cuts))  # every batch has the same shape
        values, valid = (np.stack(layer) for layer in zip(*cuts, strict=True))
        for tile, scores in zip(batch, predictor(values, valid), strict=False):
            weights = tile_weights(axes, tile, job.blend)
            sums.add(scores, lattice.tile_view(tile), weights)

    batches = [tiles[start : start + size] for start in range(0, len(tiles), size)]
    streams, threads = predictor.streams, predictor.threads
    in_streams(add, batches, device=predictor.device, streams=streams, threads=threads)
    return sums


def _finish(
    job: SegmentJob, block: Block, sums: Accumulator, wanted: _Wanted
) -> dict[str, bytes]:
    """Turn a block's scores into the parts and partials that it leaves."""
    made = {}
    for piece in job.plan.shown(block):
        window = job.plan.output(piece)
        scores, mask = sums.scores(window), wanted.within(window)
        if job.plan.sharers(piece) == [block]:
            made[part_name(piece)] = pack_part(job.layers.decide(scores, mask))
        else:
            partial = pack_partial(scores.cpu().numpy(), mask)
            made[partial_name(piece, block)] = partial
    return made
