"""A map traced while it is written: its pixels come square by square.

Who writes the rasters of a map hands over each square as it is final, row of squares
after row of squares. So most of a map is traced when its last pixels come, and nothing
of it is read back.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from threading import Condition
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import VectorError
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.vectorize.blocks import BlockPixels, cut, in_threads, trace_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.vectorize.blocks import Traced

_MOST = 16
"""Squares that wait to be traced before who brings them waits as well."""


class ArrivingMap:
    """A map whose squares come in order, while a thread traces those that are there."""

    def __init__(self, geobox: GeoBox, side: int, *, measured: bool) -> None:
        """Begin before the first square.

        Args:
            geobox: The map's plane.
            side: Of a square; those at the map's right and lower edge may be smaller.
            measured: Whether confidences come, too.

        """
        self._geobox, self._side = geobox, side
        self._classes: deque[tuple[Window, NDArray[np.uint8]]] = deque()
        self._confidence: deque[tuple[Window, NDArray[np.uint8]]] = deque()
        self._layers = [self._classes, *([self._confidence] if measured else [])]
        self._changed, self._over = Condition(), False

    def put_classes(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Take the class ids of the next square, shape ``(1, y, x)``; kept as it is."""
        self._put(self._classes, window, values)

    def put_confidence(self, window: Window, values: NDArray[np.uint8]) -> None:
        """Take the confidences of the next square in percent, as `put_classes` does."""
        self._put(self._confidence, window, values)

    def traced(self) -> Iterator[Traced]:
        """Trace blocks as their squares come; each has the pixels of one.

        Raises:
            VectorError: It was stopped.

        """
        return in_threads(
            partial(trace_pixels, width=self._geobox.width), self._blocks()
        )

    def stop(self) -> None:
        """Trace no more, and take what still comes for nothing."""
        with self._changed:
            self._over = True
            for layer in self._layers:
                layer.clear()
            self._changed.notify_all()

    def _put(
        self,
        layer: deque[tuple[Window, NDArray[np.uint8]]],
        window: Window,
        values: NDArray[np.uint8],
    ) -> None:
        """Queue a square; wait where it is the tracing that is behind.

        Whoever is ahead of another layer does not wait for it: that one may have
        failed.
        """
        with self._changed:
            if self._over:
                return
            layer.append((window, values[0]))
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._over or min(map(len, self._layers)) <= _MOST
            )

    def _take(self, window: Window) -> list[NDArray[np.uint8]]:
        """Wait for a square of every layer."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or all(self._layers))
            if self._over:
                raise VectorError("the polygons were stopped before the map was whole")
            squares = [layer.popleft() for layer in self._layers]
            self._changed.notify_all()
        for at, _ in squares:
            if at != window:
                raise VectorError(f"the square at {window} was to come, and not {at}")
        return [values for _, values in squares]

    def _blocks(self) -> Iterator[BlockPixels]:
        """Give the pixels of blocks, with the row and the column before each."""
        columns = self._geobox.width + 2  # one before the map, and one beyond it
        above = below = np.full(columns, NODATA, np.uint8)
        left = np.empty(0, np.uint8)
        for block in cut(self._geobox, self._side):
            own = block.window
            if own.col == 0:
                above, below = below, np.full(columns, NODATA, np.uint8)
                left = np.full(own.height, NODATA, np.uint8)
            classes, *rest = self._padded(own)
            span = slice(own.col, own.col + own.width + 1)
            classes[0], classes[1:, 0] = above[span], left
            below[span][1:] = classes[-1, 1:]
            left = classes[1:, -1].copy()
            yield BlockPixels(block, classes, rest[0] if rest else None)

    def _padded(self, own: Window) -> list[NDArray[np.uint8]]:
        """Give the pixels that a block owns, of all layers; nodata beyond the map.

        There is room for the row and the column before them.
        """
        shape = own.height + 1, own.width + 1
        padded = [np.full(shape, NODATA, np.uint8) for _ in self._layers]
        plane = Window(0, 0, self._geobox.height, self._geobox.width)
        inside = own.intersection(plane)
        if inside is not None:
            for pixels, found in zip(padded, self._take(inside), strict=True):
                pixels[1 : inside.height + 1, 1 : inside.width + 1] = found
        return padded
