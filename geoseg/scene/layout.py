"""Items among what a user names: found, asked for their bands, and laid as members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.assemble import find_grid, read_all, readable
from geoseg.scene.items.documents import is_document
from geoseg.scene.items.item import AssetBand, Item
from geoseg.scene.items.links import Reach
from geoseg.scene.items.safe_product import read_product
from geoseg.scene.items.stac import read_items
from geoseg.scene.metadata import Opened, ask, of_raster, open_item
from geoseg.scene.quality import is_quality
from geoseg.scene.stacked_bands import stack_bands
from geoseg.scene.warp.chosen_grid import is_chosen
from geoseg.scene.warp.common_grid import pixel_size
from geoseg.storage.signing import to_be_signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import SceneOptions
    from geoseg.progress import OnStep
    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.files.paths import NamedPaths
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.items.item import Needs
    from geoseg.scene.members import Member
    from geoseg.scene.metadata import Headers

_NAMED = 3
"""Items that a warning names."""


def find_items(named: NamedPaths) -> list[Item | str | SceneError]:
    """Replace what stands for items by these; keep the order of rasters."""
    return [each for path in named.paths for each in _found(path)]


def _found(path: str) -> Sequence[Item | str | SceneError]:
    try:
        product = read_product(path)
        if product is not None:
            return product
        return read_items(path) if is_document(path) else [path]
    except SceneError as error:
        return [error]


@dataclass(frozen=True, slots=True)
class Laid:
    """Items on a scene's grid."""

    grid: GeoBox
    """The grid."""
    bands: tuple[BandHeader, ...]
    """The scene's bands, as the first item has them."""
    members: tuple[Member, ...]
    """A member each, in their order, but for those that lie elsewhere."""
    files: tuple[Raster, ...]
    """The files that hold these bands, those that lie elsewhere among them."""
    warnings: tuple[str, ...]
    """What was left out, put right or taken for granted, a sentence each."""


def lay_items(
    found: Sequence[Item | str | SceneError],
    named: NamedPaths,
    options: SceneOptions,
    needs: Needs | None,
    on_step: OnStep,
) -> Laid:
    """Choose the bands of items, open the files that hold them, and lay these.

    Args:
        found: Items, and rasters beside them: each is an item of one file.
        named: All that the user named.
        options: How to read it.
        needs: What chooses bands; None for all.
        on_step: Called as headers are read.

    Raises:
        SceneError: An item cannot be read or lacks a band, or items do not fit
            together.

    """
    reader = _Reader(named, options, on_step)
    items, left_out = readable(reader.completed(found), options)
    index = options.mosaic == "max-ndvi"
    wanted = items[0].needed(needs, options.mask, index=index)
    finest = is_chosen(options)
    picked = [(b, b.pick(wanted, finest=finest)) for b in items]
    opened, damaged = readable(reader.opened(picked), options)
    for each in opened[1:]:
        _check_dtypes(opened[0], each)
    if not finest:
        _check_sizes(
            opened, "" if needs else ", or fewer bands by a `model` or `numbers`"
        )
    files = tuple(raster for each in opened for raster in each.rasters)
    grid = find_grid(files, options)
    members = [
        stack_bands(each.rasters, each.positions, grid, options) for each in opened
    ]
    return Laid(
        grid,
        opened[0].bands,
        tuple(member for member in members if member is not None),
        files,
        (*left_out, *damaged, *_warnings(opened)),
    )


class _Reader:
    """What opens files of items."""

    def __init__(
        self, named: NamedPaths, options: SceneOptions, on_step: OnStep
    ) -> None:
        self._options, self._roots, self._on_step = options, named.roots, on_step
        anywhere = options.allow_external_references
        self._reach = Reach.of(named.roots, named.paths, anywhere=anywhere)

    def completed(
        self, found: Sequence[Item | str | SceneError]
    ) -> Iterator[Item | SceneError]:
        """Ask the files of items that do not say their bands."""
        items = [of_raster(each) if isinstance(each, str) else each for each in found]
        headers = self._headers(
            [(b, b.files) for b in items if isinstance(b, Item) and not b.has_bands],
            beyond=True,
        )
        for item in items:
            if isinstance(item, SceneError) or item.has_bands:
                yield item
            else:
                yield ask(item, headers, self._options)

    def opened(
        self, picked: Sequence[tuple[Item, tuple[AssetBand, ...]]]
    ) -> Iterator[Opened | SceneError]:
        """Open the files that hold the asset_bands picked."""
        # What products on servers say, items have said.
        headers = self._headers(
            [(b, [o.href for o in asset_bands]) for b, asset_bands in picked],
            beyond=False,
        )
        for item, asset_bands in picked:
            try:
                yield open_item(item, asset_bands, headers, self._options)
            except SceneError as error:
                yield error

    def _headers(
        self, wanted: Sequence[tuple[Item, Sequence[str]]], *, beyond: bool
    ) -> Headers:
        """Read headers, all at once, by document and reference."""
        paths = {
            (item.document, href): self._path(item, href)
            for item, hrefs in wanted
            for href in hrefs
        }
        each = list({p: None for p in paths.values() if isinstance(p, str)})
        read = read_all(each, self._roots, self._options, self._on_step, beyond=beyond)
        known = dict(zip(each, read, strict=True))
        return {k: known[p] if isinstance(p, str) else p for k, p in paths.items()}

    def _path(self, item: Item, href: str) -> str | SceneError:
        try:
            document = item.document
            path = self._reach.follow(href, document) if document else href
        except SceneError as error:
            return error
        return path if self._options.sign is None else to_be_signed(path)


def _warnings(opened: Sequence[Opened]) -> Iterator[str]:
    """Say once what holds for many."""
    noted: dict[str, list[str]] = {}
    for each in opened:
        for note in each.notes:
            noted.setdefault(note, []).append(each.name)
    for note, names in noted.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"{', '.join(names[:_NAMED])}{more}: {note}"


def _check_sizes(opened: Sequence[Opened], more: str) -> None:
    """Refuse bands of several resolutions of an item, listing them by these."""
    for each in opened:
        groups: dict[str, list[str]] = {}
        for band, (file, _) in zip(each.bands, each.positions, strict=True):
            if not is_quality(band.name):
                size = pixel_size(each.rasters[file].geobox)
                groups.setdefault(size, []).append(band.name)
        if len(groups) > 1:
            listed = "; ".join(f"{size}: {', '.join(g)}" for size, g in groups.items())
            raise SceneError(
                f"{each.name} has bands with pixels of several sizes ({listed}); "
                f"choose the pixels with `resolution` or `like`{more}"
            )


def _check_dtypes(first: Opened, other: Opened) -> None:
    """Refuse items whose numbers cannot mean the same."""
    for ours, theirs in zip(first.bands, other.bands, strict=True):
        if ours.dtype != theirs.dtype:
            raise SceneError(
                f"{other.name} holds {theirs.dtype} in its band {theirs.name}, but "
                f"{first.name} holds {ours.dtype}; convert one, so that numbers mean "
                f"the same"
            )
