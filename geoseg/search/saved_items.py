"""What a search found, kept beside what is made of it: asked once, used again."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from geoseg.errors import InputError, OutputError, counted
from geoseg.overlay.aoi import read_lonlat
from geoseg.progress import OnStep, Step
from geoseg.search.search import Search
from geoseg.storage.authorship import check_replaceable
from geoseg.storage.bucket import Bucket
from geoseg.storage.lock import locked_file
from geoseg.storage.remote import as_url, without_secrets
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from geoseg.options import SceneOptions
    from geoseg.overlay.aoi import Area

Image = TypeVar("Image")
ITEMS = "items.json"
"""What the file is called in a folder of products."""


@contextmanager
def kept_items(  # what is asked where, and what may be replaced
    image: Image | Search,
    path: str,
    aoi: Area | None,
    on_step: OnStep,
    *,
    restart: bool,
    overwrite: bool,
) -> Iterator[Image | str]:
    """Give the file of what a search finds; anything else as it is.

    Where the same search has left its items there, these are used and nobody is asked.
    Where the block refuses what it was given, the file is as it was before.

    Args:
        image: A search, or what else people give as a scene.
        path: The file for the items, on a disk or an object store.
        aoi: Where is looked.
        on_step: Called when the search begins.
        restart: Ask again in any case.
        overwrite: Whether a file may be replaced that geoseg did not write.

    Raises:
        InputError: Nothing is found or can be asked, or another search has left its
            items there.
        DiskError: The file cannot be written.

    """
    if not isinstance(image, Search):
        yield image
        return
    file = _File(path)
    with file.claimed():
        yield from _found(
            image, file, aoi, on_step, restart=restart, overwrite=overwrite
        )


def _found(
    image: Search,
    file: _File,
    aoi: Area | None,
    on_step: OnStep,
    *,
    restart: bool,
    overwrite: bool,
) -> Iterator[str]:
    """Give the file of what a search finds, asked anew where it has to be."""
    path = file.given
    area = None if aoi is None else read_lonlat(aoi)
    before, asked = file.read(), image.settings(area)
    if not restart and _is_same(file, before, asked):
        on_step(Step("search", note=f"{file} holds what this search found: not asked"))
        yield path
        return
    file.check(overwrite=overwrite)
    on_step(Step("search"))
    items = image.find(area)
    file.write(image.document(items, area))
    note = counted(len(items), "item was found", "items were found")
    on_step(Step("search", note=note))
    try:
        yield path
    except InputError:
        file.restore(before)
        raise


def _is_same(file: _File, before: bytes | None, asked: dict[str, Any]) -> bool:
    """Return whether a file holds what a search found.

    Raises:
        OutputError: It is of another search.

    """
    try:
        found = json.loads(before or b"null")
    except ValueError:
        return False
    kept = found.get("search") if isinstance(found, dict) else None
    if not isinstance(kept, dict) or "geoseg" not in found:
        return False
    other = [name for name in asked if kept.get(name) != asked[name]]
    if other:
        named = ", ".join(f"`{name}`" if name != "area" else name for name in other)
        raise OutputError(
            f"{file} holds what a search with another {named} found; give another "
            f"output, or search again with `restart`"
        )
    return True


def signing(image: object, options: SceneOptions) -> SceneOptions:
    """Have the files signed that a search finds where addresses have to be."""
    if isinstance(image, Search) and image.signer is not None:
        return replace(options, sign=image.signer)
    return options


class _File:
    """A file on a disk or an object store, small enough to be read at once."""

    def __init__(self, path: str) -> None:
        self.given = path
        self._url, self._path = as_url(path), Path(path)

    def __str__(self) -> str:
        return str(self._path) if self._url is None else without_secrets(self._url)

    def claimed(self) -> AbstractContextManager[None]:
        """Keep others from writing it; a store does so for the whole output."""
        return locked_file(self._path) if self._url is None else nullcontext()

    def read(self) -> bytes | None:
        """Give its bytes; None where there is none."""
        try:
            if self._url is None:
                return self._path.read_bytes()
            return self._bucket.get(self._name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"{self} cannot be read ({error.strerror})") from error

    def check(self, *, overwrite: bool) -> None:
        """Refuse to replace what somebody else wrote."""
        if self._url is None:
            check_replaceable(self._path, overwrite=overwrite)

    def write(self, content: bytes) -> None:
        """Write it, whole or not at all."""
        if self._url is not None:
            self._bucket.put(self._name, content)
            return
        with atomic_file(self._path) as whole:
            whole.write_bytes(content)

    def restore(self, before: bytes | None) -> None:
        """Leave things as they were."""
        if before is not None:
            self.write(before)
        elif self._url is not None:
            self._bucket.remove([self._name])
        else:
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # the folder holds something else
                self._path.parent.rmdir()

    @property
    def _bucket(self) -> Bucket:
        return Bucket((self._url or "").rpartition("/")[0])

    @property
    def _name(self) -> str:
        return (self._url or "").rpartition("/")[2]
