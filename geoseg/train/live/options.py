"""What a user may say about a map that follows its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from geoseg.options import (
    NO_FORMAT,
    GridOptions,
    SceneOptions,
    SegmentOptions,
    as_in,
    option,
)
from geoseg.train.options import GroundOptions, HeadName, TrainOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions(GridOptions):
    """How to fit and to map at each save; every field has a default that suits most."""

    HEADING: ClassVar[str] = "Labels and model"

    class_field: str | None = as_in(GroundOptions, "class_field", heading=HEADING)
    classes: Path | None = as_in(GroundOptions, "classes", heading=HEADING)
    bands: tuple[str, ...] = as_in(
        GroundOptions, "bands", heading=HEADING, otherwise="all of the scene's"
    )
    architecture: Literal["context", "pixel"] | None = option(
        None,
        "What of a pixel is looked at: its bands, or its surroundings, too.",
        otherwise="the better one on held-out ground",
    )
    head: HeadName = option("discriminant", "The classifier; the others take longer.")
    seed: int = option(0, "Decides how ground is held out.")
    formats: str | Sequence[str] = option(
        (NO_FORMAT,),
        "Polygons to write, too: geojson, gpkg, fgb and so on, or none.",
        flag="format",
        repeats=True,
        holds="format",
    )

    def to_train(self) -> TrainOptions:
        """Say it to `geoseg.train`."""
        return TrainOptions(
            class_field=self.class_field,
            classes=self.classes,
            bands=self.bands,
            architecture=self.architecture,
            head=self.head,
            seed=self.seed,
            **self.grid(),
        )

    def to_segment(self, model: Path) -> SegmentOptions:
        """Say it to `geoseg.segment`."""
        features = self.to_train().features()
        return SegmentOptions(
            model=model,
            scene=SceneOptions(numbers=features or (), **self.grid()),
            formats=self.formats,
            block=_BLOCK,
            restart=True,
        )


_BLOCK = 1024
"""Sides of blocks: few ones, since each costs a task, and a small area is mapped."""
