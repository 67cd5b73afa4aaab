"""How independent scenes of one call are named."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import InputError
from geoseg.storage.folder_names import folded, folder_name

if TYPE_CHECKING:
    from collections.abc import Iterable


_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How a path of Windows begins: with a drive, or a server."""


def named_apart(scenes: Iterable[object]) -> dict[str, object]:
    """Name each scene's folder by its file, without what comes after the dot.

    Raises:
        InputError: There is no scene, one has no name, or two have the same.

    """
    named: dict[str, object] = {}
    taken: dict[str, str] = {}
    for scene in scenes:
        name = folder_name(_stem(str(scene)))
        if not name:
            raise InputError(f"{scene} has no name that a folder could have")
        twin = taken.setdefault(folded(name), name)
        if twin in named:
            where = "" if twin == name else " on Windows and macOS"
            raise InputError(
                f"{named[twin]} and {scene} would share the folder {name!r}{where}; "
                f"rename one, or map them in two calls"
            )
        named[name] = scene
    if not named:
        raise InputError("no scene is given; give at least one")
    return named


def _stem(scene: str) -> str:
    """Take the name of a scene's file out of a path or an address."""
    if _DRIVE.match(scene):
        return PureWindowsPath(scene).stem
    return PurePosixPath(urlsplit(scene).path).stem
