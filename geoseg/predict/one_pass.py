"""What goes into a network and what comes out of it on a CPU, in one pass each.

torch's operations do the same in a pass each, through float32 copies of a whole tile;
GPUs are given those. Pixels are normalised to the same bits.

Softmax is not: torch's exponential differs in last bits between processors, and from
row to row with the vectors they are cut into. The one here is the same bits on every
CPU, and as close: of scores in fixed point two in a hundred thousand are another one,
by one of 2**14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.geo.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cephes' expf (S. L. Moshier): e**x = 2**n * e**r with r = x - n * log(2), whose
# logarithm is taken off in two parts, and a polynomial for e**r.
_LOG2_E = np.float32(1.44269504088896341)
_LOG_2 = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P0, _P1, _P2, _P3, _P4, _P5 = (
    np.float32(1.9875691500e-4),
    np.float32(1.3981999507e-3),
    np.float32(8.3334519073e-3),
    np.float32(4.1665795894e-2),
    np.float32(1.6666665459e-1),
    np.float32(5.0000001201e-1),
)
_ONE = np.float32(1)
_LEAST = np.float32(-87)
"""The exponential of less is not a normal float32."""
_TO_WHOLE = np.float32(3 << 22)
"""Added to a small number, it leaves a whole one, in the last bits of the sum."""
_BIAS, _MANTISSA = np.int32(127), np.int32(23)
"""Of a float32: what is added to its exponent, and how many bits come after that."""
_NAN = np.uint16(0x7FC0)
"""bfloat16's number that is not a number."""


@kernel
def softmax(logits: NDArray[np.float32], made: NDArray[np.float32]) -> None:
    """Take the softmax over the classes of a tile.

    Args:
        logits: Shape ``(class, y, x)``, in any memory layout.
        made: Where it goes, of the same shape; NaN where a logit is NaN or infinity.

    """
    classes, height, width = made.shape
    best, total = np.empty(width, np.float32), np.empty(width, np.float32)
    power = np.empty(width, np.float32)
    for i in range(height):
        best[:] = logits[0, i]
        for label in range(classes):
            _take(logits[label, i], made[label, i], best)
        total[:] = 0
        for label in range(classes):
            _exponentials(made[label, i], best, power, power.view(np.int32))
            _multiply(made[label, i], power, total)
        for j in range(width):
            total[j] = _ONE / total[j]
        for label in range(classes):
            row = made[label, i]
            for j in range(width):
                row[j] *= total[j]


@kernel
def _take(
    given: NDArray[np.float32], row: NDArray[np.float32], best: NDArray[np.float32]
) -> None:
    for j in range(len(row)):
        row[j] = given[j]
    for j in range(len(row)):
        best[j] = max(best[j], row[j])


@kernel
def _exponentials(
    row: NDArray[np.float32],
    best: NDArray[np.float32],
    power: NDArray[np.float32],
    bits: NDArray[np.int32],
) -> None:
    """Leave e**r of a row less the best, and the power of two that it lacks."""
    for j in range(len(row)):
        x = row[j] - best[j]
        x = max(x, _LEAST)  # and not the greater of both: NaN stays NaN
        shifted = x * _LOG2_E + _TO_WHOLE
        n = shifted - _TO_WHOLE
        r = (x - n * _LOG_2[0]) - n * _LOG_2[1]
        series = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
        row[j] = (series * r) * r + r + _ONE
        power[j] = shifted
    for j in range(len(row)):
        bits[j] = (bits[j] + _BIAS) << _MANTISSA


@kernel
def _multiply(
    row: NDArray[np.float32], power: NDArray[np.float32], total: NDArray[np.float32]
) -> None:
    for j in range(len(row)):
        row[j] *= power[j]
    for j in range(len(row)):
        total[j] += row[j]


@kernel
def normalise(  # a kernel takes no objects
    pixels: NDArray[np.generic],
    valid: NDArray[np.bool_],
    bands: NDArray[np.int64],
    scaling: NDArray[np.float32],
    is_rounded: bool,  # noqa: FBT001  # see above
    made: NDArray[Any],
) -> None:
    """Bring a tile's bands to what a network was trained on.

    Args:
        pixels: Raw, shape ``(band, y, x)``.
        valid: True where they have data, shape ``(y, x)``; the rest becomes 0.
        bands: For each band of the network the index of its pixels.
        scaling: For each what they are multiplied with, what is then taken off, and
            the least and the most that is left, shape ``(4, band)``.
        is_rounded: Whether they are rounded to bfloat16.
        made: Where they go, shape ``(y, x, band)``, in any memory layout: float32, or
            the bits of bfloat16, uint16.

    """
    height, width = valid.shape
    line = np.empty(width, np.float32)
    for i in range(height):
        for band in range(len(bands)):
            _scale(pixels[bands[band], i], valid[i], scaling[:, band], line)
            if is_rounded:
                _round(line, line.view(np.uint32), made[i, :, band])
            else:
                made[i, :, band] = line


@kernel
def _scale(
    given: NDArray[np.generic],
    valid: NDArray[np.bool_],
    scaling: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    gain, offset, least, most = scaling
    for j in range(len(line)):
        x = np.float32(given[j]) * gain - offset
        x = max(x, least)
        x = min(x, most)
        line[j] = x if valid[j] else np.float32(0)


@kernel
def _round(
    line: NDArray[np.float32], bits: NDArray[np.uint32], made: NDArray[np.uint16]
) -> None:
    """Round to bfloat16, the upper half of a float32; to even where it is halfway."""
    for j in range(len(bits)):
        odd = (bits[j] >> np.uint32(16)) & np.uint32(1)
        upper = np.uint16((bits[j] + np.uint32(0x7FFF) + odd) >> np.uint32(16))
        made[j] = upper if line[j] == line[j] else _NAN  # NaN is not
