"""Integers only: windows, tiles, blocks and seams.

Everything here is arithmetic on whole pixels; no file, no array, no float.

One axis of the lattice, tile 8, overlap 4, so a step of 4::

    tile 0    [-2 ------ 6)            core [0, 4)
    tile 1         [2 ------ 10)       core [4, 8)
    tile 2             [6 ------ 14)   core [8, 12)

A tile's *core* is the tile less half the overlap on each side; cores partition
the axis. A *block* owns a rectangle of whole tiles. Where the tiles of two
blocks overlap, half the overlap on each side of the line between their cores,
is a *seam*: no block can finish it alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.errors import GridError


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A rectangle of whole pixels; it may reach outside the scene."""

    row: int
    """First row; may be negative."""
    col: int
    """First column; may be negative."""
    height: int
    """Number of rows, at least one."""
    width: int
    """Number of columns, at least one."""

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        if self.height < 1 or self.width < 1:
            raise GridError(
                f"a window needs at least one pixel, "
                f"got {self.height} rows x {self.width} columns"
            )

    @classmethod
    def between(cls, rows: tuple[int, int], cols: tuple[int, int]) -> Window:
        """Make the window of half-open ranges ``[start, stop)`` of rows and columns."""
        return cls(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])

    @property
    def rows(self) -> tuple[int, int]:
        """The half-open range ``[start, stop)`` of rows."""
        return self.row, self.row + self.height

    @property
    def cols(self) -> tuple[int, int]:
        """The half-open range ``[start, stop)`` of columns."""
        return self.col, self.col + self.width

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.height * self.width

    def intersection(self, other: Window) -> Window | None:
        """Take what both windows cover; None where they only touch or less."""
        rows = _overlap(self.rows, other.rows)
        cols = _overlap(self.cols, other.cols)
        if rows is None or cols is None:
            return None
        return Window.between(rows, cols)

    def contains(self, other: Window) -> bool:
        """Tell whether every pixel of the other window is in this one."""
        return self.intersection(other) == other

    def relative_to(self, origin: Window) -> Window:
        """Count rows and columns from another window's upper-left pixel."""
        return Window(
            self.row - origin.row, self.col - origin.col, self.height, self.width
        )

    def slices(self) -> tuple[slice, slice]:
        """Index an array whose first pixel is (0, 0).

        Raises:
            GridError: The window begins before the array does; numpy would
                count from the end and give other pixels without a word.

        """
        if self.row < 0 or self.col < 0:
            raise GridError(f"{self} begins outside the array")
        return slice(*self.rows), slice(*self.cols)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int] | None:
    start, stop = max(a[0], b[0]), min(a[1], b[1])
    return (start, stop) if start < stop else None
