"""Many bands as three: the principal components of a picture."""

from __future__ import annotations

import numpy as np

SHOWN = 3
"""Components that are shown: red, green and blue."""


def principal_components(
    picture: np.ma.MaskedArray,
) -> tuple[np.ma.MaskedArray, tuple[float, ...]]:
    """Project a picture's bands on the directions in which they differ most.

    Pearson (1901), On lines and planes of closest fit to systems of points in space,
    Philosophical Magazine 2. A direction points to where its largest part is positive,
    so that the same picture gives the same colours.

    Args:
        picture: Three bands or more, shape ``(band, y, x)``, masked where there is no
            data.

    Returns:
        Three components, shape ``(3, y, x)``, masked where any band is; and the share
        of the variance that each of them tells, 0 to 1.

    """
    hidden = np.ma.getmaskarray(picture).any(axis=0)
    seen = picture.data[:, ~hidden].astype(np.float64)
    found = np.zeros((SHOWN, *hidden.shape), np.float32)
    mask = np.broadcast_to(hidden, found.shape)
    if not seen.size:
        return np.ma.MaskedArray(found, mask=mask), (0.0,) * SHOWN
    seen -= seen.mean(axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(seen @ seen.T / seen.shape[1])
    chosen = directions[:, : -SHOWN - 1 : -1].T
    largest = np.abs(chosen).argmax(axis=1)
    chosen = chosen * np.sign(chosen[np.arange(SHOWN), largest])[:, np.newaxis]
    found[:, ~hidden] = chosen @ seen
    total = float(variances.sum()) or 1.0
    shares = tuple(float(each / total) for each in variances[: -SHOWN - 1 : -1])
    return np.ma.MaskedArray(found, mask=mask), shares
