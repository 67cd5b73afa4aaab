"""Try a predictor before a run: does it take such tiles, does its batch fit?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from geoseg.errors import DeviceError, GeosegError, ModelError
from geoseg.predict.streams import in_streams

if TYPE_CHECKING:
    from geoseg.predict.predictor import TilePredictor

Trial: TypeAlias = Callable[["TilePredictor", int], "TilePredictor"]
"""Tries a predictor on tiles of some side, and gives it with the batch that fits."""


def probe(predictor: TilePredictor, tile: int) -> TilePredictor:
    """Load a predictor's networks, try them, and halve the batch until it fits.

    Done before a run begins, since a batch's shape can change the last bits of its
    results. A CPU's memory is no matter of batches: there one is tried, and not
    one in each stream.

    Args:
        predictor: The predictor with the batch that one would like.
        tile: Side of a tile in pixels.

    Raises:
        ModelError: A network cannot be loaded, or does not take tiles of that side.
        RunError: A network gives values that are not numbers.
        DeviceError: Not even one tile fits.

    """
    streams = 1 if predictor.compute.device == "cpu" else predictor.streams
    while True:
        try:
            _try(predictor, tile, streams)
        except DeviceError:
            if predictor.batch == 1:
                raise
            smaller = replace(predictor.compute, batch=predictor.batch // 2)
            predictor = replace(predictor, compute=smaller)
        else:
            return predictor


def _try(predictor: TilePredictor, tile: int, streams: int) -> None:
    try:
        try_streams(predictor, tile, streams=streams)
    except GeosegError:
        raise
    except (RuntimeError, AssertionError, ValueError, LookupError) as error:
        names = ", ".join(model.package.name for model in predictor.models)
        raise ModelError(
            f"the network of {names} does not take tiles of {tile} px "
            f"({error}); give another `tile`"
        ) from error


def try_streams(
    predictor: TilePredictor,
    tile: int,
    *,
    dtype: str = "float32",
    streams: int | None = None,
) -> None:
    """Predict a batch of ones in each stream at once, and wait for all.

    Args:
        predictor: What predicts.
        tile: Side of a tile in pixels.
        dtype: The pixels' numpy dtype.
        streams: In how many; the predictor's where None.

    """
    shape = (predictor.batch, len(predictor.bands), tile, tile)
    pixels, valid = np.ones(shape, dtype), np.ones((shape[0], tile, tile), bool)
    in_streams(
        lambda _: predictor(pixels, valid),
        range(predictor.streams if streams is None else streams),
        device=predictor.device,
        streams=predictor.streams,
        threads=predictor.threads,
    )
