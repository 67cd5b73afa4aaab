"""One network at work: raw pixels of its bands in, class probabilities out."""

from __future__ import annotations

import threading
from dataclasses import astuple, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.errors import RunError
from geoseg.models.networks.activations import to_logits
from geoseg.models.networks.batch_norm import fold_batch_norm
from geoseg.models.networks.network import load_network
from geoseg.models.networks.onnx import OnnxNetwork
from geoseg.models.networks.pixelwise import Pixelwise
from geoseg.models.package.scaling import Measured, scalings
from geoseg.predict.linear_head import LinearHead
from geoseg.predict.one_pass import normalise
from geoseg.predict.stitch import class_probabilities
from geoseg.predict.streams import wait_for
from geoseg.predict.tta import VIEWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.models.package.package import ModelPackage
    from geoseg.options import Augmentation
    from geoseg.predict.compute import Compute


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model package among those of a predictor, most often the only one.

    The network is loaded where and when it is first used, once a process.
    """

    package: ModelPackage
    """The model."""
    indices: tuple[int, ...]
    """For each of its bands, its index among the bands that the predictor reads."""
    measured: Measured = ()
    """What the scene's own statistics say of its bands, where they normalise."""

    def normalise(self, pixels: Tensor, unseen: Tensor | None) -> Tensor:
        """Take its bands and bring them to what the network was trained on.

        Args:
            pixels: Float32, shape ``(tile, band, y, x)``; not changed.
            unseen: True where a pixel has no data, shape ``(tile, y, x)``: there it
                gets each band's mean, which is 0; None where all have data.

        """
        scaling = _scaling(self.package, self.measured, pixels.device)
        if self.indices != tuple(range(pixels.shape[1])):
            pixels = pixels[:, list(self.indices)]
        normal = (pixels * scaling.gain).sub_(scaling.offset)
        if scaling.limits is not None:
            normal.clamp_(*scaling.limits)
        return normal if unseen is None else normal.masked_fill_(unseen[:, None], 0.0)

    def take(
        self, pixels: NDArray[np.generic], valid: NDArray[np.bool_], how: Compute
    ) -> Tensor:
        """Bring raw pixels, in one pass, to what the network takes on a CPU.

        Args:
            pixels: Of all bands that the predictor reads, ``(tile, band, y, x)``.
            valid: True where a pixel has data, shape ``(tile, y, x)``.
            how: The device is a CPU.

        Returns:
            What `normalise` gives, in the network's precision and memory layout.

        """
        scaling = _scaling(self.package, self.measured, torch.device("cpu"))
        layout = _layout(load_model(self.package, how))
        shape = (len(pixels), len(self.indices), *pixels.shape[2:])
        precision = getattr(torch, how.precision)
        made = torch.empty(shape, dtype=precision, memory_format=layout)
        is_rounded = precision == torch.bfloat16
        numbers = made.view(torch.uint16) if is_rounded else made
        bands, figures = np.array(self.indices), scaling.figures.numpy()
        planes = numbers.permute(0, 2, 3, 1).numpy()
        for raw, seen, taken in zip(pixels, valid, planes, strict=True):
            normalise(raw, seen, bands, figures, is_rounded, taken)
        return made

    def predict(self, normal: Tensor, views: Augmentation, how: Compute) -> Tensor:
        """Give the mean of the probabilities over the views of normalised tiles.

        Returns:
            Float32, shape ``(tile, class, y, x)``.

        Raises:
            RunError: The network gives values that are not numbers.

        """
        network = load_model(self.package, how)
        precision = getattr(torch, how.precision)
        tiles = normal.to(precision, memory_format=_layout(network))
        first, *others = VIEWS[views]
        total = class_probabilities(network(first.show(tiles)))
        for view in others:
            total += view.undo(class_probabilities(network(view.show(tiles))))
        if others:
            total /= len(VIEWS[views])
        return self._checked(total, how)

    def predict_pixels(
        self,
        pixels: NDArray[np.generic],
        valid: NDArray[np.bool_],
        how: Compute,
        *,
        stored: bool,
    ) -> Tensor | None:
        """Give probabilities straight from raw pixels, of a model linear in bands.

        A CPU takes most of its time to write 64 bands anew: dequantised, normalised,
        in another order. Views make no difference to single pixels.

        Args:
            pixels: Of all bands that the predictor reads, ``(tile, band, y, x)``.
            valid: True where a pixel has data, shape ``(tile, y, x)``.
            how: The device is a CPU.
            stored: Whether pixels are AlphaEarth's numbers.

        Returns:
            As `predict`; None where the model does more.

        Raises:
            RunError: It gives values that are not numbers.

        """
        head = _linear_head(self.package, self.measured, how)
        if head is None or pixels.dtype.kind not in "iuf" or pixels.dtype == "f2":
            return None
        scores = head.scores(pixels, valid, self.indices, stored=stored)
        logits = to_logits(torch.from_numpy(scores), self.package)
        return self._checked(class_probabilities(logits), how)

    def _checked(self, probabilities: Tensor, how: Compute) -> Tensor:
        if not probabilities.sum().isfinite():
            exact = how.precision == "float32"
            advice = "its weights are damaged" if exact else "try `precision='float32'`"
            raise RunError(
                f"model {self.package.name} gave values that are not numbers at "
                f"precision {how.precision}; {advice}"
            )
        return probabilities


