"""How sure `geoseg train` is of ground it has not seen, over the sample's five folds.

    python workflows/benchmarks/calibration.py --out /tmp/folds --write docs/training.md

Each network is what the command makes without a flag but `--fold` and
`--class-field`; `geoseg.calibrate_model` then measures its confidences on that fold's
blocks, each by the temperature of the others, tile by tile with the ground around
them. You learn the error without a temperature and with one. What is done is kept in
`--out`: give the same command again to carry on. An hour of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from held_out import LABELS, SCENE, table, write_between
from scipy.stats import t as student

import geoseg

FOLDS = 5
FIGURES = ("overall accuracy", "mean F1", "mean IoU")


def main() -> None:
    """Train and measure what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(tempfile.gettempdir()) / "folds"
    parser.add_argument("--out", type=Path, default=folder)
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    given = parser.parse_args()
    found = [of_fold(fold, given.out) for fold in range(FOLDS)]
    heads = ["fold", *FIGURES, "temperature", "error without", "error with it"]
    rows = [[str(n), *(f"{value:.3f}" for value in row)] for n, row in enumerate(found)]
    rows.append(["mean", *(interval(column) for column in zip(*found, strict=True))])
    lower = sum(row[-1] < row[-2] for row in found)
    text = (
        f"{table(heads, rows)}\n\nThe expected calibration error is lower on {lower} "
        f"of {FOLDS} folds. On {given.hardware}."
    )
    print(text)
    if given.write:
        write_between(given.write, Path(__file__).name, text)


def of_fold(fold: int, out: Path) -> list[float]:
    """Give a fold's figures, from disk where they are known."""
    trained, measured = out / f"fold{fold}", out / f"cal{fold}"
    name = f"{fold}/{FOLDS}"
    if not trained.exists():
        options = geoseg.TrainOptions(fold=name, class_field="class")
        geoseg.train([SCENE], LABELS, trained, options=options)
    if not measured.exists():
        options = geoseg.CalibrateOptions(held_out=name, class_field="class")
        geoseg.calibrate_model(trained, SCENE, LABELS, output=measured, options=options)
    package = geoseg.load_package(measured)
    record = json.loads((trained / "accuracy.json").read_text(encoding="utf-8"))
    errors = package.reliability.error_before, package.reliability.error_after
    return [*(record[figure] for figure in FIGURES), package.temperature, *errors]


def interval(values: tuple[float, ...]) -> str:
    """Write a mean and half its 95 % interval by Student's t."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1)
    return f"{np.mean(values):.3f} ± {half / np.sqrt(len(values)):.3f}"


if __name__ == "__main__":
    main()
