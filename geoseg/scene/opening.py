"""The way in: what a user names becomes one image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.grid import Window
from geoseg.scene.choice import bounds_window, choose_grid, is_chosen
from geoseg.scene.header import Header, read_header, shown
from geoseg.scene.image import Scene
from geoseg.scene.index import read_headers
from geoseg.scene.mosaic import in_order, match_names
from geoseg.scene.options import SceneOptions
from geoseg.scene.places import list_places
from geoseg.scene.planes import common_grid
from geoseg.scene.quality import find_quality, is_quality
from geoseg.scene.raster import use
from geoseg.scene.sheets import Sheet, lay
from geoseg.steps import OnStep, ignore_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.georef import Georef
    from geoseg.scene.header import BandHeader
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
    if options.bands:
        return _open_bands(given, options)
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
    name = Path(shown(given[0])).name if len(given) == 1 else f"{len(sheets)} files"
    made = _scene(name, ", ".join(map(shown, given)), grid, rasters[0].bands, options)
    sheets = in_order(sheets, options.mosaic)
    return replace(made, sheets=_some(sheets, options), warnings=tuple(warnings))


def _open_bands(given: Sequence[Path | str], options: SceneOptions) -> Scene:
    """Put bands that are in files of their own beside each other."""
    if given:
        raise SceneError(
            "bands are named with --band, and a scene beside them; give one of both"
        )
    rasters = [_one_band(name, file, options) for name, file in options.bands]
    names = [raster.bands[0].name for raster in rasters]
    if len(set(names)) < len(names):
        raise SceneError(f"--band names a band twice: {', '.join(names)}")
    grid = _grid(rasters, options)
    layers = [
        lay(raster, grid, "nearest" if is_quality(name) else options.resampling)
        for name, raster in zip(names, rasters, strict=True)
    ]
    found = [layer for layer in layers if layer is not None]
    window: Window | None = Window(0, 0, grid.height, grid.width)
    for layer in found:
        window = window and window.intersection(layer.window)
    if len(found) < len(layers) or window is None:
        raise SceneError(
            "the files named with --band share no pixel of the scene's grid"
        )
    places = tuple((index, 0) for index in range(len(found)))
    place = ", ".join(f"{name}={file}" for name, file in options.bands)
    bands = tuple(raster.bands[0] for raster in rasters)
    made = _scene(f"{len(bands)} bands", place, grid, bands, options)
    return replace(made, sheets=(Sheet(tuple(found), places, window),))


def _one_band(name: str, file: str, options: SceneOptions) -> Raster:
    headers, _ = _headers([file], options, ignore_step)
    raster = use(headers[0], options)
    if len(headers) > 1 or len(raster.bands) > 1:
        raise SceneError(
            f"--band {name} needs one file with one band; {file} has "
            f"{len(raster.bands) if len(headers) == 1 else f'{len(headers)} files'}"
        )
    return raster.named([name])


def _scene(
    name: str,
    place: str,
    grid: Georef,
    bands: Sequence[BandHeader],
    options: SceneOptions,
) -> Scene:
    """Make a scene that has no sheets yet."""
    names, bounds = tuple(band.name for band in bands), options.bounds
    masked = bool(options.mask)
    measured = [b.dtype for b in bands if masked or not is_quality(b.name)]
    return Scene(
        name=name,
        place=place,
        georef=grid,
        bands=names,
        dtype=str(np.result_type(*(measured or [band.dtype for band in bands]))),
        sheets=(),
        options=options,
        area=None if bounds is None else bounds_window(grid, bounds),
        masks=find_quality(options.mask, names),
    )


def _some(sheets: Sequence[Sheet], options: SceneOptions) -> tuple[Sheet, ...]:
    if not sheets:
        raise SceneError(f"no file lies on {options.like}; choose another --like")
    return tuple(sheets)


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
