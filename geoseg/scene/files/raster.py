"""One raster file: its pixel plane, pixels of a window, and where bands have data."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from geoseg.geo.embeddings import Embedding, to_length_one
from geoseg.scene.files.blocks import block_bytes
from geoseg.scene.files.datasets import GDAL_ERRORS, is_remote, opened
from geoseg.scene.files.failure import failure
from geoseg.scene.files.guard import MANY_FILES, ONE_FILE
from geoseg.scene.files.header import BandHeader, shown
from geoseg.scene.files.parts import cut_for_cache
from geoseg.scene.files.paths import file_of
from geoseg.scene.files.quantised import (
    block_means,
    decode,
    where_stored,
)
from geoseg.scene.files.retries import again
from geoseg.storage.fingerprint import check_unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import rasterio
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.windows import Window
    from geoseg.storage.fingerprint import Fingerprint

_COARSE = 256
"""An overview has at least so many pixels a side to be of use."""
_SAMPLED = 2
"""Pixels a side that a picture's pixel averages of numbers that stand for features,
where no overview has done so at about its resolution."""


@dataclass(frozen=True, slots=True)
class Raster:
    """A raster file that can be used, to be read window by window.

    It holds no open file, and can be sent to other threads and processes.
    """

    path: str
    """The file in GDAL's words."""
    driver: str
    """The driver of GDAL that opens it."""
    geobox: GeoBox
    """Its pixel plane."""
    indexes: tuple[int, ...]
    """For each band, its number in the file, counted from 1."""
    bands: tuple[BandHeader, ...]
    """The bands that hold measurements, in the file's order or the one asked for."""
    alpha: int | None
    """The number of the band that hides pixels where it is 0 or less, whatever its
    dtype; None where there is none."""
    overviews: tuple[int, ...]
    """By what its overviews are smaller."""
    acquired: str
    """When the picture was acquired; an empty string where that is not known."""
    fingerprint: Fingerprint
    """The file as it was when its header was read."""
    cloud: float | None = None
    """How much of the picture is cloudy, in percent; None where that is not known."""
    embedding: Embedding | None = None
    """Which learned features its bands are; None where they are something else."""
    stored: str = ""
    """The dtype of the whole numbers in the file that stand for features; empty of all
    else."""
    gives_stored: bool = False
    """Whether `read` gives such numbers as they are; pictures show features."""
    scales: Raster | None = None
    """What TESSERA's such numbers are multiplied with, on the same pixels: a band for
    all, or one for each; None of all else."""

    @property
    def is_quantised(self) -> bool:
        """Whether the file holds whole numbers that stand for features."""
        return bool(self.stored)

    @property
    def files(self) -> tuple[Raster, ...]:
        """The files that are read: itself, and that of its scales."""
        return (self,) if self.scales is None else (self, self.scales)

    @property
    def has_length_one(self) -> bool:
        """Whether all of its bands together are a vector of length 1."""
        made = self.embedding
        return (
            made is not None
            and made.has_length_one
            and len(self.bands) == len(made.names)
        )

    @property
    def name(self) -> str:
        """What people call the file."""
        return shown(self.path)

    def named(self, names: Sequence[str]) -> Raster:
        """Give the same file with other names of its bands."""
        pairs = zip(self.bands, names, strict=True)
        return replace(self, bands=tuple(replace(b, name=name) for b, name in pairs))

    def of_file(self) -> tuple[object, ...]:
        """What the file alone says, whatever else is known of its bands."""
        dtypes = tuple(band.dtype for band in self.bands)
        return self.path, self.driver, self.geobox, self.indexes, dtypes

    def block_bytes(self) -> int:
        """Count the bytes that are decoded to see one pixel of all its bands."""
        with opened(self.path, self.driver, self.fingerprint) as dataset:
            return block_bytes(dataset)

    def read(
        self,
        window: Window,
        bands: Sequence[int],
        out: NDArray[np.generic] | None = None,
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read the pixels of a window that lies inside the file.

        Args:
            window: What to read, in pixels of the file.
            bands: Which of its bands, counted from 0, in the order wanted.
            out: Where to put the pixels, in the bands' dtype; a new array where None.

        Returns:
            Pixels, shape ``(band, y, x)``, and where each band has data: the same
            shape, or ``(1, y, x)`` where all bands have data in the same pixels.

        Raises:
            SceneError: The file cannot be read there, for instance because it
                is damaged; the message names file and window.
            ChangedError: It is not the file any more whose header was read.

        """
        part = RasterioWindow(window.col, window.row, window.width, window.height)

        def read_once() -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            with self._opened(window) as dataset:
                if self.gives_stored:
                    return self._read_stored(dataset, bands, part)
                return self._read(dataset, bands, part, out=out)

        if is_remote(self.path):
            found = again(self.path, self.driver, read_once)
        else:
            found = read_once()
        self.check_unchanged(wholly=False)
        return found

    @property
    def is_looked_at_when_read(self) -> bool:
        """Whether `read` proves all that there is to be proved of a window."""
        one = self.driver in ONE_FILE and not is_remote(self.path)
        return one or self.driver in MANY_FILES

    def check_unchanged(self, *, wholly: bool) -> None:
        """Prove that the file is the one whose header was read.

        Args:
            wholly: See `geoseg.storage.fingerprint.check_unchanged`.

        Raises:
            ChangedError: It was changed, replaced or taken away.

        """
        file = file_of(self.path)
        check_unchanged(
            self.path if file is None else file, self.fingerprint, wholly=wholly
        )

    def _read(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int],
        part: RasterioWindow | None,
        shape: tuple[int, int] | None = None,
        out: NDArray[np.generic] | None = None,
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read a part, all where None, at its size or in another shape; see `read`."""
        indexes = [self.indexes[band] for band in bands]
        direct = None if self.is_quantised else out
        pixels = _pixels(dataset, indexes, window=part, out_shape=shape, out=direct)
        data = self._has_data(dataset, bands, part, pixels)
        if not self.is_quantised:
            return pixels, data
        if self.scales is None:
            return decode(pixels, data, None, out)
        size = pixels.shape[1], pixels.shape[2]
        return decode(pixels, data, self.scales.as_scales(bands, part, size), out)

    def _read_stored(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int],
        part: RasterioWindow,
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read numbers as they are, and where there is data as `decode` says it."""
        pixels = _pixels(dataset, [self.indexes[band] for band in bands], window=part)
        data = self._has_data(dataset, bands, part, pixels)
        return pixels, where_stored(pixels, data)

    def as_scales(
        self,
        bands: Sequence[int],
        part: RasterioWindow | None,
        shape: tuple[int, int],
    ) -> NDArray[np.generic]:
        """Read scales of some bands, ``(1 or band, y, x)``; NaN without data."""
        with self._opened() as dataset:
            which = [0] if len(self.bands) == 1 else bands
            pixels, data = self._read(dataset, which, part, shape)
        return np.where(data, pixels, np.float32(np.nan))

    @contextmanager
    def _opened(self, window: Window | None = None) -> Iterator[rasterio.DatasetReader]:
        """Open the file to be read; say what fails, and where, in a sentence."""
        try:
            with opened(self.path, self.driver, self.fingerprint) as dataset:
                yield dataset
        except GDAL_ERRORS as error:
            where = (
                f" at rows {window.rows[0]}-{window.rows[1]}, "
                f"columns {window.cols[0]}-{window.cols[1]}"
                if window
                else ""
            )
            raise failure(self.path, self.driver, error, where) from error

    @contextmanager
    def _opened_for_look(self) -> Iterator[rasterio.DatasetReader]:
        """Open the file for a look at it by its overviews; refuse one that lost them.

        Where GDAL cannot read them now, it reads all pixels in silence.
        """
        with self._opened() as dataset:
            if tuple(dataset.overviews(1)) != self.overviews:
                raise RasterioIOError("the overviews that it has cannot be read")
            yield dataset

    def coarse_valid(self, bands: Sequence[int]) -> NDArray[np.bool_] | None:
        """Read from an overview where each band has data, shape (band, y, x).

        A pixel of an overview stands for many, so what it says of small areas is
        an estimate. None where the file has no overviews.
        """
        size = self._coarsest()
        if size is None:
            return None
        with self._opened_for_look() as dataset:
            return self._read(dataset, bands, None, size)[1]

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window at the resolution of a picture, shape (band, y, x).

        Pixels are averaged, from overviews where there are some; those without data
        are masked.
        """
        down, across = window.height / shape[0], window.width / shape[1]
        picture: np.ma.MaskedArray = np.ma.masked_all((len(bands), *shape), np.float32)  # type: ignore[no-untyped-call]  # numpy's own
        with self._opened_for_look() as dataset:
            for (top, bottom), (left, right) in self._parts(dataset, window, shape):
                part = RasterioWindow(
                    window.col + left * across,
                    window.row + top * down,
                    (right - left) * across,
                    (bottom - top) * down,
                )
                size = bottom - top, right - left
                seen = self._averaged(dataset, bands, part, size)
                picture[:, top:bottom, left:right] = seen
        is_mean = max(down, across) > 1
        if is_mean and self.has_length_one and len(bands) == len(self.bands):
            picture.data[:] = to_length_one(picture.filled(0))
        return np.ma.masked_invalid(picture, copy=False)

    def _averaged(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int],
        part: RasterioWindow,
        shape: tuple[int, int],
    ) -> np.ma.MaskedArray:
        """Average the pixels of a part for a picture, those without data masked.

        GDAL takes a band for alpha that may be none, and knows none that are not of
        whole numbers. What stands for something else is no number to be averaged.
        """
        if self.is_quantised:
            return self._decoded_part(dataset, bands, part, shape)
        if _divides(part, shape) and not self._has_overview(part, shape):
            return block_means(*self._read(dataset, bands, part), shape)
        indexes = [self.indexes[band] for band in bands]
        by_gdal = MaskFlags.alpha in dataset.mask_flag_enums[indexes[0] - 1]
        how = {"window": part, "out_shape": shape}
        pixels = _pixels(
            dataset,
            indexes,
            resampling=Resampling.average,
            masked=self.alpha is not None or not by_gdal,
            **how,
        )
        picture = np.ma.MaskedArray(pixels)
        if self.alpha is not None and not by_gdal:
            hidden = ~(dataset.read(self.alpha, **how) > 0)
            picture = np.ma.masked_where(
                np.broadcast_to(hidden, picture.shape), picture
            )
        return picture

    def _has_overview(self, part: RasterioWindow, shape: tuple[int, int]) -> bool:
        """Whether GDAL has anything coarser for a picture than all pixels."""
        down = min(part.height / shape[0], part.width / shape[1])
        return any(factor <= down for factor in self.overviews)

    def _decoded_part(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int],
        part: RasterioWindow,
        shape: tuple[int, int],
    ) -> np.ma.MaskedArray:
        """Average what the numbers of a part stand for, some bands at a time.

        A few of them, from an overview where there is one: a picture shows no more, and
        all of 64 bands would take longer than the map.
        """
        down = min(part.height / shape[0], part.width / shape[1])
        is_near = any(down / _SAMPLED < factor <= down for factor in self.overviews)
        by = 1 if is_near else _SAMPLED
        size = (
            max(min(round(part.height), by * shape[0]), 1),
            max(min(round(part.width), by * shape[1]), 1),
        )
        return block_means(*self._read(dataset, bands, part, size), shape)

    def _parts(
        self, dataset: rasterio.DatasetReader, window: Window, shape: tuple[int, int]
    ) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Cut a picture of a window into what is read at once; see `cut_for_cache`."""
        source = window.height, window.width
        if self.overviews:  # one of them is read, less than twice as fine, most often
            source = min(source[0], 2 * shape[0]), min(source[1], 2 * shape[1])
        pixel_bytes = sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
        return cut_for_cache(shape, source, dataset.block_shapes[0], pixel_bytes)

    def share_of_data(self) -> float:
        """Estimate, from some pixels, the share that has data in all bands."""
        height, width = self.geobox.height, self.geobox.width
        size = min(height, _COARSE), min(width, _COARSE)
        with self._opened_for_look() as dataset:
            _, data = self._read(dataset, range(len(self.bands)), None, size)
        return float(data.all(axis=0).mean())

    def _has_data(
        self,
        dataset: rasterio.DatasetReader,
        bands: Sequence[int],
        part: RasterioWindow | None,
        pixels: NDArray[np.generic],
    ) -> NDArray[np.bool_]:
        """Return where bands have data, (band, y, x), or (1, y, x) if all have alike.

        GDAL's own masks know alpha bands of few types and offsets, and take twice the
        time of a comparison.
        """
        chosen = [(self.indexes[band], self.bands[band]) for band in bands]
        data = _labelled_data(dataset, chosen, part, pixels)
        if self.alpha is not None:
            shape = data.shape[1:]
            data &= dataset.read(self.alpha, window=part, out_shape=shape) > 0
        return data

    def _coarsest(self) -> tuple[int, int] | None:
        """The size of the smallest overview that is worth a look."""
        height, width = self.geobox.height, self.geobox.width
        sizes = [(-(-height // by), -(-width // by)) for by in self.overviews]
        useful = [size for size in sizes if min(size) >= _COARSE] or sizes[:1]
        return useful[-1] if useful else None


def _divides(part: RasterioWindow, shape: tuple[int, int]) -> bool:
    """Whether each pixel of a picture shows as many whole pixels of a part."""
    edges = part.row_off, part.col_off, part.height / shape[0], part.width / shape[1]
    return all(float(edge).is_integer() for edge in edges)


def _pixels(
    dataset: rasterio.DatasetReader,
    indexes: list[int],
    *,
    out_shape: tuple[int, int] | None = None,
    out: NDArray[np.generic] | None = None,
    **how: object,
) -> NDArray[np.generic]:
    """Read bands, shape (band, y, x), in a dtype that holds all.

    rasterio reads together only those of one dtype; in a VRT they may differ.
    They come in a new array then.
    """
    if len({dataset.dtypes[index - 1] for index in indexes}) == 1:
        size = out_shape and (len(indexes), *out_shape)
        pixels: NDArray[np.generic] = dataset.read(
            indexes, out_shape=size, out=out, **how
        )
        return pixels
    read = [dataset.read(index, out_shape=out_shape, **how) for index in indexes]
    stack = np.ma.stack if how.get("masked") else np.stack
    stacked: NDArray[np.generic] = stack(read)
    return stacked


def _labelled_data(
    dataset: rasterio.DatasetReader,
    bands: Sequence[tuple[int, BandHeader]],
    part: RasterioWindow | None,
    pixels: NDArray[np.generic],
) -> NDArray[np.bool_]:
    """Return where bands, each with its number, have data by all but an alpha band.

    Shape (band, y, x), or (1, y, x) where all bands are valid alike.
    """
    numbers = np.issubdtype(pixels.dtype, np.floating)
    masked = [row for row, (_, band) in enumerate(bands) if band.masked]
    if not (numbers or masked or any(band.nodata is not None for _, band in bands)):
        return np.ones((1, *pixels.shape[1:]), np.bool_)
    data = _is_number(pixels) if numbers else np.ones(pixels.shape, np.bool_)
    for row, (_, band) in enumerate(bands):
        if band.nodata is not None:
            data[row] &= pixels[row] != _as(band.nodata, pixels.dtype)
    if masked:
        indexes = [bands[row][0] for row in masked]
        shape = (len(masked), *data.shape[1:])
        masks = dataset.read_masks(indexes, window=part, out_shape=shape)
        _check_masks_are_there(dataset, indexes)
        data[masked] &= masks != 0
    return data


def _check_masks_are_there(
    dataset: rasterio.DatasetReader, indexes: Sequence[int]
) -> None:
    """Refuse a file whose header had masks that GDAL, in silence, could not read now.

    Raises:
        RasterioIOError: So it is: all would be taken for valid.

    """
    flags = dataset.mask_flag_enums
    if any(MaskFlags.all_valid in flags[index - 1] for index in indexes):
        raise RasterioIOError("the mask that says where it has data cannot be read")


def _is_number(pixels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which floats are numbers to a model, which computes in float32.

    A float64 that float32 cannot hold is infinite to it: what stands for "no data" in
    many files, declared or not.
    """
    with np.errstate(over="ignore"):
        return np.isfinite(pixels.astype(np.float32, copy=False))


def _as(value: float, dtype: np.dtype[np.generic]) -> object:
    """Write a nodata value in a band's dtype, where it can be written in it."""
    if np.issubdtype(dtype, np.floating):
        return dtype.type(value)
    return int(value) if value == int(value) else value
