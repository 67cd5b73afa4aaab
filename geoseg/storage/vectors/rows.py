"""Polygons on their way to a file: a batch at a time, as often as somebody asks.

A map has more polygons than memory holds, and a format wants to know of all of them
before it takes the first: so they wait in a file, as well-known binary in Arrow's own
format, and what is to be known is gathered on the way there.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely

from geoseg.storage.full_disk import written
from geoseg.storage.mapped import Arrays
from geoseg.storage.vectors.formats import MOST_BYTES, VERTEX_BYTES, check_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pyproj import CRS

    from geoseg.storage.vectors.wkb import Shapes

_WELL_KNOWN_BINARY = {"ARROW:extension:name": "geoarrow.wkb"}


@dataclass(frozen=True, slots=True)
class Batch:
    """Some polygons on their way to a file, and what is known of their shapes."""

    table: pa.Table
    """A row each; ``geometry``, as well-known binary, is the last column."""
    crs: CRS
    """Their CRS."""
    boxes: NDArray[np.float64]
    """Left, bottom, right and top of each, shape ``(row, 4)``."""
    areas: NDArray[np.float64]
    """The area of each in units of the CRS."""
    vertices: NDArray[np.int64]
    """How many each has, a ring's first twice."""
    many: NDArray[np.bool_]
    """Whether each is a multipolygon."""

    @classmethod
    def of(cls, frame: gpd.GeoDataFrame) -> Batch:
        """Take the rows of a frame."""
        shapes = frame.geometry.to_numpy()
        return cls(
            table=to_table(frame),
            crs=frame.crs,
            boxes=shapely.bounds(shapes),
            areas=shapely.area(shapes),
            vertices=shapely.get_num_coordinates(shapes).astype(np.int64),
            many=shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOLYGON,
        )

    @classmethod
    def drawn(
        cls, columns: Mapping[str, NDArray[Any]], shapes: Shapes, crs: CRS
    ) -> Batch:
        """Take shapes that were drawn, and what is known of each.

        Raises:
            VectorError: One is larger than any file holds.

        """
        plain = gpd.GeoDataFrame(columns).astype({"class_name": "str"})
        table = with_geometry(_columns(plain), shapes.to_wkb())
        return cls(table, crs, *shapes.measured(), shapes.many)

    def __len__(self) -> int:
        """Count the polygons."""
        return len(self.table)

    def frame(self) -> gpd.GeoDataFrame:
        """Give them as a frame."""
        return to_frame(self.table, self.crs)

    def without(self, column: str) -> Batch:
        """Leave out a column."""
        return replace(self, table=self.table.drop_columns(column))

    def numbered(self, numbers: NDArray[np.int64]) -> Batch:
        """Give classes other ids, each the number at its place."""
        place = self.table.column_names.index("class_id")
        ids = pa.array(numbers[self.table["class_id"].to_numpy()])
        return replace(self, table=self.table.set_column(place, "class_id", ids))

    def where(self, chosen: NDArray[np.bool_]) -> Batch:
        """Give those that are chosen."""
        return Batch(
            self.table.filter(pa.array(chosen)).combine_chunks(),
            self.crs,
            self.boxes[chosen],
            self.areas[chosen],
            self.vertices[chosen],
            self.many[chosen],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """Polygons of a map, each with what is known of it."""

    crs: CRS
    """Their CRS."""
    count: int
    """How many there are."""
    many: bool
    """Whether there are multipolygons among them."""
    single: bool
    """Whether there are polygons that are not."""
    largest: int
    """Bytes, of well-known binary, of the one with the most; 0 where there are none."""
    bounds: NDArray[np.float64]
    """Left, bottom, right and top of all; NaN where there are none."""
    middles: NDArray[np.float64]
    """The same of the middles of their boxes."""
    pixel: float
    """The side of a pixel in units of the CRS, as most polygons have it."""
    pixel_m: float
    """The same in metres on the ground."""
    tables: Callable[[], Iterator[pa.Table]]
    """Gives all rows in order, some at a time; at least once, if there are none."""
    some: Callable[[NDArray[np.int64]], gpd.GeoDataFrame]
    """Gives rows by their numbers, in the order of these."""
    arrays: Arrays
    """Makes what grows with their number."""
    attrs: Mapping[str, Any]
    """What is known of all of them: a frame's, which GeoParquet keeps."""

    @classmethod
    def of(cls, frame: gpd.GeoDataFrame, batch: int) -> Rows:
        """Take the rows of a frame, so many at a time."""
        known, firsts = _Gathered(Arrays()), range(0, max(len(frame), 1), batch)
        batches = [Batch.of(frame.iloc[first : first + batch]) for first in firsts]
        for each in batches:
            known.add(each)
        return known.rows(
            frame.crs,
            lambda: (each.table for each in batches),
            frame.iloc.__getitem__,
            frame.attrs,
        )

    def batches(self) -> Iterator[gpd.GeoDataFrame]:
        """Give all rows in order, as frames."""
        for table in self.tables():
            yield to_frame(table, self.crs)

    def numbered(self) -> Iterator[tuple[int, pa.Table]]:
        """Give `tables`, each with how many rows come before it."""
        before = 0
        for table in self.tables():
            yield before, table
            before += len(table)

    @classmethod
    def kept(
        cls,
        batches: Iterable[Batch],
        path: Path,
        *,
        attrs: Mapping[str, Any],
        watch: Callable[[Batch], None],
    ) -> Rows:
        """Keep rows in a file until they are written.

        Args:
            batches: The rows, at least one batch, which may be empty.
            path: The file, which must stay as long as the rows are asked for.
            attrs: What is known of all of them.
            watch: Called with each batch.

        Raises:
            DiskError: The file cannot be written.

        """
        known, given = _Gathered(Arrays(path.parent)), iter(batches)
        first = next(given)
        schema, counts = first.table.schema, [0]
        with written(path), pa.ipc.new_file(path, schema) as file:
            for batch in itertools.chain([first], given):
                known.add(batch)
                watch(batch)
                if len(batch):  # Arrow writes no batch without rows
                    counts.append(len(batch))
                    file.write_batch(batch.table.cast(schema).to_batches()[0])
        return known.rows(
            first.crs,
            partial(_read, path),
            partial(_pick, path, first.crs, np.cumsum(counts)),
            attrs,
        )


class _Gathered:
    """What is to be known of all rows before the first is written."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.count = 0
        self.many = self.single = False
        self.largest = 0
        self.bounds, self.middles = _no_box(), _no_box()
        self.drawn, self.ground = (arrays.growing(np.float64) for _ in range(2))

    def add(self, batch: Batch) -> None:
        """Take rows into account."""
        if not len(batch):
            return
        self.count += len(batch)
        self.many |= bool(np.any(batch.many))
        self.single |= not np.all(batch.many)
        self.largest = max(self.largest, int(batch.vertices.max()) * VERTEX_BYTES)
        check_size(self.largest, MOST_BYTES, "a file")
        widen(self.bounds, batch.boxes)
        middles = (batch.boxes[:, :2] + batch.boxes[:, 2:]) / 2.0
        widen(self.middles, np.concatenate([middles, middles], axis=1))
        pixels = batch.table["pixel_count"].to_numpy()
        self.drawn.append(batch.areas / pixels)
        self.ground.append(batch.table["area_m2"].to_numpy() / pixels)

    def rows(
        self,
        crs: CRS,
        tables: Callable[[], Iterator[pa.Table]],
        some: Callable[[NDArray[np.int64]], gpd.GeoDataFrame],
        attrs: Mapping[str, Any],
    ) -> Rows:
        """Say what is known."""
        pixel, pixel_m = np.nan, np.nan
        if self.count:
            sizes = self.drawn.whole(), self.ground.whole()
            found = [float(np.median(each, overwrite_input=True)) for each in sizes]
            pixel, pixel_m = np.sqrt(found).tolist()
        none = np.full(4, np.nan)
        return Rows(
            crs=crs,
            count=self.count,
            many=self.many,
            single=self.single,
            largest=self.largest,
            bounds=self.bounds if self.count else none,
            middles=self.middles if self.count else none,
            pixel=pixel,
            pixel_m=pixel_m,
            tables=tables,
            some=some,
            arrays=self.arrays,
            attrs=attrs,
        )


def _no_box() -> NDArray[np.float64]:
    return np.array([np.inf, np.inf, -np.inf, -np.inf])


def widen(bounds: NDArray[np.float64], boxes: NDArray[np.float64]) -> None:
    """Widen left, bottom, right and top to those of more boxes, shape ``(box, 4)``."""
    bounds[:2] = np.fmin(bounds[:2], np.fmin.reduce(boxes[:, :2]))
    bounds[2:] = np.fmax(bounds[2:], np.fmax.reduce(boxes[:, 2:]))


def together(frames: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Make one frame of several; one that is empty only where all are."""
    full = [frame for frame in frames if len(frame)] or frames[:1]
    if len(full) == 1:
        return full[0].reset_index(drop=True)
    columns = {
        name: np.concatenate([frame[name].to_numpy() for frame in full])
        for name in full[0].columns.drop("geometry")
    }
    shapes = np.concatenate([frame.geometry.to_numpy() for frame in full])
    table = gpd.GeoDataFrame(columns, geometry=shapes, crs=full[0].crs)
    return table.astype({"class_name": full[0]["class_name"].dtype})


def to_table(frame: gpd.GeoDataFrame) -> pa.Table:
    """Turn a frame into an Arrow table, geometries as well-known binary."""
    binary = pa.array(shapely.to_wkb(frame.geometry.to_numpy()), pa.binary())
    return with_geometry(_columns(frame.drop(columns=frame.geometry.name)), binary)


def to_frame(table: pa.Table, crs: CRS) -> gpd.GeoDataFrame:
    """Turn such a table into a frame."""
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    frame = table.drop_columns("geometry").to_pandas()
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=crs)


def with_geometry(columns: pa.Table, binary: pa.Array) -> pa.Table:
    """Add geometries as well-known binary."""
    field = pa.field("geometry", pa.binary(), metadata=_WELL_KNOWN_BINARY)
    return columns.append_column(field, binary)


def _columns(frame: gpd.GeoDataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _read(path: Path) -> Iterator[pa.Table]:
    with closing(pa.OSFile(str(path))) as source, pa.ipc.open_file(source) as file:
        for number in range(file.num_record_batches):
            yield pa.Table.from_batches([file.get_batch(number)])
        if not file.num_record_batches:  # Arrow writes none without rows
            yield file.schema.empty_table()


def _pick(
    path: Path, crs: CRS, ends: NDArray[np.int64], numbers: NDArray[np.int64]
) -> gpd.GeoDataFrame:
    """Read some rows of a file whose batches end so; it is mapped meanwhile."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    firsts = np.searchsorted(ordered, ends)
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        parts = [
            file.get_batch(batch).take(pa.array(ordered[first:stop] - ends[batch]))
            for batch, (first, stop) in enumerate(itertools.pairwise(firsts.tolist()))
            if stop > first
        ]
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return to_frame(pa.Table.from_batches(parts).combine_chunks().take(places), crs)
