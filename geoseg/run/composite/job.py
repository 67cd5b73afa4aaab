"""What a worker does of a composite: make a block, and leave it as a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import PlanError
from geoseg.geo.allocator import share_heaps
from geoseg.progress import Stopwatch
from geoseg.run.job import THREADS, Made
from geoseg.run.parts import part_name
from geoseg.scene.composite.rules import NONE, Composite
from geoseg.storage.gdal_cache import ONCE, small_cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.tiling import Block, Piece
    from geoseg.overlay.aoi import Aoi
    from geoseg.run.journal.store import Receipt, Store
    from geoseg.run.plan import Plan
    from geoseg.scene import Scene


@dataclass(frozen=True, slots=True)
class CompositeJob:
    """All that a worker needs to make blocks of a composite.

    Tiles of its plan do not overlap: a block is one piece, and there are no seams.
    """

    plan: Plan
    """What is to be done."""
    scene: Scene
    """What it is made of."""
    bands: tuple[int, ...]
    """The scene's bands that it has, counted from 0."""
    area: Aoi
    """Where it is wanted."""
    store: Store
    """The files of the run directory."""
    at_once: int = THREADS
    """How many tasks of a process are under way."""

    @property
    def on_gpu(self) -> bool:
        """Whether workers need a GPU each: none does."""
        return False

    def check(self) -> None:
        """Raise an error where this process does not see the same scene."""
        self.scene.check()

    def do_block(self, block: Block) -> Made:
        """Make a block; what is outside the area is clear on no date."""
        share_heaps()
        lap = Stopwatch()
        (piece,) = self.plan.shown(block)
        window = self.plan.output(piece)
        with small_cache(ONCE):
            found = self.scene.composite(window, self.bands)
        self.scene.check_unchanged(window)
        lap("compute")  # dates are read on the way
        inside = self.area.mask(window)
        found.counts[~inside] = 0
        found.chosen[~inside] = NONE
        data = pack(found)
        del found
        tiles = len(self.plan.lattice.tiles(block))
        return Made({part_name(piece): data}, lap.laps(), tiles)

    def merge_seam(self, piece: Piece, partials: Sequence[Receipt]) -> Made:  # noqa: ARG002  # a job's
        """Refuse: blocks that share no pixel have no seams."""
        raise PlanError(f"a composite has no seams, and {piece} is one")


def pack(found: Composite) -> bytes:
    """Write a window of a composite as a part's bytes: pixels, counts, dates."""
    arrays = (found.pixels, found.counts, found.chosen)
    return b"".join(np.ascontiguousarray(each).data.cast("B") for each in arrays)


def unpack(values: NDArray[np.uint8], bands: int, dtype: str) -> Composite:
    """Read it back.

    Args:
        values: The part as `geoseg.run.parts.read_parts` gives it: bytes, in planes
            ``(plane, y, x)``.
        bands: How many bands it has.
        dtype: The pixels'.

    """
    (_, height, width), flat = values.shape, values.reshape(-1)
    pixels, shape = height * width, (height, width)
    start = bands * pixels * np.dtype(dtype).itemsize
    counts = start + 2 * pixels
    return Composite(
        flat[:start].view(dtype).reshape(bands, *shape),
        flat[start:counts].view(np.uint16).reshape(shape),
        flat[counts:].view(np.int32).reshape(shape),
    )
