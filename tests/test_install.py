"""geoseg is importable from everywhere, also beside a clone that bears its name."""

import ast
import contextlib
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from hatchling import build
from packaging.requirements import Requirement

from geoseg.errors import InputError, needs

REPOSITORY = Path(__file__).parent.parent
SAMPLE = REPOSITORY / "sample_aoi"
INSTALL = REPOSITORY / "workflows" / "install"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Give a clone called geoseg whose editable install lies in a folder beside."""
    clone = tmp_path / "geoseg"
    clone.mkdir()
    shutil.copytree(REPOSITORY / "geoseg", clone / "geoseg")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(REPOSITORY / name, clone / name)
    monkeypatch.chdir(clone)
    wheel = tmp_path / build.build_editable(str(tmp_path))
    shutil.unpack_archive(wheel, tmp_path / "site-packages", "zip")
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
    file, found, error = done.stdout.split()
    assert Path(file) == clone / "geoseg" / "__init__.py"
    assert found == version("geoseg")
    assert error == "InputError"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from what the sdist holds, as an index's users get it."""
    folder = tmp_path_factory.mktemp("wheel")
    with contextlib.chdir(REPOSITORY):
        sdist = folder / build.build_sdist(str(folder))
    shutil.unpack_archive(sdist, folder, filter="data")
    with contextlib.chdir(folder / sdist.name.removesuffix(".tar.gz")):
        return folder / build.build_wheel(str(folder))


def test_what_an_extra_brings_is_named_with_the_extra_that_brings_it(monkeypatch):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    calls = {
        tuple(map(ast.literal_eval, node.args[:2]))
        for path in (REPOSITORY / "geoseg").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "needs"
        if all(isinstance(each, ast.Constant) for each in node.args[:2])
    }
    assert {("h5py", "hdf5"), ("onnxruntime", "onnx")} <= calls
    for module, extra in calls:
        brought = [Requirement(each).name.replace("-", "_") for each in extras[extra]]
        assert module in brought
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
        with pytest.raises(InputError) as refused:
            needs(module, extra, "a file", instead="go without")
        assert str(refused.value) == (
            f"a file needs the package {module}, which is not installed: "
            f"pip install 'geoseg[{extra}]'; or go without"
        )


def test_the_conda_recipe_asks_for_what_the_package_asks_for():
    recipe = yaml.safe_load((INSTALL / "recipe.yaml").read_text())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    renamed = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
    asked = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    assert {
        Requirement(f"{renamed.get(name, name)}{bounds}")
        for name, bounds in asked.items()
    } == {
        Requirement(line)
        for line in [*project["dependencies"], f"python{project['requires-python']}"]
    }
    assert recipe["context"]["version"] == project["version"]
    (command,) = recipe["build"]["python"]["entry_points"]
    assert command.split(" = ") == ["geoseg", project["scripts"]["geoseg"]]


@pytest.mark.parametrize("file", ["Dockerfile", "geoseg.def"])
def test_images_install_the_torch_that_the_package_allows(file):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        if line.startswith("torch"):
            assert f'"{line}"' in (INSTALL / file).read_text()


def test_a_wheel_holds_the_package_the_model_the_sample_and_the_licences(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {n for n in names if ".dist-info/" not in n}
    assert {n.split("/")[0] for n in ours} == {"geoseg"}
    assert {"geoseg/py.typed", "geoseg/models/shipped/model.safetensors"} <= ours
    sample = {n.rpartition("/")[2] for n in ours if n.startswith("geoseg/sample_aoi/")}
    assert sample == {path.name for path in SAMPLE.iterdir()} - {"preview.png"}
    assert sum((SAMPLE / name).stat().st_size for name in sample) < 6e6
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    licences = {n.rpartition("/")[2] for n in names if "/licenses/" in n}
    assert licences == set(project["license-files"])
    assert any(n.endswith("entry_points.txt") for n in names)


def test_what_an_index_shows_of_the_readme_has_no_link_that_leads_nowhere(wheel):
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))
        page = message_from_string(opened.read(name).decode()).get_payload()
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", page)
    assert links == re.findall(r"\]\((https://[^)]*)\)", readme)
    commands = [line for line in readme.splitlines() if line.startswith("    ")]
    assert len(commands) > 2
    assert set(commands) <= set(page.splitlines())
    files = set(re.findall(r"`([\w./-]+\.md|NOTICE)`", page))
    linked = set(re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", readme))
    assert files >= {each for each in linked if not each.endswith(".png")}
    sdist = wheel.parent / wheel.name.removesuffix("-py3-none-any.whl")
    assert [each for each in files if not (sdist / each).is_file()] == []


def test_who_has_only_the_wheel_gets_the_sample_and_maps_it(wheel, tmp_path):
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    shutil.copy(wheel, tmp_path)  # nothing of the clone is here
    code = "import sys, geoseg; assert sys.path[1] in geoseg.__file__"
    for command in (
        [sys.executable, "-c", code],
        [sys.executable, "-m", "geoseg", "sample", "s"],
        [
            *(sys.executable, "-m", "geoseg", "segment", "s/scene.tif"),
            *("--bbox", "12.55,52.47,12.57,52.48", "-o", "out"),
        ],
    ):
        subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": site}, check=True
        )
    assert filecmp.cmp(
        tmp_path / "s" / "scene.tif", SAMPLE / "scene.tif", shallow=False
    )
    assert (tmp_path / "out" / "landcover.geojson").stat().st_size > 1000
