"""Does a model fit a scene: bands, ground sample distance, dtype, range of values."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, ModelError, SceneError, counted
from geoseg.geo.embeddings import Embedding, listed
from geoseg.geo.ground import unit_steps
from geoseg.geo.windows import Window
from geoseg.models.band_match import BandMatch, match_bands
from geoseg.models.find import candidates, others
from geoseg.models.package.package import ModelPackage
from geoseg.scene.stacked_inputs import StackedScene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.models.package.card import Card, InputBand
    from geoseg.models.package.inputs import NamedInput
    from geoseg.scene import Needs, Scene, SceneOptions

Models = list[tuple[ModelPackage, BandMatch]]
"""Models, each with its bands in the scene."""

_LOOKS, _SIDE = 3, 64
"""How many windows a side are looked at, and how many pixels a side they have."""
_ENOUGH = 100
"""Fewer valid pixels say nothing about a scene's values."""
_QUARTILES = (25, 75)
"""Between them is what most of a scene is, whatever clouds and water are like."""
_DEVIATIONS = 10
"""Deviations around the mean that stand for a range where the model names none: clouds
are as far from the ground as that."""
_BEYOND = 5
"""How many times a model's range a scene's values may reach beyond it."""
_FAINT = 200
"""A scene whose values are so many times smaller than the model's is in other units."""


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
        if made is not None and scene.is_quantised and card.dtype == "int8":
            raise ModelError(
                f"the model {card.name} was fitted to whole numbers that stand for "
                f"features of {made.title}, and {scene.path} is read as what they "
                f"stand for; say `radiometry='raw'`, or train the model anew"
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


def doubts(models: Models, scene: Scene) -> Iterator[str]:
    """Say what was taken for granted about a scene, and what cannot be right."""
    for of_input, part in by_input(models, scene):
        yield from _doubts(of_input, part)
        if part is not scene:
            yield from _coarse(of_input, part)


def _coarse(models: Models, part: Scene) -> Iterator[str]:
    """Say where an input's own pixels are of another size than it was trained on."""
    for package, _ in models:
        found, wanted = part.rasters[0].geobox.gsd_m(), package.gsd_m
        if abs(found - wanted) > wanted * package.gsd_tolerance:
            yield (
                f"{part.path} has pixels of {found:.3g} m, and the model "
                f"{package.name} learned from such of {wanted:g} m there"
            )


def _doubts(models: Models, scene: Scene) -> Iterator[str]:
    for package, match in models:
        if match.by_order:
            yield (
                f"{scene.path} does not name its bands; they were taken in the "
                f"model's order: {listed([band.name for band in package.bands])}"
            )
        for note in match.notes:
            yield f"{scene.path}, for the model {package.name}: {note}"
        values = look_at(scene, match.indices)
        if values.shape[1] >= _ENOUGH:
            yield from _constant(package, scene, values)
        wrong = _wrong(package, scene, values)
        if wrong:
            yield (
                f"{scene.path} {wrong}; the map is meaningless unless the scene's "
                f"values are scaled alike"
            )


def check_values(package: ModelPackage, bands: Sequence[int], scene: Scene) -> None:
    """Refuse a scene whose values are nowhere near those that a model was trained on.

    Args:
        package: The model.
        bands: For each of its bands the scene's, counted from 0.
        scene: The scene.

    Raises:
        ModelError: They are not; says both ranges.

    """
    models = [(package, BandMatch(tuple(bands), by_order=False))]
    for ((card, match),), part in by_input(models, scene):
        wrong = _wrong(card, part, look_at(part, match.indices))
        if not wrong:
            continue
        raise ModelError(
            f"{part.path} {wrong}; a mask of it would be empty or everywhere: give "
            f"the scene in the model's unit, or `force` to take the mask all the same"
        )


def _wrong(package: ModelPackage, scene: Scene, values: NDArray[np.generic]) -> str:
    """Say what of a scene's values does not suit a model; nothing mostly."""
    if package.normalise == "scene":  # which suits any values
        return ""
    return _wrong_dtype(package, scene) or _wrong_values(package, values)


def _wrong_dtype(package: ModelPackage, scene: Scene) -> str:
    if scene.unit is not None:
        return ""
    kinds = [np.dtype(dtype).kind == "f" for dtype in (scene.dtype, package.dtype)]
    if kinds[0] == kinds[1]:
        return ""
    return (
        f"holds {_range_of(scene.dtype)}, but the model {package.name} was trained on "
        f"{_range_of(package.dtype)}, times {package.scale:g}"
    )


def _range_of(dtype: str) -> str:
    if np.dtype(dtype).kind == "f":
        return f"{dtype} of any size"
    limits = np.iinfo(dtype)
    return f"{dtype} from {limits.min} to {limits.max}"


def _constant(
    package: ModelPackage, scene: Scene, values: NDArray[np.generic]
) -> Iterator[str]:
    """Name the first band that is the same everywhere: there is nothing to see."""
    for band, seen in zip(package.bands, values, strict=True):
        if (seen == seen[0]).all():
            yield (
                f"{scene.path}: every pixel looked at of its band for {band.name} is "
                f"{seen[0]:g}; is it the right file?"
            )
            return


def _wrong_values(package: ModelPackage, values: NDArray[np.generic]) -> str:
    """Name the first band whose values are nowhere near those trained on."""
    if values.shape[1] < _ENOUGH:
        return ""
    for band, seen in zip(package.bands, values, strict=True):
        known = _trained_on(package, band)
        if known is None:
            continue
        low, high = np.percentile(seen, _QUARTILES).tolist()
        least, greatest, about = known
        span = greatest - least
        beyond = low > greatest + span or high > greatest + _BEYOND * span
        below = high < least - span
        faint = 0 < max(abs(low), abs(high)) * _FAINT < max(abs(least), abs(greatest))
        if beyond or below or faint:
            return (
                f"has values from {low:.6g} to {high:.6g} in half of its band for "
                f"{band.name}, but the model {package.name} was trained on {about} "
                f"{least:.6g} to {greatest:.6g}"
            )
    return ""


def _trained_on(
    package: ModelPackage, band: InputBand
) -> tuple[float, float, str] | None:
    """Give the raw values that a model knows of a band, and how sure that is.

    None where it says nothing of them: networks that normalise by themselves.
    """
    if band.minimum is not None and band.maximum is not None:
        return band.minimum, band.maximum, "those from"
    if (band.mean, band.std) == (0, 1):
        return None
    mean = (band.mean - package.offset) / package.scale
    reach = _DEVIATIONS * band.std / package.scale
    return mean - reach, mean + reach, "about"


def look_at(scene: Scene, bands: Sequence[int]) -> NDArray[np.generic]:
    """Read a few small windows spread over a scene.

    Args:
        scene: The scene.
        bands: Which bands, counted from 0.

    Returns:
        The valid pixels found, shape ``(band, pixel)``; few or none where most of
        the scene holds no data or is damaged.

    """
    found = [np.zeros((len(bands), 0), scene.dtype)]
    for window in spread_windows(scene):
        # The run says what cannot be read, and maps the rest: no refusal here.
        with suppress(SceneError):
            pixels, valid = scene.read(window, bands)
            found.append(pixels[:, valid])
    return np.concatenate(found, axis=1)


def spread_windows(scene: Scene) -> list[Window]:
    """Give a few small windows spread over a scene."""
    return [
        Window(row, col, height, width)
        for row, height in _spread(scene.geobox.height)
        for col, width in _spread(scene.geobox.width)
    ]


def _spread(length: int) -> list[tuple[int, int]]:
    """Where windows begin that stand in the middle of parts of an axis; how long."""
    parts = min(_LOOKS, length)
    edges = [part * length // parts for part in range(parts + 1)]
    sides = [min(_SIDE, end - begin) for begin, end in itertools.pairwise(edges)]
    return [
        (begin + (end - begin - side) // 2, side)
        for (begin, end), side in zip(itertools.pairwise(edges), sides, strict=True)
    ]
