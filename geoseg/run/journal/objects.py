"""A run directory on an object store: ``s3://bucket/prefix`` and whatever fsspec knows.

There is no rename here, nor a file to add lines to. So each file is an object under a
name that no other has, and counts only once an object of the journal names it, with its
checksum. The journal is a row of small, numbered objects, one for each batch of tasks;
sixty-four of them are put together into one, so that they stay few and each line is
written twice in all. An object appears whole or not at all.
"""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import DiskError, OutputError, ResumeError, RunError
from geoseg.run.journal.store import (
    IDENTITY,
    STATE,
    Names,
    Receipt,
    Seen,
    fits,
    pack,
    span,
    unpack,
)
from geoseg.storage.bucket import Bucket, get_whole
from geoseg.storage.lease import OWNER, Lease, living_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_TOGETHER = 64
"""Journal objects that are put together into one."""
_LISTED = np.dtype([("name", np.int64), ("size", np.int64)])
"""What is kept of an object that is listed."""
_LINES = 4096
"""Lines of an object when the whole journal is written anew."""
_LOOKS = 5
"""How often a journal is listed that its owner puts together meanwhile."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The files of a run directory on an object store."""

    bucket: Bucket
    """Where they are."""

    def check(self) -> None:
        """Prove that this process sees the run directory and can write it."""
        try:
            self.bucket.get(IDENTITY)
        except FileNotFoundError as error:
            raise OutputError(
                f"the run directory {self.bucket} is not there; do the workers reach "
                f"the same store?"
            ) from error
        self.remove(receipt.file for receipt in self.write({"check": b""}))

    def write(self, contents: Mapping[str, bytes]) -> tuple[Receipt, ...]:
        """Write things by name into a new object, whole or not at all."""
        data, receipts = pack(contents)
        self.bucket.put(_key(receipts[0].file), data)
        return receipts

    def read(self, receipts: Sequence[Receipt]) -> list[bytes]:
        """Read things of one object; again where what came is something else.

        One that stays damaged is put on a list, for the next process to look at: what
        is removed because of a bad answer may have been good.
        """
        file = receipts[0].file
        url = f"{self.bucket}/{_key(file)}"
        try:
            data = self._whole(receipts)
        except FileNotFoundError as error:
            raise RunError(
                f"{url} is gone; run the same command again: what is missing is "
                f"computed anew"
            ) from error
        try:
            return unpack(url, data, receipts)
        except RunError:
            self.bucket.put(_doubt(file), b"")
            raise

    def _whole(self, receipts: Sequence[Receipt]) -> bytes:
        """Fetch things of a file, some times until they are what was written."""
        key, (start, stop) = _key(receipts[0].file), span(receipts)
        return get_whole(
            lambda: self.bucket.get(key, start, stop), lambda data: fits(data, receipts)
        )

    def survey(self) -> Callable[[Receipt], bool]:
        """List the objects once; the store itself guards what they hold.

        Of each the hash of its name and its size are kept, sixteen bytes. Those that
        somebody read and found damaged are read again.
        """
        listed = ((hash(name), size) for name, size in self.bucket.list("files"))
        known = np.sort(np.fromiter(listed, _LISTED), order="name")
        doubted = {name for name, _ in self.bucket.list("doubted")}

        def holds(receipt: Receipt) -> bool:
            wanted = hash(_key(receipt.file))
            index = np.searchsorted(known["name"], wanted)
            is_there = bool(
                index < len(known)
                and known["name"][index] == wanted
                and known["size"][index] >= receipt.stop
            )
            if not is_there or _doubt(receipt.file) not in doubted:
                return is_there
            return fits(self._whole([receipt]), [receipt])

        return holds

    def remove(self, files: Iterable[str]) -> None:
        """Remove files; those that are gone already are no error."""
        self.bucket.remove(map(_key, files))

    def sweep(self, used: Names) -> None:
        """Remove what tasks left that a kill kept from being noted: all but these."""
        files = (name.partition("/")[2] for name, _ in self.bucket.list("files"))
        self.remove(file for file in files if file not in used)


