"""One device, one model: a batch of tiles in, class probabilities out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.errors import DeviceError, InputError, RunError
from geoseg.lanes import in_lanes, share_cores
from geoseg.models.fold import fold_batch_norm
from geoseg.models.network import load_network
from geoseg.stitch import class_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.models.package import ModelPackage

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
DEVICES: tuple[Device, ...] = get_args(Device)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_BATCH = {"cpu": 1, "cuda": 8, "mps": 4}
"""Tiles in a batch: on a CPU one at a time was the fastest that was tried."""
_LANES = {"cuda": 2, "mps": 1}
"""Batches side by side: on a CUDA device one copies while the other computes."""


@dataclass(frozen=True, slots=True)
class Compute:
    """How numbers are computed, settled once for a whole run."""

    device: str
    """``cpu``, ``cuda`` or ``mps``."""
    precision: str
    """``float32``, ``bfloat16`` or ``float16``, for all but the network's head."""
    batch: int
    """Tiles in a batch; a last, smaller one is filled up, never cut."""
    threads: int
    """Threads that one operation uses on a CPU."""
    lanes: int
    """Batches that a process computes side by side."""
    reason: str
    """Why the precision is what it is."""
    compiled: bool = False
    """Whether torch compiles the network first."""


def resolve_compute(
    device: Device = "auto",
    precision: Precision = "auto",
    *,
    batch: int | None = None,
    compiled: bool = False,
    processes: int = 1,
) -> Compute:
    """Choose device and precision by what this machine has, never by the job.

    Args:
        device: What computes; the fastest there is for ``auto``.
        precision: What it computes in; what is fast and safe there for ``auto``.
        batch: Tiles in a batch; what suits the device where None.
        compiled: Whether torch compiles the network first.
        processes: How many of a run share this machine's cores.

    Raises:
        InputError: The device or precision asked for is not to be had here.

    """
    chosen = _choose_device(device)
    if precision == "auto":
        name, reason = _choose_precision(chosen)
    else:
        name, reason = precision, "asked for"
    if chosen == "cpu" and name == "float16":
        raise InputError(
            "float16 is not for CPUs; use --precision bfloat16, float32 or auto"
        )
    size = _BATCH[chosen] if batch is None else batch
    lanes, threads = share_cores(processes)
    if compiled:  # torch compiles for one caller that has all threads
        lanes, threads = 1, lanes * threads
    elif chosen != "cpu":
        lanes = _LANES[chosen]
    return Compute(chosen, name, size, threads, lanes, reason, compiled)


def _choose_device(device: Device) -> str:
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, present in there.items() if present)
    if not there[device]:
        present = ", ".join(name for name, is_there in there.items() if is_there)
        raise InputError(f"this machine has no {device} device; it has: {present}")
    return device


def _choose_precision(device: str) -> tuple[str, str]:
    if device == "mps":
        return "float16", "an Apple GPU computes float16 fast"
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bfloat16", "this GPU computes bfloat16 natively"
        return "float16", "this GPU has no native bfloat16"
    can = torch.cpu.get_capabilities()
    for feature in ("amx_bf16", "avx512_bf16"):
        if can.get(feature):
            return "bfloat16", f"this CPU has {feature}"
    return "float32", "this CPU has no native bfloat16"


