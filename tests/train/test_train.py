"""Training: the split by area, chips, losses, and the loop on a tiny raster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import LabelsError, PlanError, TrainingError
from geoseg.geo.splits import FOLDS, Split, covered
from geoseg.raster.legend_file import read_class_mapping
from geoseg.train.class_mapping import (
    check_class_mapping,
    class_mapping_of,
)
from geoseg.train.losses import cross_entropy, dice
from geoseg.train.sampler import Sampler
from geoseg.train.samples import Chips, turn
from geoseg.train.trainer import TrainSettings, train

SIDES = st.integers(20, 70)


def touching(area):
    """Grow an area by one pixel to all eight sides."""
    padded = np.pad(area, 1)
    rows, cols = area.shape
    return np.any(
        [padded[r : r + rows, c : c + cols] for r in range(3) for c in range(3)], axis=0
    )


@settings(deadline=None, max_examples=30)
@given(height=SIDES, width=SIDES, block=st.integers(7, 20))
def test_folds_partition_the_scene_into_blocks_that_never_touch(height, width, block):
    splits = [Split(height, width, fold, block) for fold in range(FOLDS)]
    assert (sum(split.test_area().astype(int) for split in splits) == 1).all()
    for split in splits:
        from_blocks = np.zeros((height, width), int)
        for part in split.test_blocks():
            from_blocks[part] += 1
            alone = np.zeros((height, width), bool)
            alone[part] = True
            others = split.test_area() & ~alone
            assert not (touching(alone) & others).any()
        np.testing.assert_array_equal(from_blocks, split.test_area())


@settings(deadline=None, max_examples=30)
@given(
    height=SIDES,
    width=SIDES,
    fold=st.integers(0, FOLDS - 1),
    chip=st.integers(1, 9),
    gap=st.integers(0, 3),
)
def test_a_chip_is_allowed_exactly_where_it_keeps_the_gap(
    height, width, fold, chip, gap
):
    split = Split(height, width, fold, block=13, gap=gap)
    test = split.test_area()
    expected = np.array(
        [
            [
                not test[
                    max(row - gap, 0) : row + chip + gap,
                    max(col - gap, 0) : col + chip + gap,
                ].any()
                for col in range(width - chip + 1)
            ]
            for row in range(height - chip + 1)
        ]
    )
    if expected.any():
        np.testing.assert_array_equal(split.training_corners(chip), expected)
    else:
        with pytest.raises(PlanError, match="no chip"):
            split.training_corners(chip)


def test_no_training_chip_of_the_sample_touches_a_test_block():
    for fold in range(FOLDS):
        split = Split(768, 1536, fold)
        assert not (split.training_area(128) & touching(split.test_area())).any()


def test_a_chip_larger_than_the_scene_is_refused():
    with pytest.raises(PlanError, match="no chip of 50 pixels"):
        Split(37, 53, 0).training_corners(50)


def test_a_fold_that_does_not_exist_is_refused():
    with pytest.raises(PlanError, match="0 to 4, got 5"):
        Split(37, 53, 5)


def test_covered_pixels_are_those_of_each_chip():
    corners = np.random.default_rng(3).random((6, 11)) < 0.05
    expected = np.zeros((9, 14), bool)
    for row, col in np.argwhere(corners):
        expected[row : row + 4, col : col + 4] = True
    np.testing.assert_array_equal(covered(corners, 4), expected)


def test_the_eight_turns_differ_and_move_image_and_labels_alike():
    labels = np.arange(9, dtype=np.uint8).reshape(3, 3)
    image = np.stack([labels, labels + 10]).astype(np.float32)
    seen = set()
    for way in range(8):
        turned, moved = turn(image, labels, way)
        np.testing.assert_array_equal(turned, np.stack([moved, moved + 10]))
        seen.add(moved.tobytes())
    assert len(seen) == 8


@pytest.fixture
def split():
    return Split(61, 83, fold=1, block=16, gap=2)


@pytest.fixture
def chips(split):
    """Two bands; each pixel's value gives away its position and its class."""
    random = np.random.default_rng(0)
    labels = np.full((61, 83), 255, np.uint8)
    labels[:40, :60] = random.integers(0, 2, (40, 60))
    labels[2:4, 5:8] = 2  # a rare class
    position = np.arange(61 * 83, dtype=np.float32).reshape(61, 83)
    image = np.stack([position, labels.astype(np.float32)])
    return Sampler.of([Chips.of(image, labels, split.training_corners(8))])


def test_chips_show_training_ground_only_and_keep_labels_on_their_pixels(chips, split):
    images, labels = chips.draw(200, np.random.default_rng(1))
    assert images.shape == (200, 2, 8, 8)
    assert labels.shape == (200, 8, 8)
    np.testing.assert_array_equal(images[:, 1], labels)
    seen = np.unique(images[:, 0].astype(int))
    assert not split.test_area().ravel()[seen].any()


def test_a_rare_class_is_drawn_as_often_as_the_others(chips):
    _, labels = chips.draw(300, np.random.default_rng(2))
    with_rare = (labels == 2).any(axis=(1, 2)).mean()
    assert with_rare > 0.3


def test_the_same_seed_draws_the_same_chips(chips):
    first, second, other = (chips.draw(5, np.random.default_rng(s)) for s in (7, 7, 8))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[0], other[0])


def test_a_training_area_without_labels_is_refused(split):
    labels = np.full((61, 83), 255, np.uint8)
    with pytest.raises(LabelsError, match="no labelled pixel"):
        Chips.of(np.zeros((1, 61, 83), np.float32), labels, split.training_corners(8))


