"""What refinement gives, and what it costs: CRF, views of a tile, both.

    python workflows/benchmarks/crf.py

Maps the sample's held-out blocks (fold 0, which the shipped model has not seen) with
the shipped model: as it is, with the fully connected CRF, with test-time augmentation,
and with both. The CRF's defaults were chosen on the first two of the four blocks, so
the other two are the cleaner test: a table each. Seconds are of the CPU, for the whole
of `geoseg.segment` (the first run, which compiles, is not counted).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from held_out import SCENE, measure, save_blocks, table, write_between

import geoseg

CASES: dict[str, dict[str, object]] = {
    "model alone": {},
    "CRF": {"crf": geoseg.CrfOptions()},
    "CRF, smoothness alone": {"crf": geoseg.CrfOptions(appearance=0.0)},
    "flips": {"tta": "flips"},
    "d4": {"tta": "d4"},
    "d4 and CRF": {"tta": "d4", "crf": geoseg.CrfOptions()},
}
BLOCKS = {"blocks the CRF was chosen on": slice(0, 2), "the other blocks": slice(2, 4)}


def main() -> None:
    """Map, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        of_case(Path(folder) / "first", {})
        found = {name: of_case(Path(folder) / name, CASES[name]) for name in CASES}
    tables = "\n\n".join(of_blocks(blocks, found) for blocks in BLOCKS)
    print(tables)
    if arguments.write:
        write_between(arguments.write, Path(__file__).name, tables)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


def of_blocks(blocks: str, found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Draw the table of some of the blocks."""
    head = [blocks, *found["model alone"][blocks], "CPU, s"]
    rows = [
        [
            name,
            *(f"{value:.3f}" for value in each[blocks].values()),
            f"{each['seconds']['all']:.1f}",
        ]
        for name, each in found.items()
    ]
    return table(head, rows)


def of_case(folder: Path, options: dict[str, object]) -> dict[str, dict[str, float]]:
    """Map the held-out blocks in one way, and measure the map."""
    folder.mkdir()
    aoi = save_blocks(folder / "aoi.geojson", fold=0)
    started = time.process_time()
    geoseg.segment(
        SCENE,
        folder / "out",
        aoi=aoi,
        options=geoseg.SegmentOptions(**options),  # type: ignore[arg-type]  # the cases' fields
    )
    seconds = time.process_time() - started
    figures = {
        name: measure(
            folder / "out" / "landcover.tif",
            save_blocks(folder / f"{which.start}.geojson", 0, which),
        )
        for name, which in BLOCKS.items()
    }
    return {**figures, "seconds": {"all": seconds}}


if __name__ == "__main__":
    main()
