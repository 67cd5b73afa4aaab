"""Turn any large georeferenced image into a land-cover map.

The public API: names only, each imported when it is first used, so that
``import geoseg`` costs nothing. A function is called like its command:
``geoseg.plan()`` does what ``geoseg plan`` does.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoseg.diagnose.export import ExportedModel, export_model
    from geoseg.diagnose.forecast import Forecast, plan, plan_each
    from geoseg.diagnose.info import ModelFit, SceneDescription, info
    from geoseg.diagnose.verify import Agreement, Verification, verify
    from geoseg.errors import GeosegError, InputError, RunError
    from geoseg.evaluate.assessment import Assessment
    from geoseg.evaluate.confusion import Accuracy
    from geoseg.evaluate.intervals import Estimate
    from geoseg.evaluate.stratified import StratifiedEstimates, stratified_estimates
    from geoseg.evaluate.zone_table import ZoneClass
    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import LandClass, Legend
    from geoseg.geo.splits import Split
    from geoseg.geo.windows import Window
    from geoseg.models.exchange.import_model import import_model
    from geoseg.models.exchange.push import push_model
    from geoseg.models.exchange.recipes import Recipe, available_models
    from geoseg.models.find import known_models, load_package
    from geoseg.models.inspection import Inspection, inspect_model
    from geoseg.models.networks.crf import fully_connected_crf
    from geoseg.models.networks.network import load_network
    from geoseg.models.networks.receptive_field import (
        ReceptiveField,
    )
    from geoseg.models.networks.survey import Surveyed, list_architectures
    from geoseg.models.package.hub import cached_models
    from geoseg.models.package.installed import installed_models, models_folder
    from geoseg.models.package.make import make_package, unpack_package
    from geoseg.models.package.package import ModelPackage
    from geoseg.models.validate import Validation, validate_model
    from geoseg.options import (
        ChangeOptions,
        CompositeOptions,
        CrfOptions,
        EvaluateOptions,
        ExportOptions,
        NewPackage,
        PolygonOptions,
        RelabelOptions,
        SampleOptions,
        SceneOptions,
        SearchOptions,
        SegmentOptions,
        SuggestOptions,
        VerifyOptions,
    )
    from geoseg.overlay.labels.rasterize import rasterize
    from geoseg.progress import Step
    from geoseg.raster.relabelling import known_legends
    from geoseg.report.report import Report
    from geoseg.run.areas import ZoneAreas, areas
    from geoseg.run.assess import evaluate
    from geoseg.run.change import Change, change
    from geoseg.run.composite.make import composite
    from geoseg.run.composite.products import CompositeReport
    from geoseg.run.many_scenes import segment_each
    from geoseg.run.model import Model
    from geoseg.run.relabel import Relabelled, relabel
    from geoseg.run.sample_points import Stratum, sample_points
    from geoseg.run.segment import segment, segment_features
    from geoseg.run.status import RunStatus, status, status_each
    from geoseg.run.suggest.suggest import Suggested, suggest
    from geoseg.run.view import view
    from geoseg.scene import Scene, open_scene
    from geoseg.search.results import FoundDay
    from geoseg.search.search import Found, Search, search
    from geoseg.storage.allowed_drivers import allow_drivers
    from geoseg.storage.sample_area import sample
    from geoseg.storage.vectors.formats import known_formats
    from geoseg.storage.vectors.read import list_fields
    from geoseg.train.calibrate import CalibratedModel, calibrate_model
    from geoseg.train.chips.dataset import ChipDataset
    from geoseg.train.chips.export import ExportedTiles, tile
    from geoseg.train.chips.options import TileOptions
    from geoseg.train.live.live import LiveMap, live
    from geoseg.train.live.options import LiveOptions
    from geoseg.train.options import CalibrateOptions, TrainOptions
    from geoseg.train.train import Trained, train
    from geoseg.vectorize.geodataframe import polygons
    from geoseg.vectorize.polygonize import ClassPolygons, Vectorized, vectorize

    __version__: str

_HOMES = {
    "Accuracy": "geoseg.evaluate.confusion",
    "Agreement": "geoseg.diagnose.verify",
    "Assessment": "geoseg.evaluate.assessment",
    "CalibrateOptions": "geoseg.train.options",
    "CalibratedModel": "geoseg.train.calibrate",
    "Change": "geoseg.run.change",
    "ChangeOptions": "geoseg.options",
    "ClassPolygons": "geoseg.vectorize.polygonize",
    "ChipDataset": "geoseg.train.chips.dataset",
    "CompositeOptions": "geoseg.options",
    "CompositeReport": "geoseg.run.composite.products",
    "CrfOptions": "geoseg.options",
    "Estimate": "geoseg.evaluate.intervals",
    "EvaluateOptions": "geoseg.options",
    "ExportOptions": "geoseg.options",
    "ExportedModel": "geoseg.diagnose.export",
    "ExportedTiles": "geoseg.train.chips.export",
    "Found": "geoseg.search.search",
    "FoundDay": "geoseg.search.results",
    "Forecast": "geoseg.diagnose.forecast",
    "GeoBox": "geoseg.geo.geobox",
    "GeosegError": "geoseg.errors",
    "InputError": "geoseg.errors",
    "Inspection": "geoseg.models.inspection",
    "LandClass": "geoseg.geo.legend",
    "Legend": "geoseg.geo.legend",
    "LiveMap": "geoseg.train.live.live",
    "LiveOptions": "geoseg.train.live.options",
    "Model": "geoseg.run.model",
    "ModelFit": "geoseg.diagnose.info",
    "ModelPackage": "geoseg.models.package.package",
    "NewPackage": "geoseg.options",
    "PolygonOptions": "geoseg.options",
    "ReceptiveField": "geoseg.models.networks.receptive_field",
    "Recipe": "geoseg.models.exchange.recipes",
    "RelabelOptions": "geoseg.options",
    "Relabelled": "geoseg.run.relabel",
    "Report": "geoseg.report.report",
    "RunError": "geoseg.errors",
    "RunStatus": "geoseg.run.status",
    "SampleOptions": "geoseg.options",
    "Scene": "geoseg.scene",
    "SceneDescription": "geoseg.diagnose.info",
    "SceneOptions": "geoseg.options",
    "Search": "geoseg.search.search",
    "SearchOptions": "geoseg.options",
    "SegmentOptions": "geoseg.options",
    "Split": "geoseg.geo.splits",
    "Step": "geoseg.progress",
    "StratifiedEstimates": "geoseg.evaluate.stratified",
    "Stratum": "geoseg.run.sample_points",
    "SuggestOptions": "geoseg.options",
    "Suggested": "geoseg.run.suggest.suggest",
    "Surveyed": "geoseg.models.networks.survey",
    "TileOptions": "geoseg.train.chips.options",
    "TrainOptions": "geoseg.train.options",
    "Trained": "geoseg.train.train",
    "Validation": "geoseg.models.validate",
    "Verification": "geoseg.diagnose.verify",
    "VerifyOptions": "geoseg.options",
    "Window": "geoseg.geo.windows",
    "Vectorized": "geoseg.vectorize.polygonize",
    "ZoneAreas": "geoseg.run.areas",
    "ZoneClass": "geoseg.evaluate.zone_table",
    "allow_drivers": "geoseg.storage.allowed_drivers",
    "areas": "geoseg.run.areas",
    "available_models": "geoseg.models.exchange.recipes",
    "cached_models": "geoseg.models.package.hub",
    "calibrate_model": "geoseg.train.calibrate",
    "change": "geoseg.run.change",
    "composite": "geoseg.run.composite.make",
    "evaluate": "geoseg.run.assess",
    "export_model": "geoseg.diagnose.export",
    "fully_connected_crf": "geoseg.models.networks.crf",
    "import_model": "geoseg.models.exchange.import_model",
    "info": "geoseg.diagnose.info",
    "inspect_model": "geoseg.models.inspection",
    "installed_models": "geoseg.models.package.installed",
    "known_formats": "geoseg.storage.vectors.formats",
    "known_legends": "geoseg.raster.relabelling",
    "known_models": "geoseg.models.find",
    "list_architectures": "geoseg.models.networks.survey",
    "list_fields": "geoseg.storage.vectors.read",
    "live": "geoseg.train.live.live",
    "load_network": "geoseg.models.networks.network",
    "load_package": "geoseg.models.find",
    "make_package": "geoseg.models.package.make",
    "models_folder": "geoseg.models.package.installed",
    "open_scene": "geoseg.scene",
    "plan": "geoseg.diagnose.forecast",
    "plan_each": "geoseg.diagnose.forecast",
    "polygons": "geoseg.vectorize.geodataframe",
    "rasterize": "geoseg.overlay.labels.rasterize",
    "relabel": "geoseg.run.relabel",
    "push_model": "geoseg.models.exchange.push",
    "sample": "geoseg.storage.sample_area",
    "sample_points": "geoseg.run.sample_points",
    "search": "geoseg.search.search",
    "segment": "geoseg.run.segment",
    "segment_each": "geoseg.run.many_scenes",
    "segment_features": "geoseg.run.segment",
    "status": "geoseg.run.status",
    "status_each": "geoseg.run.status",
    "stratified_estimates": "geoseg.evaluate.stratified",
    "suggest": "geoseg.run.suggest.suggest",
    "tile": "geoseg.train.chips.export",
    "train": "geoseg.train.train",
    "unpack_package": "geoseg.models.package.make",
    "validate_model": "geoseg.models.validate",
    "vectorize": "geoseg.vectorize.polygonize",
    "verify": "geoseg.diagnose.verify",
    "view": "geoseg.run.view",
}
"""The module that each public name comes from."""

__all__ = [
    "Accuracy",
    "Agreement",
    "Assessment",
    "CalibrateOptions",
    "CalibratedModel",
    "Change",
    "ChangeOptions",
    "ChipDataset",
    "ClassPolygons",
    "CompositeOptions",
    "CompositeReport",
    "CrfOptions",
    "Estimate",
    "EvaluateOptions",
    "ExportOptions",
    "ExportedModel",
    "ExportedTiles",
    "Forecast",
    "Found",
    "FoundDay",
    "GeoBox",
    "GeosegError",
    "InputError",
    "Inspection",
    "LandClass",
    "Legend",
    "LiveMap",
    "LiveOptions",
    "Model",
    "ModelFit",
    "ModelPackage",
    "NewPackage",
    "PolygonOptions",
    "ReceptiveField",
    "Recipe",
    "RelabelOptions",
    "Relabelled",
    "Report",
    "RunError",
    "RunStatus",
    "SampleOptions",
    "Scene",
    "SceneDescription",
    "SceneOptions",
    "Search",
    "SearchOptions",
    "SegmentOptions",
    "Split",
    "Step",
    "StratifiedEstimates",
    "Stratum",
    "SuggestOptions",
    "Suggested",
    "Surveyed",
    "TileOptions",
    "TrainOptions",
    "Trained",
    "Validation",
    "Vectorized",
    "Verification",
    "VerifyOptions",
    "Window",
    "ZoneAreas",
    "ZoneClass",
    "__version__",
    "allow_drivers",
    "areas",
    "available_models",
    "cached_models",
    "calibrate_model",
    "change",
    "composite",
    "evaluate",
    "export_model",
    "fully_connected_crf",
    "import_model",
    "info",
    "inspect_model",
    "installed_models",
    "known_formats",
    "known_legends",
    "known_models",
    "list_architectures",
    "list_fields",
    "live",
    "load_network",
    "load_package",
    "make_package",
    "models_folder",
    "open_scene",
    "plan",
    "plan_each",
    "polygons",
    "push_model",
    "rasterize",
    "relabel",
    "sample",
    "sample_points",
    "search",
    "segment",
    "segment_each",
    "segment_features",
    "status",
    "status_each",
    "stratified_estimates",
    "suggest",
    "tile",
    "train",
    "unpack_package",
    "validate_model",
    "vectorize",
    "verify",
    "view",
]


_FIELDS = "Attributes:"
"""What begins the part of a docstring that lists the fields."""


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
    thing = getattr(import_module(_HOMES[name]), name)
    if isinstance(thing, type):
        _list_fields(thing)
        return thing
    return _checked(thing)


@cache
def _checked(function: Callable[..., object]) -> Callable[..., object]:
    """Give a function that refuses arguments of other kinds than it names."""
    from geoseg.options.arguments import checked  # noqa: PLC0415  # as all is here

    return checked(function)


def _list_fields(kind: type) -> None:
    """Add to a dataclass's docstring those that stand under its fields, for `help()`.

    Editors find them where they stand; at run time only the source has them.
    """
    documented = kind.__doc__ or ""
    if not hasattr(kind, "__dataclass_fields__") or _FIELDS in documented:
        return
    import ast  # noqa: PLC0415  # who uses functions alone needs neither
    import dataclasses  # noqa: PLC0415
    import inspect  # noqa: PLC0415

    from geoseg.options import about  # noqa: PLC0415

    options = dataclasses.fields(kind)
    texts = {each.name: it for each in options if (it := about(each))}
    fields = {name: it.in_python() for name, it in texts.items()}
    for each in reversed(kind.__mro__[:-1]):
        try:
            tree = ast.parse(inspect.cleandoc(f"\n{inspect.getsource(each)}"))
        except OSError:  # there is no source, as in a frozen program
            return
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for line, below in pairwise(body):
            match line, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    fields[name] = " ".join(text.split())
    listed = "".join(f"\n    {name}: {text}" for name, text in fields.items())
    kind.__doc__ = f"{documented}\n\n{_FIELDS}{listed}\n"


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return __all__
