"""How fast this machine makes products: measured once in a second or two, and kept.

A made-up map is written as rasters, and drawn and written as polygons, once small and
once larger: the difference is what pixels, vertices and polygons cost. How fast inputs
are read and blocks computed is measured with the scene itself: see `trial_tiles`.

A machine that others use as well is slower now and faster then. So what is kept is
divided by how slow a little work was when it was measured, and multiplied by how slow
the same work is when it is asked for.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from pyproj import CRS

from geoseg.diagnose.trial_tiles import count_vertices
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster import ClassLayer, MeasureLayer, write_layers
from geoseg.run.samples import machine
from geoseg.scene.cache import cache_folder, keep, recall
from geoseg.storage.vectors.formats import BY_NAME
from geoseg.storage.vectors.rows import Rows
from geoseg.storage.vectors.write import write_polygons
from geoseg.vectorize.blocks import BLOCK, trace_blocks
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygons import draw_polygons

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

    from geoseg.raster.growing import Layer

_SMALL, _LARGE = 64, 512
"""Sides of the maps, in pixels."""
_PATCH = 5
"""How far pixels of the map are alike."""
_RASTER, _RASTER_PATCH, _TIMES = 1024, 15, 3
"""The same of maps that are written as rasters: fewer pixels do not keep all cores
busy. How often that is done, of which the least counts."""
ROW = 20
"""As many vertices as a row takes the time of while it is drawn, whatever it has:
roughly, as formats' `vertices_per_polygon`."""
_WORK = np.random.default_rng(0).integers(0, 16, 1 << 20, np.uint8).tobytes()
_WORK_S, _ROUNDS = 0.037, 4
"""Seconds that compressing it takes on a core of a server that nobody else uses; how
often it is done to find out how slow a machine is."""
_LEGEND = Legend(tuple(LandClass(i, f"class {i}", "#336699") for i in range(4)))


@dataclass
class Rates:
    """Seconds that products take on this machine."""

    machine: str = ""
    """The machine, and the geoseg that was measured."""
    raster: float = 0.0
    """For a pixel and band of rasters: packed, overviews made, and read back."""
    bordered: float = 0.0
    """For a vertex of the class map more."""
    labelled: float = 0.0
    """For a pixel of the class map until its lines are traced, on one core."""
    traced: float = 0.0
    """For a vertex of it more."""
    laid_out: float = 0.0
    """For a vertex, once all are traced, until lines are laid out."""
    drawn: float = 0.0
    """For a vertex of rows: drawn, measured, and put where they wait."""
    written: dict[str, float] = field(default_factory=dict)
    """For a vertex of a vector file, by format. A polygon counts for as many vertices
    as its format says, and of rows for as many as `ROW`."""


def slowness() -> float:
    """How many times slower a core is now than one that nobody else uses."""
    begin = time.perf_counter()
    for _ in range(_ROUNDS):
        zlib.compress(_WORK)
    return (time.perf_counter() - begin) / (_ROUNDS * _WORK_S)


def rates_of_this_machine(formats: Collection[str]) -> Rates:
    """Give what was measured on this machine, of some formats too; measure the rest.

    They are kept in the user's cache, ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``, as
    those of a machine that nobody else uses.
    """
    rates = _kept()
    missing = [name for name in formats if name not in rates.written]
    if rates.bordered and not missing:
        return rates
    with tempfile.TemporaryDirectory(prefix="geoseg-rates-") as folder:
        if not rates.bordered:
            _time_rasters(rates, Path(folder))
        if missing:
            _time_polygons(rates, missing, Path(folder))
    keep(_path(), asdict(rates))
    return rates


def _path() -> Path:
    return cache_folder() / "rates.json"


def _kept() -> Rates:
    known = recall(_path())
    names = {each.name for each in fields(Rates)}
    if not isinstance(known, dict) or set(known) != names:
        return Rates(machine())
    rates = Rates(**known)
    return rates if rates.machine == machine() else Rates(machine())


