"""A published model brought here as a package: from the network, or from a copy."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.models.exchange.dynamic_world import (
    cut_tensors,
    dynamic_world_card,
    dynamic_world_network,
)
from geoseg.models.exchange.fetching import answer_of
from geoseg.models.exchange.mlm_item import (
    bring_package,
    bring_weights,
    describe_item,
    is_item,
    is_own,
    kept_packages,
    package_folder,
    parse_item,
    read_item,
)
from geoseg.models.exchange.recipes import DYNAMIC_WORLD, RECIPES, Recipe
from geoseg.models.exchange.tensor_bundle import INDEX, SHARD, read_bundle, read_small
from geoseg.models.networks.dynamic_world import DynamicWorld
from geoseg.models.networks.network import load_bare, save_package
from geoseg.models.package.files import CARD, CONFIG, PICKLES, WEIGHTS, inside
from geoseg.models.package.hub import SCHEME, Repository, fetch_weights
from geoseg.models.package.installed import models_folder
from geoseg.models.package.make import make_package
from geoseg.models.package.new_folder import new_folder
from geoseg.models.package.package import ModelPackage, read_package, sha256
from geoseg.models.package.trial import try_network
from geoseg.options import NewPackage
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_FOLDERS = ("", "variables", "forward/variables", "model/forward/variables")
"""Where in a copy of Dynamic World's repository, or of a part, the weights are."""

_WEIGHTS = (".safetensors", ".onnx", *PICKLES)
"""Suffixes of files of bare weights."""
_KEPT = ".items"
"""Where packages of items that were given as models are kept, among the user's."""
_UNSTATED = "other"
"""What a package says of a licence that nobody stated."""
_TRIED = 64
"""The side of the tile that is sent through a network before its package appears."""


def import_model(
    source: str | Path,
    output: Path | None = None,
    about: NewPackage | None = None,
    *,
    on_step: OnStep = ignore_step,
) -> ModelPackage:
    """Make a package of a published model, and prove that it can be used.

    Args:
        source: A name of `available_models`, for which the network is asked; a copy
            of what is published, its repository's folder or file of weights; or a
            checkpoint, a safetensors or ONNX file, or a folder
            as smp's ``save_pretrained`` makes them; or ``hf://owner/name`` or
            ``hf://owner/name/file`` with any of these; or a STAC item with the MLM
            extension, its file or address.
        output: The package's folder, which must not exist or be empty; where None, one
            of the model's or the file's name where geoseg finds models by name.
        about: What such a file does not say of itself.
        on_step: Called when it is made, with warnings of what is in doubt.

    Returns:
        The package. It says where its weights came from, and what their licence is.

    Raises:
        ModelError: Nothing is known of the source; it is damaged; or the network
            cannot be reached.
        OutputError: The folder has something in it.

    """
    if is_item(source):
        raw = read_item(source)
        return _of_item(raw, str(source), output, about or NewPackage(), on_step)
    about = about or NewPackage()
    if str(source).startswith(SCHEME):
        found = fetch_weights(str(source))
        return _of_repository(str(source), found, output, about, on_step)
    weights = _bare_weights(source)
    if weights is not None:
        return _make(weights, output, about, on_step)
    tensors, checksum = _take(source)
    recipe = DYNAMIC_WORLD
    network = dynamic_world_network(tensors)
    known = checksum == recipe.sha256
    origin = f"{recipe.home} ({recipe.version})" if known else "a file of other weights"
    card = dynamic_world_card(network, f"{origin}, SHA-256 {checksum}")
    output = output or models_folder() / recipe.name
    with new_folder(output) as folder:
        save_package(folder, network, card, half=False)
        package = read_package(folder)
        try_network(load_bare(package), replace(package, tile=_TRIED), str(source))
    warnings = () if known else (_other_weights(source, recipe, checksum),)
    on_step(Step("prepare", warnings=warnings))
    return read_package(output)


def _of_item(
    raw: bytes,
    source: str,
    output: Path | None,
    about: NewPackage,
    on_step: OnStep,
) -> ModelPackage:
    """Make a package of an item with the MLM extension, and the weights it names."""
    item = parse_item(raw, source)
    if is_own(item):
        output = output or models_folder() / str(item.get("id", "model"))
        with new_folder(output) as folder:
            bring_package(raw, source, folder)
            read_package(folder)
        return read_package(output)
    described = describe_item(item, about, source)
    with tempfile.TemporaryDirectory() as fetched:
        weights = bring_weights(item, source, Path(fetched))
        origin = f"{without_secrets(source)}, {weights.name}, SHA-256 {sha256(weights)}"
        package = make_package(
            weights,
            output or models_folder() / described.about.name,
            replace(described.about, source=about.source or origin),
            pickled=weights.suffix.lower() in PICKLES,
            pixels=described.pixels,
            on_step=on_step,
        )
    if described.notes:
        on_step(Step("prepare", warnings=described.notes))
    return package


def open_item(source: str) -> Path:
    """Give the folder of the package that an item becomes, kept for the next time.

    Args:
        source: The item's file or address.

    Raises:
        ModelError: It cannot be had, or does not say enough of its model: what it
            leaves open is said to `import_model`.

    """
    within = models_folder() / _KEPT
    try:
        raw = read_item(source)
    except ModelError:
        for folder in kept_packages(source, within):
            return folder  # no network: what was fetched before
        raise
    folder = within / package_folder(raw, source)
    if not (folder / CARD).is_file():
        try:
            _of_item(raw, source, folder, NewPackage(), ignore_step)
        except ModelError as error:
            raise ModelError(
                f"{error} (what it leaves open is said to geoseg models import "
                f"{without_secrets(source)})"
            ) from error
    return folder


