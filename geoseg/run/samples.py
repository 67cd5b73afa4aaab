"""What `geoseg.plan` sampled of a scene, kept: for the next plan, and for the run."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from geoseg.errors import json_text
from geoseg.scene.cache import cache_folder, keep, recall

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.run.configuration import RunConfig


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy a map will be: what its polygons have for each of its pixels."""

    traced: float = 0.0
    """Vertices along the sides of pixels, before anything is merged."""
    vertices: float = 0.0
    """Vertices of the polygons as they are asked for."""
    polygons: float = 0.0
    """Polygons; one that reaches the edge of a sampled tile counts half."""
    largest: float = 0.0
    """Vertices of the largest polygon of each sampled tile."""
    read: float = 0.0
    """Seconds to read one, at the scene's own resolution."""


@dataclass(frozen=True, slots=True)
class SceneSamples:
    """What was sampled of a scene with a model, on this machine."""

    seconds_per_tile: float
    """What a tile takes in a run."""
    busy: Busy
    """How busy the map is; nothing where no polygons are asked for."""
    held: int
    """Bytes that the process had held at most once the model had predicted."""


def known_samples(config: RunConfig) -> SceneSamples | None:
    """Give what was sampled of the very same scene, with the same settings."""
    known = recall(_path(config))
    try:
        busy = Busy(**known["busy"])
        return SceneSamples(known["seconds_per_tile"], busy, known["held"])
    except (TypeError, KeyError):
        return None


def keep_samples(config: RunConfig, found: SceneSamples) -> None:
    """Keep what was sampled; do without where that fails: it is sampled again."""
    keep(_path(config), asdict(found))


def machine() -> str:
    """Name this machine, and the geoseg that was measured on it."""
    return (
        f"{version('geoseg')} {platform.node()} {platform.machine()} {os.cpu_count()}"
    )


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
