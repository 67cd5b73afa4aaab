"""Renames and removals that outlast those who look at a file for a moment.

Windows neither renames nor removes a file that any program has open, this one among
them, and virus scanners, indexers and synchronised folders open each new one. Elsewhere
nobody is in the way.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_IN_USE = {5, 32}
"""Windows' ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION."""
_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each further try."""
_keepers: list[Callable[[], None]] = []
"""What closes files that this process keeps open without using them."""


def ask_to_close(close: Callable[[], None]) -> None:
    """Have something called where an open file may be in the way.

    Args:
        close: Closes the files that are kept open for whoever reads them next.

    """
    _keepers.append(close)


def rename(path: Path | str, target: Path | str) -> None:
    """Give a file another name, in place of what has it; wait for who has either open.

    Args:
        path: The file.
        target: Its new name, on the same file system.

    Raises:
        OSError: It cannot be renamed; or, after a second and a half, a program still
            has one of the two open.

    """
    for pause_s in _PAUSES_S:
        try:
            os.replace(path, target)  # noqa: PTH105  # texts, too: thousands a second
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            _close_kept()
            time.sleep(pause_s)
        else:
            return
    os.replace(path, target)  # noqa: PTH105  # the same


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _close_kept()
        shutil.rmtree(folder, ignore_errors=True)


def _close_kept() -> None:
    for close in _keepers:
        close()