def _bare_weights(source: str | Path) -> Path | None:
    """Find the file of weights in a source that is no published model; None if it is.

    Raises:
        ModelError: It is a package already, or such a file is not there.

    """
    path = Path(source)
    if path.suffix.lower() in _WEIGHTS and not path.exists():
        raise ModelError(f"{source} does not exist; check the path of the weights")
    if path.is_dir() and (path / CARD).is_file():
        raise ModelError(f"{source} is a model package already: give it to `model`")
    if path.is_dir() and (path / CONFIG).is_file():
        return inside(path, WEIGHTS)
    return path if path.is_file() and path.suffix.lower() in _WEIGHTS else None


def _of_repository(
    address: str,
    found: Repository,
    output: Path | None,
    about: NewPackage,
    on_step: OnStep,
) -> ModelPackage:
    """Make a package of a file of weights in a repository of the Hub."""
    if found.weights.is_dir():
        raise ModelError(f"{address} is a model package already: give it to `model`")
    usual, file = NewPackage(), found.weights.name
    stated = about.license != usual.license or not found.license
    origin = f"{address} ({found.commit[:8]}), {file}, SHA-256 {sha256(found.weights)}"
    said = replace(
        about,
        name=about.name or found.name,
        source=about.source or origin,
        license=about.license if stated else found.license,
    )
    with tempfile.TemporaryDirectory() as folder:
        # The cache has links, which are followed in no data file of an ONNX graph.
        for path in (found.weights, *found.beside):
            shutil.copyfile(path, Path(folder, path.name))
        return _make(Path(folder, file), output, said, on_step)


def _make(
    weights: Path, output: Path | None, about: NewPackage, on_step: OnStep
) -> ModelPackage:
    """Make a package of bare weights that says where they came from."""
    is_named = weights.name == WEIGHTS
    name = about.name or (weights.parent.name if is_named else weights.stem)
    origin = f"{weights.name}, SHA-256 {sha256(weights)}"
    package = make_package(
        weights,
        output or models_folder() / name,
        replace(about, name=name, source=about.source or origin),
        pickled=weights.suffix.lower() in PICKLES,
        on_step=on_step,
    )
    if package.license == _UNSTATED:
        on_step(Step("prepare", warnings=(_no_license(weights),)))
    return package


def _no_license(weights: Path) -> str:
    return (
        f"the licence of {weights.name} is not stated, and the package says so; look "
        f"it up before you pass maps or weights on, and state it with `license`"
    )


def _take(source: str | Path) -> tuple[Sequence[NDArray[np.float32]], str]:
    """Give the tensors of a source and the checksum of the file that they are in."""
    if str(source) in RECIPES:
        content = _fetch(RECIPES[str(source)])
        return cut_tensors(content, DynamicWorld()), _sha256(content)
    path = Path(source)
    if path.is_file():
        content = _pinned(path)
        return cut_tensors(content, DynamicWorld()), _sha256(content)
    for subfolder in _FOLDERS if path.is_dir() else ():
        folder = path / subfolder
        if (folder / SHARD).is_file() and (folder / INDEX).is_file():
            checksum = _sha256(read_small(folder / SHARD))
            return tuple(read_bundle(folder).values()), checksum
    known = ", ".join(RECIPES)
    raise ModelError(
        f"{source} is no published model that geoseg knows ({known}), and no copy of "
        f"one: a folder with {INDEX} and {SHARD} in it, or that file; geoseg models "
        f"package makes a model of other weights"
    )


def _pinned(path: Path) -> bytes:
    """Read a file of weights that says nothing of itself: its checksum must be known.

    Raises:
        ModelError: It is not.

    """
    content = read_small(path)
    if _sha256(content) == DYNAMIC_WORLD.sha256:
        return content
    if path.name == SHARD:
        raise ModelError(
            f"{path} is not the file that {DYNAMIC_WORLD.home} has: its SHA-256 is "
            f"{_sha256(content)}, and must be {DYNAMIC_WORLD.sha256}; fetch it again "
            f"from {DYNAMIC_WORLD.url}, or give a folder with {INDEX} beside it"
        )
    raise ModelError(
        f"{path} is no file of a published model that geoseg knows, "
        f"{', '.join(RECIPES)}; geoseg models package makes a model of other weights"
    )


def _fetch(recipe: Recipe) -> bytes:
    """Fetch a model's file of weights.

    Raises:
        ModelError: It cannot be had, or is another one.

    """
    advice = (
        f"fetch that file of {recipe.size:,} bytes on a machine with a network, and "
        f"give it: geoseg models import {recipe.url.rpartition('/')[2]}"
    )
    with answer_of(recipe.url, advice) as answer:
        content: bytes = answer.read(recipe.size + 1)
    if _sha256(content) != recipe.sha256:
        raise ModelError(
            f"{recipe.url} is no longer the file that geoseg knows: its SHA-256 is not "
            f"{recipe.sha256}; give a copy of that file instead"
        )
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _other_weights(source: str | Path, recipe: Recipe, checksum: str) -> str:
    return (
        f"{source} holds other weights than {recipe.home} (SHA-256 {checksum}, and "
        f"there {recipe.sha256}); licence and description are taken from there"
    )
