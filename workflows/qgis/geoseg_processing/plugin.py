"""The plugin: a provider of algorithms, and where geoseg is as its setting."""

from __future__ import annotations

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication, QgsProcessingProvider

from .algorithm import GeosegAlgorithm
from .commands import load

_SETTING = "GEOSEG_PROGRAM"


def _program() -> str:
    return ProcessingConfig.getSetting(_SETTING) or ""


class GeosegProvider(QgsProcessingProvider):
    """geoseg's commands in the toolbox."""

    def id(self) -> str:
        """Give what algorithms' names begin with."""
        return "geoseg"

    def name(self) -> str:
        """Give the name in the toolbox."""
        return "geoseg"

    def longName(self) -> str:
        """Say what it is."""
        return "geoseg: land-cover maps of large images"

    def load(self) -> bool:
        """Add the setting, and the algorithms."""
        told = "geoseg's program, or the folder of its environment (empty: look for it)"
        ProcessingConfig.settingIcons["geoseg"] = self.icon()
        ProcessingConfig.addSetting(Setting("geoseg", _SETTING, told, ""))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Take the setting away."""
        ProcessingConfig.removeSetting(_SETTING)

    def loadAlgorithms(self) -> None:
        """Add an algorithm for each command."""
        for command in load():
            self.addAlgorithm(GeosegAlgorithm(command, _program))

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        """List what polygons are written as; the first is what QGIS asks for."""
        return ["gpkg", "geojson", "fgb", "shp", "parquet", "pmtiles"]

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """List what rasters are written as."""
        return ["tif"]

    def supportsNonFileBasedOutput(self) -> bool:
        """Tell that geoseg writes files."""
        return False


class GeosegPlugin:
    """What QGIS starts and ends."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._provider: GeosegProvider | None = None

    def initProcessing(self) -> None:
        """Add the provider: all that there is without a window."""
        self._provider = GeosegProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Do the same in QGIS itself."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away."""
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
