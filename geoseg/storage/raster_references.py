"""What a file makes GDAL read besides itself, found before GDAL opens it.

Inputs are data, not programs. A VRT names other files, and so do some formats that
stand for services; opened without a look, one that came from elsewhere could put any
file of this machine, or of a network behind it, into a map.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import rasterio

from geoseg.errors import SceneError
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SNIFFED = 4096
"""Bytes at a file's beginning that show what it is."""
_LONGEST = 64_000_000
"""Bytes of the largest VRT that is looked through."""
_DEEPEST = 8
"""VRTs that may stand in one another."""

_UNSAFE = frozenset(
    (
        *("VRT", "DERIVED", "GTI", "STACIT", "STACTA", "MRF", "KMLSUPEROVERLAY"),
        *("WMS", "WMTS", "WCS", "OGCAPI", "HTTP", "NGW", "IIP"),
        *("PLMOSAIC", "EEDA", "EEDAI", "PostGISRaster", "TileDB", "Rasterlite"),
    )
)
"""Drivers of GDAL whose files make it read other places."""
_MARKS = (
    *(b"<VRTDataset", b"<GDALTileIndexDataset", b"<MRF_META", b"<GDAL_WMS"),
    *(b"<WCS_GDAL", b"<GDAL_WMTS", b"<WMT_MS_Capabilities"),
)
"""How files of such drivers begin."""
_VRT = ".vrt"
_NAMING = re.compile("filename|dataset|dsname|_dem|dempath|path|_file|url")
"""Names of elements, attributes and options of a VRT that hold places."""
_PLAIN = frozenset(("vrtdataset", "relativetovrt", "subdataset", "datasettype"))
"""Names that look like it and do not."""


ALLOW = "if you trust the file, say so with --allow-external-references"
"""What to do about a scene's file that refers to others."""


def allowed_drivers(
    place: str, roots: Sequence[Path], advice: str = ALLOW
) -> list[str]:
    """Look at a file on a disk and name the drivers that may open it.

    Args:
        place: The file.
        roots: The folders that the user named, or named a file of: what a VRT refers
            to must lie in one of them.
        advice: What to do about a file that is refused.

    Raises:
        SceneError: It refers to something else, or runs code.

    """
    path = Path(place)
    if path.suffix.lower() == _VRT and not path.is_file():
        raise SceneError(
            f"{without_secrets(place)} is a VRT on a server or in an archive, where "
            f"geoseg cannot see beforehand what it reads; copy it to a disk, or "
            f"{advice}"
        )
    if not path.is_file() or not _refers(path):
        return _safe_drivers()
    _check(path, [root.resolve() for root in roots], advice)
    return ["VRT"]


def is_safe(driver: str) -> bool:
    """Whether a driver of GDAL reads nothing but the file that it is given."""
    return driver not in _UNSAFE


@cache
def _safe_drivers() -> list[str]:
    with rasterio.Env() as env:
        return sorted(set(env.drivers()) - _UNSAFE)


def _refers(path: Path) -> bool:
    with path.open("rb") as file:
        beginning = file.read(_SNIFFED)
    return any(mark in beginning for mark in _MARKS)


def _check(path: Path, roots: list[Path], advice: str, depth: int = 0) -> None:
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
            _check(resolved, roots, advice, depth + 1)


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
    """Give each place that a VRT names: (in what, the place, is it relative)."""
    for element in root.iter():
        tag = element.tag.lower()
        relative = element.get("relativeToVRT", element.get("relativetoVRT")) == "1"
        if tag == "pixelfunctionlanguage" and "python" in (element.text or "").lower():
            raise SceneError(
                "a VRT with a pixel function in Python is refused: files are data, "
                "not programs"
            )
        for key, value in element.attrib.items():
            if _names_place(key):
                yield f"{element.tag} {key}", value, relative
        label = " ".join(
            (tag, *(element.get(k, "").lower() for k in ("key", "name", "domain")))
        )
        if len(element) == 0 and _names_place(label):
            yield element.tag, element.text or "", relative


def _names_place(label: str) -> bool:
    words = label.lower()
    return words not in _PLAIN and _NAMING.search(words) is not None
