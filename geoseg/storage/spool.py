"""Arrays too large to be held, in one file without a name, read by windows.

The file goes with its process, however that ends. A window is mapped while it is
copied and no longer, so that what has been read does not count as this process's
memory: the system keeps of it what it has room for.
"""

from __future__ import annotations

import tempfile
import weakref
from dataclasses import dataclass
from mmap import ALLOCATIONGRANULARITY
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.storage.full_disk import disk_error

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


_NAME = "what is read of scenes"
"""What messages call the file."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """An array in a file; what is taken of it by an index is a copy in memory."""

    spool: Spool
    """The file that holds it."""
    offset: int
    """Where it begins, a multiple of the pages that are mapped."""
    shape: tuple[int, ...]
    """Its shape; rows are the last axis but one."""
    dtype: np.dtype[Any]
    """Its type."""

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401  # as numpy takes
        """Read a part, by an index as numpy takes it."""
        mapped = np.memmap(
            self.spool.file, self.dtype, mode="r", offset=self.offset, shape=self.shape
        )
        return np.array(mapped[key])

    def put(self, row: int, values: NDArray[Any]) -> None:
        """Write whole rows.

        Args:
            row: The first.
            values: Of the array's shape but for fewer rows.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        height, width = self.shape[-2:]
        plane = height * width * self.dtype.itemsize
        start = self.offset + row * width * self.dtype.itemsize
        planes = values.reshape(-1, *values.shape[-2:]).astype(self.dtype, copy=False)
        for number, each in enumerate(planes):
            self.spool.write(each, start + number * plane)


class Spool:
    """A file without a name that arrays are put into."""

    def __init__(self, folder: Path | None = None) -> None:
        """Begin a file in a folder; where None, in that for temporary files."""
        self.folder = Path(tempfile.gettempdir()) if folder is None else folder
        # It is closed when nothing holds it any more, arrays in it neither.
        self.file: Any = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115
        weakref.finalize(self, self.file.close)
        self._end = 0

    def write(self, values: NDArray[Any], at: int) -> None:
        """Write numbers at a byte of the file.

        Raises:
            DiskError: The disk is full or cannot be written.

        """
        left = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        try:
            self.file.seek(at)
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise disk_error(self.folder / _NAME, error) from error

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> Spooled:
        """Make room for an array, of zeros until it is written."""
        kind = np.dtype(dtype)
        array = Spooled(self, self._end, shape, kind)
        size = int(np.prod(shape)) * kind.itemsize
        self._end += -(-max(size, 1) // ALLOCATIONGRANULARITY) * ALLOCATIONGRANULARITY
        self.file.truncate(self._end)
        return array