@dataclass(frozen=True, slots=True)
class _Scaling:
    """How a model's bands are normalised, on its device."""

    gain: Tensor
    """What raw pixels are multiplied with, shape ``(1, band, 1, 1)``."""
    offset: Tensor
    """What is then taken off, of the same shape."""
    limits: tuple[Tensor, Tensor] | None
    """The least and the most that there is then, of the same shape; None for no end."""
    figures: Tensor
    """The same four, shape ``(4, band)``."""


@cache
def _scaling(package: ModelPackage, measured: Measured, on: torch.device) -> _Scaling:
    bands = scalings(package, measured)
    by_band = torch.tensor([astuple(band) for band in bands], dtype=torch.float32)
    figures = by_band.T.contiguous().to(on)
    gain, offset, least, most = figures[:, None, :, None, None]
    is_clipped = bool(least.isfinite().any() or most.isfinite().any())
    wait_for(on)
    return _Scaling(gain, offset, (least, most) if is_clipped else None, figures)


@cache
def _linear_head(
    package: ModelPackage, measured: Measured, how: Compute
) -> LinearHead | None:
    """Take a network's weights for raw pixels, where it has no others."""
    network = load_model(package, how)
    layer = network.linear if isinstance(network, Pixelwise) else None
    scaling = _scaling(package, measured, torch.device("cpu"))
    if layer is None or layer.bias is None or scaling.limits is not None:
        return None
    planes = (layer.weight[:, :, 0, 0], layer.bias)
    weight, bias = (each.numpy(force=True).astype(np.float64) for each in planes)
    gain, offset = (
        each[0, :, 0, 0].numpy().astype(np.float64)
        for each in (scaling.gain, scaling.offset)
    )
    return LinearHead(weight * gain, bias - weight @ offset, bias)


_loading = threading.Lock()


def load_model(package: ModelPackage, how: Compute) -> nn.Module:
    """Load a network to its device, once a process, whichever thread comes first.

    Returns:
        It, in eval mode; it takes normalised tiles and gives scores in float32.

    Raises:
        ModelError: Its tensors do not fit its configuration.

    """
    with _loading:
        return _load(package, how)


@cache
def _load(package: ModelPackage, how: Compute) -> nn.Module:
    torch.backends.cudnn.benchmark = False  # its choice of kernel would vary
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # ten bits, where float32 is asked for
    device = torch.device(how.device)
    precision = getattr(torch, how.precision)
    network = load_network(package)
    fold_batch_norm(network)
    network = network.to(device, precision).to(memory_format=_layout(network))
    _keep_head_in_float32(network)
    if how.compiled:
        network.compile(dynamic=False)
    wait_for(device)  # other threads use it in streams of their own
    return network


def _layout(network: nn.Module) -> torch.memory_format:
    """Say in which order of planes a network is fastest: as it says, or the usual."""
    layout: torch.memory_format = getattr(network, "memory_format", torch.channels_last)
    return layout


def _keep_head_in_float32(network: nn.Module) -> None:
    """Compute the last layers in float32: bfloat16 logits tie on many pixels.

    Every architecture has its scores from its ``segmentation_head`` and nothing after.
    """
    if isinstance(network, OnnxNetwork):  # has its own precision throughout
        return
    head = network.get_submodule("segmentation_head").float()

    def widen(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value.float() for value in inputs)

    head.register_forward_pre_hook(widen)
