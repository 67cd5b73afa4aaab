"""Products appear complete or not at all."""

import errno

import pytest

from geoseg.errors import DiskError, SceneError
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
    assert str(caught.value) == (
        f"cannot write {target}: No space left on device; "
        "make room or access there and run the same command again"
    )


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
        pytest.raises(DiskError, match="cannot write to"),
        scratch_folder(tmp_path / "file"),
    ):
        pass
