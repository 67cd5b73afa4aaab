"""Models of others that a STAC item with the MLM extension describes.

The item is what its user names; its weights are the one file more that is read: beside
a file in its folder, of an address from the same server.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from geoseg.errors import ModelError
from geoseg.models.exchange.fetching import answer_of
from geoseg.models.package.locate import CARD, CONFIG, PICKLES, inside
from geoseg.models.package.package import sha256
from geoseg.models.package.value_scaling import Folded, fold, per_band
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.options import NewPackage

_SUFFIX = ".json"
_ROLES = ("mlm:model", "mlm:weights")
"""What an item's asset of weights is for, likelier first."""
_WEIGHTS = (".safetensors", ".onnx", *PICKLES)
_SHA256 = "1220"
"""What begins a multihash of SHA-256."""
_BANDS = ("bands", "raster:bands", "eo:bands")
"""Where an item describes its bands, by version of STAC."""
_PLANES = frozenset(("height", "width", "y", "x"))
_TURNS = frozenset(("batch", "b", "bands", "band", "channel", "channels", "c"))
_LARGEST = 4_000_000
"""Bytes of an item that are read."""
_UNSAID: dict[str, Any] = {"scale": 1.0, "offset": 0.0, "mean": (), "std": ()}
"""How pixels are normalised where nobody says."""


@dataclass(frozen=True, slots=True)
class Described:
    """What an item says of a model."""

    about: NewPackage
    """What a package needs to know."""
    clips: tuple[tuple[float, float] | None, ...]
    """The range to which raw pixels of each band are cut; empty for no cut."""
    notes: tuple[str, ...]
    """What it says beside that, and what was made of it, a sentence each."""


def is_item(source: str | Path) -> bool:
    """Whether a source is a file or an address that ends as items do."""
    text = str(source)
    path = urlsplit(text).path if _is_address(text) else text
    return path.endswith(_SUFFIX) and (_is_address(text) or Path(text).is_file())


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def read_item(source: str | Path) -> bytes:
    """Read an item's file, or fetch it.

    Raises:
        ModelError: It cannot be had.

    """
    if not _is_address(str(source)):
        with Path(source).open("rb") as file:
            return file.read(_LARGEST + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "item.json")
        _fetch(str(source), path, _LARGEST + 1)
        return path.read_bytes()


def describe_item(content: dict[str, Any], about: NewPackage, name: str) -> Described:
    """Read what an item says of its model.

    Args:
        content: The item.
        about: What its user says, which counts more.
        name: What people call the item.

    Raises:
        ModelError: It is no item with the MLM extension, or asks for what geoseg does
            not do.

    """
    try:
        return _described(content, about)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{name} is no STAC item with the MLM extension that geoseg can use "
            f"({type(error).__name__}: {error}); give the item of a model"
        ) from error
    except ValueError as error:
        raise ModelError(f"{name}: {error}") from error


def _described(content: dict[str, Any], about: NewPackage) -> Described:
    own = content["properties"]
    (taken,) = _all(own, "mlm:input", 1)
    (given,) = _all(own, "mlm:output", 1)
    names, known = _band_names(taken), _known_bands(content)
    bands = about.bands or tuple(_with_common(n, known.get(n, {})) for n in names)
    classes = about.classes or tuple(
        map(_class, given.get("classification:classes", []))
    )
    filled = replace(
        about,
        name=about.name or str(own.get("mlm:name") or content["id"]),
        bands=bands,
        classes=classes,
        gsd_m=about.gsd_m or float(own.get("gsd", 0)),
        tile=_tile(taken["input"]) or about.tile,
        dtype=_dtype(known.values()) or about.dtype,
        version=str(own.get("version", about.version)),
        description=str(own.get("description", about.description)),
        license=str(own.get("license", "")) or about.license,
    )
    notes = _after(given)
    if any(getattr(about, each) != usual for each, usual in _UNSAID.items()):
        return Described(filled, (), notes)  # its user knows how pixels are normalised
    _refuse_code(taken)
    scalings = per_band(taken.get("value_scaling"), len(bands))
    folded = [fold(each, name) for each, name in zip(scalings, bands, strict=True)]
    clips = tuple(each.clip for each in folded)
    return Described(_scaled(filled, folded), clips if any(clips) else (), notes)


