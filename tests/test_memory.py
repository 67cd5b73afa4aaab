"""Memory depends on the block, not on the scene (law 5)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def peak_bytes(directory, side):
    """Run ``side`` x ``side`` pixels in a process of its own: the most that it held."""
    # Not as a script: dask sends by value what is in __main__.
    code = "import peak_memory; peak_memory.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory), str(side)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    return int(done.stdout)


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_scene(tmp_path):
    small, large = (peak_bytes(tmp_path / f"{n}", n) for n in (4096, 8192))
    growth = (large - small) / (8192**2 - 4096**2)
    assert growth < 0.5  # bytes a pixel; the class map alone would take one
