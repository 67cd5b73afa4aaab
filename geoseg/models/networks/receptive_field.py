"""How far a pixel reaches in a network: its receptive field, measured with NaN.

A NaN spoils every sum, product and maximum that it enters, zero weights included, so
it goes wherever a change of the pixel could go (with torch on a CPU; ONNX Runtime takes
the maximum of a number and NaN to be the number). Gradients do not: they stop where a
ReLU or a max-pooling happened to be closed. A whole row of NaN at a time reaches, up
and down, exactly as far as the farthest of its pixels, on a plane that may be narrow.

Crops of overlapping tiles are what the whole image would give where two things hold:
half the overlap is at least the reach, and the network computes the same wherever a
plane begins. The second fails for layers that look at a plane's size, as upsampling
with aligned corners does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.errors import ModelError
from geoseg.models.networks.network import load_network

if TYPE_CHECKING:
    from geoseg.models.package.package import ModelPackage

LONGEST = 8192
"""Rows of the longest plane that is tried: who reaches both its ends is global."""
_START = 8
"""Rows of the first plane, in strides, beside what single layers span."""
_WIDTH = 4
"""Columns of a plane, in strides: pyramids that pool need a few."""
_STEADY = 2e-4
"""How far two planes may disagree, in standard deviations of the network's output:
ten times what sums of float32 in another order do."""


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """How far an input pixel can change the output, and what follows for tiles."""

    radius: int | None
    """The farthest, along rows or columns, in pixels, over every phase of the stride;
    None where it is global: farther than half of `LONGEST`, everywhere."""
    steady: bool
    """Whether the network computes the same wherever a plane begins, at multiples of
    its stride; False where it is global."""
    overlap: int | None
    """The least legal overlap with which tiles cut to their centres (``blend="crop"``)
    are what the whole image gives; None where no overlap does that."""
    tile: int | None
    """The least legal tile, at least the model's own, that can have such an overlap."""


def package_field(package: ModelPackage) -> ReceptiveField:
    """Measure the receptive field of a package's network.

    Raises:
        ModelError: It is damaged, takes no planes but those of one size, or is an ONNX
            file, whose runtime lets NaN vanish on its way.

    """
    if package.is_onnx:
        raise ModelError(
            f"the receptive field of {package.name} cannot be measured: ONNX Runtime "
            f"takes the maximum of a number and NaN to be the number, so a pixel's "
            f"reach would look smaller than it is"
        )
    network = load_network(package)
    try:
        return measure_field(
            network, bands=len(package.bands), stride=package.stride, tile=package.tile
        )
    except (RuntimeError, ValueError, AssertionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"the receptive field of {package.name} cannot be measured: its network "
            f"does not take planes of other sizes than its tile ({error})"
        ) from error


def measure_field(
    network: nn.Module, *, bands: int, stride: int, tile: int, longest: int = LONGEST
) -> ReceptiveField:
    """Measure how far an input pixel can change the output.

    Args:
        network: A network in eval mode, float32, on the CPU. It takes
            ``(tile, band, y, x)`` and gives ``(tile, class, y, x)``.
        bands: The bands it takes.
        stride: What the sides of a plane must be multiples of.
        tile: The least tile wanted.
        longest: Pixels of the longest plane that is tried.

    Raises:
        ModelError: The network's output is not a number to begin with.

    """
    planes = [_Planes(network, bands, stride, axis) for axis in (2, 3)]
    reaches = [_reach(plane, longest) for plane in planes]
    if None in reaches:
        return ReceptiveField(radius=None, steady=False, overlap=None, tile=None)
    radius = max(reach for reach in reaches if reach is not None)
    steady = all(_is_steady(plane, radius) for plane in planes)
    if not steady:
        return ReceptiveField(radius=radius, steady=False, overlap=None, tile=None)
    overlap = exact_overlap(radius, stride)
    return ReceptiveField(
        radius=radius, steady=True, overlap=overlap, tile=max(tile, 2 * overlap)
    )


