"""A page shows the map that it was made of, and needs nothing but itself."""

import base64
import hashlib
import json
import zlib
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pytest
import rasterio
from affine import Affine
from pages import ATTACK, LEGEND, write_page_of_noise
from pyproj import CRS, Transformer

from geoseg.geo.geobox import GeoBox
from geoseg.report.assessed_areas import AssessedArea
from geoseg.report.places import doubtful_places
from geoseg.report.plane_summary import describe_plane
from geoseg.report.pyramid import SIDE, levels_of

UTM33 = CRS.from_epsg(32633)


class Elements(HTMLParser):
    """The tags of a page with their attributes, and the texts of some."""

    def __init__(self, text):
        """Read a page."""
        super().__init__()
        self.tags, self.texts, self._open = [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or dict(attrs).get("class") or tag

    def handle_endtag(self, _tag):
        self._open = ""

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data


@pytest.fixture
def make_page(tmp_path):
    """Give a function that writes a page of a map of noise, and what is on the map."""
    return partial(write_page_of_noise, tmp_path)


def data_of(text):
    return json.loads(Elements(text).texts["data"])


def test_what_a_class_is_called_stays_text(make_page):
    path, *_ = make_page(warnings=[ATTACK], facts=[(ATTACK, ATTACK)])
    text = path.read_text(encoding="utf-8")
    page = Elements(text)
    assert "img" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, had in page.tags for name in had)
    assert page.texts["title"] == page.texts["h1"] == ATTACK
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert [each["name"] for each in data_of(text)["legend"]] == [
        each.name for each in LEGEND
    ]


def test_a_page_asks_nobody_and_runs_its_own_script_alone(make_page):
    path, *_ = make_page()
    text = path.read_text(encoding="utf-8")
    page = Elements(text)
    for tag, had in page.tags:
        assert not {"src", "href", "srcset", "action"} & set(had), tag
    assert "url(" not in page.texts["style"]
    assert "@import" not in page.texts["style"]
    (policy,) = (
        had["content"]
        for _, had in page.tags
        if had.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(page.texts["script"].encode()).digest())
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest.decode()}';" in policy


def test_its_finest_tiles_are_the_map_to_the_pixel(make_page):
    path, classes, confidence = make_page()
    data = data_of(path.read_text(encoding="utf-8"))
    finest = len(data["levels"]) - 1
    assert data["embedded"] == {"map": finest + 1, "image": finest + 1}
    seen = np.full((2, *classes.shape), 255, np.uint8)
    for key, tile in data["tiles"]["map"].items():
        z, row, col = map(int, key.split("/"))
        if z != finest:
            continue
        where = (
            slice(None),
            slice(row * SIDE, (row + 1) * SIDE),
            slice(col * SIDE, (col + 1) * SIDE),
        )
        raw = np.frombuffer(zlib.decompress(base64.b64decode(tile)), np.uint8)
        seen[where] = raw.reshape(seen[where].shape)
    assert np.array_equal(seen, [classes, confidence])


def test_coarser_tiles_are_what_gdal_has_as_overviews(make_page, tmp_path):
    make_page((600, 1100))
    levels = levels_of(600, 1100)
    with rasterio.open(tmp_path / "landcover.tif") as dataset:
        assert [each.factor for each in levels[:-1]] == dataset.overviews(1)[::-1]
    for number, level in enumerate(levels[:-1]):
        at = len(levels) - 2 - number
        with rasterio.open(tmp_path / "landcover.tif", overview_level=at) as dataset:
            assert dataset.shape == (level.height, level.width)


def test_a_page_is_no_larger_than_was_said_and_says_what_it_lacks(make_page):
    path, *_ = make_page((1400, 1900), megabytes=1)
    text = path.read_text(encoding="utf-8")
    data = data_of(text)
    assert path.stat().st_size <= 1_000_000
    assert data["levels"][0]["factor"] == 4
    assert data["embedded"]["map"] < len(data["levels"])
    factor = data["levels"][data["embedded"]["map"] - 1]["factor"]
    assert f"A pixel here stands for {factor} x {factor} of the map" in text


def test_the_same_map_makes_the_same_page(make_page):
    first = make_page()[0].read_bytes()
    assert make_page()[0].read_bytes() == first


def test_an_interval_stands_with_its_class(make_page):
    intervals = {LEGEND.classes[1].name: AssessedArea(800.0, 700.0, 950.0)}
    path, *_ = make_page(intervals=intervals)
    text = path.read_text(encoding="utf-8")
    assert text.count('class="interval"') == 1
    assert "800.0 ha, 700.0 ha to 950.0 ha" in text


def test_the_least_sure_squares_come_first_and_apart():
    noise = np.random.default_rng(1)
    sure = noise.integers(80, 100, (320, 200), np.uint8)
    sure[100:110, 50:60] = 20
    sure[101:109, 60:70] = 25  # touches the first
    sure[300:310, 150:160] = 40
    sure[:60] = 255
    places = doubtful_places(sure, 2)
    assert [(each.row, each.col) for each in places] == [(105.0, 55.0), (305.0, 155.0)]
    assert places[0].confidence == 20.0


def test_a_map_without_a_class_has_no_doubtful_place():
    assert doubtful_places(np.full((50, 90), 255, np.uint8)) == []


def test_coordinates_between_the_nodes_are_those_of_pyproj():
    turned = Affine.translation(399_960, 5_800_020) @ Affine.rotation(20)
    plane = GeoBox(9000, 7000, turned @ Affine.scale(10, -10), UTM33)
    nodes = np.array(describe_plane(plane)["lonlat"])
    to_lonlat = Transformer.from_crs(UTM33, 4326, always_xy=True)
    for col, row in np.random.default_rng(3).uniform(0, 7000, (50, 2)):
        u, v = col / 7000 * 16, row / 9000 * 16
        i, j, s, t = int(u), int(v), u % 1, v % 1
        corners = nodes[j : j + 2, i : i + 2]
        found = np.einsum("j,i,jik->k", [1 - t, t], [1 - s, s], corners)
        true = to_lonlat.transform(*plane.xy(row=row, col=col))
        assert found == pytest.approx(true, abs=2e-4)


def test_a_plane_whose_lines_bend_has_no_wrong_coordinates():
    polar = GeoBox(
        4000, 4000, Affine(2000, 0, -4e6, 0, -2000, 4e6), CRS.from_epsg(3995)
    )
    assert describe_plane(polar)["lonlat"] is None
