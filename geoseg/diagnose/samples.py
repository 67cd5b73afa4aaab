"""What a forecast samples of a scene, unless that was done before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.diagnose.trial_blocks import seconds_per_tile
from geoseg.diagnose.trial_tiles import busyness
from geoseg.run.cluster.memory import most_held
from geoseg.run.samples import Busy, SceneSamples, keep_samples, known_samples

if TYPE_CHECKING:
    from geoseg.run.configuration import RunConfig


def sampled(config: RunConfig, slow: float) -> SceneSamples:
    """Sample a scene, or give what was sampled of the very same one before.

    Args:
        config: The run.
        slow: How many times slower this machine is now than when nobody else uses it:
            what is kept is as if nobody did.

    """
    known = known_samples(config)
    if known is not None:
        return _at(slow, known)
    seconds = seconds_per_tile(config)
    busy = busyness(config) if config.options.vector_formats else Busy()
    found = SceneSamples(seconds, busy, most_held())
    keep_samples(config, _at(1 / slow, found))
    return found


def _at(slow: float, found: SceneSamples) -> SceneSamples:
    """Give what was sampled on a machine that is so many times slower."""
    busy = replace(found.busy, read=found.busy.read * slow)
    return replace(found, seconds_per_tile=found.seconds_per_tile * slow, busy=busy)
