"""What a command takes as parameters of QGIS, and what was chosen as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
    QgsVectorLayer,
)

from .commands import EXTENT_CRS, Option, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qgis.core import (
        QgsMapLayer,
        QgsProcessingAlgorithm,
        QgsProcessingContext,
        QgsProcessingFeedback,
    )

_READ = ("gpkg", "geojson", "fgb", "shp", "parquet")
"""Vector formats that geoseg reads; layers of others are saved as the first."""
_ANY_PLACE = "EPSG:4326"
_TABLES = "CSV (*.csv);;GeoPackage (*.gpkg);;Parquet (*.parquet)"
_POLYGON = QgsProcessing.TypeVectorPolygon


def parameter(option: Option) -> QgsProcessingParameterDefinition:
    """Make the parameter of an option."""
    made: QgsProcessingParameterDefinition = _MAKE[option.kind](option)
    if not option.required:
        made.setFlags(made.flags() | QgsProcessingParameterDefinition.FlagOptional)
    if not option.basic:
        made.setFlags(made.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
    made.setHelp(option.text)
    return made


def _number(option: Option) -> QgsProcessingParameterNumber:
    kind = QgsProcessingParameterNumber
    made = kind(
        option.name,
        option.label,
        kind.Integer if option.kind == "integer" else kind.Double,
        option.default,
        optional=True,
    )
    if option.least is not None:
        made.setMinimum(option.least)
    if option.most is not None:
        made.setMaximum(option.most)
    return made


def _choice(option: Option) -> QgsProcessingParameterEnum:
    return QgsProcessingParameterEnum(
        option.name,
        option.label,
        options=list(option.choices),
        allowMultiple=option.kind == "choices",
        defaultValue=option.default,
        usesStaticStrings=True,
    )


def _text(option: Option) -> QgsProcessingParameterString:
    several = option.kind == "texts"
    default = "\n".join(option.default or ()) if several else option.default
    return QgsProcessingParameterString(
        option.name, option.label, default, multiLine=several
    )


def _field(option: Option) -> QgsProcessingParameterField:
    return QgsProcessingParameterField(
        option.name, option.label, parentLayerParameterName=option.parent
    )


def _file_out(filters: str) -> Callable[[Option], Any]:
    def make(option: Option) -> QgsProcessingParameterFileDestination:
        return QgsProcessingParameterFileDestination(
            option.name,
            option.label,
            filters,
            optional=not option.required,
            createByDefault=option.basic,
        )

    return make


def _out(kind: type) -> Callable[[Option], Any]:
    """Make a place where something is written, by default where it is asked for."""

    def make(option: Option) -> QgsProcessingParameterDefinition:
        made = kind(option.name, option.label)
        made.setCreateByDefault(option.basic)
        return made

    return make


_MAKE: dict[str, Callable[[Option], Any]] = {
    "flag": lambda o: QgsProcessingParameterBoolean(o.name, o.label, bool(o.default)),
    "integer": _number,
    "number": _number,
    "choice": _choice,
    "choices": _choice,
    "text": _text,
    "texts": _text,
    "field": _field,
    "file": lambda o: QgsProcessingParameterFile(o.name, o.label),
    "raster": lambda o: QgsProcessingParameterRasterLayer(o.name, o.label),
    "rasters": lambda o: QgsProcessingParameterMultipleLayers(
        o.name, o.label, QgsProcessing.TypeRaster
    ),
    "polygons": lambda o: QgsProcessingParameterVectorLayer(
        o.name, o.label, [_POLYGON]
    ),
    "layer": lambda o: QgsProcessingParameterMapLayer(o.name, o.label),
    "extent": lambda o: QgsProcessingParameterExtent(o.name, o.label),
    "folder out": _out(QgsProcessingParameterFolderDestination),
    "vector out": _out(QgsProcessingParameterVectorDestination),
    "raster out": _out(QgsProcessingParameterRasterDestination),
    "table out": _file_out(_TABLES),
    "items out": _file_out("STAC items (*.json)"),
    "picture out": _file_out("PNG (*.png)"),
}
"""The parameter of each kind of option."""


class Chosen:
    """What was chosen, read as plain values."""

    def __init__(
        self,
        algorithm: QgsProcessingAlgorithm,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        """Keep what QGIS hands to an algorithm."""
        self._of, self._given = algorithm, parameters
        self._context, self._feedback = context, feedback

    def values(self, options: Sequence[Option]) -> dict[str, Value]:
        """Read all, by the options' names.

        Raises:
            QgsProcessingException: A layer is not in a file.

        """
        found = {option.name: self._value(option) for option in options}
        crs = [self._crs(each) for each in options if each.kind == "extent"]
        return {**found, EXTENT_CRS: next(filter(None, crs), None)}

    def _value(self, option: Option) -> Value:
        if self._given.get(option.name) in (None, ""):
            return option.default
        return self._readers()[option.kind](option.name)

    def _readers(self) -> dict[str, Callable[[str], Value]]:
        """Give how each kind of option is read."""
        given, context, of = self._given, self._context, self._of
        out = lambda name: of.parameterAsFileOutput(given, name, context)  # noqa: E731
        layer = lambda name: of.parameterAsOutputLayer(given, name, context)  # noqa: E731
        text = lambda name: of.parameterAsString(given, name, context)  # noqa: E731
        return {
            "flag": lambda name: of.parameterAsBool(given, name, context),
            "integer": lambda name: of.parameterAsInt(given, name, context),
            "number": lambda name: of.parameterAsDouble(given, name, context),
            "choice": lambda name: of.parameterAsEnumString(given, name, context),
            "choices": lambda name: of.parameterAsEnumStrings(given, name, context),
            "text": text,
            "field": text,
            "file": text,
            "texts": lambda name: [
                each.strip() for each in text(name).splitlines() if each.strip()
            ],
            "raster": self._layer,
            "polygons": self._layer,
            "layer": self._layer,
            "rasters": lambda name: [
                _file_of(each) for each in of.parameterAsLayerList(given, name, context)
            ],
            "extent": self._extent,
            "folder out": out,
            "table out": out,
            "items out": out,
            "picture out": out,
            "vector out": layer,
            "raster out": layer,
        }

    def _layer(self, name: str) -> str:
        """Give the file of a layer.

        A vector layer of a format that geoseg does not read is saved first.
        """
        layer = self._of.parameterAsLayer(self._given, name, self._context)
        if layer is None:
            raise QgsProcessingException(f"{self._given[name]} cannot be opened")
        if not isinstance(layer, QgsVectorLayer):
            return _file_of(layer)
        read = self._of.parameterAsCompatibleSourceLayerPathAndLayerName
        path, inside = read(
            self._given, name, self._context, _READ, _READ[0], self._feedback
        )
        return f"{path}|layer={inside}" if inside else path

    def _extent(self, name: str) -> str:
        """Write an extent in its own CRS, or in degrees where that has no name."""
        crs = self._extent_crs(name)
        box = self._of.parameterAsExtent(self._given, name, self._context, crs)
        sides = box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()
        return ",".join(repr(each) for each in sides)

    def _extent_crs(self, name: str) -> QgsCoordinateReferenceSystem:
        crs = self._of.parameterAsExtentCrs(self._given, name, self._context)
        return crs if crs.authid() else QgsCoordinateReferenceSystem(_ANY_PLACE)

    def _crs(self, option: Option) -> str | None:
        given = self._given.get(option.name) not in (None, "")
        return self._extent_crs(option.name).authid() if given else None


def _file_of(layer: QgsMapLayer) -> str:
    """Give the file, or the address, that a raster layer is read from."""
    provider = layer.dataProvider()
    if provider is None or provider.name() not in ("gdal", "ogr"):
        raise QgsProcessingException(
            f"{layer.name()} is not in a file, which geoseg needs; save it as a GeoTIFF"
        )
    return layer.source()
