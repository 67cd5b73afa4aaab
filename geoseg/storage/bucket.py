"""A folder of objects, and what goes wrong with it in our words."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoseg.errors import DiskError, GeosegError
from geoseg.storage.remote import file_system, without_secrets
from geoseg.storage.waiting import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_AT_ONCE = 64
"""Objects that are fetched or removed at a time."""
_PAUSES_S = (0.2, 1.0)
"""Seconds before what came wrong is asked for again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects below one URL. It can be sent to any process, and holds no keys.

    Each call raises `FileNotFoundError` and `FileExistsError` where they are the
    answer, and else `DiskError` where the store cannot be used.
    """

    url: str
    """Such as ``s3://bucket/prefix``."""

    def __str__(self) -> str:
        """Write it without anything secret."""
        return without_secrets(self.url)

    def put(self, name: str, data: bytes) -> None:
        """Write an object, whole or not at all."""
        with self._reached() as (system, root):
            system.pipe_file(f"{root}/{name}", data)

    def upload(self, path: Path, name: str) -> None:
        """Write a file as an object, whole or not at all."""
        with self._reached() as (system, root):
            system.put_file(str(path), f"{root}/{name}")

    def download(self, name: str, path: Path) -> None:
        """Write an object to a file, some of it at a time."""
        with self._reached() as (system, root):
            system.get_file(f"{root}/{name}", str(path))

    def create(self, name: str, data: bytes) -> None:
        """Write an object where there is none: of several who try, one succeeds."""
        with self._reached() as (system, root):
            system.pipe_file(f"{root}/{name}", data, mode="create")

    def get(
        self, name: str, start: int | None = None, stop: int | None = None
    ) -> bytes:
        """Read an object, or some of its bytes."""
        if start is not None and start == stop:
            return b""  # which no server has a range for
        with self._reached() as (system, root):
            data: bytes = system.cat_file(f"{root}/{name}", start=start, end=stop)
        return data

    def has(self, name: str) -> bool:
        """Return whether there is an object."""
        try:
            with self._reached() as (system, root):
                system.info(f"{root}/{name}")
        except FileNotFoundError:
            return False
        return True

    def get_all(self, names: Iterable[str]) -> Iterator[bytes]:
        """Read objects, in this order, several at a time."""
        for some in _in_batches(names):
            with self._reached() as (system, root):
                paths = [f"{root}/{name}" for name in some]
                found = system.cat(paths, on_error="raise")
            yield from (found[path] for path in paths)

    def list(self, folder: str = "") -> Iterator[tuple[str, int]]:
        """List the objects of a folder, in order, each with its size."""
        with self._reached() as (system, root):
            found = system.find(f"{root}/{folder}".rstrip("/"), detail=True)
        for path in sorted(found):
            yield path.removeprefix(f"{root}/"), found[path]["size"]

    def folders(self) -> Sequence[str]:
        """Name the folders in it; what is in them is not listed."""
        try:
            with self._reached() as (system, root):
                found = system.ls(root, detail=True)
        except FileNotFoundError:
            return []
        paths = (each["name"] for each in found if each["type"] == "directory")
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error."""
        for some in _in_batches(names):
            with self._reached() as (system, root):
                try:
                    system.rm([f"{root}/{name}" for name in some])
                except FileNotFoundError:  # of some stores; the rest may be there
                    for name in some:
                        self._remove_one(system, f"{root}/{name}")

    @staticmethod
    def _remove_one(system: Any, path: str) -> None:  # noqa: ANN401  # fsspec is untyped
        try:
            system.rm_file(path)
        except FileNotFoundError:
            return

    @contextmanager
    def _reached(self) -> Iterator[tuple[Any, str]]:
        """Reach the store, and say it in a sentence where that fails."""
        system, path = file_system(self.url)
        try:
            yield system, path.rstrip("/")
        except (GeosegError, FileNotFoundError, FileExistsError):
            raise
        except Exception as error:  # each store's client has errors of its own
            raise DiskError(
                f"{self} cannot be used ({error}); check that it is there, that it may "
                f"be written, and the settings that reach it, such as AWS_PROFILE and "
                f"AWS_ENDPOINT_URL, and run the same command again"
            ) from error


def get_whole(get: Callable[[], bytes], is_whole: Callable[[bytes], bool]) -> bytes:
    """Read an object, and again after a while where something else came.

    Some stores answer with the words of an error where the object should be, or with
    its beginning, and say that all is well.

    Returns:
        What came last.

    """
    data = get()
    for pause in _PAUSES_S:
        if is_whole(data):
            break
        notify(
            f"an object came damaged; it is read again in {pause:g} s, thrice in all"
        )
        time.sleep(pause)
        data = get()
    return data


def _in_batches(names: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
