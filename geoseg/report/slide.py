"""The layout of the preview: what goes where on a slide.

All positions are in inches from the upper left corner of the page. Two panels of
the same extent lie under or beside each other, whichever makes them larger; a
column to their right holds the legend, the scale bar and the north arrow. The
page is as large as its content, at most a 16:9 slide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from numpy.typing import NDArray

_DPI = 150
_SLIDE = 13.33, 7.5
_MARGIN = 0.4
_GAP = 0.25
_CAPTION = 0.3
_TITLE = 0.5
_FOOT = 0.25
_NAME = 16
"""Characters of a class's name that fit before its share."""
_COLUMN = 3.1
_ROW = 0.3
_SCALE = 1.1
_LONGEST_BAR = 1.6
_KILOMETRE = 1000
_INK, _FAINT = "#222222", "#6b6b6b"


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One line of the legend."""

    colour: str
    """The swatch, ``#rrggbb``."""
    name: str
    """What the colour means."""
    share: str
    """The share of the map, as it is shown."""
    area: str
    """The area, as it is shown."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where things go."""

    width: float
    """Width of the page."""
    height: float
    """Height of the page."""
    panel: tuple[float, float]
    """Width and height of both panels."""
    corners: tuple[tuple[float, float], tuple[float, float]]
    """(x, y) of the upper left of the first and the second panel."""

    @classmethod
    def around(cls, aspect: float, legend_rows: int) -> Page:
        """Lay out a page.

        Args:
            aspect: Width of a panel divided by its height.
            legend_rows: Lines of the legend; the page is high enough for them.

        """
        top = _MARGIN + _TITLE
        room_x = _SLIDE[0] - 3 * _MARGIN - _COLUMN
        room_y = _SLIDE[1] - top - _FOOT - _MARGIN
        under = min(room_x, (room_y - _GAP - 2 * _CAPTION) / 2 * aspect)
        beside = min((room_x - _GAP) / 2, (room_y - _CAPTION) * aspect)
        wide = max(under, beside)
        step_x, step_y = (
            (0.0, wide / aspect + _GAP + _CAPTION)
            if under > beside
            else (wide + _GAP, 0.0)
        )
        first = _MARGIN, top + _CAPTION
        panels = first[1] + step_y + wide / aspect
        column = top + _CAPTION + legend_rows * _ROW + _SCALE
        return cls(
            3 * _MARGIN + wide + step_x + _COLUMN,
            max(panels, column) + _FOOT + _MARGIN,
            (wide, wide / aspect),
            (first, (first[0] + step_x, first[1] + step_y)),
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Rows and columns of the page that a panel covers."""
        wide, high = self.panel
        return max(1, round(high * _DPI)), max(1, round(wide * _DPI))

    @property
    def column(self) -> float:
        """The left edge of the legend's column."""
        return self.corners[1][0] + self.panel[0] + _MARGIN


class Slide:
    """A page that is being drawn."""

    def __init__(self, page: Page) -> None:
        """Begin with white paper."""
        self.page = page
        self.figure = Figure(
            figsize=(page.width, page.height), dpi=_DPI, facecolor="white"
        )
        FigureCanvasAgg(self.figure)  # what measures texts is what draws them
        self._paper: Axes = self.figure.add_axes(
            (0, 0, 1, 1), xlim=(0, page.width), ylim=(page.height, 0)
        )
        self._paper.axis("off")

    def heading(self, title: str, attribution: str) -> None:
        """Write the title above and the attribution below."""
        page = self.page
        self._line(_MARGIN, title, size=17, weight="bold", va="top")
        foot = page.height - 0.6 * _MARGIN
        self._line(foot, attribution, size=7.5, color=_FAINT)

    def panel(
        self, corner: tuple[float, float], caption: str, picture: NDArray[np.uint8]
    ) -> None:
        """Show a picture, shape (y, x, red green blue), stretched over a panel."""
        (x, y), (wide, high), page = corner, self.page.panel, self.page
        self._text(x, y - 0.1, caption, size=11, color=_FAINT)
        axes = self.figure.add_axes(
            (
                x / page.width,
                1 - (y + high) / page.height,
                wide / page.width,
                high / page.height,
            )
        )
        axes.imshow(picture, aspect="auto", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color=_FAINT, linewidth=0.6)

    def legend(self, heading: str, rows: Sequence[LegendRow]) -> None:
        """List the classes, a line each, from the top of the column."""
        x, y = self.page.column, self.page.corners[0][1]
        self._text(x, y - 0.1, heading, size=11, color=_FAINT)
        for number, row in enumerate(rows):
            middle = y + (number + 0.5) * _ROW
            swatch = (x, middle - 0.1), 0.32, 0.2
            self._paper.add_patch(
                Rectangle(
                    *swatch, facecolor=row.colour, edgecolor=_FAINT, linewidth=0.5
                )
            )
            self._text(x + 0.45, middle, _shortened(row.name), va="center")
            self._text(x + 2.15, middle, row.share, va="center", ha="right")
            self._text(
                x + _COLUMN, middle, row.area, va="center", ha="right", color=_FAINT
            )

    def scale_bar(self, metres_an_inch: float) -> None:
        """Draw a bar of a round length at the foot of the column."""
        metres = round_length(_LONGEST_BAR * metres_an_inch)
        long = metres / metres_an_inch
        x, y = self.page.column, self._foot
        for start, colour in ((0.0, _INK), (0.5, "white")):
            half = (x + start * long, y - 0.09), long / 2, 0.09
            self._paper.add_patch(
                Rectangle(*half, facecolor=colour, edgecolor=_INK, linewidth=0.8)
            )
        self._text(x, y - 0.16, "0", ha="center", size=9)
        self._text(x + long, y - 0.16, length_text(metres), ha="center", size=9)

    def north_arrow(self, north: tuple[float, float]) -> None:
        """Point to true north, a vector (right, up), at the foot of the column."""
        right, up = north
        x, y = self.page.column + _COLUMN - 0.45, self._foot - 0.42

        def position(along: float, across: float) -> tuple[float, float]:
            return (
                x + along * right + across * up,
                y - (along * up - across * right),
            )

        tip, notch = position(0.32, 0), position(-0.18, 0)
        for side, colour in ((-0.17, _INK), (0.17, "white")):
            half = [tip, position(-0.32, side), notch]
            self._paper.add_patch(
                Polygon(half, facecolor=colour, edgecolor=_INK, linewidth=0.8)
            )
        self._text(*position(0.45, 0), "N", ha="center", va="center", weight="bold")

    @property
    def _foot(self) -> float:
        """The base line of what stands at the foot of the column."""
        return self.page.height - _FOOT - _MARGIN

    def _line(
        self,
        y: float,
        words: str,
        *,
        size: float,
        **style: Any,  # noqa: ANN401 (matplotlib's own text properties)
    ) -> None:
        """Write from margin to margin, smaller where that takes it."""
        text = self._text(_MARGIN, y, words, size=size, **style)
        room = (self.page.width - 2 * _MARGIN) * _DPI
        while text.get_window_extent().width > room:  # hinted: no simple proportion
            size *= 0.95
            text.set_fontsize(size)

    def _text(
        self,
        x: float,
        y: float,
        words: str,
        **style: Any,  # noqa: ANN401 (matplotlib's own text properties)
    ) -> Text:
        # Dollars are dollars: names come from users, not from TeX.
        plain: dict[str, Any] = {"size": 10, "color": _INK, "parse_math": False}
        return self._paper.text(x, y, words, **(plain | style))


def round_length(longest: float) -> float:
    """Take the largest of 1, 2 and 5 times a power of ten up to a length.

    Example:
        >>> [round_length(x) for x in (1.0, 1.9, 4999.0, 0.3)]
        [1.0, 1.0, 2000.0, 0.2]

    """
    power = 10.0 ** math.floor(math.log10(longest))
    return next(power * n for n in (5, 2, 1) if power * n <= longest)


def length_text(metres: float) -> str:
    """Write a length in metres, or in kilometres from one on.

    Example:
        >>> length_text(500.0), length_text(2000.0), length_text(0.2)
        ('500 m', '2 km', '0.2 m')

    """
    if metres >= _KILOMETRE:
        return f"{metres / _KILOMETRE:g} km"
    return f"{metres:g} m"


def _shortened(name: str) -> str:
    """Cut a class's name where it would reach into its share.

    Example:
        >>> _shortened("flooded_vegetation")
        'flooded_vegetat…'

    """
    return name if len(name) <= _NAME else f"{name[: _NAME - 1].rstrip()}…"
