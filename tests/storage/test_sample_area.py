"""The sample, written where somebody wants it."""

import filecmp
from pathlib import Path

import pytest

import geoseg
from geoseg.storage import sample_area

SAMPLE = Path(__file__).parents[2] / "sample_aoi"


def test_the_sample_is_written_and_stays_as_it_is_the_second_time(tmp_path):
    first = geoseg.sample(tmp_path / "s")
    times = [path.stat().st_mtime_ns for path in first]
    (tmp_path / "s" / "notes.txt").write_text("mine")
    assert geoseg.sample(tmp_path / "s") == first
    assert [path.stat().st_mtime_ns for path in first] == times
    names = [path.name for path in first]
    same, _, _ = filecmp.cmpfiles(tmp_path / "s", SAMPLE, names, shallow=False)
    assert same == names
    assert {path.name for path in (tmp_path / "s").iterdir()} == {*names, "notes.txt"}


def test_what_is_missing_of_the_sample_comes_back(tmp_path):
    geoseg.sample(tmp_path)
    (tmp_path / "aoi.geojson").unlink()
    geoseg.sample(tmp_path)
    assert filecmp.cmp(tmp_path / "aoi.geojson", SAMPLE / "aoi.geojson", shallow=False)


def test_a_file_of_that_name_that_is_another_one_stays_and_nothing_is_written(tmp_path):
    (tmp_path / "scene.tif").write_text("mine")
    with pytest.raises(geoseg.InputError, match=r"scene\.tif .* not the sample's"):
        geoseg.sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_an_installation_without_the_sample_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_area, "_PACKAGE", tmp_path / "site" / "geoseg")
    with pytest.raises(geoseg.InputError, match="install geoseg again"):
        geoseg.sample(tmp_path / "s")
    assert not (tmp_path / "s").exists()
