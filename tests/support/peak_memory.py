"""Print how much memory a run of SIDE x SIDE pixels takes at most, in bytes.

    python -c "import peak_memory; peak_memory.main()" DIRECTORY SIDE

The scene is made while it is read and the model is a constant, so that what grows with
the scene is the engine's.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fakes import CPU, OFF_GRID
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.predict.layers import Layers
from geoseg.run.cluster import open_client
from geoseg.run.engine import run
from geoseg.run.journal.disk import DiskStore
from geoseg.run.journal.journal import open_journal
from geoseg.run.parts import read_parts
from geoseg.run.plan import lay_tiles, make_plan
from geoseg.run.tasks import SegmentJob


@dataclass
class EndlessSource:
    """A scene that takes no memory."""

    side: int

    @property
    def geobox(self) -> GeoBox:
        return GeoBox(self.side, self.side, OFF_GRID, CRS.from_epsg(32633))

    def check_unchanged(self, _: Window) -> None:
        """An array in memory stays as it is."""

    def check(self) -> None:
        """It is everywhere."""

    def read(self, window: Window, bands: tuple[int, ...]):
        shape = (window.height, window.width)
        return np.ones((len(bands), *shape), np.uint8), np.ones(shape, bool)


class Everywhere:
    """An area without an edge."""

    def touches(self, _: Window) -> bool:
        return True

    def mask(self, window: Window):
        return np.ones((window.height, window.width), bool)


@dataclass
class ConstantPredictor:
    """A model that takes no time."""

    bands: tuple[int, ...] = (0,)
    planes: int = 2
    batch: int = 1
    device: torch.device = CPU
    streams: int = 2
    threads: int = 1

    def check(self) -> None:
        """It is wherever it is sent."""

    def __call__(self, pixels, valid):
        del valid
        shape = (1, self.planes, *pixels.shape[-2:])
        return torch.full((1, 1, 1, 1), 0.5).expand(shape)


def main() -> None:
    """Run, read the parts back, and say what it took."""
    directory, side = Path(sys.argv[1]), int(sys.argv[2])
    tile, overlap, block = map(int, sys.argv[3:] or (512, 64, 2))
    source, area = EndlessSource(side), Everywhere()
    window = Window(0, 0, side, side)
    lattice = lay_tiles(source.geobox, window, tile=tile, overlap=overlap, block=block)
    plan = make_plan(
        source.geobox, lattice, area=window, touches=area.touches, identity={}
    )
    store = DiskStore(directory)
    layers = Layers((1, 2))
    job = SegmentJob(plan, source, ConstantPredictor(), area, "hann", layers, store)
    with open_client() as client, open_journal(directory, {}) as journal:
        run(job, journal, client, lambda _: None)
        pixels = sum(values[0].size for _, values in read_parts(plan, journal))
    assert pixels == side**2
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(kilobytes * 1024)  # noqa: T201  # the answer
