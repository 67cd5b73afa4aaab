"""Inputs by name to learn from: one scene of theirs, and a card that says which.

Nothing is declared yet, so that the files say it: the grid is that of the finest, each
is brought onto it by the resampling asked for, in the unit that it declares. An input
with windows of dates is an image for each, as a model's is when it is used.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from geoseg.errors import InputError
from geoseg.geo.band_names import plain
from geoseg.models.compatibility import bands_needed, check_scaled
from geoseg.models.open_inputs import (
    check_options,
    naming_input,
    own_options,
    slots_of,
)
from geoseg.models.package.inputs import (
    COMPOSITES,
    NamedInput,
    check_dates,
    flat_bands,
)
from geoseg.scene import SceneOptions, open_scene, several
from geoseg.scene.stacked_inputs import StackedScene, stack_inputs
from geoseg.train.bands import card_with, choose_bands, find_bands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from geoseg.geo.geobox import GeoBox
    from geoseg.models.package.card import Card, InputBand
    from geoseg.options import Composite
    from geoseg.scene import Scene
    from geoseg.scene.files.paths import OneInput
    from geoseg.train.options import GroundOptions, TrainOptions

    Dates = dict[str, tuple[tuple[str, str], ...]]

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
        ModelError: A name is no band, or a window cannot be read.
        InputError: Windows or masks are of no input, or the rule cannot be kept.

    """
    if options.features() is not None:
        raise InputError(
            f"`bands={options.bands[0]}` is about one image, and several inputs are "
            f"given; leave it out"
        )
    how, dates = SceneOptions(**options.imagery()), dates_of(options)
    check_options(how, inputs)
    _kept_rule(how)
    _check_dated(dates, inputs)
    asked = {name: _asked(name, dates, options) for name in inputs}
    named = {name: _names_of(name, inputs, options) for name in inputs}

    def opened(name: str, grid: GeoBox | None = None) -> Scene:
        timed = name in dates or not dates
        own = own_options(how, asked[name], grid, timed=timed)
        needs = bands_needed([card_with(named[name])]) if named[name] else None
        with naming_input(name):
            return open_scene(inputs[name], own, needs=needs)

    alone = {name: opened(name) for name in inputs}
    lead = min(alone.values(), key=lambda scene: scene.geobox.gsd_m())
    parts: dict[str, Scene] = {}
    found: list[InputBand] = []
    for name, scene in alone.items():
        bands = choose_bands(scene, named[name])
        indices = find_bands(scene, bands)
        part = scene if scene is lead else opened(name, lead.geobox)
        if part.is_scaled:
            check_scaled([(part, indices)])
            part = part.in_unit(1.0)
        for slot, image in slots_of(asked[name], part):
            first = sum(len(each.bands) for each in parts.values())
            found += [
                replace(band, name=f"{slot}:{band.name}", index=first + index + 1)
                for band, index in zip(bands, indices, strict=True)
            ]
            parts[slot] = image
    given = {name: several(each) for name, each in inputs.items()}
    return stack_inputs(parts, given, how), tuple(found)


def dates_of(options: GroundOptions) -> Dates:
    """Read the windows of dates of each input that has some, in their order.

    Raises:
        InputError: One is not written as such.

    """
    found: Dates = {}
    for each in options.dates:
        slot, _, window = each.partition("=")
        name, _, date = slot.partition(":")
        if not (name and date and window):
            raise InputError(
                f"`dates={each}` is no window of an input; write INPUT:NAME=FROM/TO, "
                f"such as `dates=s2:spring=03-01/05-15`"
            )
        found[name] = (*found.get(name, ()), (date, window))
    return found


def _check_dated(dates: Dates, inputs: Mapping[str, OneInput]) -> None:
    """Refuse windows of inputs that there are not."""
    for name in dates:
        if name not in inputs:
            date, window = dates[name][0]
            raise InputError(
                f"`dates={name}:{date}={window}` is of the input {name}, and the "
                f"inputs are {', '.join(inputs)}; name one of these"
            )


