"""All that a raster file says of itself, without a look at its pixels.

A header is plain values, so that those of ten thousand files can be kept on disk and
compared. What it says is judged elsewhere: `geoseg.scene.files.usable`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rasterio.enums import ColorInterp, MaskFlags

from geoseg.errors import SceneError
from geoseg.geo.embeddings import version_of
from geoseg.scene.files.datasets import GDAL_ERRORS, is_remote, reason, waited_for
from geoseg.scene.files.formats import choose_part, lacking
from geoseg.scene.files.guard import opened_guarded
from geoseg.scene.files.paths import file_of
from geoseg.scene.files.servers import check_answers, check_ranges
from geoseg.storage.fingerprint import Fingerprint, take_fingerprint
from geoseg.storage.raster_references import ALLOW
from geoseg.storage.remote import as_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import rasterio

_TIMES = ("TIFFTAG_DATETIME", "ACQUISITION_DATE", "DATE_ACQUIRED", "SENSING_TIME")
"""Tags that may say when a picture was acquired."""
_VERSIONS = ("TESSERA_DATASET_VERSION", "DATASET_VERSION")
"""Tags that say of which version learned features are."""
_PUBLISHED = re.compile(r"(?:^|/)v(\d[\d.]*)/annual/", re.IGNORECASE)
"""How the addresses of AlphaEarth's files say it."""
_LONG, _EXACT = ("int64", "uint64"), 1 << 53
"""Types whose values a float cannot always hold, and from where on it does not."""
_NUMBERED = re.compile(r"(band|layer|channel|bande|kanal)?[\W_]*\d+", re.IGNORECASE)
"""What is called ``Band 1``, ``band_1`` or ``1`` has a number, and no name."""
_COLOURS = {
    ColorInterp.red: "red",
    ColorInterp.green: "green",
    ColorInterp.blue: "blue",
}
_DECLARING = frozenset(("GTiff", "VRT"))
"""Drivers that call three bands red, green and blue where somebody said so; but for
bytes. Others have no other way to keep three bands."""
_BYTES = frozenset(("uint8",))
_PICTURE = 4
"""Bands of bytes that GDAL calls red, green, blue and alpha by itself, at most."""


@dataclass(frozen=True, slots=True)
class BandHeader:
    """What a file says of one band."""

    name: str
    """Its name; an empty string where it has none."""
    dtype: str
    """Its pixels' numpy dtype, or what rasterio calls one that numpy lacks."""
    nodata: float | None
    """The value that means "no data"; None where there is none, or it is NaN."""
    masked: bool
    """Whether a mask of the file says where it has data, instead of a value; an alpha
    band is none."""
    role: str
    """``alpha`` or ``palette`` where it is no measurement, else an empty string."""
    scale: float
    """A physical value is the pixel times this, plus the offset."""
    offset: float
    """See there."""
    common: str = ""
    """The name that other sensors share, where a document gives it; no file does."""
    long_nodata: bool = False
    """Whether the mask is that of a nodata value which no float holds."""
    colour: str = ""
    """``red``, ``green`` or ``blue`` where somebody said so of the file; empty where
    nobody did, or GDAL says so of any such file."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a raster file says of itself."""

    path: str
    """The file in GDAL's words."""
    driver: str
    """The driver of GDAL that opens it."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    transform: tuple[float, float, float, float, float, float]
    """The affine transform, row by row; the identity where there is none."""
    wkt: str
    """The CRS; an empty string where there is none."""
    bands: tuple[BandHeader, ...]
    """In the file's order."""
    overviews: tuple[int, ...]
    """By what its overviews are smaller."""
    located_by: str
    """``points`` or ``rpc`` where only ground control points or rational polynomials
    say where it is, else an empty string."""
    acquired: str
    """When the picture was acquired, as the file says it; an empty string where it does
    not."""
    fingerprint: Fingerprint = field(compare=False)
    """The file as it was when this was read."""
    features_version: str = ""
    """Of which version learned features are, as tags or the address of published ones
    say; empty where they do not."""


def shown(path: str | Path) -> str:
    """Write a path for people: GDAL's prefixes and secrets left out."""
    url = as_url(path)
    return str(path) if url is None else without_secrets(url)


