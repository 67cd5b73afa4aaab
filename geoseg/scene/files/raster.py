"""One raster file: its pixel plane, pixels of a window, and where bands have data."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import MaskFlags, Resampling
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from geoseg.errors import SceneError, counted
from geoseg.geo.embeddings import Embedding, recognise, to_length_one
from geoseg.geo.geobox import GeoBox
from geoseg.scene.files.blocks import block_bytes
from geoseg.scene.files.datasets import GDAL_ERRORS, is_remote, opened
from geoseg.scene.files.failure import failure
from geoseg.scene.files.guard import MANY_FILES, ONE_FILE
from geoseg.scene.files.header import BandHeader, Header, shown
from geoseg.scene.files.parts import cut_for_cache
from geoseg.scene.files.paths import file_of
from geoseg.scene.files.quantised import (
    MASKED,
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

    from geoseg.geo.windows import Window
    from geoseg.options import SceneOptions
    from geoseg.storage.fingerprint import Fingerprint

_COARSE = 256
"""An overview has at least so many pixels a side to be of use."""
_SAMPLED = 2
"""Pixels a side that a picture's pixel averages of numbers that stand for features,
where no overview has done so at about its resolution."""
_FLOATS = frozenset(("float32", "float64"))
"""What learned features are held in that are not quantised."""


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
        values, data = self._read(dataset, bands, part, size)
        return block_means(values, data[0], shape)

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


def use(header: Header, options: SceneOptions) -> Raster:
    """Judge a header: make what can be read of it, or refuse it.

    Raises:
        SceneError: The file is nowhere on Earth or holds pixels that are no
            measurements.

    """
    name = shown(header.path)
    _check_bands(name, header.bands)
    indexes = _chosen(name, header.bands, options.numbers)
    alphas = [at for at, b in enumerate(header.bands, start=1) if b.role == "alpha"]
    bands = tuple(_overridden(header.bands[at - 1], options) for at in indexes)
    bands, embedding, stored = _as_features(name, bands, options)
    return Raster(
        path=header.path,
        driver=header.driver,
        geobox=georef_of(header, options.assume_crs),
        indexes=indexes,
        bands=bands,
        alpha=next((at for at in alphas if at not in indexes), None),
        overviews=header.overviews,
        acquired=header.acquired,
        fingerprint=header.fingerprint,
        embedding=embedding and replace(embedding, version=header.features_version),
        stored=stored,
    )


_Bands = tuple[BandHeader, ...]


def _as_features(
    name: str, bands: _Bands, options: SceneOptions
) -> tuple[_Bands, Embedding | None, str]:
    """Recognise whose learned features bands are: as the user says, or by their names.

    Returns:
        The bands as they are read; whose features they are, if any; and the dtype of
        numbers in the file that stand for them, empty where there are none.

    Raises:
        SceneError: They cannot be those that the user says.

    """
    said = options.numbers if isinstance(options.numbers, str) else None
    kind = said or recognise([band.name for band in bands])
    dtypes = {band.dtype for band in bands}
    is_quantised = all(_stands_for_features(band) for band in bands)
    can_be = is_quantised or dtypes <= _FLOATS
    if kind is None or not (can_be or said):
        return bands, None, ""
    made = Embedding(kind)
    if said is not None:
        if len(bands) != len(made.names) or not can_be:
            raise SceneError(
                f"{name} has {len(bands)} bands of {', '.join(sorted(dtypes))}; "
                f"{made.title} has {len(made.names)}, of int8 or of floats: leave out "
                f"`numbers={said}`, or give such a file"
            )
        named = zip(bands, made.names, strict=True)
        bands = tuple(replace(band, name=each) for band, each in named)
    if options.radiometry == "raw":
        return bands, None, ""
    if not is_quantised:
        return bands, made, ""
    values = tuple(
        replace(b, dtype="float32", nodata=None, scale=1.0, offset=0.0)
        if b.nodata == MASKED
        else replace(b, dtype="float32", scale=1.0, offset=0.0)
        for b in bands
    )
    return values, made, str(np.result_type(*dtypes))


def _stands_for_features(band: BandHeader) -> bool:
    """Whether a band may hold such numbers: int8, which VRTs may hand on as int16."""
    return band.dtype == "int8" or (band.dtype == "int16" and band.nodata == MASKED)


def _chosen(
    name: str, bands: Sequence[BandHeader], named: tuple[int, ...] | str
) -> tuple[int, ...]:
    """Choose the bands that are read, by number: all but alpha where none is given."""
    numbers = () if isinstance(named, str) else named
    if numbers and not all(1 <= number <= len(bands) for number in numbers):
        raise SceneError(
            f"{name} has {counted(len(bands), 'band')}, counted from 1; `numbers` asks "
            f"for "
            f"{', '.join(map(str, numbers))}"
        )
    if len(set(numbers)) < len(numbers):
        raise SceneError(
            f"`numbers` names a band twice: {', '.join(map(str, numbers))}; each is "
            f"read once"
        )
    measured = (at for at, b in enumerate(bands, start=1) if b.role != "alpha")
    chosen = numbers or tuple(measured)
    if not chosen:
        raise SceneError(f"{name} has no band but its alpha band; give another file")
    return chosen


def _check_bands(name: str, bands: Sequence[BandHeader]) -> None:
    for index, band in enumerate(bands, start=1):
        if band.dtype.startswith("complex"):
            raise SceneError(
                f"{name} holds complex numbers (band {index}); convert them to real "
                f"ones first"
            )
        if band.role == "palette":
            raise SceneError(
                f"{name} holds numbers of a palette's colours (band {index}), no "
                f"measurements; expand them first: gdal_translate -expand rgb"
            )


def _overridden(band: BandHeader, options: SceneOptions) -> BandHeader:
    if options.nodata is None:
        return band
    value = None if options.nodata == "none" else float(options.nodata)
    if value is not None and not np.isfinite(value):  # no data in any case
        value = None
    return replace(band, nodata=value, masked=band.masked and not band.long_nodata)


def georef_of(
    header: Header, assume_crs: str | None = None, *, can_assume: bool = True
) -> GeoBox:
    """Give a file's plane on Earth, or refuse one that has none.

    Args:
        header: The file's.
        assume_crs: The CRS of a file that names none.
        can_assume: Whether whoever named the file could have given one.

    Raises:
        SceneError: It is nowhere on Earth, or names a CRS that makes no sense.

    """
    name = shown(header.path)
    if header.transform == _IDENTITY:
        problem = _UNLOCATED[header.located_by]
        if recognise([band.name for band in header.bands]) and not header.located_by:
            problem += _PUBLISHED_VRT
        raise SceneError(f"{name} {problem}")
    if not all(map(math.isfinite, header.transform)):
        raise SceneError(
            f"{name} has a geotransform that holds no finite numbers; give it one "
            f"on Earth, for instance with gdal_translate -a_ullr"
        )
    if not header.wkt and assume_crs is None:
        raise SceneError(
            f"{name} has no coordinate reference system; assign one, for instance: "
            f"rio edit-info --crs EPSG:32633 {name}"
            + ", or say it with `assume_crs`"
            * can_assume
        )
    if header.wkt:
        try:
            crs = _crs_of(header.wkt)
        except CRSError as error:
            raise SceneError(
                f"{name} names a coordinate reference system that makes no sense; "
                f"assign it anew, for instance: rio edit-info --crs EPSG:32633 {name}"
            ) from error
    else:
        crs = parse_crs(str(assume_crs), "`assume_crs`")
    return GeoBox(header.height, header.width, Affine(*header.transform), crs)


_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of a file that has none."""
_UNLOCATED = {
    "": (
        "has no geotransform, so its pixels are nowhere on Earth; give it one, for "
        "instance with gdal_translate -a_ullr"
    ),
    "points": (
        "is located by ground control points only; rectify it first, for instance with "
        "gdalwarp"
    ),
    "rpc": (
        "is located by rational polynomials (RPC) only; rectify it first with a "
        "terrain model, for instance with gdalwarp -rpc -to RPC_DEM=dem.tif"
    ),
}
"""What is said of a file without a geotransform, by what locates it instead."""
_PUBLISHED_VRT = (
    "; copies of AlphaEarth that are stored from south to north have a .vrt beside "
    "each file that locates it: give that"
)
"""What is added of such a file of learned features."""


@lru_cache(maxsize=64)
def _crs_of(wkt: str) -> CRS:
    """Make a CRS once: ten thousand files share it, and comparing it costs nothing."""
    return CRS.from_wkt(wkt)


def parse_crs(text: str, flag: str) -> CRS:
    """Read a CRS as a user writes it.

    Raises:
        SceneError: It is none; the message names the flag.

    """
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError(
            f"{flag} is no coordinate reference system: {text!r}; write one such as "
            f"EPSG:32633, or a file's WKT"
        ) from error
    return crs.to_2d()


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
