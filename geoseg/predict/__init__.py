"""One device, one model or several: a batch of tiles in, class probabilities out.

``compute`` settles device and precision, ``symmetry`` turns and mirrors tiles,
``member`` is one network at work, ``tiles`` the predictor that a run uses, and
``probe`` tries it before.
"""

from geoseg.predict.compute import (
    DEVICES,
    PRECISIONS,
    Compute,
    Device,
    Precision,
    resolve_compute,
)
from geoseg.predict.member import Member
from geoseg.predict.probe import probe, try_lanes
from geoseg.predict.symmetry import AUGMENTATIONS, Augmentation
from geoseg.predict.tiles import TilePredictor

__all__ = [
    "AUGMENTATIONS",
    "DEVICES",
    "PRECISIONS",
    "Augmentation",
    "Compute",
    "Device",
    "Member",
    "Precision",
    "TilePredictor",
    "probe",
    "resolve_compute",
    "try_lanes",
]
