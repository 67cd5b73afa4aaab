"""Where tasks run: dask clients, and workers that prove themselves before a run.

Its rooms, from below:

* `memory`: what this process holds, and may still take;
* `local`: workers of this machine, closed to everybody else on it;
* `gpus`: one worker for each GPU of this machine;
* `presence`: who is there to work, and what is said where nobody is;
* `remote`: a running scheduler, asked who it is;
* `client`: a dask client of whatever kind was asked for;
* `process_state`: what runs change in a worker's process, until the last one goes;
* `worker_setup`: the workers of a run, which get its job and prove that they can do it.
"""

from geoseg.run.cluster.client import block_map, dashboard_of, map_on, open_client
from geoseg.run.cluster.gpus import default_workers
from geoseg.run.cluster.presence import (
    LOST,
    NO_PATIENCE,
    Patience,
    in_our_words,
)
from geoseg.run.cluster.worker_setup import Workforce, set_up_workers

__all__ = [
    "LOST",
    "NO_PATIENCE",
    "Patience",
    "Workforce",
    "block_map",
    "dashboard_of",
    "default_workers",
    "in_our_words",
    "map_on",
    "open_client",
    "set_up_workers",
]
