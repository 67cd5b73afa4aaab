"""Does a model fit a scene: its bands, ground sample distance and unit."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, ModelError, SceneError, counted
from geoseg.geo.embeddings import Embedding, listed
from geoseg.geo.ground import unit_steps
from geoseg.models.band_match import BandMatch, match_bands
from geoseg.models.find import candidates, others
from geoseg.models.package.package import ModelPackage
from geoseg.scene.stacked_inputs import StackedScene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.models.package.card import Card
    from geoseg.models.package.inputs import NamedInput
    from geoseg.scene import Needs, Scene, SceneOptions

Models = list[tuple[ModelPackage, BandMatch]]
"""Models, each with its bands in the scene."""
_STAND_FOR_FEATURES = ("int8", "int16")
"""The dtypes of numbers that may: a VRT may hand AlphaEarth's on as the second."""


def open_fitting(
    models: Sequence[str | Path], opening: Callable[[Needs], Scene]
) -> tuple[Scene, Models]:
    """Open models, and a scene with their bands; of families those that fit it.

    Args:
        models: Names and folders.
        opening: Opens the scene, with what chooses its bands.

    Raises:
        InputError: No model is given.
        ModelError: There is no such model, or the scene lacks a band.

    """
    if not models:
        raise InputError("no model is given; give one, or several with `model`")
    sets = list(product(*(candidates(model) for model in models)))
    for packages in sets:
        try:
            scene = opening(bands_needed(packages))
            found = match_models(packages, scene)
        except ModelError:
            if packages is sets[-1]:
                raise
        else:
            break
    return scene, [
        (package, replace(match, notes=(*match.notes, *others(model, package))))
        for model, (package, match) in zip(models, found, strict=True)
    ]


def bands_needed(packages: Sequence[Card]) -> Needs:
    """Give what chooses the bands of models among those that a scene could have.

    It raises a `ModelError` where one is missing, or a model takes bands by number.
    """

    def choose(names: tuple[str, ...], commons: tuple[str, ...]) -> list[int]:
        for package in packages:
            if any(band.index is not None for band in package.bands):
                raise ModelError(
                    f"the model {package.name} takes bands by their number, and bands "
                    f"in files of their own have none; name them: {', '.join(names)}"
                )
        matches = [match_bands(package, names, commons) for package in packages]
        return sorted({index for match in matches for index in match.indices})

    return choose


def match_models(packages: Sequence[ModelPackage], scene: Scene) -> Models:
    """Find the bands of models in a scene.

    Raises:
        ModelError: The scene lacks a band.

    """
    return [(package, find_bands(package, scene)) for package in packages]


def find_bands(card: Card, scene: Scene) -> BandMatch:
    """Find a model's bands in a scene.

    Raises:
        ModelError: The scene lacks one, or holds other learned features; or the model
            takes several inputs, and the scene is one.

    """
    if card.inputs:
        return _find_in_parts(card, scene)
    _check_features(card, scene)
    names, commons = scene.bands, scene.common_names
    return match_bands(card, names, commons, alpha=scene.alpha)


def _find_in_parts(card: Card, scene: Scene) -> BandMatch:
    """Find the bands of each input in the part of the scene that it is."""
    if not isinstance(scene, StackedScene):
        raise ModelError(
            f"the model {card.name} takes several inputs, {inputs_listed(card)}; give "
            f"each by its name: `input=NAME=FILE`"
        )
    indices: list[int] = []
    matches: list[BandMatch] = []
    first = 0
    for (_, part), taken in zip(scene.parts, _of_slots(card), strict=True):
        match = find_bands(card.of_input(taken), part)
        indices += [first + index for index in match.indices]
        matches.append(match)
        first += len(part.bands)
    return BandMatch(tuple(indices), by_order=any(each.by_order for each in matches))


def inputs_listed(card: Card) -> str:
    """List a model's inputs in a sentence: their bands, and their dates."""
    texts = []
    for each in card.inputs:
        dates = [f"{name} {window}" for name, window in each.dates]
        when = f"; of {', '.join(dates)}" if dates else ""
        texts.append(f"{each.name} ({listed([b.name for b in each.bands])}{when})")
    return ", ".join(texts)


def _of_slots(card: Card) -> list[NamedInput]:
    """Give the input of each image that is read: one with dates several times."""
    return [each for each in card.inputs for _ in each.slots]


def by_input(models: Models, scene: Scene) -> Iterator[tuple[Models, Scene]]:
    """Give models and scene, or, of several inputs, each as if it were all there is."""
    if not isinstance(scene, StackedScene):
        yield models, scene
        return
    for number, (_, part) in enumerate(scene.parts):
        cards = [each.of_input(_of_slots(each)[number]) for each, _ in models]
        yield match_models(cards, part), part


