"""Whether a scene is the one it was: its identity by name, and looks at its files."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.files.datasets import at_once
from geoseg.scene.files.header import read_header
from geoseg.scene.files.sidecars import MASKS, sidecars
from geoseg.scene.files.usable import use

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import SceneOptions
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.members import Member
    from geoseg.storage.fingerprint import Fingerprint


def identity_of(
    members: Sequence[Member], grid: GeoBox, unit: str, options: SceneOptions
) -> dict[str, str]:
    """Distinguish a scene from another, or from itself after a change, by name.

    Args:
        members: What it is made of.
        grid: Its pixel plane.
        unit: What its pixels are given in.
        options: How it is read.

    """
    rasters = _files(members)
    seen = [raster.fingerprint for raster in rasters]
    plane = (*grid.transform[:6], grid.height, grid.width, grid.crs.to_wkt())
    masks = sidecars((raster.path for raster in rasters), MASKS)
    return {
        "scene": _summed(seen, "path"),
        "scene size": _summed(seen, "size"),
        "scene modified": _summed(seen, "changed"),
        "scene header": _summed(seen, "header"),
        "scene grid": _digest(repr(plane)),
        "scene bands": _digest(repr([each.meaning() for each in members])),
        "scene unit": unit,
        "scene options": _digest(repr(sorted(asdict(options).items()))),
        **({"scene masks": _digest(repr(masks))} if masks else {}),
    }


def check_members(members: Sequence[Member], *, wholly: bool, remote: bool) -> None:
    """Prove that members' files are those whose headers were read.

    Args:
        members: Whose files.
        wholly: Whether files count, too, that are looked at whenever they are read.
        remote: Whether some are read through a network.

    Raises:
        ChangedError: One was changed, replaced or taken away; the message names it.

    """
    rasters = {file.path: file for file in _files(members)}

    def look(raster: Raster) -> None:
        if wholly or not raster.is_looked_at_when_read:
            raster.check_unchanged(wholly=True)

    at_once(look, [*rasters.values()], remote=remote)


def check_header(known: Raster, options: SceneOptions) -> None:
    """Prove that this process sees the same file at a path.

    Raises:
        SceneError: It cannot be opened here, or is another one.

    """
    if not isinstance(options.numbers, str):
        options = replace(options, numbers=known.indexes)
    found = use(read_header(known.path), options)
    if found.of_file() != known.of_file():
        raise SceneError(f"{known.name} is not the raster that the run began with")


def _files(members: Sequence[Member]) -> tuple[Raster, ...]:
    """List the files of members, once for each layer that they hold."""
    layers = [layer for member in members for layer in member.layers]
    return tuple(file for layer in layers for file in layer.raster.files)


def _summed(seen: list[Fingerprint], name: str) -> str:
    values = [str(getattr(each, name)) for each in seen]
    if len(values) == 1:
        return values[0]
    return f"{len(values)} files, {_digest(chr(10).join(values))}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
