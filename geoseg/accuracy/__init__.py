"""From a map and a reference on disk to figures, and from a map to points to label.

* `evaluate` measures a map against a reference
* `at_points` does that where the reference is points, or a sample
* `assessment` is what it finds, and how that is written as JSON
* `cautions` are the sentences that figures need beside them
* `write` leaves figures and a picture in a folder
* `where` is in which part of a map it is measured
* `sample` draws points, class by class, for somebody to label
* `strata` are within what it draws: the map's classes, or another raster's values
* `carry` keeps the labels of an earlier draw
* `design` remembers in which class of the map each point was drawn
* `workers` says who reads the blocks
"""

from geoseg.accuracy.assess import EvaluateOptions, evaluate
from geoseg.accuracy.assessment import Assessment
from geoseg.accuracy.sample import SampleOptions, Stratum, sample_points

__all__ = [
    "Assessment",
    "EvaluateOptions",
    "SampleOptions",
    "Stratum",
    "evaluate",
    "sample_points",
]
