"""What is no fault of geoseg's, and ends in a sentence of its own."""

import errno
import os
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from click.testing import CliRunner
from small_disks import small_disk

import geoseg
from geoseg.cli import libraries, main, memory
from geoseg.errors import DiskError
from geoseg.models.package.new_folder import new_folder
from geoseg.storage.authorship import check_names
from geoseg.storage.full_disk import written

MODELS = [sys.executable, "-m", "geoseg", "models", "list"]
FULL = Path("/dev/full")


@pytest.fixture
def info_raises(monkeypatch):
    """Give a function that runs a command in which an error is raised."""

    def run(error):
        def fail(*_args, **_options):
            raise error

        monkeypatch.setattr(geoseg, "info", fail)
        return CliRunner().invoke(main, ["info", "scene.tif"])

    return run


def test_a_reader_that_leaves_is_no_failure():
    line = f"{shlex.join(MODELS)} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_result_that_cannot_be_printed_is_reported_and_products_are_there():
    with FULL.open("wb") as full:
        done = subprocess.run(
            MODELS, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "its files are complete, but the result could not be printed" in done.stderr
    assert "did not foresee" not in done.stderr


@pytest.mark.parametrize("role", ["input", "output"])
def test_names_that_are_no_utf8_are_refused_first(role, tmp_path):
    odd = os.fsdecode(b"scene\xff.tif")
    given = [odd, "-o", "x"] if role == "input" else ["x.tif", "-o", odd]
    done = CliRunner().invoke(main, ["segment", *given])
    assert done.exit_code == 2
    assert "its name is not in UTF-8" in done.stderr
    with pytest.raises(geoseg.InputError, match="not in UTF-8"):
        geoseg.info(tmp_path / odd)
    with pytest.raises(geoseg.InputError, match="not in UTF-8"):
        check_names(tmp_path / odd)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("GEOSException: std::bad_alloc"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_memory_that_ran_out_is_reported_with_what_helps(error, info_raises):
    done = info_raises(error)
    assert done.exit_code == 1
    assert "memory ran out" in done.stderr
    assert "--min-area" in done.stderr
    assert memory.lacks_memory(error)
    assert not memory.lacks_memory(ValueError("no such class"))


def test_a_library_of_another_version_is_named_with_the_one_that_is_needed(
    monkeypatch, info_raises
):
    error = ImportError("cannot import name 'Resampling' from 'rasterio'")

    def say(name):
        if name == "onnxruntime":
            raise PackageNotFoundError  # an extra that nobody asked for
        return {"rasterio": "1.3.9", "pytest": "3.0"}.get(name) or version(name)

    assert "did not foresee" in info_raises(error).stderr
    monkeypatch.setattr(libraries, "version", say)
    done = info_raises(error)
    assert done.exit_code == 1
    assert done.stderr == (
        "geoseg: rasterio 1.3.9 is installed and rasterio>=1.4.3 is needed: "
        "pip install --upgrade geoseg brings it\n"
    )


def test_pytorch_for_cpus_beside_torchvision_for_gpus_is_named(
    monkeypatch, info_raises
):
    def say(name):
        return {"torch": "2.13.0+cpu", "torchvision": "0.28.0"}.get(name, "0")

    monkeypatch.setattr(libraries, "version", say)
    monkeypatch.setattr(libraries, "unfit_libraries", list)
    done = info_raises(RuntimeError("operator torchvision::nms does not exist"))
    assert done.exit_code == 1
    assert done.stderr == (
        "geoseg: torch 2.13.0+cpu and torchvision 0.28.0 are of different builds: "
        "install both again, in one command and from one place\n"
    )


def test_too_many_open_files_are_reported_with_what_helps(info_raises):
    done = info_raises(OSError(errno.EMFILE, "Too many open files"))
    assert (done.exit_code, "ulimit -n" in done.stderr) == (1, True)


def test_what_a_library_calls_otherwise_on_a_full_disk_is_a_full_disk(tmp_path):
    for error in (RuntimeError("PytorchStreamWriter: no space left on device"),):
        with pytest.raises(DiskError, match="is full"), written(tmp_path / "state.pt"):
            raise error
    with pytest.raises(ValueError, match="no such class"), written(tmp_path / "map"):
        raise ValueError("no such class")


def test_a_package_on_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path):
    with small_disk(tmp_path / "disk", 65_536) as disk:
        with (
            pytest.raises(DiskError, match=f"the disk {disk} is full"),
            new_folder(disk / "model") as folder,
        ):
            (folder / "model.safetensors").write_bytes(bytes(100_000))
        assert list(disk.iterdir()) == []
