"""Whatever names and descriptions hold, every product holds it as text, and no more."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from class_maps import CORNER, call, write
from members import write_raster

from geoseg.geo.legend import LandClass, Legend
from geoseg.report.training_page import TrainingPage, write_training_page

NAMES = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"'` onload=`alert(1)` ${alert(1)} {{ 7*7 }} {% x %} %s {0} \\frac{$ _x_",
    "]]><x a='1'/>&amp;&#0;<!-- <![CDATA[",
    "=cmd|' /C calc'!A1",
    "é" * 250,  # as long as any may be
)
"""Names of classes and of places."""
PLAIN = tuple("abcdef")
TURNS = "\u2028\u202e\u2066"
LONG = f"{' '.join(NAMES)} {TURNS}\n{'x' * 10_000}"
"""Descriptions, which may be longer, and hold what turns the direction of writing."""
SCENE = "x <img src=x onerror=alert(1)> \"'`]]>.tif"
PAGES = ("map", "change", "training")


class Page(HTMLParser):
    """The elements of a page, with the names of their attributes, and its texts."""

    def __init__(self, text):
        """Read a page."""
        super().__init__()
        self.elements, self.texts = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.add((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data):
        self.texts.append(data)


def renamed(value, names):
    """Put other names into JSON."""
    if isinstance(value, dict):
        return {
            names.get(key, key): renamed(each, names) for key, each in value.items()
        }
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def write_inputs(folder, model, names, long, scene):
    """Write a package, a scene, two maps and zones that have these names."""
    shutil.copytree(model, folder / "model")
    card = folder / "model" / "mlm.json"
    new = dict(zip(("blue", "green", "red"), names, strict=False))
    item = renamed(json.loads(card.read_text()), new)
    texts = ("license", "description", "geoseg:attribution", "geoseg:trained_on")
    item["properties"] |= dict.fromkeys(texts, long)
    card.write_text(json.dumps(item))
    bands = np.random.default_rng(0).integers(1, 4000, (3, 40, 60), np.uint16)
    write_raster(folder / scene, bands, CORNER, names=("B02", "B03", "B04"))
    classes = np.arange(6, dtype=np.uint8).repeat(240).reshape(36, 40)
    legend = [
        {"id": n, "name": each, "colour": f"#0000{n:02x}"}
        for n, each in enumerate(names)
    ]
    for path, values in (("was.tif", classes), ("is.tif", classes[::-1])):
        with rasterio.open(write(folder / path, values), "r+") as dataset:
            dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))
    west, south, east = CORNER.c, CORNER.f - 60 * np.arange(1, 7), CORNER.c + 400
    rows = geopandas.GeoSeries(shapely.box(west, south, east, south + 60), crs=32633)
    rows.to_frame("geometry").assign(name=names).to_file(folder / "zones.gpkg")


def make(folder, model, names, long, scene):
    """Map, compare and measure what has these names; give the folder of products."""
    write_inputs(folder, model, names, long, scene)
    scene, model, was, now, zones, out = (
        folder / each
        for each in (scene, "model", "was.tif", "is.tif", "zones.gpkg", "areas.csv")
    )
    both = "--format", "geojson", "--format", "gpkg"
    for words in (
        ("segment", scene, "--model", model, "-o", folder / "map", *both),
        ("change", was, now, "-o", folder / "change", *both),
        ("evaluate", was, "--reference", now, "-o", folder / "evaluated"),
        ("areas", was, "--zones", zones, "--by", "name", "-o", out),
    ):
        done = call(*words, "--json")
        assert done.exit_code == 0, done.output
        json.loads(done.stdout)
    write_training_page(folder / "report.html", training_page(names, long))
    return folder


def training_page(names, long):
    """Describe a training on classes that have these names."""
    classes = enumerate(names)
    legend = Legend(tuple(LandClass(n, each, f"#0000{n:02x}") for n, each in classes))
    return TrainingPage(
        title=long,
        subtitle=long,
        figures={long: 0.5},
        legend=legend,
        confusion=np.eye(6, dtype=np.int64),
        by_class={long: np.ones(6)},
        pictures={},
        epochs=[[1, 2.5]],
        epoch_heads=["epoch", long],
        warnings=[long],
    )


@pytest.fixture(scope="module")
def hostile(brightest, tmp_path_factory):
    """Give products of hostile names."""
    return make(tmp_path_factory.mktemp("hostile"), brightest, NAMES, LONG, SCENE)


@pytest.fixture(scope="module")
def plain(brightest, tmp_path_factory):
    """Give products of plain names."""
    return make(tmp_path_factory.mktemp("plain"), brightest, PLAIN, "it", "scene.tif")


@pytest.mark.parametrize(
    ("page", "count"), [("map", 3), ("change", 6), (".", 6)], ids=PAGES
)
def test_pages_have_the_elements_of_any_page_and_the_texts(hostile, plain, page, count):
    found, usual = (
        Page((folder / page / "report.html").read_text(encoding="utf-8"))
        for folder in (hostile, plain)
    )
    assert found.elements == usual.elements
    shown = " ".join(found.texts)
    assert all(name in shown for name in NAMES[:count])


def test_records_give_the_names_back(hostile):
    records = {path.name: path.read_text() for path in hostile.glob("*/*json")}
    assert {"run.json", "landcover.stac.json", "accuracy.json"} <= set(records)
    for text in records.values():
        json.loads(text)
    named = str(json.loads(records["landcover.stac.json"]))
    assert all(repr(name)[1:-1] in named for name in NAMES[:3])


def test_tables_give_the_names_back(hostile):
    """A name is a key that tables are joined by: no spreadsheet changes it."""
    areas = pd.read_csv(hostile / "areas.csv")
    assert set(areas["zone"]) == set(areas["class_name"]) == set(NAMES)
    change = pd.read_csv(hostile / "change" / "change.csv", index_col=0)
    assert [*change.columns[:-1]] == [*change.index[:-1]] == [*NAMES]


@pytest.mark.parametrize(
    ("product", "count"), [("map/landcover", 3), ("change/change", 0)]
)
def test_styles_are_well_formed_and_label_the_classes(hostile, product, count):
    path = hostile / product
    with closing(sqlite3.connect(path.with_suffix(".gpkg"))) as file:
        (packed,) = file.execute("SELECT styleQML FROM layer_styles").fetchone()
    for style in (packed, path.with_suffix(".qml").read_text(encoding="utf-8")):
        root = ET.fromstring(style)  # noqa: S314  # our own
        labels = {each.get("label") for each in root.iter() if each.get("label")}
        assert all(len(each) <= 250 for each in labels)
        assert not count or labels == {*NAMES[:count]}


def test_maps_give_the_names_back(hostile):
    for suffix in (".geojson", ".gpkg"):
        path = hostile / "map" / f"landcover{suffix}"
        polygons = geopandas.read_file(path, layer="landcover")
        assert set(polygons["class_name"]) == {*NAMES[:3]}
    with rasterio.open(hostile / "map" / "landcover.tif") as dataset:
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
    assert [each["name"] for each in legend] == [*NAMES[:3]]
    sidecars = [*hostile.glob("*/*.aux.xml")]
    assert sidecars
    for path in sidecars:
        ET.parse(path)  # noqa: S314  # the same


def test_a_terminal_gets_no_more_than_text(hostile):
    shown = call("models", "show", hostile / "model")
    assert shown.exit_code == 0
    assert NAMES[0] in shown.stdout
    assert not set(TURNS) & set(shown.stdout)
