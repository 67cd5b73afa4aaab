"""`geoseg train` without flags on few points, beside what scikit-learn makes of them.

    python workflows/benchmarks/few_labels.py --write docs/training.md

Points are drawn on the labels of the left 60 % of the sample, so many a class; what is
learned is measured on up to 40,000 labelled pixels of its right 40 %. The baselines are
scikit-learn's own on features made by scipy: a linear discriminant with shrinkage and
a random forest, on the ten bands ("pixels") and on these with their means and
deviations in windows of 3, 7 and 15 px ("context"). Ten draws: a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import torch
from held_out import LABELS, SCENE, table, write_between
from rasterio.features import rasterize
from scipy.ndimage import uniform_filter
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

import geoseg

LEFT = 0.6
POINTS = (5, 10, 20, 50, 100, 200)
MEASURED = 40_000


def main() -> None:
    """Do what is not yet done, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "few")
    parser.add_argument("--points", type=int, nargs="+", default=POINTS)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sample = Sample()
    rows = []
    for points in arguments.points:
        draws = [
            of_draw(sample, points, draw, arguments.out)
            for draw in range(arguments.draws)
        ]
        names = list(draws[0])
        cells = [spread([draw[name] for draw in draws], name) for name in names]
        rows.append([str(points), *cells])
        print(rows[-1], flush=True)
    text = table(["points a class", *names], rows)
    text += f"\n\n{arguments.draws} draws each, mean ± deviation; {arguments.hardware}."
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


class Sample:
    """The sample's pixels, labels and features."""

    def __init__(self) -> None:
        """Read it."""
        with rasterio.open(SCENE) as scene:
            self.pixels = scene.read().astype(np.float32)
            self.transform, self.crs = scene.transform, scene.crs
        self.shape = self.pixels.shape[1:]
        frame = geopandas.read_file(LABELS)
        self.names = sorted(frame["class"].unique())
        ids = [self.names.index(name) for name in frame["class"]]
        self.labels = rasterize(
            zip(frame.geometry, ids, strict=True),
            out_shape=self.shape,
            transform=self.transform,
            fill=255,
            dtype="uint8",
        )
        self.middle = int(self.shape[1] * LEFT)
        right = self.labels.copy()
        right[:, : self.middle] = 255
        pixels = np.flatnonzero(right != 255)  # noqa: PLR2004  # unlabelled
        self.measured = np.random.default_rng(0).choice(pixels, MEASURED, replace=False)
        self.features = contextual(self.pixels)

    def draw(self, points: int, seed: int) -> np.ndarray:
        """Draw so many pixels of each class of the left part, as flat indices."""
        random = np.random.default_rng(seed)
        left = self.labels[:, : self.middle]
        drawn = []
        for channel in range(len(self.names)):
            rows, cols = np.nonzero(left == channel)
            some = random.choice(len(rows), points, replace=False)
            drawn.append(rows[some] * self.shape[1] + cols[some])
        return np.concatenate(drawn)

    def save(self, pixels: np.ndarray, path: Path) -> None:
        """Write pixels as labelled points."""
        rows, cols = np.divmod(pixels, self.shape[1])
        x, y = self.transform * (cols + 0.5, rows + 0.5)
        named = [self.names[each] for each in self.labels.ravel()[pixels]]
        geopandas.GeoDataFrame(
            {"class": named}, geometry=geopandas.points_from_xy(x, y), crs=self.crs
        ).to_file(path)


def contextual(pixels: np.ndarray) -> np.ndarray:
    """Give bands, and means and deviations in windows, ``(feature, y, x)``."""
    normal = pixels - pixels.mean((1, 2), keepdims=True)
    normal /= normal.std((1, 2), keepdims=True)
    found = [normal]
    for side in (3, 7, 15):
        mean = uniform_filter(normal, (0, side, side))
        square = uniform_filter(normal * normal, (0, side, side))
        found += [mean, np.sqrt(np.maximum(square - mean * mean, 0))]
    return np.concatenate(found)


def of_draw(sample: Sample, points: int, draw: int, out: Path) -> dict[str, float]:
    """Give overall accuracies and seconds of a draw, from disk where it is known."""
    kept = out / f"{points}-{draw}.json"
    if not kept.exists():
        pixels = sample.draw(points, draw)
        found = ours(sample, pixels, out / f"{points}-{draw}")
        found |= baselines(sample, pixels)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def ours(sample: Sample, pixels: np.ndarray, folder: Path) -> dict[str, float]:
    """Train as the command does without flags, and measure the package."""
    points = folder.with_suffix(".gpkg")
    sample.save(pixels, points)
    started = time.process_time()
    package = geoseg.train([SCENE], points, folder).package
    seconds = time.process_time() - started
    network = geoseg.load_network(package)
    shape = (-1, 1, 1)
    mean = np.array([b.mean for b in package.bands], np.float32).reshape(shape)
    std = np.array([b.std for b in package.bands], np.float32).reshape(shape)
    normal = torch.from_numpy((sample.pixels - mean) / std)[None]
    rows, cols = np.divmod(sample.measured, sample.shape[1])
    with torch.inference_mode():
        features = network.features(normal)[:, :, rows, cols]
        scores = network.segmentation_head(features[:, :, None])
    best = scores[0, :, 0].argmax(0).numpy()
    truth = sample.labels.ravel()[sample.measured]
    return {"geoseg train": float((best == truth).mean()), "s of CPU": seconds}


def baselines(sample: Sample, pixels: np.ndarray) -> dict[str, float]:
    """Fit scikit-learn's classifiers to the same pixels."""
    flat = sample.features.reshape(len(sample.features), -1)
    labels = sample.labels.ravel()
    found = {}
    for on, some in (("pixels", slice(len(sample.pixels))), ("context", slice(None))):
        for name, classifier in (
            ("discriminant", LinearDiscriminantAnalysis("lsqr", shrinkage="auto")),
            ("forest", RandomForestClassifier(random_state=0)),
        ):
            features = flat[some]
            classifier.fit(features[:, pixels].T, labels[pixels])
            best = classifier.predict(features[:, sample.measured].T)
            truth = labels[sample.measured]
            found[f"{name}, {on}"] = float((best == truth).mean())
    return found


def spread(values: list[float], name: str) -> str:
    """Write mean and deviation."""
    if name == "s of CPU":
        return f"{np.mean(values):.0f}"
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


if __name__ == "__main__":
    main()