def read_header(
    path: str, roots: Sequence[Path] | None = None, advice: str = ALLOW
) -> Header:
    """Read a raster's header.

    Args:
        path: A file in GDAL's words.
        roots: The folders that the file may refer to; None for any folder at all.
        advice: What to do about a file that refers to others.

    Raises:
        SceneError: It is missing, out of reach, no raster, or refers to files that
            were not named.

    """
    file = file_of(path)
    check_ranges(path)
    fingerprint = take_fingerprint(path if file is None else file)
    try:
        with waited_for(path), opened_guarded(path, roots, advice) as dataset:
            if not dataset.count:
                raise SceneError(choose_part(shown(path), dataset.subdatasets))
            return _header(path, fingerprint, dataset)
    except GDAL_ERRORS as error:
        check_answers(path)
        raise SceneError(
            lacking(shown(path))
            or f"{shown(path)} cannot be opened as a raster ({reason(error)}); "
            f"geoseg reads GeoTIFF and other formats of GDAL's whose files hold their "
            f"own pixels{'' if roots is None else _of_another(path, advice)}"
        ) from error


def _of_another(path: str, advice: str) -> str:
    answers = "; or its server answers badly" if is_remote(path) else ""
    return answers + (
        f"; if it is of another, name GDAL's driver for it, as in `driver='ISIS3'`, or "
        f"{advice}"
    )


def _header(
    path: str, fingerprint: Fingerprint, dataset: rasterio.DatasetReader
) -> Header:
    tags, colours = dataset.tags(), _colours(dataset)
    return Header(
        path=path,
        driver=dataset.driver,
        height=dataset.height,
        width=dataset.width,
        transform=tuple(dataset.transform)[:6],
        wkt="" if dataset.crs is None else dataset.crs.to_wkt(),
        bands=tuple(_band(dataset, *each) for each in enumerate(colours)),
        overviews=tuple(dataset.overviews(1)),
        located_by=_located_by(dataset),
        acquired=next((tags[tag] for tag in _TIMES if tags.get(tag)), ""),
        fingerprint=fingerprint,
        features_version=_features_version(path, tags),
    )


def _features_version(path: str, tags: Mapping[str, str]) -> str:
    """Find the version of learned features: by tags, or by where they are published."""
    version = next((tags[tag] for tag in _VERSIONS if tags.get(tag)), "")
    variant = tags.get("TESSERA_DATASET_VARIANT", "")
    published = _PUBLISHED.search(path)
    number = version_of(version) or (published[1] if published else "")
    return f"{number}-{variant}" if number and variant else number


def _band(dataset: rasterio.DatasetReader, index: int, colour: str) -> BandHeader:
    flags = dataset.mask_flag_enums[index]
    nodata: float | None = dataset.nodatavals[index]
    # rasterio gives nodata as a float, which may be another number, or not at all.
    is_long = MaskFlags.nodata in flags and dataset.dtypes[index] in _LONG
    is_long = is_long and (nodata is None or abs(nodata) >= _EXACT)
    if is_long:
        nodata = None
    return BandHeader(
        name=_name(dataset.descriptions[index]),
        dtype=dataset.dtypes[index],
        nodata=None if nodata is None or math.isnan(nodata) else float(nodata),
        masked=is_long or _is_masked(flags),
        role=_role(dataset, index),
        scale=float(dataset.scales[index]),
        offset=float(dataset.offsets[index]),
        long_nodata=is_long,
        colour=colour,
    )


def _name(described: str | None) -> str:
    """Give a band's name; nothing where it is called by a number."""
    name = described or ""
    return "" if _NUMBERED.fullmatch(name.strip()) else name


def _colours(dataset: rasterio.DatasetReader) -> list[str]:
    """Give the colour that each band was said to have, or nothing.

    GDAL calls three bands of bytes red, green and blue by itself.
    """
    colours = [_COLOURS.get(meaning, "") for meaning in dataset.colorinterp]
    is_picture = (
        [each for each in colours if each] == colours[:3] == [*_COLOURS.values()]
    )
    small = set(dataset.dtypes) == _BYTES and dataset.count <= _PICTURE
    if is_picture and (small or dataset.driver not in _DECLARING):
        return [""] * dataset.count
    return colours


def _is_masked(flags: Sequence[MaskFlags]) -> bool:
    """Return whether a mask of the file, and no band, says where a band has data."""
    known = (MaskFlags.alpha, MaskFlags.nodata, MaskFlags.all_valid)
    return not any(flag in flags for flag in known)


def _role(dataset: rasterio.DatasetReader, index: int) -> str:
    """Return what a band is if it is no measurement.

    GDAL calls the fourth band of any byte raster alpha unless it is declared otherwise
    when the file was made; one that has another name holds what the name says.
    """
    meaning, name = dataset.colorinterp[index], dataset.descriptions[index] or "alpha"
    if meaning == ColorInterp.alpha:
        return "alpha" if "alpha" in name.lower() else ""
    return "palette" if meaning == ColorInterp.palette else ""


def _located_by(dataset: rasterio.DatasetReader) -> str:
    if not dataset.transform.is_identity:
        return ""
    return "points" if dataset.gcps[0] else "rpc" if dataset.rpcs else ""
