"""What a user may say about a scene."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from geoseg.options.declare import option

Radiometry = Literal["auto", "raw"]
Valid = Literal["all", "any"]
Resampling = Literal["bilinear", "nearest", "cubic"]
Numbers = tuple[int, ...] | Literal["alphaearth", "tessera"]
Signer = Literal["planetary-computer"]
Rule = Literal[
    "first",
    "last",
    "newest",
    "least-nodata",
    "newest-clear",
    "nearest-clear",
    "least-cloud",
    "median",
    "medoid",
    "mean",
    "max-ndvi",
]
Composite = Literal[
    "first",
    "newest-clear",
    "least-cloud",
    "median",
    "medoid",
    "mean",
    "max-ndvi",
]
"""Rules that a model can say for its own dates: they need no date to be near."""


_MOST_BANDS = 65535
"""Of a TIFF."""


def counted_up(text: str) -> list[str]:
    """Write out numbers of bands that are counted up; leave all else as it is.

    Example:
        >>> counted_up("3-6"), counted_up("B02")
        (['3', '4', '5', '6'], ['B02'])

    """
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(last) <= _MOST_BANDS):
        return [text]
    return [str(number) for number in range(int(first), int(last) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridOptions:
    """On which pixels a scene is read; on its files' own where nothing is said."""

    HEADING: ClassVar[str] = "Imagery"

    crs: str | None = option(
        None, "Read in this CRS: EPSG:3035.", otherwise="the files' own", metavar="CRS"
    )
    resolution: float | tuple[float, float] | None = option(
        None,
        "Read with pixels of this size, in units of the CRS; they begin at multiples "
        "of it.",
        metavar="SIZE|WIDTH,HEIGHT",
    )
    # A GeoBox, which is of a room above this one, does as well.
    like: str | Any | None = option(
        None,
        "Read on the pixels of this raster.",
        metavar="RASTER",
        holds="path_or_url",
    )
    resampling: Resampling = option(
        "bilinear",
        "How pixels are found on another grid; masks and classes: the nearest.",
    )

    def grid(self) -> dict[str, Any]:
        """Give these fields alone, for other options that have them."""
        return {each.name: getattr(self, each.name) for each in fields(GridOptions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneOptions(GridOptions):
    """How to read a scene; every field has a default that suits most."""

    HEADING: ClassVar[str] = "Imagery"

    mosaic: Rule = option(
        "first",
        "Which of several files counts where they overlap and have data, or what is "
        "made of all that are clear there: a composite.",
    )
    near: str | None = option(
        None,
        "The date that nearest-clear goes by, and of equals least-cloud, medoid and "
        "max-ndvi.",
        otherwise="the newest wins",
        metavar="DATE",
    )
    datetime: str | None = option(
        None,
        "Only what was acquired then: a day, month or year, or two with a slash.",
        metavar="FROM/TO",
    )
    bands: tuple[tuple[str, str], ...] = option(
        (),
        "A band by name in a file of its own, which has one band, or by number: "
        "red=stack.tif:3.",
        flag="band",
        repeats=True,
        metavar="NAME=FILE[:NUMBER]",
    )
    numbers: Numbers = option(
        (),
        "Bands of each file to read, counted from 1, in this order; one that is marked "
        "as alpha is read as a measurement. Or whose learned features they all are.",
        otherwise="all but alpha",
        flag="bands",
        metavar="NUMBER,NUMBER-NUMBER|alphaearth|tessera",
    )
    mask: tuple[str, ...] = option(
        (),
        "Pixels that do not count, by classes of a quality band: scl:cloud,shadow; "
        "qa_pixel:cloud.",
        repeats=True,
        metavar="BAND:CLASS,CLASS",
    )
    radiometry: Radiometry = option(
        "auto", "Use the scale and offset that files declare, or raw pixels."
    )
    bounds: tuple[float, float, float, float] | None = option(
        None,
        "Map no more than this, in the CRS of the grid; the model sees what is around.",
        metavar="LEFT,BOTTOM,RIGHT,TOP",
    )
    assume_crs: str | None = option(
        None, "The CRS of files that name none: EPSG:32633.", metavar="CRS"
    )
    nodata: float | Literal["none"] | None = option(
        None,
        "The value without data in every band, whatever the files declare; none where "
        "they declare one wrongly. Masks and alpha bands still count.",
        metavar="NUMBER|none",
    )
    valid: Valid = option(
        "all",
        "Map pixels where all bands that are read have data, or where any has; a band "
        "without then reads as 0.",
    )
    skip_unreadable: bool = option(
        False, "Leave out files that do not open, with a warning, where others do."
    )
    sign: Signer | None = option(
        None,
        "Have addresses signed as they are read: those of the Planetary Computer's "
        "files. A search there does so by itself.",
    )
    allow_external_references: bool = option(
        False, "Open VRTs and the like that read files outside the folders named."
    )
