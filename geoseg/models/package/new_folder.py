"""A package's folder that appears whole, or not at all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geoseg.errors import OutputError
from geoseg.models.package.files import CARD
from geoseg.storage.authorship import check_names
from geoseg.storage.full_disk import written
from geoseg.storage.lock import locked_file
from geoseg.storage.renames import rename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Give a hidden folder beside the output that becomes it when all went well.

    A folder that is there and empty is filled, be it the one that one is in.

    Raises:
        OutputError: The output has something in it, or is being written by another
            process.
        DiskError: The disk is full or cannot be written.

    """
    check_names(output)
    output = output.absolute()
    with locked_file(output):
        if output.exists() and not (output.is_dir() and not any(output.iterdir())):
            raise OutputError(
                f"{output} exists; choose another folder, or remove it first"
            )
        workshop = output.with_name(f".{output.name}.tmp")
        try:
            with written(output, workshop):
                shutil.rmtree(workshop, ignore_errors=True)
                workshop.mkdir(parents=True)
                yield workshop
                _put_in_place(workshop, output)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)


def _put_in_place(workshop: Path, output: Path) -> None:
    if not output.exists():
        rename(workshop, output)
        return
    for path in sorted(workshop.iterdir(), key=lambda path: path.name == CARD):
        rename(path, output / path.name)  # the card last: where it is, all of it is
