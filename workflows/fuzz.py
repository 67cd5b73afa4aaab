"""Does any damaged file make geoseg crash, hang, or ask a server that nobody named?

    python workflows/fuzz.py --hours 8
    python workflows/fuzz.py --hours 1 --seed 7 --door gpkg --door item

Every door is tried in turn, a batch of files each: rasters, vectors, STAC items, model
packages, files of classes and run directories, damaged as disks, networks and people
do it, or naming a server of this machine. The test suite tries the first files of each
kind; this goes on from there, and the same seed gives the same files. You learn how
many were opened and how many refused; whatever else came of one is printed with the
command that tries it again, and is exit status 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from fuzzing import CASES, FINE, OF_A_PROCESS, command_of, try_many

FIRST, A_SEED = 1_000_000, 100_000_000
"""Numbers of cases: beyond those of the tests, and so many for each seed."""


def try_doors(doors: list[str], first: int, folder: Path) -> Counter[str]:
    """Try a batch of each door; print what is wrong, and count what came."""
    counts: Counter[str] = Counter()
    for kind in doors:
        subfolder = folder / kind
        for case, how in try_many(kind, subfolder, first, first + OF_A_PROCESS).items():
            counts[how if how in FINE else "wrong"] += 1
            if how not in FINE:
                again = " ".join(command_of(kind, Path("again"), case, case + 1))
                print(f"{kind}, case {case}: {how}\n    {again}", flush=True)
    return counts


def main() -> None:
    """Go on until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--door", action="append", choices=[*CASES])
    chosen = parser.parse_args()
    end, first = time.monotonic() + 3600 * chosen.hours, FIRST + A_SEED * chosen.seed
    counts: Counter[str] = Counter()
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            counts += try_doors(chosen.door or [*CASES], first, Path(folder))
        first += OF_A_PROCESS
        print(
            f"{counts.total():,} files: {counts['ok']:,} opened, "
            f"{counts['refused']:,} refused, {counts['wrong']:,} wrong",
            flush=True,
        )
    sys.exit(counts["wrong"] > 0)


if __name__ == "__main__":
    main()
