"""What a user may ask for, as small frozen values: what stands here is written once.

The command line makes its flags of these fields, with their types, choices, ranges and
texts; Python takes them as keywords; `help()` shows the same texts. A new option is a
new field. The room stands on the ground and imports nothing heavy, so that showing
help and completing a line cost nothing.

* `declare` is how an option says what it is
* `imagery` is how a scene is read, `polygons` how they are drawn
* `mapping` is how a map is made: small values, and the whole that they compose
* `crf` is how pixels listen to each other
"""

from geoseg.options.crf import CrfOptions
from geoseg.options.declare import About, about, option
from geoseg.options.imagery import (
    Radiometry,
    Resampling,
    Rule,
    SceneOptions,
    Valid,
)
from geoseg.options.mapping import (
    NO_FORMAT,
    Augmentation,
    Blend,
    ComputeOptions,
    Device,
    ExecutionOptions,
    MaskOptions,
    ModelOptions,
    Precision,
    ProductOptions,
    SegmentOptions,
    TilingOptions,
)
from geoseg.options.polygons import PolygonOptions

__all__ = [
    "NO_FORMAT",
    "About",
    "Augmentation",
    "Blend",
    "ComputeOptions",
    "CrfOptions",
    "Device",
    "ExecutionOptions",
    "MaskOptions",
    "ModelOptions",
    "PolygonOptions",
    "Precision",
    "ProductOptions",
    "Radiometry",
    "Resampling",
    "Rule",
    "SceneOptions",
    "SegmentOptions",
    "TilingOptions",
    "Valid",
    "about",
    "option",
]
