"""What a user may say about a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Radiometry = Literal["auto", "raw"]
Valid = Literal["all", "any"]
Resampling = Literal["bilinear", "nearest", "cubic"]
Rule = Literal["first", "last", "newest", "least-nodata"]


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
    bands: tuple[tuple[str, str], ...] = ()
    """Bands by name: for each its file, which has one band, or ``FILE:3`` for its
    third."""
    numbers: tuple[int, ...] = ()
    """The bands of each file that are read, by number from 1, in this order; all but
    alpha bands where empty. One that is marked as alpha is read as a measurement."""
    mask: tuple[str, ...] = ()
    """Pixels that do not count, by the classes of a quality band: ``scl:cloud,shadow``
    or ``qa_pixel:cloud``."""
    radiometry: Radiometry = "auto"
    """Whether scale and offset that files declare are used (``auto``), or pixels are
    taken as they are (``raw``)."""
    crs: str | None = None
    """The CRS to read in, such as ``EPSG:3035``; the files' own where None."""
    resolution: float | tuple[float, float] | None = None
    """A pixel's width and height in units of the CRS, or its side. Pixels then begin at
    multiples of it, in every scene alike."""
    bounds: tuple[float, float, float, float] | None = None
    """Map no more than this: left, bottom, right, top in the CRS. Pixels stay where
    they are, and the model sees what is around."""
    like: str | None = None
    """A raster whose pixels are to be the scene's."""
    resampling: Resampling = "bilinear"
    """How pixels are found on a grid that is not a file's own. Masks and classes are
    always those of the nearest pixel."""
    mosaic: Rule = "first"
    """Which file counts where several have data: the ``first`` or ``last`` named, the
    ``newest``, or the one with the ``least-nodata``."""
    skip_unreadable: bool = False
    """Leave out files that cannot be opened, with a warning, where others can."""
    allow_external_references: bool = False
    """Open VRTs and the like that read files outside the folders named."""
