"""Scenes cut into folds by area: what is held out, and where chips may lie."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from geoseg.errors import PlanError
from geoseg.geo.geobox import lonlat_boxes
from geoseg.geo.splits import Split, covered_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import Bounds, GeoBox
    from geoseg.storage.spool import Spool
    from geoseg.train.options import GroundOptions
    from geoseg.train.strips import Plane

    Options = TypeVar("Options", bound=GroundOptions)

_BLOCKS = 15
"""How many blocks there are, at least, where their side is not given: three a fold."""
_LARGEST, _STEP = 256, 32
"""The side of a block in pixels where there is room; what sides are multiples of."""
_SAME_GRID = 1e-3
"""How far pixel sizes of scenes on one grid may differ, as a share."""


class Located(Protocol):
    """A scene, as far as its ground goes."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def geobox(self) -> GeoBox:
        """Its pixel plane."""


def sized(options: Options, planes: Sequence[GeoBox]) -> Options:
    """Choose the sides of blocks and chips where they were not given.

    Blocks have 256 pixels where the scenes have room for fifteen of them, else
    fewer; chips have half of that. Both are multiples of 32.
    """
    block, chip = options.block, options.chip
    if not block:
        room = math.isqrt(sum(each.height * each.width for each in planes) // _BLOCKS)
        block = min(max(room // _STEP, 1) * _STEP, _LARGEST)
    if not chip:
        chip = min(max(-(-block // (2 * _STEP)), 1) * _STEP, _LARGEST // 2)
    return replace(options, block=block, chip=chip)


def cut_scenes(
    scenes: Sequence[Located], options: GroundOptions, fold: int
) -> tuple[list[Split], list[str]]:
    """Cut all scenes by one lattice of blocks, so that ground is held out in all.

    A scene on another grid gets a lattice of its own, and a warning where it shares
    ground with the first.
    """
    first, block = scenes[0].geobox, options.block
    splits, warnings = [], []
    for index, scene in enumerate(scenes):
        plane = scene.geobox
        corner = _on_lattice(first, plane)
        if corner is None:
            corner = (0, index * block)
            if meet(first, plane):
                warnings.append(
                    f"{scene.name} overlaps {scenes[0].name} on another grid: what "
                    f"is held out in one may be learned from in the other, and the "
                    f"figures flatter; bring both onto one grid"
                )
        size = plane.height, plane.width
        splits.append(Split(*size, fold, block, options.gap, *corner))
    return splits, warnings


def _on_lattice(first: GeoBox, other: GeoBox) -> tuple[int, int] | None:
    """Find the (row, column) of the first grid where another plane begins, if it does.

    Pixels may lie up to half a pixel beside that grid's.
    """
    ours, theirs = first.transform, other.transform
    sides = zip(
        (ours.a, ours.b, ours.d, ours.e),
        (theirs.a, theirs.b, theirs.d, theirs.e),
        strict=True,
    )
    least = _SAME_GRID * math.sqrt(abs(ours.determinant))
    if first.crs != other.crs or any(abs(a - b) > least for a, b in sides):
        return None
    col, row = ~ours @ other.corners[0]
    return round(row), round(col)


def meet(one: GeoBox, other: GeoBox) -> bool:
    """Return whether two planes share ground."""
    boxes: list[tuple[Bounds, ...]]
    if one.crs == other.crs:
        boxes = [(plane.bounds,) for plane in (one, other)]
    elif one.is_on_earth and other.is_on_earth:
        boxes = [lonlat_boxes(plane.lonlat_bounds()) for plane in (one, other)]
    else:
        return False
    return any(
        a.left < b.right and b.left < a.right and a.bottom < b.top and b.bottom < a.top
        for a, b in product(*boxes)
    )


def chip_corners(
    held_out: Sequence[Split],
    validated: Sequence[Split],
    chip: int,
    spool: Spool,
) -> list[Plane | None]:
    """Mark where chips of each scene may begin; None where none may.

    Args:
        held_out: What of each scene is measured on.
        validated: What epochs are compared on.
        chip: Side of a chip in pixels.
        spool: Keeps them.

    Raises:
        PlanError: No scene has room for a chip.

    """
    found: list[Plane | None] = []
    misses = []
    for one, other in zip(held_out, validated, strict=True):
        try:
            corners = one.training_corners(chip)
            corners &= other.training_corners(chip)
            array = spool.array(corners.shape, bool)
            array.put(0, corners)
            found.append(array)
        except PlanError as error:
            found.append(None)
            misses.append(error)
    if len(misses) == len(found):
        raise misses[0]
    return found


def shown_area(
    corners: Plane | None, shape: tuple[int, int], chip: int, rows: slice
) -> NDArray[np.bool_]:
    """Mark what chips can show of rows of a scene, of a shape, True = shown."""
    if corners is None:
        return np.zeros(shape, bool)
    return covered_rows(corners, chip, rows)
