"""The way in: what a user names becomes one image."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.geo.band_names import colour_of
from geoseg.options import SceneOptions
from geoseg.progress import OnStep, ignore_step
from geoseg.scene.assemble import find_grid, make_scene, read_all, readable, some
from geoseg.scene.composite.observations import STACKED, check_near, within
from geoseg.scene.files.header import shown
from geoseg.scene.files.paths import list_paths, several
from geoseg.scene.files.scales import with_scales
from geoseg.scene.files.usable import use
from geoseg.scene.layout import Laid, find_items, lay_items
from geoseg.scene.members import Member, lay
from geoseg.scene.mosaic import in_order, match_names
from geoseg.scene.stacked_bands import open_named_bands
from geoseg.storage.signing import check_signer, to_be_signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.scene.files.header import Header
    from geoseg.scene.files.paths import Inputs, NamedPaths
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.image import Scene
    from geoseg.scene.items.item import Needs

_LOG = logging.getLogger(__name__)


def open_scene(
    inputs: Inputs,
    options: SceneOptions | None = None,
    on_step: OnStep = ignore_step,
    needs: Needs | None = None,
) -> Scene:
    """Read the headers of what a scene is made of; no pixel.

    Several files become one image, a mosaic, where they lie on one grid and have the
    same bands.

    Args:
        inputs: Raster files, folders of them, patterns such as ``members/*.tif``, text
            files with a path a line, STAC items, Sentinel-2 products, or URLs; one or
            several.
        options: How to read it.
        on_step: Called as headers are read, where there are many.
        needs: Chooses bands of items and products, whose bands are in many files, by
            their number, given all names and common names. All where None; a raster
            always comes with all of its bands.

    Returns:
        The image: ``geobox`` and ``bands``, ``read`` for a window's pixels and
        ``to_xarray`` for a lazy DataArray. It holds no open file.

    Raises:
        SceneError: A file is missing, is no raster, is nowhere on Earth or holds
            pixels that are no measurements; or files do not fit together.

    Example:
        >>> import geoseg
        >>> scene = geoseg.open_scene("sample_aoi/scene.tif")  # doctest: +SKIP
        >>> lazy = scene.to_xarray(["B04", "B08"])  # doctest: +SKIP

    """
    options = options or SceneOptions()
    given = _given(inputs, options)
    if options.bands:
        return open_named_bands(options)
    if not given:
        raise SceneError("no scene is given; name a raster, a folder, or several")
    named = _named(given, options)
    found = find_items(named)
    if all(isinstance(each, str) for each in found):
        laid = _lay_rasters(named, options, on_step)
    elif options.numbers:
        raise SceneError(
            "`numbers` takes bands of rasters by number, and a STAC item or a product "
            "has its bands in several files; they are known by name"
        )
    else:
        laid = lay_items(found, named, options, needs, on_step)
    there = some(laid.members, laid.files, options.like)
    members = in_order(within(there, options), options)
    name = Path(shown(given[0])).name if len(given) == 1 else f"{len(members)} files"
    made = make_scene(
        name, ", ".join(map(shown, given)), laid.grid, laid.bands, options
    )
    scene = replace(
        made,
        members=tuple(members),
        inputs=tuple(given),
        warnings=laid.warnings,
    )
    _check_composite(scene)
    _LOG.info(
        "opened %s: %d files, %d bands, %d x %d px of %.3g m",
        scene.path,
        len(scene.rasters),
        len(scene.bands),
        scene.geobox.width,
        scene.geobox.height,
        scene.geobox.gsd_m(),
    )
    return scene


def _given(inputs: Inputs, options: SceneOptions) -> list[Path | str]:
    """List what is named as one image; refuse what contradicts it."""
    if isinstance(inputs, Mapping):
        raise SceneError(
            f"several inputs ({', '.join(inputs)}) are of a model that declares them, "
            f"and nothing else says how they become one image; give one"
        )
    check_near(options)
    given = several(inputs)
    if options.bands and given:
        raise SceneError(
            "bands are named with `bands`, and a scene beside them; give one of both"
        )
    if options.bands and options.datetime is not None:
        raise SceneError(
            "`datetime` chooses among files, and `bands` are files of one picture; "
            "give one of both"
        )
    if options.bands and options.numbers:
        raise SceneError(
            "`bands` and `numbers` are given; write `bands=NAME=FILE:NUMBER` for a "
            "band of a file by number"
        )
    return given


def _named(given: Sequence[Path | str], options: SceneOptions) -> NamedPaths:
    """List what was named, with who signs its addresses."""
    named = list_paths(given)
    if options.sign is None:
        return named
    check_signer()
    return replace(named, paths=tuple(map(to_be_signed, named.paths)))


def _check_composite(scene: Scene) -> None:
    """Refuse a composite that cannot be made."""
    options = scene.options
    if options.mosaic not in STACKED:
        return
    if options.valid == "any":
        raise SceneError(
            f"`mosaic={options.mosaic}` weighs whole pixels, and `valid=any` counts "
            f"those of which bands are missing; leave one of both out"
        )
    _ = scene.recipe


def _lay_rasters(named: NamedPaths, options: SceneOptions, on_step: OnStep) -> Laid:
    """Lay files with the same bands on one grid."""
    found = read_all(named.paths, named.roots, options, on_step)
    headers, left_out = readable(found, options)
    rasters = with_scales([use(header, options) for header in headers])
    orders = match_names(rasters)
    grid = find_grid(rasters, options)
    members = [
        Member((layer,), tuple((0, band) for band in bands), layer.window)
        for raster, bands in zip(rasters, orders, strict=True)
        if (layer := lay(raster, grid, options.resampling))
    ]
    warnings = (*left_out, *_needless(headers, options), *_other_colours(rasters))
    return Laid(grid, rasters[0].bands, tuple(members), tuple(rasters), warnings)


def _needless(headers: Sequence[Header], options: SceneOptions) -> Iterator[str]:
    """Say what of the options has no effect, against what somebody may expect."""
    if options.assume_crs is not None and all(header.wkt for header in headers):
        yield (
            "`assume_crs` is not used: every file names its CRS; where it is a wrong "
            "one, write another into the file, for instance with rio edit-info --crs"
        )


def _other_colours(rasters: Sequence[Raster]) -> Iterator[str]:
    """Name the first band that is called by one colour, and marked as another."""
    for raster in rasters:
        for number, band in zip(raster.indexes, raster.bands, strict=True):
            named = colour_of(band.name)
            if named and band.colour and named != band.colour:
                yield (
                    f"{raster.name} calls its band {number} {band.name}, and its "
                    f"colour interpretation is {band.colour}; the name is believed"
                )
                return
