"""Models on the Hugging Face Hub: from the network, or what its cache has of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from huggingface_hub import CachedFileInfo

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://([\w.\-]+/[\w.\-]+)(?:@([\w.\-/]+))?")
_WANTED = ("mlm.json", "config.json", "*.safetensors", "*.onnx", "README.md")
"""What is fetched of a repository: nothing that is pickled."""


def fetch(address: str) -> Path:
    """Fetch a package from the Hub, or take it from its cache.

    Args:
        address: ``hf://owner/name``, or ``hf://owner/name@revision``.

    Returns:
        Its folder in the Hub's cache (``HF_HOME`` says where that is).

    Raises:
        ModelError: The address makes no sense; or neither network nor cache has it.

    """
    # It is slow to import, and few models come from there.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415  # the same

    repository, revision = repository_of(address)
    try:
        folder = snapshot_download(
            repository, revision=revision, allow_patterns=list(_WANTED)
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


def repository_of(address: str) -> tuple[str, str | None]:
    """Take an address apart: ``owner/name``, and the revision if there is one.

    Raises:
        ModelError: It makes no sense.

    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise ModelError(
            f"{address!r} is no address of a model; write it as hf://owner/name"
        )
    return parts[1], parts[2]


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
