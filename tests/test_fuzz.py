"""Damaged files: no crash, no endless loop, no traceback, no map that claims success.

Each kind is tried in processes of its own that live for some cases only, so that one
that dies is noticed and takes no other with it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from fuzzed import damage, make_tiff
from paths import SUPPORT

from geoseg.cli import main

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
}
"""Damaged files of each kind: 2,800 in all. FUZZ=50 in the environment tries so many
times as many, for hours."""
OF_A_PROCESS = 250
PATIENCE_S = 30
"""Longer than the 10 s that a case may take: the machine may be busy."""


def pass_on(stream, lines):
    """Put each line into a queue as it comes, and an empty one behind the last."""
    for line in stream:
        lines.put(line)
    lines.put("")


def try_cases(kind, folder, first, last):
    """Try cases in a process; give what came of each."""
    script = SUPPORT / "fuzzed.py"
    command = [sys.executable, script, kind, folder, str(first), str(last)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=one_thread,
    ) as process:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=pass_on, args=(process.stdout, lines))
        reader.start()
        outcomes, case = {}, None
        try:
            while line := lines.get(timeout=PATIENCE_S):
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


@pytest.mark.parametrize("kind", CASES)
def test_damaged_files_are_opened_or_refused(kind, tmp_path):
    outcomes = {}
    count = CASES[kind] * int(os.environ.get("FUZZ", "1"))
    for first in range(0, count, OF_A_PROCESS):
        last = min(first + OF_A_PROCESS, count)
        outcomes |= try_cases(kind, tmp_path / str(first), first, last)
    assert set(outcomes) == set(range(count))
    wrong = {c: how for c, how in outcomes.items() if how not in {"ok", "refused"}}
    assert not wrong
    # A journal's damaged lines are counted and told, and their tasks done again.
    refusals = set() if kind == "journal.jsonl" else {"refused"}
    assert {"ok", *refusals} == set(outcomes.values())


@pytest.mark.parametrize("case", range(30))
def test_the_command_line_survives_damaged_scenes(case, tmp_path):
    content = make_tiff(tmp_path / "whole.tif", compress="deflate", tiled=True)
    scene, out = tmp_path / "scene.tif", tmp_path / "out"
    scene.write_bytes(damage(content, 10_000 + case))
    result = CliRunner().invoke(
        main, ["info", str(scene), "--exact", "--plot", str(out / "plot.png")]
    )
    assert result.exit_code in {0, 1, 2}
    assert "Traceback" not in result.output
    if result.exit_code:
        sentences = [line for line in result.stderr.splitlines() if line.strip()]
        assert len(sentences) == 1, result.stderr
        assert str(scene) in sentences[0]
        assert not (out / "plot.png").exists()
