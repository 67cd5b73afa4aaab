"""Suggestions: uncertain places, unlike what is labelled, apart; labels when filled."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point

import geoseg
from geoseg.cli import main
from geoseg.errors import GeosegError
from geoseg.geo.windows import Window
from geoseg.run.suggest import suggest as job
from geoseg.run.suggest.candidates import draw_candidates
from geoseg.run.suggest.selection import Places, choose_in_turn, most_uncertain

PLANE = Affine(10, 0, 400_000, 0, -10, 5_800_000)
SIDE = 96
LABELLED = [(8 * n + 4, col, n % 3) for n in range(12) for col in (13, 67)]


def save(path, positions, names=("bare", "crop", "water")):
    points = [Point(PLANE * (col + 0.5, row + 0.5)) for row, col, _ in positions]
    classes = [names[each] for *_, each in positions]
    frame = geopandas.GeoDataFrame({"class": classes}, geometry=points, crs=32633)
    frame.to_file(path)
    return path


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """A noisy scene of three classes in stripes, its labels, and a model of them."""
    folder = tmp_path_factory.mktemp("ground")
    rng = np.random.default_rng(0)
    truth = np.arange(SIDE)[:, None] // 8 % 3 + np.zeros((1, SIDE), int)
    means = np.array([[100, 300, 500], [500, 200, 100]])
    values = means[:, truth] + rng.normal(0, 90, (2, SIDE, SIDE))
    values = values.clip(1, 999)
    values[:, :20, :20] = 0
    profile = {
        "driver": "GTiff", "width": SIDE, "height": SIDE, "count": 2,
        "dtype": "uint16", "crs": 32633, "transform": PLANE, "nodata": 0,
    }  # fmt: skip
    with rasterio.open(folder / "scene.tif", "w", **profile) as raster:
        raster.write(values.astype(np.uint16))
        raster.descriptions = "B04", "B08"
    labels = save(folder / "labels.gpkg", [p for p in LABELLED if p[0] > 20])
    options = geoseg.TrainOptions(architecture="pixel", head="discriminant")
    geoseg.train([folder / "scene.tif"], labels, folder / "model", options=options)
    return folder


def call(ground, output, *more):
    said = [
        *("suggest", ground / "scene.tif", "--model", ground / "model"),
        *("--tile", "32", "-o", output, *more),
    ]
    return CliRunner().invoke(main, [str(each) for each in said])


def test_suggestions_come_back_as_labels(ground, tmp_path):
    output = tmp_path / "next.gpkg"
    result = call(ground, output, "-n", 12, "--labels", ground / "labels.gpkg")
    assert result.exit_code == 0, result.output
    assert [p.name for p in tmp_path.iterdir() if "suggesting" in p.name] == []
    frame = geopandas.read_file(output)
    assert frame.crs.to_epsg() == 32633
    assert frame["class"].isna().all()
    assert frame["id"].tolist() == list(range(1, 13))
    assert set(frame["predicted"]) <= {"bare", "crop", "water"}
    assert frame["reason"].str.contains("uncertain").all()
    with rasterio.open(ground / "scene.tif") as scene:
        found = np.array(
            list(scene.sample(frame.geometry.get_coordinates().to_numpy()))
        )
    assert (found > 0).all(), "none lies where there is no data"
    with closing(sqlite3.connect(output)) as database, database:
        for name in ("IsEmpty", "MinX", "MaxX", "MinY", "MaxY"):  # as QGIS has them
            database.create_function(f"ST_{name}", 1, lambda _: 0)
        for number, name in enumerate(["bare", "crop", "water"] * 4, 1):
            database.execute("UPDATE points SET class = ? WHERE id = ?", (name, number))
    trained = geoseg.train([ground / "scene.tif"], output, tmp_path / "again")
    assert sum(each.training for each in trained.labelled) == 12
    both = ["--labels", str(ground / "labels.gpkg"), "--labels", str(output)]
    said = [str(ground / "scene.tif"), *both, "-o", str(tmp_path / "both"), "--json"]
    result = CliRunner().invoke(main, ["train", *said, "--head", "discriminant"])
    assert result.exit_code == 0, result.output
    earlier = len(geopandas.read_file(ground / "labels.gpkg"))
    counted = json.loads(result.stdout)["labelled_pixels"].values()
    assert sum(each["training"] for each in counted) == 12 + earlier
    result = call(ground, tmp_path / "then.gpkg", "-n", 5, *both)
    assert result.exit_code == 0, result.output
    known = geopandas.read_file(output).geometry
    found = geopandas.read_file(tmp_path / "then.gpkg").geometry
    assert not found.isin(known).any()
    again = call(ground, output)
    assert again.exit_code == 2
    assert "somebody has changed it" in " ".join(again.stderr.split())
    assert geopandas.read_file(output)["class"].notna().all()


def test_they_are_the_same_for_any_blocks_and_after_a_kill(
    ground, tmp_path, monkeypatch
):
    made = []
    for name, block in (("a", 1), ("b", 3)):
        result = call(ground, tmp_path / f"{name}.gpkg", "--block", block)
        assert result.exit_code == 0, result.output
        made.append((tmp_path / f"{name}.gpkg").read_bytes())
    assert made[0] == made[1]

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "draw_candidates", killed)
        assert call(ground, tmp_path / "c.gpkg").exit_code == 130
    assert not (tmp_path / "c.gpkg").exists()
    steps = []
    options = geoseg.SuggestOptions(model=ground / "model", tile=32)
    geoseg.suggest(
        ground / "scene.tif", tmp_path / "c.gpkg", options=options,
        on_step=steps.append,
    )  # fmt: skip
    done = [each for each in steps if each.name == "infer"]
    assert done[-1].resumed_blocks == done[-1].blocks, "nothing is inferred again"
    assert (tmp_path / "c.gpkg").read_bytes() == made[0]


def test_suggestions_are_what_the_definition_says(ground, tmp_path):
    """Written again in plain numpy: of all candidates the most uncertain, farthest."""
    output = tmp_path / "next.gpkg"
    labels = ground / "labels.gpkg"
    result = call(ground, output, "-n", 5, "--labels", labels)
    assert result.exit_code == 0, result.output
    frame = geopandas.read_file(output)
    options = geoseg.SegmentOptions(
        model=ground / "model", tile=32, entropy=True, formats="none"
    )
    geoseg.segment(ground / "scene.tif", tmp_path / "map", options=options)
    cols, rows = ~PLANE * (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    rows, cols = np.floor(rows).astype(int), np.floor(cols).astype(int)
    with rasterio.open(tmp_path / "map" / "entropy.tif") as raster:
        entropies = raster.read(1)
    valid = entropies != 255
    own = entropies[rows, cols]
    np.testing.assert_allclose(frame["entropy"], own / 250, atol=6e-4)
    assert own.min() > np.quantile(entropies[valid], 0.5)
    with rasterio.open(tmp_path / "map" / "confidence.tif") as raster:
        assert raster.read(1)[rows, cols].tolist() == frame["confidence"].tolist()
    distance = np.abs(
        np.stack([rows, cols])[:, :, None] - np.stack([rows, cols])[:, None]
    )
    apart = distance.max(axis=0)[~np.eye(5, dtype=bool)]
    assert apart.min() >= np.sqrt(SIDE**2 / 5) / 4
    with rasterio.open(tmp_path / "map" / "landcover.tif") as raster:
        mapped = raster.read(1)
    counts = np.bincount(mapped[rows, cols], minlength=3)
    assert counts.max() - counts.min() <= 1, "each class has its turn"
    with rasterio.open(ground / "scene.tif") as raster:
        pixels = raster.read().astype(float)
    known = np.array([pixels[:, r, c] for r, c, _ in LABELLED if r > 20])
    here = pixels[:, rows, cols].T
    scale = pixels[:, valid].std(axis=1)
    own = []
    for number in range(5):
        before = np.concatenate([known, here[:number]])
        own.append(np.linalg.norm((before - here[number]) / scale, axis=1).min())
    assert np.corrcoef(own, frame["distance"])[0, 1] > 0.9


def test_without_labels_the_package_says_what_is_known(ground, tmp_path):
    options = geoseg.SuggestOptions(model=ground / "model", points=4, tile=32)
    found = geoseg.suggest(ground / "scene.tif", tmp_path / "n.gpkg", options=options)
    assert found.points == 4
    assert sum(found.classes.values()) == 4
    frame = geopandas.read_file(tmp_path / "n.gpkg")
    assert (frame["distance"] > 0).all()


def test_an_area_holds_all_suggestions_and_json_lists_them(ground, tmp_path):
    box = "EPSG:32633;400400,5799300,400900,5799600"
    crs, bounds = box.split(";")
    output = tmp_path / "n.gpkg"
    result = call(
        ground, output, "-n", 3, "--bbox", bounds, "--bbox-crs", crs, "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["points"] == 3
    frame = geopandas.read_file(output)
    left, bottom, right, top = map(float, bounds.split(","))
    assert frame.geometry.x.between(left, right).all()
    assert frame.geometry.y.between(bottom, top).all()
    with sqlite3.connect(output) as database:
        kind = database.execute("SELECT geometry_type_name FROM gpkg_geometry_columns")
        assert kind.fetchone() == ("POINT",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--labels", "missing.gpkg"], "missing.gpkg"),
        (["-o", "next.csv"], "written as .gpkg"),
        (["--model", "no_such_model"], "no_such_model"),
        (["--bbox", "10,10,11,11"], "does not overlap the scene"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(ground, tmp_path, more, says):
    result = call(ground, tmp_path / "n.gpkg", *more)
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".gpkg"]


def test_labels_elsewhere_are_refused(ground, tmp_path):
    labels = save(tmp_path / "far.gpkg", [(9000, 9000, 0), (9100, 9000, 1)])
    result = call(ground, tmp_path / "n.gpkg", "--labels", labels)
    assert result.exit_code == 2
    assert "no label lies in the scene" in " ".join(result.stderr.split())


def test_a_model_that_is_certain_has_nothing_to_suggest(ground, tmp_path, monkeypatch):
    plain = job.read_parts

    def certain(*given):
        for window, values in plain(*given):
            sure = values.copy()
            sure[2][sure[2] != 255] = 0
            yield window, sure

    monkeypatch.setattr(job, "read_parts", certain)
    options = geoseg.SuggestOptions(model=ground / "model", tile=32)
    with pytest.raises(GeosegError, match="is certain of every pixel"):
        geoseg.suggest(ground / "scene.tif", tmp_path / "n.gpkg", options=options)
    assert not list(tmp_path.iterdir())


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
def test_candidates_do_not_depend_on_the_cut_or_the_order(seed, high, wide):
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 251, (3, 37, 53)).astype(np.uint8)
    planes[0][rng.random((37, 53)) < 0.3] = 255
    area = Window(5, 11, 37, 53)

    def cut(rows, cols):
        edges = [
            np.linspace(0, size, count + 1).astype(int)
            for size, count in ((37, rows), (53, cols))
        ]
        for top, bottom in zip(edges[0], edges[0][1:], strict=False):
            for left, right in zip(edges[1], edges[1][1:], strict=False):
                window = Window.between((top + 5, bottom + 5), (left + 11, right + 11))
                yield window, planes[:, top:bottom, left:right]

    whole = draw_candidates(cut(1, 1), area, seed)
    parts = list(cut(high, wide))
    rng.shuffle(parts)
    pieces = draw_candidates(parts, area, seed)
    for name in ("cells", "rows", "cols", "classes", "entropies"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name)), name
    inside = planes[:, whole.rows - 5, whole.cols - 11]
    assert np.array_equal(inside, [whole.classes, whole.confidences, whole.entropies])
    assert (inside[0] != 255).all()
    assert len(set(whole.cells.tolist())) == len(whole)


def test_a_cell_draws_each_uncertain_pixel_as_often():
    planes = np.zeros((3, 2, 2), np.uint8)
    planes[2] = [[50, 0], [0, 200]]
    area = Window(0, 0, 2, 2)
    drawn = [
        int(draw_candidates([(area, planes)], area, n, 1).cols[0]) for n in range(999)
    ]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.06)
    planes[2, 0, 0] = 0
    found = draw_candidates([(area, planes)], area, 0, 1)
    assert (found.rows[0], found.cols[0], len(found)) == (1, 1, 1), (
        "all else is certain"
    )


def test_classes_have_turns_and_the_farthest_of_three_is_taken():
    features = np.array([[0.0], [1.0], [5.0], [5.1], [9.0], [2.0]])
    cells = np.array([[0, 0], [0, 50], [0, 100], [0, 101], [0, 150], [0, 200]])
    classes = np.array([0, 0, 0, 0, 0, 1], np.uint8)
    among = Places(features, cells, classes, np.array([0, 1, 2, 3, 4, 5]))
    chosen, far = choose_in_turn(among, np.array([[0.0]]), 3, 2)
    assert chosen.tolist() == [2, 5, 4], "9.0 is no rival at first, 5.1 too near then"
    assert far.tolist() == [5, 2, 4]
    crowded = Places(features, cells * 0, classes, np.arange(6))
    chosen, _ = choose_in_turn(crowded, np.empty((0, 1)), 6, 64)
    assert sorted(chosen.tolist()) == [0, 1, 2, 3, 4, 5], "spacing gives way"


def test_half_of_each_class_is_uncertain():
    entropies = np.array([5, 9, 9, 1, 3], np.uint8)
    found = most_uncertain(entropies, np.array([0, 0, 0, 0, 1], np.uint8), 0.5)
    assert found.tolist() == [1, 2, 4]
