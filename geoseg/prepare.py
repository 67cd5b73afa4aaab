"""Settle everything of a run before it begins: inputs, model, plan, identity."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.aoi import Aoi, read_aoi, whole_scene
from geoseg.atomic import check_folder
from geoseg.errors import InputError
from geoseg.fit import (
    Models,
    check_scale,
    doubts,
    in_models_unit,
    on_models_grid,
    open_models,
)
from geoseg.grid import Lattice, check_tile
from geoseg.journal.journal import identity_of
from geoseg.layers import Layers
from geoseg.masking import Masking, plan_masking
from geoseg.models.onnx import runtime_version
from geoseg.plan import Plan, lay_tiles, make_plan
from geoseg.predict import (
    AUGMENTATIONS,
    Augmentation,
    Compute,
    Device,
    Precision,
    TilePredictor,
    probe,
    resolve_compute,
)
from geoseg.remote import without_secrets
from geoseg.scene import Scene, SceneOptions, open_scene
from geoseg.steps import OnStep, ignore_step
from geoseg.vectorize.writers import FORMATS, check_place
from geoseg.vectors import PolygonOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.classes import Legend
    from geoseg.models.crf import CrfOptions
    from geoseg.models.package import ModelPackage
    from geoseg.scene import Inputs
    from geoseg.stitch import Blend

DEFAULT_MODEL = "sentinel2-landcover"
_RUN_DIRECTORY = ".geoseg"
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
    formats: tuple[str, ...] = ("geojson",)
    """Vector formats to write: any of `geoseg.vectorize.writers.FORMATS`."""
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
    mask_classes: tuple[str, ...] = ("cloud", "shadow")
    """Its classes that count."""
    mask_keep: bool = False
    """Give pixels that it masks a class of their own instead of nodata."""
    allow_missing: bool = False
    """Leave nodata where blocks fail, and list them in the report."""
    workers: int | None = None
    """Worker processes on this machine; 0 for none but this one. Where None, one for
    each GPU if there are several, else none."""
    scheduler: str | None = None
    """The address of a dask scheduler whose workers do the work instead."""
    run_dir: str | Path | None = None
    """Where unfinished work is kept, until the products are complete: a directory, or
    a place in an object store such as ``s3://bucket/prefix``, empty before and after;
    ``.geoseg`` in the output directory where None."""
    restart: bool = False
    """Throw away what an unfinished run left in the run directory."""
    keep_parts: bool = False
    """Keep the run directory when the products are complete."""

    @property
    def models(self) -> tuple[str | Path, ...]:
        """The models, however many were given."""
        if isinstance(self.model, str | Path):
            return (self.model,)
        return tuple(self.model)

    def below(self, name: str) -> SegmentOptions:
        """Give the same for one of several runs, with a run directory of its own."""
        if self.run_dir is None:
            return self
        return replace(self, run_dir=f"{str(self.run_dir).rstrip('/')}/{name}")


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything of a run that is settled before it begins."""

    scene: Scene
    """The raster to segment."""
    aoi: Aoi
    """Where the map is wanted."""
    aoi_given: str | None
    """What was given as the AOI; None for the whole scene."""
    output: Path
    """The directory for the products."""
    options: SegmentOptions
    """What was asked for."""
    predictor: TilePredictor
    """The model, on its device."""
    plan: Plan
    """What is to be done."""
    warnings: tuple[str, ...]
    """What was put right or assumed, a sentence each."""
    masking: Masking | None = None
    """What the mask does to the map; None without a mask."""
    mask_run: Setup | None = None
    """The run that makes the mask."""
    feature: str | None = None
    """The feature of the run's area that this is; None for all of it."""

    def cut_to(self, area: Aoi, feature: str) -> Setup:
        """Give what one feature of the run's area is to become."""
        output = self.output / feature
        return replace(self, aoi=area, output=output, feature=feature)

    @property
    def packages(self) -> tuple[ModelPackage, ...]:
        """The models' packages."""
        return tuple(member.package for member in self.predictor.members)

    @property
    def package(self) -> ModelPackage:
        """The first model's package, which decides where several could."""
        return self.packages[0]

    @property
    def legend(self) -> Legend:
        """The classes of the map."""
        if self.masking is not None:
            return self.masking.legend
        return _legend(self.package, self.options)

    @property
    def mask_files(self) -> tuple[Path, Path]:
        """What this run leaves where it makes a mask: classes, and confidence."""
        return self.output / "mask.tif", self.output / "mask_confidence.tif"

    @property
    def layers(self) -> Layers:
        """What is kept of the scores, a raster each."""
        return Layers(
            self.package.legend.ids,
            min_confidence=self.options.min_confidence,
            entropy=self.options.entropy,
            probabilities=self.options.probabilities,
        )

    @property
    def run_directory(self) -> str | Path:
        """Where unfinished work is kept: a directory, or the URL of an object store."""
        return _run_directory(self.output, self.options)

    @property
    def products(self) -> dict[str, Path]:
        """Each product's file, by the product's name."""
        vectors = {
            name: self.output / f"landcover{FORMATS[name]}"
            for name in self.options.formats
        }
        masks = ("mask", "mask_confidence")
        made = () if self.mask_run is None else self.mask_run.mask_files
        return {
            **{name: self.output / f"{name}.tif" for name in self.layers.bands},
            **dict(zip(masks, made, strict=False)),
            **vectors,
            "preview": self.output / "preview.png",
            "report": self.output / "run.json",
        }


