"""A map against a reference, and what its figures say of the whole ground.

* `confusion` counts classes: confusion matrix, IoU, F1, producer's and user's accuracy
* `boundary` counts boundary pixels: boundary F1
* `calibration` counts confidences: the expected calibration error
* `blocks` does all three, block by block of a map of any size
* `points` does it where the reference is points
"""

from geoseg.evaluate.confusion import Accuracy, compare, total

__all__ = ["Accuracy", "compare", "total"]
