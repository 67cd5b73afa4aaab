"""What an MLM item does to a band's raw pixels, as one clip and one straight line.

Each of the extension's operations is a line or a cut, and a line after a cut is a cut
after the same line: so any chain of them is one cut of raw pixels and one line after
it, to the last digit but of rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDS = {
    "min-max": ("minimum", "maximum"),
    "z-score": ("mean", "stddev"),
    "clip": ("minimum", "maximum"),
    "clip-min": ("minimum",),
    "clip-max": ("maximum",),
    "offset": ("value",),
    "scale": ("value",),
}
"""The operations, and the figures that each has."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a chain does: ``(clip(raw, least, most) - centre) / spread``."""

    centre: float = 0.0
    """What is taken off raw pixels."""
    spread: float = 1.0
    """What they are divided by then, above zero."""
    least: float = -math.inf
    """What lower raw pixels are taken for."""
    most: float = math.inf
    """What higher raw pixels are taken for."""

    @property
    def clip(self) -> tuple[float, float] | None:
        """The cut of raw pixels; None where there is none."""
        ends = self.least, self.most
        return ends if any(map(math.isfinite, ends)) else None

    def then(self, kind: str, figures: dict[str, float]) -> Folded:
        """Give this with one more operation after it.

        Raises:
            ValueError: It divides by what is not above zero, or leaves one value.

        """
        if kind.startswith("clip"):
            return self._cut(figures)
        taken, by = figures.get("value", 0.0), 1.0
        if kind == "min-max":
            taken, by = figures["minimum"], figures["maximum"] - figures["minimum"]
        elif kind == "z-score":
            taken, by = figures["mean"], figures["stddev"]
        elif kind == "scale":
            taken, by = 0.0, figures["value"]
        if not by > 0:
            raise ValueError(
                f"a value_scaling of type {kind} divides by {by:g}, which must be "
                f"above 0"
            )
        return replace(
            self, centre=self.centre + self.spread * taken, spread=self.spread * by
        )

    def _cut(self, figures: dict[str, float]) -> Folded:
        low = self._raw(figures.get("minimum", -math.inf))
        high = self._raw(figures.get("maximum", math.inf))
        cut = replace(self, least=max(self.least, low), most=min(self.most, high))
        if not cut.least < cut.most:
            raise ValueError(
                f"its value_scaling cuts raw pixels to between {cut.least:g} and "
                f"{cut.most:g}, which leaves one value"
            )
        return cut

    def _raw(self, value: float) -> float:
        """Say which raw pixel becomes a value."""
        return self.centre + self.spread * value


def fold(scaling: Any, band: str = "pixels") -> Folded:  # noqa: ANN401  # what JSON holds
    """Fold what is done to a band: an operation, or several in their order.

    Args:
        scaling: A value scaling object of the extension, a list of them, or None.
        band: The band's name, for messages.

    Raises:
        ValueError: An operation that is none of the extension's, or is a processing
            expression, or has figures that cannot be.

    Example:
        >>> fold([{"type": "clip", "minimum": 0, "maximum": 3000},
        ...       {"type": "scale", "value": 3000}])
        Folded(centre=0.0, spread=3000.0, least=0.0, most=3000.0)

    """
    try:
        return _folded(scaling)
    except KeyError as error:
        raise ValueError(f"the value_scaling of {band} lacks {error}") from error
    except ValueError as error:
        raise ValueError(f"{error} ({band})") from error


def _folded(scaling: Any) -> Folded:  # noqa: ANN401  # the same
    folded = Folded()
    for each in scaling if isinstance(scaling, list) else [scaling]:
        kind = None if each is None else each["type"]
        if kind is None:
            continue
        if kind == "processing":
            raise ValueError(
                f"its value_scaling is a processing expression, "
                f"{str(each.get('expression'))!r} ({each.get('format')}), which "
                f"geoseg does not execute; put it into the network, or say how pixels "
                f"are normalised by `mean`, `std` and `scale`"
            )
        if kind not in _NEEDS:
            known = ", ".join((*_NEEDS, "processing"))
            raise ValueError(
                f"a value_scaling's type is {kind!r}; the MLM extension has {known}"
            )
        folded = folded.then(kind, {name: _number(each, name) for name in _NEEDS[kind]})
    return folded


def per_band(scalings: object, bands: int) -> list[Any]:
    """Give what is done to each band: one scaling is for all.

    Raises:
        ValueError: There are neither one nor as many as bands.

    """
    if scalings is None or scalings == []:
        return [None] * bands
    listed: Sequence[Any] = scalings if isinstance(scalings, list) else [scalings]
    if len(listed) not in {1, bands}:
        raise ValueError(
            f"its input has {bands} bands, and scalings for {len(listed)}; it needs "
            f"one for all, or one for each (a list of several, where one band has more)"
        )
    return list(listed) if len(listed) == bands else [listed[0]] * bands


def _number(scaling: dict[str, Any], name: str) -> float:
    value = float(scaling[name])
    if not math.isfinite(value):
        raise ValueError(
            f"{name} of a value_scaling of type {scaling['type']} is {value}"
        )
    return value
