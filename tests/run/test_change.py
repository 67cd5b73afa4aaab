"""What became of what: counted by numpy, drawn as polygons, sampled."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from class_maps import CORNER, NAMES, call, refuse, write

import geoseg

SHAPE = (80, 100)
HECTARE = 0.01  # ha a pixel, but for the scale of the projection


@pytest.fixture
def maps(tmp_path):
    """A wood that shrinks, a lake that grows; nodata in either."""
    was = np.zeros(SHAPE, np.uint8)
    was[:, 40:80] = 1
    was[60:, 80:] = 2
    now = was.copy()
    now[:30, 40:60] = 0
    now[50:60, 80:] = 2
    now[70, 10] = 1  # a sliver of one pixel
    was[:5, :5] = 255
    now[:, 98:] = 255
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    before = write(tmp_path / "before" / "map.tif", was)
    return before, write(tmp_path / "after" / "map.tif", now), was, now


def matrix(was, now, *where):
    both = np.logical_and.reduce([was != 255, now != 255, *where])
    return np.bincount(was[both] * 3 + now[both], minlength=9).reshape(3, 3)


def test_transitions_are_those_that_numpy_counts(maps, tmp_path):
    before, after, was, now = maps
    found = geoseg.change(before, after, tmp_path / "change")
    assert found.classes == tuple(NAMES.values())
    assert np.array_equal(found.pixels, matrix(was, now))
    hectares = np.array(found.hectares)
    assert hectares == pytest.approx(matrix(was, now) * HECTARE, rel=1e-2)
    own = geoseg.areas(before).to_frame().set_index("class_name")["area_ha"]
    only = geoseg.areas(after).to_frame().set_index("class_name")["area_ha"]
    assert hectares[:, 2].sum() <= only["lake"] * (1 + 1e-9)
    assert hectares[1].sum() == pytest.approx(own["wood"], rel=1e-9)
    table = pd.read_csv(tmp_path / "change" / "change.csv", index_col=0)
    assert table.loc["wood", "field"] == pytest.approx(hectares[1, 0])
    assert table.loc["after", "before"] == pytest.approx(hectares.sum())


def test_the_raster_shows_each_transition_by_name(maps, tmp_path):
    before, after, was, now = maps
    geoseg.change(before, after, tmp_path / "change")
    with rasterio.open(tmp_path / "change" / "change.tif") as dataset:
        shown, same = dataset.read(1), dataset.transform == CORNER
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
    names = {each["id"]: each["name"] for each in legend}
    assert same
    both = (was != 255) & (now != 255)
    assert np.array_equal(shown != 255, both)
    for number, name in names.items():
        there = (was == now) & both
        if name != "no change":
            one, other = (
                next(i for i, each in NAMES.items() if each == part)
                for part in name.split(" to ")
            )
            there = (was == one) & (now == other)
        assert np.array_equal(shown == number, there), name


def test_polygons_are_changed_ground_without_slivers(maps, tmp_path):
    before, after, was, now = maps
    drawn = geoseg.PolygonOptions(min_area="5px")
    options = geoseg.ChangeOptions(polygons=drawn, formats=("gpkg",))
    geoseg.change(before, after, tmp_path / "change", options=options)
    frame = geopandas.read_file(tmp_path / "change" / "change.gpkg", layer="change")
    assert set(frame["class_name"]) == {"wood to field", "field to lake"}
    counts = matrix(was, now)
    areas = frame.set_index("class_name").geometry.area / 100
    assert areas["wood to field"] == counts[1, 0]
    assert areas["field to lake"] == counts[0, 2]


def test_the_later_map_may_lie_on_another_grid(maps, tmp_path):
    before, after, was, now = maps
    with rasterio.open(after) as dataset:
        profile, tags = dataset.profile, dataset.tags()
    fine = np.kron(now, np.ones((2, 2), np.uint8))
    profile.update(
        height=fine.shape[0], width=fine.shape[1],
        transform=CORNER @ Affine.scale(0.5) @ Affine.translation(0.2, 0.2),
    )  # fmt: skip
    with rasterio.open(tmp_path / "fine.tif", "w", **profile) as dataset:
        dataset.write(fine, 1)
        dataset.update_tags(GEOSEG_LEGEND=tags["GEOSEG_LEGEND"])
    found = geoseg.change(before, tmp_path / "fine.tif", tmp_path / "change")
    assert np.array_equal(found.pixels, matrix(was, now))
    assert any("another grid" in each for each in found.warnings)


def test_what_is_unsure_in_either_map_is_left_out_and_counted(maps, tmp_path):
    before, after, was, now = maps
    rng = np.random.default_rng(0)
    sure = [rng.integers(0, 101, SHAPE, np.uint8) for _ in maps[:2]]
    for path, each in zip(maps[:2], sure, strict=True):
        write(path.with_name("confidence.tif"), each)
    options = geoseg.ChangeOptions(min_confidence=40)
    found = geoseg.change(before, after, tmp_path / "change", options=options)
    enough = (sure[0] >= 40) & (sure[1] >= 40)
    assert np.array_equal(found.pixels, matrix(was, now, enough))
    out = matrix(was, now).sum() - matrix(was, now, enough).sum()
    assert found.doubtful_ha == pytest.approx(out * HECTARE, rel=1e-2)


def test_classes_of_other_names_are_mapped_or_refused(maps, tmp_path):
    before, after, was, now = maps
    with rasterio.open(after, "r+") as dataset:
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
        legend[1]["name"] = "forest"
        dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))
    sentence = refuse(tmp_path, "change", before, after, "-o", tmp_path / "change")
    assert "forest" in sentence
    assert "wood" in sentence
    mapping = ["--mapping", "forest=wood"]
    done = call("change", before, after, "-o", tmp_path / "change", "--json", *mapping)
    assert np.array_equal(json.loads(done.stdout)["pixels"], matrix(was, now))


def test_the_same_maps_give_the_same_bytes_and_own_files_are_replaced(maps, tmp_path):
    before, after, *_ = maps
    folder = tmp_path / "change"
    kept = []
    for _ in range(2):
        geoseg.change(before, after, folder)
        kept.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert kept[0] == kept[1]
    assert set(kept[0]) == {
        "change.tif", "change.tif.aux.xml", "change.qml", "change.csv",
        "change.geojson", "run.json",
    }  # fmt: skip
    (folder / "change.csv").write_text("mine")
    sentence = refuse(tmp_path, "change", before, after, "-o", folder)
    assert "somebody has changed it" in sentence


def test_several_formats_hold_the_same_polygons(maps, tmp_path):
    before, after, *_ = maps
    options = geoseg.ChangeOptions(formats=("gpkg", "fgb", "parquet"))
    folder = tmp_path / "change"
    made = geoseg.change(before, after, folder, options=options)
    one = geopandas.read_file(folder / "change.gpkg", layer="change")
    other = geopandas.read_parquet(folder / "change.parquet")
    assert len(geopandas.read_file(folder / "change.fgb")) == len(one)
    assert sorted(one["area_m2"]) == pytest.approx(sorted(other["area_m2"]))
    assert (folder / "change.qml").exists()
    assert len([name for name in made.products if name.startswith("polygons")]) == 3


def test_a_sample_is_drawn_within_the_transitions(maps, tmp_path):
    before, after, *_ = maps
    geoseg.change(before, after, tmp_path / "change")
    strata = geoseg.sample_points(
        tmp_path / "change" / "change.tif",
        tmp_path / "points.gpkg",
        options=geoseg.SampleOptions(points=60, minimum=10),
    )
    names = {each.name: each.points for each in strata}
    assert names.keys() == {
        "no change", "wood to field", "field to lake", "field to wood",
    }  # fmt: skip
    assert names["wood to field"] >= 10


def test_nothing_changed_is_no_fault(maps, tmp_path):
    before, *_ = maps
    found = geoseg.change(before, before, tmp_path / "change")
    assert np.array(found.hectares).sum() > 0
    assert not any(name.startswith("polygons") for name in found.products)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--format", "pdf"], "no format"),
        (["--min-confidence", "50"], "no confidence.tif"),
        (["--mapping", "sea=lake"], "no class of the later map"),
        (["--mapping", "lake=sea"], "no counterpart"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(maps, tmp_path, flags, sentence):
    before, after, *_ = maps
    folder = tmp_path / "change"
    told = refuse(tmp_path, "change", before, after, "-o", folder, *flags)
    assert sentence in told


def test_maps_of_other_ground_are_refused_with_both_extents(maps, tmp_path):
    before, *_ = maps
    far = write(
        tmp_path / "far.tif", maps[3], transform=Affine.translation(5e5, 0) @ CORNER
    )
    sentence = refuse(tmp_path, "change", before, far, "-o", tmp_path / "change")
    assert "other ground" in sentence
