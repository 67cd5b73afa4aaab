"""The loop's schedules, losses and precisions, held against torch's own."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.losses import FocalLoss, LovaszLoss

from geoseg.errors import TrainingError
from geoseg.train.losses import LOSSES, cross_entropy, make_loss
from geoseg.train.trainer import SCHEDULES, Trainer, TrainSettings, carry_on, train

TINY = TrainSettings(
    steps=12, batch=2, learning_rate=0.05, warmup=2, average=0.5, precision="float32"
)


class Stripes:
    """Samples whose class is the sign of their first band."""

    def draw(self, count, random):
        images = random.normal(size=(count, 2, 9, 11)).astype(np.float32)
        labels = (images[:, 0] > 0).astype(np.uint8)
        labels[:, :2] = 255
        return images, labels


def tiny_network():
    torch.manual_seed(4)
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.Conv2d(4, 2, 1),
    )


def learn(trainer, steps):
    random = np.random.default_rng(1)
    for _ in range(steps):
        trainer.learn(Stripes().draw(2, random))


def weights(network):
    return torch.cat([each.detach().float().ravel() for each in network.parameters()])


def test_one_cycle_is_torchs():
    plan = TrainSettings(schedule="one-cycle", steps=100, learning_rate=2.0)
    ours = [plan.learning_rate_at(step) for step in range(100)]
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2.0, total_steps=101, pct_start=0.31, final_div_factor=1e9
    )
    expected = []
    for _ in range(100):
        expected.append(theirs.get_last_lr()[0])
        optimiser.step()
        theirs.step()
    np.testing.assert_allclose(ours, expected, atol=0.02)
    assert max(ours) == pytest.approx(2)
    assert ours[0] == pytest.approx(0.08)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns_on_every_schedule(loss, schedule):
    plan = replace(TINY, loss=loss, schedule=schedule, steps=60, learning_rate=0.1)
    losses = []
    train(tiny_network(), Stripes(), plan, lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_focal_and_lovasz_are_smps_on_the_labelled_pixels():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 5, 7), torch.randint(0, 3, (2, 5, 7))
    labels[0, :2] = 255
    labels = labels.to(torch.uint8)
    focal = make_loss("focal", smoothing=0, weight=1)(logits, labels)
    expected = FocalLoss("multiclass", ignore_index=255)(logits, labels.long())
    torch.testing.assert_close(focal, expected)
    both = make_loss("lovasz", smoothing=0, weight=0.5)(logits, labels)
    lovasz = LovaszLoss("multiclass", ignore_index=255)(logits, labels.long())
    torch.testing.assert_close(both, cross_entropy(logits, labels) + 0.5 * lovasz)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_learns_almost_the_same_in_float32_weights(precision):
    exact, rough = (
        Trainer(tiny_network(), replace(TINY, precision=each))
        for each in ("float32", precision)
    )
    learn(exact, 8)
    learn(rough, 8)
    assert {each.dtype for each in rough.network.parameters()} == {torch.float32}
    np.testing.assert_allclose(exact.losses, rough.losses, atol=0.05)
    assert exact.losses != rough.losses


def test_a_gradient_that_overflows_float16_is_left_out_and_the_scale_halved():
    trainer = Trainer(tiny_network(), replace(TINY, precision="float16", warmup=1))
    trainer.scaler.load_state_dict({**trainer.scaler.state_dict(), "scale": 2.0**30})
    before = weights(trainer.network)
    learn(trainer, 1)
    assert torch.equal(weights(trainer.network), before)
    assert trainer.scaler.get_scale() == 2.0**29
    learn(trainer, 20)
    assert trainer.skipped == 0
    assert not torch.equal(weights(trainer.network), before)
    assert torch.isfinite(weights(trainer.averaged)).all()


class Broken(torch.autograd.Function):
    """A layer whose gradient is no number."""

    @staticmethod
    def forward(_context, values):
        return values.clone()

    @staticmethod
    def backward(_context, gradient):
        return gradient * math.nan


class BrokenNetwork(torch.nn.Module):
    """A network whose gradient is no number."""

    def __init__(self):  # noqa: D107
        super().__init__()
        self.inner = tiny_network()

    def forward(self, images):
        return Broken.apply(self.inner(images))


@pytest.mark.parametrize(("precision", "steps"), [("float32", 0), ("float16", 24)])
def test_a_gradient_that_is_no_number_stops_the_loop(precision, steps):
    trainer = Trainer(BrokenNetwork(), replace(TINY, steps=99, precision=precision))
    with pytest.raises(TrainingError, match=f"gradient is nan long at step {steps}"):
        carry_on(trainer, Stripes())


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_trainer_restored_goes_on_as_if_nothing_had_been(precision):
    plan = replace(TINY, precision=precision, jitter=0.2)
    whole = Trainer(tiny_network(), plan)
    carry_on(whole, Stripes())
    first = Trainer(tiny_network(), plan)
    for step in range(5):
        first.learn(Stripes().draw(2, np.random.default_rng([plan.seed, step])))
    second = Trainer(tiny_network(), plan)
    second.restore(first.state())
    carry_on(second, Stripes())
    assert torch.equal(weights(whole.averaged), weights(second.averaged))
    assert whole.losses == second.losses
