"""Products appear complete or not at all."""

import errno
import os
import re

import pytest

from geoseg.errors import DiskError, SceneError
from geoseg.storage.lock import locked_file
from geoseg.storage.staging import atomic_file, scratch_folder


def test_the_file_appears_only_when_the_body_has_ended(tmp_path):
    target = tmp_path / "new" / "map.tif"
    with atomic_file(target) as path:
        path.write_bytes(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert [p.name for p in target.parent.iterdir()] == ["map.tif"]


def test_a_failure_leaves_the_previous_file_and_nothing_else(tmp_path):
    target = tmp_path / "map.tif"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as path:
        path.write_bytes(bytes(1 // (path.write_bytes(b"half") - 4)))
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]
    assert target.read_bytes() == b"old"


def test_companions_come_along(tmp_path):
    with atomic_file(tmp_path / "map.tif") as path:
        path.write_bytes(b"map")
        path.with_name("map.tif.aux.xml").write_bytes(b"names")
    assert {p.name for p in tmp_path.iterdir()} == {"map.tif", "map.tif.aux.xml"}


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    target = tmp_path / "map.tif"
    left = tmp_path / ".map.tif.tmp"
    left.mkdir()
    (left / "map.tif.ovr.tmp").write_bytes(b"junk")
    with atomic_file(target) as path:
        path.write_bytes(b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_a_full_disk_is_one_sentence(tmp_path):
    target = tmp_path / "map.tif"
    with pytest.raises(DiskError) as caught, atomic_file(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert re.fullmatch(
        rf"cannot write {re.escape(str(target))}: the disk /\S* is full, more is "
        r"needed than the [\d.,]+ [MG]B that are free there; make room and run the "
        r"same command again",
        str(caught.value),
    )


def write_new(path, *suffixes):
    for suffix in suffixes:
        path.with_suffix(suffix).write_bytes(b"new")


def test_products_of_several_files_are_all_new_or_all_old(tmp_path, monkeypatch):
    target, other = tmp_path / "map.shp", tmp_path / "map.dbf"
    for path in (target, other, tmp_path / "map.qix"):
        path.write_bytes(b"old")
    rename = os.replace

    def full_in_the_end(path, destination):
        if destination == target and path.read_bytes() == b"new":
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, destination)

    monkeypatch.setattr(os, "replace", full_in_the_end)
    with pytest.raises(DiskError), atomic_file(target) as path:
        write_new(path, ".shp", ".dbf", ".prj")
    found = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    old = dict.fromkeys(("map.shp", "map.dbf", "map.qix"), b"old")
    assert found == old


def test_a_folder_where_a_file_belongs_stays(tmp_path):
    (tmp_path / "map.dbf").mkdir()
    (tmp_path / "map.dbf" / "mine.txt").touch()
    with (
        pytest.raises(DiskError, match="Is a directory"),
        atomic_file(tmp_path / "map.shp") as path,
    ):
        write_new(path, ".shp", ".dbf")
    assert (tmp_path / "map.dbf" / "mine.txt").exists()
    assert not (tmp_path / "map.shp").exists()


def test_errors_of_ours_pass_unchanged_though_some_are_os_errors(tmp_path):
    with (
        pytest.raises(SceneError, match=r"^the scene is gone$"),
        atomic_file(tmp_path / "map.tif"),
    ):
        raise SceneError("the scene is gone")


def test_a_scratch_folder_begins_empty_and_goes(tmp_path):
    (tmp_path / "out" / ".geoseg-scratch").mkdir(parents=True)
    (tmp_path / "out" / ".geoseg-scratch" / "left behind").touch()
    with scratch_folder(tmp_path / "out") as scratch:
        assert list(scratch.iterdir()) == []
        (scratch / "raster").touch()
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "file").touch()
    with (
        pytest.raises(DiskError, match="cannot write "),
        scratch_folder(tmp_path / "file"),
    ):
        pass


def test_what_a_kill_left_set_aside_comes_back(tmp_path):
    """Labels that people filled in are read before they are written anew."""
    labels, design = tmp_path / "points.gpkg", tmp_path / "points.gpkg.json"
    before = tmp_path / ".points.gpkg.tmp" / "before"
    before.mkdir(parents=True)
    (before / labels.name).write_text("filled in by hand")
    (before / design.name).write_text("old")
    design.write_text("new")
    with locked_file(labels):
        assert labels.read_text() == "filled in by hand"
        assert design.read_text() == "old"
    with atomic_file(labels) as whole:
        whole.write_text("filled in and drawn anew")
    assert labels.read_text() == "filled in and drawn anew"
    assert sorted(tmp_path.iterdir()) == [labels, design]
