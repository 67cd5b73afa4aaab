"""A process that worker processes are forked from, which imports while a job prepares.

* `server`: begins it, and says whether it is of use still;
* `imports_begin` and `imports_end` are what it imports before and after all else.
"""

from geoseg.fork_server.server import (
    OF_DASK,
    TO_COMPOSE,
    TO_MAP,
    begin,
    changed_since,
    deaf,
)

__all__ = [
    "OF_DASK",
    "TO_COMPOSE",
    "TO_MAP",
    "begin",
    "changed_since",
    "deaf",
]
