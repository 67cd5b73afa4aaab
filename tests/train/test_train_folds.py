"""Scenes cut into folds: the same ground held out in all, sides that fit."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.storage.spool import Spool
from geoseg.train.folds import chip_corners, cut_scenes, sized
from geoseg.train.labelled_scenes import LabelledGround
from geoseg.train.options import TrainOptions


def plane(row, col, height=70, width=90, *, crs="EPSG:32633", side=10):
    transform = Affine(side, 0, 500_000 + side * col, 0, -side, 5_800_000 - side * row)
    return GeoBox(height, width, transform, CRS(crs))


def ground(geobox, name="a"):
    shape = geobox.height, geobox.width
    return LabelledGround(
        name, geobox, np.zeros((1, *shape)), np.ones(shape, bool), np.zeros(shape, "u1")
    )


def test_scenes_that_overlap_on_one_grid_hold_the_same_ground_out():
    first, second = plane(0, 0), plane(-31, 47)
    options = TrainOptions(block=16, chip=8, gap=3)
    splits, warnings = cut_scenes([ground(first), ground(second)], options, 2)
    assert not warnings
    one, other = (split.test_area() for split in splits)
    np.testing.assert_array_equal(one[:39, 47:], other[31:, :43])
    np.testing.assert_array_equal(
        sum(other[part].sum() for part in splits[1].test_blocks()), other.sum()
    )
    corners = splits[1].training_corners(8)
    for row, col in np.argwhere(corners):
        near = other[max(row - 3, 0) : row + 11, max(col - 3, 0) : col + 11]
        assert not near.any()


def test_scenes_that_overlap_on_other_grids_bring_a_warning():
    planes = plane(0, 0), plane(3, 5, side=7), plane(90_000, 0, side=7)
    grounds = [ground(p, name) for p, name in zip(planes, "abc", strict=True)]
    options = TrainOptions(block=16, chip=8)
    _, warnings = cut_scenes(grounds, options, 0)
    assert len(warnings) == 1
    assert "b overlaps a on another grid" in warnings[0]


def test_scenes_of_one_block_each_are_held_out_in_turn():
    grounds = [ground(plane(0, 1000 * i, 16, 16, side=9 + i)) for i in range(5)]
    splits, _ = cut_scenes(grounds, TrainOptions(block=16, chip=8), 3)
    assert sum(split.test_area().all() for split in splits) == 1
    found = chip_corners(splits, splits, 8, Spool())
    assert [corners is None for corners in found].count(True) == 1


@pytest.mark.parametrize(
    ("sides", "block", "chip"),
    [
        ([(768, 1536)], 256, 128),
        ([(443, 489)], 96, 64),
        ([(100, 100)], 32, 32),
        ([(256, 256)] * 60, 256, 128),
    ],
)
def test_blocks_and_chips_get_smaller_where_scenes_are_small(sides, block, chip):
    settled = sized(TrainOptions(), [plane(0, 0, *each) for each in sides])
    assert (settled.block, settled.chip) == (block, chip)
    asked = sized(TrainOptions(block=17, chip=9), [plane(0, 0)])
    assert (asked.block, asked.chip) == (17, 9)
