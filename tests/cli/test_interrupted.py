"""Each command killed, stopped, and given twice at once, while its products appear."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from interrupted import COMMANDS
from paths import SUPPORT

ELSEWHERE = {"evaluate", "sample-points", "segment", "train", "vectorize"}
"""What has such tests of its own; `workflows/interrupt.py` tries these, too."""
TRIED = sorted(COMMANDS.keys() - ELSEWHERE)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Try all commands in one process, and give what was found of each."""
    folder = tmp_path_factory.mktemp("interrupted") / "tried"
    done = subprocess.run(
        [sys.executable, SUPPORT / "interrupted.py", folder, *TRIED],
        capture_output=True,
        text=True,
        check=False,
    )
    tried = map(json.loads, done.stdout.splitlines())
    return {each["command"]: each for each in tried} or done.stderr


@pytest.mark.parametrize("command", TRIED)
def test_a_command_that_is_killed_or_given_twice_leaves_whole_products(found, command):
    each = found[command]
    assert each["wrong"] == []
    assert each["made"]
    assert each["moments"]
