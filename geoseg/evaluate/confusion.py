"""Counts of what is what: the confusion matrix, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import ShapeError
from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well a map agrees with a reference."""

    legend: Legend
    """The classes, in the order of the matrix."""
    matrix: NDArray[np.int64]
    """Pixel counts, shape ``(class, class)``: reference in rows, map in columns."""

    @property
    def pixels(self) -> int:
        """How many pixels were compared."""
        return int(self.matrix.sum())

    @property
    def overall(self) -> float:
        """The share of pixels whose class agrees, 0 to 1; NaN without a pixel."""
        return _ratio(np.trace(self.matrix), self.matrix.sum()).item()

    @property
    def majority(self) -> float:
        """What always answering the reference's most frequent class would score."""
        return _ratio(self.matrix.sum(axis=1).max(), self.matrix.sum()).item()

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union a class, 0 to 1; NaN where a class is in neither."""
        hits = np.diag(self.matrix)
        return _ratio(hits, self.in_reference + self.in_map - hits)

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 (Dice) a class, 0 to 1; NaN where a class is in neither."""
        return _ratio(2 * np.diag(self.matrix), self.in_reference + self.in_map)

    @property
    def producers(self) -> NDArray[np.float64]:
        """Producer's accuracy (recall) a class: of its reference, what the map finds.

        0 to 1; NaN where the reference has nothing of the class. One less it is the
        error of omission.
        """
        return _ratio(np.diag(self.matrix), self.in_reference)

    @property
    def users(self) -> NDArray[np.float64]:
        """User's accuracy (precision) a class: of the map's class, what is true.

        0 to 1; NaN where the map has nothing of the class. One less it is the error
        of commission.
        """
        return _ratio(np.diag(self.matrix), self.in_map)

    @property
    def in_reference(self) -> NDArray[np.int64]:
        """How many of the compared pixels each class has in the reference."""
        return np.asarray(self.matrix.sum(axis=1))

    @property
    def in_map(self) -> NDArray[np.int64]:
        """How many of the compared pixels each class has on the map."""
        return np.asarray(self.matrix.sum(axis=0))

    @property
    def mean_f1(self) -> float:
        """The mean of the F1 of the classes that the reference holds."""
        there = self.in_reference > 0
        return float(self.f1[there].mean()) if there.any() else float("nan")

    @property
    def mean_iou(self) -> float:
        """The mean of the IoU of the classes that the reference holds."""
        there = self.in_reference > 0
        return float(self.iou[there].mean()) if there.any() else float("nan")


def compare(
    reference: NDArray[np.uint8], predicted: NDArray[np.uint8], legend: Legend
) -> Accuracy:
    """Count how often each reference class got each class on the map.

    Pixels that are 255 in either are not compared.

    Args:
        reference: True class ids, any shape.
        predicted: The map's class ids, the same shape.
        legend: The classes that may occur.

    Raises:
        ShapeError: The shapes differ, or an id is not in the legend.

    Example:
        >>> from geoseg.geo.legend import LandClass, Legend
        >>> land, sea = LandClass(0, "land", "#885522"), LandClass(3, "sea", "#0000ff")
        >>> reference = np.array([[0, 0, 3, 255]], np.uint8)
        >>> predicted = np.array([[0, 3, 3, 3]], np.uint8)
        >>> accuracy = compare(reference, predicted, Legend((land, sea)))
        >>> accuracy.matrix.tolist()
        [[1, 1], [0, 1]]
        >>> accuracy.iou.tolist()
        [0.5, 0.5]

    """
    if reference.shape != predicted.shape:
        raise ShapeError(
            f"a map is compared with a reference of its own shape, "
            f"got {predicted.shape} and {reference.shape}"
        )
    both = (reference != NODATA) & (predicted != NODATA)
    count = len(legend)
    rows = _channels(reference[both], legend)
    columns = _channels(predicted[both], legend)
    cells = np.bincount(rows * count + columns, minlength=count**2)
    return Accuracy(legend, cells.reshape(count, count))


def total(accuracies: list[Accuracy]) -> Accuracy:
    """Pool the counts of several comparisons under one legend."""
    legend = accuracies[0].legend
    return Accuracy(legend, np.sum([each.matrix for each in accuracies], axis=0))


def _channels(ids: NDArray[np.uint8], legend: Legend) -> NDArray[np.int64]:
    """Turn class ids into channels 0, 1, 2 ...; ids of a legend rise."""
    known = np.asarray(legend.ids, np.uint8)
    strange = np.setdiff1d(ids, known)
    if strange.size:
        raise ShapeError(
            f"class ids {strange.tolist()} are not in the legend "
            f"({known.tolist()}); compare maps that have one legend"
        )
    return np.searchsorted(known, ids).astype(np.int64)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide counts; NaN where there is nothing to divide by."""
    part, whole = np.asarray(part), np.asarray(whole)
    quotient = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=quotient, where=whole > 0)
    return quotient
