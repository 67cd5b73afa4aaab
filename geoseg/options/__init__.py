"""What a user may ask for, as small frozen values: what stands here is written once.

The command line makes its flags of these fields, with their types, choices, ranges and
texts; Python takes them as keywords; `help()` shows the same texts. A new option is a
new field. The room stands on the ground and imports nothing heavy, so that showing
help and completing a line cost nothing.

* `declare` is how an option says what it is; `arguments` refuses, for public functions,
  what is of another type
* `imagery` is how a scene is read, `polygons` how they are drawn
* `mapping` is how a map is made: small values, and the whole that they compose
* `maps` is what is asked of maps that are there, `verify` of a comparison with tiles
* `package` is what has to be said of bare weights, `export` of a model that leaves
* `keywords` are what public functions take beside their options
* `suggest` is how places to label are chosen
* `crf` is how pixels listen to each other
* `composite` is how one image is made of many dates, `search` what a catalogue is
  asked for
"""

from geoseg.options.composite import CompositeOptions
from geoseg.options.crf import CrfOptions
from geoseg.options.declare import About, about, as_in, default_of, option
from geoseg.options.export import ExportOptions
from geoseg.options.imagery import (
    Composite,
    GridOptions,
    Numbers,
    Radiometry,
    Resampling,
    Rule,
    SceneOptions,
    Signer,
    Valid,
    counted_up,
)
from geoseg.options.keywords import (
    ArchitecturesKeywords,
    AreasKeywords,
    ChangeKeywords,
    EvaluateKeywords,
    InfoKeywords,
    InspectKeywords,
    LiveKeywords,
    PlanKeywords,
    PushKeywords,
    RelabelKeywords,
    SampleKeywords,
    SearchKeywords,
    VectorizeKeywords,
    VerifyKeywords,
    ViewKeywords,
)
from geoseg.options.mapping import (
    NO_FORMAT,
    Augmentation,
    Blend,
    Certificates,
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
from geoseg.options.maps import (
    Allocation,
    BlockwiseOptions,
    ChangeOptions,
    EvaluateOptions,
    RelabelOptions,
    SampleOptions,
)
from geoseg.options.package import GSD_TOLERANCE, Activation, NewPackage, Normalise
from geoseg.options.polygons import PolygonOptions
from geoseg.options.search import SearchOptions
from geoseg.options.suggest import SuggestOptions
from geoseg.options.verify import VerifyOptions

__all__ = [
    "GSD_TOLERANCE",
    "NO_FORMAT",
    "About",
    "Activation",
    "Allocation",
    "ArchitecturesKeywords",
    "AreasKeywords",
    "Augmentation",
    "Blend",
    "BlockwiseOptions",
    "Certificates",
    "ChangeKeywords",
    "ChangeOptions",
    "Composite",
    "CompositeOptions",
    "ComputeOptions",
    "CrfOptions",
    "Device",
    "EvaluateKeywords",
    "EvaluateOptions",
    "ExecutionOptions",
    "ExportOptions",
    "GridOptions",
    "InfoKeywords",
    "InspectKeywords",
    "LiveKeywords",
    "MaskOptions",
    "ModelOptions",
    "NewPackage",
    "Normalise",
    "Numbers",
    "PlanKeywords",
    "PolygonOptions",
    "Precision",
    "ProductOptions",
    "PushKeywords",
    "Radiometry",
    "RelabelKeywords",
    "RelabelOptions",
    "Resampling",
    "Rule",
    "SampleKeywords",
    "SampleOptions",
    "SceneOptions",
    "SearchKeywords",
    "SearchOptions",
    "SegmentOptions",
    "Signer",
    "SuggestOptions",
    "TilingOptions",
    "Valid",
    "VectorizeKeywords",
    "VerifyKeywords",
    "VerifyOptions",
    "ViewKeywords",
    "about",
    "as_in",
    "counted_up",
    "default_of",
    "option",
]
