"""What a user may ask of a map: small values, and the whole that they compose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from geoseg.errors import listed
from geoseg.options.crf import CrfOptions
from geoseg.options.declare import option
from geoseg.options.imagery import SceneOptions
from geoseg.options.polygons import PolygonOptions

DEFAULT_MODEL = "sentinel2-landcover"
NO_FORMAT = "none"
"""What asks for no polygons where a vector format is named."""
Augmentation = Literal["none", "flips", "d4"]
"""Which views of a tile are predicted: itself; the four that are mirrored along rows,
columns, both or neither; or those and the same turned by a quarter."""
Blend = Literal["hann", "crop", "mean"]
"""How overlapping tiles share a pixel: ``hann`` by nearness to the tile's centre,
``crop`` the tile whose core it is alone, ``mean`` in equal parts."""
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

Part = TypeVar("Part")

# The parts have no slots: bases of one class cannot have them side by side.


@dataclass(frozen=True, slots=True)
class Certificates:
    """By what a cluster and its client know each other: paths of PEM files."""

    ca: str | Path | None
    """Of the authority that signed all certificates of the cluster."""
    cert: str | Path | None
    """The client's own certificate."""
    key: str | Path | None
    """Its private key."""


class Certified:
    """Options with which a cluster is reached that asks for certificates."""

    __slots__ = ()
    tls_ca: str | Path | None
    tls_cert: str | Path | None
    tls_key: str | Path | None

    @property
    def certificates(self) -> Certificates | None:
        """Those that were named, whole or not; None where none was."""
        files = (self.tls_ca, self.tls_cert, self.tls_key)
        return Certificates(*files) if any(files) else None


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What classifies pixels."""

    HEADING: ClassVar[str] = "Model"

    model: str | Path | Sequence[str | Path] = option(
        (DEFAULT_MODEL,),
        "A model's name (see geoseg models) or the directory of its package; of "
        "several with the same classes, the probabilities are averaged.",
        repeats=True,
        holds="model",
    )
    tta: Augmentation = option(
        "none", "Average over mirrored (4) and also turned (8) views of each tile."
    )
    crf: CrfOptions | None = option(
        None,
        "Let classes follow the edges of the (first) model's bands: a fully connected "
        "CRF.",
    )
    resample: bool = option(
        False,
        "Read a scene whose pixels are too large or too small for the model on pixels "
        "of the model's size.",
    )
    no_calibration: bool = option(
        False,
        "Take the model's scores as they are, without the temperature by which "
        "confidences are as often right as they say.",
    )

    @property
    def models(self) -> tuple[str | Path, ...]:
        """The models, however many were given."""
        if isinstance(self.model, str | Path):
            return (self.model,)
        return tuple(self.model)


@dataclass(frozen=True, kw_only=True)
class TilingOptions:
    """How a scene is cut for the model, and put together again."""

    HEADING: ClassVar[str] = "Tiles"

    tile: int | None = option(None, "Tile side in pixels.", otherwise="the model's")
    overlap: int | None = option(
        None, "Pixels shared by adjacent tiles.", otherwise="the model's"
    )
    blend: Blend = option("hann", "How overlapping tiles share a pixel.")
    block: int | None = option(
        None,
        "Tiles a side of a block: memory, never the result.",
        otherwise="by the job's size",
    )


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """What computes, and how."""

    HEADING: ClassVar[str] = "Compute"

    device: Device = option("auto", "What computes.")
    precision: Precision = option("auto", "What it computes in.")
    batch: int | None = option(
        None, "Tiles in a batch.", otherwise="what suits the device", least=1
    )
    compile: bool = option(False, "Let torch compile the network first.")


@dataclass(frozen=True, kw_only=True)
class ExecutionOptions(Certified):
    """Who does the work, where it is kept until it is done, and what if it fails."""

    HEADING: ClassVar[str] = "Execution"

    workers: int | None = option(
        None,
        "Worker processes to start here; 0 for none but this one.",
        otherwise="one a GPU where there are several, else 0",
        least=0,
    )
    scheduler: str | None = option(
        None,
        "Work on this dask cluster: the address of its scheduler.",
        metavar="ADDRESS",
    )
    tls_ca: str | Path | None = option(
        None,
        "Of a cluster at tls://...: the certificate of the authority that signed the "
        "cluster's.",
        otherwise="dask's settings",
        metavar="FILE",
        holds="path",
    )
    tls_cert: str | Path | None = option(
        None,
        "Of a cluster at tls://...: your own certificate.",
        otherwise="dask's settings",
        metavar="FILE",
        holds="path",
    )
    tls_key: str | Path | None = option(
        None,
        "Of a cluster at tls://...: its private key.",
        otherwise="dask's settings",
        metavar="FILE",
        holds="path",
    )
    wait_for_workers: float = option(
        0,
        "Where the cluster has no worker (left), wait so long for one; then the run "
        "stops.",
        metavar="SECONDS",
        least=0,
    )
    run_dir: str | Path | None = option(
        None,
        "Where unfinished work is kept until the products are complete: a directory, "
        "or a URL of an object store, empty before and after.",
        otherwise=".geoseg in the output",
        metavar="DIR|s3://...",
        holds="path_or_url",
    )
    restart: bool = option(
        False, "Throw away what an unfinished run left in the run directory."
    )
    keep_parts: bool = option(
        False, "Keep the run directory when the products are complete."
    )
    allow_missing: bool = option(
        False, "Leave nodata where blocks fail; the report lists them."
    )
    trace: str | Path | None = option(
        None,
        "Write a timeline here of what each worker's threads read, waited for, "
        "computed and wrote, as ui.perfetto.dev shows it (Chrome's trace format).",
        metavar="FILE",
        holds="path",
    )


@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """Where another model's map leaves nothing to be seen."""

    HEADING: ClassVar[str] = "Mask"

    mask_model: str | Path | None = option(
        None,
        "A model for clouds and shadows, say: where its map, in a run of its own, has "
        "them, nodata.",
        holds="model",
    )
    mask_classes: str | Sequence[str] = option(
        ("cloud", "shadow"),
        "Classes of the mask model that count.",
        metavar="NAME,NAME",
    )
    mask_keep: bool = option(
        False, "Give masked pixels a class of their own instead of nodata."
    )
    force: bool = option(
        False,
        "Mask although the scene's values are nowhere near those that the mask model "
        "was trained on.",
    )


