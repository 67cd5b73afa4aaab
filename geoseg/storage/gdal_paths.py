"""Paths as GDAL's vector readers and writers take them.

pyogrio reads ``!`` as the way into an archive and ``;`` as the end of a path, and so
writes another file than the one that was named. Where a path has more than letters,
digits and a few signs, GDAL is given one without, which leads to the same files.
"""

from __future__ import annotations

import glob
import re
import shutil
import string
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from geoseg.storage.renames import rename

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = re.compile(r"(?!/vsi)[\w./ +=@,()\[\]{}$&^~-]*[\w]")
_ODD = re.compile(r"[^\w.-]")


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Give a path to a file, and to what is beside it, that GDAL takes as it is.

    Args:
        path: A file, or a folder that is read as one.

    """
    if _is_plain(path.absolute()) or not path.exists():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="geoseg-") as folder:
        stem = _plain(path.stem)
        for each in path.parent.glob(f"{glob.escape(path.stem)}*"):
            rest = each.name.removeprefix(path.stem)
            if each == path or rest.startswith("."):
                _lead(Path(folder, f"{stem}{rest}"), each.absolute())
        yield Path(folder, f"{stem}{path.suffix}")


@contextmanager
def writable(path: Path, suffix: str) -> Iterator[Path]:
    """Give a path that GDAL takes as it is, and rename what was written there.

    Args:
        path: The file that is wanted, in a folder that holds nothing else of its stem.
        suffix: The suffix by which GDAL knows the format.

    """
    plain = f"{_plain(path.stem)}{suffix}"
    if path.name == plain and _is_plain(path.absolute()):
        yield path
    else:
        with tempfile.TemporaryDirectory(prefix="geoseg-") as above:
            folder = Path(above, "folder")
            try:
                folder.symlink_to(path.parent.absolute(), target_is_directory=True)
            except OSError:  # Windows lets nobody but developers make links
                folder.mkdir()
            yield folder / plain
            if not folder.is_symlink():
                for made in folder.iterdir():
                    shutil.move(made, path.parent / made.name)
        _rename(path, plain)


def layer_name(stem: str) -> str:
    """Name a layer like its file: GDAL takes no sign at its beginning.

    Example:
        >>> layer_name("land cover"), layer_name("(land)"), layer_name("!")
        ('land cover', 'land)', 'layer')

    """
    return stem.lstrip(string.punctuation.replace("_", "")) or "layer"


def _is_plain(path: PurePath) -> bool:
    """Return whether GDAL takes an absolute path as it is; drives are no signs in it.

    Example:
        >>> from pathlib import PureWindowsPath
        >>> there = PureWindowsPath("C:/maps")
        >>> _is_plain(there / "a.shp"), _is_plain(there / "a;b.shp")
        (True, False)

    """
    inside = path.relative_to(path.anchor).as_posix()
    return _PLAIN.fullmatch(f"{path.root and '/'}{inside}") is not None


def _lead(link: Path, file: Path) -> None:
    """Have a name lead to a file; where there can be no links, to a copy of it."""
    try:
        link.symlink_to(file)
    except OSError:
        shutil.copy2(file, link)


def _rename(path: Path, plain: str) -> None:
    """Give what was written the name that is wanted, and its sidecars its stem."""
    stem = Path(plain).stem
    for made in list(path.parent.iterdir()):
        if made.name == plain:
            rename(made, path)
        elif made.name.startswith(f"{stem}."):
            rename(made, made.with_name(path.stem + made.name.removeprefix(stem)))


def _plain(stem: str) -> str:
    """Write a stem with nothing that could mean something else."""
    return _ODD.sub("_", stem)[:100] or "file"
