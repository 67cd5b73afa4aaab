"""geoseg is importable from everywhere, also beside a clone that bears its name."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from shutil import copy, copytree

import pytest
from hatchling import build

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Give a clone called geoseg whose editable install lies in a folder beside."""
    clone = tmp_path / "geoseg"
    clone.mkdir()
    copytree(REPOSITORY / "geoseg", clone / "geoseg")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        copy(REPOSITORY / name, clone / name)
    monkeypatch.chdir(clone)
    wheel = tmp_path / build.build_editable(str(tmp_path))
    with zipfile.ZipFile(wheel) as files:
        files.extractall(tmp_path / "site-packages")
    return clone


def test_a_script_beside_a_clone_called_geoseg_gets_the_package(clone):
    script = clone.parent / "script.py"
    script.write_text(
        "import site; site.addsitedir('site-packages')\n"
        "import geoseg\n"
        "print(geoseg.__file__, geoseg.__version__, geoseg.InputError.__name__)\n"
    )
    done = subprocess.run(  # -S: without this interpreter's own geoseg
        [sys.executable, "-S", "-E", script.name],
        cwd=clone.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    file, told, error = done.stdout.split()
    assert Path(file) == clone / "geoseg" / "__init__.py"
    assert told == version("geoseg")
    assert error == "InputError"


def test_a_wheel_holds_the_package_the_model_and_the_licences(tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    wheel = tmp_path / build.build_wheel(str(tmp_path))
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {n for n in names if ".dist-info/" not in n}
    assert {n.split("/")[0] for n in ours} == {"geoseg"}
    assert {"geoseg/py.typed", "geoseg/models/shipped/model.safetensors"} <= ours
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    licences = {n.rpartition("/")[2] for n in names if "/licenses/" in n}
    assert licences == set(told["license-files"])
    assert any(n.endswith("entry_points.txt") for n in names)
