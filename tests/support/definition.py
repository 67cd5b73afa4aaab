"""The definition of a map, in float64 over the whole image."""

import itertools

import numpy as np


def naive(source, predictor, *, tile, overlap, blend):
    """The definition in float64 over the whole image: scores ``(class, y, x)``."""
    height, width = source.valid.shape
    step, half = tile - overlap, overlap // 2
    phases = [anchor % step for anchor in source.geobox.anchor]
    window = {
        "hann": np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2,
        "mean": np.ones(tile),
        "crop": ((np.arange(tile) >= half) & (np.arange(tile) < tile - half)) * 1.0,
    }[blend]
    pad = 2 * tile
    mode = {"pad_width": pad, "mode": "reflect"}
    valid = np.pad(source.valid, **mode)
    values = np.stack([np.pad(band, **mode) for band in source.values])
    total = np.zeros((predictor.planes, *valid.shape))
    weight = np.zeros(valid.shape)
    starts = [
        range(-phase - half, length - half, step)
        for phase, length in zip(phases, (height, width), strict=True)
    ]
    for row, col in itertools.product(*starts):
        cut = (slice(row + pad, row + pad + tile), slice(col + pad, col + pad + tile))
        logits = predictor.logits(values[(slice(None), *cut)], valid[cut])
        odds = np.exp(logits - logits.max(axis=0))
        share = np.outer(window, window)
        total[(slice(None), *cut)] += share * odds / odds.sum(axis=0)
        weight[cut] += share
    inner = (slice(pad, pad + height), slice(pad, pad + width))
    return total[(slice(None), *inner)] / weight[inner]
