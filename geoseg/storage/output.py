"""Where products go: a folder on this disk, or an object store.

Products for a store are made in a temporary folder and brought there when all of them
are whole. The record, `run.json`, goes last and is taken away first: where it is, all
that it names is there and belongs to it. A file that has others beside it, such as a
composite, has a record and a lock of its own, so that there may be several in a folder.
"""

from __future__ import annotations

import secrets
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import BusyError, DiskError, OutputError, ResumeError
from geoseg.storage.authorship import REPORT, check_replaceable, checksum
from geoseg.storage.bucket import Bucket
from geoseg.storage.lease import Lease
from geoseg.storage.lock import locked_file, locked_folder
from geoseg.storage.remote import as_url, on_disk, without_secrets
from geoseg.storage.renames import remove_folder
from geoseg.storage.staging import check_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

RUN_DIRECTORY = ".geoseg"
MASKS = ".geoseg-masks-made"
"""The hidden folder in which a mask is, until it is a product."""
_WEB = frozenset(("http", "https"))
"""Addresses that nothing can be written to."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where products go."""

    folder: Path
    """Where they are made: where they stay, or from where they go to a store."""
    url: str | None = None
    """The URL in an object store; None on a disk."""
    file: str = ""
    """The name of the one file that is made there, with what stands beside it; empty
    where a run has all of the folder."""

    @classmethod
    def of(cls, given: Path | str) -> Output:
        """Take an address as it was given.

        Args:
            given: A folder, or the URL of one in an object store.

        Raises:
            OutputError: It is empty, or the address of a web server.

        """
        if not str(given):
            raise OutputError(
                "the output is empty; name a folder, or write . for the one you are in"
            )
        url = as_url(given)
        if url is None:
            return cls(Path(on_disk(given)))
        if urlsplit(url).scheme.lower() in _WEB:
            raise OutputError(
                f"maps are written to a disk or an object store, such as "
                f"s3://bucket/folder, and not to {without_secrets(url)}"
            )
        made_in = Path(tempfile.gettempdir(), f"geoseg-{secrets.token_hex(8)}")
        return cls(made_in, url.rstrip("/"))

    @classmethod
    def of_file(cls, given: Path | str) -> Output:
        """Take the address of a file as it was given; what folder that is in is its.

        Raises:
            OutputError: It is on a web server.

        """
        url = as_url(given)
        if url is None:
            path = Path(on_disk(given))
            return cls(path.parent, file=path.name)
        folder, _, name = url.rpartition("/")
        return replace(cls.of(folder), file=name)

    def below(self, name: str) -> Output:
        """Give a folder in it, for one of several maps."""
        url = None if self.url is None else f"{self.url}/{name}"
        return Output(self.folder / name, url)

    def beside(self, name: str) -> Output:
        """Give another file of the folder, made by itself."""
        folder = self.folder if self.url is None else self.folder / name
        return Output(folder, self.url, name)

    @property
    def record(self) -> str:
        """The name of the file that says what is there: it comes last."""
        return f"{self.file}.json" if self.file else REPORT

    @property
    def path(self) -> Path:
        """The file, where it is made."""
        return self.folder / self.file

    def run_directory(self, name: str | None = None) -> str | Path:
        """Say where unfinished work is kept unless it is said otherwise."""
        name = name or (f".{self.file}.geoseg" if self.file else RUN_DIRECTORY)
        return self.folder / name if self.url is None else f"{self.url}/{name}"

    def destination(self, path: Path) -> str:
        """Say where a product is in the end."""
        if self.url is None:
            return str(path)
        name = path.relative_to(self.folder).as_posix()
        return without_secrets(f"{self.url}/{name}")

    def check(self) -> None:
        """Refuse what cannot become a folder on a disk; make nothing.

        Raises:
            OutputError: It, or what is above it, is a file or cannot be written.

        """
        if self.url is None:
            check_folder(self.folder)

    def check_products(self, products: Iterable[Path], *, overwrite: bool) -> None:
        """Refuse to replace what somebody made in a folder, or changed since.

        Raises:
            OutputError: Something would be lost.

        """
        if self.url is None:
            for path in products:
                check_replaceable(path, overwrite=overwrite)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep others from writing there; leave nothing in the temporary folder.

        Raises:
            OutputError: Another process is writing there, or the store cannot be
                reached or written.

        """
        if self.url is None:
            lock = locked_file(self.path) if self.file else locked_folder(self.folder)
            with lock:
                yield
            return
        own = f".{self.file}" if self.file else RUN_DIRECTORY
        bucket, probe = Bucket(self.url), f"{own}-check"
        try:
            bucket.put(probe, b"")
            bucket.remove([probe])
        except FileNotFoundError as error:
            raise OutputError(
                f"{bucket} cannot be written ({error}); make the bucket first"
            ) from error
        except DiskError as error:  # nothing has been done yet
            raise OutputError(str(error)) from error
        try:
            lease = Lease(Bucket(f"{self.url}/{own}-lock"))
        except ResumeError as error:
            raise BusyError(str(error)) from error
        try:
            yield
        finally:
            lease.release()
            remove_folder(self.folder)
            above = self.folder.parent  # of one of several maps, their folder
            if above != Path(tempfile.gettempdir()):
                with suppress(OSError):
                    above.rmdir()

    def publish(self, there: Collection[str] = ()) -> None:
        """Bring all products to the store, the record last; nothing to do on a disk.

        Args:
            there: Names of those that are in the store as they are here.

        Raises:
            DiskError: The store cannot be written; what came there is removed.

        """
        if self.url is None:
            return
        bucket = Bucket(self.url)
        made = [path.relative_to(self.folder) for path in self.folder.rglob("*")]
        files = [path.as_posix() for path in made if (self.folder / path).is_file()]
        names = [name for name in files if name not in there]
        names.sort(key=lambda name: (name == self.record, name))
        bucket.remove([self.record])
        try:
            for name in names:
                bucket.upload(self.folder / name, name)
        except DiskError:
            with suppress(DiskError):
                bucket.remove(names)
            raise

    def fetch_record(self) -> None:
        """Bring the record of what is done from the store, where there is one."""
        if self.url is None:
            return
        with suppress(FileNotFoundError):
            content = Bucket(self.url).get(self.record)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / self.record).write_bytes(content)

    def fetch(self, checksums: Mapping[str, str]) -> None:
        """Bring products of a run that is done from the store; on a disk they are here.

        Args:
            checksums: The SHA-256 of each file, by its name.

        Raises:
            OutputError: One is not what the run left.
            DiskError: The store cannot be read.

        """
        if self.url is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, digest in checksums.items():
            path = self.folder / name
            Bucket(self.url).download(name, path)
            if checksum(path) != digest:
                raise OutputError(
                    f"{self.destination(path)} is not what {self.record} beside it "
                    f"says; set `restart` to make the map again"
                )

    def holds(self, checksums: Mapping[str, str]) -> bool:
        """Return whether products are there, and on a disk whether they are the same.

        Args:
            checksums: The SHA-256 of each file, by its name.

        """
        if self.url is None:
            paths = {self.folder / name: digest for name, digest in checksums.items()}
            return all(
                p.is_file() and checksum(p) == digest for p, digest in paths.items()
            )
        bucket = Bucket(self.url)
        return all(bucket.has(name) for name in checksums)
