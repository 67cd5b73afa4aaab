"""Several files as one image: the same bands in each, and which counts on top."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from geoseg.errors import SceneError, counted
from geoseg.scene.composite.observations import DATED, STACKED, in_order_of_looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.options import SceneOptions
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.members import Member

_DATE = re.compile(r"(\d{4})[:-]?(\d\d)[:-]?(\d\d)(.*)")
_AT_ONCE = 8
"""Members that are looked at together."""


def match_names(rasters: Sequence[Raster]) -> list[tuple[int, ...]]:
    """Find the first file's bands in each file.

    Bands are known by their names, or the colours that files say, where all have
    some, and else by their order.

    Returns:
        For each file, the band, counted from 0, for each of the first one's bands.

    Raises:
        SceneError: A file has another number of bands, other names or another dtype.

    """
    first = rasters[0]
    return [_matched(first, raster) for raster in rasters]


def _matched(first: Raster, other: Raster) -> tuple[int, ...]:
    wanted, there = first.bands, other.bands
    _check_features(first, other)
    if wanted == there:
        return tuple(range(len(wanted)))
    if len(wanted) != len(there):
        raise SceneError(
            f"{other.name} has {counted(len(there), 'band')}, but {first.name} has "
            f"{len(wanted)}; a mosaic needs the same bands in every file"
        )
    names, found = ([b.name or b.colour for b in bands] for bands in (wanted, there))
    order = tuple(range(len(wanted)))
    if all(names) and all(found) and names != found:
        if len(set(found)) < len(found) or set(names) != set(found):
            raise SceneError(
                f"{other.name} has the bands {', '.join(found)}, but {first.name} has "
                f"{', '.join(names)}; a mosaic needs the same bands in every file"
            )
        order = tuple(found.index(name) for name in names)
    for index, band in enumerate(order):
        if wanted[index].dtype != there[band].dtype:
            raise SceneError(
                f"{other.name} holds {there[band].dtype}, but {first.name} holds "
                f"{wanted[index].dtype}; convert one, so that numbers mean the same"
            )
    return order


def _check_features(first: Raster, other: Raster) -> None:
    """Refuse learned features of two kinds or versions in one mosaic."""
    ours, theirs = first.embedding, other.embedding
    if ours is None and theirs is None:
        return
    if ours is None or theirs is None or not ours.is_as(theirs):
        units = [
            f"{raster.name} holds {made.title if made else 'no such features'}"
            for raster, made in ((first, ours), (other, theirs))
        ]
        raise SceneError(
            f"{units[0]}, and {units[1]}, whose numbers cannot be compared; give files "
            f"of one kind and version"
        )


def in_order(members: Sequence[Member], options: SceneOptions) -> list[Member]:
    """Sort members by which counts where several have data: the first one.

    Args:
        members: In the order in which they were named.
        options: By which rule: ``first`` or ``last`` named; ``newest`` by the time that
            files say; or ``least-nodata``, the fullest, by the share of data among
            some pixels of each. Those that are equal stay in the order in which they
            were named. Those of composites go by looks: see `in_order_of_looks`.

    Raises:
        SceneError: The rule goes by what a file does not say, such as its time.

    """
    rule = options.mosaic
    if rule in STACKED | DATED:
        return in_order_of_looks(members, options)
    if rule == "last":
        return list(reversed(members))
    if rule == "newest":
        return sorted(members, key=_when, reverse=True)
    if rule == "least-nodata":
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="shares") as pool:
            shares = list(pool.map(_share, members))
        order = sorted(range(len(members)), key=lambda index: -shares[index])
        return [members[index] for index in order]
    return list(members)


def _when(member: Member) -> str:
    acquired = member.layers[0].raster.acquired
    parts = _DATE.match(acquired.strip())
    if parts is None:
        raise SceneError(
            f"{member.name} does not say when it was acquired (a tag such as "
            f"TIFFTAG_DATETIME), so the newest is not known; choose another `mosaic`"
        )
    return "-".join(parts.groups())


def _share(member: Member) -> float:
    """The share of pixels with data in all bands, among some hundred a side."""
    return member.layers[0].raster.share_of_data()
