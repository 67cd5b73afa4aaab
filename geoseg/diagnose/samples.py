"""What a forecast samples of a scene, unless that was done before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.diagnose.trial_blocks import seconds_per_tile
from geoseg.diagnose.trial_tiles import busyness
from geoseg.predict import probe
from geoseg.run.cluster.memory import most_held
from geoseg.run.samples import Busy, SceneSamples, keep_samples, known_samples

if TYPE_CHECKING:
    from geoseg.predict import TilePredictor
    from geoseg.run.configuration import RunConfig


def for_samples(predictor: TilePredictor, tile: int) -> TilePredictor:
    """Leave the trial of a predictor on a CPU to `sampled`: there it changes nothing.

    So a network is neither built nor loaded where its samples are known.
    """
    return predictor if _on_cpu(predictor) else probe(predictor, tile)


def _on_cpu(predictor: TilePredictor) -> bool:
    return predictor.compute.device == "cpu"


def sampled(config: RunConfig, slow: float) -> SceneSamples:
    """Sample a scene, or give what was sampled of the very same one before.

    Args:
        config: The run.
        slow: How many times slower this machine is now than when nobody else uses it:
            what is kept is as if nobody did.

    Raises:
        ModelError: A network cannot be loaded, or does not take such tiles.
        RunError: A network gives values that are not numbers.

    """
    known = known_samples(config)
    if known is not None:
        return _at(slow, known)
    if _on_cpu(config.predictor):
        probe(config.predictor, config.plan.lattice.rows.tile)
    seconds = seconds_per_tile(config)
    busy = busyness(config) if config.options.vector_formats else Busy()
    found = SceneSamples(seconds, busy, most_held())
    keep_samples(config, _at(1 / slow, found))
    return found


def _at(slow: float, found: SceneSamples) -> SceneSamples:
    """Give what was sampled on a machine that is so many times slower."""
    busy = replace(found.busy, read=found.busy.read * slow)
    return replace(found, seconds_per_tile=found.seconds_per_tile * slow, busy=busy)
