"""What a user may say about a fully connected CRF."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from geoseg.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class CrfOptions:
    """How much pixels listen to each other.

    The defaults were chosen on two held-out blocks of the sample, for the model that
    ships: gentle, since a network's mistakes are wide and a CRF mends narrow ones.
    """

    iterations: int = 5
    """Rounds of messages."""
    smoothness: float = 1.0
    """The weight of being near."""
    smoothness_px: float = 1.5
    """How near that is: the deviation ``s``."""
    appearance: float = 4.0
    """The weight of being near and alike."""
    appearance_px: float = 5.0
    """How near that is: the deviation ``a``."""
    appearance_deviation: float = 0.5
    """How alike: the deviation ``b``, in units of the image. Where a predictor calls,
    these are standard deviations of the bands that the model was trained on."""
    window: int = 10
    """Pixels farther apart, along rows or columns, send no message."""

    def __post_init__(self) -> None:
        """Refuse what gives no kernel.

        Raises:
            InputError: A number is negative, a distance 0, or one is not a number.

        """
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            may_be_0 = name in {"smoothness", "appearance"}
            if not (0 < value < math.inf or (may_be_0 and value == 0)):
                raise InputError(f"a CRF's {name} must be above 0, got {value}")
