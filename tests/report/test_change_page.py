"""The page of a change shows both maps to the pixel, and gains and losses."""

import base64
import json
import re
import zlib

import numpy as np
import pytest
from affine import Affine
from class_maps import call, write
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.report.pyramid import SIDE, SampledPlanes, levels_of
from geoseg.storage.authorship import Origin, origin_of


@pytest.fixture
def changed(tmp_path):
    noise = np.random.default_rng(5)
    was, now = noise.integers(0, 3, (2, 300, 410), np.uint8)
    was[:, :30] = 255
    now[290:] = 255
    before, after = tmp_path / "before.tif", tmp_path / "after.tif"
    write(before, was)
    write(after, now)
    assert call("change", before, after, "-o", tmp_path / "out", "-q").exit_code == 0
    return tmp_path / "out" / "report.html", was, now


def test_both_maps_are_there_to_the_pixel(changed):
    path, was, now = changed
    text = path.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert data["levels"][-1]["factor"] == 1
    seen = np.full((2, *was.shape), 255, np.uint8)
    for key, tile in data["tiles"]["map"].items():
        _, row, col = map(int, key.split("/"))
        where = np.s_[:, row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
        raw = np.frombuffer(zlib.decompress(base64.b64decode(tile)), np.uint8)
        seen[where] = raw.reshape(seen[where].shape)
    neither = (was == 255) | (now == 255)
    assert np.array_equal(seen, np.where(neither, 255, [was, now]))


def test_gains_and_losses_are_those_of_the_table(changed):
    path, *_ = changed
    text = path.read_text(encoding="utf-8")
    report = json.loads((path.parent / "run.json").read_text())
    hectares = np.array(report["hectares"])
    for n, name in enumerate(report["classes"]):
        row = re.search(rf'<td class="name">{name}\n.*?</tr>', text, re.DOTALL)[0]
        before, lost, gained, after = (
            float(each.replace(",", ""))
            for each in re.findall(r'<td class="number">([\d.,]+)</td>', row)
        )
        assert before - lost + gained == pytest.approx(after, abs=0.2)
        assert before == pytest.approx(hectares[n].sum(), abs=0.051)
        assert after == pytest.approx(hectares[:, n].sum(), abs=0.051)
    assert origin_of(path) is Origin.OURS


def test_a_change_without_a_page(changed, tmp_path):
    more = tmp_path / "before.tif", tmp_path / "after.tif", "--report-size", 0
    assert call("change", *more, "-o", tmp_path / "bare", "-q").exit_code == 0
    assert not (tmp_path / "bare" / "report.html").exists()
    again = call("change", *more, "-o", changed[0].parent, "-q")
    assert again.exit_code == 0
    assert not changed[0].exists()  # it was of an earlier change


def test_what_is_held_of_a_large_map_are_pixels_in_the_middle(monkeypatch):
    monkeypatch.setattr("geoseg.report.pyramid._MOST_HELD", 500_000)
    whole = np.random.default_rng(2).integers(0, 256, (2, 1500, 2100), np.uint8)
    crs, transform = CRS.from_epsg(32633), Affine(10, 0, 4e5, 0, -10, 58e5)
    planes = SampledPlanes.of(
        GeoBox(1500, 2100, transform, crs), lambda window: whole[:, *window.slices()]
    )
    assert planes.finest == 4
    assert np.array_equal(planes.held, whole[:, 2::4, 2::4])
    coarser = levels_of(1500, 2100)[0]
    window = coarser.window(0, 0)
    assert coarser.factor == 8
    seen = planes.read(coarser, window)
    assert np.array_equal(seen[:, :187], planes.held[:, 1::2, 1:512:2])
    assert np.array_equal(seen[:, 187], planes.held[:, 374, 1:512:2])  # an odd row
