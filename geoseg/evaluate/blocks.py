"""A map against a reference that covers ground, block by block.

A block reads the map, the reference and the confidences of its pixels, and a margin
around them that decides about boundaries. What comes back of a block is counts, whose
sum does not depend on how the map was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np

from geoseg.errors import LabelsError
from geoseg.evaluate.boundary import Boundaries, count_boundaries, reach
from geoseg.evaluate.calibration import Calibration, count_confidences
from geoseg.evaluate.confusion import Accuracy, compare
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.geo.windowed import BlockMap, ClassRaster, ClassWindows

BLOCK = 1024
"""Side of a block in pixels: two of a Cloud Optimized GeoTIFF's."""


class Reference(Protocol):
    """True classes on the pixels of a map."""

    def near(self, window: Window) -> ClassWindows | None:
        """Take what lies in a window; None where nothing does."""


class Inside(Protocol):
    """An area in which is compared. It can be pickled."""

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """Mark the pixels of a window that are in, shape ``(y, x)``."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a comparison has counted."""

    accuracy: Accuracy
    """The confusion matrix."""
    boundaries: Boundaries | None
    """Boundary pixels; None where points are compared."""
    calibration: Calibration | None
    """Right and wrong pixels by confidence; None where there is no confidence."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of every block."""

    class_map: ClassRaster
    confidence: ClassRaster | None
    inside: Inside | None
    legend: Legend
    tolerance: float
    aspect: float


def evaluate_blocks(  # noqa: PLR0913  # what is compared, and how, each by keyword
    class_map: ClassRaster,
    reference: Reference,
    legend: Legend,
    *,
    confidence: ClassRaster | None = None,
    inside: Inside | None = None,
    tolerance: float = 2.0,
    aspect: float = 1.0,
    block: int = BLOCK,
    map_blocks: BlockMap = map,
) -> Evaluation:
    """Compare a map with a reference wherever both have a class.

    Memory depends on the block, not on the map. The counts do not depend on
    ``block`` and ``map_blocks``.

    Args:
        class_map: Class ids, 255 where there is none.
        reference: The true classes on the same plane.
        legend: The classes of both.
        confidence: Confidences in percent on the same plane, 255 where there is none.
        inside: Where to compare; everywhere by default.
        tolerance: How far apart boundaries may be, in pixels.
        aspect: How many columns are as long as a row, where that matters.
        block: Side of what is compared at a time, in pixels.
        map_blocks: What applies a function to every block, such as `map`.

    Raises:
        LabelsError: Nowhere do both have a class.
        ShapeError: A class id is not in the legend.

    """
    question = _Question(class_map, confidence, inside, legend, tolerance, aspect)
    blocks = _blocks(class_map.geobox, reference, block, reach(tolerance, aspect))
    total: Evaluation | None = None
    for counted in map_blocks(partial(_evaluate_block, question), blocks):
        total = counted if total is None else _sum(total, counted)
    if total is None or not total.accuracy.pixels:
        raise LabelsError(
            "nothing can be compared: where the reference has a class the map has "
            "none; check that both show the same ground, and the area asked for"
        )
    return total


def _blocks(
    geobox: GeoBox, reference: Reference, size: int, margin: int
) -> Iterator[tuple[Window, Window, ClassWindows]]:
    """List windows with what to read around them, where the reference has anything."""
    plane = Window(0, 0, geobox.height, geobox.width)
    for row, col in product(
        range(0, geobox.height, size), range(0, geobox.width, size)
    ):
        around = Window(row, col, size, size).intersection(plane)
        wide = Window(
            row - margin, col - margin, size + 2 * margin, size + 2 * margin
        ).intersection(plane)
        reader = wide and reference.near(wide)
        if around and wide and reader:
            yield around, wide, reader


def _evaluate_block(
    question: _Question, item: tuple[Window, Window, ClassWindows]
) -> Evaluation:
    """Count what a block holds; where it has no label, next to nothing is read."""
    window, wide, reader = item
    truth = reader.read(wide)
    if question.inside is not None:
        truth = np.where(question.inside.mask(wide), truth, NODATA).astype(np.uint8)
    inner = window.relative_to(wide).slices()
    predicted = sure = np.full_like(truth, NODATA)
    labelled = (truth[inner] != NODATA).any()
    if labelled:
        predicted = question.class_map.read(wide)
    calibration = None
    if question.confidence is not None:
        sure = question.confidence.read(window) if labelled else sure[inner]
        calibration = count_confidences(
            truth[inner], predicted[inner], sure, question.legend.ids
        )
    return Evaluation(
        compare(truth[inner], predicted[inner], question.legend),
        count_boundaries(
            truth,
            predicted,
            question.legend.ids,
            tolerance=question.tolerance,
            aspect=question.aspect,
            inner=inner,
        ),
        calibration,
    )


def _sum(one: Evaluation, other: Evaluation) -> Evaluation:
    matrix = one.accuracy.matrix + other.accuracy.matrix
    boundaries, calibration = one.boundaries, one.calibration
    if boundaries is not None and other.boundaries is not None:
        boundaries += other.boundaries
    if calibration is not None and other.calibration is not None:
        calibration += other.calibration
    return Evaluation(Accuracy(one.accuracy.legend, matrix), boundaries, calibration)
