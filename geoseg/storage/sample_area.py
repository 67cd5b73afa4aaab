"""The sample that comes with geoseg, written where somebody wants to try it."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

from geoseg.errors import InputError, OutputError
from geoseg.storage.authorship import checksum
from geoseg.storage.full_disk import needing
from geoseg.storage.lock import locked_folder
from geoseg.storage.staging import atomic_file, check_folder

_PACKAGE = Path(__file__).parents[1]
_FILES = ("README.md", "aoi.geojson", "labels.gpkg", "points.geojson", "scene.tif")


def sample(folder: Path | str) -> list[Path]:
    """Write the sample's files: 118 km2 of Brandenburg as Sentinel-2 saw them.

    ``README.md`` among them says what each is, and under which licence.

    Args:
        folder: Where they go; made where it is missing. Files of the sample that are
            there already stay.

    Returns:
        Where each of the files is now, about 6 MB in all.

    Raises:
        OutputError: A file of one of these names is there and is another one, the
            folder cannot be one, or another process writes there; nothing was written.
        DiskError: The disk is full or cannot be written.
        InputError: This geoseg came without the sample.

    """
    folder = Path(folder)
    check_folder(folder)
    with locked_folder(folder):
        return _written(folder)


def _written(folder: Path) -> list[Path]:
    """Write what is missing, where nobody else does."""
    home = _home()
    targets = {folder / name: home / name for name in _FILES}
    missing = [path for path in targets if not path.exists()]
    for path in targets.keys() - set(missing):
        if not path.is_file() or checksum(path) != checksum(targets[path]):
            raise OutputError(
                f"{path} is there and is not the sample's; name another folder"
            )
    size = sum(targets[path].stat().st_size for path in missing)
    with needing("the sample", lambda: size), ExitStack() as stack:
        made = {path: stack.enter_context(atomic_file(path)) for path in missing}
        for path, whole in made.items():
            shutil.copyfile(targets[path], whole)
    return list(targets)


def sample_file(name: str) -> Path:
    """Say where one of the sample's files is, in the installation itself.

    Raises:
        InputError: This geoseg came without the sample.

    """
    return _home() / name


def _home() -> Path:
    """Find the sample: in an installed package, or beside the one of a clone."""
    for home in (_PACKAGE / "sample_aoi", _PACKAGE.parent / "sample_aoi"):
        if (home / "scene.tif").is_file():
            return home
    raise InputError(
        f"the sample is missing from this installation ({_PACKAGE}); install geoseg "
        f"again, or take sample_aoi/ from its repository"
    )
