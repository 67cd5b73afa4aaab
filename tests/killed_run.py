"""A run that is killed at random moments and always begun again, until it is done.

    python killed_run.py DIRECTORY KILLS SEED

Each attempt is a fork, so that all share one import of torch. The finished map is
written to DIRECTORY/map.npy.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fakes import ContextPredictor
from jobs import do, make_job, make_scene, whole

from geoseg.cluster import open_client


@dataclass
class SlowPredictor(ContextPredictor):
    """So slow that a kill comes in its midst."""

    def __call__(self, pixels, valid):
        time.sleep(0.01)
        return super().__call__(pixels, valid)


def killed_job(directory: Path, predictor: ContextPredictor):
    """The job that is killed here and compared with elsewhere."""
    source = make_scene(12, 120, 130, nodata_share=0.1)
    return make_job(source, whole(source), predictor, directory, overlap=8, block=2)


def attempt(directory: Path) -> None:
    """Begin the run, or take it up, and do it to its end."""
    with open_client() as client:
        painted, _ = do(killed_job(directory / "run", SlowPredictor()), client)
    np.save(directory / "map.npy", painted)


def kill_one(directory: Path, after_s: float) -> None:
    """Kill an attempt; where it was faster, begin the run from nothing."""
    child = os.fork()
    if not child:
        attempt(directory)
        os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if (directory / "map.npy").exists():
        shutil.rmtree(directory / "run")
        (directory / "map.npy").unlink()


def main() -> None:
    """Kill attempts, then let one through."""
    directory, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)  # noqa: S311  # no secret
    for _ in range(kills):
        kill_one(directory, moments.uniform(0.05, 0.35))
    attempt(directory)


if __name__ == "__main__":
    main()
