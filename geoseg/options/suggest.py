"""What a user may say about places to label next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar

from geoseg.errors import InputError
from geoseg.options.declare import option
from geoseg.options.imagery import SceneOptions
from geoseg.options.mapping import (
    NO_FORMAT,
    ComputeOptions,
    ExecutionOptions,
    ModelOptions,
    SegmentOptions,
    TilingOptions,
)


@dataclass(frozen=True, kw_only=True)
class SuggestOptions(ModelOptions, TilingOptions, ComputeOptions, ExecutionOptions):
    """How places to label are chosen; what a map of them needs is as there."""

    HEADING: ClassVar[str] = "Suggestions"

    points: int = option(30, "How many places to suggest.", least=1, short="n")
    labels: str | Path | Sequence[str | Path] = option(
        (),
        "What is labelled already, from which places are kept apart: polygons, lines, "
        "points or a raster, in any CRS; or several files of shapes.",
        repeats=True,
        otherwise="what the model's package remembers of its training pixels",
        metavar="LABELS",
        holds="path_or_url",
    )
    class_field: str | None = option(
        None,
        "The labels' column of classes.",
        otherwise="class, reference or class_name",
        holds="field",
    )
    seed: int = option(0, "Another seed draws other candidates.", least=0)
    overwrite: bool = option(
        False, "Replace a file, too, that somebody has filled in or made."
    )
    scene: SceneOptions = field(default_factory=SceneOptions)
    """How the scene is read."""

    def __post_init__(self) -> None:
        """Refuse to suggest nothing."""
        if self.points < 1:
            raise InputError(f"`points` is {self.points}; suggest 1 place or more")

    def for_map(self) -> SegmentOptions:
        """Say how the map that they are chosen on is made."""
        own = {each.name for each in fields(self)}
        shared = [each.name for each in fields(SegmentOptions) if each.name in own]
        chosen = {name: getattr(self, name) for name in shared}
        return SegmentOptions(**chosen | {"formats": NO_FORMAT, "entropy": True})
