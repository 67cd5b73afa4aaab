"""How numbers are computed, resolved once for a whole run: device, precision, batch."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch

from geoseg.errors import DeviceError, InputError
from geoseg.options import Device, Precision
from geoseg.predict.streams import share_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICES: tuple[Device, ...] = get_args(Device)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_BATCH = {"cpu": 1, "cuda": 8, "mps": 4}
"""Tiles in a batch: on a CPU one at a time was the fastest that was tried."""
_STREAMS = {"cuda": 2, "mps": 1}
"""Batches side by side: on a CUDA device one copies while the other computes."""


@dataclass(frozen=True, slots=True)
class Compute:
    """How numbers are computed, resolved once for a whole run."""

    device: str
    """``cpu``, ``cuda`` or ``mps``."""
    precision: str
    """``float32``, ``bfloat16`` or ``float16``, for all but the network's head."""
    batch: int
    """Tiles in a batch; a last, smaller one is filled up, never cut."""
    threads: int
    """Threads that one operation uses on a CPU."""
    streams: int
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
            "float16 is not for CPUs; use `precision='bfloat16'`, float32 or auto"
        )
    size = _BATCH[chosen] if batch is None else batch
    streams, threads = share_cores(processes)
    if compiled:  # torch compiles for one caller that has all threads
        streams, threads = 1, streams * threads
    elif chosen != "cpu":
        streams = _STREAMS[chosen]
    return Compute(chosen, name, size, threads, streams, reason, compiled)


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


@contextmanager
def explaining_memory(device: torch.device, batch: int) -> Iterator[None]:
    """Say it in a sentence where the device runs out of memory.

    Args:
        device: The device.
        batch: Tiles in a batch.

    Raises:
        DeviceError: It does.

    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        is_numpys = isinstance(error, MemoryError)  # of a block that a CPU adds up
        less = "and a smaller `block`" if is_numpys else f"`batch={max(batch // 2, 1)}`"
        raise DeviceError(
            f"{device.type} ran out of memory with {batch} tiles in a batch; free some "
            f"and run the same command again, or begin anew with `restart` {less}"
        ) from error
