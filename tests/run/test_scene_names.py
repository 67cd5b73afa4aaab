"""Several maps in one call: of independent scenes, and of the features of an area."""

import json
from contextlib import ExitStack

import geopandas
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from members import cut_sample
from shapely.geometry import box
from waits import shorten

import geoseg
from geoseg.cli import main
from geoseg.errors import InputError
from geoseg.predict import predictor as tiles_module
from geoseg.storage.lock import locked_folder


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Two small cuts of the sample."""
    folder = tmp_path_factory.mktemp("scenes")
    return [
        cut_sample(folder / f"{name}.tif", (200, 400), (col, col + 300))
        for name, col in (("west", 100), ("east", 900))
    ]


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.transform


def test_each_scene_has_the_map_that_it_has_alone(scenes, tmp_path):
    reports = geoseg.segment_each(scenes, tmp_path / "all")
    assert list(reports) == ["west", "east"]
    geoseg.segment(scenes[1], tmp_path / "alone")
    together = tmp_path / "all" / "east" / "landcover.tif"
    assert together.read_bytes() == (tmp_path / "alone/landcover.tif").read_bytes()
    assert not (tmp_path / "all" / "east" / ".geoseg").exists()


def test_several_processes_share_the_scenes_of_a_call(scenes, tmp_path, monkeypatch):
    geoseg.segment_each(scenes[:1], tmp_path)
    shorten(monkeypatch, another_look_at_locks=0.01)
    other, turns, notes = ExitStack(), [], []
    other.enter_context(locked_folder(tmp_path / "west"))  # as another process does

    def watch(step):
        if step.name == "scenes" and step.scene:  # one that is done with, or left
            turns.append(step.scene)
        if step.note.startswith("left to its process: "):
            notes.append(step.note)
        if turns.count("west") == 2:
            other.close()

    reports = geoseg.segment_each(scenes, tmp_path, on_step=watch)
    assert sorted(turns[:2]) == ["east", "west"]
    assert turns[2:] == ["west"] * len(turns[2:])
    (note,) = notes
    assert "is being written by process" in note
    assert list(reports) == ["west", "east"]
    assert (
        reports["west"].checksums
        == geoseg.segment(scenes[0], tmp_path / "west").checksums
    )


def test_what_is_done_is_not_done_again(scenes, tmp_path, no_more_inference):
    first = geoseg.segment_each(scenes, tmp_path)
    no_more_inference()
    again = geoseg.segment_each(scenes, tmp_path)
    assert again["west"].class_areas == first["west"].class_areas
    options = geoseg.SegmentOptions(min_confidence=50)
    with pytest.raises(AssertionError, match="inferred again"):
        geoseg.segment_each(scenes, tmp_path, options=options)


def test_a_scene_that_fails_does_not_stop_the_others(scenes, tmp_path):
    broken = tmp_path / "broken.tif"
    content = bytearray(scenes[0].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 5000] = bytes(5000)
    broken.write_bytes(content)
    command = ["segment", str(broken), str(scenes[1]), "--each", "-o", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 1
    assert "1 of 2 scenes failed, the others are done (broken: block" in result.stderr
    assert str(broken) in result.stderr
    assert (tmp_path / "out/east/landcover.tif").exists()
    assert not (tmp_path / "out/broken/landcover.tif").exists()

    broken.write_bytes(scenes[0].read_bytes())
    result = CliRunner().invoke(main, [*map(str, command), "--restart", "--json"])
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["maps"]) == ["broken", "east"]


def test_scenes_that_would_share_a_folder_are_refused(scenes, tmp_path):
    with pytest.raises(geoseg.InputError, match="would share the folder 'west'"):
        geoseg.segment_each([scenes[0], scenes[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_scenes_are_checked_before_the_first_begins(scenes, tmp_path):
    with pytest.raises(geoseg.InputError, match=r"none\.tif"):
        geoseg.segment_each([scenes[0], tmp_path / "none.tif"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_plan_names_each_scene(scenes, tmp_path, monkeypatch):
    shorten(monkeypatch, trial=0.1)
    command = ["plan", *map(str, scenes), "--each", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*command, "--json"])
    assert result.exit_code == 0, result.output
    maps = json.loads(result.stdout)["maps"]
    assert {name: each["map_pixels"] for name, each in maps.items()} == {
        "west": 300 * 200,
        "east": 300 * 200,
    }
    shown = CliRunner().invoke(main, command)
    assert "all 2 maps take" in shown.stdout
    refused = CliRunner().invoke(main, [*command, str(scenes[0])])
    assert refused.exit_code == 2
    assert "would share the folder 'west'" in refused.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def parks(scenes, tmp_path):
    """Two features that share a boundary and tiles, and overlap a bit."""
    with rasterio.open(scenes[0]) as scene:
        left, bottom, right, top = scene.bounds
        crs = scene.crs
    shapes = [
        box(left + 205, bottom + 505, left + 1405, top - 195),
        box(left + 1355, bottom + 5, right - 305, top - 5),
    ]
    frame = geopandas.GeoDataFrame({"name": ["A", "B"]}, geometry=shapes, crs=crs)
    frame.to_file(tmp_path / "parks.gpkg")
    return tmp_path / "parks.gpkg", dict(zip("AB", shapes, strict=True))


def test_each_feature_has_the_map_that_it_has_alone(
    scenes, parks, tmp_path, monkeypatch
):
    path, shapes = parks
    inferred = []
    predict = tiles_module.TilePredictor.__call__

    def count(self, pixels, valid):
        inferred.append(len(pixels))
        return predict(self, pixels, valid)

    monkeypatch.setattr(tiles_module.TilePredictor, "__call__", count)
    out = tmp_path / "out"
    reports = geoseg.segment_features(scenes[0], out, aoi=path, field="name")
    together = len(inferred)
    assert list(reports) == ["A", "B"]
    for name, shape in shapes.items():
        alone = tmp_path / f"alone-{name}"
        area = f"EPSG:32633;{shape.wkt}"
        report = geoseg.segment(scenes[0], alone, aoi=area)
        for product in ("landcover.tif", "confidence.tif"):
            values, transform = read(out / name / product)
            expected, where = read(alone / product)
            assert transform == where
            assert np.array_equal(values, expected)
        assert reports[name].class_areas == report.class_areas
        assert reports[name].aoi == {"given": str(path), "feature": name}
    assert together < len(inferred) - together
    assert sorted(p.name for p in out.iterdir()) == ["A", "B"]


def test_features_through_the_command_line(scenes, parks, tmp_path):
    command = ["segment", str(scenes[0]), "-o", str(tmp_path / "out")]
    refused = CliRunner().invoke(main, [*command, "--per-feature", "name"])
    assert refused.exit_code == 2
    assert "--per-feature needs the features of an --aoi" in refused.stderr
    area = ["--aoi", str(parks[0]), "--per-feature"]
    result = CliRunner().invoke(main, [*command, *area, "nme"])
    assert result.exit_code == 2
    assert "has no field 'nme': name" in result.stderr
    assert not (tmp_path / "out").exists()
    result = CliRunner().invoke(main, [*command, *area, "name"])
    assert result.exit_code == 0, result.stderr
    assert "Land cover (ha)" in result.stdout
    assert (tmp_path / "out" / "B" / "landcover.geojson").exists()


def test_features_with_a_mask_do_not_go_to_an_object_store():
    options = geoseg.SegmentOptions(mask_model="csmask")
    with pytest.raises(InputError, match="go to a disk only"):
        geoseg.segment_features(
            "a.tif", "s3://bucket/map", aoi="a.gpkg", field="id", options=options
        )
