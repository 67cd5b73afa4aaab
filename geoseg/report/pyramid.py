"""A map and its image as tiles for a browser, on the map's own pixels.

Level 0 is small; each further one has twice the rows and columns, and the last is the
map itself. A tile of the map holds two planes of bytes, such as classes and confidence
in percent, one after the other and deflated, so that the page knows what is under the
cursor and not only its colour; one of the image is a JPEG. Pixels come from overviews
where a raster has them. What is embedded is bounded by bytes, and so is memory.
"""

from __future__ import annotations

import base64
import io
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np
import rasterio
from PIL import Image as Pillow
from rasterio.enums import Resampling

from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.raster.extents import squares
from geoseg.raster.rasterio_windows import to_rasterio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.report.imagery import Shown
    from geoseg.report.report import Json

SIDE = 256
"""Rows and columns of a tile."""
_COARSEST = 512
"""What is no longer than this on either side is level 0."""
MEGABYTE = 1_000_000
_DEFLATE = 6
_QUALITY = 82
"""Of a JPEG, 1 to 95."""
_GROWTH = 3
"""How many times as many bytes the next level has, at the least."""
_IMAGE_PIXEL = 0.3
"""Bytes that a pixel of the image takes, about."""
_BASE64 = 3 / 4
_MOST_HELD = 24_000_000
"""Pixels of planes that are made on the way."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a map."""

    factor: int
    """Rows of the map, and columns, that are one of the level's."""
    height: int
    """Its rows."""
    width: int
    """Its columns."""

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.height * self.width

    def tiles(self) -> Iterator[tuple[int, int]]:
        """Give the row and column of each tile."""
        return product(range(-(-self.height // SIDE)), range(-(-self.width // SIDE)))

    def has(self, row: int, col: int) -> bool:
        """Whether it has such a tile."""
        return row * SIDE < self.height and col * SIDE < self.width

    def window(self, row: int, col: int) -> Window:
        """Give the pixels of the level that a tile has."""
        top, left = row * SIDE, col * SIDE
        height, width = min(SIDE, self.height - top), min(SIDE, self.width - left)
        return Window(top, left, height, width)

    def ground(self, window: Window, height: int, width: int) -> Window:
        """Give the map's pixels under some of the level's, on a map of this size."""
        bottom, right = window.row + window.height, window.col + window.width
        return Window.between(
            (window.row * self.factor, min(height, bottom * self.factor)),
            (window.col * self.factor, min(width, right * self.factor)),
        )


def levels_of(height: int, width: int) -> tuple[Level, ...]:
    """List the levels of a map, the coarsest first.

    Example:
        >>> [(each.factor, each.height) for each in levels_of(1025, 700)]
        [(4, 257), (2, 513), (1, 1025)]

    """
    factor = 1
    while max(height, width) > factor * _COARSEST:
        factor *= 2
    levels = []
    while factor:
        levels.append(Level(factor, -(-height // factor), -(-width // factor)))
        factor //= 2
    return tuple(levels)


def finest_image(plane: GeoBox, megabytes: float) -> Level:
    """Give the finest level at which a page of so many megabytes may show an image."""
    levels = levels_of(plane.height, plane.width)
    return levels[_fitting(levels, megabytes * MEGABYTE * _BASE64) - 1]


class Planes(Protocol):
    """Two bytes of each pixel of a map."""

    @property
    def geobox(self) -> GeoBox:
        """The map's pixel plane."""

    @property
    def finest(self) -> int:
        """The least factor of a level that can be read."""

    def read(self, level: Level, window: Window) -> NDArray[np.uint8]:
        """Read both planes in a window of a level, shape (2, y, x)."""


@dataclass(frozen=True, slots=True)
class ClassPlanes:
    """The classes of a map, and how sure it is of them, from two rasters."""

    geobox: GeoBox
    """The plane of both."""
    classes: Path
    """Class ids; 255 is nodata."""
    confidence: Path | None
    """Percent; 255 where there is none."""
    finest: int = 1
    """The least factor of a level that can be read."""
    held: _Opened | None = field(default=None, compare=False)
    """The files, where they stay open between readings."""

    @contextmanager
    def holding(self) -> Iterator[ClassPlanes]:
        """Keep the files open meanwhile, for one thread that reads many tiles."""
        with ExitStack() as stack:
            yield replace(self, held=_Opened(stack))

    def read(self, level: Level, window: Window) -> NDArray[np.uint8]:
        """Read classes by the most frequent one, and confidences by their mean."""
        classes = self._plane(self.classes, level, window, Resampling.mode)
        if self.confidence is None:
            return np.stack([classes, np.full_like(classes, NODATA)])
        mean = self._plane(self.confidence, level, window, Resampling.average)
        return np.stack([classes, mean])

    def _plane(
        self, path: Path, level: Level, window: Window, resampling: Resampling
    ) -> NDArray[np.uint8]:
        with ExitStack() as stack:
            opened = self.held or _Opened(stack)
            dataset = opened(path)
            factors = [1, *dataset.overviews(1)]
            if level.factor in factors:
                at = factors.index(level.factor) - 1
                whole: NDArray[np.uint8] = opened(path, at).read(
                    1, window=to_rasterio(window)
                )
                return whole
            found: NDArray[np.uint8] = dataset.read(
                1,
                window=to_rasterio(level.ground(window, *dataset.shape)),
                out_shape=(window.height, window.width),
                resampling=resampling,
            )
            return found


class _Opened:
    """Rasters that are opened once each, until a stack is left."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._known: dict[tuple[Path, int], rasterio.DatasetReader] = {}

    def __call__(self, path: Path, overview: int = -1) -> rasterio.DatasetReader:
        """Give a raster at one of its overviews, counted from 0; itself by -1."""
        key = path, overview
        if key not in self._known:
            at = {} if overview < 0 else {"overview_level": overview}
            self._known[key] = self._stack.enter_context(rasterio.open(path, **at))
        return self._known[key]


@dataclass(frozen=True, slots=True)
class SampledPlanes:
    """Planes that are made on the way, of which one pixel in many is held."""

    geobox: GeoBox
    """The plane of all their pixels."""
    finest: int
    """Rows of the plane, and columns, that one that is held stands for."""
    held: NDArray[np.uint8]
    """The pixels in the middle of these, shape ``(2, y, x)``."""

    @classmethod
    def of(
        cls, geobox: GeoBox, make: Callable[[Window], NDArray[np.uint8]]
    ) -> SampledPlanes:
        """Hold as many pixels as memory should, of planes that are made by squares.

        Args:
            geobox: Their plane.
            make: Gives both planes in a window, shape ``(2, y, x)``.

        """
        levels = levels_of(geobox.height, geobox.width)
        level = [
            each
            for each in levels
            if each.pixels <= _MOST_HELD or each.factor == levels[0].factor
        ][-1]
        factor = level.factor
        held = np.empty((2, level.height, level.width), np.uint8)
        for window in squares(Window(0, 0, geobox.height, geobox.width)):
            rows, cols = (
                np.minimum(
                    np.arange(factor // 2, length + factor // 2, factor), length - 1
                )
                for length in (window.height, window.width)
            )
            top, left = window.row // factor, window.col // factor
            there = slice(top, top + len(rows)), slice(left, left + len(cols))
            held[:, *there] = make(window)[:, rows[:, np.newaxis], cols]
        return cls(geobox, factor, held)

    def read(self, level: Level, window: Window) -> NDArray[np.uint8]:
        """Take the pixels in the middle of the level's, shape ``(2, y, x)``."""
        by = level.factor // self.finest
        rows, cols = (
            np.minimum(np.arange(*ends) * by + by // 2, length - 1)
            for ends, length in zip(
                (window.rows, window.cols), self.held.shape[1:], strict=True
            )
        )
        return self.held[:, rows[:, np.newaxis], cols]


@dataclass(frozen=True, slots=True)
class Pyramid:
    """The tiles that a page holds."""

    levels: tuple[Level, ...]
    """All levels of the map, the coarsest first."""
    tiles: dict[str, tuple[dict[str, str], ...]]
    """For ``map`` and ``image`` the tiles of each level that is there, as base64, by
    ``row/col``; a tile without data is left out."""

    @property
    def is_whole(self) -> bool:
        """Whether the map is there at its full resolution."""
        return len(self.tiles["map"]) == len(self.levels)

    def as_json(self) -> dict[str, Json]:
        """Give what the page's script finds."""
        return {
            "levels": [
                {"factor": each.factor, "height": each.height, "width": each.width}
                for each in self.levels
            ],
            "embedded": {name: len(found) for name, found in self.tiles.items()},
            "tiles": {
                name: {
                    f"{z}/{key}": text
                    for z, tiles in enumerate(found)
                    for key, text in tiles.items()
                }
                for name, found in self.tiles.items()
            },
        }


def build_pyramid(planes: Planes, image: Shown | None, limit: int) -> Pyramid:
    """Cut a map and its image into tiles, as fine as a limit allows.

    Args:
        planes: The map.
        image: What lies under it.
        limit: Bytes that the tiles may take as base64. Level 0 is there in any case.

    """
    geobox = planes.geobox
    levels = levels_of(geobox.height, geobox.width)
    room = limit * _BASE64
    of_map = _finest(
        [each for each in levels if each.factor >= planes.finest],
        lambda level, window: map_tile(planes, level, window),
        room if image is None else room * 0.6,
    )
    room -= sum(map(_size, of_map))
    tiles = {"map": of_map, "image": []}
    if image is not None:
        tiles["image"] = _image_tiles(levels, geobox, image, room)
    return Pyramid(
        levels,
        {
            name: tuple(
                {key: base64.b64encode(t).decode("ascii") for key, t in each.items()}
                for each in found
            )
            for name, found in tiles.items()
        },
    )


def map_tile(planes: Planes, level: Level, window: Window) -> bytes | None:
    """Deflate both planes of a tile; None where it has no class."""
    found = planes.read(level, window)
    if (found[0] == NODATA).all():
        return None
    return zlib.compress(found.tobytes(), _DEFLATE)


def image_tile(image: Shown, plane: GeoBox, level: Level, window: Window) -> bytes:
    """Show a tile of the image as a JPEG of its whole side."""
    ground = level.ground(window, plane.height, plane.width)
    return _jpeg(image.read(plane, ground, (window.height, window.width)))


def _size(tiles: dict[str, bytes]) -> int:
    return sum(map(len, tiles.values()))


def _finest(
    levels: Sequence[Level],
    make: Callable[[Level, Window], bytes | None],
    room: float,
) -> list[dict[str, bytes]]:
    """Make the tiles of as many levels as there is room for, but of the first."""
    made: list[dict[str, bytes]] = []
    for level in levels:
        last = _size(made[-1]) if made else 0
        if made and last * _GROWTH > room:
            break
        tiles = _tiles_within(level, make, room if made else float("inf"))
        if tiles is None:
            break
        made.append(tiles)
        room -= _size(tiles)
    return made


def _tiles_within(
    level: Level, make: Callable[[Level, Window], bytes | None], room: float
) -> dict[str, bytes] | None:
    """Make the tiles of a level; None where they take more room than there is."""
    tiles: dict[str, bytes] = {}
    for row, col in level.tiles():
        tile = make(level, level.window(row, col))
        if tile is None:
            continue
        tiles[f"{row}/{col}"] = tile
        room -= len(tile)
        if room < 0:
            return None
    return tiles


def _image_tiles(
    levels: Sequence[Level], plane: GeoBox, image: Shown, room: float
) -> list[dict[str, bytes]]:
    """Show an image at as many levels as there is room for, from one reading of it.

    A scene without overviews is read as a whole for a picture of any size: so the
    coarser levels are averages of the finest.
    """
    worth = image.most_pixels * _IMAGE_PIXEL
    wanted = levels[: _fitting(levels, min(room, worth))]
    picture = _whole_picture(image, plane, wanted[-1])
    made: list[dict[str, bytes]] = []
    for level in reversed(wanted):
        indexed = ((row, col, level.window(row, col)) for row, col in level.tiles())
        tiles = {f"{row}/{col}": _jpeg(picture[w.slices()]) for row, col, w in indexed}
        made.insert(0, tiles)
        picture = _halved(picture)
    while len(made) > 1 and sum(map(_size, made)) > room:
        made.pop()
    return made


def _fitting(levels: Sequence[Level], room: float) -> int:
    """Count the levels at which an image has room, at least the first."""
    return max(1, sum(level.pixels * _IMAGE_PIXEL < room for level in levels))


def _whole_picture(image: Shown, plane: GeoBox, level: Level) -> NDArray[np.uint8]:
    """Show a level of an image, shape (y, x, rgb), strip by strip."""
    picture = np.empty((level.height, level.width, 3), np.uint8)
    step = image.rows_at_once(level.width)
    for top in range(0, level.height, step):
        rows = min(step, level.height - top)
        strip = Window(top, 0, rows, level.width)
        ground = level.ground(strip, plane.height, plane.width)
        picture[strip.slices()] = image.read(plane, ground, (rows, level.width))
    return picture


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average squares of 2 x 2 pixels; an odd last row or column stands for two."""
    height, width = picture.shape[:2]
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    pairs = even[0::2].astype(np.uint16) + even[1::2]
    return ((pairs[:, 0::2] + pairs[:, 1::2] + 2) // 4).astype(np.uint8)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Write a tile, shape (y, x, rgb), as a JPEG of a whole tile's side."""
    missing = [(0, SIDE - side) for side in picture.shape[:2]]
    whole = np.pad(picture, (*missing, (0, 0)), mode="edge")
    buffer = io.BytesIO()
    Pillow.fromarray(whole).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
