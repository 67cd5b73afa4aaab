"""What became of what: counted by numpy, drawn as polygons, sampled."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from class_maps import CORNER, NAMES, call, refuse, write
from maps import ArrayMap
from scipy import ndimage

import geoseg
from geoseg.errors import PlanError
from geoseg.evaluate.borders import Borders
from geoseg.evaluate.transitions import transitions
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window

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


@pytest.mark.parametrize("simplify", ["0px", "1px"])
def test_borders_that_wander_leave_no_slivers_and_no_gaps(tmp_path, simplify):
    """Two maps of one ground whose borders are a pixel off, and one true change."""
    noise = np.random.default_rng(2)
    ground = ndimage.gaussian_filter(noise.normal(size=(110, 130)), 7)
    was = np.digitize(ground, np.quantile(ground, [0.5, 0.8])).astype(np.uint8)
    wander = ndimage.gaussian_filter(noise.normal(size=(2, *was.shape)), (0, 3, 3))
    moved = np.indices(was.shape) + 1.2 * wander / wander.std()
    now = ndimage.map_coordinates(was, moved, order=0, mode="nearest")
    now[30:50, 40:70] = (was[30:50, 40:70] + 1) % 3
    for name, values in (("before", was), ("after", now)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "map.tif", values)
    both = tmp_path / "before" / "map.tif", tmp_path / "after" / "map.tif"
    polygons = geoseg.PolygonOptions(min_area="40px", simplify=simplify)
    options = geoseg.ChangeOptions(polygons=polygons, formats=("gpkg",))
    found = geoseg.change(*both, tmp_path / "change", options=options)
    frame = geopandas.read_file(tmp_path / "change" / "change.gpkg", layer="change")
    every, _ = ndimage.label(was != now)
    assert np.bincount(every.ravel())[1:].min() < 5, "there are slivers to be left out"
    assert len(frame) < every.max() / 4
    assert frame.geometry.is_valid.all()
    whole = shapely.union_all(frame.geometry.array)
    assert whole.area == pytest.approx(frame.geometry.area.sum(), rel=1e-12)
    true = shapely.box(*(CORNER @ (40, 50)), *(CORNER @ (70, 30)))
    assert whole.intersection(true).area > 0.9 * true.area
    if simplify == "0px":
        assert frame.geometry.area.min() >= 40 * 100
    counted = np.array(found.hectares)
    assert counted.sum() - np.trace(counted) > 1.2 * whole.area / 10_000


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
        "change.geojson", "run.json", "strata.tif", "strata.tif.aux.xml", "strata.qml",
        "report.html",
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


def test_unchanged_ground_beside_change_is_a_stratum_of_its_own(maps, tmp_path):
    before, after, *_ = maps
    geoseg.change(before, after, tmp_path / "change")
    with rasterio.open(tmp_path / "change" / "change.tif") as dataset:
        shown = dataset.read(1)
    with rasterio.open(tmp_path / "change" / "strata.tif") as dataset:
        strata = dataset.read(1)
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
    changed = (shown > 0) & (shown < 255)
    near = ndimage.binary_dilation(changed, np.ones((5, 5))) & (shown == 0)
    assert legend[-1]["name"] == "no change beside change"
    assert np.array_equal(strata, np.where(near, legend[-1]["id"], shown))
    assert 0 < near.sum() < (shown == 0).sum()


def test_points_of_a_sample_of_change_are_shared_by_the_stated_rule(maps, tmp_path):
    before, after, *_ = maps
    geoseg.change(before, after, tmp_path / "change")

    def shared(folder, **options):
        how = geoseg.SampleOptions(points=300, minimum=0, **options)
        strata = geoseg.sample_points(folder, tmp_path / "a.gpkg", options=how)
        return {each.name: (each.points, each.pixels) for each in strata}

    found = shared(tmp_path / "change")
    (tmp_path / "a.gpkg").unlink()
    assert found == shared(tmp_path / "change", allocation="change")
    wrong = {"no change": 0.01, "no change beside change": 0.05}
    worth = {
        name: pixels * (wrong.get(name, 0.3) * (1 - wrong.get(name, 0.3))) ** 0.5
        for name, (_, pixels) in found.items()
    }
    for name, (points, _) in found.items():
        assert abs(points - 300 * worth[name] / sum(worth.values())) < 1, name
    design = json.loads((tmp_path / "a.gpkg.design.json").read_text())
    assert design["allocation"] == "change"
    with pytest.raises(PlanError, match="is for what geoseg change leaves"):
        shared(before, allocation="change")


def test_borders_are_the_same_however_they_are_read():
    rng = np.random.default_rng(3)
    pixels = rng.choice(
        np.array([0, 1, 2, 255], np.uint8), (41, 37), p=[0.9, *[1 / 30] * 3]
    )
    names = ("no change", "wood to field", "field to lake")
    legend = Legend(
        tuple(LandClass(i, name, "#123456") for i, name in enumerate(names))
    )
    whole = Borders(ArrayMap(pixels), legend).read(Window(0, 0, 41, 37))
    near = ndimage.binary_dilation(np.isin(pixels, (1, 2)), np.ones((5, 5)))
    assert np.array_equal(whole, np.where(near & (pixels == 0), 3, pixels))
    for window in (Window(0, 0, 1, 1), Window(7, 5, 13, 4), Window(40, 30, 1, 7)):
        part = Borders(ArrayMap(pixels), legend).read(window)
        assert np.array_equal(part, whole[window.slices()])


def test_where_no_id_is_left_there_is_no_stratum_of_borders():
    legend = Legend(tuple(LandClass(i, f"t{i}", "#123456") for i in range(255)))
    pixels = np.array([[0, 7, 255]], np.uint8)
    borders = Borders(ArrayMap(pixels), legend)
    assert borders.legend() == legend
    assert np.array_equal(borders.read(Window(0, 0, 1, 3)), pixels)


def test_a_sample_of_the_folder_gives_areas_of_change_with_intervals(maps, tmp_path):
    before, after, *_ = maps
    folder, points = tmp_path / "change", tmp_path / "points.gpkg"
    geoseg.change(before, after, folder)
    drawn = call("sample-points", folder, "-o", points, "-n", 120, "--minimum", 10)
    assert drawn.exit_code == 0, drawn.output
    assert "no change beside change" in drawn.stdout
    frame = geopandas.read_file(points)
    with rasterio.open(folder / "change.tif") as dataset:
        cells = [dataset.index(p.x, p.y) for p in frame.geometry]
        shown = np.array([dataset.read(1)[cell] for cell in cells])
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
    with rasterio.open(folder / "strata.tif") as dataset:
        strata = np.array([dataset.read(1)[cell] for cell in cells])
        sizes = np.bincount(dataset.read(1).ravel(), minlength=256)[:255]
    truth = shown.copy()
    truth[np.flatnonzero(strata == strata.max())[:3]] = 1  # change that was missed
    names = {each["id"]: each["name"] for each in legend}
    frame["reference"] = [names[each] for each in truth]
    frame.to_file(points)
    found = geoseg.evaluate(
        folder, points, options=geoseg.EvaluateOptions(stratified=True)
    )
    for channel, each in enumerate(legend):
        expected = sum(
            size * (truth[strata == stratum] == each["id"]).mean()
            for stratum, size in enumerate(sizes)
            if size
        )
        area = found.estimates.area
        assert area.value[channel] == pytest.approx(expected)
        assert area.low[channel] <= expected <= area.high[channel]
    assert found.estimates.area.value[1] > found.estimates.mapped[1]


def test_a_folder_without_a_map_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for command in (
        ["sample-points", tmp_path / "empty", "-o", tmp_path / "points.gpkg"],
        ["evaluate", tmp_path / "empty", "--reference", tmp_path / "points.gpkg"],
        ["change", tmp_path / "empty", tmp_path / "empty", "-o", tmp_path / "change"],
    ):
        assert "is a folder without a map" in refuse(tmp_path, *command)


def test_folders_of_runs_stand_for_their_maps(maps, tmp_path):
    before, after, was, now = maps
    for path in (before, after):
        path.rename(path.with_name("landcover.tif"))
    found = geoseg.change(before.parent, after.parent, tmp_path / "change")
    assert np.array_equal(found.pixels, matrix(was, now))


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
        (["--simplify", "far"], "no length"),
        (["--min-area", "5"], "no area"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(maps, tmp_path, flags, sentence):
    before, after, *_ = maps
    folder = tmp_path / "change"
    message = refuse(tmp_path, "change", before, after, "-o", folder, *flags)
    assert sentence in message


def test_maps_of_other_ground_are_refused_with_both_extents(maps, tmp_path):
    before, *_ = maps
    far = write(
        tmp_path / "far.tif", maps[3], transform=Affine.translation(5e5, 0) @ CORNER
    )
    sentence = refuse(tmp_path, "change", before, far, "-o", tmp_path / "change")
    assert "other ground" in sentence


def test_transitions_of_one_name_are_told_apart_and_long_ones_cut():
    names = "a", "b to c", "a to b", "c", "d" * 250, "e" * 250
    classes = enumerate(names)
    legend = Legend(tuple(LandClass(n, each, f"#0000{n:02x}") for n, each in classes))
    pixels = np.zeros((6, 6), np.int64)
    pixels[[0, 2, 4], [1, 3, 5]] = 1
    *found, long = (each.name for each in transitions(legend, pixels)[0])
    assert found == ["no change", "a to b to c", "a to b to c (2)"]
    assert long == f"{'d' * 119}… to {'e' * 119}…"
