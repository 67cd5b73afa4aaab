"""A map against a reference, and what its figures say of the whole ground.

* `confusion` counts classes: confusion matrix, IoU, F1, producer's and user's accuracy
* `boundary` counts boundary pixels: boundary F1
* `calibration` counts confidences: the expected calibration error
* `blocks` does all three block by block, inside `masks`; `points` and `at_points` do
  it where the reference is points
* `assessment` is what was found, `cautions` what to keep in mind, `products` the files,
  `confusion_plot` the picture
* `strata`, `sampling` and `sample_design` draw points to label, `carried_labels` keeps
  those of an earlier draw
* `stratified` is what a sample says of the whole map, `intervals` how sure that is
* `zonal` measures classes in zones, `zone_estimates` says what a sample says of them,
  `zone_table` writes it
* `transitions` is what became of what between two maps, `borders` the ground beside it
  as a stratum
"""

from geoseg.evaluate.confusion import Accuracy, compare, total

__all__ = ["Accuracy", "compare", "total"]
