"""geoseg evaluate and sample-points, as a user calls them."""

from __future__ import annotations

import json
import re

import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from class_maps import CORNER, call, points, refuse, write
from shapely import box

from geoseg.geo.splits import Split


def squares(path, rows, *, crs="EPSG:32633", column="class"):
    """Write rectangles of pixels (top, left, bottom, right) with their classes."""
    shapes = [
        box(*(CORNER @ (left, bottom)), *(CORNER @ (right, top)))
        for top, left, bottom, right in (row[:4] for row in rows)
    ]
    frame = geopandas.GeoDataFrame(
        {column: [row[4] for row in rows]}, geometry=shapes, crs="EPSG:32633"
    )
    frame.to_crs(crs).to_file(path)
    return path


@pytest.fixture
def class_map(tmp_path):
    """Field on the left, wood on the right, a lake within the wood, a hole."""
    values = np.zeros((40, 50), np.uint8)
    values[:, 25:] = 1
    values[10:20, 30:40] = 2
    values[:5, :5] = 255
    return write(tmp_path / "map.tif", values)


def evaluate(class_map, reference, *flags):
    done = call("evaluate", class_map, "--reference", reference, *flags, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_polygons_in_any_crs(tmp_path, class_map, crs):
    rows = [(0, 0, 40, 10, "field"), (0, 20, 40, 30, "wood"), (12, 32, 14, 34, "lake")]
    reference = squares(tmp_path / "labels.gpkg", rows, crs=crs)
    found = evaluate(class_map, reference)
    assert found["confusion"]["counts"] == [[375, 0, 0], [200, 200, 0], [0, 0, 4]]
    assert found["compared"] == 779
    assert found["overall_accuracy"] == pytest.approx(579 / 779)
    wood = found["classes"][1]
    assert wood["producers_accuracy"] == 0.5
    assert wood["users_accuracy"] == 1
    assert found["classes"][0]["iou"] == pytest.approx(375 / 575)


def test_later_polygons_lie_on_top(tmp_path, class_map):
    rows = [(0, 30, 40, 50, "wood"), (10, 30, 20, 40, "lake")]
    found = evaluate(class_map, squares(tmp_path / "labels.geojson", rows))
    assert found["confusion"]["counts"] == [[0, 0, 0], [0, 700, 0], [0, 0, 100]]


def test_a_table_on_the_terminal(tmp_path, class_map):
    reference = squares(tmp_path / "labels.gpkg", [(0, 20, 40, 30, "wood")])
    done = call("evaluate", class_map, "--reference", reference)
    assert done.exit_code == 0
    assert re.search(r"overall accuracy\s+0\.500", done.stdout)
    assert "│ lake" not in done.stdout  # neither mapped there nor labelled
    quiet = call("evaluate", class_map, "--reference", reference, "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (0, "")


def test_classes_are_matched_by_a_mapping(tmp_path, class_map):
    rows = [(0, 0, 40, 10, "arable"), (0, 30, 5, 50, "oak"), (30, 40, 40, 50, "road")]
    reference = squares(tmp_path / "labels.gpkg", rows, column="kind")
    flags = ["--class-field", "kind", "--mapping", "arable=field,oak=1,road="]
    found = evaluate(class_map, reference, *flags)
    assert found["confusion"]["counts"] == [[375, 0, 0], [0, 100, 0], [0, 0, 0]]


def test_other_classes_are_refused_with_both_lists(tmp_path, class_map):
    reference = squares(tmp_path / "labels.gpkg", [(0, 0, 4, 9, "oak")])
    sentence = refuse(tmp_path, "evaluate", class_map, "--reference", reference)
    assert (
        "that the map has not: oak; the reference has oak, the map field, wood, lake"
        in sentence
    )
    assert "--mapping 'oak=field'" in sentence
    for mapping, words in (
        ("elm=wood", "names 'elm', which is no class of the reference; it has oak"),
        ("oak=tree", "no class of the map; it has field, wood, lake"),
    ):
        flags = ["--reference", reference, "--mapping", mapping]
        assert words in refuse(tmp_path, "evaluate", class_map, *flags)


def test_a_raster_on_the_same_and_on_another_grid(tmp_path, class_map):
    with rasterio.open(class_map) as dataset:
        values = dataset.read(1)
    same = write(tmp_path / "same.tif", values)
    found = evaluate(class_map, same)
    assert found["overall_accuracy"] == 1
    assert found["compared"] == (values != 255).sum()
    assert found["warnings"] == []
    # Pixels of 5 m, cut and shifted by a pixel of the map.
    fine = np.repeat(np.repeat(values[1:, 1:], 2, axis=0), 2, axis=1)
    corner = CORNER @ Affine.translation(1, 1) @ Affine.scale(0.5)
    found = evaluate(class_map, write(tmp_path / "fine.tif", fine, transform=corner))
    assert found["overall_accuracy"] == 1
    assert found["compared"] == (values[1:, 1:] != 255).sum()
    (warning,) = found["warnings"]
    assert "pixels of 5 m, the map's of 10 m" in warning


def test_a_raster_in_another_crs_is_asked_at_centres(tmp_path, class_map):
    west, north = 13.5325, 52.3411
    degrees = Affine(2e-4, 0, west, 0, -2e-4, north)
    random = np.random.default_rng(0).integers(0, 3, (120, 130)).astype(np.uint8)
    reference = write(
        tmp_path / "degrees.tif", random, crs="EPSG:4326", transform=degrees
    )
    found = evaluate(class_map, reference)
    expected = np.zeros((3, 3), int)
    with rasterio.open(class_map) as dataset:
        values = dataset.read(1)
    for (row, col), mapped in np.ndenumerate(values):
        x, y = CORNER @ (col + 0.5, row + 0.5)
        xs, ys = rasterio.warp.transform("EPSG:32633", "EPSG:4326", [x], [y])
        at = int((north - ys[0]) / 2e-4), int((xs[0] - west) / 2e-4)
        inside = (
            0 <= at[0] < 120 and 0 <= at[1] < 130 and xs[0] >= west and ys[0] <= north
        )
        if inside and mapped != 255:
            expected[random[at], mapped] += 1
    assert expected.sum() > 500
    assert found["confusion"]["counts"] == expected.tolist()


def test_a_raster_without_names_is_matched_by_number(tmp_path, class_map):
    values = np.full((40, 50), 7, np.uint8)
    path = tmp_path / "plain.tif"
    with rasterio.open(write(path, values), "r+") as dataset:
        dataset.update_tags(GEOSEG_LEGEND="")
        dataset.update_tags(ns="", GEOSEG_LEGEND=None)
    with rasterio.open(
        tmp_path / "numbers.tif", "w", **rasterio.open(path).profile
    ) as plain:
        plain.write(values, 1)
    numbers = tmp_path / "numbers.tif"
    sentence = refuse(tmp_path, "evaluate", class_map, "--reference", numbers)
    assert "that the map has not: 7; the reference has 7" in sentence
    found = evaluate(class_map, numbers, "--mapping", "7=wood")
    assert found["classes"][1]["in_reference"] == 1975


def test_points_say_what_was_left_out(tmp_path, class_map):
    positions = [(20, 3), (20, 30), (15, 35), (0, 0), (20, 4), (300, 3)]
    classes = ["field", "wood", "wood", "field", None, "wood"]
    reference = points(tmp_path / "points.gpkg", positions, classes)
    found = evaluate(class_map, reference)
    assert found["unit"] == "points"
    assert found["confusion"]["counts"] == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert all(each.startswith("left out 1 point ") for each in found["warnings"])
    for words in ("outside the map", "without a class", "where the map has no class"):
        assert any(words in warning for warning in found["warnings"])


def test_confidences_beside_the_map_are_used(tmp_path, class_map):
    sure = np.full((40, 50), 80, np.uint8)
    write(tmp_path / "confidence.tif", sure)
    rows = [(0, 0, 40, 10, "field"), (0, 20, 40, 30, "wood")]
    found = evaluate(class_map, squares(tmp_path / "labels.gpkg", rows))
    error = abs(0.8 - 575 / 775)
    assert found["expected_calibration_error"] == pytest.approx(error)
    write(tmp_path / "confidence.tif", sure[1:])
    found = evaluate(class_map, tmp_path / "labels.gpkg")
    assert "expected_calibration_error" not in found
    assert "calibration is not measured" in found["warnings"][0]


def test_only_what_lies_within_polygons(tmp_path, class_map):
    reference = squares(tmp_path / "labels.gpkg", [(0, 0, 40, 50, "wood")])
    held_out = squares(tmp_path / "blocks.gpkg", [(20, 20, 30, 30, "any")])
    found = evaluate(class_map, reference, "--within", held_out)
    assert found["confusion"]["counts"][1] == [50, 50, 0]
    at = points(tmp_path / "points.gpkg", [(25, 21), (25, 26), (5, 40)], ["wood"] * 3)
    assert evaluate(class_map, at, "--within", held_out)["compared"] == 2


def test_workers_find_the_same(tmp_path, class_map):
    reference = squares(tmp_path / "labels.gpkg", [(0, 0, 40, 50, "wood")])
    alone = evaluate(class_map, reference)
    assert evaluate(class_map, reference, "--workers", "1") == alone


def bad_references(tmp_path):
    """Give each kind of reference that cannot be used, and what is said."""
    far = squares(tmp_path / "far.gpkg", [(9000, 0, 9009, 9, "wood")])
    beside = points(tmp_path / "beside.gpkg", [(9000, 0)], ["wood"])
    nameless = squares(
        tmp_path / "nameless.gpkg", [(0, 0, 9, 9, "wood")], column="kind"
    )
    nothing = tmp_path / "nothing.gpkg"
    geopandas.read_file(far).iloc[:0].to_file(nothing)
    unlabelled = points(tmp_path / "unlabelled.gpkg", [(9, 9), (9, 8)], [None, " "])
    hollow = squares(tmp_path / "hollow.gpkg", [(0, 0, 9, 9, None)])
    hole = squares(tmp_path / "hole.gpkg", [(0, 0, 4, 4, "wood")])
    line = tmp_path / "line.gpkg"
    frame = geopandas.read_file(hole)
    frame.set_geometry(frame.boundary).to_file(line)
    text = tmp_path / "text.gpkg"
    text.write_text("hello")
    return {
        far: "does not lie on the map",
        beside: "does not lie on the map",
        nameless: "name one of its own, as in --class-field kind: kind",
        nothing: "is empty",
        unlabelled: "none of the 2 points on the map has a class yet",
        hollow: "no polygon of",
        hole: "nothing can be compared",
        line: "holds LineString",
        text: "is no vector file, nor a class raster",
        tmp_path / "absent.gpkg": "does not exist",
    }


def test_what_cannot_be_a_reference_is_refused(tmp_path, class_map):
    for reference, words in bad_references(tmp_path).items():
        sentence = refuse(tmp_path, "evaluate", class_map, "--reference", reference)
        assert words in sentence


def test_what_is_no_class_map_is_refused(tmp_path, make_raster):
    labels = squares(tmp_path / "labels.gpkg", [(0, 0, 9, 9, "wood")])
    scene = make_raster("scene.tif")
    real = make_raster("real.tif", values=np.full((1, 9, 9), 0.5, np.float32))
    for raster, words in (
        (scene, "has 3 bands; say which holds the classes"),
        (real, "a class raster is needed"),
        (tmp_path / "absent.tif", "does not exist"),
    ):
        sentence = refuse(tmp_path, "evaluate", raster, "--reference", labels)
        assert words in sentence


def test_figures_and_a_picture_are_left_in_a_folder(tmp_path, class_map):
    write(tmp_path / "confidence.tif", np.full((40, 50), 80, np.uint8))
    rows = [(0, 0, 40, 10, "field"), (0, 20, 40, 30, "wood")]
    reference = squares(tmp_path / "labels.gpkg", rows)
    found = evaluate(class_map, reference, "-o", tmp_path / "accuracy")
    kept = (tmp_path / "accuracy" / "accuracy.json").read_text()
    assert json.loads(kept) == found
    assert sorted(path.name for path in (tmp_path / "accuracy").iterdir()) == [
        "accuracy.json",
        "confusion.png",
    ]
    (tmp_path / "file").write_text("no folder")
    flags = ["--reference", reference, "-o", tmp_path / "file"]
    sentence = refuse(tmp_path, "evaluate", class_map, *flags)
    assert "is a file; the output needs a directory" in sentence
    flags = ["--reference", reference, "--boundary-tolerance", "1km"]
    sentence = refuse(tmp_path, "evaluate", class_map, *flags)
    assert "1km apart (100 pixels) do not agree" in sentence


def test_a_raster_with_names_is_matched_by_them_where_they_occur(tmp_path, class_map):
    values = np.full((40, 50), 4, np.uint8)
    path = write(tmp_path / "named.tif", values)
    legend = [
        {"id": 1, "name": "heath", "colour": "#aa66aa"},  # nowhere in this reference
        {"id": 4, "name": "wood", "colour": "#2d7a3a"},
    ]
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))
    assert evaluate(class_map, path)["classes"][1]["in_reference"] == 1975
    with rasterio.open(path, "r+") as dataset:
        values[20:] = 1
        dataset.write(values, 1)
    sentence = refuse(tmp_path, "evaluate", class_map, "--reference", path)
    assert "that the map has not: heath; the reference has heath, wood" in sentence
    found = evaluate(class_map, path, "--mapping", "heath=field")
    assert found["classes"][0]["in_reference"] == 1000


