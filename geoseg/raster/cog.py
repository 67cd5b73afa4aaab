"""A Cloud Optimized GeoTIFF of tiles that are compressed before it is complete.

GDAL's COG driver wants a whole raster, of which it makes overviews and compresses all
there is. A map becomes final some rows at a time. So the driver makes the file of a
raster without pixels, with everything that a file says of itself; GDAL compresses tiles
as they become final; and in the end they are put behind what the driver wrote, in its
order, and it is filled in where they are. The bytes are those that the driver writes of
the whole raster.
"""

from __future__ import annotations

import errno
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import MemoryFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from geoseg.geo.windows import Window

BLOCK = 512
"""Rows and columns of a tile."""
_TILES = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
_SOMEWHERE = rasterio.Affine(2, 0, 0, 0, -2, 0)
"""A transform for a raster of which nobody asks where it is."""
_COMPRESSION = "DEFLATE"
"""ZSTD is as small, but not every reader has it."""
_OFFSETS, _SIZES = 324, 325
"""TIFF's tags of where tiles are."""
_INTEGERS: dict[int, np.dtype[Any]] = {
    3: np.dtype("<u2"),
    4: np.dtype("<u4"),
    16: np.dtype("<u8"),
}
"""TIFF's types of numbers."""
_GUARD = 4
"""Bytes before a tile, its size, and behind it, its last: GDAL's mark of a COG."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How hard tiles are compressed."""

    level: int | None = None
    """Deflate's level; GDAL's own where None."""
    predicts: bool = False
    """Whether differences of neighbours are compressed, and not the pixels."""

    def of_cog(self) -> dict[str, object]:
        """Give it in the words of GDAL's COG driver."""
        level = {} if self.level is None else {"level": self.level}
        return {**level, "predictor": "YES" if self.predicts else "NO"}

    def of_tiles(self, dtype: np.dtype[Any]) -> dict[str, object]:
        """Give it in the words of GDAL's GeoTIFF driver."""
        level = {} if self.level is None else {"zlevel": self.level}
        kind = 3 if dtype.kind == "f" else 2
        return {**level, "predictor": kind if self.predicts else 1}


def begin_cog(raster: Path, target: Path, compression: Compression) -> None:
    """Make a file that says everything but where its tiles are.

    Args:
        raster: A raster without pixels that says what the file says.
        target: The file.
        compression: How its tiles are going to be compressed.

    """
    rasterio.shutil.copy(
        raster,
        target,
        driver="COG",
        compress=_COMPRESSION,
        blocksize=BLOCK,
        bigtiff="IF_SAFER",
        sparse_ok=True,
        overview_resampling="nearest",  # of nothing: the fastest
        **compression.of_cog(),
    )


def shapes_of(cog: Path) -> list[tuple[int, int]]:
    """Give rows and columns of a file's levels, the finest first."""
    with rasterio.open(cog) as dataset:
        shapes, levels = [dataset.shape], len(dataset.overviews(1))
    for level in range(levels):
        with rasterio.open(cog, overview_level=level) as dataset:
            shapes.append(dataset.shape)
    return shapes


class CompressedTile(NamedTuple):
    """A compressed tile."""

    data: bytes
    """Its bytes in the file."""
    checksum: int
    """Their CRC-32."""


