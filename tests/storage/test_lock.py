"""Two writers never share an output: the second is refused, and hears who writes."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from onnx_models import write_onnx

import geoseg
from geoseg.cli import main
from geoseg.errors import OutputError
from geoseg.storage.lock import locked_file, locked_folder

HOLD = """
import pathlib, sys, time
from geoseg.storage.lock import locked_file, locked_folder
lock = getattr(sys.modules["geoseg.storage.lock"], sys.argv[1])
with lock(pathlib.Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Start another process that holds a lock; give its number."""
    started = []

    def start(kind, path):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, kind, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.communicate("")


@pytest.mark.parametrize("lock", [locked_file, locked_folder])
def test_the_second_is_refused_and_the_lock_goes_with_its_process(tmp_path, hold, lock):
    output = tmp_path / "new" / "out"
    holder = hold(lock.__name__, output)
    said = rf"out is being written by process {holder.pid}\b.* on "
    with pytest.raises(OutputError, match=said), lock(output):
        pass
    holder.kill()
    holder.wait()
    with lock(output):
        pass
    assert not [p for p in (tmp_path / "new").rglob("*") if p.is_file()]


def test_a_lock_leaves_no_folder_that_it_made(tmp_path):
    with locked_file(tmp_path / "a" / "b" / "map.gpkg"):
        assert (tmp_path / "a" / "b").is_dir()
    with locked_folder(tmp_path / "c" / "d"):
        assert (tmp_path / "c" / "d").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_one_at_a_time_holds_a_lock_that_comes_and_goes(tmp_path):
    script = (
        "import os, pathlib, sys\n"
        "from geoseg.errors import OutputError\n"
        "from geoseg.storage.lock import locked_file\n"
        "output, alone = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])\n"
        "held = 0\n"
        "while held < 60:\n"
        "    try:\n"
        "        with locked_file(output):\n"
        "            os.close(os.open(alone, os.O_CREAT | os.O_EXCL))\n"
        "            alone.unlink()\n"
        "            held += 1\n"
        "    except OutputError:\n"
        "        pass\n"
    )
    words = [sys.executable, "-c", script, tmp_path / "out", tmp_path / "alone"]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]


@pytest.mark.parametrize(
    "command", [["train", "--labels", "labels.gpkg"], ["tile"]], ids=["train", "tile"]
)
def test_a_second_training_or_export_is_refused_at_once(tmp_path, make_raster, command):
    scene = make_raster(values=np.ones((2, 64, 64), np.float32), bands=("B02", "B03"))
    with locked_file(tmp_path / "out"):
        words = [command[0], scene, *command[1:], "-o", tmp_path / "out"]
        result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 2
    assert f"is being written by process {os.getpid()}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_second_draw_of_points_or_package_is_refused(tmp_path, make_raster):
    classes = make_raster("map.tif", values=np.eye(9, dtype=np.uint8)[None], nodata=255)
    onnx = write_onnx(tmp_path / "net.onnx")
    said = ["--bands", "1,2,3", "--class", "a", "--class", "b", "--gsd", "1"]
    commands = {
        "points.gpkg": ["sample-points", classes],
        "package": ["models", "package", onnx, *said],
    }
    before = sorted(tmp_path.iterdir())
    for name, words in commands.items():
        with locked_file(tmp_path / name):
            line = [str(word) for word in (*words, "-o", tmp_path / name)]
            result = CliRunner().invoke(main, line)
        assert result.exit_code == 2, result.output
        assert f"is being written by process {os.getpid()}" in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_figures_of_somebody_are_kept_and_a_second_evaluation_is_refused(
    tmp_path, make_raster
):
    values = np.array([[[1, 2], [2, 1]]], np.uint8)
    first = make_raster("map.tif", values=values, nodata=255)
    other = make_raster("truth.tif", values=values, nodata=255)
    out = tmp_path / "out"
    with (
        locked_folder(out),
        pytest.raises(OutputError, match=f"written by process {os.getpid()}"),
    ):
        geoseg.evaluate(first, other, output=out)
    for _ in range(2):
        geoseg.evaluate(first, other, output=out)
    (out / "confusion.png").write_bytes(b"my own picture")
    with pytest.raises(OutputError, match=r"confusion\.png would be replaced"):
        geoseg.evaluate(first, other, output=out)
    geoseg.evaluate(first, other, output=out, overwrite=True)
    assert {p.name for p in out.iterdir()} == {"accuracy.json", "confusion.png"}


def leave(lock, holder):
    """Leave a lock and its note as a process that was killed does."""
    lock.write_bytes(b"")
    lock.with_name(f"{lock.name}.holder").write_text(holder)


def ended():
    """Give the number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_locks_of_processes_that_have_ended_are_taken_away(tmp_path, hold):
    gone, here = f"process {ended()} of me", socket.gethostname()
    leave(tmp_path / ".a.tif.lock", f"{gone} on {here}")
    leave(tmp_path / ".b.tif.lock", f"{gone} on elsewhere")
    leave(tmp_path / ".c.tif.lock", "a person's own words")
    holder = hold("locked_file", tmp_path / "d.tif")
    with locked_file(tmp_path / "e.tif"):
        left = {path.name for path in tmp_path.glob("*.lock")}
    assert left == {".b.tif.lock", ".c.tif.lock", ".d.tif.lock", ".e.tif.lock"}
    with pytest.raises(OutputError, match=f"by process {holder.pid}"):
        locked_file(tmp_path / "d.tif").__enter__()


def test_a_lock_of_another_user_or_machine_is_a_sentence(tmp_path, caplog, monkeypatch):
    caplog.set_level("INFO", logger="geoseg")
    leave(tmp_path / ".map.tif.lock", "process 7 of ann on elsewhere")
    with locked_file(tmp_path / "map.tif"):
        pass
    (said,) = (m for m in caplog.messages if "elsewhere" in m)
    assert "left unfinished by process 7 of ann on elsewhere; where that still" in said
    leave(tmp_path / ".map.tif.lock", "process 7 of ann on elsewhere")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", denied)
    with (
        pytest.raises(OutputError, match=r"by process 7 of ann .*let them remove \S+k"),
        locked_file(tmp_path / "map.tif"),
    ):
        pass
