"""What a user may say about a map that follows its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from geoseg.options import (
    NO_FORMAT,
    GridOptions,
    SceneOptions,
    SegmentOptions,
    option,
)
from geoseg.train.options import TrainOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions(GridOptions):
    """How to fit and to map at each save; every field has a default that suits most."""

    HEADING: ClassVar[str] = "Labels and model"

    class_field: str | None = option(
        None,
        "The labels' column of classes.",
        otherwise="class, reference or class_name",
        holds="field",
    )
    classes: Path | None = option(
        None, "YAML with ids, names, colours and merges.", holds="path"
    )
    bands: tuple[str, ...] = option(
        (),
        "B02, B02=blue, 3 for a file's third, 1-64; or whose learned features they "
        "are.",
        otherwise="all of the scene's",
        metavar="NAME,NAME|alphaearth|tessera",
    )
    architecture: Literal["context", "pixel"] | None = option(
        None,
        "What of a pixel is looked at: its bands, or its surroundings, too.",
        otherwise="the better one on held-out ground",
    )
    head: Literal["discriminant", "logistic", "mlp", "forest"] = option(
        "discriminant", "The classifier; the others take longer."
    )
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
            **self._grid(),
        )

    def to_segment(self, model: Path) -> SegmentOptions:
        """Say it to `geoseg.segment`."""
        features = self.to_train().features()
        return SegmentOptions(
            model=model,
            scene=SceneOptions(numbers=features or (), **self._grid()),
            formats=self.formats,
            block=_BLOCK,
            restart=True,
        )

    def _grid(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(GridOptions)}


_BLOCK = 1024
"""Sides of blocks: few ones, since each costs a task, and a small area is mapped."""
