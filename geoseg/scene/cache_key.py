"""Where what was found of a scene's pixels is cached for the next time.

It is known by all that changes pixels: files, grid, and how they are read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.scene.cache import cache_folder
from geoseg.scene.files.sidecars import sidecars
from geoseg.storage.raster_references import is_safe
from geoseg.storage.staging import OF_RASTER

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.scene.image import Scene


def cached_as(kind: str, scene: Scene, *asked: object) -> Path | None:
    """Name the file of the cache for something of this very scene.

    It is to be asked for before pixels are read: a file that changes meanwhile is
    another scene.

    Args:
        kind: What it is, in a word; the folder of the cache that it is in.
        scene: The scene; what is mapped of it is no matter.
        asked: All else that it depends on, as JSON values.

    Returns:
        The file; None where a change may not show. A file that refers to others, such
        as a VRT, does not change when they do; nor may one on a server that gives no
        ETag.

    """
    if not all(
        is_safe(raster.driver) and raster.fingerprint.changed
        for raster in scene.rasters
    ):
        return None
    whole = replace(scene, options=replace(scene.options, bounds=None))
    there = sidecars((raster.path for raster in scene.rasters), OF_RASTER)
    what = json.dumps([whole.identity(), there, *asked])
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    return cache_folder() / kind / f"{digest.hexdigest()}.json"
