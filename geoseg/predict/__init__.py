"""One device, one model or several: a batch of tiles in, class probabilities out.

* `compute` resolves device, precision and batch
* `normalise` takes a scene's own statistics for models that ask for them
* `loaded_model` is one network at work; `tta` are views of a tile for it
* `linear_head` takes the short way from pixels to the scores of a linear one
* `predictor` is what a run uses: one model or several; `probe` tries it before
* `features` are what a model knows of pixels before it names classes
* `stitch` adds up tile scores in integers, `layers` are what is kept of the sums;
  `fixed_point` has the loops of both for a CPU, `one_pass` those of what goes into a
  network and comes out of it
* `streams` are threads that send tiles through the model side by side
"""

from geoseg.predict.compute import DEVICES, PRECISIONS, Compute, resolve_compute
from geoseg.predict.loaded_model import LoadedModel
from geoseg.predict.predictor import TilePredictor
from geoseg.predict.probe import probe, try_streams
from geoseg.predict.tta import AUGMENTATIONS

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
