"""The median of twenty cloudy dates: throughput and peak memory, beside two others.

    python workflows/benchmarks/composites.py FOLDER [--side 4096] [--rounds 3]

Makes twenty dates of four bands (uint16, tiles of 512 px, deflate), 40 % of each under
clouds, and puts them together in three ways, each in a process of its own, in turns:

* ``geoseg``: `geoseg.composite` with its rule ``median``
* ``odc``: odc-stac and dask, ``where(...).median("time")``, in chunks of 1024 px
* ``numpy``: a loop over windows of 1024 px, rasterio and ``numpy.nanmedian``

All write a GeoTIFF of the same kind. Prints the median of rounds of CPU seconds and of
seconds, megapixels of ground a CPU second, the highest peak of resident memory, and
checks that pixels are the same. Wants ``odc-stac``.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import rasterio
from rasterio.warp import transform_bounds
from rasterio.windows import Window

DATES, BANDS, BLOCK = 20, ("B02", "B03", "B04", "B08"), 1024
CLOUDED = 0.4
PROFILE = {
    "driver": "GTiff", "dtype": "uint16", "nodata": 0, "crs": "EPSG:32633",
    "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate",
    "predictor": 2,
}  # fmt: skip
PLACE = rasterio.Affine(10, 0, 399_960, 0, -10, 5_800_020)
WAYS = ("geoseg", "odc", "numpy")


def make_dates(folder: Path, side: int) -> Path:
    """Write twenty dates, a file for each band, and the items that describe them."""
    items = folder / "items.json"
    if items.exists():
        return items
    folder.mkdir(parents=True, exist_ok=True)
    rng, features = np.random.default_rng(14), []
    ground = rng.integers(300, 3000, (len(BANDS), side // 8, side // 8))
    ground = np.kron(ground, np.ones((8, 8), int))
    for date in range(DATES):
        patches = rng.random((side // 64, side // 64)) < CLOUDED
        hidden = np.kron(patches, np.ones((64, 64), bool))
        assets = {}
        for name, band in zip(BANDS, ground, strict=True):
            pixels = band + rng.integers(-40, 40, (side, side)) + 5 * date
            pixels[hidden] = 0
            file = f"{date:02}_{name}.tif"
            with rasterio.open(
                folder / file, "w", width=side, height=side, count=1,
                transform=PLACE, **PROFILE,
            ) as dataset:  # fmt: skip
                dataset.write(pixels.astype("uint16"), 1)
            assets[name] = {
                "href": str(folder / file),
                "type": "image/tiff; application=geotiff",
                "roles": ["data"],
                "eo:bands": [{"name": name}],
                "raster:bands": [{"nodata": 0, "data_type": "uint16"}],
            }
        west, south, east, north = transform_bounds(
            "EPSG:32633",
            "EPSG:4326",
            *rasterio.transform.array_bounds(side, side, PLACE),
        )
        ring = [[west, south], [east, south], [east, north], [west, north]]
        features.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": f"date-{date}",
                "bbox": [west, south, east, north],
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "properties": {"datetime": f"2024-06-{date + 1:02}T10:20:30Z"},
                "links": [],
                "assets": assets,
            }
        )
    content = {"type": "FeatureCollection", "features": features}
    items.write_text(json.dumps(content))
    return items


def by_geoseg(items: Path, output: Path) -> None:
    """Make it as the command line does."""
    import geoseg  # noqa: PLC0415  # what a process needs alone

    scene = geoseg.SceneOptions(mosaic="median")
    chosen = geoseg.CompositeOptions(scene=scene, restart=True)
    geoseg.composite(items, output, options=chosen)


def new_composite(output: Path, side: int) -> rasterio.io.DatasetWriter:
    """Begin a file of the composite."""
    shape = {"width": side, "height": side, "count": len(BANDS)}
    return rasterio.open(output, "w", transform=PLACE, **shape, **PROFILE)


def by_odc(items: Path, output: Path) -> None:
    """Make it with odc-stac and dask's median."""
    import odc.stac  # noqa: PLC0415  # the same
    import pystac  # noqa: PLC0415

    found = pystac.ItemCollection.from_file(str(items))
    with rasterio.open(found[0].assets[BANDS[0]].href) as dataset:
        grid, side = dataset.bounds, dataset.width
    loaded = odc.stac.load(
        found, bands=BANDS, crs="EPSG:32633", resolution=10, dtype="uint16", nodata=0,
        x=(grid.left, grid.right), y=(grid.bottom, grid.top),
        chunks={"x": BLOCK, "y": BLOCK},
    ).chunk(time=-1)  # fmt: skip
    composite = loaded.where(loaded != 0).median("time").compute()
    with new_composite(output, side) as dataset:
        for number, name in enumerate(BANDS, start=1):
            numbers = np.nan_to_num(np.rint(composite[name].to_numpy()))
            dataset.write(numbers.astype("uint16"), number)


