"""A fully connected CRF: probabilities that follow the edges of the image.

Krähenbühl and Koltun: Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials, NIPS 2011, https://arxiv.org/abs/1210.5644; DeepLab v1 and v2 refined their
maps so. Every two pixels would rather have the same class, the more so the nearer they
are (*smoothness*), and the nearer and the more alike they look (*appearance*). What
each pixel then is follows from mean-field inference: a few rounds in which all pixels
share what they think they are.

With ``q`` the probabilities, ``u`` the logarithm of those given, and pixels ``i, j``:

    q_i = softmax(u_i + sum_k w_k sum_j k(i, j) q_j / sqrt(n_i n_j))
    n_i = sum_j k(i, j)

    smoothness   k(i, j) = exp(-|p_i - p_j|^2 / 2 s^2)
    appearance   k(i, j) = exp(-|p_i - p_j|^2 / 2 a^2 - |I_i - I_j|^2 / 2 b^2)

The paper sends its messages over a lattice, approximately. Here they are exact, but
reach no farther than a *window* along rows and columns, as in convolutional CRFs
(Teichmann and Cipolla 2018, https://arxiv.org/abs/1805.04777): a block of pixels at a
time, all of its window's weights are two matrix products and an exponential, which
runs on whatever device the probabilities are on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geoseg.errors import ShapeError
from geoseg.options import CrfOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEAST_PROBABILITY = 1e-5
"""What a class is given at least: else nothing could argue with a model."""
_LEAST_LOG = -80.0
"""Logarithm of the least weight: below, numbers are denormal, and slow to multiply."""
_BLOCK = {"cpu": 8}
_LARGE_BLOCK = 32
"""Side of a block: small ones waste little of their window, large ones suit a GPU."""

_MOST_KEPT = 1 << 26
"""Weights of a tile that are kept from round to round, 256 MiB; more are made anew."""

Span = tuple[int, int]
"""Rows, or columns, from the first to before the last."""
_Part = tuple[slice, slice, slice]
"""Of ``(class, y, x)``."""


def fully_connected_crf(
    probabilities: Tensor,
    image: Tensor,
    valid: Tensor,
    options: CrfOptions | None = None,
) -> Tensor:
    """Refine class probabilities by what the image looks like.

    Memory: a few times the probabilities, and up to 256 MiB of weights; time: pixels
    times the window's.

    Args:
        probabilities: Float32, shape ``(tile, class, y, x)``.
        image: Float32, shape ``(tile, band, y, x)``, on the same device.
        valid: True where a pixel has data, shape ``(tile, y, x)``. The others send
            no message and get none: what the image has there does not matter.
        options: How much pixels listen to each other.

    Returns:
        Float32, of the shape given, summing to 1 over the classes; unchanged where
        a pixel is not valid.

    Raises:
        ShapeError: The shapes do not fit together.

    """
    planes = (probabilities.shape[0], *probabilities.shape[2:])
    if planes != (image.shape[0], *image.shape[2:]) or planes != tuple(valid.shape):
        raise ShapeError(
            f"a CRF needs probabilities (tile, class, y, x), an image (tile, band, y, "
            f"x) and a mask (tile, y, x) of the same tiles, got {tuple(image.shape)}, "
            f"{tuple(probabilities.shape)} and {tuple(valid.shape)}"
        )
    chosen = options or CrfOptions()
    tiles = zip(probabilities, image, valid, strict=True)
    return torch.stack([_refine(*tile, chosen) for tile in tiles])


def _refine(given: Tensor, image: Tensor, valid: Tensor, how: CrfOptions) -> Tensor:
    """Refine one tile: ``(class, y, x)``, ``(band, y, x)``, ``(y, x)``."""
    counts = valid.to(torch.float32)[None]
    kernels = _kernels(image.masked_fill(~valid, 0.0), how)
    norms = [counts / (kernel(counts) + 1e-20).sqrt() for _, kernel in kernels]
    unary = given.clamp(min=_LEAST_PROBABILITY).log()
    refined = unary.softmax(dim=0)
    for _ in range(how.iterations):
        total = unary.clone()
        for (weight, kernel), norm in zip(kernels, norms, strict=True):
            total += kernel(refined * norm).mul_(weight * norm)
        refined = total.softmax(dim=0)
    return torch.where(valid, refined, given)


def _kernels(
    image: Tensor, how: CrfOptions
) -> list[tuple[float, Callable[[Tensor], Tensor]]]:
    """Each kernel that has a weight: it sums ``(class, y, x)`` over every window."""
    kernels: list[tuple[float, Callable[[Tensor], Tensor]]] = []
    if how.smoothness:
        kernels.append((how.smoothness, _Smoothness(image, how)))
    if how.appearance:
        kernels.append((how.appearance, _Appearance(image, how)))
    return kernels


def _log_weights(of: Span, near: Span, deviation: float, window: int) -> Tensor:
    """Logarithms of a Gaussian along an axis, ``(of, near)``; none past the window."""
    distance = (torch.arange(*of)[:, None] - torch.arange(*near)).to(torch.float32)
    log = -0.5 * (distance / deviation) ** 2
    return log.masked_fill_(distance.abs() > window, -math.inf)


class _Smoothness:
    """Gaussian in rows and columns alone, so one axis after the other."""

    def __init__(self, image: Tensor, how: CrfOptions) -> None:
        height, width = image.shape[1:]
        self._rows, self._cols = (
            _log_weights((0, side), (0, side), how.smoothness_px, how.window)
            .exp()
            .to(image.device)
            for side in (height, width)
        )

    def __call__(self, values: Tensor) -> Tensor:
        return self._rows @ values @ self._cols


class _Appearance:
    """Gaussian in rows, columns and bands: block by block, each with its window."""

    def __init__(self, image: Tensor, how: CrfOptions) -> None:
        self._how = how
        self._shape = image.shape[1:]
        self._side = _BLOCK.get(image.device.type, _LARGE_BLOCK)
        # -|a - b|^2 / 2 = a.b - |a|^2 / 2 - |b|^2 / 2, as one product of vectors.
        bands = image / how.appearance_deviation
        half = bands.square().sum(dim=0, keepdim=True) / 2
        one = torch.ones_like(half)
        self._own = torch.cat([bands, -half, one])
        self._near = torch.cat([bands, one, -half])
        self._distances: dict[tuple[int, ...], Tensor] = {}
        self._kept = list(self._blocks()) if self._weights() <= _MOST_KEPT else None

    def __call__(self, values: Tensor) -> Tensor:
        result = torch.empty_like(values)
        for own, near, weights in self._kept or self._blocks():
            sums = values[near].flatten(1) @ weights.T
            result[own] = sums.view_as(result[own])
        return result

    def _weights(self) -> int:
        """How many weights there are."""
        along = [
            sum((own[1] - own[0]) * (near[1] - near[0]) for own, near in self._spans(n))
            for n in self._shape
        ]
        return math.prod(along)

    def _blocks(self) -> Iterator[tuple[_Part, _Part, Tensor]]:
        """Each block, its window, and the weights between them, ``(own, near)``."""
        height, width = self._shape
        for rows, near_rows in self._spans(height):
            for cols, near_cols in self._spans(width):
                own = (slice(None), slice(*rows), slice(*cols))
                near = (slice(None), slice(*near_rows), slice(*near_cols))
                distances = self._distance((rows, near_rows), (cols, near_cols))
                weights = torch.addmm(
                    distances, self._own[own].flatten(1).T, self._near[near].flatten(1)
                )
                # Never above 0 but for rounding, which huge values could make large.
                yield own, near, weights.clamp_(_LEAST_LOG, 0.0).exp_()

    def _spans(self, length: int) -> Iterator[tuple[Span, Span]]:
        """Each block's span along an axis, and that of its window."""
        for start in range(0, length, self._side):
            stop = min(start + self._side, length)
            window = self._how.window
            yield (start, stop), (max(start - window, 0), min(stop + window, length))

    def _distance(self, rows: tuple[Span, Span], cols: tuple[Span, Span]) -> Tensor:
        """Logarithms of what distance makes of weights, ``(own, near)``.

        Most blocks lie in their window as their neighbours do in theirs, so few are
        computed.
        """
        key = tuple(
            end - near[0] for own, near in (rows, cols) for end in (*own, near[1])
        )
        if key not in self._distances:
            along_rows, along_cols = (
                _log_weights(*spans, self._how.appearance_px, self._how.window)
                for spans in (rows, cols)
            )
            both = along_rows[:, None, :, None] + along_cols[None, :, None, :]
            self._distances[key] = both.flatten(2).flatten(0, 1).to(self._own.device)
        return self._distances[key]
