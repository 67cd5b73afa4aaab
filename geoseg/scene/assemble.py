"""What all scenes begin with: headers that are read, one grid, and no members yet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geoseg.errors import SceneError, counted
from geoseg.options import SceneOptions
from geoseg.progress import OnStep, ignore_step
from geoseg.scene.files.header import Header, read_header
from geoseg.scene.files.index import read_headers
from geoseg.scene.files.paths import list_paths
from geoseg.scene.files.usable import use
from geoseg.scene.image import Scene
from geoseg.scene.items.safe_product import as_product_says, check_unpacked
from geoseg.scene.quality import find_quality, is_quality
from geoseg.scene.warp.chosen_grid import bounds_window, choose_grid, is_chosen
from geoseg.scene.warp.common_grid import common_grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.members import Member

    Found = TypeVar("Found")


def read_all(
    paths: Sequence[str],
    roots: Sequence[Path],
    options: SceneOptions,
    on_step: OnStep = ignore_step,
    *,
    beyond: bool = True,
) -> list[Header | SceneError]:
    """Read headers, each with what its product says of it; errors stand for others.

    Args:
        paths: Files in GDAL's words.
        roots: The folders that VRTs may refer to.
        options: Whether they may refer to others, too.
        on_step: Called as files are read.
        beyond: Whether to ask products on servers for what they say.

    """
    within = None if options.allow_external_references else roots
    found = read_headers(paths, partial(_read, roots=within), on_step)
    complete = partial(_completed, beyond=beyond, raw=options.radiometry == "raw")
    return [complete(h) if isinstance(h, Header) else h for h in found]


def _completed(header: Header, *, beyond: bool, raw: bool) -> Header | SceneError:
    try:
        return as_product_says(header, beyond=beyond)
    except SceneError as error:
        return header if raw else error


def _read(path: str, roots: Sequence[Path] | None) -> Header:
    check_unpacked(path)
    return read_header(path, roots)


def readable(
    found: Iterable[Found | SceneError], options: SceneOptions
) -> tuple[list[Found], list[str]]:
    """Leave out what cannot be read, where that is allowed.

    Returns:
        The rest, and what was left out, a sentence each.

    Raises:
        SceneError: Something cannot be read.

    """
    good, bad = [], []
    for each in found:
        if isinstance(each, SceneError):
            bad.append(each)
        else:
            good.append(each)
    if bad and not (options.skip_unreadable and good):
        more = f"; nor can {counted(len(bad) - 1, 'other')}" if len(bad) > 1 else ""
        advice = "; `skip_unreadable` leaves such files out" if good else ""
        raise SceneError(f"{bad[0]}{more}{advice}") from bad[0]
    return good, [f"left out: {error}" for error in bad]


def one_raster(
    path: str, options: SceneOptions, flag: str, numbers: tuple[int, ...] = ()
) -> Raster:
    """Open the one raster that a flag names, or some of its bands.

    Raises:
        SceneError: It is none, or there are several.

    """
    named = list_paths([path])
    headers, _ = readable(read_all(named.paths, named.roots, options), options)
    if len(headers) > 1:
        raise SceneError(f"{flag} names one raster, but {path} are {len(headers)}")
    return use(headers[0], replace(options, numbers=numbers))


def find_grid(rasters: Sequence[Raster], options: SceneOptions) -> GeoBox:
    """Find the files' own grid, or make the one that the user chose.

    Bands of classes take the nearest pixels and have no say where there are others.
    """
    measured = [each for each in rasters if not _holds_classes(each)] or rasters
    if not is_chosen(options):
        return common_grid(measured)
    like = options.like
    plane = (
        one_raster(like, options, "`like`").geobox if isinstance(like, str) else like
    )
    return choose_grid([raster.geobox for raster in measured], options, plane)


def _holds_classes(raster: Raster) -> bool:
    return all(is_quality(band.name) for band in raster.bands)


def make_scene(
    name: str,
    path: str,
    grid: GeoBox,
    bands: Sequence[BandHeader],
    options: SceneOptions,
) -> Scene:
    """Make a scene that has no members yet."""
    names, bounds = tuple(band.name for band in bands), options.bounds
    masked = bool(options.mask)
    measured = [b.dtype for b in bands if masked or not is_quality(b.name)]
    return Scene(
        name=name,
        path=path,
        geobox=grid,
        bands=names,
        dtype=str(np.result_type(*(measured or [band.dtype for band in bands]))),
        members=(),
        options=options,
        area=None if bounds is None else bounds_window(grid, bounds),
        masks=find_quality(options.mask, names),
    )


def some(
    members: Sequence[Member], files: Sequence[Raster], like: str | GeoBox | None
) -> tuple[Member, ...]:
    """Refuse a scene without a member: no file lies on the grid that was chosen.

    Args:
        members: What lies there.
        files: All files.
        like: What the grid is of.

    """
    if not members and like is not None:
        named, grid = (
            (like, one_raster(like, SceneOptions(), "`like`").geobox)
            if isinstance(like, str)
            else ("the grid of the other inputs", like)
        )
        raise SceneError(
            f"no file lies on {named}, which covers {_extent([grid])}; the files cover "
            f"{_extent([file.geobox for file in files])} (degrees: west, south, east, "
            f"north); choose others, or another `like`"
        )
    return tuple(members)


def _extent(planes: Sequence[GeoBox]) -> str:
    """Write the extent of some planes in degrees."""
    seen = [plane.lonlat_bounds() for plane in planes]
    edges = (
        min(each.left for each in seen),
        min(each.bottom for each in seen),
        max(each.right for each in seen),
        max(each.top for each in seen),
    )
    return ", ".join(f"{edge:.4f}" for edge in edges)
