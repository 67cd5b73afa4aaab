"""Turn any large georeferenced image into a land-cover map.

The public API: names only, each imported when it is first used, so that
``import geoseg`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoseg.accuracy import (
        Assessment,
        AssessOptions,
        SampleOptions,
        Stratum,
        assess,
        draw_sample,
    )
    from geoseg.describe import ModelFit, SceneDescription, describe_scene
    from geoseg.errors import GeosegError, InputError, RunError
    from geoseg.estimate import Forecast, forecast, forecast_each
    from geoseg.evaluate.intervals import Estimate
    from geoseg.evaluate.stratified import StratifiedEstimates, stratified_estimates
    from geoseg.export.job import ExportedTiles, export_tiles
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
    from geoseg.train.fit import Trained, train_model
    from geoseg.train.options import TrainOptions
    from geoseg.vectors import PolygonOptions, polygonize
    from geoseg.verify import Agreement, Verification, VerifyOptions, verify_model

_HOMES = {
    "Agreement": "geoseg.verify",
    "AssessOptions": "geoseg.accuracy",
    "Assessment": "geoseg.accuracy",
    "CrfOptions": "geoseg.models.crf",
    "Estimate": "geoseg.evaluate.intervals",
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
    "assess": "geoseg.accuracy",
    "cached_models": "geoseg.models.hub",
    "describe_scene": "geoseg.describe",
    "draw_sample": "geoseg.accuracy",
    "export_tiles": "geoseg.export.job",
    "forecast": "geoseg.estimate",
    "forecast_each": "geoseg.estimate",
    "fully_connected_crf": "geoseg.models.crf",
    "inspect_model": "geoseg.models.field",
    "installed_models": "geoseg.models.installed",
    "known_models": "geoseg.models.package",
    "list_architectures": "geoseg.models.survey",
    "load_package": "geoseg.models.package",
    "make_package": "geoseg.models.make",
    "models_folder": "geoseg.models.installed",
    "polygonize": "geoseg.vectors",
    "segment": "geoseg.run",
    "segment_each": "geoseg.run",
    "segment_features": "geoseg.run",
    "stratified_estimates": "geoseg.evaluate.stratified",
    "train_model": "geoseg.train.fit",
    "unpack_package": "geoseg.models.make",
    "validate_model": "geoseg.models.proof",
    "verify_model": "geoseg.verify",
}
"""The module that each public name comes from."""

__all__ = [
    "Agreement",
    "AssessOptions",
    "Assessment",
    "CrfOptions",
    "Estimate",
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
    "assess",
    "cached_models",
    "describe_scene",
    "draw_sample",
    "export_tiles",
    "forecast",
    "forecast_each",
    "fully_connected_crf",
    "inspect_model",
    "installed_models",
    "known_models",
    "list_architectures",
    "load_package",
    "make_package",
    "models_folder",
    "polygonize",
    "segment",
    "segment_each",
    "segment_features",
    "stratified_estimates",
    "train_model",
    "unpack_package",
    "validate_model",
    "verify_model",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'geoseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return __all__
