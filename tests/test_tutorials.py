"""Every command of the tutorials does what its page says, on little ground."""

import atexit
import builtins
import re
import shlex
import sys
from functools import partial

import geopandas
import nbformat
import pytest
import rasterio
from click.testing import CliRunner
from IPython.core.interactiveshell import InteractiveShell
from paths import ROOT
from rasterio.windows import Window
from shapely.geometry import box
from traitlets.config import Config

from geoseg.cli import main

TUTORIALS = ROOT / "docs" / "tutorials"
NOTEBOOKS = ROOT / "workflows" / "notebooks"
PAGES = sorted(path.stem for path in TUTORIALS.glob("*.md"))
LABELLED = {"own-labels", "measure"}
"""Pages whose labels are spread over the whole scene, which stays."""


def blocks(page):
    """List a page's code that is to be run, as (language, code)."""
    text = (TUTORIALS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```(bash|python)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def reduced(page):
    """Make the sample that a page begins with smaller: a few tiles of it."""
    with rasterio.open("s/scene.tif") as scene:
        window = Window(640, 256, 288, 256)
        left, bottom, right, top = scene.window_bounds(window)
        profile = {
            **scene.profile,
            "width": window.width,
            "height": window.height,
            "transform": scene.window_transform(window),
        }
        pixels, names, crs = scene.read(window=window), scene.descriptions, scene.crs
    area = box(left + 100, bottom + 100, right - 500, top - 500)
    geopandas.GeoDataFrame(geometry=[area], crs=crs).to_file("s/aoi.geojson")
    if page not in LABELLED:
        with rasterio.open("s/scene.tif", "w", **profile) as scene:
            scene.write(pixels)
            scene.descriptions = names


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Give what runs the cells of a notebook, and leaves this process as it was."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("__IPYTHON__", "display"):  # which it adds
        monkeypatch.setattr(builtins, name, None, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    made = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    yield made
    made.restore_sys_module_state()
    atexit.unregister(made.atexit_operations)


def command(page, line):
    """Do what a cell has behind an exclamation mark, in this process.

    A kernel for each page, and a process for each command, would import torch
    thirty times.
    """
    program, *words = shlex.split(line)
    assert program == "geoseg"
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    if words[0] == "sample":
        reduced(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_runs_as_it_stands(page, shell, monkeypatch):
    """Cell by cell of its notebook, which tests/test_notebooks.py holds to the page."""
    monkeypatch.setattr(shell, "system", partial(command, page))
    notebook = nbformat.read(NOTEBOOKS / f"{page}.ipynb", as_version=4)
    cells = [each.source for each in notebook.cells if each.cell_type == "code"]
    assert cells
    for source in cells:
        shell.run_cell(source).raise_error()
