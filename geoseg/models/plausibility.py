"""Whether a scene's values can be what a model learned from, and what is doubtful.

A few small windows are looked at: of a scene in other units, of another sensor's
numbers or without anything to see comes a map that nobody should believe, and no error.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import ModelError, SceneError
from geoseg.geo.embeddings import listed
from geoseg.geo.windows import Window
from geoseg.models.band_match import BandMatch
from geoseg.models.compatibility import Models, by_input

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.models.package.card import InputBand
    from geoseg.models.package.package import ModelPackage
    from geoseg.scene import Scene

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
    wrong = implausible(package, bands, scene)
    if wrong:
        raise ModelError(
            f"{wrong}; a mask of it would be empty or everywhere: give the scene in "
            f"the model's unit, or `force` to take the mask all the same"
        )


def implausible(package: ModelPackage, bands: Sequence[int], scene: Scene) -> str:
    """Say what of a scene's values is nowhere near those that a model was trained on.

    Args:
        package: The model.
        bands: For each of its bands the scene's, counted from 0.
        scene: The scene.

    Returns:
        The path of the scene, or of the input, and both ranges; nothing mostly.

    """
    models = [(package, BandMatch(tuple(bands), by_order=False))]
    for ((card, match),), part in by_input(models, scene):
        wrong = _wrong(card, part, look_at(part, match.indices))
        if wrong:
            return f"{part.path} {wrong}"
    return ""


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
