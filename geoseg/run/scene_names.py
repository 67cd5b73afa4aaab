"""How independent scenes of one call are told apart."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def named_apart(scenes: Sequence[Path | str]) -> dict[str, Path | str]:
    """Name each scene's folder by its file, without what comes after the dot.

    Raises:
        InputError: There is no scene, one has no name, or two have the same.

    """
    if not scenes:
        raise InputError("no scene is given; give at least one")
    named: dict[str, Path | str] = {}
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
    return named
