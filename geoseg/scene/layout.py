"""Bundles among what a user names: found, asked for their bands, and laid as sheets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.assemble import find_grid, read_all, readable
from geoseg.scene.items.documents import is_document
from geoseg.scene.items.item import Bundle, Offer
from geoseg.scene.items.links import Reach
from geoseg.scene.items.safe_product import read_product
from geoseg.scene.items.stac import read_items
from geoseg.scene.metadata import Opened, ask, of_raster, open_bundle
from geoseg.scene.quality import is_quality
from geoseg.scene.stacked_bands import put_beside
from geoseg.scene.warp.chosen_grid import is_chosen
from geoseg.scene.warp.common_grid import pixel_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.geo.geobox import Georef
    from geoseg.progress import OnStep
    from geoseg.scene.files.header import BandHeader
    from geoseg.scene.files.paths import Named
    from geoseg.scene.items.item import Needs
    from geoseg.scene.members import Sheet
    from geoseg.scene.metadata import Headers
    from geoseg.scene.options import SceneOptions

_NAMED = 3
"""Bundles that a warning names."""


def find_bundles(named: Named) -> list[Bundle | str | SceneError]:
    """Replace what stands for bundles by these; keep the places of rasters."""
    return [each for place in named.places for each in _found(place)]


def _found(place: str) -> Sequence[Bundle | str | SceneError]:
    try:
        product = read_product(place)
        if product is not None:
            return product
        return read_items(place) if is_document(place) else [place]
    except SceneError as error:
        return [error]


@dataclass(frozen=True, slots=True)
class Laid:
    """Bundles on a scene's grid."""

    grid: Georef
    """The grid."""
    bands: tuple[BandHeader, ...]
    """The scene's bands, as the first bundle has them."""
    sheets: tuple[Sheet, ...]
    """A sheet each, in their order, but for those that lie elsewhere."""
    warnings: tuple[str, ...]
    """What was left out, put right or taken for granted, a sentence each."""


def lay_bundles(
    found: Sequence[Bundle | str | SceneError],
    named: Named,
    options: SceneOptions,
    needs: Needs | None,
    on_step: OnStep,
) -> Laid:
    """Choose the bands of bundles, open the files that hold them, and lay these.

    Args:
        found: Bundles, and rasters beside them: each is a bundle of one file.
        named: All that the user named.
        options: How to read it.
        needs: What chooses bands; None for all.
        on_step: Called as headers are read.

    Raises:
        SceneError: A bundle cannot be read or lacks a band, or bundles do not fit
            together.

    """
    reader = _Reader(named, options, on_step)
    bundles, left_out = readable(reader.told(found), options)
    wanted = bundles[0].needed(needs, options.mask)
    finest = is_chosen(options)
    picked = [(b, b.pick(wanted, finest=finest)) for b in bundles]
    opened, damaged = readable(reader.opened(picked), options)
    for each in opened[1:]:
        _check_dtypes(opened[0], each)
    if not finest:
        _check_sizes(
            opened, "" if needs else ", or fewer bands by a --model or --bands"
        )
    grid = find_grid([raster for each in opened for raster in each.rasters], options)
    sheets = [put_beside(each.rasters, each.places, grid, options) for each in opened]
    return Laid(
        grid,
        opened[0].bands,
        tuple(sheet for sheet in sheets if sheet is not None),
        (*left_out, *damaged, *_warnings(opened)),
    )


class _Reader:
    """What opens files of bundles."""

    def __init__(self, named: Named, options: SceneOptions, on_step: OnStep) -> None:
        self._options, self._roots, self._on_step = options, named.roots, on_step
        anywhere = options.allow_external_references
        self._reach = Reach.of(named.roots, named.places, anywhere=anywhere)

    def told(
        self, found: Sequence[Bundle | str | SceneError]
    ) -> Iterator[Bundle | SceneError]:
        """Ask the files of bundles that do not tell their bands."""
        bundles = [of_raster(each) if isinstance(each, str) else each for each in found]
        headers = self._headers(
            [(b, b.files) for b in bundles if isinstance(b, Bundle) and not b.is_told],
            beyond=True,
        )
        for bundle in bundles:
            if isinstance(bundle, SceneError) or bundle.is_told:
                yield bundle
            else:
                yield ask(bundle, headers, self._options)

    def opened(
        self, picked: Sequence[tuple[Bundle, tuple[Offer, ...]]]
    ) -> Iterator[Opened | SceneError]:
        """Open the files that hold the offers picked."""
        # What products on servers say, bundles have said.
        headers = self._headers(
            [(b, [o.href for o in offers]) for b, offers in picked], beyond=False
        )
        for bundle, offers in picked:
            try:
                yield open_bundle(bundle, offers, headers, self._options)
            except SceneError as error:
                yield error

    def _headers(
        self, wanted: Sequence[tuple[Bundle, Sequence[str]]], *, beyond: bool
    ) -> Headers:
        """Read headers, all at once, by document and reference."""
        places = {
            (bundle.document, href): self._place(bundle, href)
            for bundle, hrefs in wanted
            for href in hrefs
        }
        each = list({p: None for p in places.values() if isinstance(p, str)})
        read = read_all(each, self._roots, self._options, self._on_step, beyond=beyond)
        known = dict(zip(each, read, strict=True))
        return {k: known[p] if isinstance(p, str) else p for k, p in places.items()}

    def _place(self, bundle: Bundle, href: str) -> str | SceneError:
        try:
            document = bundle.document
            return self._reach.follow(href, document) if document else href
        except SceneError as error:
            return error


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
    """Refuse bands of several resolutions of a bundle, listing them by these."""
    for each in opened:
        groups: dict[str, list[str]] = {}
        for band, (file, _) in zip(each.bands, each.places, strict=True):
            if not is_quality(band.name):
                size = pixel_size(each.rasters[file].georef)
                groups.setdefault(size, []).append(band.name)
        if len(groups) > 1:
            listed = "; ".join(f"{size}: {', '.join(g)}" for size, g in groups.items())
            raise SceneError(
                f"{each.name} has bands with pixels of several sizes ({listed}); "
                f"choose the pixels with --resolution or --like{more}"
            )


def _check_dtypes(first: Opened, other: Opened) -> None:
    """Refuse bundles whose numbers cannot mean the same."""
    for ours, theirs in zip(first.bands, other.bands, strict=True):
        if ours.dtype != theirs.dtype:
            raise SceneError(
                f"{other.name} holds {theirs.dtype} in its band {theirs.name}, but "
                f"{first.name} holds {ours.dtype}; convert one, so that numbers mean "
                f"the same"
            )
