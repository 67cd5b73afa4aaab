"""Areas of change: counted on two maps, or estimated from a sample within transitions.

Two maps of one ground are simulated with the errors that maps have: either borders that
wander by a pixel all over both, and patches of a wrong class, or change that is shown
two pixels too small, and fewer patches. What truly changed is known, so that each of
many samples can be held against it: how often does its 95 % interval hold the true
area, how wide is it, and how far off is counting pixels? Each sample is drawn twice,
with the stratum along the borders of change and without.

    python workflows/benchmarks/change_areas.py --draws 400
    python workflows/benchmarks/change_areas.py --draws 400 --errors "beside change"
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage, stats

import geoseg

SIDE = 500
PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
CLASSES = ("field", "wood", "lake")
CONFIDENCE = 0.95


def landscape(rng: np.random.Generator) -> np.ndarray:
    """Make ground of winding patches, class ids of shape (y, x)."""
    height = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 14)
    return np.digitize(height, np.quantile(height, [0.45, 0.85])).astype(np.uint8)


def patches(rng: np.random.Generator, share: float, size: float) -> np.ndarray:
    """Choose patches of ground that together are a share of it."""
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), size)
    return noise > np.quantile(noise, 1 - share)


def mapped(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """Map ground: borders wander by about a pixel, and some patches are wrong."""
    rows, cols = np.indices(truth.shape)
    wander = [ndimage.gaussian_filter(rng.normal(size=truth.shape), 3) for _ in "yx"]
    rows_and_cols = [
        axis + 1.2 * each / each.std()
        for axis, each in zip((rows, cols), wander, strict=True)
    ]
    found = ndimage.map_coordinates(truth, rows_and_cols, order=0, mode="nearest")
    wrong = patches(rng, 0.01, 3)
    return np.where(wrong, (found + 1) % 2, found).astype(np.uint8)


def maps(
    errors: str, rng: np.random.Generator, was: np.ndarray, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Map the ground of both dates."""
    if errors == "all over":
        return mapped(rng, was), mapped(rng, now)
    shown = np.where(ndimage.binary_erosion(was != now, iterations=2), now, was)
    wrong = patches(rng, 0.003, 3)
    return was, np.where(wrong, (shown + 1) % 2, shown).astype(np.uint8)


def save(path: Path, values: np.ndarray) -> Path:
    """Write a class map with its legend."""
    path.parent.mkdir()
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 255}
    shape = {"height": SIDE, "width": SIDE, "crs": "EPSG:32633", "transform": PLANE}
    with rasterio.open(path, "w", **profile, **shape) as dataset:
        dataset.write(values, 1)
        colours = ("#e8c468", "#2d7a3a", "#2f78b7")
        legend = [
            {"id": i, "name": name, "colour": colour}
            for i, (name, colour) in enumerate(zip(CLASSES, colours, strict=True))
        ]
        dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))
    return path


