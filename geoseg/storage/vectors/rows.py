"""Polygons on their way to a file: a batch at a time, as often as somebody asks.

A map has more polygons than memory holds, and a format wants to know of all of them
before it takes the first: so they wait in a file, as well-known binary in Arrow's own
format, and what is to be known is gathered on the way there.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely

from geoseg.errors import VectorError
from geoseg.storage.full_disk import written
from geoseg.storage.mapped import Arrays
from geoseg.storage.vectors.formats import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from pyproj import CRS

_VERTEX = 16
"""Bytes of a vertex in well-known binary; those of rings and of the rest are few."""
_WELL_KNOWN_BINARY = {"ARROW:extension:name": "geoarrow.wkb"}


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
        known = _Gathered(Arrays())
        known.add(frame)
        return known.rows(
            frame.crs, partial(_cut, frame, batch), frame.iloc.__getitem__, frame.attrs
        )

    def batches(self) -> Iterator[gpd.GeoDataFrame]:
        """Give all rows in order, as frames."""
        for table in self.tables():
            yield _to_frame(table, self.crs)

    @classmethod
    def kept(
        cls,
        batches: Iterable[gpd.GeoDataFrame],
        path: Path,
        *,
        attrs: Mapping[str, Any],
        watch: Callable[[gpd.GeoDataFrame], None],
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
        known, batches = _Gathered(Arrays(path.parent)), iter(batches)
        first = next(batches)
        schema = to_table(first.iloc[:0]).schema
        frame, crs, counts = first, first.crs, [0]
        with written(path), pa.ipc.new_file(path, schema) as file:
            while frame is not None:
                known.add(frame)
                watch(frame)
                if len(frame):  # Arrow writes no batch without rows
                    counts.append(len(frame))
                    file.write_batch(to_table(frame).cast(schema).to_batches()[0])
                frame = next(batches, None)
        return known.rows(
            crs,
            partial(_read, path),
            partial(_pick, path, crs, np.cumsum(counts)),
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

    def add(self, frame: gpd.GeoDataFrame) -> None:
        """Take rows into account."""
        if not len(frame):
            return
        polygons = frame.geometry.to_numpy()
        many = shapely.get_type_id(polygons) == shapely.GeometryType.MULTIPOLYGON
        self.count += len(frame)
        self.many |= bool(np.any(many))
        self.single |= not np.all(many)
        vertices = shapely.get_num_coordinates(polygons)
        self.largest = max(self.largest, int(vertices.max()) * _VERTEX)
        check_size(self.largest, MOST_BYTES, "a file")
        boxes = shapely.bounds(polygons)
        widen(self.bounds, boxes)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2.0
        widen(self.middles, np.concatenate([middles, middles], axis=1))
        pixels = frame["pixel_count"].to_numpy()
        self.drawn.append(shapely.area(polygons) / pixels)
        self.ground.append(frame["area_m2"].to_numpy() / pixels)

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


def check_size(size: int, most: int, holder: str, instead: str = "") -> None:
    """Refuse a polygon that something has no room for.

    Args:
        size: Its bytes.
        most: The bytes that there is room for.
        holder: What holds it.
        instead: What could be done, and "or", where there is more than usual.

    Raises:
        VectorError: It is larger.

    """
    if size > most:
        raise VectorError(
            f"{holder} cannot hold a polygon of {size / 1e9:,.2f} GB, as the largest "
            f"is with all its holes: {most / 1e9:,.2f} GB are the most; {instead}"
            f"straighten lines (`simplify`), merge small patches (`min_area`), leave "
            f"its class out (`classes`), or cut the map"
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
    table = pa.Table.from_pandas(
        frame.drop(columns=frame.geometry.name), preserve_index=False
    )
    binary = pa.array(shapely.to_wkb(frame.geometry.to_numpy()), pa.binary())
    return table.append_column(
        pa.field(frame.geometry.name, pa.binary(), metadata=_WELL_KNOWN_BINARY), binary
    )


def _cut(frame: gpd.GeoDataFrame, batch: int) -> Iterator[pa.Table]:
    for first in range(0, max(len(frame), 1), batch):
        yield to_table(frame.iloc[first : first + batch])


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
    return _to_frame(pa.Table.from_batches(parts).combine_chunks().take(places), crs)


def _to_frame(table: pa.Table, crs: CRS) -> gpd.GeoDataFrame:
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    frame = table.drop_columns("geometry").to_pandas()
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=crs)
