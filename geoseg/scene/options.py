"""What a user may say about a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Valid = Literal["all", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneOptions:
    """How to read a scene; every field has a default that suits most."""

    assume_crs: str | None = None
    """The CRS of files that name none, such as ``EPSG:32633``."""
    nodata: float | Literal["none"] | None = None
    """The value that means "no data" in every band, whatever the files declare;
    ``"none"`` where they declare one wrongly. Masks and alpha bands still count."""
    valid: Valid = "all"
    """A pixel counts where all bands that are read have data, or where any has; a
    band without data then reads as 0."""
