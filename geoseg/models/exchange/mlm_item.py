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
from geoseg.models.exchange.mlm_inputs import (
    band_names,
    dtype_of,
    known_bands,
    named_input,
    scalings_of,
    side_of_tiles,
    with_common,
)
from geoseg.models.package.files import CARD, CONFIG, PICKLES, inside
from geoseg.models.package.make import Pixels
from geoseg.models.package.package import sha256
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geoseg.options import NewPackage

_SUFFIX = ".json"
_ROLES = ("mlm:model", "mlm:weights")
"""What an item's asset of weights is for, likelier first."""
_WEIGHTS = (".safetensors", ".onnx", *PICKLES)
_SHA256 = "1220"
"""What begins a multihash of SHA-256."""
_LARGEST = 4_000_000
"""Bytes of an item that are read."""
_UNSAID: dict[str, Any] = {"scale": 1.0, "offset": 0.0, "mean": (), "std": ()}
"""How pixels are normalised where nobody says."""


@dataclass(frozen=True, slots=True)
class Described:
    """What an item says of a model."""

    about: NewPackage
    """What a package needs to know."""
    pixels: Pixels
    """What no field of that says: how raw pixels are cut, or several images."""
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
    listed: list[dict[str, Any]] = own["mlm:input"]
    given = _only(own["mlm:output"])
    if not listed:
        raise ValueError("it has no mlm:input")
    known = known_bands(content)
    classes = about.classes or tuple(
        map(_class, given.get("classification:classes", []))
    )
    filled = replace(
        about,
        name=about.name or str(own.get("mlm:name") or content["id"]),
        classes=classes,
        gsd_m=about.gsd_m or float(own.get("gsd", 0)),
        tile=side_of_tiles(listed) or about.tile,
        version=str(own.get("version", about.version)),
        description=str(own.get("description", about.description)),
        license=str(own.get("license", "")) or about.license,
    )
    notes = _after(given)
    if about.inputs:  # its user knows what the model takes
        return Described(filled, Pixels(), notes)
    if len(listed) > 1:
        if about.bands or _says_scaling(about):
            said = ", ".join(str(each["name"]) for each in listed)
            raise ValueError(
                f"it has {len(listed)} inputs, {said}; say of each which bands it has "
                f"and how they are normalised by `inputs`, a file"
            )
        inputs = tuple(named_input(e, known, filled.gsd_m) for e in listed)
        return Described(filled, Pixels(inputs=inputs), notes)
    names = band_names(listed[0])
    filled = replace(
        filled,
        bands=about.bands or with_common(names, known),
        dtype=dtype_of(known.values()) or about.dtype,
    )
    if _says_scaling(about):  # its user knows how pixels are normalised
        return Described(filled, Pixels(), notes)
    folded = scalings_of(listed[0], filled.bands)
    clips = tuple(each.clip for each in folded)
    scaled = replace(
        filled,
        mean=tuple(each.centre for each in folded),
        std=tuple(each.spread for each in folded),
    )
    return Described(scaled, Pixels(clips if any(clips) else ()), notes)


def _says_scaling(about: NewPackage) -> bool:
    return any(getattr(about, each) != usual for each, usual in _UNSAID.items())


def _only(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    if len(outputs) != 1:
        raise ValueError(
            f"it has {len(outputs)} of mlm:output; geoseg takes models of one"
        )
    return outputs[0]


def _class(entry: dict[str, Any]) -> str:
    name = str(entry.get("name") or entry.get("title") or f"class {entry['value']}")
    colour = f":#{entry['color_hint']}" if entry.get("color_hint") else ""
    return f"{name.replace(':', ' ')}:{entry['value']}{colour}"


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
