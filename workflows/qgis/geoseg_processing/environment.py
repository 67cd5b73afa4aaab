"""Where geoseg is: a program in an environment of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "GEOSEG_PROGRAM"
"""The environment variable that names the program where no setting does."""
_OF_QGIS = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"),
    *("GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "VIRTUAL_ENV"),
)
"""What QGIS says of its own libraries, which would lead others astray."""
_NAMES = "bin/geoseg", "Scripts/geoseg.exe", "Scripts/geoseg"
"""The program in the folder of an environment."""
_ENVIRONMENTS = (
    *(".local", ".local/pipx/venvs/geoseg", ".local/share/pipx/venvs/geoseg"),
    *("pipx/venvs/geoseg", ".local/share/uv/tools/geoseg", ".virtualenvs/geoseg"),
    *("geoseg/.venv", "miniforge3/envs/geoseg", "mambaforge/envs/geoseg"),
    *("miniconda3/envs/geoseg", "anaconda3/envs/geoseg", "micromamba/envs/geoseg"),
    "AppData/Roaming/uv/tools/geoseg",
)
"""Where pip, pipx, uv and conda put environments, below the home folder."""


class NotFoundError(Exception):
    """There is no geoseg, or not where it was said to be."""


def find_program(
    setting: str = "",
    environ: Mapping[str, str] = os.environ,
    home: Path | None = None,
) -> Path:
    """Find geoseg's program.

    Args:
        setting: The program or the folder of its environment, as the settings say;
            nothing to look for it.
        environ: The environment, whose `VARIABLE` says the same, and whose ``PATH`` is
            looked through.
        home: The home folder, below which it is looked for last.

    Raises:
        NotFoundError: It is not there.

    """
    for named, where in ((setting, "the settings"), (environ.get(VARIABLE), VARIABLE)):
        if named:
            return _named(Path(named).expanduser(), where)
    found = shutil.which("geoseg", path=environ.get("PATH", ""))
    if found:
        return Path(found)
    for folder in _ENVIRONMENTS:
        for program in _programs((home or Path.home()) / folder):
            return program
    raise NotFoundError(
        "geoseg was not found; install it in an environment of its own (pip install "
        "geoseg in a new venv) and name that folder in Settings > Options > "
        f"Processing > Providers > geoseg, or in {VARIABLE}"
    )


def _named(place: Path, where: str) -> Path:
    if place.is_file():
        return place
    for program in _programs(place):
        return program
    raise NotFoundError(
        f"{where} names {place}, where there is no geoseg; name its program, or the "
        f"folder of the environment in which it is installed"
    )


def _programs(folder: Path) -> Iterator[Path]:
    """Give the programs that an environment has: one or none."""
    for name in _NAMES:
        if (folder / name).is_file():
            yield folder / name


def own_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Give the environment without what QGIS says of its own libraries."""
    return {name: each for name, each in environ.items() if name not in _OF_QGIS}
