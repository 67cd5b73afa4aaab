"""What a scene's own statistics make of models that ask for them.

The whole scene is measured, whatever is to be mapped of it, so that the map of an area
is the crop of the map of the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.models.plausibility import spread_windows
from geoseg.progress import OnStep
from geoseg.scene import Scene
from geoseg.scene.statistics import (
    BandStatistics,
    bytes_to_read,
    find_kept,
    measure,
    measure_some,
)

if TYPE_CHECKING:
    from geoseg.geo.windows import Window
    from geoseg.models.package.card import Card
    from geoseg.models.package.scaling import Measured
    from geoseg.predict import LoadedModel, TilePredictor

Measure = Callable[
    [Scene, Sequence[int], Sequence[float], OnStep], tuple[BandStatistics, ...]
]
"""What measures a scene's bands, as `geoseg.scene.statistics.measure` does."""
_SMALL = 0.5
"""A smaller share of the scene is mapped by reading less than is measured."""


def by_scene(
    predictor: TilePredictor,
    scene: Scene,
    on_step: OnStep,
    measured_by: Measure = measure,
) -> TilePredictor:
    """Give a predictor whose models know the scene's statistics, where they ask.

    Args:
        predictor: The predictor.
        scene: What it is to map, in the models' unit.
        on_step: Called as pixels are read, from the calling thread.
        measured_by: What measures the scene.

    Raises:
        SceneError: The scene has no valid pixel, or a band of one value; or it cannot
            be read somewhere.

    """
    wanted = _percentiles(predictor)
    if wanted is None:
        return predictor
    found = measured_by(scene, predictor.bands, wanted, on_step)
    if found[0].pixels == 0:
        raise SceneError(
            f"{scene.path} has no valid pixel, and {_asking(predictor)} is normalised "
            f"by the scene's own statistics; give a scene with data"
        )
    models = tuple(
        replace(model, measured=_measured(model, found, wanted, scene))
        if model.package.normalise == "scene"
        else model
        for model in predictor.models
    )
    return replace(predictor, models=models)


def estimated(
    scene: Scene, bands: Sequence[int], percentiles: Sequence[float], _: OnStep
) -> tuple[BandStatistics, ...]:
    """Measure a scene by a few of its windows, unless it was measured before.

    As close as a forecast needs; a scene whose windows say nothing is measured whole.
    """
    known = find_kept(scene, bands, percentiles)
    if known is not None:
        return known
    found = measure_some(scene, bands, percentiles, spread_windows(scene))
    if any(each.pixels == 0 or not each.std > 0 for each in found):
        return measure(scene, bands, percentiles)
    return found


def bytes_to_measure(predictor: TilePredictor, scene: Scene) -> int:
    """Say how much `by_scene` has to read first; 0 where it is known already."""
    wanted = _percentiles(predictor)
    if wanted is None or find_kept(scene, predictor.bands, wanted) is not None:
        return 0
    return bytes_to_read(scene, predictor.bands)


def warn_of_reading(
    predictor: TilePredictor, scene: Scene, area: Window
) -> tuple[str, ...]:
    """Say what measuring a scene reads, where a small part of it is to be mapped."""
    share = area.pixels / scene.window.pixels
    size = bytes_to_measure(predictor, scene) if share < _SMALL else 0
    if not size:
        return ()
    note = (
        f"{_asking(predictor)} is normalised by statistics of the whole scene: up to "
        f"{size:,} bytes of {scene.path} are read for them first, once, though the "
        f"area is {share:.1%} of it"
    )
    return (note,)


def statistics_record(model: LoadedModel) -> dict[str, dict[str, dict[str, float]]]:
    """Give each band of a model what the scene said; nothing where it did not."""
    if not model.measured:
        return {}
    bands = {
        band.name: dict(zip(_names(model.package), pair, strict=True))
        for band, pair in zip(model.package.bands, model.measured, strict=True)
    }
    return {"statistics": bands}


def _names(card: Card) -> tuple[str, str]:
    if card.percentiles is None:
        return "mean", "deviation"
    low, high = card.percentiles
    return f"percentile {low:g}", f"percentile {high:g}"


def _percentiles(predictor: TilePredictor) -> tuple[float, ...] | None:
    """The percentiles that some model asks for; None where none asks for anything."""
    asking = [m.package for m in predictor.models if m.package.normalise == "scene"]
    if not asking:
        return None
    wanted = {percent for package in asking for percent in package.percentiles or ()}
    return tuple(sorted(wanted))


def _asking(predictor: TilePredictor) -> str:
    packages = [model.package for model in predictor.models]
    named = [each.name for each in packages if each.normalise == "scene"]
    return f"the model {', '.join(named)}"


def _measured(
    model: LoadedModel,
    found: Sequence[BandStatistics],
    percentiles: Sequence[float],
    scene: Scene,
) -> Measured:
    """Pick what a model needs of what was found; refuse what cannot be divided by."""
    package = model.package
    pairs = []
    for band, index in zip(package.bands, model.indices, strict=True):
        seen = found[index]
        if package.percentiles is None:
            pair, constant = (seen.mean, seen.std), not seen.std > 0
        else:
            low, high = (
                seen.percentiles[percentiles.index(percent)]
                for percent in package.percentiles
            )
            pair, constant = (low, high), low >= high
        if constant:
            raise SceneError(
                f"{scene.path} holds {seen.mean:g} almost everywhere in its band for "
                f"{band.name}, so that the model {package.name} cannot be normalised "
                f"by the scene's own {' and '.join(_names(package))}; use a model with "
                f"statistics of its own"
            )
        pairs.append(pair)
    return tuple(pairs)
