"""How independent scenes of one call are named."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


def named_apart(scenes: Iterable[object]) -> dict[str, object]:
    """Name each scene's folder by its file, without what comes after the dot.

    Raises:
        InputError: There is no scene, one has no name, or two have the same.

    """
    named: dict[str, object] = {}
    for scene in scenes:
        name = PurePosixPath(urlsplit(str(scene)).path).stem
        if not name:
            raise InputError(f"{scene} has no name that a folder could have")
        if name in named:
            raise InputError(
                f"{named[name]} and {scene} would share the folder {name!r}; rename "
                f"one, or map them in two calls"
            )
        named[name] = scene
    if not named:
        raise InputError("no scene is given; give at least one")
    return named
