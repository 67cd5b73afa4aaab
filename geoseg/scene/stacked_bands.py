"""Bands in files of their own, put beside each other: one member of several layers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.geo.windows import Window
from geoseg.scene.assemble import find_grid, make_scene, one_raster
from geoseg.scene.files.scales import check_scales
from geoseg.scene.members import Member, lay
from geoseg.scene.quality import is_quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import SceneOptions
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.image import Scene

_NO_NUMBER = re.compile(r"\w+://[^/]*|[A-Z][A-Z\d_]+:.*|")
"""What stands before a number that is no band's: a server, a format of GDAL's."""


def open_named_bands(options: SceneOptions) -> Scene:
    """Open the files that `bands` names, as one scene.

    Raises:
        SceneError: One cannot be used, has several bands, or they share no pixel.

    """
    rasters = [_one_band(name, file, options) for name, file in options.bands]
    names = [raster.bands[0].name for raster in rasters]
    if len(set(names)) < len(names):
        raise SceneError(f"`bands` names a band twice: {', '.join(names)}")
    grid = find_grid(rasters, options)
    member = stack_bands(
        rasters, [(at, 0) for at in range(len(rasters))], grid, options
    )
    if member is None:
        raise SceneError(
            "the files named with `bands` share no pixel of the scene's grid"
        )
    path = ", ".join(f"{name}={file}" for name, file in options.bands)
    bands = tuple(raster.bands[0] for raster in rasters)
    made = make_scene(f"{len(bands)} bands", path, grid, bands, options)
    return replace(made, members=(member,))


def stack_bands(
    rasters: Sequence[Raster],
    bands: Sequence[tuple[int, int]],
    grid: GeoBox,
    options: SceneOptions,
) -> Member | None:
    """Lay files on a grid as one member; None where they share no pixel of it.

    Args:
        rasters: The files.
        bands: For each band of the scene, the file and the band in it, from 0.
        grid: The scene's.
        options: How pixels are found where they are not the grid's.

    """
    check_scales(rasters)
    window: Window | None = Window(0, 0, grid.height, grid.width)
    layers = []
    for raster in rasters:
        classes = all(is_quality(band.name) for band in raster.bands)
        layer = lay(raster, grid, "nearest" if classes else options.resampling)
        if layer is None or window is None:
            return None
        window = window.intersection(layer.window)
        layers.append(layer)
    return None if window is None else Member(tuple(layers), tuple(bands), window)


def _one_band(name: str, file: str, options: SceneOptions) -> Raster:
    path, numbers = _numbered(file)
    raster = one_raster(path, options, f"`bands={name}`", numbers)
    if len(raster.bands) > 1:
        raise SceneError(
            f"`bands={name}` needs one file with one band; {file} has "
            f"{len(raster.bands)}: write which, such as {name}={file}:1"
        )
    return raster.named([name])


def _numbered(file: str) -> tuple[str, tuple[int, ...]]:
    """Read ``FILE:3``; a server's port, a part of a file or a name is no number."""
    path, _, number = file.rpartition(":")
    if not number.isdecimal() or _NO_NUMBER.fullmatch(path) or Path(file).exists():
        return file, ()
    return path, (int(number),)
