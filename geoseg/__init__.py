"""Turn any large georeferenced image into a land-cover map.

The public API: names only, each imported when it is first used, so that
``import geoseg`` costs nothing. A function is called like its command:
``geoseg.plan()`` does what ``geoseg plan`` does.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoseg.accuracy import (
        Assessment,
        EvaluateOptions,
        SampleOptions,
        Stratum,
        evaluate,
        sample_points,
    )
    from geoseg.describe import ModelFit, SceneDescription, info
    from geoseg.errors import GeosegError, InputError, RunError
    from geoseg.estimate import Forecast, plan, plan_each
    from geoseg.evaluate.intervals import Estimate
    from geoseg.evaluate.stratified import StratifiedEstimates, stratified_estimates
    from geoseg.export.job import ExportedTiles, tile
    from geoseg.export.options import TileOptions
    from geoseg.models.crf import CrfOptions, fully_connected_crf
    from geoseg.models.field import Inspection, ReceptiveField, inspect_model
    from geoseg.models.hub import cached_models
    from geoseg.models.installed import installed_models, models_folder
    from geoseg.models.make import make_package, unpack_package
    from geoseg.models.new import NewPackage
    from geoseg.models.package import ModelPackage, known_models, load_package
    from geoseg.models.proof import Validation, validate_model
    from geoseg.models.survey import Surveyed, list_architectures
    from geoseg.prepare import SegmentOptions
    from geoseg.products.report import Report
    from geoseg.run import segment, segment_each, segment_features
    from geoseg.scene import SceneOptions
    from geoseg.steps import Step
    from geoseg.train.fit import Trained, train
    from geoseg.train.options import TrainOptions
    from geoseg.vectors import PolygonOptions, vectorize
    from geoseg.verify import Agreement, Verification, VerifyOptions, verify

    __version__: str

_HOMES = {
    "Agreement": "geoseg.verify",
    "Assessment": "geoseg.accuracy",
    "CrfOptions": "geoseg.models.crf",
    "Estimate": "geoseg.evaluate.intervals",
    "EvaluateOptions": "geoseg.accuracy",
    "ExportedTiles": "geoseg.export.job",
    "Forecast": "geoseg.estimate",
    "GeosegError": "geoseg.errors",
    "InputError": "geoseg.errors",
    "Inspection": "geoseg.models.field",
    "ModelFit": "geoseg.describe",
    "ModelPackage": "geoseg.models.package",
    "NewPackage": "geoseg.models.new",
    "PolygonOptions": "geoseg.vectors",
    "ReceptiveField": "geoseg.models.field",
    "Report": "geoseg.products.report",
    "RunError": "geoseg.errors",
    "SampleOptions": "geoseg.accuracy",
    "SceneDescription": "geoseg.describe",
    "SceneOptions": "geoseg.scene",
    "SegmentOptions": "geoseg.prepare",
    "Step": "geoseg.steps",
    "StratifiedEstimates": "geoseg.evaluate.stratified",
    "Stratum": "geoseg.accuracy",
    "Surveyed": "geoseg.models.survey",
    "TileOptions": "geoseg.export.options",
    "TrainOptions": "geoseg.train.options",
    "Trained": "geoseg.train.fit",
    "Validation": "geoseg.models.proof",
    "Verification": "geoseg.verify",
    "VerifyOptions": "geoseg.verify",
    "cached_models": "geoseg.models.hub",
    "evaluate": "geoseg.accuracy",
    "fully_connected_crf": "geoseg.models.crf",
    "info": "geoseg.describe",
    "inspect_model": "geoseg.models.field",
    "installed_models": "geoseg.models.installed",
    "known_models": "geoseg.models.package",
    "list_architectures": "geoseg.models.survey",
    "load_package": "geoseg.models.package",
    "make_package": "geoseg.models.make",
    "models_folder": "geoseg.models.installed",
    "plan": "geoseg.estimate",
    "plan_each": "geoseg.estimate",
    "sample_points": "geoseg.accuracy",
    "segment": "geoseg.run",
    "segment_each": "geoseg.run",
    "segment_features": "geoseg.run",
    "stratified_estimates": "geoseg.evaluate.stratified",
    "tile": "geoseg.export.job",
    "train": "geoseg.train.fit",
    "unpack_package": "geoseg.models.make",
    "validate_model": "geoseg.models.proof",
    "vectorize": "geoseg.vectors",
    "verify": "geoseg.verify",
}
"""The module that each public name comes from."""

__all__ = [
    "Agreement",
    "Assessment",
    "CrfOptions",
    "Estimate",
    "EvaluateOptions",
    "ExportedTiles",
    "Forecast",
    "GeosegError",
    "InputError",
    "Inspection",
    "ModelFit",
    "ModelPackage",
    "NewPackage",
    "PolygonOptions",
    "ReceptiveField",
    "Report",
    "RunError",
    "SampleOptions",
    "SceneDescription",
    "SceneOptions",
    "SegmentOptions",
    "Step",
    "StratifiedEstimates",
    "Stratum",
    "Surveyed",
    "TileOptions",
    "TrainOptions",
    "Trained",
    "Validation",
    "Verification",
    "VerifyOptions",
    "__version__",
    "cached_models",
    "evaluate",
    "fully_connected_crf",
    "info",
    "inspect_model",
    "installed_models",
    "known_models",
    "list_architectures",
    "load_package",
    "make_package",
    "models_folder",
    "plan",
    "plan_each",
    "sample_points",
    "segment",
    "segment_each",
    "segment_features",
    "stratified_estimates",
    "tile",
    "train",
    "unpack_package",
    "validate_model",
    "vectorize",
    "verify",
]


class _Api(ModuleType):
    """This package, in which a public name never becomes the room of that name.

    Python puts a submodule into its package when it is imported, and some functions
    are called like rooms: after ``geoseg.vectorize.clip`` is imported, whenever that
    is, ``geoseg.vectorize`` must still be the function. So such a room is not put
    there; ``from geoseg.vectorize import clip`` finds it all the same.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Leave the rooms out that are called like a public name."""
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Api


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        return version("geoseg")
    if name not in _HOMES:
        raise AttributeError(f"module 'geoseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return __all__
