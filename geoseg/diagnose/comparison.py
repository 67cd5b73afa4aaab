"""A window of a scene inferred in tiles and in one piece, pixel by pixel.

The one piece is the window with a margin of the scene around it, mirrored beyond the
scene as tiles are, and in step with them: whole strides of the model away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import InputError
from geoseg.geo.windows import Window
from geoseg.predict.fixed_point import SCORE_ONE, WEIGHT_ONE
from geoseg.predict.stitch import Accumulator, decide, tile_weights
from geoseg.progress import Step
from geoseg.run.cluster.memory import most_held, now_held, still_free
from geoseg.run.plan import lay_tiles
from geoseg.scene.mirrored import read_mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from geoseg.geo.tiling import Lattice
    from geoseg.options import Blend
    from geoseg.predict import TilePredictor
    from geoseg.progress import OnStep
    from geoseg.scene import Scene


_SPARE = 0.8
"""The share of the free memory that may be taken."""
_TRIED = 1024
"""Side of the square that is inferred to see what a pixel takes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far tiles are from the window in one piece."""

    blend: Blend
    """How overlapping tiles share a pixel."""
    largest: float
    """The largest difference of any class's probability at any pixel."""
    changed: int
    """Pixels that get another class."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A window, and what it is inferred with in both ways."""

    scene: Scene
    """Where pixels come from."""
    window: Window
    """What is compared, inside the scene."""
    wanted: NDArray[np.bool_]
    """Which of its pixels count, shape ``(y, x)``; at least one."""
    predictor: TilePredictor
    """What predicts, one tile at a time."""
    stride: int
    """The model's: tiles and planes begin at multiples of it from each other."""
    margin: int
    """Pixels around the window that the model is shown with it in one piece."""
    blends: Sequence[Blend]
    """How overlapping tiles share a pixel: a difference for each."""

    def run(self, tile: int, overlap: int, on_step: OnStep) -> Iterator[Difference]:
        """Infer in both ways, each tile once for all blends, and compare."""
        lattice = lay_tiles(self.scene.geobox, self.window, tile=tile, overlap=overlap)
        on_step(Step("whole"))
        whole = self._in_one_piece(lattice)
        for blend, tiled in self._in_tiles(lattice, on_step).items():
            yield self._compare(blend, tiled, whole)

    def check_memory(self, tile: int, largest_tile: int) -> None:
        """Infer a megapixel, see what one takes, and refuse a window of too many.

        Args:
            tile: Side of a tile: the least that is tried.
            largest_tile: Side of the largest that there will be.

        Raises:
            InputError: It does not fit; the message says which size does.

        """
        side = max(tile, _TRIED // self.stride * self.stride)
        for_each = self._bytes_per_pixel(side)
        free = int(_SPARE * _free_bytes(self.predictor.device))
        height, width = (
            side + 2 * self.margin for side in (self.window.height, self.window.width)
        )
        needed = max(height * width, largest_tile**2) * for_each
        if needed <= free:
            return
        most = int((free / for_each) ** 0.5)
        side = 0 if most < largest_tile else most - 2 * self.margin
        fitting = f"one of {side} x {side} px fits" if side > 0 else "none fits"
        raise InputError(
            f"a window of {self.window.height} x {self.window.width} px takes "
            f"{needed / 1e9:.2f} GB in one piece, with {self.margin} px around it, "
            f"and {free / 1e9:.2f} GB are to be had; {fitting}"
        )

    def _in_one_piece(self, lattice: Lattice) -> Accumulator:
        view = self._surroundings(lattice)
        sums = self._accumulator()
        rows, cols = (
            np.full(side, WEIGHT_ONE, np.int32) for side in (view.height, view.width)
        )
        sums.add(self._infer(view), view, (rows, cols))
        return sums

    def _surroundings(self, lattice: Lattice) -> Window:
        """The window with its margin, in step with the tiles."""
        rows, cols = (
            _widened(span, self.margin, axis.view(0)[0], self.stride)
            for span, axis in (
                (self.window.rows, lattice.rows),
                (self.window.cols, lattice.cols),
            )
        )
        return Window.between(rows, cols)

    def _in_tiles(self, lattice: Lattice, on_step: OnStep) -> dict[Blend, Accumulator]:
        """Infer each tile that the window shows once, and blend in every way."""
        tiles = [
            tile
            for block in lattice.blocks()
            if lattice.block_view(block).intersection(self.window)
            for tile in lattice.tiles(block)
            if lattice.tile_view(tile).intersection(self.window)
        ]
        sums = {blend: self._accumulator() for blend in self.blends}
        for done, tile in enumerate(tiles):
            on_step(Step("infer", done=done, total=len(tiles)))
            view = lattice.tile_view(tile)
            probabilities = self._infer(view)
            for blend, total in sums.items():
                weights = tile_weights((lattice.rows, lattice.cols), tile, blend)
                total.add(probabilities, view, weights)
        return sums

    def _accumulator(self) -> Accumulator:
        return Accumulator(self.window, self.predictor.planes, self.predictor.device)

    def _infer(self, view: Window) -> Tensor:
        """Class probabilities ``(class, y, x)`` of a window, also beyond the scene."""
        pixels, valid = read_mirrored(self.scene, view, self.predictor.bands)
        return self.predictor(pixels[np.newaxis], valid[np.newaxis])[0]

    def _compare(
        self, blend: Blend, tiled: Accumulator, whole: Accumulator
    ) -> Difference:
        first, second = (sums.scores(self.window) for sums in (tiled, whole))
        wanted = torch.from_numpy(self.wanted).to(first.device)
        away = (first - second).abs_().amax(dim=0)[wanted].max()
        changed = (decide(first)[0] != decide(second)[0])[wanted].sum()
        return Difference(blend, int(away) / SCORE_ONE, int(changed))

    def _bytes_per_pixel(self, side: int) -> float:
        """What a pixel takes in the model, and for the sums of all blends.

        What this process once held and gave back counts too: rather too much.
        """
        device = self.predictor.device
        on_gpu = device.type == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) if on_gpu else now_held()
        self._infer(Window(self.window.row, self.window.col, side, side))
        after = torch.cuda.max_memory_allocated(device) if on_gpu else most_held()
        sums = 4 * self.predictor.planes * (len(self.blends) + 2)
        return (after - before) / side**2 + sums


def _widened(
    span: tuple[int, int], margin: int, origin: int, stride: int
) -> tuple[int, int]:
    """Widen a range of pixels by a margin, to whole strides from an origin.

    Example:
        >>> _widened((100, 200), 10, -16, 32)
        (80, 240)

    """
    start = (span[0] - margin - origin) // stride * stride + origin
    stop = -(-(span[1] + margin - origin) // stride) * stride + origin
    return start, stop


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return still_free()
