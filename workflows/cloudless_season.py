"""Twelve cloudy dates of the sample to one map: what a composite gives back.

    python workflows/cloudless_season.py FOLDER [--picture docs/time.png]

Makes twelve STAC items of the upper left of the sample, as a catalogue has them: clouds
painted in, declared by an SCL band, numbers raised by 1000 on every other date as
Sentinel-2's baseline 04.00 does, four dates in the UTM zone beside. Composes and maps
them in one call, and compares the map with that of the clear scene.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import rasterio
import shapely
from PIL import Image
from rasterio.warp import (
    Resampling,
    calculate_default_transform,
    reproject,
    transform_bounds,
)

import geoseg

SCENE = Path(__file__).parent.parent / "sample_aoi" / "scene.tif"
COLLECTION = "sentinel-2-l2a"
SIDE, DATES, CLOUDED, OFTEN = 448, 12, 0.45, 3
HOME = 33
"""The UTM zone of the sample."""
CLOUD, LAND, WHITE, RAISED = 9, 4, 9000, 1000
"""Classes of an SCL band, what a cloud measures, and what a later baseline adds."""
RULE, MASK = "median", ("scl:cloud",)

Item = dict[str, Any]


def write_season(
    folder: Path,
    *,
    side: int = SIDE,
    dates: int = DATES,
    clouded: float = CLOUDED,
    seed: int = 14,
) -> tuple[Path, list[Item], np.ndarray]:
    """Write the clear scene and cloudy dates of it below a folder.

    Args:
        folder: Where their files go.
        side: Of the scene, in pixels.
        dates: How many; of each month one.
        clouded: The share of the ground that clouds hide on each.
        seed: Decides where they are.

    Returns:
        The clear scene, items whose files are in the folder, and how many dates are
        clear at each pixel of the scene, shape ``(y, x)``.

    """
    rng = np.random.default_rng(seed)
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window(0, 0, side, side)
        clear, names = dataset.read(window=window), dataset.descriptions
        place = dataset.window_transform(window)
    write(folder / "clear.tif", clear, place, names)
    bounds = rasterio.transform.array_bounds(side, side, place)
    counts, items = np.zeros((side, side), int), []
    for date in range(dates):
        hidden, added = paint_clouds(rng, side, clouded), RAISED * (date % 2)
        counts += ~hidden
        pixels = (np.where(hidden, WHITE, clear) + added).astype(np.uint16)
        classes = np.where(hidden, CLOUD, LAND).astype(np.uint8)[None]
        zone = HOME if date % 3 else HOME - 1
        write(folder / f"{date}.tif", pixels, place, zone=zone)
        write(folder / f"{date}_scl.tif", classes, place, zone=zone)
        items.append(describe(date, names, bounds, 100 * float(hidden.mean()), added))
    return folder / "clear.tif", items, counts


def paint_clouds(rng: np.random.Generator, side: int, share: float) -> np.ndarray:
    """Paint round clouds until a share of a square is hidden."""
    rows, cols = np.mgrid[:side, :side]
    hidden = np.zeros((side, side), bool)
    while hidden.mean() < share:
        row, col = rng.uniform(0, side, 2)
        radius = rng.uniform(side / 20, side / 6)
        hidden |= (rows - row) ** 2 + (cols - col) ** 2 < radius**2
    return hidden


def write(
    path: Path,
    pixels: np.ndarray,
    place: rasterio.Affine,
    names: tuple[str, ...] = (),
    *,
    zone: int = HOME,
) -> None:
    """Write bands as they are, or by the nearest pixel in another UTM zone."""
    home, crs = (f"EPSG:326{number}" for number in (HOME, zone))
    if zone != HOME:
        bounds = rasterio.transform.array_bounds(*pixels.shape[1:], place)
        grid, width, height = calculate_default_transform(
            home, crs, *pixels.shape[:0:-1], *bounds, resolution=10
        )
        moved = np.zeros((len(pixels), height, width), pixels.dtype)
        frames = {"src_crs": home, "src_transform": place}
        frames |= {"dst_crs": crs, "dst_transform": grid}
        reproject(pixels, moved, resampling=Resampling.nearest, **frames)
        pixels, place = moved, grid
    count, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=place, nodata=0, count=count,
        height=height, width=width, dtype=pixels.dtype, compress="deflate",
    ) as dataset:  # fmt: skip
        dataset.write(pixels)
        for number, name in enumerate(names, start=1):
            dataset.set_band_description(number, name)


def describe(
    date: int,
    names: tuple[str, ...],
    bounds: tuple[float, ...],
    cloud: float,
    added: int,
) -> Item:
    """Write the item of a date, whose files are an image and its classes."""
    box = transform_bounds(f"EPSG:326{HOME}", "EPSG:4326", *bounds)
    kind = {"type": "image/tiff; application=geotiff", "roles": ["data"]}
    bands = {"image": [*names], "scl": ["SCL"]}
    files = {"image": f"{date}.tif", "scl": f"{date}_scl.tif"}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"date-{date}",
        "collection": COLLECTION,
        "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        "bbox": list(box),
        "properties": {
            "datetime": f"2024-{date + 1:02}-15T10:20:30Z",
            "eo:cloud_cover": cloud,
            "s2:processing_baseline": "05.00" if added else "02.04",
        },
        "links": [],
        "assets": {
            key: {"href": files[key], "eo:bands": [{"name": n} for n in bands[key]]}
            | kind
            for key in files
        },
    }


def main() -> None:
    """Compose, map, compare, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    folder = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    clear, features, counts = write_season(folder)
    items, like = folder / "items.json", str(clear)
    items.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
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
        ground = shown[:, (shown[0] > 0) & (shown[0] < WHITE - RAISED)]
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
