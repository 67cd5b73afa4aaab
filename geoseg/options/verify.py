"""What a user may ask of a comparison of tiles with one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

from geoseg.options.declare import as_in, option
from geoseg.options.mapping import (
    Blend,
    ComputeOptions,
    Device,
    Precision,
    TilingOptions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Where to compare, how to tile and compute; the defaults suit most."""

    HEADING: ClassVar[str] = "Where"

    window: tuple[int, int, int, int] | None = option(
        None,
        "Pixels of the scene to compare.",
        otherwise="its middle, 1024 a side",
        metavar="ROW COL HEIGHT WIDTH",
    )
    tile: int | None = as_in(TilingOptions, "tile")
    overlap: int | None = as_in(TilingOptions, "overlap")
    blends: tuple[Blend, ...] = as_in(
        TilingOptions,
        "blend",
        default=get_args(Blend),
        text="How overlapping tiles share a pixel: a comparison for each; repeatable.",
        flag="blend",
        repeats=True,
    )
    device: Device = as_in(ComputeOptions, "device")
    precision: Precision = as_in(
        ComputeOptions,
        "precision",
        default="float32",
        text="What it computes in; in lower ones planes of two sizes differ in "
        "themselves, whatever the overlap.",
    )
