"""Files that appear complete or not at all.

A product is made in a hidden folder beside its final path and moved there when
it is whole. The folder has a fixed name: what a killed process left behind is
swept away by the next one. All products of a run are made in one such folder, and put
in place together.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from geoseg.errors import OutputError
from geoseg.storage.authorship import (
    EARLIER,
    REPORT,
    STAGING,
    Origin,
    check_idle,
    check_names,
    checksum,
    origin_of,
    recorded,
)
from geoseg.storage.full_disk import written
from geoseg.storage.renames import remove_folder, rename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOG = logging.getLogger(__name__)
OF_RASTER = (".aux.xml", ".ovr", ".msk")
"""What stands beside a raster and describes its pixels, after the whole name."""
_OF_SHAPEFILE = (
    *(".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx", ".fbn", ".fbx"),
    *(".ain", ".aih", ".atx", ".ixs", ".mxs", ".idm", ".ind", ".shp.xml"),
)
"""What stands beside a Shapefile, after its stem: an index of the polygons that were
there before finds the wrong ones."""
_FILE_NAMES = frozenset(
    (
        *(".tif", ".tiff", ".vrt", ".img", ".png", ".jpg", ".jpeg", ".jp2", ".nc"),
        *(".gpkg", ".geojson", ".geojsonl", ".json", ".shp", ".fgb", ".parquet"),
        *(".pmtiles", ".kml", ".gml", ".zip", ".csv", ".txt", ".pdf"),
    )
)
"""Suffixes of files: what has one of these is no folder that somebody wants."""


_BEFORE = "before"
"""The folder of the files that a product replaces, until all of it is in place."""


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """Make a file under another name and move it to ``target`` when it is whole.

    Use this for every product: a reader never sees half of one, and a process
    that dies leaves the previous file as it was. What else is found beside the
    yielded path (GDAL's ``.aux.xml``, say) belongs to the product and is moved
    too, before it; what stood beside the previous file and described its pixels or
    polygons goes. Folders above ``target`` are made where they are missing.

    Args:
        target: The final path; a file that is there is replaced, whoever made it: see
            `geoseg.storage.authorship.check_replaceable`.

    Yields:
        The path to write to: the same file name in a hidden folder, on the
        same file system.

    Raises:
        DiskError: The disk is full or cannot be written (any `OSError` of the
            body); nothing of the new file is left.
        OutputError: Another program has the file open by now.

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
        with written(target, workshop):
            bring_back(target)
            remove_folder(workshop)
            workshop.mkdir(parents=True)
            yield workshop / target.name
            _deliver(workshop, target)
    finally:
        remove_folder(workshop)


def bring_back(target: Path) -> None:
    """Put files in place again that a kill left set aside while others were to come.

    So what people wrote into a product, such as labels, is there to be read.

    Args:
        target: The product, as it was given to `atomic_file`.

    Raises:
        OSError: They cannot be moved.

    """
    before = target.with_name(f".{target.name}.tmp") / _BEFORE
    if target.exists() or not (before / target.name).is_file():
        return
    for name in _sidecars(target):  # of the product that was to come
        target.with_name(name).unlink(missing_ok=True)
    _put_back(before, target)
    _LOG.info("put %s back, which a kill had left set aside", target)


@contextmanager
def scratch_folder(directory: Path, name: str = ".geoseg-scratch") -> Iterator[Path]:
    """Give a hidden folder of a fixed name for what products are made from.

    Args:
        directory: Where it is made, with the folders above it; it is removed at the
            end, and what a killed process left of it at the beginning.
        name: Its name, where a directory may hold several at a time.

    Raises:
        DiskError: It cannot be made.

    """
    scratch = directory / name
    with written(directory):
        remove_folder(scratch)
        scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        remove_folder(scratch)


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Make all products of a run in one folder, and put them in a folder together.

    While the body makes them, what is in the folder stays as it is. Then the record of
    the earlier run goes, with those of its products that have no successor; the new
    products come, and their record comes last. So a folder with a record holds what
    it lists, and of one run.

    Args:
        folder: Where the products go, made where it does not exist.

    Yields:
        A hidden folder in it. The body leaves the files there, and their record,
        ``run.json``, with the checksum of each.

    Raises:
        DiskError: The disk is full or cannot be written.
        OutputError: Another program has one of the files open by now.

    """
    workshop = folder / STAGING
    try:
        with written(folder, workshop):
            _sweep(workshop)
            yield workshop
            _put_in_place(workshop, folder)
    finally:
        # What is half in place must stay known until the next run has replaced it.
        if (folder / REPORT).exists() or not any(workshop.glob("*.json")):
            remove_folder(workshop)


def left_over(folder: Path, made: Path) -> tuple[list[Path], list[str]]:
    """List what an earlier run left in a folder and this one does not replace.

    Args:
        folder: The folder of products.
        made: The folder with the files of this run.

    Returns:
        Files to remove; and names of files that somebody changed, which stay.

    """
    new = {path.name for path in made.iterdir()}
    names = {name for sums in recorded(folder) for name in sums} - new - {REPORT}
    gone, kept = [], []
    for name in sorted(names):
        path = folder / name
        if path.parent != folder or not path.is_file():
            continue
        if origin_of(path) is Origin.OURS:
            gone.append(path)
        else:
            kept.append(name)
    return gone, kept


def _sweep(workshop: Path) -> None:
    """Empty a staging folder, but for records of what a kill left half in place."""
    workshop.mkdir(parents=True, exist_ok=True)
    report = workshop / REPORT
    if report.exists():
        rename(report, _free(workshop))
    for path in workshop.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.suffix != ".json":
            path.unlink()


def _free(workshop: Path) -> Path:
    """Name the next record of an earlier run."""
    number = 0
    while (path := workshop / f"{number}-{EARLIER}").exists():
        number += 1
    return path


def _put_in_place(workshop: Path, folder: Path) -> None:
    files = [
        path
        for path in workshop.iterdir()
        if path.name != REPORT and not path.name.endswith(EARLIER)
    ]
    for path in files:
        _keep(path)
        check_idle(folder / path.name)
    gone, _ = left_over(folder, workshop)
    if (folder / REPORT).exists():
        rename(folder / REPORT, _free(workshop))
    for path in gone:
        path.unlink()
    for path in files:
        _take_away_sidecars(folder / path.name, {each.name for each in files})
        rename(path, folder / path.name)
    _keep(workshop / REPORT)
    rename(workshop / REPORT, folder / REPORT)
    _LOG.info("put %d files and their record in place in %s", len(files), folder)


def _deliver(workshop: Path, target: Path) -> None:
    check_idle(target)
    made = sorted(workshop.iterdir(), key=lambda path: path.name == target.name)
    for path in made:
        _keep(path)
    if len(made) == 1:
        _take_away_sidecars(target, {target.name})
        rename(made[0], target)
    else:
        with _set_aside(target, made, workshop / _BEFORE):
            for path in made:  # the product itself last: where it is, all of it is
                rename(path, target.with_name(path.name))
    _LOG.info("wrote %s, %d bytes", target, target.stat().st_size)


@contextmanager
def _set_aside(target: Path, made: list[Path], before: Path) -> Iterator[None]:
    """Take away the previous files of a product; bring them back where that fails.

    The product itself goes first: a kill in between leaves none, not one of two halves.
    """
    before.mkdir()
    try:
        names = [target.name, *(path.name for path in made)]
        for each in tuple(names):
            names += _sidecars(target.with_name(each))
        for name in dict.fromkeys(names):
            _set_one_aside(target.with_name(name), before)
        yield
    except BaseException:
        for path in made:
            if not path.exists():  # it is in place
                target.with_name(path.name).unlink(missing_ok=True)
        _put_back(before, target)
        raise


def _put_back(before: Path, target: Path) -> None:
    """Put the previous files of a product in place again, the product itself last."""
    for path in sorted(before.iterdir(), key=lambda path: path.name == target.name):
        rename(path, target.with_name(path.name))


def _set_one_aside(path: Path, before: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, f"Is a directory: {path.name}")
    with suppress(FileNotFoundError):
        rename(path, before / path.name)


def _keep(path: Path) -> None:
    """Force a file to the disk: else a power cut could leave an empty one."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _take_away_sidecars(target: Path, made: set[str]) -> None:
    """Remove what describes the previous file of this name, and not the new one."""
    for name in _sidecars(target):
        if name not in made:
            with suppress(FileNotFoundError):
                target.with_name(name).unlink()


def _sidecars(target: Path) -> list[str]:
    """Name what may stand beside a file and describes it alone."""
    names = [f"{target.name}{suffix}" for suffix in OF_RASTER]
    if target.suffix.lower() == ".shp":
        names += [f"{target.stem}{suffix}" for suffix in _OF_SHAPEFILE]
    return names


def checksums(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file of a folder but records, by its name."""
    files = [p for p in sorted(folder.iterdir()) if p.is_file()]
    return {p.name: checksum(p) for p in files if not p.name.endswith(EARLIER)}


def check_folder(folder: Path) -> None:
    """Refuse what cannot become a directory with files in it, and make nothing.

    Raises:
        OutputError: It has the name of a file, or one that is too long; it, or what is
            above it, is a file or cannot be written.

    """
    check_names(folder)
    if folder.suffix.lower() in _FILE_NAMES and not folder.exists():
        raise OutputError(
            f"the output is a folder, which gets several files, and {folder} is the "
            f"name of one; write {folder.with_suffix('')} instead"
        )
    existing = next(
        path for path in (folder, *folder.absolute().parents) if path.exists()
    )
    if not existing.is_dir():
        raise OutputError(f"{existing} is a file; the output needs a directory")
    if not os.access(existing, os.W_OK):
        raise OutputError(f"{existing} cannot be written; choose another directory")
