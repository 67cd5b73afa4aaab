"""Nothing that only some systems have is needed: stand-ins of what others do."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import PureWindowsPath

import pytest
from paths import ROOT

from geoseg.cli import signals
from geoseg.errors import OutputError
from geoseg.run.journal import disk
from geoseg.storage import full_disk
from geoseg.storage.full_disk import disk_error
from geoseg.storage.lock import locked_folder
from geoseg.storage.output import Output

CODE = """
import importlib, sys
import click, distributed, geopandas, matplotlib, numba, onnxruntime, pyarrow, pystac
import rasterio, rich, safetensors, segmentation_models_pytorch, torch
for name in ("resource", "fcntl", "pwd", "grp", "termios", "tty"):
    sys.modules[name] = None  # an import of it fails, as on Windows
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_no_module_needs_what_only_posix_has():
    paths = (ROOT / "geoseg").rglob("*.py")
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    names.discard("geoseg.__main__")  # it runs
    modules = sorted(name.removesuffix(".__init__") for name in names)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_errors_are_sentences_where_there_are_no_users_and_no_limits(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.delattr(os, "geteuid")
    many = disk_error(tmp_path / "map.tif", OSError(errno.EMFILE, "Too many open"))
    assert "map.tif (Too many open; " in str(many)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Access is denied", str(tmp_path / "run"))

    monkeypatch.setattr(disk.DiskStore, "write", refuse)
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    (tmp_path / "run" / "identity.json").touch()
    with pytest.raises(OutputError, match=r"run cannot be written \(Access is denied"):
        disk.read_identity(tmp_path / "run")


def test_a_signal_that_was_lost_does_not_end_windows_programs_at_once(monkeypatch):
    sent = []
    monkeypatch.setattr(signal, "raise_signal", sent.append)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it ends the process there"))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(signals, "_sent_again", [])
    signals._send_again(signal.SIGINT)  # noqa: SLF001  # what its timer calls
    assert sent == [signal.SIGINT]


def test_a_path_that_windows_may_not_take_is_said_to_be_long(tmp_path, monkeypatch):
    monkeypatch.setattr(full_disk, "_SHORT_PATHS", True)
    out = tmp_path / ("a" * 200) / "map"
    length = len(str(out))
    assert length + 60 > 260

    def refuse(*_, **__):
        raise FileNotFoundError(2, "The system cannot find the path specified")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    why = rf"specified; its path has {length} characters, .* takes 259 unless LongPaths"
    with pytest.raises(OutputError, match=why), locked_folder(out):
        pass
    assert "characters" not in str(disk_error(tmp_path, OSError(5, "I/O error")))


def test_names_in_stores_have_slashes_whatever_the_system_has():
    output = Output(PureWindowsPath("C:/made"), "s3://bucket/map")
    made = PureWindowsPath(r"C:\made\west\landcover.tif")
    assert output.destination(made) == "s3://bucket/map/west/landcover.tif"