def test_a_raster_far_finer_than_the_map_is_refused(tmp_path, class_map):
    fine = write(
        tmp_path / "fine.tif", np.zeros((90, 90), np.uint8),
        transform=CORNER @ Affine.scale(0.1),
    )  # fmt: skip
    sentence = refuse(tmp_path, "evaluate", class_map, "--reference", fine)
    assert "pixels of 1 m, the map's of 10 m" in sentence
    assert "gdalwarp -r mode" in sentence


def test_only_the_blocks_that_a_training_held_out(tmp_path, class_map):
    reference = squares(tmp_path / "labels.gpkg", [(0, 0, 40, 50, "wood")])
    folds = []
    for fold in range(5):
        flags = ("--held-out", f"{fold}/5", "--held-out-block", "8")
        found = evaluate(class_map, reference, *flags)
        with rasterio.open(class_map) as dataset:
            held_out = Split(40, 50, fold, 8).test_area() & (dataset.read(1) != 255)
        assert found["compared"] == held_out.sum()
        folds.append(np.array(found["confusion"]["counts"]))
    whole = np.array(evaluate(class_map, reference)["confusion"]["counts"])
    np.testing.assert_array_equal(sum(folds), whole)
    for fold in ("5/5", "1", "a/5", "1/4"):
        flags = ["--reference", reference, "--held-out", fold]
        assert "fold" in refuse(tmp_path, "evaluate", class_map, *flags)
