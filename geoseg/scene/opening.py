"""The way in: what a user names becomes one image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.scene.header import Header, read_header
from geoseg.scene.image import Scene
from geoseg.scene.index import read_headers
from geoseg.scene.mosaic import in_order, match_names
from geoseg.scene.options import SceneOptions
from geoseg.scene.places import list_places
from geoseg.scene.planes import common_grid, offset_on
from geoseg.scene.raster import use
from geoseg.scene.sheets import Layer, Sheet
from geoseg.steps import OnStep, ignore_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.georef import Georef
    from geoseg.scene.places import Inputs
    from geoseg.scene.raster import Raster


def open_scene(
    inputs: Inputs,
    options: SceneOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Scene:
    """Read the headers of what a scene is made of; no pixel.

    Several files become one image, a mosaic, where they lie on one grid and have the
    same bands.

    Args:
        inputs: Raster files, folders of them, patterns such as ``sheets/*.tif``, text
            files with a path a line, or URLs; one or several.
        options: How to read it.
        on_step: Called as headers are read, where there are many.

    Raises:
        SceneError: A file is missing, is no raster, has no place on Earth or holds
            pixels that are no measurements; or files do not fit together.

    """
    options = options or SceneOptions()
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not given:
        raise SceneError("no scene is given; name a raster, a folder, or several")
    headers, warnings = _headers(given, options, on_step)
    rasters = [use(header, options) for header in headers]
    places = match_names(rasters)
    grid = common_grid(rasters)
    sheets = [
        _sheet(raster, bands, grid)
        for raster, bands in zip(rasters, places, strict=True)
    ]
    first = rasters[0].bands
    return Scene(
        name=Path(given[0]).name if len(given) == 1 else f"{len(sheets)} files",
        place=", ".join(map(str, given)),
        georef=grid,
        bands=tuple(band.name for band in first),
        dtype=str(np.result_type(*(band.dtype for band in first))),
        sheets=tuple(in_order(sheets, options.mosaic)),
        options=options,
        warnings=tuple(warnings),
    )


def _headers(
    given: Sequence[Path | str], options: SceneOptions, on_step: OnStep
) -> tuple[list[Header], list[str]]:
    """Read all headers; say which files are left out where that is allowed."""
    named = list_places(given)
    roots = None if options.allow_external_references else named.roots
    found = read_headers(named.places, partial(read_header, roots=roots), on_step)
    good = [header for header in found if isinstance(header, Header)]
    bad = [error for error in found if isinstance(error, SceneError)]
    if bad and not (options.skip_unreadable and good):
        more = f"; nor can {len(bad) - 1} others" if len(bad) > 1 else ""
        advice = "; --skip-unreadable leaves such files out" if good else ""
        raise SceneError(f"{bad[0]}{more}{advice}") from bad[0]
    return good, [f"left out: {error}" for error in bad]


def _sheet(raster: Raster, bands: tuple[int, ...], grid: Georef) -> Sheet:
    offset = offset_on(raster.georef, grid)
    if offset is None:
        raise SceneError(f"{raster.name} does not lie on the scene's grid")
    layer = Layer(raster, *offset)
    return Sheet((layer,), tuple((0, band) for band in bands), layer.window)
