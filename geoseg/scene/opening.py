"""The way in: what a user names becomes one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geoseg.errors import SceneError
from geoseg.scene.header import read_header
from geoseg.scene.image import Scene
from geoseg.scene.options import SceneOptions
from geoseg.scene.raster import use
from geoseg.scene.sheets import Layer, Sheet


def open_scene(inputs: Path | str, options: SceneOptions | None = None) -> Scene:
    """Read the headers of what a scene is made of; no pixel.

    Args:
        inputs: A raster file.
        options: How to read it.

    Raises:
        SceneError: A file is missing, is no raster, has no place on Earth or holds
            pixels that are no measurements.

    """
    options = options or SceneOptions()
    path = Path(inputs)
    if not path.exists():
        raise SceneError(f"{path} does not exist; check the scene's path")
    raster = use(read_header(str(path)), options)
    layer = Layer(raster, 0, 0)
    places = tuple((0, band) for band in range(len(raster.bands)))
    return Scene(
        name=path.name,
        place=str(path),
        georef=raster.georef,
        bands=tuple(band.name for band in raster.bands),
        dtype=str(np.result_type(*(band.dtype for band in raster.bands))),
        sheets=(Sheet((layer,), places, layer.window),),
        options=options,
    )
