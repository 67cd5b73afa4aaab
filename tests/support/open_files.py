"""Files that a process has open can be neither renamed nor removed, as on Windows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_LOCK = ".lock"
"""Files that filelock removes itself there, once it has closed them."""
_IN_USE = 32
"""How Windows says so."""


def keep_open_files(put=setattr) -> None:
    """Have this process refuse, from now on, what Windows would refuse.

    There, neither a file that is open or mapped into memory nor a folder above it can
    be renamed, replaced or removed.

    Args:
        put: Sets an attribute; `monkeypatch.setattr`, where it is to end with a test.

    """
    put(shutil, "_use_fd_functions", None)  # remove by whole paths, as there
    for name, count in (
        ("replace", 2),
        ("rename", 2),
        ("unlink", 1),
        ("remove", 1),
        ("rmdir", 1),
    ):
        put(os, name, _refusing(getattr(os, name), count))


def _refusing(work, count):
    def refuse_open(*given, **how):
        for path in given[:count]:
            if str(path).endswith(_LOCK):
                continue
            if held := [each for each in _open_files() if _is_in(each, path)]:
                error = PermissionError(13, f"is open here: {held[0]}", str(path))
                error.winerror = _IN_USE
                raise error
        return work(*given, **how)

    return refuse_open


def _is_in(file: str, path) -> bool:
    whole = os.path.abspath(os.fspath(path))  # noqa: PTH100  # links are as they are
    return file == whole or file.startswith(f"{whole}/")


def _open_files() -> set[str]:
    """Name the files that this process has open, or mapped into memory."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(each))  # noqa: PTH115  # texts
        except FileNotFoundError:  # of this very look
            continue
    lines = Path("/proc/self/maps").read_text().splitlines()
    found |= {line.split(maxsplit=5)[5] for line in lines if line.count("/")}
    return {each for each in found if each.startswith("/")}