class ObjectLog:
    """The journal of a run directory on an object store: a row of objects, a lease."""

    def __init__(self, url: str) -> None:
        """Take a run directory.

        Raises:
            OutputError: It cannot be reached or written, or holds what no run has put
                there.
            ResumeError: A live process is using it.

        """
        self._bucket = Bucket(url.rstrip("/"))
        self.store = ObjectStore(self._bucket)
        try:
            _refuse_others(self._bucket)
            self._lease = Lease(self._bucket)
        except FileNotFoundError as error:
            raise OutputError(
                f"{self._bucket} cannot be written ({error}); make the bucket first, "
                f"or choose another run directory"
            ) from error
        except DiskError as error:  # nothing has been done yet
            raise OutputError(str(error)) from error
        self._series = ""
        self._next = 0
        self._recent: list[bytes] = []

    @property
    def directory(self) -> str:
        """Where the run directory is."""
        return str(self._bucket)

    def identity(self) -> bytes | None:
        """What says whose run it is."""
        recorded = _recorded(self._bucket)
        if recorded is None:
            return None
        self._series = recorded["journal"]
        names = _objects(self._bucket, self._series)
        self._next = names[-1][1] + 1 if names else 0
        return recorded["identity"].encode()

    def sign(self, identity: bytes) -> None:
        """Throw away what there is, and say whose run it is from now on."""
        # What says so goes first: without it, nothing counts of what a kill leaves.
        self._bucket.remove([IDENTITY])
        names = (name for name, _ in self._bucket.list() if name != OWNER)
        self._bucket.remove(names)
        self._begin_series()
        self._record(identity)

    def lines(self) -> Iterator[bytes]:
        """Give the journal's lines, oldest first."""
        names = [name for name, _ in _objects(self._bucket, self._series)]
        for name, data in zip(names, self._bucket.get_all(names), strict=True):
            if not _is_sealed(data):
                data = get_whole(partial(self._bucket.get, name), _is_sealed)  # noqa: PLW2901  # the same, read anew
            yield from _unsealed(data).splitlines()

    def append(self, lines: Iterable[str]) -> None:
        """Add lines, as one object more."""
        data = "".join(f"{line}\n" for line in lines).encode()
        self._create(_name(self._series, self._next, self._next), _sealed(data))
        self._next += 1
        self._recent.append(data)
        if len(self._recent) == _TOGETHER:
            self._put_together()

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all lines: a new row, which counts once recorded."""
        recorded = _recorded(self._bucket)
        old, rest = self._series, iter(lines)
        some = list(islice(rest, _LINES))  # they may be read from the old row
        self._begin_series()
        while some:
            self.append(some)
            some = list(islice(rest, _LINES))
        self._record(recorded["identity"].encode() if recorded else b"")
        self._bucket.remove(name for name, _ in self._bucket.list(f"journal/{old}"))

    def report(self, state: bytes) -> None:
        """Say how the run is, to whoever looks at its directory."""
        self._bucket.put(STATE, state)

    def release(self) -> None:
        """Let others have the run directory."""
        self._lease.release()

    def discard(self) -> None:
        """Remove the run directory, and let go of it."""
        self._bucket.remove([IDENTITY])
        self._bucket.remove(name for name, _ in self._bucket.list() if name != OWNER)
        self.release()

    def _begin_series(self) -> None:
        self._series, self._next, self._recent = secrets.token_hex(4), 0, []

    def _record(self, identity: bytes) -> None:
        pair = {"journal": self._series, "identity": identity.decode()}
        self._bucket.put(IDENTITY, json.dumps(pair).encode())

    def _create(self, name: str, data: bytes) -> None:
        """Write an object of the journal; that nobody else has is the proof of a lock.

        A connection that broke may have hidden that it was written: it is ours then.
        """
        try:
            self._bucket.create(name, data)
        except FileExistsError as error:
            found = get_whole(lambda: self._bucket.get(name), data.__eq__)
            if found != data:
                raise RunError(
                    f"another process has taken over the run in {self._bucket}; let it "
                    f"finish, or stop it and run the same command again"
                ) from error

    def _put_together(self) -> None:
        """Make one object of the last ones; a kill in between leaves both: no harm."""
        first, last = self._next - len(self._recent), self._next - 1
        together = _sealed(b"".join(self._recent))
        self._create(_name(self._series, first, last), together)
        self._bucket.remove(_name(self._series, n, n) for n in range(first, self._next))
        self._recent = []


def look(url: str) -> Seen | None:
    """See how the run at a URL is, without taking it; None where none is.

    Raises:
        OutputError: It cannot be reached.

    """
    bucket = Bucket(url.rstrip("/"))
    try:
        recorded = _recorded(bucket)
        if recorded is None:
            return None
        return Seen(
            recorded["identity"].encode(),
            state=_state(bucket),
            lines=_followed(bucket, recorded["journal"]),
            is_owned=bool(living_owner(bucket)),
        )
    except DiskError as error:  # nothing is done
        raise OutputError(str(error)) from error


def _state(bucket: Bucket) -> bytes:
    try:
        return bucket.get(STATE)
    except FileNotFoundError:
        return b""


def _objects(bucket: Bucket, series: str) -> list[tuple[str, int]]:
    """Name a journal's objects in order, and the last number of each.

    One whose numbers another has, too, is left out.
    """
    found = []
    for name, _ in bucket.list(f"journal/{series}"):
        first, last = map(int, name.rpartition("/")[2].split("-"))
        found.append((first, -last, name))
    chosen: list[tuple[str, int]] = []
    for first, minus_last, name in sorted(found):
        if not chosen or first > chosen[-1][1]:
            chosen.append((name, -minus_last))
    return chosen


def _followed(bucket: Bucket, series: str) -> Iterator[bytes]:
    """Give the lines of a journal that its owner goes on writing, each once.

    An object that is gone is in a larger one by now, whose other lines are new.
    """
    reached, given = -1, set[bytes]()
    for _ in range(_LOOKS):
        left = [each for each in _objects(bucket, series) if each[1] > reached]
        try:
            names = [name for name, _ in left]
            for (name, last), data in zip(left, bucket.get_all(names), strict=True):
                lines = _unsealed(data).splitlines()
                yield from (line for line in lines if line not in given)
                is_single = name.endswith(f"/{last:012}-{last:012}")
                given = given.union(lines) if is_single else set()
                reached = last
        except FileNotFoundError:
            continue
        return


def read_identity(url: str) -> bytes | None:
    """Read, without taking it, whose run a URL holds; None where none is.

    Raises:
        OutputError: It cannot be reached.

    """
    try:
        recorded = _recorded(Bucket(url.rstrip("/")))
    except DiskError as error:  # nothing has been done yet
        raise OutputError(str(error)) from error
    return recorded["identity"].encode() if recorded else None


def _recorded(bucket: Bucket) -> dict[str, str] | None:
    try:
        data = get_whole(lambda: bucket.get(IDENTITY), _is_record)
    except FileNotFoundError:
        return None
    if not _is_record(data):
        raise ResumeError(
            f"{bucket}/{IDENTITY} says nothing that can be read, and so not whose run "
            f"it is; run the same command again when the store answers, or use "
            f"`restart` to begin again"
        )
    pair: dict[str, str] = json.loads(data)
    return pair


def _is_record(data: bytes) -> bool:
    """Whether what came is what says whose run it is."""
    try:
        value = json.loads(data)
    except ValueError:
        return False
    keys = ("journal", "identity")
    return isinstance(value, dict) and all(isinstance(value.get(k), str) for k in keys)


def _sealed(lines: bytes) -> bytes:
    """Put a checksum before lines of the journal: a store may answer with anything."""
    return b"%08x\n%b" % (zlib.crc32(lines), lines)


def _is_sealed(data: bytes) -> bool:
    seal, _, lines = data.partition(b"\n")
    return seal == b"%08x" % zlib.crc32(lines)


def _unsealed(data: bytes) -> bytes:
    """Give the lines: of something else all of them, so that they are counted."""
    return data.partition(b"\n")[2] if _is_sealed(data) else data


def _refuse_others(bucket: Bucket) -> None:
    """Refuse to take what is no run's, and in the end empty it."""
    names = [name for name, _ in islice(bucket.list(), 1000)]
    ours = ("files/", "journal/", "doubted/", IDENTITY, STATE, OWNER)
    if others := [name for name in names if not name.startswith(ours)]:
        raise OutputError(
            f"{bucket} holds objects that are no run's, such as {others[0]}; a run "
            f"directory begins empty, and is removed at the end"
        )


def _key(file: str) -> str:
    return f"files/{file}"


def _doubt(file: str) -> str:
    """Name the object that says that a file was found to be damaged."""
    return f"doubted/{file}"


def _name(series: str, first: int, last: int) -> str:
    return f"journal/{series}/{first:012}-{last:012}"