def interval(
    map_path: Path,
    truth: np.ndarray,
    names: dict[str, int],
    options: geoseg.SampleOptions,
    folder: Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a sample, label it with the truth: value, low and high of all change."""
    points = folder / "points.geojson"
    points.unlink(missing_ok=True)
    geoseg.sample_points(map_path, points, options=options)
    frame = geopandas.read_file(points).to_crs("EPSG:32633")
    cols, rows = ~PLANE @ np.array([frame.geometry.x, frame.geometry.y])
    called = {number: name for name, number in names.items()}
    labels = truth[rows.astype(int), cols.astype(int)]
    frame["reference"] = [called[each] for each in labels.tolist()]
    frame.to_crs(4326).to_file(points)
    how = geoseg.EvaluateOptions(stratified=True)
    found = geoseg.evaluate(map_path, points, options=how).estimates
    assert found is not None  # noqa: S101  # the sample is stratified
    return found.area.value, found.area.low, found.area.high


def main() -> None:
    """Simulate, and print a line for each transition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument(
        "--errors", choices=("all over", "beside change"), default="all over"
    )
    parser.add_argument("--allocation", help="how points are shared, if not by default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    was = landscape(rng)
    now = was.copy()
    now[patches(rng, 0.05, 9) & (was == 1)] = 0
    now[patches(rng, 0.03, 9) & (was == 0)] = 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shown_was, shown_now = maps(arguments.errors, rng, was, now)
        before = save(folder / "before" / "map.tif", shown_was)
        after = save(folder / "after" / "map.tif", shown_now)
        made = geoseg.change(before, after, folder / "change")
        with rasterio.open(made.products["transitions"]) as dataset:
            legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
            shown = dataset.read(1)
        names = {each["name"]: each["id"] for each in legend}
        truth = np.full(was.shape, names["no change"])
        for a, b in np.argwhere(~np.eye(3, dtype=bool)).tolist():
            there = (was == a) & (now == b)
            if there.any():
                truth[there] = names[f"{CLASSES[a]} to {CLASSES[b]}"]
        # Of the folder the strata count, of the raster alone its classes.
        alone = Path(made.products["transitions"])
        designs = {"with borders": folder / "change", "without": alone}
        how = geoseg.SampleOptions(
            points=600, minimum=50, allocation=arguments.allocation
        )
        draws = {
            name: np.array(
                [
                    interval(path, truth, names, replace(how, seed=seed), folder)
                    for seed in range(arguments.draws)
                ]
            )
            for name, path in designs.items()
        }
    report(draws, names, truth, shown, arguments)


def report(
    draws: dict[str, np.ndarray],
    names: dict[str, int],
    truth: np.ndarray,
    shown: np.ndarray,
    arguments: argparse.Namespace,
) -> None:
    """Print and save what the draws say."""
    expected = stats.binom.interval(0.95, arguments.draws, CONFIDENCE)
    low, high = (each / arguments.draws for each in expected)
    print(f"{arguments.draws} draws; coverage within {low:.3f} to {high:.3f} is 95 %")
    rows = []
    for name, number in names.items():
        true, counted = int((truth == number).sum()), int((shown == number).sum())
        if not true:
            continue
        row = {"transition": name, "true ha": true / 100, "counted ha": counted / 100}
        for design, found in draws.items():
            value, least, most = found[:, :, number].T
            inside = (least <= true) & (true <= most)
            holds = (least <= counted) & (counted <= most)
            row |= {
                f"coverage {design}": float(inside.mean()),
                f"counted inside {design}": float(holds.mean()),
                f"mean ha {design}": float(value.mean()) / 100,
                f"width ha {design}": float((most - least).mean()) / 100,
            }
        rows.append(row)
        print(json.dumps(row))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    if arguments.plot:
        plot(arguments.plot, draws["with borders"], names, truth, shown)


def plot(
    path: Path,
    found: np.ndarray,
    names: dict[str, int],
    truth: np.ndarray,
    shown: np.ndarray,
) -> None:
    """Draw the intervals of a transition's area, those that miss the truth in red."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # only where it is asked for

    name = "wood to field"
    true, counted = ((each == names[name]).sum() / 100 for each in (truth, shown))
    value, low, high = found[:, :, names[name]].T / 100
    order = np.argsort(value)
    missed = ((low > true) | (high < true))[order]
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    x = np.arange(len(value))
    for which, colour in ((~missed, "#9db8d2"), (missed, "#c2410c")):
        axes.vlines(x[which], low[order][which], high[order][which], colour, lw=1)
    axes.plot(x, value[order], ".", color="#1f4e79", ms=2)
    axes.axhline(true, color="black", lw=1.2)
    axes.axhline(counted, color="#c2410c", lw=1.2, ls="--")
    axes.annotate("true area", (0, true), xytext=(4, 4), textcoords="offset points")
    axes.annotate("counted on the maps", (0, counted), xytext=(4, 4),
                  textcoords="offset points", color="#c2410c")  # fmt: skip
    axes.set_xlabel(f"{len(value)} samples, by their estimate")
    axes.set_ylabel(f"{name} (ha)")
    axes.margins(x=0.01)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