def _check_features(card: Card, scene: Scene) -> None:
    """Refuse other learned features than a model's, or numbers that stand for them.

    Raises:
        ModelError: The scene holds such.

    """
    wanted, made = Embedding.parse(card.embedding), scene.embedding
    if wanted is None:
        if made is not None and card.dtype in _STAND_FOR_FEATURES:
            raw = "say `radiometry='raw'`, or " if scene.is_quantised else ""
            raise ModelError(
                f"the model {card.name} was fitted to whole numbers that stand for "
                f"features of {made.title}, and {scene.path} is read as what they "
                f"stand for; {raw}train the model anew"
            )
        return
    if made is not None and wanted.is_as(made):
        return
    some = f"{counted(len(scene.bands), 'band')} of plain {scene.dtype} numbers"
    advice = f"say `numbers={wanted.kind}` and no `radiometry='raw'` if they are such"
    if made is not None:
        some = f"{made.title}, {len(made.names)} bands"
        advice = "give features of that kind and version, or train a model on these"
    raise ModelError(
        f"the model {card.name} was fitted to {wanted.title}, {len(wanted.names)} "
        f"bands of learned features, and {scene.path} holds {some}, which mean "
        f"something else; {advice}"
    )


def misses_scale(package: ModelPackage, scene: Scene) -> bool:
    """Return whether a scene's pixels are larger or smaller than a model takes."""
    found = scene.geobox.gsd_m()
    return abs(found - package.gsd_m) > package.gsd_m * package.gsd_tolerance


def check_scale(models: Models, scene: Scene) -> None:
    """Refuse a scene of another ground sample distance than a model was made for.

    Raises:
        ModelError: It is outside a model's tolerance; says both distances.

    """
    for package, _ in models:
        if misses_scale(package, scene):
            slack = package.gsd_m * package.gsd_tolerance
            raise ModelError(
                f"the model {package.name} was made for pixels of {package.gsd_m:g} m "
                f"({package.gsd_m - slack:.3g} to {package.gsd_m + slack:.3g}), and "
                f"those of {scene.path} have {scene.geobox.gsd_m():.3g} m; read it on "
                f"pixels of the model's size with `resample`, or use another model"
            )


def on_models_grid(options: SceneOptions, models: Models, scene: Scene) -> SceneOptions:
    """Read a scene on pixels of a model's size, where its own are too large or small.

    Args:
        options: How the scene was read.
        models: The models; the first that its pixels do not fit decides.
        scene: The scene.

    Returns:
        How to read it; the same options where its pixels fit.

    Raises:
        ModelError: Its grid was chosen by an example already.

    """
    misfits = [package for package, _ in models if misses_scale(package, scene)]
    if not misfits:
        return options
    if options.like is not None:
        raise ModelError(
            f"`resample` reads a scene on pixels of {misfits[0].gsd_m:g} m where no "
            f"`like` says otherwise; leave one of both out"
        )
    return replace(options, resolution=_resolution(misfits[0].gsd_m, scene.geobox))


def _resolution(metres: float, plane: GeoBox) -> tuple[float, float]:
    """Give the size of pixels in a CRS that have so many metres on the ground.

    In three digits, so that 10 m are 10 m in UTM, whatever its scale factor.
    """
    x, y = plane.xy(row=plane.height / 2, col=plane.width / 2)
    across, down = unit_steps(plane.crs, np.array([x]), np.array([y]))
    return float(f"{metres / across[0]:.3g}"), float(f"{metres / down[0]:.3g}")


def in_models_unit(models: Models, scene: Scene) -> Scene:
    """Give a scene in the models' unit, where its files declare scale and offset.

    Raises:
        InputError: The models want several units, or files of several.

    """
    if not scene.is_scaled:
        return scene
    needed = sorted({index for _, match in models for index in match.indices})
    check_scaled([(scene, needed)])
    # A scene's own statistics are the same thing in any unit.
    fixed = [p for p, _ in models if p.normalise == "training"]
    units = {(p.scale, p.offset) for p in fixed} or {(1.0, 0.0)}
    whole = np.dtype(models[0][0].dtype).kind != "f"
    if fixed and units == {(1.0, 0.0)} and whole:
        warning = (
            f"{scene.path} declares scale or offset, which are not used: the model "
            f"was trained on numbers as they are"
        )
        return replace(scene, warnings=(*scene.warnings, warning))
    if len(units) > 1:
        raise InputError(
            f"{scene.path} declares scale or offset, and the models want units of "
            f"{', '.join(f'{scale:g}' for scale, _ in sorted(units))}; use models of "
            f"one unit, or say `radiometry='raw'`"
        )
    return scene.in_unit(*units.pop())


def check_scaled(read: Iterable[tuple[Scene, Sequence[int]]]) -> None:
    """Refuse numbers of which some have a scale or an offset, and others none.

    Args:
        read: Scenes, each with the bands that are read of it, counted from 0.

    Raises:
        SceneError: There are both; the message names one of each.

    """
    examples: dict[bool, tuple[str, str]] = {}
    for scene, bands in read:
        for member, index in product(scene.members, bands):
            band = member.band(index)
            is_plain = (band.scale, band.offset) == (1.0, 0.0)
            examples.setdefault(
                is_plain, (member.name, scene.bands[index] or f"{index + 1}")
            )
    if len(examples) > 1:
        scaled, plain = examples[False], examples[True]
        raise SceneError(
            f"{scaled[0]} declares scale or offset for its band {scaled[1]}, and "
            f"{plain[0]} none for its band {plain[1]}, so that their numbers cannot be "
            f"compared; declare them there, too, or say `radiometry='raw'`"
        )
