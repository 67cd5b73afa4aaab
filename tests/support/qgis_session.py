"""Runs in QGIS's own Python: stops a run, carries it on and says what was loaded.

    python3 qgis_session.py FOLDER SCENE W,S,E,N

FOLDER holds the unpacked plugin. The area is a layer in memory, in degrees.
"""

import json
import sys
from pathlib import Path

FOLDER, SCENE = Path(sys.argv[1]), sys.argv[2]
sys.path[:0] = [str(FOLDER), "/usr/share/qgis/python/plugins", "/usr/share/qgis/python"]

from qgis.core import (  # noqa: E402  # after its path
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)

app = QgsApplication([], False)  # noqa: FBT003  # Qt's own: no window
app.initQgis()

import processing  # noqa: E402  # once there is a QGIS
from geoseg_processing.plugin import GeosegProvider  # noqa: E402  # the same
from processing.core.Processing import Processing  # noqa: E402  # the same


class Listener(QgsProcessingFeedback):
    """Keeps what is said to it."""

    def __init__(self):
        """Begin with nothing."""
        super().__init__(False)  # noqa: FBT003  # no log
        self.said = []

    def setProgressText(self, text):  # noqa: N802  # QGIS's name
        self.said.append(text)


def area():
    """Draw the area."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "area", "memory")
    west, south, east, north = map(float, sys.argv[3].split(","))
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(west, south, east, north)))
    layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    return layer


def stopped(parameters):
    """Stop a run after its first tiles; give what it says."""
    feedback = QgsProcessingFeedback(False)  # noqa: FBT003  # no log
    feedback.progressChanged.connect(lambda done: done and feedback.cancel())
    try:
        processing.run("geoseg:segment", parameters, feedback=feedback)
    except QgsProcessingException as error:
        return str(error)
    return "it was not stopped"


def look(layer):
    """Say what a layer shows."""
    drawn = layer.renderer()
    if hasattr(drawn, "classes"):
        return sorted([each.label, each.color.name()] for each in drawn.classes())
    shown = drawn.categories()
    return sorted([each.label(), each.symbol().color().name()] for each in shown)


Processing.initialize()
provider = GeosegProvider()
QgsApplication.processingRegistry().addProvider(provider)
parameters = {
    "SCENE": [SCENE],
    "AOI": area(),
    "OUTPUT": str(FOLDER / "map"),
    "FORMAT": ["gpkg"],
    "BLOCK": 1,
}
found = {"stopped": stopped(parameters)}
found["left"] = [each.name for each in (FOLDER / "map").iterdir()]
feedback = Listener()
ran = processing.runAndLoadResults("geoseg:segment", parameters, feedback=feedback)
found["said"] = feedback.said
tidy = {"CLASS_MAP": ran["LANDCOVER"], "MIN_AREA": "20px", "OUTPUT": "TEMPORARY_OUTPUT"}
tidied = processing.runAndLoadResults("geoseg:vectorize", tidy)
found["results"] = sorted(ran)
found["layers"] = {
    Path(each.source().partition("|")[0]).name: look(each)
    for each in QgsProject.instance().mapLayers().values()
    if each.name() != "area"
}
found["foreign"] = sorted({"geoseg", "torch"} & set(sys.modules))
print(json.dumps(found))  # noqa: T201  # to the test
