"""What a user may ask of a model that leaves as an ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from geoseg.options.declare import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """For whom an ONNX file is, and where it must give the same classes."""

    HEADING: ClassVar[str] = "The file"

    target: Literal["deepness"] | None = option(
        None, "Write the metadata that this program reads.", flag="for"
    )
    int8: bool = option(
        False, "Compute in whole numbers of 8 bits: smaller, and faster on many CPUs."
    )
    # Inputs by name, of a model that takes several, do as well.
    scene: str | Any | None = option(
        None,
        "The raster on which it must agree with the model.",
        otherwise="the sample",
        holds="path_or_url",
    )
    force: bool = option(False, "Write it even where it agrees too little.")
