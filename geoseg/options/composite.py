"""What a user may ask of a composite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal

from geoseg.options.declare import as_in, option
from geoseg.options.imagery import Rule, SceneOptions
from geoseg.options.mapping import ExecutionOptions, MaskOptions, ProductOptions

Period = Literal["month", "quarter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dates(SceneOptions):
    """How a scene of many dates is read where nothing is said."""

    mosaic: Rule = as_in(SceneOptions, "mosaic", default="median")


@dataclass(frozen=True, kw_only=True)
class CompositeOptions(ExecutionOptions):
    """How one image is made of many dates."""

    HEADING: ClassVar[str] = "Composite"

    only: tuple[str, ...] = option(
        (),
        "Bands by their names or common names, in this order: red,green,blue,nir.",
        otherwise="all that are measured",
        metavar="NAME,NAME",
    )
    period: Period | None = option(
        None,
        "One composite for each month or quarter in which something was acquired: the "
        "output gets its name, as in composite-2024-05.tif.",
        otherwise="one of all dates",
    )
    mask_model: str | Path | None = as_in(
        MaskOptions,
        "mask_model",
        text="A model for clouds and shadows, say: it maps each date by itself, in a "
        "run of its own, and where it has them that date does not count.",
    )
    mask_classes: str | Sequence[str] = as_in(MaskOptions, "mask_classes")
    force: bool = as_in(MaskOptions, "force")
    block: int | None = option(
        None,
        "Pixels a side of what is made at a time: memory, never the result.",
        otherwise="1024",
        least=1,
    )
    overwrite: bool = as_in(ProductOptions, "overwrite")

    scene: SceneOptions = field(default_factory=_Dates)
    """How the scene is read, and by which rule dates are put together."""

    def execution(self) -> ExecutionOptions:
        """Say who does the work of one of its parts, which is kept beside the whole."""
        names = [each.name for each in fields(ExecutionOptions)]
        same = {name: getattr(self, name) for name in names}
        return ExecutionOptions(**same | {"run_dir": None})
