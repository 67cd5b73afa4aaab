"""Where dask's scheduler ends: many simulated workers, and tasks that do nothing.

    python workflows/benchmarks/scale.py --workers 100 1000 --blocks 20000
    python workflows/benchmarks/scale.py --workers 10000 --unchecked

A real scheduler and a real client in one process, as geoseg uses them: four tasks a
worker, each submitted by itself and forgotten when it is done. The workers are a few
lines that answer at once, through memory and no network. What is left is what
the scheduler and the client do for each block, which no number of workers makes less.
dask compares the versions of each worker that joins with those of all that are there;
`--unchecked` leaves that out, as no cluster can, so that the rest can be seen. Prints a
line for each number of workers: seconds to join, and of CPU, blocks a second, CPU
milliseconds a block, and the memory of the process. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from dataclasses import asdict, dataclass
from typing import Any

import dask
import psutil
from distributed import Client, Scheduler, versions
from distributed.comm import Comm, connect
from distributed.protocol.pickle import dumps

IN_FLIGHT = 4
"""Tasks that geoseg hands to a worker at a time: three under way, one that waits."""
SETTINGS = {
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.worker-ttl": None,  # simulated workers give no signs of life
    "distributed.worker.profile.enabled": False,
}
NOTHING = dumps(type(None))


@dataclass(frozen=True)
class Point:
    """How so many workers went."""

    workers: int
    blocks: int
    join_s: float
    join_cpu_s: float
    seconds: float
    blocks_a_second: float
    cpu_ms_a_block: float
    memory_mb: float


def memory_mb() -> float:
    """The memory that this process holds now."""
    return psutil.Process().memory_info().rss / 1e6


def nothing(_: int) -> None:
    """Do what a block is about, without the block."""


class SimulatedWorker:
    """What a scheduler sees of a worker whose tasks take no time."""

    def __init__(self, number: int) -> None:
        """Be one of many."""
        high, low = divmod(number, 250)
        self._number, self._address = number, f"tcp://10.0.{high}.{low + 1}:9000"

    async def join(self, scheduler: str) -> asyncio.Task[None]:
        """Register, and work from now on."""
        comm = await connect(scheduler)
        await comm.write(
            {
                "op": "register-worker",
                "reply": False,
                "address": self._address,
                "resolve_address": False,
                "status": "running",
                "server_id": f"simulated-{self._number}",
                "nthreads": IN_FLIGHT - 1,
                "name": self._number,
                "now": time.time(),
                "resources": {},
                "memory_limit": 0,
                "local_directory": "",
                "services": {},
                "nanny": None,
                "versions": {},
                "metrics": metrics(),
                "extra": {},
                "stimulus_id": f"join-{self._number}",
            }
        )
        answer = await comm.read()
        if answer["status"] != "OK":
            raise RuntimeError(answer)
        return asyncio.create_task(self._work(comm))

    async def _work(self, comm: Comm) -> None:
        """Say of each task that it is done."""
        while True:
            messages = await comm.read()
            done = [finished(each) for each in messages if each["op"] == "compute-task"]
            if done:
                await comm.write(done)


def metrics() -> dict[str, Any]:
    """Give what a worker says of itself; a scheduler keeps and changes it."""
    return {
        "memory": 0,
        "cpu": 0,
        "time": 0,
        "executing": {},
        "managed_bytes": 0,
        "spilled_bytes": {"memory": 0, "disk": 0},
        "bandwidth": {"total": 1, "workers": {}, "types": {}},
        "event_loop_interval": 0.02,
        "task_counts": {},
        "digests_total_since_heartbeat": {},
        "transfer": {},
        "host_disk_io": {},
        "host_net_io": {},
    }


def finished(task: dict[str, Any]) -> dict[str, Any]:
    """Write the message of a task that is done."""
    return {
        "op": "task-finished",
        "status": "OK",
        "key": task["key"],
        "run_id": task["run_id"],
        "nbytes": 100,
        "type": NOTHING,
        "typename": "NoneType",
        "metadata": {},
        "thread": 1,
        "startstops": [],
        "stimulus_id": "simulated",
    }


async def walk(client: Client, blocks: int, window: int) -> None:
    """Hand out blocks as geoseg does, a few a worker at a time."""
    numbers, name = iter(range(blocks)), f"walk-{time.time()}"

    async def fill_a_place() -> None:
        for number in numbers:
            future = client.submit(nothing, number, key=(name, number))
            await future._state.wait()  # noqa: SLF001  # there is no result to fetch

    await asyncio.gather(*(fill_a_place() for _ in range(window)))


async def unheard(*_: object, **__: object) -> None:
    """Let a worker go; dask would say so to each that is left, a square of messages."""


async def measure(workers: int, blocks: int) -> Point:
    """Let so many workers do so many blocks."""
    async with Scheduler(
        protocol="inproc://", dashboard_address="127.0.0.1:0", port=0
    ) as scheduler:
        async with Client(scheduler.address, asynchronous=True) as client:
            start, cpu = time.perf_counter(), time.process_time()
            crew = [
                await SimulatedWorker(n).join(scheduler.address) for n in range(workers)
            ]
            joined, join_cpu = time.perf_counter() - start, time.process_time() - cpu
            began, cpu = time.perf_counter(), time.process_time()
            await walk(client, blocks, IN_FLIGHT * workers)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            held = memory_mb()
        while client.id in scheduler.clients:  # noqa: ASYNC110  # it hears later
            await asyncio.sleep(0.01)
        scheduler.remove_worker = unheard  # type: ignore[method-assign]  # see there
    for each in crew:
        each.cancel()
    return Point(
        workers=workers,
        blocks=blocks,
        join_s=round(joined, 1),
        join_cpu_s=round(join_cpu, 1),
        seconds=round(seconds, 1),
        blocks_a_second=round(blocks / seconds, 1),
        cpu_ms_a_block=round(1000 * cpu / blocks, 3),
        memory_mb=round(held, 1),
    )


def main() -> None:
    """Measure, and print a JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument(
        "--unchecked", action="store_true", help="leave out dask's check of versions"
    )
    arguments = parser.parse_args()
    if arguments.unchecked:
        versions.error_message = lambda *_, **__: {"warning": "", "error": ""}
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    for workers in arguments.workers:
        with dask.config.set(SETTINGS):
            point = asyncio.run(measure(workers, arguments.blocks))
        print(json.dumps(asdict(point)), flush=True)


if __name__ == "__main__":
    main()
