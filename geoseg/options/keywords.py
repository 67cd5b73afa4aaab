"""What public functions take beside their options: files, and what is done with them.

Each class is named after its function, whose keywords its fields are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from geoseg.options.declare import as_in, option
from geoseg.options.mapping import ProductOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoKeywords:
    """What `geoseg.info` takes."""

    HEADING: ClassVar[str] = "Where"

    model: str | None = option(
        None, "Say whether this model fits, and how.", holds="model"
    )
    aoi: str | None = option(
        None, "Draw this area into the picture.", metavar="AREA", holds="path_or_url"
    )
    plot: Path | None = option(
        None, "Draw members, AOI and tiles as a PNG here.", holds="path"
    )
    exact: bool = option(False, "Read all pixels for ranges and shares.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanKeywords:
    """What `geoseg.plan` takes."""

    HEADING: ClassVar[str] = "Where"

    exact: bool = option(False, "Read the scene to count empty tiles.")
    price: float | None = option(
        None,
        "What a worker costs for an hour: say what `workers` cost in all.",
        metavar="NUMBER",
    )
    tile_seconds: float | None = option(
        None,
        "Seconds that one of the `workers` takes for a tile, where a plan on a machine "
        "like theirs has measured it (`seconds_per_tile` of its JSON).",
        metavar="SECONDS",
        otherwise="measured here",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKeywords:
    """What `geoseg.live` takes."""

    HEADING: ClassVar[str] = "Where"

    aoi: str | None = option(
        None, "Map no more than this.", metavar="AREA", holds="path_or_url"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewKeywords:
    """What `geoseg.view` takes."""

    HEADING: ClassVar[str] = "Where"

    image: str | None = option(
        None,
        "The scene that was mapped, to show it at full resolution, too.",
        metavar="SCENE",
        otherwise="what the page holds of it",
        holds="path_or_url",
    )
    port: int = option(
        8642,
        "Where it is served, on this machine alone; another one where it is taken.",
        least=0,
        most=65535,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyKeywords:
    """What `geoseg.verify` takes."""

    HEADING: ClassVar[str] = "Where"

    aoi: str | None = option(
        None,
        "Polygons to compare in, instead of a window.",
        metavar="AREA",
        holds="path_or_url",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorizeKeywords:
    """What `geoseg.vectorize` takes."""

    HEADING: ClassVar[str] = "Where"

    band: int | None = option(None, "Band of the classes, where there are several.")
    confidence: str | None = option(
        None, "Raster of confidences in percent.", holds="path_or_url"
    )
    clip_to: Path | None = option(
        None, "Cut to these polygons exactly.", flag="clip", holds="path"
    )
    raster: Path | None = option(
        None, "The map with small patches merged.", flag="write-raster", holds="path"
    )
    layer: str | None = option(
        None, "Write this layer of a GeoPackage; its other layers stay."
    )
    legend: str | None = option(
        None,
        "Draw it in this legend, as geoseg relabel takes it.",
        metavar="FILE|NAME",
        holds="legend",
    )
    overwrite: bool = as_in(ProductOptions, "overwrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class RelabelKeywords:
    """What `geoseg.relabel` takes."""

    HEADING: ClassVar[str] = "Where"

    legend: str | None = as_in(
        VectorizeKeywords,
        "legend",
        text="A YAML file of classes with name, id, colour and merge, or a legend "
        "that ships: corine-1, dynamic-world, ipcc, lccs, worldcover.",
    )
    source: str | None = as_in(
        VectorizeKeywords,
        "legend",
        text="The legend whose numbers MAP's values are, where it names none.",
        flag="from",
    )
    band: int | None = as_in(VectorizeKeywords, "band")
    overwrite: bool = as_in(ProductOptions, "overwrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasKeywords:
    """What `geoseg.areas` takes."""

    HEADING: ClassVar[str] = "Where"

    output: Path | None = option(
        None, "Table to write: .csv, .parquet or .gpkg.", short="o", holds="path"
    )
    zones: str | None = option(
        None, "Polygons, in any CRS.", otherwise="the whole map", holds="path_or_url"
    )
    by: str | None = option(None, "Field of ZONES with their names.", metavar="FIELD")
    reference: Path | None = option(
        None,
        "Labelled points of geoseg sample-points: what there is, with intervals.",
        holds="path",
    )
    confidence: str | None = as_in(
        VectorizeKeywords, "confidence", otherwise="confidence.tif beside MAP"
    )
    band: int | None = as_in(VectorizeKeywords, "band")
    overwrite: bool = as_in(ProductOptions, "overwrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateKeywords:
    """What `geoseg.evaluate` takes."""

    HEADING: ClassVar[str] = "Where"

    output: Path | None = option(
        None,
        "Directory for accuracy.json and confusion.png.",
        short="o",
        holds="path",
    )
    within: Path | None = option(None, "Compare in these polygons only.", holds="path")
    strata: Path | None = option(
        None,
        "Raster within whose values the points were drawn.",
        otherwise="MAP's classes",
        holds="path",
    )
    confidence: str | None = as_in(AreasKeywords, "confidence")
    band: int | None = as_in(VectorizeKeywords, "band")
    overwrite: bool = as_in(ProductOptions, "overwrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleKeywords:
    """What `geoseg.sample_points` takes."""

    HEADING: ClassVar[str] = "Where"

    strata: Path | None = option(
        None,
        "Raster within whose values to draw, instead of MAP's classes.",
        holds="path",
    )
    band: int | None = as_in(VectorizeKeywords, "band")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKeywords:
    """What `geoseg.change` takes."""

    HEADING: ClassVar[str] = "Where"

    overwrite: bool = as_in(ProductOptions, "overwrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushKeywords:
    """What `geoseg.push_model` takes."""

    HEADING: ClassVar[str] = "Repository"

    private: bool = option(False, "Make a new repository for its owner alone.")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectKeywords:
    """What `geoseg.inspect_model` takes."""

    HEADING: ClassVar[str] = "Network"

    receptive_field: bool = option(
        False,
        "Measure how far a pixel reaches, and the overlap that this asks for.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitecturesKeywords:
    """What `geoseg.list_architectures` takes."""

    HEADING: ClassVar[str] = "Network"

    encoder: str | None = option(
        None,
        "Build each on this one, smp's or timm's (tu-...).",
        otherwise="a light one",
        metavar="NAME",
    )
    bands: int = option(3, "Bands of the networks.", least=1)
    classes: int = option(2, "Classes of the networks.", least=1)
    receptive_field: bool = option(
        False,
        "Measure how far each looks: minutes. Known without for the light encoders.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchKeywords:
    """What `geoseg.search` takes."""

    HEADING: ClassVar[str] = "Where"

    plot: Path | None = option(
        None, "Draw what is found over the area as a PNG here.", holds="path"
    )
    overwrite: bool = as_in(ProductOptions, "overwrite")
