"""Which bands are learned from, and where they are in a scene."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.models.compatibility import find_bands as find_in
from geoseg.models.package.new_card import describe
from geoseg.options import NewPackage

if TYPE_CHECKING:
    from geoseg.models.package.card import Card, InputBand
    from geoseg.scene import Scene


def choose_bands(scene: Scene, names: tuple[str, ...]) -> tuple[InputBand, ...]:
    """Describe the bands to learn from, statistics to come.

    Args:
        scene: The first scene.
        names: As `NewPackage.bands` takes them; all of the scene's where empty, but
            for those that only say where pixels count.

    Raises:
        ModelError: A name is no band.

    """
    if not names:
        named = all(scene.bands) and len(set(scene.bands)) == len(scene.bands)
        masks = {mask.band for mask in scene.masks}
        names = tuple(
            name.replace("=", " ") if named else f"#{index}={common}".rstrip("=")
            for index, (name, common) in enumerate(
                zip(scene.bands, scene.common_names, strict=True), start=1
            )
            if index - 1 not in masks
        )
    return card_with(names).bands


def card_with(names: tuple[str, ...]) -> Card:
    """Make a card with bands and nothing else that means anything."""
    new = NewPackage(name="new", bands=names, classes=("a", "b"), gsd_m=1)
    return describe(new, "", 0, 32)


def find_bands(scene: Scene, bands: tuple[InputBand, ...]) -> tuple[int, ...]:
    """Find bands in a scene, counted from 0.

    Raises:
        ModelError: It lacks one.

    """
    wanted = replace(card_with(("#1",)), bands=bands)
    return find_in(wanted, scene).indices
