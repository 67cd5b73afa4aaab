"""The door through which every raster that somebody hands in is opened.

Before a file is opened, what it is decides which drivers of GDAL may open it, and what
stands beside it is looked at; once it is open, so is where its files lie. Rasters that
are labels, references or maps come through here as scenes do.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import STREAM, SceneError, is_stream
from geoseg.scene.files.blocks import check_blocks
from geoseg.scene.files.datasets import GDAL_ERRORS, is_remote, opened_once, reason
from geoseg.scene.files.paths import file_of
from geoseg.scene.files.sidecars import OF_PIXELS
from geoseg.storage.raster_references import ALLOW, admit
from geoseg.storage.remote import as_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rasterio.io import DatasetReader

_TIFF = ["GTiff"]
_MISSING = ("no such file", "does not exist")
"""How GDAL says that nothing is there."""
MANY_FILES = frozenset(("Zarr",))
"""Drivers of folders, of which GDAL would list each chunk."""
ONE_FILE = frozenset(("GTiff", "COG", "JP2OpenJPEG", "JPEG", "PNG", "WEBP"))
"""Drivers that read one file, where nothing stands beside it or is looked for."""


@contextmanager
def opened_guarded(
    path: str, roots: Sequence[Path] | None, advice: str = ALLOW
) -> Iterator[DatasetReader]:
    """Open a raster that makes GDAL read nothing that was not named.

    Args:
        path: A file in GDAL's words.
        roots: The folders that the file may refer to; None for any folder at all.
        advice: What to do about a file that refers to others.

    Raises:
        SceneError: It refers to files that were not named, or is compressed in blocks
            that nobody can decode, or a file that it refers to is.
        RasterioIOError: It cannot be opened.

    """
    if is_stream(path):
        raise SceneError(f"{path} {STREAM}")
    with _in_utf8(path):
        if roots is None:
            with opened_once(path) as dataset:
                check_blocks(path, dataset)
                yield dataset
            return
        admitted = admit(path, file_of(path), roots, advice)
        for source in admitted.sources:
            _check_source(path, source, roots, advice)
        if not is_remote(path):
            _check_beside(path, advice)
        with opened_once(path, admitted.drivers) as dataset:
            _check_files(dataset, path, roots, advice)
            check_blocks(path, dataset)
            yield dataset


@contextmanager
def _in_utf8(path: str) -> Iterator[None]:
    """Refuse a file whose names of bands or tags are no text."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise SceneError(
            f"{without_secrets(path)} holds names or tags that are not in UTF-8, so it "
            f"is damaged or was written by an old program; write it again, for "
            f"instance with gdal_translate -nomd"
        ) from error


def stands_alone(path: str, driver: str) -> bool:
    """Return whether a file on a disk was, and is, a raster without others beside it.

    What is known of such a file holds as long as the file is the same, whoever looked
    at it, and whatever that one allowed.
    """
    beside = (f"{path}{suffix}" for suffix in OF_PIXELS)
    return driver in ONE_FILE and not any(map(os.path.lexists, beside))


def _check_source(path: str, source: Path, roots: Sequence[Path], advice: str) -> None:
    """Let what a VRT reads come through the same door."""
    try:
        with opened_guarded(str(source), roots, advice):
            return
    except GDAL_ERRORS as error:
        raise SceneError(
            f"{path} makes geoseg read {source}, which is no raster that can be "
            f"trusted to hold its own pixels ({reason(error)}); {advice}"
        ) from error


def _check_beside(path: str, advice: str) -> None:
    """Prove that overviews and masks beside a file are TIFFs, and theirs are.

    GDAL opens them with any driver, by their names.
    """
    for suffix in OF_PIXELS:
        beside = f"{path}{suffix}"
        if not path.startswith("/vsi") and not os.path.lexists(beside):
            continue
        try:
            with opened_once(beside, _TIFF):
                pass
        except GDAL_ERRORS as error:
            if any(words in reason(error).lower() for words in _MISSING):
                continue
            raise SceneError(
                f"{beside} is no TIFF, and so no overviews or mask that geoseg would "
                f"take for those of {path}; move it away, or {advice}"
            ) from error
        _check_beside(beside, advice)


def _check_files(
    dataset: DatasetReader, path: str, roots: Sequence[Path], advice: str
) -> None:
    """Prove that all files of a dataset lie where they may.

    Raises:
        SceneError: One lies elsewhere.

    """
    alone = MANY_FILES | (ONE_FILE if is_remote(path) else frozenset())
    if dataset.driver in alone:
        return
    file = file_of(path)
    folders = [root.resolve() for root in roots]
    if file is not None:
        folders += [file.resolve().parent, file.absolute().parent.resolve()]
    for each in dataset.files:
        if not _lies_inside(each, path, file, folders):
            raise SceneError(
                f"{without_secrets(path)} makes geoseg read {without_secrets(each)}, "
                f"which is in no folder that you named; {advice}"
            )


def _lies_inside(
    each: str, path: str, file: Path | None, folders: Sequence[Path]
) -> bool:
    if file is None:  # on a server: the same one
        here, there = (as_url(name) or "" for name in (path, each))
        return urlsplit(here)[:2] == urlsplit(there)[:2]
    if path.startswith("/vsi"):  # in an archive: the same one
        archive = path[: path.index(str(file)) + len(str(file))]
        return each.startswith(archive) and ".." not in each.split("/")
    resolved = Path(each).resolve()
    return not each.startswith("/vsi") and any(map(resolved.is_relative_to, folders))
