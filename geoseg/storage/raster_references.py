"""What a file makes GDAL read besides itself, found before GDAL opens it.

Inputs are data, not programs. A VRT names other files, and so do some formats that
stand for services; opened without a look, one that came from elsewhere could put any
file of this machine, or of a network behind it, into a map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import rasterio

from geoseg.errors import SceneError
from geoseg.storage.allowed_drivers import allowed_drivers
from geoseg.storage.hdf5_references import check_hdf5, is_hdf5
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SNIFFED = 4096
"""Bytes at a file's beginning that show what it is."""
_LONGEST = 64_000_000
"""Bytes of the largest VRT that is looked through."""
_DEEPEST = 8
"""VRTs that may stand in one another."""

_FILES = frozenset(
    (
        *("GTiff", "COG", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID", "JP2Lura"),
        *("JPEG", "JPEGXL", "PNG", "WEBP", "BMP", "GIF", "BIGGIF", "HEIF", "PNM"),
        *("HFA", "ENVI", "EHdr", "AAIGrid", "GRASSASCIIGrid", "XYZ", "RST", "SAGA"),
        *("NITF", "ECW", "MrSID", "GRIB", "FITS", "DTED", "SRTMHGT", "USGSDEM"),
    )
)
"""Drivers of GDAL whose files hold their pixels: they name no others, or only some
whose paths are looked at once they are open. Not here are, among others, ISIS3, PDS4,
ERS, DIMAP and PCIDSK, whose files name those that hold the pixels."""
_FOLDERS = frozenset(("Zarr",))
"""Those of folders that are one raster."""
_CLASSIC = frozenset(("netCDF",))
"""Those of files that may be HDF5, where HDF5's own ways to other files count."""
_OF_HDF5 = frozenset(("netCDF", "HDF5", "HDF5Image", "BAG", "KEA"))
"""Those of files that are HDF5 for sure."""
_MARKS = (
    *(b"<VRTDataset", b"<GDALTileIndexDataset", b"<MRF_META", b"<GDAL_WMS"),
    *(b"<WCS_GDAL", b"<GDAL_WMTS", b"<WMT_MS_Capabilities"),
)
"""How files of such drivers begin."""
_UNSEEN = {
    ".vrt": "a VRT",
    **dict.fromkeys((".nc", ".nc4", ".cdf"), "netCDF"),
    **dict.fromkeys((".h5", ".he5", ".hdf5", ".hdf", ".kea", ".bag"), "HDF"),
}
"""Formats that are looked at before they are opened, by how names end."""
_NAMING = re.compile("filename|dataset|dsname|_dem|dempath|path|_file|url")
"""Names of elements, attributes and options of a VRT that hold paths."""
_PLAIN = frozenset(("vrtdataset", "relativetovrt", "subdataset", "datasettype"))
"""Names that look like it and do not."""


ALLOW = "if you trust the file, say so with `allow_external_references`"
"""What to do about a scene's file that refers to others."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """How a file may be opened."""

    drivers: tuple[str, ...]
    """The drivers of GDAL that may open it."""
    sources: tuple[Path, ...] = ()
    """Files that it makes GDAL read besides itself: to be admitted as well."""


def admit(
    path: str, file: Path | None, roots: Sequence[Path], advice: str = ALLOW
) -> Admitted:
    """Look at a file and say how it may be opened.

    Args:
        path: A file in GDAL's words.
        file: The file on a disk that holds it, or its archive; None elsewhere.
        roots: The folders that the user named, or named a file of: what a VRT refers
            to must lie in one of them.
        advice: What to do about a file that is refused.

    Raises:
        SceneError: It refers to something else, or runs code.

    """
    if file is None or path.startswith("/vsi"):
        _check_unseen(path, advice)
        return _by(_FILES | _FOLDERS)
    if not file.is_file():
        return _by(_FOLDERS)
    if _refers(file):
        sources = _check(file, [root.resolve() for root in roots], advice)
        return Admitted(("VRT",), tuple(dict.fromkeys(sources)))
    if is_hdf5(file):
        check_hdf5(file, advice)
        return _by(_OF_HDF5)
    return _by(_FILES | _CLASSIC)


def _by(drivers: frozenset[str]) -> Admitted:
    """Admit a file to drivers, and to those that somebody allowed."""
    return Admitted(_known(drivers | allowed_drivers()))


def _check_unseen(path: str, advice: str) -> None:
    """Refuse formats of which nothing can be seen on a server or in an archive."""
    kind = _UNSEEN.get(PurePosixPath(urlsplit(path).path).suffix.lower())
    if kind is not None:
        raise SceneError(
            f"{without_secrets(path)} is {kind} on a server or in an archive, where "
            f"geoseg cannot see beforehand what it reads; copy it to a disk, or "
            f"{advice}"
        )


def is_safe(driver: str) -> bool:
    """Whether a file's size and time cover all that a driver of GDAL reads for it."""
    return driver in _FILES | _FOLDERS


@cache
def _known(drivers: frozenset[str]) -> tuple[str, ...]:
    """Leave out drivers that GDAL here lacks; it would warn of them."""
    with rasterio.Env() as env:
        return tuple(sorted(drivers & set(env.drivers())))


def _refers(path: Path) -> bool:
    with path.open("rb") as file:
        beginning = file.read(_SNIFFED)
    return any(mark in beginning for mark in _MARKS)


def _check(
    path: Path, roots: list[Path], advice: str, depth: int = 0
) -> Iterator[Path]:
    """Give the files that a VRT reads, and VRTs in it; not those VRTs.

    Raises:
        SceneError: One is in none of the folders, or the VRT cannot be trusted.

    """
    if depth > _DEEPEST:
        raise SceneError(f"{path} refers to VRTs in VRTs without end; flatten it")
    for name, value, relative in _references(_parsed(path, advice)):
        if not value.strip():
            continue
        target = path.parent / value if relative else Path(value)
        resolved = target.resolve()
        if _is_name(value) or not any(resolved.is_relative_to(r) for r in roots):
            raise SceneError(
                f"{path} makes geoseg read {value!r} ({name}), which is in no folder "
                f"that you named; {advice}"
            )
        if resolved.is_file() and _refers(resolved):
            yield from _check(resolved, roots, advice, depth + 1)
        elif resolved.exists():
            yield target


def _is_name(value: str) -> bool:
    """Whether a reference is no plain path: a URL, inline XML, a driver's own name."""
    return bool(re.match(r"\s*(<|[A-Za-z0-9_+]{2,}:|/vsi)", value))


def _parsed(path: Path, advice: str) -> ET.Element:
    """Parse a VRT, if it is one."""
    text = path.read_bytes()
    if len(text) > _LONGEST:
        raise SceneError(f"{path} is too long for a VRT ({len(text):,} bytes)")
    if b"<VRTDataset" not in text[:_SNIFFED]:
        raise SceneError(
            f"{path} stands for other files or a service, which geoseg does not "
            f"follow by itself; {advice}"
        )
    return parse_xml(text, path, "VRT")


def parse_xml(text: bytes, path: Path | str, kind: str) -> ET.Element:
    """Parse XML without expanding anything.

    Args:
        text: A file's content.
        path: The file, for messages.
        kind: What it should be, for messages.

    Raises:
        SceneError: It declares entities, or is damaged.

    """
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise SceneError(f"{path} declares XML entities, which geoseg does not expand")
    try:
        return ET.fromstring(text)  # noqa: S314  # entities are refused above
    except ET.ParseError as error:
        raise SceneError(
            f"{path} is a damaged {kind} ({error}); make it again"
        ) from error


def _references(root: ET.Element) -> Iterator[tuple[str, str, bool]]:
    """Give each path that a VRT names: (in what, the path, is it relative)."""
    for element in root.iter():
        tag = element.tag.lower()
        relative = element.get("relativeToVRT", element.get("relativetoVRT")) == "1"
        if tag == "pixelfunctionlanguage" and "python" in (element.text or "").lower():
            raise SceneError(
                "a VRT with a pixel function in Python is refused: files are data, "
                "not programs"
            )
        for key, value in element.attrib.items():
            if _names_path(key):
                yield f"{element.tag} {key}", value, relative
        label = " ".join(
            (tag, *(element.get(k, "").lower() for k in ("key", "name", "domain")))
        )
        if len(element) == 0 and _names_path(label):
            yield element.tag, element.text or "", relative


def _names_path(label: str) -> bool:
    words = label.lower()
    return words not in _PLAIN and _NAMING.search(words) is not None
