"""Renames wait for who has a file open for a moment, as scanners do on Windows."""

import os

import pytest

from geoseg.run.journal.disk import create_file
from geoseg.storage import renames
from geoseg.storage.gdal_paths import readable, writable
from geoseg.storage.renames import rename


class Windows:
    """A rename that is refused while somebody has the file open."""

    def __init__(self, refusals, winerror):
        """Refuse so often, with this number of Windows'."""
        self.left, self.winerror, self.replace = refusals, winerror, os.replace

    def __call__(self, path, target):
        if not self.left:
            return self.replace(path, target)
        self.left -= 1
        error = PermissionError(13, "used by another process", str(path))
        error.winerror = self.winerror
        raise error


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Give a new file and an old one; nothing waits."""
    monkeypatch.setattr(renames, "_PAUSES_S", (0, 0, 0))
    for name in ("new", "old"):
        (tmp_path / name).write_text(name)
    return tmp_path / "new", tmp_path / "old"


@pytest.mark.parametrize("winerror", [5, 32])
def test_a_file_that_is_open_for_a_moment_is_renamed_then(files, monkeypatch, winerror):
    monkeypatch.setattr(os, "replace", Windows(3, winerror))
    rename(*files)
    assert files[1].read_text() == "new"
    assert not files[0].exists()


@pytest.mark.parametrize(("refusals", "winerror"), [(4, 32), (1, 1), (1, None)])
def test_a_file_that_stays_open_or_is_forbidden_is_an_error(
    files, monkeypatch, refusals, winerror
):
    monkeypatch.setattr(os, "replace", Windows(refusals, winerror))
    with pytest.raises(PermissionError):
        rename(*files)
    assert [each.read_text() for each in files] == ["new", "old"]


def test_blocks_are_written_as_they_are_where_texts_would_be_changed(
    tmp_path, monkeypatch
):
    flags = []
    opened = os.open
    monkeypatch.setattr(os, "O_BINARY", 1 << 30, raising=False)

    def remembered(path, flag, mode):
        flags.append(flag)
        return opened(path, flag & ~os.O_BINARY, mode)

    monkeypatch.setattr(os, "open", remembered)
    create_file(str(tmp_path / "block"), b"a\nb\r\n\x1a")
    assert [flag & os.O_BINARY for flag in flags] == [os.O_BINARY]
    assert (tmp_path / "block").read_bytes() == b"a\nb\r\n\x1a"


@pytest.fixture
def without_links(monkeypatch):
    """Let nobody make links, as Windows does but for developers."""

    def refuse(*_, **__):
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)


@pytest.mark.usefixtures("without_links")
def test_odd_names_of_vector_files_need_no_links(tmp_path):
    odd = tmp_path / "a;b!"
    odd.mkdir()
    with writable(odd / "c;d.shp", ".shp") as plain:
        assert ";" not in str(plain)
        for suffix in (".shp", ".dbf"):
            plain.with_suffix(suffix).write_text(suffix)
    assert {path.name for path in odd.iterdir()} == {"c;d.shp", "c;d.dbf"}
    with readable(odd / "c;d.shp") as plain:
        assert ";" not in str(plain)
        assert plain.with_suffix(".dbf").read_text() == ".dbf"
