"""The public API is what it says, is documented, and costs nothing to import."""

import pickle
import pkgutil
import pydoc
import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib.metadata import version

import pytest

import geoseg
from geoseg.cli import COMMANDS

HEAVY = {"dask", "distributed", "geopandas", "matplotlib", "numba", "numpy"}
HEAVY |= {"pandas", "pyogrio", "pyproj", "rasterio", "shapely", "torch", "xarray"}


PUBLIC = sorted(set(geoseg.__all__) - {"__version__"})
ROOMS = [m.name for m in pkgutil.iter_modules(geoseg.__path__) if m.name in PUBLIC]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name):
    thing = getattr(geoseg, name)
    assert thing.__name__ == name
    assert thing.__doc__.strip()


DATACLASSES = [name for name in PUBLIC if is_dataclass(getattr(geoseg, name))]


@pytest.mark.parametrize("name", DATACLASSES)
def test_help_lists_every_field_of_a_public_class(name):
    kind = getattr(geoseg, name)
    helped = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    listed = helped[helped.index("Attributes:") :]
    for each in fields(kind):
        if not each.name.startswith("_"):
            assert f"{each.name}: " in listed, each.name
    getattr(geoseg, name)
    assert kind.__doc__.count("Attributes:") == 1


def test_help_says_what_stands_under_a_field():
    assert "formats: Vector formats to write: one or several of" in (
        geoseg.SegmentOptions.__doc__
    )
    assert "fold" not in vars(geoseg.TrainOptions)["__annotations__"], "inherited"
    assert "fold: " in geoseg.TrainOptions.__doc__


def test_the_version_is_that_of_the_package():
    assert geoseg.__version__ == version("geoseg")


@pytest.mark.parametrize("name", [*COMMANDS, "segment-each", "plan-each"])
def test_each_command_is_a_function_of_the_same_name(name):
    if name not in {"models", "completion"}:  # a group, and a matter of shells
        assert callable(getattr(geoseg, name.replace("-", "_")))


def test_some_functions_are_called_like_rooms():
    assert {"evaluate", "train", "vectorize"} <= set(ROOMS)


@pytest.mark.parametrize(
    "lines",
    [
        "import geoseg.{room}; import geoseg",
        "import geoseg; geoseg.{room}; import geoseg.{room}",
        "import geoseg.{room}, importlib; importlib.reload(geoseg)",
    ],
)
def test_a_function_is_not_replaced_by_the_room_of_its_name(lines):
    code = "import sys; from types import FunctionType, ModuleType\n"
    for room in ROOMS:
        code += f"""
{lines.format(room=room)}
from geoseg import {room} as taken
assert type(geoseg.{room}) is FunctionType is type(taken)
assert geoseg.{room}.__name__ == "{room}" and geoseg.{room} is taken
assert type(sys.modules["geoseg.{room}"]) is ModuleType
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_function_is_replaced_when_all_rooms_are_imported():
    code = f"""
import geoseg, importlib, pkgutil
from types import FunctionType
for module in pkgutil.walk_packages(geoseg.__path__, "geoseg."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert all(type(getattr(geoseg, name)) is FunctionType for name in {ROOMS})
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_functions_of_rooms_of_their_name_can_be_sent_to_workers():
    for name in ROOMS:
        function = getattr(geoseg, name)
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301  # ours


def test_dir_and_all_agree():
    assert dir(geoseg) == sorted(geoseg.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'segmnet'"):
        geoseg.segmnet  # noqa: B018 (the look-up is the test)


@pytest.mark.parametrize(
    "code",
    [
        "import geoseg",
        "from geoseg.cli import main; main(['--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code):
    """An exact stand-in for a time budget, which a busy machine would break."""
    code += "; import sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stderr.split())
