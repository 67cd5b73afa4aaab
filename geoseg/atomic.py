"""Files that appear complete or not at all.

A product is made in a hidden folder beside its final place and moved there when
it is whole. The folder has a fixed name: what a killed process left behind is
swept away by the next one.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geoseg.errors import DiskError, GeosegError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Make a file under another name and move it to ``target`` when it is whole.

    Use this for every product: a reader never sees half of one, and a process
    that dies leaves the previous file as it was. What else is found beside the
    yielded path (GDAL's ``.aux.xml``, say) belongs to the product and is moved
    too, before it. Folders above ``target`` are made where they are missing.

    Args:
        target: The final path; a file that is there is replaced.

    Yields:
        The path to write to: the same file name in a hidden folder, on the
        same file system.

    Raises:
        DiskError: The disk is full or cannot be written (any `OSError` of the
            body); nothing of the new file is left.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     target = pathlib.Path(folder, "answer.txt")
        ...     with atomic_file(target) as path:
        ...         _ = path.write_text("42")
        ...         early = target.exists()
        ...     early, target.read_text()
        (False, '42')

    """
    workshop = target.with_name(f".{target.name}.tmp")
    try:
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(parents=True)
        yield workshop / target.name
        _deliver(workshop, target)
    except GeosegError:  # some are OSErrors as well, and say it better
        raise
    except OSError as error:
        raise DiskError(
            f"cannot write {target}: {error.strerror or error}; "
            f"make room or access there and run the same command again"
        ) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


@contextmanager
def scratch_folder(directory: Path) -> Iterator[Path]:
    """Give a hidden folder of a fixed name for what products are made from.

    Args:
        directory: Where it is made, with the folders above it; it is removed at the
            end, and what a killed process left of it at the beginning.

    Raises:
        DiskError: It cannot be made.

    """
    scratch = directory / ".geoseg-scratch"
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
    except OSError as error:
        raise DiskError(
            f"cannot write to {directory}: {error.strerror or error}; "
            f"make room or access there and run the same command again"
        ) from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _deliver(workshop: Path, target: Path) -> None:
    made = sorted(workshop.iterdir(), key=lambda path: path.name == target.name)
    for path in made:  # the product itself last: where it is, all of it is
        with path.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut could leave an empty file
        path.replace(target.with_name(path.name))


def check_folder(folder: Path) -> None:
    """Refuse what cannot become a directory with files in it, and make nothing.

    Raises:
        OutputError: It, or what is above it, is a file or cannot be written.

    """
    existing = next(
        path for path in (folder, *folder.absolute().parents) if path.exists()
    )
    if not existing.is_dir():
        raise OutputError(f"{existing} is a file; the output needs a directory")
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{existing} cannot be written; choose another directory")
