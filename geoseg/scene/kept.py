"""What was found of a scene's pixels, kept in the user's cache for the next time.

It is known by all that changes pixels: files, grid, and how they are read.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geoseg.errors import OutputError
from geoseg.scene.files.index import cache_folder
from geoseg.scene.files.paths import file_of
from geoseg.storage.raster_references import is_safe
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.scene.image import Scene

_BESIDE = (".msk", ".ovr", ".aux.xml")
"""What may stand beside a raster and say more of its pixels, after the whole name."""


def recalled(kind: str, scene: Scene, *asked: object) -> Any:  # noqa: ANN401  # JSON
    """Give what was kept of this very scene; None where nothing is.

    Args:
        kind: What it is, in a word; the folder of the cache that it is in.
        scene: The scene; what is mapped of it is no matter.
        asked: All else that it depends on, as JSON values.

    """
    path = _file(kind, scene, asked)
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def keep(found: object, kind: str, scene: Scene, *asked: object) -> None:
    """Keep a JSON value for `recalled`; do without where that fails."""
    path = _file(kind, scene, asked)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as whole:
            whole.write_text(json.dumps(found), encoding="utf-8")
    except (OSError, OutputError):
        pass


def _file(kind: str, scene: Scene, asked: tuple[object, ...]) -> Path | None:
    """Where something of this very scene is kept; None where a change may not show.

    A file that refers to others, such as a VRT, does not change when they do; nor may
    one on a server that gives no ETag.
    """
    if not all(
        is_safe(raster.driver) and raster.fingerprint.changed
        for raster in scene.rasters
    ):
        return None
    whole = replace(scene, options=replace(scene.options, bounds=None))
    what = json.dumps([whole.identity(), _beside(scene), *asked])
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    return cache_folder() / kind / f"{digest.hexdigest()}.json"


def _beside(scene: Scene) -> list[tuple[str, int, int]]:
    """List masks and overviews in files of their own: name, size and time."""
    found = []
    for raster in scene.rasters:
        file = file_of(raster.path)
        for suffix in _BESIDE if file else ():
            with suppress(OSError):
                state = os.stat(f"{file}{suffix}")  # noqa: PTH116  # of many files
                found.append((f"{file}{suffix}", state.st_size, state.st_mtime_ns))
    return found
