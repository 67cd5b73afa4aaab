"""QGIS runs geoseg: only where Debian's QGIS is installed."""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import build_plugin
import geopandas
import numpy as np
import pytest
import rasterio
from shapely import box
from stac_api import stac_api

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
    in_qgis(folder, PROCESS, "plugins", "enable", "geoseg_processing")
    return folder


@pytest.fixture(scope="module")
def map_of_python(folder):
    """Give the map that is made without QGIS."""
    options = geoseg.SegmentOptions(formats="gpkg", block=1)
    geoseg.segment(SCENE, folder / "python", aoi=BOX, options=options)
    return folder / "python"


@pytest.fixture(scope="module")
def given(folder, map_of_python):
    """Give what the other commands take: a later map, zones, points with classes."""
    with rasterio.open(map_of_python / "landcover.tif") as dataset:
        classes, profile, tags = dataset.read(1), dataset.profile, dataset.tags()
    later = classes.copy()
    later[40:80, 30:90] = np.where(classes[40:80, 30:90] == 0, 1, 0)
    profile |= {"driver": "GTiff", "tiled": False}
    for key in ("blockxsize", "blockysize", "interleave", "compress"):
        profile.pop(key, None)
    with rasterio.open(folder / "later.tif", "w", **profile) as dataset:
        dataset.write(later, 1)
        dataset.update_tags(GEOSEG_LEGEND=tags["GEOSEG_LEGEND"])
        left, bottom, right, top = dataset.bounds
    middle, crs = (left + right) / 2, profile["crs"]
    halves = [box(left, bottom, middle, top), box(middle, bottom, right, top)]
    zones = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=halves, crs=crs)
    zones.to_file(folder / "zones.gpkg")
    names = {c.id: c.name for c in geoseg.load_package("sentinel2-landcover").legend}
    rows, cols = np.divmod(np.arange(7, classes.size, 97), classes.shape[1])
    valid = classes[rows, cols] != 255
    rows, cols = rows[valid], cols[valid]
    x, y = profile["transform"] @ (cols + 0.5, rows + 0.5)
    said = [names[each] for each in classes[rows, cols].tolist()]
    points = geopandas.points_from_xy(x, y, crs=crs)
    labels = geopandas.GeoDataFrame({"class": said}, geometry=points)
    labels.to_file(folder / "labels.gpkg")
    return folder


@pytest.fixture(scope="module")
def catalogue():
    """Serve one item of a day."""
    west, south, east, north = map(float, BOX.split(","))
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": "one",
        "collection": "sentinel-2-l2a",
        "geometry": box(west, south, east, north).__geo_interface__,
        "bbox": [west, south, east, north],
        "properties": {"datetime": "2024-06-15T10:20:30Z", "eo:cloud_cover": 3},
        "links": [],
        "assets": {},
    }
    with stac_api([item]) as server:
        yield server.url


def in_qgis(folder, *command):
    """Run something of QGIS's; give its standard output."""
    home = folder / "home"
    found = {
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
        command, env=found, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_qgis_process_makes_the_very_map_of_the_command_line(folder, map_of_python):
    west, south, east, north = BOX.split(",")
    extent = f"BBOX={west},{east},{south},{north} [EPSG:4326]"
    output = folder / "process"
    given = [f"SCENE={SCENE}", extent, f"OUTPUT={output}", "FORMAT=gpkg", "BLOCK=1"]
    run = in_qgis(folder, PROCESS, "run", "geoseg:segment", "--", *given)
    assert f"LANDCOVER:\t{output / 'landcover.tif'}" in run
    for name in ("landcover.tif", "confidence.tif", "landcover.gpkg", "report.html"):
        assert (output / name).read_bytes() == (map_of_python / name).read_bytes(), name


def test_a_run_is_stopped_carried_on_and_loaded_with_its_style(folder, map_of_python):
    found = json.loads(in_qgis(folder, PYTHON, SESSION, folder, SCENE, BOX))
    assert "the same command carries on" in found["stopped"]
    assert found["left"] == [".geoseg"]
    assert any(each.startswith("resuming: ") for each in found["said"])
    assert found["results"] == ["LANDCOVER", "OUTPUT", "PAGE", "POLYGONS"]
    assert found["foreign"] == []
    made = (folder / "map" / "landcover.tif").read_bytes()
    assert made == (map_of_python / "landcover.tif").read_bytes()
    legend = geoseg.load_package("sentinel2-landcover").legend
    classes = sorted([each.name, each.colour] for each in legend)
    assert set(found["layers"]) == {"landcover.tif", "landcover.gpkg", "OUTPUT.gpkg"}
    assert all(shown == classes for shown in found["layers"].values())


_POINTS = {"LABELS": "{0}/labels.gpkg", "CLASS_FIELD": "class"}
_MAP = {"CLASS_MAP": "{0}/python/landcover.tif"}


@pytest.mark.parametrize(
    ("command", "values", "output", "left"),
    [
        ("train", {"SCENE_FILE": SCENE, **_POINTS}, "model", "model.safetensors"),
        ("vectorize", {**_MAP, "MIN_AREA": "20px"}, "polygons.gpkg", ""),
        (
            "evaluate",
            {**_MAP, "REFERENCE": "{0}/labels.gpkg", "CLASS_FIELD": "class"},
            "accuracy",
            "confusion.png",
        ),
        ("areas", {**_MAP, "ZONES": "{0}/zones.gpkg", "BY": "name"}, "areas.csv", ""),
        (
            "change",
            {"BEFORE": _MAP["CLASS_MAP"], "AFTER": "{0}/later.tif", "FORMAT": "gpkg"},
            "change",
            "change.tif strata.tif change.csv change.gpkg report.html",
        ),
        (
            "search",
            {"CATALOGUE": "{1}", "COLLECTION": "sentinel-2-l2a", "DATETIME": "2024-06"},
            "items.json",
            "",
        ),
    ],
)
def test_every_command_leaves_what_it_leaves_on_a_terminal(
    command, values, output, left, given, catalogue
):
    west, south, east, north = BOX.split(",")
    found = {name: str(each).format(given, catalogue) for name, each in values.items()}
    words = [command]
    for name, value in found.items():
        if name in {"SCENE_FILE", "CLASS_MAP", "BEFORE", "AFTER", "CATALOGUE"}:
            words.append(value)
        else:
            words.append(f"--{name.lower().replace('_', '-')}={value}")
    if command == "search":
        found["BBOX"] = f"{west},{east},{south},{north} [EPSG:4326]"
        words.append(f"--bbox={BOX}")
    (given / "terminal").mkdir(exist_ok=True)
    there, here = given / output, given / "terminal" / output
    done = subprocess.run(
        [given / "geoseg", *words, "-o", here],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found["OUTPUT"] = there
    listed = [f"{name}={value}" for name, value in found.items()]
    run = in_qgis(given, PROCESS, "run", f"geoseg:{command}", "--", *listed)
    assert f"OUTPUT:\t{there}" in run
    for name in left.split() or [""]:
        assert filecmp.cmp(there / name, here / name, shallow=False), name
