"""Damaged files of each kind, tried in processes that a crash or a hang takes alone."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, TextIO

from paths import SUPPORT

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "tiff": 500,
    "strips": 300,
    "vrt": 400,
    "geojson": 400,
    "item": 400,
    "mlm.json": 300,
    "config.json": 100,
    "journal.jsonl": 200,
    "identity.json": 100,
    "gpkg": 100,
    "classes": 200,
}
"""Damaged files of each kind that a test tries: 3,000 in all. Every door has one:
rasters, vectors, items, packages, files of classes and run directories."""
OF_A_PROCESS = 250
PATIENCE_S = 30
"""Longer than the 10 s that a case may take: the machine may be busy."""
STARTING_S = 200
"""The same of a process that begins: it imports torch."""
FINE = frozenset(("ok", "refused"))
"""What may come of a case."""


def try_many(kind: str, folder: Path, first: int, last: int) -> dict[int, str]:
    """Try cases of a kind, some in a process; give what came of each."""
    outcomes: dict[int, str] = {}
    for start in range(first, last, OF_A_PROCESS):
        stop = min(start + OF_A_PROCESS, last)
        outcomes |= _try_some(kind, folder / str(start), start, stop)
    return outcomes


def command_of(kind: str, folder: Path, first: int, last: int) -> list[str]:
    """Give the command that tries cases."""
    script = SUPPORT / "fuzzed.py"
    return [sys.executable, str(script), kind, str(folder), str(first), str(last)]


def _try_some(kind: str, folder: Path, first: int, last: int) -> dict[int, str]:
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command_of(kind, folder, first, last),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=one_thread,
    ) as process:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert process.stdout is not None
        reader = threading.Thread(target=_pass_on, args=(process.stdout, lines))
        reader.start()
        outcomes: dict[int, str] = {}
        case, patience_s = first, STARTING_S
        try:
            while line := lines.get(timeout=patience_s):
                # The first case imports what the others find there.
                patience_s = STARTING_S if not outcomes else PATIENCE_S
                if line.startswith("case "):
                    case = int(line.split()[1])
                    outcomes[case] = "crashed"
                else:
                    outcomes[case] = line.strip()
        except queue.Empty:
            outcomes[case] = "hangs"
            process.kill()
        reader.join()
    return outcomes


def _pass_on(stream: TextIO, lines: queue.SimpleQueue[str]) -> None:
    """Put each line into a queue as it comes, and an empty one behind the last."""
    for line in stream:
        lines.put(line)
    lines.put("")
