"""A run that is resolved, and has not begun."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import InputError
from geoseg.predict.layers import Layers
from geoseg.storage.authorship import PAGE, REPORT
from geoseg.storage.output import MASKS, Output
from geoseg.storage.vectors.formats import FORMATS
from geoseg.storage.vectors.replacing import replaced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geoseg.geo.legend import Legend
    from geoseg.models.package.package import ModelPackage
    from geoseg.options import ExecutionOptions, ProductOptions, SegmentOptions
    from geoseg.overlay.aoi import Aoi, Area
    from geoseg.predict import TilePredictor
    from geoseg.raster.relabelling import Relabelling
    from geoseg.report.assessed_areas import AssessedAreas
    from geoseg.run.masking import Masking
    from geoseg.run.plan import Plan
    from geoseg.scene import Scene

_CERTAIN = 100
"""Percent."""
STAC_ITEM = "landcover.stac.json"
"""The map as catalogues read it."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Everything of a run that is resolved before it begins."""

    scene: Scene
    """The raster to segment."""
    aoi: Aoi
    """Where the map is wanted."""
    aoi_given: Area | None
    """What was given as the AOI; None for the whole scene."""
    output: Output
    """Where the products go."""
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
    mask_run: RunConfig | None = None
    """The run that makes the mask."""
    mask_pixels: Mapping[int, int] = field(default_factory=dict)
    """How many pixels the mask has of each class, once it is made."""
    relabelling: Relabelling | None = None
    """What classes become in the legend that was asked for; None in their own."""
    assessed: AssessedAreas | None = None
    """What a sample says of its areas; None where none was given."""
    feature: str | None = None
    """The feature of the run's area that this is; None for all of it."""

    def made_in(self, folder: Path) -> RunConfig:
        """Give the same run with products that are made in another folder."""
        return replace(self, output=Output(folder))

    def cut_to(self, area: Aoi, feature: str) -> RunConfig:
        """Give what one feature of the run's area is to become."""
        output = self.output.below(feature)
        return replace(self, aoi=area, output=output, feature=feature)

    @property
    def as_read(self) -> tuple[Scene, TilePredictor]:
        """What workers read, and what predicts it.

        Numbers that stand for features go to the predictor as files hold them: so they
        take a quarter of the memory on the way, to the same map.
        """
        stored = self.scene.as_stored()
        if stored is None:
            return self.scene, self.predictor
        return stored, replace(self.predictor, takes_stored=True)

    @property
    def packages(self) -> tuple[ModelPackage, ...]:
        """The models' packages."""
        return tuple(model.package for model in self.predictor.models)

    @property
    def package(self) -> ModelPackage:
        """The first model's package, which decides where several could."""
        return self.packages[0]

    @property
    def models_named(self) -> str:
        """The models' names and versions, in a line."""
        return ", ".join(f"{each.name} {each.version}" for each in self.packages)

    @property
    def knows_confidence(self) -> bool:
        """Whether all models give scores, and with them how sure they are."""
        return all(package.gives_scores for package in self.packages)

    @property
    def legend(self) -> Legend:
        """The classes of the map."""
        return self.own_legend if self.relabelling is None else self.relabelling.legend

    @property
    def own_legend(self) -> Legend:
        """The classes that the models give, with those that a mask adds."""
        if self.masking is not None:
            return self.masking.legend
        return legend_of(self.package, self.options)

    @property
    def mask_files(self) -> tuple[Path, Path]:
        """What this run leaves where it makes a mask: classes, and confidence.

        They are there while maps are made with them; then they become products.
        """
        folder = self.output.folder / MASKS
        return folder / "mask.tif", folder / "mask_confidence.tif"

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
        return run_directory_of(self.output, self.options)

    @property
    def products(self) -> dict[str, Path]:
        """Each product's file where it is made, by the product's name."""
        folder = self.output.folder
        vectors = {
            name: folder / f"landcover{FORMATS[name]}"
            for name in self.options.vector_formats
        }
        made = () if self.mask_run is None else self.mask_run.mask_files
        # Features of an area share the mask: it lies above their folders.
        above = folder if self.feature is None else folder.parent
        return {
            **{
                name: folder / f"{name}.tif"
                for name in self.layers.bands
                if name != "confidence" or self.knows_confidence
            },
            **(
                {"applicability": folder / "applicability.tif"}
                if self.options.applicability
                else {}
            ),
            **{path.stem: above / path.name for path in made},
            **vectors,
            "style": folder / "landcover.qml",
            "preview": folder / "preview.png",
            "stac": folder / STAC_ITEM,
            **({"page": folder / PAGE} if self.options.report_size else {}),
            "report": folder / REPORT,
        }


def run_directory_of(output: Output, options: ExecutionOptions) -> str | Path:
    """Say where unfinished work is kept: a directory, or an object store's URL."""
    return output.run_directory() if options.run_dir is None else options.run_dir


def legend_of(package: ModelPackage, options: ProductOptions) -> Legend:
    """Give the classes of a map that a model makes.

    Raises:
        InputError: The minimum confidence is no percentage.

    """
    least = options.min_confidence
    if not 0 <= least <= _CERTAIN:
        raise InputError(
            f"the minimum confidence is a percentage, 0 to {_CERTAIN}, got {least}"
        )
    return package.legend.with_unknown() if least else package.legend


def product_names(options: SegmentOptions) -> tuple[str, ...]:
    """Name all files that a run with these options writes."""
    measures = {
        "entropy": options.entropy,
        "probabilities": options.probabilities,
        "applicability": options.applicability,
    }
    masks = ("mask", "mask_confidence") if options.mask_model is not None else ()
    wanted = (name for name, is_wanted in measures.items() if is_wanted)
    vectors = (Path(f"landcover{FORMATS[name]}") for name in options.vector_formats)
    return (
        *(f"{name}.tif" for name in ("landcover", "confidence", *wanted, *masks)),
        *dict.fromkeys(
            ("landcover.qml", *(e.name for path in vectors for e in replaced(path)))
        ),
        "preview.png",
        STAC_ITEM,
        *((PAGE,) if options.report_size else ()),
        REPORT,
    )
