"""Scenes with their labels: what is learned from, and measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geoseg.errors import InputError, LabelsError, SceneError, named_as
from geoseg.geo.embeddings import credited
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.models.compatibility import bands_needed
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.stacked_inputs import StackedScene
from geoseg.storage.spool import Spool
from geoseg.train.bands import card_with, choose_bands, find_bands
from geoseg.train.inputs import open_inputs, with_inputs
from geoseg.train.strips import mean_and_deviation, strips

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windowed import ClassWindows
    from geoseg.models.package.card import Card, InputBand
    from geoseg.scene import Scene
    from geoseg.scene.files.paths import OneInput
    from geoseg.train.inputs import Dates
    from geoseg.train.options import GroundOptions
    from geoseg.train.strips import Plane

    Scenes = Sequence[OneInput] | Mapping[str, OneInput]


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
class LabelledGround:
    """A scene's pixels and labels, in memory or in a file."""

    name: str
    """What people call the scene."""
    geobox: GeoBox
    """The pixel plane."""
    pixels: Plane
    """Raw pixels, shape ``(band, y, x)``."""
    valid: Plane
    """Where all bands have data, shape ``(y, x)``."""
    labels: Plane
    """The channel of each pixel's class, shape ``(y, x)``; 255 = unlabelled, or
    without data."""

    def normalised(self, bands: tuple[InputBand, ...]) -> Normalised:
        """Give the image that a network sees, normalised where it is looked at."""
        return Normalised(self, bands)


@dataclass(frozen=True, slots=True)
class Normalised:
    """An image whose parts are normalised as they are taken, shape ``(band, y, x)``."""

    ground: LabelledGround
    """Raw pixels."""
    bands: tuple[InputBand, ...]
    """Mean and deviation of each."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.ground.pixels.shape

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """The type."""
        return np.dtype(np.float32)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:  # noqa: ANN401  # as numpy takes
        """Take off each band's mean, divide by its deviation; 0 without data.

        Args:
            key: Slices of all bands, rows and columns, or of all bands alone.

        """
        every, *part = key if isinstance(key, tuple) else (key,)
        image = self.ground.pixels[(every, *part)].astype(np.float32)
        for index, band in enumerate(self.bands):
            image[index] -= np.float32(band.mean)
            image[index] /= np.float32(band.std)
        image[:, ~self.ground.valid[tuple(part) or every]] = 0
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
        InputError: Something is said of inputs that there are not.

    """
    if not scenes:
        raise SceneError("no scene is given; name one, or several")
    if isinstance(scenes, Mapping):
        stack, found = open_inputs(scenes, options)
        return [stack], found
    if options.dates:
        raise InputError(
            f"`dates={options.dates[0]}` is of an input by name, and none is given; "
            f"give what has dates as one: `input=NAME=FILE`"
        )
    names = options.band_names()
    named = card_with(names).bands if names else ()
    most = max((band.index or 0 for band in named), default=0)
    how = SceneOptions(
        numbers=options.features() or tuple(range(1, most + 1)),
        **options.imagery(),
    )
    needs = bands_needed([card_with(names)]) if names else None
    with named_as(numbers="bands"):
        opened = [open_scene(scene, how, needs=needs) for scene in scenes]
    _check_features(opened)
    return opened, choose_bands(opened[0], names)


def with_imagery(card: Card, scenes: Sequence[Scene], dates: Dates) -> Card:
    """Say on a card what scenes are beside bands.

    Which inputs they are made of; or whose learned features, and whom to name.
    """
    if isinstance(scenes[0], StackedScene):
        _, attribution = credited(scenes[0].embeddings)
        return replace(with_inputs(card, scenes[0], dates), attribution=attribution)
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
    spool: Spool | None = None,
) -> LabelledGround:
    """Read a scene and bring labels onto it.

    Args:
        scene: The scene.
        bands: Which bands.
        labels: What is known of the ground.
        values: The channel of each label.
        spool: Keeps them; in a file of its own where None.

    Raises:
        ModelError: The scene lacks a band.
        SceneError: It cannot be read.
        LabelsError: No label lies in it.

    """
    indices, spool = find_bands(scene, bands), spool or Spool()
    rasterized = labels.rasterize(scene.geobox, values)
    shape = rasterized.shape
    valid, marked = spool.array(shape, bool), spool.array(shape, np.uint8)
    pixels, any_labelled = None, False
    for rows in strips(shape[0]):
        window = Window(rows.start, 0, rows.stop - rows.start, shape[1])
        seen, there = scene.read(window, indices)
        if pixels is None:
            pixels = spool.array((len(bands), *shape), seen.dtype)
        found = np.where(there, rasterized[rows], NODATA).astype(np.uint8)
        any_labelled |= bool((found != NODATA).any())
        for array, part in ((pixels, seen), (valid, there), (marked, found)):
            array.put(rows.start, part)
    if pixels is None or not any_labelled:
        raise LabelsError(f"{scene.name} has no data where its labels are")
    return LabelledGround(scene.name, scene.geobox, pixels, valid, marked)


def statistics(
    grounds: Sequence[LabelledGround],
    areas: Sequence[Plane],
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

    def parts(index: int) -> Iterator[NDArray[np.float64]]:
        for ground, area in zip(grounds, areas, strict=True):
            for rows in strips(area.shape[0]):
                seen = ground.valid[rows] & area[rows]
                yield ground.pixels[index, rows][seen].astype(np.float64)

    if not any(len(part) for part in parts(0)):
        raise LabelsError(
            "no valid pixel is left to train on beside the held-out blocks; choose a "
            "smaller `chip`, or another `block` or `fold`"
        )
    measured = []
    for index, band in enumerate(bands):
        mean, std = mean_and_deviation(partial(parts, index))
        ends = [(part.min(), part.max()) for part in parts(index) if len(part)]
        measured.append(
            replace(
                band,
                mean=mean,
                std=std if std > 0 else 1.0,  # a constant band says nothing
                minimum=float(min(least for least, _ in ends)),
                maximum=float(max(greatest for _, greatest in ends)),
            )
        )
    return tuple(measured)
