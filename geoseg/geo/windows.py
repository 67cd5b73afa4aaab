"""Windows: rectangles of whole pixels, which may reach outside the scene."""

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
        """Return whether every pixel of the other window is in this one."""
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


def reflect(start: int, stop: int, length: int) -> list[int]:
    """Fold the indices ``[start, stop)`` back into an axis of ``length`` pixels.

    Beyond its first and last pixel the axis is mirrored, without repeating the
    edge pixel, as often as needed: a tile larger than the scene still gets
    scene pixels everywhere.

    Example:
        >>> reflect(-3, 6, 4)
        [3, 2, 1, 0, 1, 2, 3, 2, 1]
        >>> reflect(-1, 2, 1)
        [0, 0, 0]

    """
    period = max(2 * (length - 1), 1)
    folded = (index % period for index in range(start, stop))
    return [min(index, period - index) if length > 1 else 0 for index in folded]
