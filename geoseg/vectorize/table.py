"""The table of polygons: a row for each, with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.geo.jit import kernel
from geoseg.storage.prefetch import read_ahead
from geoseg.storage.vectors.rows import Batch
from geoseg.storage.vectors.wkb import Shapes
from geoseg.vectorize.measure import measure_drawn
from geoseg.vectorize.recolour import group_by_corners
from geoseg.vectorize.rings import bounds_of, draw, rows_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.storage.mapped import Arrays
    from geoseg.vectorize.blocks import Regions
    from geoseg.vectorize.drawing import Drawing
    from geoseg.vectorize.network import Network
    from geoseg.vectorize.rings import Corners, Rings

_MOST_ROWS = 32_768
"""Rows that are drawn at once."""
_MOST_VERTICES = 1 << 20
"""Vertices that are drawn at once, but for a row that has more: 100 bytes each."""
_AHEAD = 2
"""Batches that are drawn before they are wanted, each in a thread."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of all polygons, drawn and measured when somebody asks for them."""

    regions: Regions
    """What is known of every region."""
    rings: Rings
    """The rings of the regions."""
    lines: tuple[Corners, NDArray[np.int64]]
    """The vertices of arcs, and where each arc's begin."""
    rows: NDArray[np.int32] | None
    """The row of each region; None where each region is one."""
    geobox: GeoBox
    """The map's plane."""
    legend: Legend
    """The names of the classes."""
    drawing: Drawing
    """Which rows are asked for."""
    arrays: Arrays
    """Makes what grows with the map."""

    def batches(self) -> Iterator[Batch]:
        """Draw and measure rows, some at a time, in the order of first pixels.

        Yields:
            A row for each region, or for those that belong together; always with
            ``mean_confidence``, which is NaN where no pixel has one. There is one
            batch at least, which may be empty.

        """
        with self.arrays.trimmed():
            bounds = bounds_of(self.lines[0], self.geobox.transform)
            members, ends = self._members()

        def drawn(part: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch:
            return self._tabulate(*part, bounds)

        # The next rows are drawn while somebody is at the last.
        for _, batch in read_ahead(drawn, self._parts(members, ends), _AHEAD):
            yield batch
            self.arrays.trim()

    def _parts(
        self, members: NDArray[np.int64] | None, ends: NDArray[np.int64] | None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Give the regions of some rows, and how many of these each row has."""
        rings = self.rings.polygons, self.rings.offsets, self.rings.halves
        count = len(self.regions.classes) if ends is None else len(ends) - 1
        first = 0
        while first < max(count, 1):
            stop = min(first + _MOST_ROWS, count)
            if members is None or ends is None:
                chosen, counts = np.arange(first, stop), np.ones(stop - first, np.int64)
            else:
                chosen = members[ends[first] : ends[stop]]
                counts = np.diff(ends[first : stop + 1])
            held = rows_within(rings, self.lines[1], chosen, counts, _MOST_VERTICES)
            counts = counts[:held]
            yield chosen[: counts.sum()], counts
            first += max(len(counts), 1)

    def _members(self) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Give the regions of each row, row after row, and where each one's begin.

        None where each region is a row.
        """
        if self.rows is None:
            return None, None
        ends = self.arrays.zeros(int(self.rows.max(initial=-1)) + 2, np.int64)
        places = self.arrays.zeros(len(ends), np.int64)
        members = self.arrays.zeros(len(self.rows), np.int64)
        _group(self.rows, ends, places, members)
        return members, ends

    def _tabulate(
        self,
        members: NDArray[np.int64],
        counts: NDArray[np.int64],
        bounds: NDArray[np.float64],
    ) -> Batch:
        """Draw some rows, each of so many regions."""
        regions, transform = self.regions, self.geobox.transform
        drawn = draw(self.rings.of(members), *self.lines, transform)
        rows = np.repeat(np.arange(len(counts)), counts)
        crs = self.geobox.crs
        area, perimeter = measure_drawn(drawn, rows, len(counts), crs, bounds)
        pixels, confidence, sure = np.zeros((3, len(counts)), np.int64)
        for total, part in (
            (pixels, regions.pixels),
            (confidence, regions.confidence),
            (sure, regions.sure),
        ):
            np.add.at(total, rows, part[members])
        classes = np.zeros(len(counts), np.uint8)
        classes[rows] = regions.classes[members]
        columns: dict[str, NDArray[Any]] = {  # each column has its own type
            "class_id": classes.astype(np.int32),
            "class_name": _names(self.legend)[classes],
            "area_m2": area,
            "perimeter_m": perimeter,
            "pixel_count": pixels,
            "mean_confidence": np.divide(
                confidence, sure, out=np.full(len(counts), np.nan), where=sure > 0
            ),
        }
        many = (counts != 1) | self.drawing.dissolve
        batch = Batch.drawn(columns, Shapes(*drawn, counts, many), crs)
        if self.drawing.classes is None:
            return batch
        return batch.where(np.isin(classes, list(self.drawing.classes)))


def assign_rows(
    network: Network, drawing: Drawing, arrays: Arrays
) -> NDArray[np.int32] | None:
    """Assign each region to a row that it shares; None where each is its own."""
    classes = network.regions.classes
    if drawing.dissolve:
        rows = arrays.zeros(len(classes), np.int32)
        _rows_of_classes(classes, rows)
        return rows
    if drawing.connectivity == 8:  # noqa: PLR2004 - a pixel's neighbours
        rows = group_by_corners(network, arrays)[1:]
        rows -= np.int32(1)
        return rows
    return None


@kernel
def _rows_of_classes(classes: NDArray[np.uint8], rows: NDArray[np.int32]) -> None:
    """Give the regions of each class a row, by the order of class ids."""
    places = np.zeros(256, np.int32)
    for value in classes:
        places[value] = 1
    count = 0
    for value in range(256):
        there = places[value]
        places[value] = count
        count += there
    for k in range(len(classes)):
        rows[k] = places[classes[k]]


@kernel
def _group(
    rows: NDArray[np.int32],
    ends: NDArray[np.int64],
    places: NDArray[np.int64],
    members: NDArray[np.int64],
) -> None:
    """List the regions of each row; the last three are filled."""
    for row in rows:
        ends[row + 1] += 1
    for row in range(1, len(ends)):
        ends[row] += ends[row - 1]
        places[row] = ends[row]
    for region in range(len(rows)):
        members[places[rows[region]]] = region
        places[rows[region]] += 1


def _names(legend: Legend) -> NDArray[np.object_]:
    """Give each class id its name."""
    names = np.full(256, "", object)
    for land_class in legend:
        names[land_class.id] = land_class.name
    return names
