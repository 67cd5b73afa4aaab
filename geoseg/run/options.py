"""What a user may ask of a run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import InputError, listed
from geoseg.scene import SceneOptions, absolute
from geoseg.storage.authorship import REPORT
from geoseg.storage.vectors.replacing import replaced
from geoseg.storage.vectors.write import FORMATS
from geoseg.vectorize.polygonize import PolygonOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.legend import Legend
    from geoseg.models.networks.crf import CrfOptions
    from geoseg.models.package.package import ModelPackage
    from geoseg.predict import Augmentation, Device, Precision
    from geoseg.predict.stitch import Blend
    from geoseg.storage.output import Output
DEFAULT_MODEL = "sentinel2-landcover"
NO_FORMAT = "none"
"""What asks for no polygons where a vector format is named."""
_CERTAIN = 100
"""Percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOptions:
    """How to segment; every field has a default that suits most."""

    model: str | Path | Sequence[str | Path] = DEFAULT_MODEL
    """The name of a shipped model, or the directory of a model package; of several
    with the same classes the probabilities are averaged."""
    tta: Augmentation = "none"
    """Which views of a tile are predicted and averaged: the tile alone, also mirrored
    (``flips``, four views), or also turned by a quarter (``d4``, eight)."""
    crf: CrfOptions | None = None
    """How a tile's probabilities are refined by a fully connected CRF over the bands
    of the (first) model; not at all where None."""
    formats: str | Sequence[str] = "geojson"
    """Vector formats to write: one or several of ``geojson``, ``geojsonl``, ``gpkg``,
    ``fgb``, ``parquet``, ``shp`` and ``pmtiles``, or ``none``: no polygons at all."""
    polygons: PolygonOptions = field(default_factory=PolygonOptions)
    """How polygons are drawn."""
    scene: SceneOptions = field(default_factory=SceneOptions)
    """How the scene is read."""
    resample: bool = False
    """Read the scene on pixels of the model's size where its own are too large or too
    small for the model."""
    clip: bool = False
    """Cut polygons to the AOI's exact outline instead of the pixels in it."""
    tile: int | None = None
    """Tile side in pixels; the model's own where None."""
    overlap: int | None = None
    """Pixels shared by adjacent tiles; the model's own where None."""
    block: int | None = None
    """Tiles a block has along each side; chosen from the job where None. It
    bounds memory and never shows in the result."""
    blend: Blend = "hann"
    """How overlapping tiles share a pixel."""
    device: Device = "auto"
    """What computes."""
    precision: Precision = "auto"
    """What it computes in."""
    batch: int | None = None
    """Tiles in a batch; what suits the device where None."""
    compile: bool = False
    """Let torch compile the network first."""
    min_confidence: int = 0
    """Pixels of a lower confidence, in percent, become a class 'unknown'."""
    entropy: bool = False
    """Whether to write how evenly the probability is spread over the classes."""
    probabilities: bool = False
    """Whether to write the probability of each class."""
    mask_model: str | Path | None = None
    """A model whose map, in a run of its own, decides where there is no land cover to
    be seen: clouds, say."""
    mask_classes: str | Sequence[str] = ("cloud", "shadow")
    """Its classes that count."""
    mask_keep: bool = False
    """Give pixels that it masks a class of their own instead of nodata."""
    force: bool = False
    """Mask by a model to which the scene's values are nowhere near those that it was
    trained on."""
    allow_missing: bool = False
    """Leave nodata where blocks fail, and list them in the report."""
    workers: int | None = None
    """Worker processes on this machine; 0 for none but this one. Where None, one for
    each GPU if there are several, else none."""
    scheduler: str | None = None
    """The address of a dask scheduler whose workers do the work instead."""
    wait_for_workers: float = 0
    """Seconds to wait for a worker of that scheduler where there is none, when the run
    begins and whenever the last one is lost; then the run stops."""
    run_dir: str | Path | None = None
    """Where unfinished work is kept, until the products are complete: a directory, or
    a place in an object store such as ``s3://bucket/prefix``, empty before and after;
    ``.geoseg`` in the output directory where None."""
    restart: bool = False
    """Throw away what an unfinished run left in the run directory."""
    overwrite: bool = False
    """Replace products, too, that geoseg did not write or that somebody has changed."""
    keep_parts: bool = False
    """Keep the run directory when the products are complete."""

    @property
    def models(self) -> tuple[str | Path, ...]:
        """The models, however many were given."""
        if isinstance(self.model, str | Path):
            return (self.model,)
        return tuple(self.model)

    @property
    def vector_formats(self) -> tuple[str, ...]:
        """The vector formats, each once, however they were given."""
        given = listed(self.formats, "formats")
        return tuple(dict.fromkeys(name for name in given if name != NO_FORMAT))

    @property
    def product_names(self) -> tuple[str, ...]:
        """The names of all files that a run with these options writes."""
        measures = {"entropy": self.entropy, "probabilities": self.probabilities}
        masks = ("mask", "mask_confidence") if self.mask_model is not None else ()
        wanted = (name for name, is_wanted in measures.items() if is_wanted)
        vectors = (Path(f"landcover{FORMATS[name]}") for name in self.vector_formats)
        return (
            *(f"{name}.tif" for name in ("landcover", "confidence", *wanted, *masks)),
            *dict.fromkeys(
                ("landcover.qml", *(e.name for path in vectors for e in replaced(path)))
            ),
            "preview.png",
            REPORT,
        )

    def below(self, name: str) -> SegmentOptions:
        """Give the same for one of several runs, with a run directory of its own."""
        if self.run_dir is None:
            return self
        return replace(self, run_dir=f"{str(self.run_dir).rstrip('/')}/{name}")

    def for_cluster(self) -> SegmentOptions:
        """Give the same with paths that other processes find from their folders."""
        bands = tuple((name, absolute(file)) for name, file in self.scene.bands)
        place = None if self.run_dir is None else absolute(self.run_dir)
        return replace(self, scene=replace(self.scene, bands=bands), run_dir=place)

    def legend_of(self, package: ModelPackage) -> Legend:
        """Give the classes of a map that a model makes.

        Raises:
            InputError: The minimum confidence is no percentage.

        """
        if not 0 <= self.min_confidence <= _CERTAIN:
            raise InputError(
                f"the minimum confidence is a percentage, 0 to {_CERTAIN}, "
                f"got {self.min_confidence}"
            )
        return package.legend.with_unknown() if self.min_confidence else package.legend

    def run_directory(self, output: Output) -> str | Path:
        """Say where unfinished work is kept: a directory, or an object store's URL."""
        return output.run_directory() if self.run_dir is None else self.run_dir
