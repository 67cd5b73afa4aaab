"""One worker for each GPU of this machine.

A GPU is a resource of dask's: a worker that has one says so, and tasks of a run on GPUs
go to such workers only, one more at a time than it has threads, so that one block is
read and another written while a third is computed. Workers that share a GPU without
knowing are refused: see `workers`.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from distributed import Security, SpecCluster

from geoseg.errors import ClusterError
from geoseg.run.cluster.local import DASHBOARD, LOOPBACK, processes_cluster

if TYPE_CHECKING:
    from distributed.utils import LoopRunner

GPU = "GPU"
"""The resource that a worker with a GPU of its own declares."""


def default_workers(device: str) -> int:
    """Give one worker for each GPU where there are several, else none but this process.

    Args:
        device: What computes: ``cpu``, ``cuda`` or ``mps``.

    """
    count = len(visible_gpus()) if device == "cuda" else 0
    return count if count > 1 else 0


def visible_gpus() -> list[str]:
    """Name this process's GPUs as ``CUDA_VISIBLE_DEVICES`` does."""
    import torch  # noqa: PLC0415  # 200 MB that jobs without a model do not need

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(i) for i in range(count)]


def gpu_id() -> str:
    """Return which GPU this process computes on: no two on Earth have the same."""
    import torch  # noqa: PLC0415  # the same

    return f"GPU-{torch.cuda.get_device_properties(0).uuid}"


def share(at_once: int) -> float:
    """What a task asks of a GPU: at least so many and one more have one.

    Powers of two add up exactly.

    Example:
        >>> share(3), share(6)
        (0.25, 0.125)

    """
    return 2.0 ** -(at_once.bit_length())


def gpu_cluster(workers: int, threads: int, runner: LoopRunner) -> SpecCluster:
    """Start worker processes with a GPU each, by dask-cuda where that is installed.

    Args:
        workers: How many processes.
        threads: Tasks of one of them at a time.
        runner: What has the cluster's event loop.

    Raises:
        ClusterError: There are more workers than GPUs.

    """
    gpus = visible_gpus()
    if workers > len(gpus):
        raise ClusterError(
            f"{workers} workers are asked for, but there are {len(gpus)} GPU(s) here, "
            f"and a worker needs one of its own; use `workers={len(gpus)}` or less"
        )
    chosen = gpus[:workers]
    try:
        from dask_cuda import LocalCUDACluster  # noqa: PLC0415  # an extra
    except ImportError:
        pinned = [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in chosen]
        return processes_cluster(pinned, threads, runner, resources={GPU: 1})
    # It binds each worker to the cores and network cards that are near its GPU.
    cluster: SpecCluster = LocalCUDACluster(
        CUDA_VISIBLE_DEVICES=chosen,
        n_workers=workers,
        threads_per_worker=threads,
        memory_limit=0,
        device_memory_limit=None,
        resources={GPU: 1},
        loop=runner.loop,
        dashboard_address=DASHBOARD,
        host=LOOPBACK,
        protocol="tls",
        security=Security.temporary(),
        silence_logs=logging.CRITICAL,
    )
    return cluster
