"""What is in chips: pixels of each class, and each band's mean and deviation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of each band over valid pixels, that can be added up."""

    count: int
    """Valid pixels."""
    mean: NDArray[np.float64]
    """Of each band."""
    squares: NDArray[np.float64]
    """Of each band, the sum of squared differences from its mean."""
    least: NDArray[np.float64]
    """Of each band."""
    greatest: NDArray[np.float64]
    """Of each band."""

    @classmethod
    def of(cls, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Moments:
        """Sum up pixels ``(band, y, x)`` where ``(y, x)`` says so; one at least."""
        seen = pixels[:, valid].astype(np.float64)  # (band, pixel)
        mean = seen.mean(axis=1)
        squares = ((seen - mean[:, np.newaxis]) ** 2).sum(axis=1)
        return cls(
            seen.shape[1], mean, squares, seen.min(axis=1), seen.max(axis=1)
        )  # fmt: skip

    def plus(self, other: Moments) -> Moments:
        """Add those of other pixels (Chan, Golub and LeVeque 1979)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares
            + other.squares
            + apart**2 * (self.count * other.count / count),
            np.minimum(self.least, other.least),
            np.maximum(self.greatest, other.greatest),
        )

    def to_dict(self) -> dict[str, Any]:
        """Write them as JSON takes it; every digit survives."""
        names = ("mean", "squares", "least", "greatest")
        lists = {name: getattr(self, name).tolist() for name in names}
        return {"count": self.count, **lists}

    @classmethod
    def from_dict(cls, figures: dict[str, Any]) -> Moments:
        """Read what `to_dict` wrote."""
        names = ("mean", "squares", "least", "greatest")
        return cls(figures["count"], *(np.array(figures[name]) for name in names))


def band_figures(
    bands: tuple[str, ...], moments: Iterable[Moments]
) -> list[dict[str, Any]]:
    """Give each band's mean, deviation and range over chips; names alone of none."""
    total: Moments | None = None
    for each in moments:
        total = each if total is None else total.plus(each)
    if total is None:
        return [{"name": name} for name in bands]
    deviations = np.sqrt(total.squares / total.count)
    columns = (total.mean, deviations, total.least, total.greatest)
    names = ("mean", "deviation", "minimum", "maximum")
    return [
        {"name": band, **dict(zip(names, map(float, figures), strict=True))}
        for band, *figures in zip(bands, *columns, strict=True)
    ]
