"""One device, one model or several: a batch of tiles in, class probabilities out.

``compute`` settles device and precision, ``symmetry`` turns and mirrors tiles,
``member`` is one network at work, ``tiles`` the predictor that a run uses, and
``probe`` tries it before.
"""

from geoseg.predict.compute import DEVICES, PRECISIONS, Compute, resolve_compute
from geoseg.predict.loaded_model import LoadedModel
from geoseg.predict.predictor import TilePredictor
from geoseg.predict.probe import probe, try_streams
from geoseg.predict.views import AUGMENTATIONS

__all__ = [
    "AUGMENTATIONS",
    "DEVICES",
    "PRECISIONS",
    "Compute",
    "LoadedModel",
    "TilePredictor",
    "probe",
    "resolve_compute",
    "try_streams",
]
