"""How fast is each pixel held against a thousand that a model learned from?

Pixels of the sample, ten bands, the same far off from all that is known, and vectors of
64 numbers that vary along twelve directions, are each held against 1,000 of their own:
by the dissimilarity index of a package, and by SciPy's k-d tree on the same scaled
numbers, both on all cores, in turns, best of three. You learn megapixels a second of
the clock and of CPU, and how far the two are apart at most.

    python workflows/benchmarks/applicability.py
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from scipy.spatial import cKDTree

from geoseg.train.applicability import training_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCENE = Path(__file__).parents[2] / "sample_aoi" / "scene.tif"


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Give a name, known pixels and others, each of shape (band, pixel)."""
    rng = np.random.default_rng(0)
    with rasterio.open(SCENE) as scene:
        bands, valid = scene.read(), scene.dataset_mask() > 0
    pixels = bands[:, valid].astype(np.float32)
    known = pixels[:, rng.choice(pixels.shape[1], 1000, replace=False)]
    yield "the sample, 10 bands", known, pixels
    yield "far off, 10 bands", known, 1.5 * pixels + 5 * pixels.std(axis=1)[:, None]
    mixed = rng.normal(size=(64, 12)).astype(np.float32)
    drawn = rng.normal(size=(12, 101_000)).astype(np.float32)
    vectors = mixed @ drawn + rng.normal(0, 0.1, (64, drawn.shape[1]))
    yield "12 directions, 64 bands", vectors[:, :1000], vectors[:, 1000:]


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Give what work gives, and its seconds of the clock and of CPU."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Print the table."""
    print("| | | Mpx/s | Mpx a CPU s | apart at most |\n|---|---|---:|---:|---:|")
    for name, known, pixels in cases():
        folds = np.arange(known.shape[1]) % 5
        vectors = training_vectors(known.T, folds, seed=0)
        tree = cKDTree(vectors.vectors, leafsize=32)
        one = vectors.spread * vectors.threshold

        def by_tree() -> np.ndarray:
            scaled = vectors.scaled(pixels).T  # noqa: B023  # called at once
            return tree.query(scaled, workers=-1)[0] / one  # noqa: B023

        def by_boxes() -> np.ndarray:
            return vectors.dissimilarity(pixels)  # noqa: B023

        by_boxes()  # compiled, or taken from the disk
        sides = {"geoseg": by_boxes, "k-d tree": by_tree}
        best: dict[str, tuple[np.ndarray, float, float]] = {}
        for _ in range(3):
            for side, work in sides.items():
                found = timed(work)
                best[side] = min(found, best.get(side, found), key=lambda each: each[1])
        apart = np.abs(best["geoseg"][0] - best["k-d tree"][0]).max()
        for side, (_, wall, cpu) in best.items():
            count = pixels.shape[1] / 1e6
            print(
                f"| {name} | {side} | {count / wall:.2f} | {count / cpu:.2f} "
                f"| {apart:.1g} |"
            )


if __name__ == "__main__":
    main()
