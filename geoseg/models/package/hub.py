"""Models on the Hugging Face Hub: from the network, or what its cache has of them."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huggingface_hub import CachedFileInfo

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://([\w.\-]+/[\w.\-]+)(?:/([\w.\-/]+))?(?:@([\w.\-/]+))?")
_ATTRIBUTES = ".gitattributes"
"""What every repository has: where nothing matched, the Hub's library would warn."""
_WANTED = ("mlm.json", "config.json", "*.safetensors", "*.onnx", "README.md")
"""What is fetched of a repository: nothing that is pickled."""
_SMALL = ("mlm.json", "config.json", "README.md")
"""What says which of a repository's files are wanted, and what they are."""
_PREFERRED = "model.safetensors"
"""The weights, where several files are: what ``save_pretrained`` writes."""
_SAFE = (".safetensors", ".onnx")
PICKLED = (".ckpt", ".pt", ".pth", ".bin")
"""Suffixes of checkpoints, which are fetched where nothing else is."""
_BESIDE = (".data", "_data")
"""How an ONNX file's data end, in a file beside it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What an address names, as it is here."""

    name: str
    """The repository's, without its owner."""
    commit: str
    """Which state of it."""
    weights: Path
    """A package's folder, or a file of weights."""
    beside: tuple[Path, ...]
    """Its configuration and its data, where there are such files."""
    license: str
    """The licence that its README states; empty where it states none."""


def fetch(address: str) -> Path:
    """Fetch a package from the Hub, or take it from its cache.

    Args:
        address: ``hf://owner/name``, or ``hf://owner/name@revision``.

    Returns:
        Its folder in the Hub's cache (``HF_HOME`` says where that is).

    Raises:
        ModelError: The address makes no sense; or neither network nor cache has it.

    """
    repository, revision = repository_of(address)
    return _snapshot(address, repository, revision, _WANTED)


def fetch_weights(address: str) -> Repository:
    """Fetch a repository's package, or the one file of weights that it holds.

    Args:
        address: ``hf://owner/name``, or with the name of the file,
            ``hf://owner/name/file``; ``@revision`` may follow.

    Raises:
        ModelError: As for `fetch`; or it holds no weights, or several files of them.

    """
    repository, file, revision = _parts_of(address)
    folder = _snapshot(address, repository, revision, _SMALL)
    commit, name = folder.name, repository.partition("/")[2]
    stated = _license_in(folder / "README.md")
    if (folder / "mlm.json").is_file() and not file:
        return Repository(name, commit, folder, (), stated)
    there = _files_of(repository, folder)
    chosen = _choose(address, file, there)
    wanted = (chosen, *(chosen + end for end in _BESIDE))
    _snapshot(address, repository, commit, (*wanted, *_SMALL))
    weights = folder / chosen
    beside = (folder / "config.json", *(folder / each for each in wanted[1:]))
    files = tuple(each for each in beside if each.is_file())
    return Repository(name, commit, weights, files, stated)


def _snapshot(
    address: str, repository: str, revision: str | None, wanted: Sequence[str]
) -> Path:
    # It is slow to import, and few models come from there.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415  # the same

    try:
        with _quietly():
            folder = snapshot_download(
                repository, revision=revision, allow_patterns=[*wanted, _ATTRIBUTES]
            )
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{address} is not in the Hub's cache, and the Hub cannot be reached; "
            f"run this once with a network, or give a folder"
        ) from error
    except (HfHubHTTPError, ValueError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error) else type(error)
        raise ModelError(f"{address} cannot be fetched ({first})") from error
    return Path(folder)


@contextmanager
def _quietly() -> Iterator[None]:
    """Let the Hub's library warn of nothing that is raised, and draw on screens alone.

    What it sets is the process's, and as it was afterwards.
    """
    from huggingface_hub import utils  # noqa: PLC0415  # slow to import

    hub: Any = utils  # it has no types of these
    level, is_silent = hub.logging.get_verbosity(), hub.are_progress_bars_disabled()
    is_screen = sys.stderr is not None and sys.stderr.isatty()
    hub.logging.set_verbosity_error()
    if not is_screen and not is_silent:
        hub.disable_progress_bars()
    try:
        yield
    finally:
        hub.logging.set_verbosity(level)
        if not is_screen and not is_silent:
            hub.enable_progress_bars()


def _files_of(repository: str, folder: Path) -> list[str]:
    """List a repository's files; without a network those that the cache has."""
    from huggingface_hub import HfApi  # noqa: PLC0415  # slow to import

    try:
        with _quietly():
            return HfApi().list_repo_files(repository, revision=folder.name)
    except Exception:  # noqa: BLE001  # what its HTTP library raises has no one parent
        found = (each for each in folder.rglob("*") if each.is_file())
        return sorted(each.relative_to(folder).as_posix() for each in found)


def _choose(address: str, file: str, there: Sequence[str]) -> str:
    """Choose the file of weights: the one that is named, or the only likely one."""
    if file:
        if file in there:
            return file
        raise ModelError(f"{address} is not there; there are {_listed(there)}")
    if _PREFERRED in there:
        return _PREFERRED
    for suffixes in (_SAFE, PICKLED):
        found = [each for each in there if PurePosixPath(each).suffix in suffixes]
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelError(
                f"{address} has {len(found)} files of weights, {_listed(found)}; name "
                f"the one that is meant, such as {_with_file(address, found[0])}"
            )
    raise ModelError(
        f"{address} holds neither a model package nor a file of weights "
        f"({', '.join((*_SAFE, *PICKLED))}); there are {_listed(there)}"
    )


def _with_file(address: str, file: str) -> str:
    before, at, revision = address.partition("@")
    return f"{before}/{file}{at}{revision}"


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def _license_in(readme: Path) -> str:
    """Read the licence that a model card states; empty where it states none."""
    from huggingface_hub import ModelCard  # noqa: PLC0415  # slow to import

    if not readme.is_file():
        return ""
    try:
        stated = ModelCard(readme.read_text(encoding="utf-8")).data.get("license")
    except (ValueError, UnicodeError):  # no card, or one that says nonsense
        return ""
    return stated if isinstance(stated, str) else ""


def repository_of(address: str) -> tuple[str, str | None]:
    """Take an address apart: ``owner/name``, and the revision if there is one.

    Raises:
        ModelError: It makes no sense, or names a file.

    """
    repository, file, revision = _parts_of(address)
    if file:
        raise ModelError(
            f"{address!r} is the address of a file; write that of a model as "
            f"hf://owner/name, and make one of a file by geoseg models import"
        )
    return repository, revision


def _parts_of(address: str) -> tuple[str, str, str | None]:
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise ModelError(
            f"{address!r} is no address of a model; write it as hf://owner/name"
        )
    return parts[1], parts[2] or "", parts[3]


def cached_models() -> tuple[str, ...]:
    """List the addresses of the packages that the Hub's cache holds."""
    from huggingface_hub import (  # noqa: PLC0415  # slow to import
        constants,
        scan_cache_dir,
    )
    from huggingface_hub.errors import CacheNotFound  # noqa: PLC0415  # the same

    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return ()
    return tuple(
        sorted(
            f"{SCHEME}{each.repo_id}"
            for each in repositories
            if each.repo_type == "model"
            and any("mlm.json" in map(_name, r.files) for r in each.revisions)
        )
    )


def _name(file: CachedFileInfo) -> str:
    return file.file_name
