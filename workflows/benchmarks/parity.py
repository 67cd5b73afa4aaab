"""What a megapixel costs on workers beside one process, once all have started.

    python workflows/benchmarks/parity.py --json parity.json

Maps the scene of `throughput.py` at two sizes, without polygons and page: in this
process, on one and two worker processes that geoseg starts, and on one that `dask
worker` starts as the docs say. Each run is a process of its own, whose CPU seconds are
counted with those of the workers and schedulers that it started. The difference of the
two sizes is what more pixels cost: what starts with a run stands on both sides of it.
Nothing here is a test; compare
figures of one table only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from scheduling import cluster_by_hand
from throughput import cpu_seconds, make_package, make_scene

import geoseg

BY_HAND = "by hand"
"""A worker that somebody starts, and a scheduler in a process of its own."""
WAYS = ("0", "1", "2", BY_HAND)


@dataclass(frozen=True)
class Taken:
    """What one run took."""

    cpu_s: float
    infer_s: float
    all_s: float


@dataclass(frozen=True)
class Row:
    """A line of the table: what a megapixel more takes."""

    case: str
    workers: str
    cpu_s_mpx: float
    times_in_process: float
    infer_mpx_s: float
    mpx_s: float
    of_in_process: float
    start_cpu_s: float


def measure(case: str, way: str, side: str, folder: Path) -> Taken:
    """Map a scene in one way, and count what that took."""
    with cluster_by_hand() if way == BY_HAND else nullcontext() as scheduler:
        how = geoseg.SegmentOptions(
            model=folder / case,
            workers=None if scheduler else int(way),
            scheduler=scheduler,
            formats="none",
            report_size=0,
        )
        out = folder / f"out-{case}-{way}-{side}"
        report = geoseg.segment(folder / f"scene-{side}.tif", out, options=how)
    took = report.timings_s
    return Taken(cpu_seconds(), took["infer"], took["infer"] + took["raster"])


def in_process_of_its_own(case: str, way: str, side: int, folder: Path) -> Taken:
    """Measure without anything left of another run."""
    command = [sys.executable, __file__, "--worker", case, way, str(side), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # this very file
    return Taken(**json.loads(done.stdout))


def compare(case: str, ways: list[str], sides: list[int], folder: Path) -> list[Row]:
    """Measure every way at both sizes, and say what the difference costs."""
    make_package(folder / case, case)
    mpx = (sides[1] ** 2 - sides[0] ** 2) / 1e6
    rows: list[Row] = []
    for way in ways:
        small, large = (
            in_process_of_its_own(case, way, side, folder) for side in sides
        )
        cpu = (large.cpu_s - small.cpu_s) / mpx
        speed = mpx / (large.all_s - small.all_s)
        first = rows[0] if rows else None
        row = Row(
            case=case,
            workers=way,
            cpu_s_mpx=cpu,
            times_in_process=cpu / first.cpu_s_mpx if first else 1.0,
            infer_mpx_s=mpx / (large.infer_s - small.infer_s),
            mpx_s=speed,
            of_in_process=speed / first.mpx_s if first else 1.0,
            start_cpu_s=small.cpu_s - cpu * sides[0] ** 2 / 1e6,
        )
        rows.append(row)
        print(json.dumps(asdict(row)), flush=True)
    return rows


def main() -> None:
    """Measure each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=["near-free", "resnet18"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--sides", type=int, nargs=2, default=[4096, 12_288])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        case, way, side, folder = options.worker
        print(json.dumps(asdict(measure(case, way, side, Path(folder)))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for side in options.sides:
            make_scene(folder / f"scene-{side}.tif", side)
        rows = [
            asdict(row)
            for case in options.cases
            for row in compare(case, options.ways, options.sides, folder)
        ]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