def prepare(
    inputs: Inputs,
    output: Path,
    aoi_given: str | None,
    options: SegmentOptions,
    on_step: OnStep = ignore_step,
) -> Setup:
    """Check everything and plan the run; write nothing.

    Raises:
        InputError: Something given cannot be used.

    """
    _check_formats(options.formats)
    check_folder(output)
    scene = open_scene(inputs, options.scene, on_step)
    models = open_models(options.models, scene)
    if options.resample:
        on_grid = on_models_grid(options.scene, models, scene)
        if on_grid != options.scene:
            scene = open_scene(inputs, on_grid, on_step)
    check_scale(models, scene)
    check_place([FORMATS[name] for name in options.formats], scene.georef)
    package = models[0][0]
    scene = in_models_unit(models, scene)
    if options.clip and aoi_given is None:
        raise InputError("there is no AOI to clip polygons to; give one, or no --clip")
    georef = scene.georef
    aoi = _within_bounds(
        scene, read_aoi(aoi_given, georef) if aoi_given else whole_scene(georef)
    )
    tile = package.tile if options.tile is None else options.tile
    overlap = package.overlap if options.overlap is None else options.overlap
    check_tile(tile, overlap, math.lcm(*(package.stride for package, _ in models)))
    legend = _legend(package, options)
    masking, mask_run = None, None
    if options.mask_model is not None:
        mask_run = _mask_run(inputs, output, aoi_given, _mask_options(options, scene))
        mask, keep = mask_run.package.legend, options.mask_keep
        masking = plan_masking(options.mask_classes, mask, legend, keep=keep)
        legend = masking.legend
    options.polygons.drawing(scene.georef, legend)
    predictor = _predictor(options, models, tile)
    lattice = lay_tiles(
        scene.georef, aoi.window, tile=tile, overlap=overlap, block=options.block
    )
    lattice, kept = _keep_blocks(lattice, _run_directory(output, options), options)
    plan = make_plan(
        scene.georef,
        lattice,
        area=aoi.window,
        touches=aoi.touches,
        identity={
            **_identify_input(scene, aoi),
            **_identify_models(predictor),
            **_identify_mask(masking, mask_run),
            "tile": str(tile),
            "overlap": str(overlap),
            "blend": options.blend,
            "block": str(lattice.rows.block),
            "minimum confidence": str(options.min_confidence),
            "entropy": str(options.entropy),
            "probabilities": str(options.probabilities),
            **_identify_compute(predictor.compute),
        },
    )
    return Setup(
        scene=scene,
        aoi=aoi,
        aoi_given=aoi_given,
        output=output,
        options=options,
        predictor=predictor,
        plan=plan,
        warnings=tuple(
            dict.fromkeys(
                (
                    *scene.warnings,
                    *aoi.warnings,
                    *doubts(models, scene),
                    *kept,
                    *(() if mask_run is None else mask_run.warnings),
                )
            )
        ),
        masking=masking,
        mask_run=mask_run,
    )


def _mask_options(options: SegmentOptions, scene: Scene) -> SegmentOptions:
    """Say how the mask is made: by its own model and tiles, on the map's own pixels."""
    return replace(
        SegmentOptions(model=options.mask_model or ""),
        scene=scene.options,
        run_dir=options.run_dir,
        blend=options.blend,
        device=options.device,
        precision=options.precision,
        batch=options.batch,
        compile=options.compile,
        workers=options.workers,
        scheduler=options.scheduler,
        allow_missing=options.allow_missing,
        restart=options.restart,
        keep_parts=options.keep_parts,
    )