@dataclass(frozen=True, slots=True)
class _MadeUp:
    """A map of patches, on a grid of ten metres."""

    pixels: NDArray[np.uint8]
    """Class ids, shape ``(y, x)``."""

    @classmethod
    def of(cls, side: int, patch: int = _PATCH) -> _MadeUp:
        """Make a square of noise that was smoothed."""
        noise = np.random.default_rng(0).random((side + patch, side + patch))
        for axis in (0, 1):
            sums = np.cumsum(noise, axis)
            noise = np.take(sums, range(patch, side + patch), axis) - np.take(
                sums, range(side), axis
            )
        marks = np.quantile(noise, [0.25, 0.5, 0.75])
        return cls(np.digitize(noise, marks).astype(np.uint8))

    @property
    def geobox(self) -> GeoBox:
        """Place it somewhere in UTM."""
        plane = Affine(10, 0, 300_000, 0, -10, 5_800_000)
        height, width = self.pixels.shape
        return GeoBox(height, width, plane, CRS.from_epsg(32633))

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read a window."""
        return self.pixels[window.slices()]


class _Stopwatch:
    """Seconds of what is done on the large map beyond those on the small one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, side: int) -> Iterator[None]:
        """Time a step on a map of a side."""
        begin = time.perf_counter()
        yield
        sign = 1 if side == _LARGE else -1
        taken = sign * (time.perf_counter() - begin)
        self.seconds[name] = self.seconds.get(name, 0.0) + taken

    def a(self, name: str, units: float) -> float:
        """Seconds of a step for one of so many units, never none."""
        return max(self.seconds[name], 1e-4) / units


def _time_rasters(rates: Rates, folder: Path) -> None:
    """Write rasters: small ones, large ones of one class, and of many patches."""
    patches = _MadeUp.of(_RASTER, _RASTER_PATCH)
    plain = _MadeUp(np.zeros_like(patches.pixels))
    small = _MadeUp(plain.pixels[:_SMALL, :_SMALL])
    least, even, busy = (
        min(_written_in(folder, made) for _ in range(_TIMES))
        for made in (small, plain, patches)
    )
    slow = slowness()
    rates.raster = max(even - least, 1e-4) / (2 * _RASTER**2) / slow
    rates.bordered = max(busy - even, 1e-4) / count_vertices(patches.pixels) / slow


def _written_in(folder: Path, made: _MadeUp) -> float:
    """Seconds to write classes and confidences."""
    shape = made.pixels.shape
    percent = (np.random.default_rng(1).random(shape) * 100).astype(np.uint8)
    layers: list[Layer] = [
        ClassLayer(folder / "map.tif", _LEGEND),
        MeasureLayer(folder / "percent.tif", ["confidence"], "percent"),
    ]
    part = Window(0, 0, *shape), [made.pixels, percent]
    begin = time.perf_counter()
    write_layers(layers, made.geobox, [part], tags={}, scratch=folder)
    return time.perf_counter() - begin


def _time_polygons(rates: Rates, formats: Collection[str], folder: Path) -> None:
    """Draw and write; formats one after the other."""
    watch, vertices, polygons = _Stopwatch(), 1.0, 0
    for side in (_SMALL, _SMALL, _LARGE):
        made = _MadeUp.of(side)
        if side == _SMALL:
            watch.seconds.clear()
        plain = _MadeUp(np.zeros_like(made.pixels))
        with watch("labelled", side):
            list(trace_blocks(plain, None, BLOCK, map))
        with watch("traced", side):
            traced = list(trace_blocks(made, None, BLOCK, map))
        with watch("laid out", side):
            drawn = draw_polygons(
                traced,
                made.geobox,
                legend=_LEGEND,
                measured=False,
                drawing=Drawing(),
                scratch=folder,
            )
        with watch("drawn", side):
            kept = folder / "rows.arrow"
            rows = Rows.kept(drawn.batches(), kept, attrs={}, watch=lambda _: None)
        polygons = rows.count
        vertices = sum(
            float(frame.geometry.count_coordinates().sum()) for frame in rows.batches()
        )
        for name in formats:
            path = folder / f"polygons{BY_NAME[name].suffix}"
            with watch(name, side):
                write_polygons(rows, path, legend=_LEGEND)
    slow = slowness()
    rates.labelled = watch.a("labelled", _LARGE**2 - _SMALL**2) / slow
    more = watch.seconds["traced"] - watch.seconds["labelled"]
    rates.traced = max(more, 1e-4) / vertices / slow
    rates.laid_out = watch.a("laid out", vertices) / slow
    rates.drawn = watch.a("drawn", vertices + ROW * polygons) / slow
    for name in formats:
        units = vertices + BY_NAME[name].vertices_per_polygon * polygons
        rates.written[name] = watch.a(name, units) / slow
