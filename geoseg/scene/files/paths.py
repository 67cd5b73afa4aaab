"""What a user names, as a list of paths that GDAL reads."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from geoseg.errors import SceneError, brief, fault_of_path
from geoseg.scene.files.object_stores import is_web, list_store, read_list
from geoseg.storage.remote import as_url, on_disk, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OneInput: TypeAlias = "Path | str | Sequence[Path | str]"
"""Raster files, folders of them, patterns such as ``members/*.tif``, text files with a
path a line, URLs; one or several, which are then one scene."""
Inputs: TypeAlias = "OneInput | Mapping[str, OneInput]"
"""What makes one scene; or several inputs by the names that a model gives them."""

SUFFIXES = frozenset(
    (
        *(".tif", ".tiff", ".jp2", ".j2k", ".img", ".png", ".jpg", ".jpeg", ".webp"),
        *(
            ".nc",
            ".dat",
            ".bil",
            ".bsq",
            ".bip",
            ".asc",
            ".ntf",
            ".sid",
            ".ecw",
            ".pix",
        ),
    )
)
"""What the files of a folder end in that are taken as members."""
LISTS = frozenset((".txt", ".lst"))
"""What a file with a path a line ends in."""
_FOLDERS = frozenset((".zarr", ".safe"))
"""Folders that are one raster."""
_SYSTEMS = {
    "http": "/vsicurl/http://",
    "https": "/vsicurl/https://",
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "az": "/vsiaz/",
    "abfs": "/vsiadls/",
    "oss": "/vsioss/",
}
_WEB = ("http://", "https://", "/vsicurl")
_ARCHIVES = ("/vsizip/", "/vsitar/", "/vsigzip/", "/vsi7z/", "/vsirar/")
"""How GDAL names what is in archives."""
_PART_OF = re.compile(r'([A-Za-z0-9_]+):(?:"(?P<quoted>[^"]+)"|(?P<plain>/?[^":]+))')
"""How GDAL names a part of a file: ``NETCDF:"scene.nc":red``."""


@dataclass(frozen=True, slots=True)
class NamedPaths:
    """What a user named."""

    paths: tuple[str, ...]
    """Files in GDAL's words, each once, in the order named."""
    roots: tuple[Path, ...] = field(default=())
    """Folders that the user named, or named a file of."""


def several(inputs: Inputs) -> list[Path | str]:
    """Give what a user named as a list, also where it is one thing, or has names."""
    if isinstance(inputs, Mapping):
        return [each for one in inputs.values() for each in several(one)]
    if isinstance(inputs, str | Path) or not isinstance(inputs, Iterable):
        return [inputs]
    return list(inputs)


def list_paths(inputs: Iterable[Path | str]) -> NamedPaths:
    """List the rasters that some paths, folders, patterns, lists and URLs stand for.

    Files of a folder and matches of a pattern come in the order of their names.

    Raises:
        SceneError: Something named is not there, or holds no raster.

    """
    found: dict[str, None] = {}
    roots: dict[str, None] = {}
    for given in inputs:
        if not isinstance(given, str | Path):
            raise SceneError(
                f"scene is {brief(given)}; give paths, patterns or URLs, as texts"
            )
        for path in _paths(str(given)):
            found[path] = None
            file = file_of(path)
            if file is not None:
                roots[folder_of(file)] = None
        if Path(given).is_dir():
            roots[str(Path(given).absolute())] = None
    return NamedPaths(tuple(found), tuple(map(Path, roots)))


def files_named(inputs: Inputs) -> list[Path]:
    """List the files on a disk that a user names; none of them is opened.

    Raises:
        SceneError: Something named is not there, or holds no raster.

    """
    given = several(inputs)
    found = list_paths(each for each in given if as_url(each) is None).paths
    return [file for file in map(file_of, found) if file is not None]


def absolute(path: Path | str) -> str:
    """Name a file so that it is the same whatever folder one is in.

    Example:
        >>> absolute("s3://bucket/scene.tif"), absolute("/data/a.tif")
        ('s3://bucket/scene.tif', '/data/a.tif')

    """
    text = on_disk(path)
    file = None if as_url(text) is not None else file_of(text)
    if file is None or file.is_absolute():
        return text
    return text.replace(str(file), os.path.abspath(file), 1)  # noqa: PTH100  # as above


def folder_of(file: Path | str) -> str:
    """The absolute folder of a file; paths that are objects take ten times as long."""
    return os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120  # so it says


def gdal_path(text: str) -> str:
    """Write a URL as GDAL does; leave all else as it is.

    Raises:
        SceneError: GDAL knows no such kind of URL, or takes no such name.

    Example:
        >>> gdal_path("s3://bucket/scene.tif"), gdal_path("scene.tif")
        ('/vsis3/bucket/scene.tif', 'scene.tif')

    """
    if fault := fault_of_path(text):
        raise SceneError(f"{text} cannot be read: {fault}")
    if text.startswith(_WEB):
        # What is behind # is sent to no server; who signs an address is an option's to
        # say: see `geoseg.storage.signing`.
        text = text.partition("#")[0]
    if text.startswith("/vsi"):
        return text
    url = as_url(text)
    if url is None:
        return on_disk(text)
    kind = urlsplit(url).scheme.lower()
    if kind not in _SYSTEMS:
        raise SceneError(
            f"{kind}:// is no kind of address that scenes are read from; "
            f"those known are {', '.join(f'{known}://' for known in _SYSTEMS)}"
        )
    return _SYSTEMS[kind] + url.split("://", 1)[1]


def file_of(path: str) -> Path | None:
    """The file or archive on a disk that a path of GDAL's is in; None elsewhere.

    Example:
        >>> file_of('NETCDF:"data/scene.nc":red'), file_of("/vsis3/bucket/scene.tif")
        (PosixPath('data/scene.nc'), None)

    """
    if path.startswith("/vsi"):
        return _archive_of(path)
    part = _PART_OF.match(path)
    if part and not Path(path).exists():
        return Path(part["quoted"] or part["plain"])
    return _plain(path)


@lru_cache(maxsize=4096)
def _plain(path: str) -> Path:
    """Make a path once: every read asks for that of its file."""
    return Path(path)


def _archive_of(path: str) -> Path | None:
    """The archive on a disk that holds a path, such as ``/vsizip/a.zip/scene.tif``."""
    for system in _ARCHIVES:
        if path.startswith(system):
            inside = Path(path.removeprefix(system))
            return next((p for p in (inside, *inside.parents) if p.is_file()), None)
    return None


def _paths(text: str) -> Iterator[str]:
    gdal_name, url = gdal_path(text), as_url(text)
    path = file_of(gdal_name)
    if url is not None:
        yield from _at(url)
    elif path is None or gdal_name.startswith("/vsi"):
        yield gdal_name
    elif path.is_dir() and path.suffix.lower() not in _FOLDERS:
        yield from _in_folder(path)
    elif path.suffix.lower() in LISTS and path.is_file():
        yield from _in_list(path)
    elif path.exists():
        yield gdal_name
    elif glob.has_magic(text):
        yield from _matching(text)
    else:
        raise SceneError(f"{text} does not exist; check the scene's path")


def _at(url: str) -> Iterator[str]:
    """Give the files of an address: itself, or what it lists."""
    if PurePosixPath(urlsplit(url).path).suffix.lower() in LISTS and not is_web(url):
        above = url.rpartition("/")[0]
        for line in _lines(url, read_list(url)):
            yield gdal_path(line if as_url(line) else f"{above}/{line}")
    else:
        yield from map(gdal_path, list_store(url, SUFFIXES) or [url])


def _in_folder(folder: Path) -> list[str]:
    found = sorted(str(p) for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise SceneError(
            f"the folder {folder} holds no raster that is known by its name; name the "
            f"files, for instance with a pattern: '{folder}/**/*.tif'"
        )
    return found


def _matching(pattern: str) -> list[str]:
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  # absolute, too
    if not found:
        raise SceneError(f"no file matches {pattern}; check the pattern")
    return found


def _in_list(path: Path) -> Iterator[str]:
    """Read a path or URL a line, from the list's folder on; # begins a comment."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(
            f"{path} cannot be read as a list of rasters, a path a line ({error})"
        ) from error
    for line in _lines(str(path), text):
        target = gdal_path(line)
        file = file_of(target)
        if file is None:
            yield target
        elif (path.parent / file).exists():
            yield str(path.parent / file) if target == str(file) else target
        else:
            raise SceneError(f"{path} lists {line}, which does not exist")


def _lines(name: str, text: str) -> list[str]:
    """Give what a list names."""
    lines = [line.strip() for line in text.splitlines()]
    named = [line for line in lines if line and not line.startswith("#")]
    if not named:
        raise SceneError(
            f"{without_secrets(name)} lists no raster; write a path a line"
        )
    return named