def _mask_run(
    inputs: Inputs, output: Path, aoi_given: str | None, options: SegmentOptions
) -> Setup:
    """Settle the run that makes the mask; its parts lie beside the map's."""
    beside = output / f"{_RUN_DIRECTORY}-mask"
    apart = replace(options, run_dir=beside) if options.run_dir is None else None
    return prepare(inputs, output, aoi_given, apart or options.below("mask"))


def _identify_mask(masking: Masking | None, mask_run: Setup | None) -> dict[str, str]:
    if masking is None or mask_run is None:
        return {}
    package = mask_run.package
    return {"mask": f"{package.name} {package.fingerprint} {masking.values}"}


def _within_bounds(scene: Scene, aoi: Aoi) -> Aoi:
    """Map no more than the scene's bounds; the model still sees what is around."""
    if scene.area is None:
        return aoi
    inside = aoi.within(scene.area)
    if inside is None:
        raise InputError("the area of interest and --bounds have no pixel in common")
    return inside


def _run_directory(output: Path, options: SegmentOptions) -> str | Path:
    return output / _RUN_DIRECTORY if options.run_dir is None else options.run_dir


def _keep_blocks(
    lattice: Lattice, run_directory: str | Path, options: SegmentOptions
) -> tuple[Lattice, list[str]]:
    """Lay the blocks that an unfinished run began with; its files are theirs.

    They never show in the result, so that another wish is no reason to refuse it.
    """
    wanted = str(lattice.rows.block)
    begun = {} if options.restart else identity_of(run_directory)
    block = begun.get("block", wanted)
    if block == wanted:
        return lattice, []
    rows, cols = (
        replace(axis, block=int(block)) for axis in (lattice.rows, lattice.cols)
    )
    place = without_secrets(run_directory)
    warning = (
        f"the unfinished run in {place} keeps its blocks of {block} x {block} "
        f"tiles instead of {wanted} x {wanted}; the map is the same (--restart would "
        f"begin again)"
    )
    return Lattice(rows, cols), [warning]


def _predictor(options: SegmentOptions, models: Models, tile: int) -> TilePredictor:
    if options.tta not in AUGMENTATIONS:
        raise InputError(
            f"test-time augmentation is {', '.join(AUGMENTATIONS)}, got {options.tta!r}"
        )
    matched = [(package, match.indices) for package, match in models]
    is_onnx = any(package.is_onnx for package, _ in models)
    compute = _compute(options, is_onnx=is_onnx)
    predictor = TilePredictor.of(matched, compute, options.tta, options.crf)
    return probe(predictor, tile)


def _legend(package: ModelPackage, options: SegmentOptions) -> Legend:
    if not 0 <= options.min_confidence <= _CERTAIN:
        raise InputError(
            f"the minimum confidence is a percentage, 0 to {_CERTAIN}, "
            f"got {options.min_confidence}"
        )
    return package.legend.with_unknown() if options.min_confidence else package.legend


def _compute(options: SegmentOptions, *, is_onnx: bool) -> Compute:
    if options.batch is not None and options.batch < 1:
        raise InputError(f"a batch has at least one tile, got {options.batch}")
    if is_onnx and options.precision not in {"auto", "float32"}:
        raise InputError(
            f"an ONNX model has a precision of its own and is given float32; leave "
            f"out --precision {options.precision}"
        )
    return resolve_compute(
        options.device,
        "float32" if is_onnx else options.precision,
        batch=options.batch,
        compiled=options.compile,
        processes=options.workers or 1,
    )


def _check_formats(formats: tuple[str, ...]) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise InputError(
            f"unknown vector format: {', '.join(unknown) or 'none given'}; "
            f"those known are {', '.join(FORMATS)}"
        )


def _identify_input(scene: Scene, aoi: Aoi) -> dict[str, str]:
    area = hashlib.blake2b(aoi.geometry.wkb, digest_size=16)
    return {**scene.identity(), "area of interest": area.hexdigest()}


def _identify_models(predictor: TilePredictor) -> dict[str, str]:
    packages = [member.package for member in predictor.members]
    return {
        "model": ", ".join(f"{each.name} {each.fingerprint}" for each in packages),
        "test-time augmentation": predictor.augmentation,
        "CRF": str(predictor.crf or "none"),
        **(
            {"onnxruntime": runtime_version()}
            if any(each.is_onnx for each in packages)
            else {}
        ),
    }


def _identify_compute(compute: Compute) -> dict[str, str]:
    return {
        "device": compute.device,
        "precision": compute.precision,
        "batch": str(compute.batch),
        "threads": str(compute.threads),
        "compiled": str(compute.compiled),
        "geoseg": version("geoseg"),
        "torch": version("torch"),
    }