@pytest.mark.parametrize("loss", [cross_entropy, dice])
def test_unlabelled_pixels_change_neither_loss_nor_gradient(loss):
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (2, 5, 7), dtype=torch.uint8)
    labels[:, 2:4] = 255
    logits = torch.randn(2, 3, 5, 7, requires_grad=True)
    value = loss(logits, labels)
    value.backward()
    assert (logits.grad[:, :, 2:4] == 0).all()
    assert (logits.grad[:, :, :2] != 0).all()
    elsewhere = logits.detach().clone()
    elsewhere[:, :, 2:4] = 99
    torch.testing.assert_close(loss(elsewhere, labels), value.detach())


@pytest.mark.parametrize("loss", [cross_entropy, dice])
def test_a_batch_without_labels_costs_nothing(loss):
    labels = torch.full((1, 4, 4), 255, dtype=torch.uint8)
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    value = loss(logits, labels)
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


def test_cross_entropy_is_the_mean_over_labelled_pixels():
    logits = torch.tensor([[[[3.0, 1.0]], [[1.0, 1.0]]]]).log()  # (1, 2, 1, 2)
    labels = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    expected = -np.log(3 / 4)
    assert cross_entropy(logits, labels).item() == pytest.approx(expected)


def test_dice_is_zero_for_a_sure_and_right_answer_and_one_for_a_wrong_one():
    labels = torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    right = torch.tensor([[[[50.0, -50, -50]], [[-50.0, 50, 50]]]])
    assert dice(right, labels).item() == pytest.approx(0, abs=1e-6)
    assert dice(-right, labels).item() == pytest.approx(1, abs=1e-6)


def test_dice_counts_only_classes_that_are_there():
    labels = torch.zeros((1, 1, 2), dtype=torch.uint8)
    logits = torch.tensor([[[[1.0, 1.0]], [[1.0, 1.0]], [[2.0, 2.0]]]]).log()
    # Class 0: p = 1/4 twice, F1 = 2 * 0.5 / (0.5 + 2).
    assert dice(logits, labels).item() == pytest.approx(1 - 0.4)


TINY = TrainSettings(steps=30, batch=4, learning_rate=0.3, warmup=5, average=0.8)


def tiny_network():
    torch.manual_seed(4)
    return torch.nn.Conv2d(2, 3, 1)


@pytest.fixture
def learnable(chips):
    """The class is the second band, so a 1 x 1 convolution can learn it."""
    image = chips.chips[0].image.copy()
    image[0] = 0
    return with_image(chips, image / 2)


def with_image(chips, image):
    return Sampler.of([replace(chips.chips[0], image=image)])


def test_the_loop_learns_what_can_be_learned(learnable):
    losses = []
    network = train(
        tiny_network(), learnable, TINY, lambda _step, loss: losses.append(loss)
    )
    assert len(losses) == TINY.steps
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert not network.training


def test_the_same_settings_train_the_same_weights(learnable):
    first, second, other = (
        train(tiny_network(), learnable, replace(TINY, steps=3, seed=seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)


def test_a_loss_that_is_no_number_stops_the_loop(learnable):
    broken = with_image(learnable, np.full_like(learnable.chips[0].image, np.nan))
    with pytest.raises(TrainingError, match="the loss is nan at step 0"):
        train(tiny_network(), broken, TINY)


def test_the_learning_rate_rises_in_a_line_and_falls_to_zero():
    plan = TrainSettings(steps=100, warmup=10, learning_rate=2.0)
    rates = [plan.learning_rate_at(step) for step in range(100)]
    np.testing.assert_allclose(rates[:10], np.linspace(0.2, 2.0, 10))
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[10] == pytest.approx(2)
    assert 0 < rates[-1] < 0.01


def classes_file(tmp_path, *lines):
    path = tmp_path / "classes.yml"
    path.write_text("\n".join(f"- {{{line}}}" for line in lines))
    return read_class_mapping(path)


def test_a_label_is_of_the_class_whose_id_it_is_unless_another_one_merges_it(tmp_path):
    class_mapping = classes_file(
        tmp_path, "name: water, id: 1", "name: wood, id: 4, merge: [2, ' pine ']"
    )
    assert dict(class_mapping.channels) == {
        "water": 0,
        "wood": 1,
        "2": 1,
        "pine": 1,
        "1": 0,
        "4": 1,
    }
    swapped = classes_file(
        tmp_path, "name: a, id: 1, merge: [2]", "name: b, id: 2, merge: [1]"
    )
    assert dict(swapped.channels) == {"a": 0, "2": 0, "b": 1, "1": 1}
    implicit = classes_file(tmp_path, "name: a", "name: b")
    assert dict(implicit.channels) == {"a": 0, "b": 1}
    with pytest.raises(LabelsError, match=r"has id 311; .*'merge: \[311\]'"):
        classes_file(tmp_path, "name: a, id: 311")


def test_labels_that_differ_by_case_alone_are_reported_unless_they_are_merged(tmp_path):
    names = ("Tree", "tree", "built up", "BuiltUp", "sea")
    warnings = check_class_mapping(class_mapping_of(names), names)
    assert len(warnings) == 2
    assert "'Tree' and 'tree'" in warnings[1]
    assert "{name: Tree, merge: [tree]}" in warnings[1]
    merged = classes_file(
        tmp_path,
        *("name: Tree, merge: [tree]", "name: sea"),
        "name: built, merge: [built up, BuiltUp]",
    )
    assert check_class_mapping(merged, names) == []
