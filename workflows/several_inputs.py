"""Real imagery with a DEM, and of two dates, as several inputs of one model.

    python workflows/several_inputs.py FOLDER

Fetches two packages of Debian's with apt, whose sample data it reads and leaves in the
folder: r-cran-stars has Landsat 7 at Olinda (six bands of 28.5 m, one byte each) and a
DEM of 90 m in another CRS; r-cran-satellite has Landsat 7 of 2001 and Landsat 8 of 2013
near Marburg (41 x 41 pixels) with a DEM.

Nobody mapped these places, so that classes are rules: at Olinda water, low ground and
hills above 25 m, by an index and by the DEM as rasterio brings it there; at Marburg
where the NDVI rose or fell. What a model of all inputs learns of a fraction of pixels
is held against the rule everywhere, beside a model of the image alone, which does not
know heights. And the map of two workers and small blocks must have the same bytes.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject

import geoseg

PACKAGES = ("r-cran-stars", "r-cran-satellite")
HILL_M, LEARNED = 25, 0.02
CHANGED = 0.15
"""Of the NDVI."""
OLINDA = "usr/lib/R/site-library/stars/tif"
MARBURG = "usr/lib/R/site-library/satellite/extdata"
DATES = {
    "before": ("LE07_L1TP_195025_20010730_20170204_01_T1", (3, 4)),
    "after": ("LC08_L1TP_195025_20130707_20170503_01_T1", (4, 5)),
}
"""Of each date its files and the numbers of its red and near infrared bands."""


def fetch(folder: Path) -> Path:
    """Unpack the packages, and give where their files are."""
    root = folder / "debian"
    root.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        if not list(root.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", name], cwd=root, check=True)  # noqa: S603, S607  # apt
        (archive,) = root.glob(f"{name}_*.deb")
        subprocess.run(["dpkg", "-x", archive.name, "."], cwd=root, check=True)  # noqa: S603, S607  # dpkg
    return root


def write_labels(path: Path, truth: np.ndarray, profile: dict, share: float) -> Path:
    """Write a share of what is true, as labels; nothing elsewhere."""
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(truth.shape) < share, truth, 255).astype(np.uint8)
    settings = {**profile, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(labels, 1)
    return path


def agreement(folder: Path, truth: np.ndarray) -> float:
    """Say on which share of a map's pixels it has the true class."""
    with rasterio.open(folder / "landcover.tif") as dataset:
        found = dataset.read(1)
    return float((found == truth)[found != 255].mean())  # noqa: PLR2004  # nodata


def learn(
    name: str, inputs: object, labels: Path, truth: np.ndarray, folder: Path
) -> None:
    """Train on inputs, map them, and print what came of it."""
    how = geoseg.TrainOptions(architecture="pixel", head="mlp")
    trained = geoseg.train(inputs, labels, folder / name, options=how)
    options = geoseg.SegmentOptions(model=folder / name, formats="none")
    geoseg.segment(inputs, folder / f"{name}-map", options=options)
    print(
        f"{name}: {trained.package.architecture}; held out "
        f"{trained.accuracy.overall:.3f}, map as the rule on "
        f"{agreement(folder / f'{name}-map', truth):.1%} of pixels"
    )


def olinda(root: Path, folder: Path) -> None:
    """Map water, low ground and hills by an image and a DEM, and by the image alone."""
    image, dem = root / OLINDA / "L7_ETMs.tif", root / OLINDA / "olinda_dem_utm25s.tif"
    with rasterio.open(image) as dataset, rasterio.open(dem) as heights:
        bands, profile = dataset.read().astype(float), dataset.profile
        high = np.full(dataset.shape, np.nan, np.float32)
        reproject(
            rasterio.band(heights, 1),
            high,
            dst_crs=dataset.crs,
            dst_transform=dataset.transform,
            resampling=Resampling.bilinear,
            dst_nodata=np.nan,
        )
    green, infrared = bands[1], bands[4]
    land = np.where(high > HILL_M, 2, 1)
    truth = np.where(green > infrared, 0, land).astype(np.uint8)
    labels = write_labels(folder / "olinda.tif", truth, profile, LEARNED)
    inputs = {"l7": str(image), "dem": str(dem)}
    learn("olinda-both", inputs, labels, truth, folder)
    learn("olinda-image", [str(image)], labels, truth, folder)
    options = geoseg.SegmentOptions(
        model=folder / "olinda-both", formats="none", workers=2, block=1, tile=64
    )
    one = geoseg.SegmentOptions(model=folder / "olinda-both", formats="none", tile=64)
    geoseg.segment(inputs, folder / "workers", options=options)
    geoseg.segment(inputs, folder / "alone", options=one)
    same = all(
        (folder / "workers" / name).read_bytes()
        == (folder / "alone" / name).read_bytes()
        for name in ("landcover.tif", "confidence.tif")
    )
    print(
        f"two workers and blocks of one tile: {'the same' if same else 'OTHER'} bytes"
    )


def reflectance(folder: Path, scene: str, number: int) -> tuple[float, float]:
    """Read by what a band's numbers become reflectance."""
    text = (folder / f"{scene}_MTL.txt").read_text(encoding="utf-8")
    facts = dict(
        (part.strip() for part in line.split("=", 1))
        for line in text.splitlines()
        if "=" in line
    )
    scale, offset = (
        float(facts[f"REFLECTANCE_{kind}_BAND_{number}"]) for kind in ("MULT", "ADD")
    )
    return scale, offset


def stack(path: Path, folder: Path, scene: str, numbers: tuple[int, int]) -> np.ndarray:
    """Put red and near infrared in one file with their units; give the NDVI."""
    declared = [reflectance(folder, scene, number) for number in numbers]
    pixels = []
    for number in numbers:
        with rasterio.open(folder / f"{scene}_B{number}.TIF") as dataset:
            pixels.append(dataset.read(1))
            profile = dataset.profile
    with rasterio.open(path, "w", **{**profile, "count": 2}) as dataset:
        dataset.write(np.stack(pixels))
        dataset.descriptions = ("red", "nir")
        dataset.scales, dataset.offsets = zip(*declared, strict=True)
    red, nir = (
        band * scale + offset
        for band, (scale, offset) in zip(pixels, declared, strict=True)
    )
    return (nir - red) / (nir + red)


def marburg(root: Path, folder: Path) -> None:
    """Map where plants came and went between two sensors' dates, a DEM beside."""
    data = root / MARBURG
    paths = {name: folder / f"{name}.tif" for name in DATES}
    before, after = (stack(paths[n], data, *DATES[n]) for n in DATES)
    rose = after - before
    truth = np.select([rose > CHANGED, rose < -CHANGED], [1, 2], 0).astype(np.uint8)
    with rasterio.open(paths["before"]) as dataset:
        labels = write_labels(folder / "marburg.tif", truth, dataset.profile, 0.5)
    inputs = {name: str(path) for name, path in paths.items()}
    learn("marburg-both", inputs, labels, truth, folder)
    learn(
        "marburg-dem", {**inputs, "dem": str(data / "DEM.TIF")}, labels, truth, folder
    )
    learn("marburg-after", [inputs["after"]], labels, truth, folder)


def main() -> None:
    """Fetch, learn, map and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    root = fetch(folder)
    olinda(root, folder)
    marburg(root, folder)


if __name__ == "__main__":  # workers import this module
    main()