def by_numpy(items: Path, output: Path) -> None:
    """Make it window by window."""
    content = json.loads(items.read_text())
    files = {
        name: [
            rasterio.open(each["assets"][name]["href"]) for each in content["features"]
        ]
        for name in BANDS
    }
    side = files[BANDS[0]][0].width
    with new_composite(output, side) as dataset:
        for row in range(0, side, BLOCK):
            for col in range(0, side, BLOCK):
                size = min(BLOCK, side - row), min(BLOCK, side - col)
                window = Window(col, row, size[1], size[0])
                for number, name in enumerate(BANDS, start=1):
                    stack = np.stack([f.read(1, window=window) for f in files[name]])
                    numbers = np.where(stack == 0, np.nan, stack.astype("float32"))
                    with np.errstate(all="ignore"):
                        found = np.nan_to_num(np.rint(np.nanmedian(numbers, axis=0)))
                    dataset.write(found.astype("uint16"), number, window=window)


def timed(way: str, items: Path, output: Path) -> dict[str, float]:
    """Run a way in a process of its own; give what it took."""
    command = [
        sys.executable,
        __file__,
        str(items.parent),
        "--way",
        way,
        "--to",
        output,
    ]
    text = subprocess.run(  # noqa: S603  # this script
        command, check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, float] = json.loads(text.splitlines()[-1])
    return found


def run_one(way: str, items: Path, output: Path) -> None:
    """Do one and print what it took: CPU seconds, seconds, peak in bytes."""
    made = {"geoseg": by_geoseg, "odc": by_odc, "numpy": by_numpy}
    start = time.perf_counter()
    made[way](items, output)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = used.ru_maxrss * 1024
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"cpu": cpu, "seconds": seconds, "peak": peak}))


def main() -> None:
    """Make the dates, run all in turns, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--to", type=Path)
    given = parser.parse_args()
    items = make_dates(given.folder, given.side)
    if given.way:
        run_one(given.way, items, given.to)
        return
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    outputs = {way: given.folder / f"{way}.tif" for way in WAYS}
    for _ in range(given.rounds):
        for way in WAYS:
            taken[way].append(timed(way, items, outputs[way]))
    print(f"{DATES} dates, {len(BANDS)} bands, {given.side} x {given.side} px")
    for way, each in taken.items():
        cpu = median(one["cpu"] for one in each)
        seconds = median(one["seconds"] for one in each)
        speed, peak = given.side**2 / 1e6 / cpu, max(one["peak"] for one in each)
        print(
            f"{way:7} {cpu:7.1f} CPU s {seconds:7.1f} s "
            f"{speed:6.2f} Mpx/CPU s {peak / 1e6:7,.0f} MB"
        )
    pixels = [rasterio.open(path).read() for path in outputs.values()]
    if not all(np.array_equal(pixels[0], other) for other in pixels[1:]):
        raise SystemExit("they differ")


if __name__ == "__main__":
    main()
