"""Many bands as three: the principal components of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 3
"""Components that are shown: red, green and blue."""


@dataclass(frozen=True, slots=True)
class Components:
    """The directions in which a picture's bands differ most."""

    means: NDArray[np.float64]
    """Of each band, shape ``(band, 1)``."""
    directions: NDArray[np.float64]
    """A row a component, shape ``(3, band)``."""
    shares: tuple[float, ...]
    """The share of the variance that each component explains, 0 to 1."""

    @classmethod
    def of(cls, picture: np.ma.MaskedArray) -> Components:
        """Find them.

        Pearson (1901), On lines and planes of closest fit to systems of points in
        space, Philosophical Magazine 2. A direction points to where its largest part is
        positive, so that the same picture gives the same colours.

        Args:
            picture: Three bands or more, shape ``(band, y, x)``, masked where there is
                no data.

        """
        hidden = np.ma.getmaskarray(picture).any(axis=0)
        seen = picture.data[:, ~hidden].astype(np.float64)
        if not seen.size:
            bands = len(picture)
            nothing = np.zeros((bands, 1)), np.zeros((SHOWN, bands))
            return cls(*nothing, (0.0,) * SHOWN)
        means = seen.mean(axis=1, keepdims=True)
        seen -= means
        variances, directions = np.linalg.eigh(seen @ seen.T / seen.shape[1])
        chosen = directions[:, : -SHOWN - 1 : -1].T
        largest = np.abs(chosen).argmax(axis=1)
        signs = np.sign(chosen[np.arange(SHOWN), largest])
        total = float(variances.sum()) or 1.0
        shares = tuple(float(each / total) for each in variances[: -SHOWN - 1 : -1])
        return cls(means, chosen * signs[:, np.newaxis], shares)

    def project(self, picture: np.ma.MaskedArray) -> np.ma.MaskedArray:
        """Give a picture's components.

        Args:
            picture: Bands as those they were found of, shape ``(band, y, x)``.

        Returns:
            Three components, shape ``(3, y, x)``, masked where any band is.

        """
        hidden = np.ma.getmaskarray(picture).any(axis=0)
        directions = self.directions.astype(np.float32)
        found = np.tensordot(directions, picture.data.astype(np.float32, copy=False), 1)
        found -= (self.directions @ self.means).astype(np.float32)[:, :, np.newaxis]
        found[:, hidden] = 0
        return np.ma.MaskedArray(found, mask=np.broadcast_to(hidden, found.shape))


def principal_components(
    picture: np.ma.MaskedArray,
) -> tuple[np.ma.MaskedArray, tuple[float, ...]]:
    """Project a picture on its own components: see `Components`.

    Returns:
        Three components, shape ``(3, y, x)``, and the share of the variance that each
        of them explains, 0 to 1.

    """
    components = Components.of(picture)
    return components.project(picture), components.shares
