"""Radiometric jitter: the same ground under another sun, haze and sensor."""

from __future__ import annotations

from typing import Any

import torch
from torchvision.transforms import v2


class BandJitter(v2.Transform):  # type: ignore[misc]  # torchvision has no types
    """Shift and stretch each band by itself, as haze and sun do.

    torchvision's own colour jitter takes images of one or three bands only.
    """

    def __init__(self, strength: float) -> None:
        """Choose the standard deviation of shifts; that of stretches is half of it."""
        super().__init__()
        self.strength = strength

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:  # noqa: ANN401, ARG002  # torchvision's signature
        """Change normalised images, shape ``(chip, band, y, x)``, each by itself."""
        shape = (*inpt.shape[:2], 1, 1)
        shift = torch.randn(shape) * self.strength
        stretch = torch.exp(torch.randn(shape) * self.strength / 2)
        return inpt * stretch.to(inpt) + shift.to(inpt)


def jitter(strength: float) -> v2.Transform:
    """Make a transform of normalised images; the noise is a fifth of the strength."""
    noise = v2.GaussianNoise(sigma=strength / 5, clip=False)
    return v2.Compose([BandJitter(strength), noise])