def exact_overlap(radius: int, stride: int) -> int:
    """The least legal overlap, half of which holds a radius.

    Example:
        >>> exact_overlap(310, 32)
        640
        >>> exact_overlap(3, 1)
        6

    """
    unit = math.lcm(stride, 2)
    return -(-2 * radius // unit) * unit


@dataclass(frozen=True, slots=True)
class _Planes:
    """Planes of noise, long along one axis, to send through a network."""

    network: nn.Module
    bands: int
    stride: int
    axis: int  # 2 where rows are many, 3 where columns are

    def noise(self, length: int) -> Tensor:
        """The first so many rows of an endless plane, ``(1, band, y, x)``."""
        shape = (length, 1, self.bands, _WIDTH * self.stride)
        rows = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        return rows.permute(1, 2, 0, 3)

    def send(self, plane: Tensor) -> Tensor:
        """What the network makes of a plane, rows along axis 2 whatever `axis` is."""
        with torch.inference_mode():
            turned = plane.transpose(2, self.axis).contiguous()
            scores: Tensor = self.network(turned)
            return scores.transpose(2, self.axis)

    def spoiled(self, length: int, first: int, last: int) -> tuple[int, int]:
        """Spoil the rows [first, last) and give the range of rows that it shows in.

        Rows are counted from the plane's middle.
        """
        plane, middle = self.noise(length), self.middle(length)
        plane[:, :, middle + first : middle + last] = torch.nan
        rows = self.send(plane).isnan().any(1).any(2)[0].nonzero()
        if not len(rows):  # pixels that a network skips change nothing
            return last - 1, first
        return int(rows.min()) - middle, int(rows.max()) - middle

    def middle(self, length: int) -> int:
        """The first row of the stride in the plane's middle."""
        return length // 2 // self.stride * self.stride

    def span(self, length: int) -> int:
        """The pixels that a single layer spans at most, kernel and dilation at work.

        Raises:
            ModelError: The output holds values that are not numbers.

        """
        spans = [self.stride]

        def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            scale = -(-length // inputs[0].shape[self.axis])
            if getattr(layer, "transposed", False):  # its kernel lies on its output
                scale = -(-scale // int(np.max(np.asarray(layer.stride))))
            kernel, dilation = (
                np.max(np.asarray(getattr(layer, name, 1)))
                for name in ("kernel_size", "dilation")
            )
            spans.append(int(kernel - 1) * int(dilation) * scale)

        hooks = [
            layer.register_forward_pre_hook(note)
            for layer in self.network.modules()
            if hasattr(layer, "kernel_size")
        ]
        try:
            if not self.send(self.noise(length)).isfinite().all():
                raise ModelError("the network gives values that are not numbers")
        finally:
            for hook in hooks:
                hook.remove()
        return max(spans)


def _reach(planes: _Planes, longest: int) -> int | None:
    """How far a pixel reaches along the planes' axis; None where it is too far.

    A plane is long enough where the NaN ends before the plane does, by more than a
    layer spans, since a dilated layer could leap over the end; and where it ends at
    the same position in one of twice the length. Pooling into a few bins does not: a
    pixel fills a bin, whatever its size.
    """
    stride = planes.stride
    span = planes.span(_START * stride)
    length = _START * stride + -(-2 * span // stride) * stride
    ended = None
    while length <= longest:
        top, bottom = planes.spoiled(length, 0, stride)
        middle = planes.middle(length)
        ends = middle + top > span and middle + bottom < length - 1 - span
        if ended and max(ended[0] - top, bottom - ended[1]) <= stride:
            return _farthest(planes, length // 2)
        ended = (top, bottom) if ends else None
        length *= 2
    return None


def _farthest(planes: _Planes, length: int) -> int:
    """The farthest reach of any phase of the stride.

    What some rows spoil together is the union of what each does, which bounds how
    far any one of them reaches. The greatest bound is halved until it is a row's own.
    """

    def bound(first: int, last: int) -> tuple[int, int, int]:
        top, bottom = planes.spoiled(length, first, last)
        return -max(last - 1 - top, bottom - first), first, last

    waiting = [bound(0, planes.stride)]
    while True:
        reach, first, last = heappop(waiting)
        if last - first == 1:
            return -reach
        half = (first + last) // 2
        heappush(waiting, bound(first, half))
        heappush(waiting, bound(half, last))


def _is_steady(planes: _Planes, radius: int) -> bool:
    """Whether a plane that begins a stride later gives the same, far from its ends."""
    stride = planes.stride
    length = (2 * -(-radius // stride) + _START) * stride
    plane = planes.noise(length)
    first, second = planes.send(plane), planes.send(plane[:, :, stride:])
    inner = slice(radius + stride, length - radius)
    shifted = slice(radius, length - radius - stride)
    away = (first[:, :, inner] - second[:, :, shifted]).abs().max()
    return bool(away <= _STEADY * first.std())
