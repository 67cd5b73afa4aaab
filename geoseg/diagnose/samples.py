"""What a forecast samples of a scene, kept for the next time that it is planned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from geoseg.diagnose.rates import machine, slowness
from geoseg.diagnose.trial_blocks import seconds_per_tile
from geoseg.diagnose.trial_tiles import Busy, busyness
from geoseg.errors import OutputError, json_text
from geoseg.scene.files.index import cache_folder
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.run.configuration import RunConfig


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was sampled of a scene with a model, on this machine."""

    seconds_per_tile: float
    """What a tile takes in a run."""
    busy: Busy
    """How busy the map is; nothing where no polygons are asked for."""


def sampled(config: RunConfig) -> Sampled:
    """Sample a scene, or give what was sampled of the very same one before.

    It is kept in the user's cache, ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``.
    """
    path = _path(config)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return _at(
            slowness(), Sampled(known["seconds_per_tile"], Busy(**known["busy"]))
        )
    except (OSError, ValueError, TypeError, KeyError):
        found = Sampled(
            seconds_per_tile(config),
            busyness(config) if config.options.vector_formats else Busy(),
        )
    try:
        with atomic_file(path) as whole:
            kept = asdict(_at(1 / slowness(), found))
            whole.write_text(json.dumps(kept), encoding="utf-8")
    except (OSError, OutputError):
        pass  # it is sampled again
    return found


def _at(slow: float, found: Sampled) -> Sampled:
    """Give what was sampled on a machine that is so many times slower."""
    busy = replace(found.busy, read=found.busy.read * slow)
    return Sampled(found.seconds_per_tile * slow, busy)


def _path(config: RunConfig) -> Path:
    """Name the file of a scene, a model, and all that changes what they take."""
    compute, plan = config.predictor.compute, config.plan
    what = {
        "machine": machine(),
        "identity": dict(plan.identity),
        "polygons": asdict(config.options.polygons),
        "drawn": bool(config.options.vector_formats),
        "block": [plan.lattice.rows.block, plan.lattice.cols.block],
        "streams": [compute.device, config.predictor.streams, config.predictor.threads],
    }
    key = hashlib.blake2b(json_text(what).encode(), digest_size=16).hexdigest()
    return cache_folder() / "plans" / f"{key}.json"