def compressed(values: NDArray[Any], compression: Compression) -> list[CompressedTile]:
    """Compress pixels, shape ``(band, y, x)``, whose first begins a tile, row by row.

    Raises:
        OSError: They do not read back.

    """
    height, width = values.shape[-2:]
    profile: Mapping[str, Any] = {
        "driver": "GTiff",
        "dtype": values.dtype,
        "count": len(values),
        "height": height,
        "width": width,
        "compress": _COMPRESSION,
        "interleave": "pixel",
        "transform": _SOMEWHERE,
        **_TILES,
        **compression.of_tiles(values.dtype),
    }
    with MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(values)
        with memory.open() as dataset:
            if dataset.read().tobytes() != values.tobytes():
                raise OSError(errno.EIO, "what was compressed does not read back")
            found = [
                tuple(
                    int(dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", 1))
                    for what in ("OFFSET", "SIZE")
                )
                for row in range(-(-height // BLOCK))
                for col in range(-(-width // BLOCK))
            ]
        data = memory.getbuffer()
        each = [bytes(data[start : start + size]) for start, size in found]
    return [CompressedTile(data, zlib.crc32(data)) for data in each]


class Tiles:
    """The compressed tiles of one level, in a file, in the order in which they came."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int]) -> None:
        """Begin with none.

        Args:
            file: What they are written to; other levels may share it.
            shape: The level's rows and columns.

        """
        self._file = file
        self._across = -(-shape[1] // BLOCK)
        count = -(-shape[0] // BLOCK) * self._across
        self._starts = np.zeros(count, np.uint64)
        self.sizes = np.zeros(count, np.uint32)
        """How many bytes each has, row by row."""
        self.checksums = np.zeros(count, np.uint32)
        """Their CRC-32."""

    def put(self, window: Window, tiles: Sequence[CompressedTile]) -> None:
        """Keep the tiles of a window of the level, row by row."""
        across = -(-window.width // BLOCK)
        for number, (data, checksum) in enumerate(tiles):
            row, col = divmod(number, across)
            row, col = row + window.row // BLOCK, col + window.col // BLOCK
            index = row * self._across + col
            self._starts[index] = self._file.seek(0, 2)
            self.sizes[index], self.checksums[index] = len(data), checksum
            _write(self._file, data)

    def read(self, index: int) -> bytes:
        """Read a tile back."""
        self._file.seek(int(self._starts[index]))
        return self._file.read(int(self.sizes[index]))


def complete_cog(target: Path, levels: Sequence[Tiles]) -> None:
    """Put tiles into a file that was begun; levels are given the finest first.

    Raises:
        OSError: It cannot be written, or does not read back.

    """
    with target.open("r+b", buffering=0) as file:
        places = list(zip(_directories(file), levels, strict=True))
        end = file.seek(0, 2)
        for (offsets, sizes), tiles in reversed(places):
            starts = _starts_from(end, tiles)
            for index, size in enumerate(tiles.sizes):
                data = tiles.read(index)
                guards = int(size).to_bytes(_GUARD, "little"), data[-_GUARD:]
                _write(file, guards[0] + data + guards[1])
            end = file.tell()
            offsets.fill(file, starts)
            sizes.fill(file, tiles.sizes)
            file.seek(end)


def check_cog(path: Path, levels: Sequence[Tiles]) -> None:
    """Read a file back, and compare all its tiles.

    Raises:
        OSError: They are not what was put there.

    """
    with path.open("rb") as file:
        for (offsets, sizes), tiles in zip(_directories(file), levels, strict=True):
            is_same = np.array_equal(sizes.read(file), tiles.sizes)
            for index, start in enumerate(offsets.read(file) if is_same else ()):
                file.seek(int(start))
                data = file.read(int(tiles.sizes[index]))
                is_same = is_same and zlib.crc32(data) == tiles.checksums[index]
            if not is_same:
                raise OSError(errno.EIO, "what was written does not read back")
    with rasterio.open(path):  # what it says of itself is GDAL's to judge
        pass


def _starts_from(end: int, tiles: Tiles) -> NDArray[np.uint64]:
    """Say where each tile of a level begins that is put at the end of a file."""
    taken = tiles.sizes.astype(np.uint64) + 2 * _GUARD
    before = np.concatenate([[0], np.cumsum(taken[:-1], dtype=np.uint64)])
    return before.astype(np.uint64) + np.uint64(end + _GUARD)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """An array of whole numbers in a TIFF."""

    at: int
    """Where it begins."""
    length: int
    """How many there are."""
    dtype: np.dtype[Any]
    """What they are."""

    def read(self, file: BinaryIO) -> NDArray[Any]:
        """Read them."""
        file.seek(self.at)
        size = self.length * self.dtype.itemsize
        return np.frombuffer(_read(file, size), self.dtype)

    def fill(self, file: BinaryIO, numbers: NDArray[Any]) -> None:
        """Write others in their place, as many."""
        if len(numbers) != self.length or numbers.max() > np.iinfo(self.dtype).max:
            raise OSError(errno.EFBIG, "it has no room for where its tiles are")
        file.seek(self.at)
        _write(file, numbers.astype(self.dtype).tobytes())


def _directories(file: BinaryIO) -> list[tuple[_Numbers, _Numbers]]:
    """Find a TIFF's arrays of tiles' offsets and sizes, the full resolution first."""
    is_big = _read(file, 4, at=0) == b"II+\0"
    pointer, tally, entry = ("<Q", "<Q", "<HHQ8s") if is_big else ("<I", "<H", "<HHI4s")
    found, at = [], 8 if is_big else 4
    while at := _number(file, pointer, at):
        count, at = _number(file, tally, at), at + struct.calcsize(tally)
        tags = {}
        for _ in range(count):
            tag, kind, length, value = struct.unpack(
                entry, _read(file, struct.calcsize(entry), at=at)
            )
            at += struct.calcsize(entry)
            if tag in {_OFFSETS, _SIZES}:
                dtype = _INTEGERS[kind]
                is_here = length * dtype.itemsize <= len(value)
                there = int.from_bytes(value, "little")
                start = at - len(value) if is_here else there
                tags[tag] = _Numbers(start, length, dtype)
        found.append((tags[_OFFSETS], tags[_SIZES]))
    return found


def _number(file: BinaryIO, form: str, at: int) -> int:
    number: int = struct.unpack(form, _read(file, struct.calcsize(form), at=at))[0]
    return number


def _read(file: BinaryIO, size: int, at: int | None = None) -> bytes:
    """Read so many bytes, of a file that ends too soon none."""
    if at is not None:
        file.seek(at)
    data = file.read(size)
    if len(data) != size:
        raise OSError(errno.EIO, "what was written does not read back")
    return data


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of it: a file without a buffer may take less at a time."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
