"""A run that is killed at random moments and always begun again, until it is done.

    python killed_run.py DIRECTORY KILLS SEED [RUN_DIRECTORY]

Each attempt is a fork, so that all share one import of torch. The finished map is
written to DIRECTORY/map.npy.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fakes import ContextPredictor
from jobs import do, make_job, make_scene, whole

from geoseg.run.cluster import open_client
from geoseg.run.journal.journal import open_journal

LOCAL_ARGUMENTS = 4


@dataclass
class SlowPredictor(ContextPredictor):
    """So slow that a kill comes in its midst."""

    def __call__(self, pixels, valid):
        time.sleep(0.01)
        return super().__call__(pixels, valid)


def killed_job(where: Path | str, predictor: ContextPredictor, block: int = 2):
    """The job that is killed here and compared with elsewhere."""
    source = make_scene(12, 120, 130, nodata_share=0.1)
    return make_job(source, whole(source), predictor, where, overlap=8, block=block)


def attempt(directory: Path, where: Path | str) -> None:
    """Begin the run, or take it up, and do it to its end."""
    block = 2 if isinstance(where, Path) else 4  # each file is a call of a server
    with open_client() as client:
        painted, _ = do(killed_job(where, SlowPredictor(), block), client)
    np.save(directory / "map.npy", painted)


def begin_again(directory: Path, where: Path | str) -> None:
    """Forget a run that was faster than its killer."""
    open_journal(where, {"test": "1"}).discard()
    (directory / "map.npy").unlink()


def fork(work, *arguments) -> int:
    """Do something in a process of its own; give its number."""
    child = os.fork()
    if not child:
        work(*arguments)
        os._exit(0)
    return child


def kill_one(directory: Path, where: Path | str, after_s: float) -> None:
    """Kill an attempt; where it was faster, begin the run from nothing."""
    child = fork(attempt, directory, where)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if (directory / "map.npy").exists():
        os.waitpid(fork(begin_again, directory, where), 0)


def main() -> None:
    """Kill attempts, then let one through."""
    directory, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    where, longest_s = directory / "run", 0.35
    if len(sys.argv) > LOCAL_ARGUMENTS:
        where, longest_s = sys.argv[4], 1.5
    moments = random.Random(seed)  # noqa: S311  # no secret
    for _ in range(kills):
        kill_one(directory, where, moments.uniform(0.05, longest_s))
    attempt(directory, where)


if __name__ == "__main__":
    main()
