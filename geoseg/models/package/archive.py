"""Packages that come as an archive: unpacked where no entry leaves the folder."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.storage.full_disk import is_full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WANTED = (".json", ".safetensors", ".onnx", ".md", ".txt", "")
"""Suffixes of what is unpacked; everything else stays in the archive."""
_LARGEST = 20_000_000_000
"""Bytes that an archive may unpack to: no network of the field is larger."""


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack the files of a package from a zip or tar archive.

    A single folder around them is left out. Nothing is written unless every entry of
    the archive is sound.

    Args:
        archive: The archive.
        folder: An empty folder for the files.

    Raises:
        OSError: The disk is full.
        ModelError: It is no archive; an entry is a link, or its path leaves the
            folder; or it unpacks to more than any model needs.

    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as content:
                entries = [
                    (each.filename, each.file_size, _is_link(each))
                    for each in content.infolist()
                    if not each.is_dir()
                ]
                for name, path in _checked(entries, archive):
                    with content.open(name) as source:
                        _write(source, folder / path)
        else:
            with tarfile.open(archive) as content:
                members = {m.name: m for m in content.getmembers() if not m.isdir()}
                entries = [(m.name, m.size, not m.isfile()) for m in members.values()]
                for name, path in _checked(entries, archive):
                    member = tarfile.data_filter(members[name], str(folder))
                    if file := content.extractfile(member):
                        _write(file, folder / path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and is_full(folder, error):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{archive} cannot be unpacked ({reason}); geoseg unpacks zip and tar"
        ) from error


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(entry.external_attr >> 16)  # where Unix keeps the mode


def _checked(
    entries: list[tuple[str, int, bool]], archive: Path
) -> Iterator[tuple[str, str]]:
    """Refuse what no package holds; give each wanted entry's path in the folder."""
    for name, _, is_link in entries:
        if is_link:
            raise ModelError(
                f"{archive} holds {name!r}, which is a link or a device; "
                f"packages are made of files"
            )
        if _leaves(name):
            raise ModelError(
                f"{archive} holds {name!r}, a path that leaves the folder; it was not "
                f"unpacked, do not trust it"
            )
    size = sum(size for _, size, _ in entries)
    if size > _LARGEST:
        raise ModelError(
            f"{archive} would unpack to {size:,} bytes, more than any model needs"
        )
    tops = {PurePosixPath(name).parts[0] for name, *_ in entries}
    around = 1 if len(tops) == 1 and "/" in entries[0][0] else 0
    for name, *_ in entries:
        parts = PurePosixPath(name).parts[around:]
        if len(parts) == 1 and PurePosixPath(name).suffix.lower() in _WANTED:
            yield name, parts[0]


def _leaves(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    rooted = posix.is_absolute() or bool(windows.drive or windows.root)
    return rooted or ".." in posix.parts or ".." in windows.parts


def _write(source: IO[bytes], target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(source, file)
