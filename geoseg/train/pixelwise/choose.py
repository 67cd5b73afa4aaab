"""Which of several classifiers does best on ground that it did not see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as student

from geoseg.errors import LabelsError
from geoseg.evaluate import Accuracy, total
from geoseg.train.pixelwise.ground_folds import draw_folds
from geoseg.train.pixelwise.heads import FitRecipe, fit_classifier
from geoseg.train.temperature import SeenPixels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.train.pixelwise.neighbourhoods import Neighbourhoods

_DRAWS = 3
"""How often folds are drawn to compare recipes, where pixels are few."""
_LEAST = 1e-4
"""No probability is below this: that of a class that no tree votes for."""
_MANY = 500
"""Pixels from which one draw of folds shows enough."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over folds and half its 95 % interval by Student's t."""

    mean: float
    half: float

    def __str__(self) -> str:
        """Write both."""
        return f"{self.mean:.3f} ± {self.half:.3f}"


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What spatial cross-validation says of recipes, and of the one that was chosen."""

    chosen: FitRecipe
    """The best, or one that is preferred and nearly so."""
    tried: tuple[tuple[FitRecipe, float], ...]
    """Each recipe and its overall accuracy, the best first."""
    folds: tuple[Accuracy, ...]
    """What the chosen one did on each fold."""
    held_out: SeenPixels
    """What it says of each pixel, learned on the other folds."""

    @property
    def overall(self) -> Interval:
        """Overall accuracy over the folds."""
        return _interval([each.overall for each in self.folds])

    @property
    def f1(self) -> tuple[Interval, ...]:
        """F1 of each class over the folds that hold some of it."""
        table = np.array(
            [np.where(a.in_reference > 0, a.f1, np.nan) for a in self.folds]
        )
        return tuple(_interval(column[~np.isnan(column)]) for column in table.T)

    @property
    def pooled(self) -> Accuracy:
        """All folds together: each labelled pixel, predicted without its ground."""
        return total(list(self.folds))

    def sentence(self) -> str:
        """Say in a line what was chosen and how it compared."""
        own = next(value for recipe, value in self.tried if recipe == self.chosen)
        others = _best_of_each(self.tried, self.chosen)
        beside = ", ".join(f"{recipe} {value:.3f}" for recipe, value in others)
        return (
            f"chosen by spatial cross-validation: {self.chosen}, overall accuracy "
            f"{own:.3f}" + (f" (the others: {beside})" if beside else "")
        )


def _best_of_each(
    tried: Sequence[tuple[FitRecipe, float]], chosen: FitRecipe
) -> list[tuple[FitRecipe, float]]:
    """Keep the best strength of each other classifier on each kind of features."""
    best: dict[tuple[str, str], tuple[FitRecipe, float]] = {}
    for recipe, value in tried:
        best.setdefault((recipe.architecture, recipe.head), (recipe, value))
    best.pop((chosen.architecture, chosen.head))
    return list(best.values())


def cross_validate(
    tried: Sequence[FitRecipe],
    features: Mapping[str, Neighbourhoods],
    channels: NDArray[np.uint8],
    cells: NDArray[np.int64],
    legend: Legend,
    seed: int,
) -> CrossValidated:
    """Try recipes on folds of ground and choose one.

    The first within a standard error of the best is chosen (the rule of Breiman,
    Friedman, Olshen and Stone 1984, Classification and Regression Trees), for the best
    is so by chance as well.

    Args:
        tried: The recipes, in the order of preference.
        features: For each architecture its features.
        channels: The class of each pixel.
        cells: The cell of ground of each.
        legend: The classes.
        seed: Decides folds and what chance classifiers have.

    Raises:
        LabelsError: All pixels look the same, or are no numbers.

    """
    _check_features(features)
    draws = _DRAWS if len(channels) < _MANY else 1
    folds = [draw_folds(cells, channels, seed + draw) for draw in range(draws)]
    found = {
        recipe: [
            _held_out(
                recipe,
                features[recipe.architecture],
                channels,
                each,
                len(legend),
                seed,
            )
            for each in folds
        ]
        for recipe in tried
    }
    accuracy = {
        recipe: float(np.mean([each.argmax(axis=1) == channels for each in likely]))
        for recipe, likely in found.items()
    }
    best = max(accuracy.values())
    error = math.sqrt(best * (1 - best) / len(channels))
    chosen = next(r for r, value in accuracy.items() if value >= best - error)
    likely = found[chosen][0]
    predicted = likely.argmax(axis=1)
    matrices = [
        _confusion(channels, predicted, folds[0] == number, len(legend))
        for number in np.unique(folds[0])
    ]
    ranked = sorted(accuracy.items(), key=lambda pair: -pair[1])
    logits = np.log(np.maximum(likely, _LEAST)).astype(np.float32)
    return CrossValidated(
        chosen,
        tuple(ranked),
        tuple(Accuracy(legend, each) for each in matrices),
        SeenPixels(logits, channels, folds[0]),
    )


def band_importance(
    fitted: Any,  # noqa: ANN401  # scikit-learn has no types
    features: NDArray[np.float32],
    channels: NDArray[np.uint8],
    bands: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return how much accuracy is lost where a band is that of other pixels.

    Permutation importance (Breiman 2001), of a band with all features made of it.

    Returns:
        A weight a band, 1 on the mean; all 1 where none is missed.

    """
    random = np.random.default_rng(seed)
    right = (fitted.predict(features) == channels).mean()
    lost = []
    for band in range(bands):
        shuffled = features.copy()
        order = random.permutation(len(features))
        shuffled[:, band::bands] = features[order, band::bands]
        lost.append(right - (fitted.predict(shuffled) == channels).mean())
    weights = np.maximum(np.array(lost), 0)
    return weights / weights.mean() if weights.any() else np.ones(bands)


