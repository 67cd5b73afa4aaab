"""How well boundaries lie where they should: the boundary F1 of each class.

After Csurka, Larlus and Perronnin (2013), What is a good evaluation measure for
semantic segmentation?, BMVC. A pixel is on its class's boundary where one of its four
neighbours has another class. Precision is the share of the map's boundary pixels that
have one of the reference within a tolerance; recall is the share of the reference's
that have one of the map; both for each class by itself.

Two things differ from the paper. The tolerance is a number of pixels, not a share of
the image's diagonal, which on a map says nothing. And where a part of the ground has no
label, a boundary is asked only where everything that decides about it is known: an
unlabelled neighbour may hide the boundary that it belongs to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Boundary pixels of each class, counted; arrays of shape ``(class,)``."""

    tolerance: float
    """How far apart, in pixels, centre to centre, two boundaries may be and agree."""
    in_map: NDArray[np.int64]
    """Boundary pixels on the map."""
    in_map_found: NDArray[np.int64]
    """Those that have a boundary pixel of the reference within the tolerance."""
    in_reference: NDArray[np.int64]
    """Boundary pixels of the reference."""
    in_reference_found: NDArray[np.int64]
    """Those that have a boundary pixel of the map within the tolerance."""

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall a class, 0 to 1.

        NaN where the reference shows no boundary of the class: nothing could have
        been found. Polygons that lie apart from each other show none.
        """
        precision = self.in_map_found / np.maximum(self.in_map, 1)
        recall = self.in_reference_found / np.maximum(self.in_reference, 1)
        both = precision + recall
        f1 = 2 * precision * recall / np.where(both > 0, both, 1)
        return np.where(self.in_reference > 0, f1, np.nan)

    @property
    def mean_f1(self) -> float:
        """The mean F1 of the classes whose boundary the reference shows."""
        there = self.in_reference > 0
        return float(self.f1[there].mean()) if there.any() else float("nan")

    def __add__(self, other: Boundaries) -> Boundaries:
        """Pool the counts of two parts of one map."""
        return Boundaries(
            self.tolerance,
            self.in_map + other.in_map,
            self.in_map_found + other.in_map_found,
            self.in_reference + other.in_reference,
            self.in_reference_found + other.in_reference_found,
        )


def reach(tolerance: float, aspect: float = 1.0) -> int:
    """How many pixels around a block decide about the boundaries inside it."""
    return math.floor(tolerance * math.sqrt(max(aspect, 1 / aspect))) + 1


def count_boundaries(
    reference: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    ids: tuple[int, ...],
    *,
    tolerance: float,
    aspect: float = 1.0,
    inner: tuple[slice, slice] = (slice(None), slice(None)),
) -> Boundaries:
    """Count boundary pixels, and those that have a counterpart.

    What lies beyond the arrays is no boundary and hides none: give `reach` pixels
    more on each side where there are any.

    Args:
        reference: True class ids, shape ``(y, x)``; 255 is unlabelled.
        predicted: The map's class ids, the same shape; 255 is nodata.
        ids: The classes, in the order of the counts.
        tolerance: In pixels, centre to centre, at least 0.
        aspect: How many columns are as long as a row: the tolerance is then in sides
            of a square of the same area.
        inner: The rows and columns whose pixels are counted.

    """
    unknown = (reference == NODATA) | (predicted == NODATA)
    asked = ~widened(unknown, reach(tolerance, aspect))[inner]
    counts = np.zeros((4, len(ids)), np.int64)
    edges = [_on_boundary(each) & ~unknown for each in (predicted, reference)]
    for channel, value in enumerate(ids):
        on_map, on_reference = (
            edge & (each == value)
            for edge, each in zip(edges, (predicted, reference), strict=True)
        )
        if not (on_map.any() or on_reference.any()):
            continue
        for row, (own, other) in enumerate(
            ((on_map, on_reference), (on_reference, on_map))
        ):
            mine = own[inner] & asked
            near = widened(other, tolerance, aspect)[inner]
            counts[2 * row : 2 * row + 2, channel] = mine.sum(), (mine & near).sum()
    return Boundaries(tolerance, *counts)


def _on_boundary(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark pixels of which one of the four neighbours has another value."""
    edge = np.zeros(classes.shape, bool)
    down, right = classes[1:] != classes[:-1], classes[:, 1:] != classes[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def widened(
    mask: NDArray[np.bool_], radius: float, aspect: float = 1.0
) -> NDArray[np.bool_]:
    """Mark every pixel whose centre is within a radius of a marked one's.

    Where ``aspect`` columns are as long as a row, the circle is an ellipse of pixels
    with the same area.

    Example:
        >>> mask = np.zeros((1, 7), bool)
        >>> mask[0, 2] = True
        >>> widened(mask, 1.5).astype(int).tolist()
        [[0, 1, 1, 1, 0, 0, 0]]

    """
    height, width = mask.shape
    wide = np.zeros(mask.shape, bool)
    # Row by row of the disc: a run of columns is a difference of running sums.
    down_radius = radius / math.sqrt(aspect)
    reach = math.floor(radius * math.sqrt(aspect))
    sums = np.zeros((height, width + 2 * reach + 1), np.int32)
    np.cumsum(np.pad(mask, ((0, 0), (reach, reach))), axis=1, out=sums[:, 1:])
    for down in range(min(math.floor(down_radius), height - 1) + 1):
        half = math.floor(aspect * math.sqrt(down_radius**2 - down**2))
        first, stop = reach - half, reach + half + 1
        run = sums[:, stop : stop + width] > sums[:, first : first + width]
        wide[down:] |= run[: height - down]
        wide[: height - down] |= run[down:]
    return wide
