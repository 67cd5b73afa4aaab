"""One of geoseg's commands as an algorithm of Processing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputFile,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
)
from qgis.PyQt import sip

from .call import FailedError, StoppedError, run
from .environment import NotFoundError, find_program, own_environ
from .parameters import Chosen, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .commands import Command

_RASTERS = ("landcover", "transitions")
"""Maps among a command's products."""
_VECTORS = (".gpkg", ".fgb", ".geojson", ".shp")
"""Polygons that every QGIS opens, the one that it opens soonest first."""
_MAPS = {"segment": "LANDCOVER", "change": "TRANSITIONS"}
"""Commands that leave a folder with a map, and what their output is called."""


class _Watching:
    """A call that is watched by Processing's feedback."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        """Tell it to this."""
        self._feedback = feedback

    def say(self, text: str) -> None:
        """Show what goes on."""
        self._feedback.setProgressText(text)

    def warn(self, text: str) -> None:
        """Show what is to be known."""
        self._feedback.pushWarning(text)

    def advance(self, percent: float) -> None:
        """Show how much of a step is done."""
        self._feedback.setProgress(percent)

    def wants_stop(self) -> bool:
        """Tell whether somebody pressed Cancel."""
        return bool(self._feedback.isCanceled())


class _OwnStyle(QgsProcessingLayerPostProcessorInterface):
    """The style that geoseg wrote beside a layer, whatever QGIS gives to results."""

    @classmethod
    def given_away(cls) -> _OwnStyle:
        """Make one that QGIS owns, which deletes that of each layer by itself."""
        made = cls()
        sip.transferto(made, None)
        _ALIVE[:] = [*(each for each in _ALIVE if not sip.isdeleted(each)), made]
        return made

    def postProcessLayer(
        self,
        layer: QgsMapLayer,
        _context: QgsProcessingContext,
        _feedback: QgsProcessingFeedback,
    ) -> None:
        """Load it."""
        layer.loadDefaultStyle()


_ALIVE: list[_OwnStyle] = []
"""Those that QGIS has not deleted: Python would forget what they do."""


class GeosegAlgorithm(QgsProcessingAlgorithm):
    """A command: its options as parameters, and its products as results."""

    def __init__(self, command: Command, setting: Callable[[], str]) -> None:
        """Be this command.

        Args:
            command: What it takes.
            setting: Gives where the settings say that geoseg is.

        """
        super().__init__()
        self._command, self._setting = command, setting

    def createInstance(self) -> GeosegAlgorithm:
        """Give another one of its kind."""
        return GeosegAlgorithm(self._command, self._setting)

    def name(self) -> str:
        """Give the name behind ``geoseg:``."""
        return self._command.name

    def displayName(self) -> str:
        """Give the name in the toolbox."""
        return self._command.name.capitalize()

    def shortDescription(self) -> str:
        """Say in a line what it does."""
        return self._command.text

    def shortHelpString(self) -> str:
        """Say what it does."""
        return self._command.about

    def initAlgorithm(self, _configuration: Mapping[str, Any] | None = None) -> None:
        """Declare parameters and results."""
        for option in self._command.options:
            self.addParameter(parameter(option))
        if self._command.name in _MAPS:
            name = _MAPS[self._command.name]
            self.addOutput(QgsProcessingOutputRasterLayer(name, name.capitalize()))
            kind = QgsProcessing.TypeVectorPolygon
            self.addOutput(QgsProcessingOutputVectorLayer("POLYGONS", "Polygons", kind))
            self.addOutput(QgsProcessingOutputFile("PAGE", "Report for a browser"))

    def processAlgorithm(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Call geoseg, and give what it left."""
        chosen = Chosen(self, parameters, context, feedback)
        values = chosen.values(self._command.options)
        try:
            program = find_program(self._setting())
            command = [str(program), *self._command.written(values)]
            feedback.pushCommandInfo(shlex.join(command))
            told = run(command, own_environ(), _Watching(feedback))
        except (NotFoundError, FailedError) as error:
            raise QgsProcessingException(str(error)) from error
        except StoppedError as error:
            raise QgsProcessingException(f"geoseg {error}") from error
        self._load(context, told.get("products") or {}, values)
        return {**self._results(values), **self._products(told)}

    def _results(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give what was named to be written."""
        outputs = [o for o in self._command.options if o.kind.endswith(" out")]
        return {each.name: values[each.name] for each in outputs if values[each.name]}

    def _products(self, told: Mapping[str, Any]) -> dict[str, str]:
        """Give what a command with a map left in its folder."""
        products = told.get("products") or {}
        if self._command.name not in _MAPS:
            return {}
        found = {_MAPS[self._command.name]: _map_of(products)}
        found["POLYGONS"] = next(_polygons_of(products), None)
        found["PAGE"] = products.get("page")
        return {name: path for name, path in found.items() if path}

    def _load(
        self,
        context: QgsProcessingContext,
        products: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> None:
        """Have maps, polygons and tables loaded when the algorithm ends."""
        if context.project() is None:
            return
        kinds = {o.name: o.kind for o in self._command.options}
        tables = [v for n, v in values.items() if kinds.get(n) == "table out" and v]
        here = _map_of(products), next(_polygons_of(products), None)
        for path in filter(None, (*here, *tables)):
            name = Path(path).stem
            details = QgsProcessingContext.LayerDetails(name, context.project(), name)
            context.addLayerToLoadOnCompletion(path, details)
        for path in context.layersToLoadOnCompletion():
            details = context.layerToLoadOnCompletionDetails(path)
            details.setPostProcessor(_OwnStyle.given_away())


def _map_of(products: Mapping[str, str]) -> str | None:
    return next((products[name] for name in _RASTERS if name in products), None)


def _polygons_of(products: Mapping[str, str]) -> Iterator[str]:
    for suffix in _VECTORS:
        yield from (each for each in products.values() if each.endswith(suffix))
