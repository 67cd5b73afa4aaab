"""A picture of a confusion matrix, and of confidences beside what came true.

All positions are in inches from the upper left corner of the page.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from geoseg.geo.legend import LandClass, Legend

_DPI = 150
_INK, _FAINT, _RULE = "#222222", "#6b6b6b", "#d0d0d0"
_MARGIN = 0.35
_CELL = 0.62
_LEFT, _TOP = 2.3, 2.35
"""Where the cells begin: beside their names, under headings and names."""
_RIGHT, _BELOW = 2.2, 0.5
"""Room for the two columns behind the cells, and for the row under them."""
_PANEL, _GAP = 3.2, 0.75
"""The side of the panel for confidences, and the room to its left."""
_NARROWEST = 7.5
"""What the headings need."""
_LETTERS = 20
"""Letters of a name that are shown."""
_DARK = 0.5
"""From this share of a row on, a cell is so dark that its text is white."""
_AGREES, _ERRS = (0, 88, 72), (153, 52, 4)
"""The darkest colour of what agrees, and of what does not: red, green, blue."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """What is drawn."""

    title: str
    """What is compared with what."""
    figures: str
    """The overall figures, in a line."""
    unit: str
    """What was counted, such as ``pixels``."""
    legend: Legend
    """The classes."""
    matrix: NDArray[np.int64]
    """Counts, shape ``(class, class)``: reference in rows, map in columns."""
    producers: NDArray[np.float64]
    """Producer's accuracies, shape ``(class,)``, 0 to 1 or NaN: to the right."""
    users: NDArray[np.float64]
    """User's accuracies: below."""
    reliability: Sequence[tuple[float, float, int]] = ()
    """Mean confidence, share that is right, and count, of each bin."""


def write_confusion(path: Path, confusion: Confusion) -> None:
    """Draw a confusion matrix, each row in percent, and save it as PNG.

    Classes that are neither in the reference nor on the map are left out. The same
    figures give the same bytes.

    Raises:
        DiskError: The file cannot be written.

    """
    matrix = confusion.matrix
    shown = np.flatnonzero(matrix.any(axis=0) | matrix.any(axis=1))
    classes = [confusion.legend.classes[index] for index in shown]
    side = len(shown) * _CELL
    panel = _LEFT + side + _RIGHT + _GAP
    wide = panel + _PANEL if confusion.reliability else panel - _GAP
    wide = max(wide + _MARGIN, _NARROWEST)
    lower = max(side, _PANEL) if confusion.reliability else side
    high = _TOP + lower + _BELOW + _MARGIN
    member = _Member(wide, high)
    member.headings(confusion.title, confusion.figures)
    member.cells(matrix[np.ix_(shown, shown)])
    member.accuracies(
        confusion.producers[shown], confusion.users[shown], matrix.sum(axis=1)[shown]
    )
    member.names(classes, confusion.unit)
    if confusion.reliability:
        member.reliability(panel, confusion.reliability)
    with atomic_file(path) as whole:
        # Known as ours by it; a version would be a trace of time.
        member.figure.savefig(whole, format="png", metadata={"Software": "geoseg"})


