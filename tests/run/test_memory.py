"""Memory depends on the block, not on the scene (law 5)."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from paths import ROOT, SUPPORT


def peak_bytes(directory, side):
    """Run ``side`` x ``side`` pixels in a process of its own: the most that it held."""
    # Not as a script: dask sends by value what is in __main__.
    code = "import peak_memory; peak_memory.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(directory), str(side)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
    )
    return int(done.stdout)


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_scene(tmp_path):
    small, large = (peak_bytes(tmp_path / f"{n}", n) for n in (4096, 8192))
    growth = (large - small) / (8192**2 - 4096**2)
    assert growth < 0.5  # bytes a pixel; the class map alone would take one


SAMPLE = ROOT / "sample_aoi" / "scene.tif"


def mirror_sample(path, side):
    """Make a scene of ``side`` x ``side`` pixels, the sample and its mirror images."""
    with rasterio.open(SAMPLE) as dataset:
        values, names, profile = dataset.read(), dataset.descriptions, dataset.profile
    edges = [(0, 0), *((0, max(side - length, 0)) for length in values.shape[1:])]
    values = np.pad(values, edges, mode="symmetric")[:, :side, :side]
    profile.update(height=side, width=side)
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(values)
        dataset.descriptions = names
    return path


def run_geoseg(*arguments):
    """Run a command in a process of its own: what it prints, the most that it held."""
    code = (
        "import resource, sys; from geoseg.cli import main; "
        "main(sys.argv[1:], standalone_mode=False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments), "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout), int(done.stderr.split()[-1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("side", [512, 1100])
def test_a_run_takes_what_plan_said_and_at_least_two_thirds_of_it(tmp_path, side):
    scene = mirror_sample(tmp_path / "scene.tif", side)
    arguments = scene, "-o", tmp_path / "out"
    expected, _ = run_geoseg("plan", *arguments)
    _, held = run_geoseg("segment", *arguments)
    assert 2 / 3 <= held / expected["peak_memory_bytes"] <= 1
