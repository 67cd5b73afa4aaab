"""Damaged files: no crash, no endless loop, no traceback, no map that claims success.

Each kind is tried in processes of its own that live for some cases only, so that one
that dies is noticed and takes no other with it. Some name a server of this machine that
nobody named, which must see no request. FUZZ=50 in the environment tries so many times
as many; `workflows/fuzz.py` goes on for hours.
"""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner
from fuzzed import damage, make_tiff
from fuzzing import CASES, FINE, try_many

from geoseg.cli import main


@pytest.mark.parametrize("kind", CASES)
def test_damaged_files_are_opened_or_refused(kind, tmp_path):
    count = CASES[kind] * int(os.environ.get("FUZZ", "1"))
    outcomes = try_many(kind, tmp_path, 0, count)
    assert set(outcomes) == set(range(count))
    wrong = {c: how for c, how in outcomes.items() if how not in FINE}
    assert not wrong
    # A journal's damaged lines are counted and reported, and their tasks done again.
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