class _Member:
    """A page that is being drawn."""

    def __init__(self, wide: float, high: float) -> None:
        """Begin with white paper."""
        self.size = wide, high
        self.figure = Figure(figsize=self.size, dpi=_DPI, facecolor="white")
        FigureCanvasAgg(self.figure)
        self._paper: Axes = self.figure.add_axes(
            (0, 0, 1, 1), xlim=(0, wide), ylim=(high, 0)
        )
        self._paper.axis("off")

    def headings(self, title: str, figures: str) -> None:
        """Write what was compared, and how well it agrees."""
        letters = int(self.size[0] * 8)
        title = shorten(title, letters, placeholder="…")
        self._text(_MARGIN, 0.4, title, size=13, weight="bold", va="center")
        self._text(_MARGIN, 0.7, figures, size=9.5, color=_FAINT, va="center")

    def cells(self, matrix: NDArray[np.int64]) -> None:
        """Draw the cells: percents of a row over counts."""
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for (row, col), share in np.ndenumerate(shares):
            dark = np.array(_AGREES if row == col else _ERRS) / 255
            corner = (_LEFT + col * _CELL, _TOP + row * _CELL)
            self._paper.add_patch(
                Rectangle(
                    corner, _CELL, _CELL,
                    facecolor=tuple(1 - share * (1 - dark)), edgecolor=_RULE,
                    linewidth=0.6,
                )
            )  # fmt: skip
            if matrix[row, col]:
                ink = "white" if share > _DARK else _INK
                x, y = corner[0] + _CELL / 2, corner[1] + _CELL / 2
                style = {"ha": "center", "va": "center", "color": ink}
                self._text(x, y - 0.07, f"{100 * share:.1f}", size=9.5, **style)
                self._text(
                    x, y + 0.14, _short(int(matrix[row, col])), size=6.5, **style
                )

    def accuracies(
        self,
        producers: NDArray[np.float64],
        users: NDArray[np.float64],
        counts: NDArray[np.int64],
    ) -> None:
        """Write what rows say to the right of the cells, and what columns say below."""
        end = len(counts) * _CELL
        for index, (producer, user, count) in enumerate(
            zip(producers, users, counts.tolist(), strict=True)
        ):
            middle = (index + 0.5) * _CELL
            style: dict[str, Any] = {"va": "center", "ha": "right"}
            x, y = _LEFT + end, _TOP + middle
            self._text(x + 1.15, y, _percent(producer), **style)
            self._text(x + 2.1, y, f"{count:,}", color=_FAINT, **style)
            style["ha"] = "center"
            self._text(_LEFT + middle, _TOP + end + 0.25, _percent(user), **style)
        style = {"color": _FAINT, "ha": "right", "va": "center"}
        self._text(_LEFT - 0.15, _TOP + end + 0.25, "user's (%)", **style)

    def names(self, classes: Sequence[LandClass], unit: str) -> None:
        """Name rows and columns, each beside its class's colour."""
        end = _LEFT + len(classes) * _CELL
        for index, land_class in enumerate(classes):
            name = shorten(land_class.name, _LETTERS, placeholder="…")
            name = name or land_class.name[:_LETTERS]
            middle = (index + 0.5) * _CELL
            for rectangle in (
                (_LEFT - 0.2, _TOP + middle - 0.11, 0.12, 0.22),
                (_LEFT + middle - 0.11, _TOP - 0.2, 0.22, 0.12),
            ):
                self._paper.add_patch(
                    Rectangle(
                        rectangle[:2], *rectangle[2:],
                        facecolor=land_class.colour, edgecolor=_FAINT, linewidth=0.4,
                    )
                )  # fmt: skip
            self._text(_LEFT - 0.3, _TOP + middle, name, ha="right", va="center")
            self._text(
                _LEFT + middle - 0.08, _TOP - 0.28, name, rotation=40,
                rotation_mode="anchor",
            )  # fmt: skip
        style: dict[str, Any] = {"size": 9, "color": _FAINT, "ha": "right"}
        self._text(_LEFT - 0.3, _TOP - 0.12, "reference ↓   map →", **style)
        self._text(end + 1.15, _TOP - 0.12, "producer's (%)", **style)
        self._text(end + 2.1, _TOP - 0.12, unit, **style)

    def reliability(
        self, left: float, bins: Sequence[tuple[float, float, int]]
    ) -> None:
        """Draw how often the map is right at each confidence."""
        wide, high = self.size
        axes = self.figure.add_axes(
            (left / wide, 1 - (_TOP + _PANEL) / high, _PANEL / wide, _PANEL / high),
            xlim=(0, 100), ylim=(0, 100),
        )  # fmt: skip
        sure, right, counts = (np.array(each) for each in zip(*bins, strict=True))
        axes.plot((0, 100), (0, 100), color=_RULE, linewidth=1, zorder=1)
        axes.scatter(
            100 * sure, 100 * right, s=10 + 290 * counts / counts.max(),
            color=tuple(np.array(_AGREES) / 255), alpha=0.8, linewidth=0, zorder=3,
            clip_on=False,
        )  # fmt: skip
        axes.set_title(
            "Reliability (a dot's area: share of all)", size=9.5, color=_INK, pad=11
        )
        axes.set_xlabel("mean confidence (%)", size=9, color=_FAINT)
        axes.set_ylabel("right (%)", size=9, color=_FAINT)
        axes.tick_params(labelsize=8, colors=_FAINT)
        axes.set_aspect("equal")
        for spine in axes.spines.values():
            spine.set(color=_FAINT, linewidth=0.6)

    def _text(
        self,
        x: float,
        y: float,
        words: str,
        **style: Any,  # noqa: ANN401  # matplotlib's own text properties
    ) -> None:
        # Dollars are dollars: names come from users, not from TeX.
        plain: dict[str, Any] = {"size": 10, "color": _INK, "parse_math": False}
        self._paper.text(x, y, words, **(plain | style))


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"


def _short(count: int) -> str:
    """Write a count in at most five letters.

    Example:
        >>> [_short(n) for n in (999, 12_345, 3_456_789, 1_234_567_890)]
        ['999', '12.3k', '3.5M', '1.2G']

    """
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)
