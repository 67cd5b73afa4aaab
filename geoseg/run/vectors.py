"""The polygons of a run: traced while its rasters are written, then put into files."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING

from geoseg.raster.extents import SQUARE
from geoseg.storage.staging import scratch_folder
from geoseg.vectorize.arriving import ArrivingMap
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygonize import write_drawn
from geoseg.vectorize.polygons import draw_polygons

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from geoseg.run.configuration import RunConfig
    from geoseg.vectorize.polygons import Polygons


class Vectors:
    """The polygons of a run, in a thread of their own until they are written."""

    def __init__(self, made: RunConfig) -> None:
        """Take a run, with products in the folder where they are made."""
        self._made = made
        self._geobox = made.scene.geobox.crop(made.aoi.window)
        self.map = ArrivingMap(self._geobox, SQUARE, measured=made.knows_confidence)
        """Where the squares go that are written."""
        self._warnings: deque[str] = deque()
        self._stack = ExitStack()
        scratch = scratch_folder(made.output.folder, ".geoseg-polygons")
        self._scratch = self._stack.enter_context(scratch)
        self._drawn: Future[Polygons] | None = None

    def begin(self, threads: Executor) -> None:
        """Begin to trace the squares that will come, and lay out their lines."""
        self._drawn = threads.submit(self._draw)

    def warnings(self) -> tuple[str, ...]:
        """Give what was said since this was asked for the last time."""
        said = []
        while self._warnings:
            said.append(self._warnings.popleft())
        return tuple(said)

    def write(self) -> None:
        """Write all files, when all squares have come; then the polygons are gone.

        Raises:
            VectorError: The map has more polygons than fit.
            DiskError: A file cannot be written.

        """
        made, drawn = self._made, self._drawn
        assert drawn is not None, "what is written was begun"  # noqa: S101
        self._drawn = None
        write_drawn(
            drawn.result(),
            [made.products[name] for name in made.options.vector_formats],
            legend=made.legend,
            scratch=self._scratch,
            area=made.aoi.geometry if made.options.clip else None,
        )
        del drawn  # a disk has room for what comes now
        self._stack.close()

    def stop(self) -> None:
        """Trace no more."""
        self.map.stop()

    def close(self) -> None:
        """Remove what polygons wait in, when their thread is at its end."""
        self._stack.close()

    def _draw(self) -> Polygons:
        made = self._made
        try:
            return draw_polygons(
                self.map.traced(),
                self._geobox,
                legend=made.legend,
                measured=made.knows_confidence,
                drawing=Drawing.of(made.options.polygons, made.legend),
                warn=self._warnings.append,
                scratch=self._scratch,
            )
        finally:
            self.map.stop()  # nobody waits for who has failed