def _scaled(filled: NewPackage, folded: Sequence[Folded]) -> NewPackage:
    return replace(
        filled,
        mean=tuple(each.centre for each in folded),
        std=tuple(each.spread for each in folded),
    )


def _all(own: dict[str, Any], what: str, count: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = own[what]
    if len(listed) != count:
        raise ValueError(f"it has {len(listed)} of {what}; geoseg takes models of one")
    return listed


def _band_names(taken: dict[str, Any]) -> list[str]:
    """List the bands of an input; those that are computed of others are refused."""
    names = []
    for band in taken["bands"]:
        if isinstance(band, dict) and band.get("expression") is not None:
            raise ValueError(
                f"its band {band['name']} is computed by {band['expression']!r} "
                f"({band.get('format')}), which geoseg does not execute; put it into "
                f"the network, and take the bands that it is made of"
            )
        names.append(str(band["name"] if isinstance(band, dict) else band))
    return names


def _known_bands(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect what an item and its assets say of bands, by name."""
    known: dict[str, dict[str, Any]] = {}
    for where in (content["properties"], *content["assets"].values()):
        for each in (band for key in _BANDS for band in where.get(key, [])):
            if "name" in each:
                known.setdefault(str(each["name"]), {}).update(each)
    return known


def _with_common(name: str, entry: dict[str, Any]) -> str:
    common = entry.get("eo:common_name") or entry.get("common_name")
    return f"{name}={common}" if common else name


def _dtype(bands: Any) -> str:  # noqa: ANN401  # what an item's values are
    """Give the type of raw pixels, where it is said and the same for all bands."""
    found = {str(band["data_type"]) for band in bands if "data_type" in band}
    return found.pop() if len(found) == 1 else ""


def _class(entry: dict[str, Any]) -> str:
    name = str(entry.get("name") or entry.get("title") or f"class {entry['value']}")
    colour = f":#{entry['color_hint']}" if entry.get("color_hint") else ""
    return f"{name.replace(':', ' ')}:{entry['value']}{colour}"


def _tile(entry: dict[str, Any]) -> int:
    """Give the side of tiles; 0 where any will do."""
    sides = dict(zip(entry["dim_order"], entry["shape"], strict=True))
    others = [name for name in sides if name not in _PLANES | _TURNS]
    if others:
        raise ValueError(
            f"its input has the dimension {others[0]}; geoseg takes models of single "
            f"images: tiles, bands, height and width"
        )
    planes = {int(side) for name, side in sides.items() if name in _PLANES}
    if len(planes) > 1:
        raise ValueError(
            f"its tiles have sides of {' and '.join(map(str, sorted(planes)))} pixels; "
            f"geoseg gives square ones"
        )
    return max(0, *planes, 0)


def _refuse_code(taken: dict[str, Any]) -> None:
    """Refuse what is done to pixels by code, or to their number."""
    for what in ("pre_processing_function", "resize_type", "norm_type"):
        entry = taken.get(what)
        if entry:
            named = entry.get("expression", entry) if isinstance(entry, dict) else entry
            raise ValueError(
                f"its input has {what} {named!r}, which geoseg does not execute; say "
                f"how pixels are normalised by `mean`, `std` and `scale`"
            )


def _after(given: dict[str, Any]) -> tuple[str, ...]:
    entry = given.get("post_processing_function")
    if not entry:
        return ()
    named = entry.get("expression", entry) if isinstance(entry, dict) else entry
    note = (
        f"its post_processing_function {named!r} was not executed: geoseg makes "
        f"classes of scores by itself"
    )
    return (note,)


@dataclass(frozen=True, slots=True)
class _Asset:
    """An item's file of weights."""

    href: str
    sha256: str | None


def _asset(content: dict[str, Any], name: str) -> _Asset:
    """Find the asset with the weights.

    Raises:
        ModelError: There is none that geoseg takes.

    """
    assets = [each for each in content["assets"].values() if isinstance(each, dict)]
    found = [
        each
        for role in _ROLES
        for each in assets
        if role in (each.get("roles") or ()) and _suffix(each["href"]) in _WEIGHTS
    ]
    if not found:
        # Without signatures, which messages leave out of whole addresses alone.
        hrefs = [str(each.get("href")).partition("?")[0] for each in assets]
        there = ", ".join(hrefs) or "none"
        raise ModelError(
            f"{name} has no asset with the role {_ROLES[0]} that is a safetensors or "
            f"an ONNX file (its assets: {there})"
        )
    checksum = str(found[0].get("file:checksum", ""))
    known = checksum.startswith(_SHA256)
    return _Asset(
        str(found[0]["href"]), checksum.removeprefix(_SHA256) if known else None
    )


def _suffix(href: str) -> str:
    return Path(unquote(urlsplit(href).path)).suffix.lower()


def bring_weights(content: dict[str, Any], source: str | Path, folder: Path) -> Path:
    """Give the file of an item's weights, fetched into a folder where need be.

    Raises:
        ModelError: It is elsewhere than the item, is not there, or is another file
            than the item says.

    """
    asset = _asset(content, str(source))
    file = Path(unquote(urlsplit(asset.href).path)).name
    if _is_address(str(source)):
        url = urljoin(str(source), asset.href)
        if urlsplit(url)[:2] != urlsplit(str(source))[:2]:
            raise ModelError(_elsewhere(url, source))
        weights = folder / file
        _fetch(url, weights)
    else:
        beside = Path(source).parent / file
        if _is_address(asset.href) and not beside.is_file():
            raise ModelError(_elsewhere(asset.href, source))
        near = file if _is_address(asset.href) else asset.href.removeprefix("./")
        weights = inside(beside.parent, near)
    if asset.sha256 is not None and sha256(weights) != asset.sha256:
        raise ModelError(
            f"{weights.name} is not the file that {source} describes: its SHA-256 is "
            f"{sha256(weights)}, and must be {asset.sha256}; fetch it again"
        )
    return weights


def is_own(content: dict[str, Any]) -> bool:
    """Whether an item is a package's own, of which nothing need be inferred."""
    return "geoseg:scale" in content.get("properties", {})


def bring_package(raw: bytes, source: str, folder: Path) -> None:
    """Fetch a package whose ``mlm.json`` is at an address into a folder.

    Raises:
        ModelError: It is a file, whose folder is a package; or something is not there.

    """
    if not _is_address(source):
        raise ModelError(
            f"{source} is of a model package already: give its folder to `model`"
        )
    weights = bring_weights(parse_item(raw, source), source, folder)
    if weights.suffix != ".onnx":
        _fetch(urljoin(source, CONFIG), folder / CONFIG, _LARGEST)
    (folder / CARD).write_bytes(raw)


def _elsewhere(url: str, source: str | Path) -> str:
    return (
        f"{without_secrets(str(source))} has its weights at {without_secrets(url)}, "
        f"and geoseg fetches nothing from where its user did not name; fetch that "
        f"file, put it beside the item, and give the item's file"
    )


def _fetch(url: str, path: Path, most: int | None = None) -> None:
    """Write what a server answers to a file, or no more than some bytes of it.

    Raises:
        ModelError: It cannot be had.

    """
    advice = (
        "fetch it on a machine with a network, put item and weights into one folder, "
        "and give the item's file"
    )
    with answer_of(url, advice) as answer, path.open("wb") as file:
        if most is None:
            shutil.copyfileobj(answer, file)
        else:
            file.write(answer.read(most))


def parse_item(raw: bytes, source: str | Path) -> dict[str, Any]:
    """Read an item's JSON.

    Raises:
        ModelError: It is none.

    """
    try:
        content = json.loads(raw) if len(raw) <= _LARGEST else None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{source} is no JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("assets"), dict):
        raise ModelError(
            f"{source} is no STAC item with assets; give the item of a model, with "
            f"the MLM extension"
        )
    return content


def package_folder(raw: bytes, source: str) -> str:
    """Name the folder in which the package of an item at an address is kept."""
    return f"{_digest(source.encode())}-{_digest(raw)}"


def kept_packages(source: str, within: Path) -> Iterator[Path]:
    """Give packages kept of an address, the newest first."""
    found = within.glob(f"{_digest(source.encode())}-*")
    yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
