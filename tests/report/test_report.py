"""The report is plain JSON in a stable order."""

import json

import numpy as np
import pytest
from corner import write_corner

import geoseg
from geoseg.errors import DiskError, InputError
from geoseg.raster import ClassMeans, Extent
from geoseg.report.report import (
    ClassArea,
    Report,
    class_areas,
    doubts,
    read_report,
    write_report,
)


def report(**changes):
    facts = {
        "geoseg": "0.1.0",
        "settings": {"overlap": 64},
        "scene": {"path": "scène.tif", "bands": ["B02", "B03"]},
        "aoi": None,
        "models": [{"name": "shipped", "version": "1"}],
        "compute": {"device": "cpu"},
        "tiles": {"inferred": 12, "skipped": 3},
        "timings_s": {"inference": 1.5},
        "class_areas": (ClassArea(1, "water", "#1f78b4", 10, 0.1, 1.0),),
        "nodata_pixels": 5,
        "products": {"map": "landcover.tif"},
        "versions": {"python": "3.11"},
        "identity": {"tile": "512"},
        "mask": None,
        "warnings": ("a polygon was repaired",),
    }
    return Report(**(facts | changes))


def test_a_report_reads_back_in_the_order_of_its_fields(tmp_path):
    path = tmp_path / "run.json"
    write_report(path, report())
    read = json.loads(path.read_text(encoding="utf-8"))
    assert list(read) == [
        "geoseg",
        "settings",
        "scene",
        "aoi",
        "models",
        "compute",
        "tiles",
        "timings_s",
        "class_areas",
        "nodata_pixels",
        "products",
        "versions",
        "identity",
        "checksums",
        "mask",
        "confidence",
        "outside",
        "assessment",
        "defaults_file",
        "warnings",
    ]
    assert read["scene"]["path"] == "scène.tif"
    assert read["class_areas"] == [
        {
            "id": 1,
            "name": "water",
            "colour": "#1f78b4",
            "pixels": 10,
            "area_ha": 0.1,
            "share": 1.0,
            "confidence": None,
        }
    ]
    assert read["warnings"] == ["a polygon was repaired"]


def test_a_number_that_json_lacks_is_null(tmp_path):
    path = tmp_path / "run.json"
    write_report(path, report(timings_s={"infer": float("nan"), "raster": np.inf}))
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert read["timings_s"] == {"infer": None, "raster": None}


def test_a_run_whose_nodata_is_no_number_ends_well(tmp_path):
    scene = write_corner(tmp_path, 64, 64)
    options = geoseg.SegmentOptions(
        scene=geoseg.SceneOptions(nodata=float("nan")), formats="none"
    )
    geoseg.segment(scene, tmp_path / "out", options=options)
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["settings"]["scene"]["nodata"] is None


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(DiskError, match=r"cannot write .*run\.json \("):
        write_report(tmp_path / "out" / "run.json", report())


def test_areas_follow_the_legend_and_shares_sum_to_one(legend):
    areas = class_areas(
        {4: Extent(30, 6000), 1: Extent(10, 2000), 255: Extent(999, 1)}, legend
    )
    assert areas == (
        ClassArea(1, "water", "#1f78b4", 10, 0.2, 0.25),
        ClassArea(3, "forêt & bois", "#33a02c", 0, 0.0, 0.0),
        ClassArea(4, "built-up", "#e31a1c", 30, 0.6, 0.75),
    )


def test_a_map_of_nodata_has_no_area(legend):
    assert {
        (a.pixels, a.share) for a in class_areas({255: Extent(7, 700)}, legend)
    } == {(0, 0.0)}


def test_a_value_without_a_name_is_refused(legend):
    with pytest.raises(InputError, match=r"holds \[2\].*\[1, 3, 4\]"):
        class_areas({1: Extent(10, 1), 2: Extent(5, 1)}, legend)


def test_a_report_is_read_back_whole_or_not_at_all(tmp_path):
    path = tmp_path / "run.json"
    assert read_report(path) is None
    written = report(warnings=["a polygon was repaired"])
    write_report(path, written)
    assert read_report(path) == written
    path.write_text('{"geoseg": "0.0.1"}')
    assert read_report(path) is None


def test_a_map_of_which_the_model_is_not_sure_is_doubted():
    def said(*rows, known=None):
        areas = [
            ClassArea(i, name, "#1f78b4", pixels, 1.0, pixels / 100, sure)
            for i, (name, pixels, sure) in enumerate(rows)
        ]
        return list(doubts(areas, known))

    assert said(("water", 40, 0.9), ("wood", 58, 0.8), ("snow", 2, 0.3)) == []
    (doubt,) = said(("shrub", 62, 0.45), ("wood", 38, 0.9))
    assert "by 62 % on the mean (shrub, 62 % of the map, by 45 %)" in doubt
    (doubt,) = said(("water", 50, 0.6), ("a", 4, 0.1), ("b", 46, 0.6))
    assert "by 58 % on the mean: it may not know" in doubt
    assert said(("water", 0, None)) == []
    # A model of few labels is as sure as where it was measured, and not less.
    assert said(("water", 50, 0.6), ("wood", 50, 0.55), known=0.65) == []
    (doubt,) = said(("water", 50, 0.54), ("wood", 50, 0.54), known=0.65)
    assert "by 54 % on the mean" in doubt
    (doubt,) = said(("water", 90, 0.7), ("town", 10, 0.4), known=0.68)
    assert "less so of some classes (town, 10 % of the map, by 40 %)" in doubt
    assert "may not know" not in doubt
    (doubt,) = said(("water", 50, 0.6), ("wood", 50, 0.58), known=0.9)
    assert "by 59 % on the mean" in doubt


def test_means_of_classes_leave_nodata_out():
    random = np.random.default_rng(0)
    classes = random.choice([1, 4, 255], (1, 1100, 37)).astype(np.uint8)
    sure = random.choice([10, 60, 100, 255], (1, 1100, 37)).astype(np.uint8)
    counted = ClassMeans()
    for rows in (slice(700, None), slice(0, 700)):  # parts, in any order
        counted.add(classes[:, rows], sure[:, rows])
    means = counted.found()
    assert list(means) == [1, 4]
    for value, mean in means.items():
        there = (classes == value) & (sure != 255)
        assert mean == pytest.approx(sure[there].mean())
