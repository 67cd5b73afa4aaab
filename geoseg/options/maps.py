"""What a user may ask of class maps: how they are compared and sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from geoseg.options.declare import as_in, option
from geoseg.options.mapping import Certified, ExecutionOptions, ProductOptions
from geoseg.options.polygons import PolygonOptions

Allocation = Literal["proportional", "neyman", "equal", "change"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockwiseOptions(Certified):
    """Who reads a map block by block."""

    HEADING: ClassVar[str] = ExecutionOptions.HEADING

    workers: int = as_in(ExecutionOptions, "workers", default=0, otherwise="")
    scheduler: str | None = as_in(ExecutionOptions, "scheduler")
    tls_ca: str | Path | None = as_in(ExecutionOptions, "tls_ca")
    tls_cert: str | Path | None = as_in(ExecutionOptions, "tls_cert")
    tls_key: str | Path | None = as_in(ExecutionOptions, "tls_key")
    wait_for_workers: float = as_in(ExecutionOptions, "wait_for_workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions(BlockwiseOptions):
    """How a map is compared with a reference."""

    HEADING: ClassVar[str] = "Comparison"

    column: str | None = option(
        None,
        "The reference's column of classes.",
        otherwise="class, or reference",
        flag="class-field",
        holds="field",
    )
    mapping: Mapping[str, str] = option(
        {},
        "The map's class for the reference's; 'road=' leaves one out.",
        metavar="REFERENCE=MAP,...",
    )
    held_out: str | None = option(
        None,
        "Compare in a training's held-out blocks only, such as 0/5; they are counted "
        "from the map's first pixel, so it takes a map of the whole scene.",
        metavar="FOLD/5",
    )
    held_out_block: int = option(256, "Side of those blocks in pixels.", least=1)
    boundary_tolerance: str = option(
        "2px", "How far apart boundaries may be and agree: 2px, 20m."
    )
    stratified: bool = option(
        False,
        "Estimate areas and accuracies from points of geoseg sample-points, drawn "
        "within the map's classes.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions(BlockwiseOptions):
    """How points are shared among the classes of a map."""

    HEADING: ClassVar[str] = "Sample"

    points: int = option(500, "How many in all.", least=1, short="n")
    allocation: Allocation | None = option(
        None,
        "How they are shared among classes: by pixels, unless it is said otherwise; by "
        "pixels and the deviation expected of being right, for the most exact overall "
        "accuracy; equally; or for the most exact areas of change, as for a map of "
        "geoseg change unless it is said otherwise.",
    )
    minimum: int = option(
        50, "Points that each class gets at least, or all its pixels.", least=0
    )
    expected: Mapping[str, float] = option(
        {},
        "For neyman: the user's accuracy expected of each class, between 0 and 1.",
        metavar="CLASS=0.8,...",
    )
    seed: int = option(0, "Another draw.", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOptions:
    """How two maps are compared."""

    HEADING: ClassVar[str] = "Comparison"

    mapping: Mapping[str, str] = option(
        {},
        "BEFORE's class for AFTER's; 'road=' leaves one out.",
        metavar="AFTER=BEFORE,...",
    )
    min_confidence: int = option(
        0, "Leave out what either map is less sure of, in percent.", least=0, most=100
    )
    formats: Sequence[str] = as_in(
        ProductOptions,
        "formats",
        text="Format of the polygons of changed ground; repeat for several.",
    )
    report_size: int = as_in(ProductOptions, "report_size")
    polygons: PolygonOptions = field(default_factory=PolygonOptions)
    """How polygons are drawn: with a smallest area, without slivers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelabelOptions:
    """What is drawn of a map in another legend."""

    HEADING: ClassVar[str] = ProductOptions.HEADING

    formats: Sequence[str] = as_in(
        ProductOptions,
        "formats",
        default=(),
        text="Draw polygons, too, in this format; repeat for several.",
    )
    polygons: PolygonOptions = field(default_factory=PolygonOptions)
    """How they are drawn."""
