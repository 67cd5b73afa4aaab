"""The way in: what a user names becomes one image."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.scene.choice import bounds_window, choose_grid, is_chosen
from geoseg.scene.header import Header, read_header
from geoseg.scene.image import Scene
from geoseg.scene.index import read_headers
from geoseg.scene.mosaic import in_order, match_names
from geoseg.scene.options import SceneOptions
from geoseg.scene.places import list_places
from geoseg.scene.planes import common_grid
from geoseg.scene.raster import use
from geoseg.scene.sheets import Sheet, lay
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
    grid = _grid(rasters, options)
    sheets = [
        Sheet((layer,), tuple((0, band) for band in bands), layer.window)
        for raster, bands in zip(rasters, places, strict=True)
        if (layer := lay(raster, grid, options.resampling))
    ]
    if not sheets:
        raise SceneError(f"no file lies on {options.like}; choose another --like")
    first, bounds = rasters[0].bands, options.bounds
    return Scene(
        name=Path(given[0]).name if len(given) == 1 else f"{len(sheets)} files",
        place=", ".join(map(str, given)),
        georef=grid,
        bands=tuple(band.name for band in first),
        dtype=str(np.result_type(*(band.dtype for band in first))),
        area=None if bounds is None else bounds_window(grid, bounds),
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


def _grid(rasters: Sequence[Raster], options: SceneOptions) -> Georef:
    """The files' own grid, or the one that the user chose."""
    if not is_chosen(options):
        return common_grid(rasters)
    like = None if options.like is None else _example(options.like, options)
    return choose_grid([raster.georef for raster in rasters], options, like)


def _example(like: str, options: SceneOptions) -> Georef:
    """The plane of the raster that was named as an example."""
    headers, _ = _headers([like], options, ignore_step)
    if len(headers) > 1:
        raise SceneError(f"--like names one raster, but {like} are {len(headers)}")
    return use(headers[0], options).georef