@dataclass(frozen=True, kw_only=True)
class ProductOptions:
    """What is written."""

    HEADING: ClassVar[str] = "Products"

    formats: str | Sequence[str] = option(
        ("geojson",),
        "Vector formats to write: one or several of geojson, geojsonl, gpkg, fgb, "
        "parquet, shp and pmtiles, or none: no polygons at all.",
        flag="format",
        repeats=True,
        holds="format",
    )
    legend: str | Path | None = option(
        None,
        "Write the map in this legend: a YAML file of classes, or corine-1, "
        "dynamic-world, ipcc, lccs or worldcover; what has no counterpart is nodata.",
        otherwise="the model's",
        metavar="FILE|NAME",
        holds="legend",
    )
    clip: bool = option(
        False, "Cut polygons to the AOI's exact outline instead of the pixels in it."
    )
    min_confidence: int = option(
        0,
        "Percent; pixels of a lower confidence become a class 'unknown'.",
        least=0,
        most=100,
    )
    entropy: bool = option(
        False, "Write how evenly the probability is spread over the classes, too."
    )
    probabilities: bool = option(
        False, "Write the probability of each class, too: a band each."
    )
    applicability: bool = option(
        False, "Write how unlike the model's training pixels each is, too."
    )
    assessment: str | Path | None = option(
        None,
        "What geoseg evaluate found of this very map by `stratified`, accuracy.json: "
        "the report, the STAC item and run.json give areas with their intervals.",
        metavar="FILE",
        holds="path",
    )
    report_size: int = option(
        10,
        "Megabytes that report.html may have: with more it shows finer pixels of large "
        "maps; 0 leaves it out.",
        metavar="MB",
        least=0,
    )
    overwrite: bool = option(
        False,
        "Replace files, too, that geoseg did not write or somebody has changed.",
    )

    @property
    def vector_formats(self) -> tuple[str, ...]:
        """The vector formats, each once, however they were given."""
        given = listed(self.formats, "formats")
        return tuple(dict.fromkeys(name for name in given if name != NO_FORMAT))


@dataclass(frozen=True, kw_only=True)
class SegmentOptions(
    ModelOptions,
    ProductOptions,
    MaskOptions,
    TilingOptions,
    ComputeOptions,
    ExecutionOptions,
):
    """How to segment; every field has a default that suits most.

    It is the values above in one, so that each is a keyword here, and what needs one
    of them takes one of them.
    """

    scene: SceneOptions = field(default_factory=SceneOptions)
    """How the scene is read."""
    polygons: PolygonOptions = field(default_factory=PolygonOptions)
    """How polygons are drawn."""
    defaults_file: str | None = None
    """The file beside the data that flags were taken from, for the report to name."""

    @classmethod
    def of(cls, *parts: object, **more: Any) -> SegmentOptions:  # noqa: ANN401  # any field's
        """Compose parts, and fields by name; the rest is as by default."""
        return cls(**{k: v for part in parts for k, v in _values(part)} | more)

    def part(self, kind: type[Part]) -> Part:
        """Give one of the values that it is composed of, alone."""
        names = [each.name for each in fields(kind)]  # type: ignore[arg-type]  # a part is a dataclass
        return kind(**{name: getattr(self, name) for name in names})

    def for_mask(self, scene: SceneOptions) -> SegmentOptions:
        """Say how the mask is made: by its own model and tiles, on the map's pixels."""
        return SegmentOptions.of(
            self.part(ComputeOptions),
            self.part(ExecutionOptions),
            TilingOptions(blend=self.blend),
            ModelOptions(
                model=self.mask_model or "", no_calibration=self.no_calibration
            ),
            scene=scene,
            force=self.force,
        )

    def below(self, name: str) -> SegmentOptions:
        """Give the same for one of several runs, with a run directory of its own."""
        if self.run_dir is None:
            return self
        return replace(self, run_dir=f"{str(self.run_dir).rstrip('/')}/{name}")


def _values(part: Any) -> list[tuple[str, Any]]:  # noqa: ANN401  # any dataclass
    return [(each.name, getattr(part, each.name)) for each in fields(part)]
