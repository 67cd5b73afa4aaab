"""Scenes with their labels, in memory: what is learned from, and measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geoseg.errors import LabelsError, SceneError
from geoseg.geo.legend import NODATA
from geoseg.models.compatibility import bands_needed
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.stacked_inputs import StackedScene
from geoseg.train.bands import card_with, choose_bands, find_bands
from geoseg.train.inputs import open_inputs, with_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windowed import ClassWindows
    from geoseg.models.package.card import Card, InputBand
    from geoseg.scene import Scene
    from geoseg.scene.files.paths import OneInput
    from geoseg.train.options import GroundOptions

    Scenes = Sequence[Path | str] | Mapping[str, OneInput]


class LabelSource(Protocol):
    """Labels of any kind."""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that occur."""
        ...

    @property
    def also(self) -> Mapping[str, tuple[str, ...]]:
        """What else the labels are called, in the order in which that counts."""
        ...

    @property
    def legend(self) -> Legend | None:
        """The labels as classes with ids and colours, where they have some."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out when they were read, a sentence each."""
        ...

    def rasterize(self, geobox: GeoBox, values: Mapping[str, int]) -> NDArray[np.uint8]:
        """Give pixels the value of their class, 255 where there is none."""
        ...

    def on_grid(self, geobox: GeoBox, values: Mapping[str, int]) -> ClassWindows:
        """Bring the labels onto a plane, to be read window by window."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """A scene's pixels and labels."""

    name: str
    """What people call the scene."""
    geobox: GeoBox
    """The pixel plane."""
    pixels: NDArray[np.generic]
    """Raw pixels, shape ``(band, y, x)``."""
    valid: NDArray[np.bool_]
    """Where all bands have data, shape ``(y, x)``."""
    labels: NDArray[np.uint8]
    """The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled, or
    without data."""

    def normalised(self, bands: tuple[InputBand, ...]) -> NDArray[np.float32]:
        """Take off each band's mean, divide by its deviation; 0 without data."""
        image = self.pixels.astype(np.float32)
        for index, band in enumerate(bands):
            image[index] -= np.float32(band.mean)
            image[index] /= np.float32(band.std)
        image[:, ~self.valid] = 0
        return image


def open_scenes(
    scenes: Scenes, options: GroundOptions
) -> tuple[list[Scene], tuple[InputBand, ...]]:
    """Open scenes, and choose bands to learn from among the first's.

    Inputs by name are one scene, whose bands are those of all.

    A number is the band's in its file, even where one is marked as alpha.

    Raises:
        SceneError: One cannot be used, or they hold features that cannot be compared.
        ModelError: A name is no band.

    """
    if not scenes:
        raise SceneError("no scene is given; name one, or several")
    if isinstance(scenes, Mapping):
        stack, found = open_inputs(scenes, options)
        return [stack], found
    names = options.band_names()
    named = card_with(names).bands if names else ()
    most = max((band.index or 0 for band in named), default=0)
    how = SceneOptions(
        numbers=options.features() or tuple(range(1, most + 1)),
        **options.grid(),
    )
    needs = bands_needed([card_with(names)]) if names else None
    opened = [open_scene(scene, how, needs=needs) for scene in scenes]
    _check_features(opened)
    return opened, choose_bands(opened[0], names)


def with_imagery(card: Card, scenes: Sequence[Scene]) -> Card:
    """Say on a card what scenes are beside bands.

    Which inputs they are made of; or whose learned features, and whom to name.
    """
    if isinstance(scenes[0], StackedScene):
        return with_inputs(card, scenes[0])
    made = scenes[0].embedding
    if made is None:
        return card
    return replace(card, embedding=made.id, attribution=made.attribution)


def _check_features(scenes: Sequence[Scene]) -> None:
    """Refuse scenes of which some hold other learned features than the first."""
    first = scenes[0].embedding
    for scene in scenes[1:]:
        made = scene.embedding
        if made != first and (not made or not first or not made.is_as(first)):
            raise SceneError(
                f"{scenes[0].path} holds {first.title if first else 'plain numbers'}, "
                f"and {scene.path} {made.title if made else 'plain numbers'}, which "
                f"cannot be compared; give scenes of one kind and version"
            )


def read_ground(
    scene: Scene,
    bands: tuple[InputBand, ...],
    labels: LabelSource,
    values: Mapping[str, int],
) -> Ground:
    """Read a scene and bring labels onto it.

    Args:
        scene: The scene.
        bands: Which bands.
        labels: What is known of the ground.
        values: The channel of each label.

    Raises:
        ModelError: The scene lacks a band.
        SceneError: It cannot be read.
        LabelsError: No label lies in it.

    """
    indices = find_bands(scene, bands)
    rasterized = labels.rasterize(scene.geobox, values)
    pixels, valid = scene.read(scene.window, indices)
    rasterized = np.where(valid, rasterized, NODATA).astype(np.uint8)
    if (rasterized == NODATA).all():
        raise LabelsError(f"{scene.name} has no data where its labels are")
    return Ground(scene.name, scene.geobox, pixels, valid, rasterized)


def statistics(
    grounds: Sequence[Ground],
    areas: Sequence[NDArray[np.bool_]],
    bands: tuple[InputBand, ...],
) -> tuple[InputBand, ...]:
    """Measure each band over the training area, labelled or not.

    Args:
        grounds: The scenes.
        areas: The training area of each, shape ``(y, x)``.
        bands: The bands as they were chosen.

    Raises:
        LabelsError: The training area has no valid pixel.

    """
    masks = [ground.valid & area for ground, area in zip(grounds, areas, strict=True)]
    if not any(mask.any() for mask in masks):
        raise LabelsError(
            "no valid pixel is left to train on beside the held-out blocks; choose a "
            "smaller `chip`, or another `block` or `fold`"
        )
    measured = []
    for index, band in enumerate(bands):
        seen = np.concatenate(
            [g.pixels[index][m] for g, m in zip(grounds, masks, strict=True)]
        ).astype(np.float64)
        std = float(seen.std())
        least, greatest = float(seen.min()), float(seen.max())
        measured.append(
            replace(
                band,
                mean=float(seen.mean()),
                std=std if std > 0 else 1.0,  # a constant band says nothing
                minimum=least,
                maximum=greatest,
            )
        )
    return tuple(measured)
