"""Inputs by name to learn from: one scene of theirs, and a card that says which.

Nothing is declared yet, so that the files say it: the grid is that of the finest, each
is brought onto it by the resampling asked for, in the unit that it declares.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.errors import InputError
from geoseg.geo.band_names import plain
from geoseg.models.compatibility import check_scaled
from geoseg.models.open_inputs import naming_input
from geoseg.models.package.inputs import NamedInput, flat_bands
from geoseg.scene import SceneOptions, open_scene, several
from geoseg.scene.stacked_inputs import StackedScene, stack_inputs
from geoseg.train.bands import choose_bands, find_bands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoseg.models.package.card import Card, InputBand
    from geoseg.scene import Scene
    from geoseg.scene.files.paths import OneInput
    from geoseg.train.options import GroundOptions, TrainOptions

_PAIR = 2
SIAMESE = "FCSiamDiff"
"""What two dates of the same bands are learned by where nobody says."""


def open_inputs(
    inputs: Mapping[str, OneInput], options: GroundOptions
) -> tuple[StackedScene, tuple[InputBand, ...]]:
    """Open inputs as one scene, and choose bands to learn from in each.

    A name among `bands` is chosen of each input, or with the input's name before it,
    ``dem:elevation``, of that one.

    Returns:
        The scene, and its bands by their numbers in it.

    Raises:
        SceneError: One cannot be used, or has nothing of the finest one's ground.
        ModelError: A name is no band.

    """
    if options.features() is not None:
        raise InputError(
            f"`bands={options.bands[0]}` is about one image, and several inputs are "
            f"given; leave it out"
        )
    how = SceneOptions(**options.grid())
    alone = {name: open_scene(each, how) for name, each in inputs.items()}
    lead = min(alone.values(), key=lambda scene: scene.geobox.gsd_m())
    on_grid = replace(how, crs=None, resolution=None, like=lead.geobox)
    parts: dict[str, Scene] = {}
    found: list[InputBand] = []
    for name, scene in alone.items():
        bands = choose_bands(scene, _names_of(name, inputs, options))
        indices = find_bands(scene, bands)
        first = sum(len(part.bands) for part in parts.values())
        found += [
            replace(band, name=f"{name}:{band.name}", index=first + index + 1)
            for band, index in zip(bands, indices, strict=True)
        ]
        with naming_input(name):
            part = scene if scene is lead else open_scene(inputs[name], on_grid)
        if part.is_scaled:
            check_scaled([(part, indices)])
            part = part.in_unit(1.0)
        parts[name] = part
    given = {name: several(each) for name, each in inputs.items()}
    return stack_inputs(parts, given, how), tuple(found)


def _names_of(
    name: str, inputs: Mapping[str, OneInput], options: GroundOptions
) -> tuple[str, ...]:
    """Give the names of bands that are about one input."""
    chosen = []
    for each in options.band_names():
        before, _, rest = each.partition(":")
        if before not in inputs:
            chosen.append(each)
        elif before == name:
            chosen.append(rest)
    return tuple(chosen)


def with_inputs(card: Card, scene: StackedScene) -> Card:
    """Say on a card of several inputs' bands which inputs these are."""
    inputs = []
    for name, part in scene.parts:
        prefix = f"{name}:"
        own = [band for band in card.bands if band.name.startswith(prefix)]
        first = scene.bands.index(next(b for b in scene.bands if b.startswith(prefix)))
        bands = tuple(
            replace(
                band,
                name=band.name.removeprefix(prefix),
                index=_number(band, part, first),
            )
            for band in own
        )
        inputs.append(
            NamedInput(
                name=name,
                bands=bands,
                dtype=part.dtype,
                gsd_m=float(f"{part.rasters[0].geobox.gsd_m():.3g}"),
                resampling=part.options.resampling,
            )
        )
    named = tuple(inputs)
    return replace(card, inputs=named, bands=flat_bands(named), dtype="float32")


def _number(band: InputBand, part: Scene, first: int) -> int | None:
    """Give a band's number in its own input, where it has no name there."""
    number = (band.index or 0) - first
    return None if part.bands[number - 1] else number


def settle_architecture(
    options: TrainOptions, scenes: Sequence[Scene], bands: Sequence[InputBand]
) -> TrainOptions:
    """Choose the network of two dates where there are two, and nobody chose.

    Raises:
        InputError: It was chosen, and there are no two inputs of the same bands.

    """
    is_pair = _is_pair(scenes[0], bands)
    if options.architecture == SIAMESE and not is_pair:
        raise InputError(
            f"`architecture={SIAMESE}` compares two dates of the same bands, which "
            f"there are not; give two inputs: `input=before=FILE` `input=after=FILE`"
        )
    if options.architecture is None and options.start is None and is_pair:
        return replace(options, architecture=SIAMESE)
    return options


def _is_pair(scene: Scene, bands: Sequence[InputBand]) -> bool:
    if not isinstance(scene, StackedScene) or len(scene.parts) != _PAIR:
        return False
    one, other = (
        [plain(b.name.partition(":")[2]) for b in bands if b.name.startswith(f"{n}:")]
        for n, _ in scene.parts
    )
    return one == other
