"""A package's folder that appears whole, or not at all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from geoseg.errors import OutputError
from geoseg.storage.authorship import check_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Give a hidden folder beside the output that becomes it when all went well.

    Raises:
        OutputError: The output has something in it, or cannot be written.

    """
    check_names(output)
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise OutputError(f"{output} exists; choose another folder, or remove it first")
    workshop = output.with_name(f".{output.name}.tmp")
    try:
        shutil.rmtree(workshop, ignore_errors=True)
        workshop.mkdir(parents=True)
        yield workshop
        if output.exists():
            output.rmdir()
        workshop.replace(output)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{output} cannot be written ({error.strerror or error}); choose another "
            f"folder"
        ) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
