"""QGIS runs geoseg: only where Debian's QGIS is installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import build_plugin
import pytest

import geoseg

REPOSITORY = Path(__file__).parents[2]
SCENE = REPOSITORY / "sample_aoi" / "scene.tif"
SESSION = REPOSITORY / "tests" / "support" / "qgis_session.py"
# Debian's qgis_process is a script that hands on a flag which it does not know.
PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
PYTHON = "/usr/bin/python3"
pytestmark = [
    pytest.mark.slow,  # QGIS and four runs of geoseg
    pytest.mark.skipif(not PROCESS, reason="there is no qgis_process here"),
]
BOX = "12.60,52.48,12.64,52.50"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with the plugin, a home of its own, and a program to call."""
    folder = tmp_path_factory.mktemp("qgis")
    build_plugin.build(folder / "plugin.zip")
    shutil.unpack_archive(folder / "plugin.zip", folder)
    program = folder / "geoseg"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m geoseg "$@"\n'
    )
    program.chmod(0o755)
    (folder / "home").mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def map_of_python(folder):
    """Give the map that is made without QGIS."""
    options = geoseg.SegmentOptions(formats="gpkg", block=1)
    geoseg.segment(SCENE, folder / "python", aoi=BOX, options=options)
    return folder / "python"


def in_qgis(folder, *command):
    """Run something of QGIS's; give its standard output."""
    home = folder / "home"
    told = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "LC_ALL": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_PLUGINPATH": str(folder),
        "GEOSEG_PROGRAM": str(folder / "geoseg"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    done = subprocess.run(
        command, env=told, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_qgis_process_makes_the_very_map_of_the_command_line(folder, map_of_python):
    in_qgis(folder, PROCESS, "plugins", "enable", "geoseg_processing")
    west, south, east, north = BOX.split(",")
    extent = f"BBOX={west},{east},{south},{north} [EPSG:4326]"
    output = folder / "process"
    given = [f"SCENE={SCENE}", extent, f"OUTPUT={output}", "FORMAT=gpkg", "BLOCK=1"]
    run = in_qgis(folder, PROCESS, "run", "geoseg:segment", "--", *given)
    assert f"LANDCOVER:\t{output / 'landcover.tif'}" in run
    for name in ("landcover.tif", "confidence.tif", "landcover.gpkg", "report.html"):
        assert (output / name).read_bytes() == (map_of_python / name).read_bytes(), name


def test_a_run_is_stopped_carried_on_and_loaded_with_its_style(folder, map_of_python):
    told = json.loads(in_qgis(folder, PYTHON, SESSION, folder, SCENE, BOX))
    assert "the same call carries on" in told["stopped"]
    assert told["left"] == [".geoseg"]
    assert any(each.startswith("resuming: ") for each in told["said"])
    assert told["results"] == ["LANDCOVER", "OUTPUT", "PAGE", "POLYGONS"]
    assert told["foreign"] == []
    made = (folder / "map" / "landcover.tif").read_bytes()
    assert made == (map_of_python / "landcover.tif").read_bytes()
    legend = geoseg.load_package("sentinel2-landcover").legend
    classes = sorted([each.name, each.colour] for each in legend)
    assert set(told["layers"]) == {"landcover.tif", "landcover.gpkg", "OUTPUT.gpkg"}
    assert all(shown == classes for shown in told["layers"].values())
