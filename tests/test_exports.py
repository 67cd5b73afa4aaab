"""The public API is what it says, is documented, and costs nothing to import."""

import subprocess
import sys
from pathlib import Path

import pytest

import geoseg

HEAVY = {"dask", "distributed", "geopandas", "matplotlib", "numba", "numpy"}
HEAVY |= {"pandas", "pyogrio", "pyproj", "rasterio", "shapely", "torch"}


@pytest.mark.parametrize("name", geoseg.__all__)
def test_a_public_name_is_there_and_documented(name):
    thing = getattr(geoseg, name)
    assert thing.__name__ == name
    assert thing.__doc__.strip()


@pytest.mark.parametrize("name", geoseg.__all__)
def test_a_public_name_is_no_room(name):
    # Importing the room geoseg.x would replace the function geoseg.x by it.
    room = Path(geoseg.__file__).parent / name
    assert not room.exists()
    assert not room.with_suffix(".py").exists()


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