def _kept_rule(options: SceneOptions) -> Composite:
    """Give the rule that a model keeps for its inputs, and other imagery is put to.

    Raises:
        InputError: It is none for that.

    """
    for rule in COMPOSITES:
        if rule == options.mosaic:
            return rule
    raise InputError(
        f"`mosaic={options.mosaic}` is of one scene, and a model of several inputs "
        f"keeps a rule for all imagery; choose one of {', '.join(COMPOSITES)}"
    )


def _asked(name: str, dates: Dates, options: GroundOptions) -> NamedInput:
    """Say what is known of an input before it is opened."""
    asked = NamedInput(
        name=name,
        bands=(),
        dtype="float32",
        gsd_m=1,
        resampling=options.resampling,
        dates=dates.get(name, ()),
    )
    check_dates(asked)
    return asked


def alike_on_dates(bands: tuple[InputBand, ...], dates: Dates) -> tuple[InputBand, ...]:
    """Give a band of an input one mean, deviation and range for all of its dates.

    Args:
        bands: All bands, each measured over the same pixels.
        dates: The windows of dates of each input that has some.

    """
    dated: dict[str, list[InputBand]] = {}
    for band in bands:
        dated.setdefault(_without_date(band.name, dates), []).append(band)
    return tuple(
        _together(band, dated[_without_date(band.name, dates)]) for band in bands
    )


def _without_date(band: str, dates: Dates) -> str:
    name, _, rest = band.partition(":")
    return f"{name}:{rest.partition(':')[2]}" if name in dates else band


def _together(band: InputBand, dated: list[InputBand]) -> InputBand:
    """Give a band the statistics of itself on all dates."""
    if len(dated) == 1:
        return band
    mean = fmean(each.mean for each in dated)
    square = fmean(each.std**2 + (each.mean - mean) ** 2 for each in dated)
    return replace(
        band,
        mean=mean,
        std=math.sqrt(square),
        minimum=min(each.minimum for each in dated if each.minimum is not None),
        maximum=max(each.maximum for each in dated if each.maximum is not None),
    )


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


def with_inputs(card: Card, scene: StackedScene, dates: Dates) -> Card:
    """Say on a card of several inputs' bands which inputs, and dates, these are."""
    inputs: list[NamedInput] = []
    for slot, part in scene.parts:
        name, prefix = slot.partition(":")[0], f"{slot}:"
        if name in [each.name for each in inputs]:
            continue  # another date of the same bands
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
                dates=dates.get(name, ()),
                mosaic=_kept_rule(part.options),
            )
        )
    named = tuple(inputs)
    return replace(card, inputs=named, bands=flat_bands(named), dtype="float32")


def _number(band: InputBand, part: Scene, first: int) -> int | None:
    """Give a band's number in its own input, where it has no name there."""
    number = (band.index or 0) - first
    return None if part.bands[number - 1] else number


def resolve_architecture(
    options: TrainOptions, scenes: Sequence[Scene], bands: Sequence[InputBand]
) -> TrainOptions:
    """Choose the network of two dates where there are two, and nobody chose.

    Two windows of one input may be seasons, between which nothing need have changed:
    they have to be asked to be compared.

    Raises:
        InputError: It was chosen, and there are no two inputs of the same bands.

    """
    is_pair = _is_pair(scenes[0], bands)
    if options.architecture == SIAMESE and not is_pair:
        raise InputError(
            f"`architecture={SIAMESE}` compares two dates of the same bands, which "
            f"there are not; give two inputs: `input=before=FILE` `input=after=FILE`"
        )
    is_free = options.architecture is None and options.start is None
    if is_free and is_pair and not options.dates:
        return replace(options, architecture=SIAMESE)
    return options


def _is_pair(scene: Scene, bands: Sequence[InputBand]) -> bool:
    if not isinstance(scene, StackedScene) or len(scene.parts) != _PAIR:
        return False
    one, other = (
        [plain(b.name[len(n) + 1 :]) for b in bands if b.name.startswith(f"{n}:")]
        for n, _ in scene.parts
    )
    return one == other