@dataclass(frozen=True, slots=True)
class TilePredictor:
    """A model package on a device; cheap to send to a worker.

    The network is loaded where and when the first batch comes, once a process.
    """

    package: ModelPackage
    """The model."""
    bands: tuple[int, ...]
    """The scene's band, counted from 0, for each of the model's bands."""
    compute: Compute
    """Device, precision and batch size."""

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.package.legend)

    @property
    def batch(self) -> int:
        """The number of tiles in a batch."""
        return self.compute.batch

    @property
    def device(self) -> torch.device:
        """Where the probabilities are."""
        return torch.device(self.compute.device)

    @property
    def lanes(self) -> int:
        """How many batches a process computes side by side."""
        return self.compute.lanes

    @property
    def threads(self) -> int:
        """The threads that an operation of a lane uses on a CPU."""
        return self.compute.threads

    def check(self) -> None:
        """Load the network here, to find out that it can be.

        Raises:
            ModelError: Its tensors do not fit its configuration.

        """
        with _loading:
            _load(self.package, self.compute)

    def __call__(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Tensor:
        """Predict a batch of tiles.

        Invalid pixels are shown to the network as each band's mean.

        Args:
            pixels: As the scene gives them, shape ``(tile, band, y, x)``.
            valid: True where a pixel has data, shape ``(tile, y, x)``.

        Returns:
            Probabilities, float32, shape ``(tile, class, y, x)``, on the device.

        Raises:
            RunError: The network gives values that are not numbers.
            DeviceError: The device ran out of memory.

        """
        try:
            return self._predict(pixels, valid)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.compute.device} ran out of memory with {self.batch} tiles in a "
                f"batch; free some and run the same command again, or begin anew with "
                f"--restart --batch {max(self.batch // 2, 1)}"
            ) from error

    def _predict(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Tensor:
        with _loading:
            network, gain, offset = _load(self.package, self.compute)
        with torch.inference_mode():
            batch = _upload(pixels, self.device).to(torch.float32)
            batch = batch.mul_(gain).sub_(offset)
            if not valid.all():
                unseen = _upload(~valid, self.device)
                batch.masked_fill_(unseen[:, None], 0.0)
            precision = getattr(torch, self.compute.precision)
            batch = batch.to(precision, memory_format=torch.channels_last)
            probabilities = class_probabilities(network(batch))
            if not probabilities.sum().isfinite():
                raise RunError(
                    f"model {self.package.name} gave values that are not numbers at "
                    f"precision {self.compute.precision}; try --precision float32"
                )
            return probabilities


def probe_batch(predictor: TilePredictor, tile: int) -> TilePredictor:
    """Halve a predictor's batch until the device's memory holds it.

    Done before a run begins, since a batch's shape can change the last bits of its
    results. Where memory is no matter of batches, on a CPU, nothing is tried.

    Args:
        predictor: The predictor with the batch that one would like.
        tile: Side of a tile in pixels.

    Raises:
        DeviceError: Not even one tile fits.

    """
    if predictor.compute.device == "cpu":
        return predictor
    while True:
        batch = predictor.batch
        try:
            try_lanes(predictor, tile)
        except DeviceError:
            if batch == 1:
                raise
            smaller = replace(predictor.compute, batch=batch // 2)
            predictor = replace(predictor, compute=smaller)
        else:
            return predictor


def try_lanes(predictor: TilePredictor, tile: int, *, dtype: str = "float32") -> None:
    """Predict a batch of ones in each lane at once, and wait for all.

    Args:
        predictor: What predicts.
        tile: Side of a tile in pixels.
        dtype: The pixels' numpy dtype.

    """
    shape = (predictor.batch, len(predictor.bands), tile, tile)
    pixels, valid = np.ones(shape, dtype), np.ones((shape[0], tile, tile), bool)
    in_lanes(
        lambda _: predictor(pixels, valid),
        range(predictor.lanes),
        device=predictor.device,
        lanes=predictor.lanes,
        threads=predictor.threads,
    )


_loading = threading.Lock()


@cache
def _load(package: ModelPackage, compute: Compute) -> tuple[nn.Module, Tensor, Tensor]:
    """The network on its device; what each band is multiplied with, and less what."""
    torch.backends.cudnn.benchmark = False  # its choice of kernel would vary
    torch.backends.cudnn.deterministic = True
    device = torch.device(compute.device)
    precision = getattr(torch, compute.precision)
    network = load_network(package)
    fold_batch_norm(network)
    network = network.to(device, precision).to(memory_format=torch.channels_last)
    _keep_head_in_float32(network)
    if compute.compiled:
        network.compile(dynamic=False)
    statistics = torch.tensor([[band.mean, band.std] for band in package.bands])
    mean, deviation = statistics.to(device).T[:, None, :, None, None]
    return network, package.scale / deviation, mean / deviation


def _upload(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """Bring an array to a device as it is, which moves the fewest bytes."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":  # from pinned memory a copy does not stop the stream
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _keep_head_in_float32(network: nn.Module) -> None:
    """Compute the last layer in float32: bfloat16 logits tie on many pixels."""
    head = network.get_submodule("segmentation_head").float()

    def widen(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value.float() for value in inputs)

    head.register_forward_pre_hook(widen)
