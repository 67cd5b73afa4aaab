"""Twelve cloudy dates of the sample to one map: what a composite gives back.

    python workflows/cloudless_season.py FOLDER [--picture docs/time.png]

Makes twelve STAC items of the upper left of the sample: clouds painted in, declared by
an SCL band, numbers raised by 1000 on every other date as Sentinel-2's baseline 04.00
does, four dates in the UTM zone beside. Composes and maps them in one call, and
compares the map with that of the clear scene.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
import rasterio
from PIL import Image
from rasterio.warp import Resampling, calculate_default_transform, reproject

import geoseg

ROOT = Path(__file__).parent.parent
SIDE, DATES, CLOUDED, OFTEN = 448, 12, 0.45, 3
HOME = 33
"""The UTM zone of the sample."""
WHITE = 8000
RULE, MASK = "median", ("scl:cloud",)


def clouds(rng: np.random.Generator) -> np.ndarray:
    """Paint round clouds, half of the ground or so."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    hidden = np.zeros((SIDE, SIDE), bool)
    while hidden.mean() < CLOUDED:
        row, col, radius = (
            rng.uniform(0, SIDE),
            rng.uniform(0, SIDE),
            rng.uniform(20, 80),
        )
        hidden |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    return hidden


def write(path: Path, pixels: np.ndarray, profile: dict, zone: int) -> None:
    """Write bands as they are, or in the UTM zone beside, by the nearest pixel."""
    crs, transform, shape = profile["crs"], profile["transform"], pixels.shape
    if zone != HOME:
        bounds = rasterio.transform.array_bounds(*shape[1:], transform)
        moved_to, width, height = calculate_default_transform(
            crs, f"EPSG:326{zone}", *shape[:0:-1], *bounds, resolution=10
        )
        moved = np.zeros((shape[0], height, width), pixels.dtype)
        reproject(
            pixels,
            moved,
            src_crs=crs,
            src_transform=transform,
            dst_crs=f"EPSG:326{zone}",
            dst_transform=moved_to,
            resampling=Resampling.nearest,
        )
        pixels, transform, crs = moved, moved_to, f"EPSG:326{zone}"
    settings = {
        "driver": "GTiff",
        "dtype": pixels.dtype.name,
        "nodata": 0,
        "tiled": True,
    }
    count, height, width = pixels.shape
    with rasterio.open(
        path, "w", crs=crs, transform=transform, count=count, height=height,
        width=width, compress="deflate", **settings,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)


def make_items(folder: Path) -> tuple[Path, np.ndarray]:
    """Write twelve items; give their collection, and how many dates are clear where."""
    rng = np.random.default_rng(14)
    with rasterio.open(ROOT / "sample_aoi" / "scene.tif") as dataset:
        window = rasterio.windows.Window(0, 0, SIDE, SIDE)
        clear, names = dataset.read(window=window), dataset.descriptions
        profile = {"crs": dataset.crs, "transform": dataset.window_transform(window)}
    write(folder / "clear.tif", clear, profile, HOME)
    with rasterio.open(folder / "clear.tif", "r+") as dataset:
        for number, name in enumerate(names, start=1):
            dataset.set_band_description(number, name)
    counts, features = np.zeros((SIDE, SIDE), int), []
    for date in range(DATES):
        hidden, added = clouds(rng), 1000 * (date % 2)
        counts += ~hidden
        pixels = np.where(hidden, 9000, clear).astype(np.uint16) + np.uint16(added)
        scl = np.where(hidden, 9, 4).astype(np.uint8)[None]
        zone = HOME if date % 3 else HOME - 1
        write(folder / f"{date}.tif", pixels, profile, zone)
        write(folder / f"{date}_scl.tif", scl, profile, zone)
        bands = [{"name": name} for name in names]
        kind = {"type": "image/tiff; application=geotiff", "roles": ["data"]}
        version = "05.00" if added else "02.04"
        features.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": f"date-{date}",
                "geometry": None,
                "properties": {
                    "datetime": f"2024-{date + 1:02}-15T10:20:30Z",
                    "eo:cloud_cover": 100 * float(hidden.mean()),
                    "s2:processing_baseline": version,
                },
                "links": [],
                "assets": {
                    "image": {"href": f"{date}.tif", "eo:bands": bands, **kind},
                    "scl": {
                        "href": f"{date}_scl.tif",
                        "eo:bands": [{"name": "SCL"}],
                        **kind,
                    },
                },
            }
        )
    items = folder / "items.json"
    items.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return items, counts


def main() -> None:
    """Compose, map, compare, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    folder = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    items, counts = make_items(folder)
    like = str(folder / "clear.tif")
    scene = geoseg.SceneOptions(mosaic=RULE, mask=MASK, like=like, resampling="nearest")
    plain = geoseg.SegmentOptions(formats="none")
    geoseg.segment(like, folder / "clear", options=plain)
    geoseg.segment(
        items,
        folder / "season",
        options=geoseg.SegmentOptions(formats="none", scene=scene),
    )
    maps = [
        rasterio.open(folder / name / "landcover.tif").read(1)
        for name in ("clear", "season")
    ]
    same, often = maps[0] == maps[1], counts >= OFTEN
    print(f"{100 * often.mean():.1f} % of pixels are clear on three dates or more;")
    print(
        f"of these {100 * same[often].mean():.2f} % have the class of the clear scene"
    )
    if given.picture:
        (made,) = geoseg.composite(
            items, folder / "season.tif", options=geoseg.CompositeOptions(scene=scene)
        )
        draw(given.picture, folder, made, maps)


def draw(path: Path, folder: Path, made: geoseg.CompositeReport, maps: list) -> None:
    """Draw three dates, the composite, its counts, and both maps."""
    from matplotlib import pyplot as plt  # noqa: PLC0415  # only where it is asked for

    mpl.use("Agg")

    def rgb(file: Path | str) -> np.ndarray:
        with rasterio.open(file) as dataset:
            shown = dataset.read([3, 2, 1]).astype(float)
        ground = shown[:, (shown[0] > 0) & (shown[0] < WHITE)]
        low, high = np.nanpercentile(ground, (2, 98), axis=1)[:, :, None, None]
        return np.clip((shown - low) / (high - low), 0, 1).transpose(1, 2, 0)

    with rasterio.open(folder / "clear" / "landcover.tif") as dataset:
        colours = {k: np.array(v[:3]) / 255 for k, v in dataset.colormap(1).items()}
    table = np.array([colours.get(value, np.ones(3)) for value in range(256)])
    with rasterio.open(made.counts) as dataset:
        clear = dataset.read(1)
    panels = {
        **{f"date {n + 1} of 12": rgb(folder / f"{n}.tif") for n in (0, 1, 4)},
        "median of clear dates": rgb(made.composite),
        "clear dates": clear,
        "map of the clear scene": table[maps[0]],
        "map of the composite": table[maps[1]],
        "where they differ": (maps[0] != maps[1]).astype(float),
    }
    figure, axes = plt.subplots(2, 4, figsize=(12, 6.4), layout="constrained")
    for axis, (title, shown) in zip(axes.flat, panels.items(), strict=True):
        drawn = axis.imshow(
            shown, cmap="viridis" if title == "clear dates" else "Greys"
        )
        axis.set_title(title, fontsize=10)
        axis.axis("off")
        if title == "clear dates":
            figure.colorbar(drawn, ax=axis, shrink=0.7)
    figure.savefig(path, dpi=80)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
