"""Every command of the tutorials does what its page says, on little ground."""

import re
import shlex

import geopandas
import pytest
import rasterio
from click.testing import CliRunner
from paths import ROOT
from rasterio.windows import Window
from shapely.geometry import box

from geoseg.cli import main

TUTORIALS = ROOT / "docs" / "tutorials"
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


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_runs_as_it_stands(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, page, "exec"), names)  # noqa: S102  # our own docs
            continue
        for line in code.splitlines():
            program, *words = shlex.split(line)
            assert program == "geoseg"
            done = CliRunner().invoke(main, words)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            if words[0] == "sample":
                reduced(page)