def _check_features(features: Mapping[str, Neighbourhoods]) -> None:
    for each in features.values():
        found = each.own
        if not np.isfinite(found).all():
            raise LabelsError(
                "labelled pixels have values whose squares are no numbers; declare "
                "them as nodata, or scale the bands"
            )
        if not np.ptp(found, axis=0).any():
            raise LabelsError(
                "all labelled pixels have the same values in all bands, so that "
                "nothing distinguishes classes; give a scene, or `bands`, that vary"
            )


def _held_out(
    recipe: FitRecipe,
    features: Neighbourhoods,
    channels: NDArray[np.uint8],
    folds: NDArray[np.int64],
    classes: int,
    seed: int,
) -> NDArray[np.float64]:
    """Give each pixel probabilities of what was learned on the other folds."""
    likely = np.zeros((len(channels), classes))
    for number in np.unique(folds):
        away = folds == number
        learned = np.unique(channels[~away])
        if len(learned) == 1:
            likely[away, learned[0]] = 1
            continue
        fitted = fit_classifier(recipe, features[~away].own, channels[~away], seed)
        likely[np.ix_(away, learned)] = features[away].likely(fitted)
    return likely


def _confusion(
    channels: NDArray[np.uint8],
    predicted: NDArray[np.int64],
    which: NDArray[np.bool_],
    count: int,
) -> NDArray[np.int64]:
    pairs = channels[which].astype(np.int64) * count + predicted[which]
    return np.bincount(pairs, minlength=count**2).reshape(count, count)


def _interval(values: Sequence[float] | NDArray[np.float64]) -> Interval:
    """Give a mean and half its interval; NaN where that is not known."""
    count = len(values)
    mean = float(np.mean(values)) if count else math.nan
    if count < 2:  # noqa: PLR2004  a deviation needs two
        return Interval(mean, math.nan)
    error = float(np.std(values, ddof=1)) / math.sqrt(count)
    return Interval(mean, error * float(student.ppf(0.975, count - 1)))
