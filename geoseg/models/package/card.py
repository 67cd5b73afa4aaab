"""What a model package says of its model: bands, scaling, classes, tiles, training.

`mlm_read` and `mlm_write`, beside this module, keep it in ``mlm.json``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from geoseg.errors import GridError, ModelError, brief, fault_of_name
from geoseg.geo.embeddings import Embedding
from geoseg.geo.tiling import check_tile
from geoseg.models.package.inputs import InputBand, NamedInput, check_inputs
from geoseg.options import GSD_TOLERANCE, Activation, Normalise

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Self

    from geoseg.geo.legend import Legend
    from geoseg.models.package.reliability import Reliability

__all__ = ["Artifact", "Card", "InputBand", "Training", "check_card", "check_count"]

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
Precision = Literal["any", "float32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
SCENE_STATISTICS = "geoseg:scene-statistics"
"""The format of a band's scaling in the item where each scene's own pixels decide: the
extension's other forms want their figures there."""
PADDING = "reflect"
"""What a network sees beyond a scene's rectangle: the scene, mirrored."""
_ALL_PERCENT = 100
MOST_BANDS = 1024
"""Bands that a model may take: three times those of imaging spectrometers."""
MOST_CLASSES = 255
"""Classes that a map of bytes can have beside nodata."""
TWO = 2
"""The classes of a network that gives the probability of one of them."""


@dataclass(frozen=True, slots=True)
class Card:
    """What ``mlm.json`` says about a model."""

    name: str
    """The model's name, the item's id."""
    version: str
    """The version of the weights."""
    description: str
    """What the model is for, in a sentence or two."""
    architecture: str
    """The network's family and encoder."""
    parameters: int
    """The number of its parameters; 0 where it is not known."""
    pretrained_source: str
    """What its first weights had learned from; empty where nothing."""
    bands: tuple[InputBand, ...]
    """The bands it takes, in its order."""
    scale: float
    """What raw pixels are multiplied with."""
    dtype: str
    """The numpy dtype of raw pixels."""
    legend: Legend
    """The classes, by rising id."""
    tile: int
    """Side of a tile in pixels."""
    overlap: int
    """Pixels shared by neighbouring tiles."""
    stride: int
    """Tiles, and tiles less their overlap, are multiples of this."""
    gsd_m: float
    """Ground sample distance in metres."""
    gsd_tolerance: float = GSD_TOLERANCE
    """How far, as a share of it, a scene's may be from that."""
    offset: float = 0.0
    """What is added to raw pixels after they were multiplied."""
    normalise: Normalise = "training"
    """Whose statistics normalise pixels: those of the pixels trained on, which stand
    with the bands, or those of each ``scene`` itself."""
    percentiles: tuple[float, float] | None = None
    """Between which of a scene's percentiles a band is stretched to 0..1 and clipped,
    before the band's mean is taken off; None where the scene's mean and deviation do
    all of it, or the training's."""
    activation: Activation = "softmax"
    """What makes probabilities of the network's output: ``softmax`` over a channel a
    class, ``sigmoid`` of one channel that stands for the second of two classes,
    ``none`` where the output is probabilities already, of either kind, ``labels``
    where it is the channel of each pixel's class: how sure it is is not known then."""
    output_name: str = ""
    """Which output of an ONNX file is the scores; empty where the file says."""
    channels: tuple[int, ...] = ()
    """The output channel of each class; empty where they come in the legend's order."""
    license: str = "Apache-2.0"
    """The licence of the weights, as SPDX writes it, or ``other``."""
    attribution: str = ""
    """Whom the licence asks to name, and what to cite; empty where nobody said."""
    embedding: str = ""
    """Which learned features its bands are, as `geoseg.geo.embeddings.Embedding.id`
    writes it: ``alphaearth/1``; empty where they are something else."""
    source: str = ""
    """Where the weights came from, with their checksum there; empty if not known."""
    trained_on: str = ""
    """What the network was trained on, in words."""
    metrics: tuple[tuple[str, float], ...] = ()
    """How well it did on data it was not trained on: pairs of measure and value."""
    precision: Precision = "any"
    """What it is computed in where nobody says: ``float32`` where less would give
    other classes than its authors get, ``any`` for what is fast and safe here."""
    temperature: float = 1.0
    """What logits are divided by before the softmax, so that confidences are how often
    classes are right: Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern
    neural networks, ICML."""
    reliability: Reliability | None = None
    """How sure it was of ground that it had not seen; None where nobody measured."""
    inputs: tuple[NamedInput, ...] = ()
    """Its inputs where it takes several, whose bands `bands` are; empty where it takes
    one image, of which scale, offset and dtype are the card's."""

    @property
    def units(self) -> tuple[tuple[float, float], ...]:
        """For each band its scale and offset: the card's, or its input's."""
        if not self.inputs:
            return ((self.scale, self.offset),) * len(self.bands)
        return tuple(
            (each.scale, each.offset)
            for each in self.inputs
            for _ in range(len(each.slots) * len(each.bands))
        )

    def of_input(self, taken: NamedInput) -> Self:
        """Give what it would say if one of its inputs were all that its model takes."""
        return replace(
            self,
            inputs=(),
            bands=taken.bands,
            dtype=taken.dtype,
            scale=taken.scale,
            offset=taken.offset,
            gsd_m=taken.gsd_m,
        )

    @property
    def gives_scores(self) -> bool:
        """Whether how sure it is of a class is known."""
        return self.activation != "labels"

    @property
    def outputs(self) -> tuple[int, ...]:
        """How many channels the network may have."""
        classes = len(self.legend)
        if self.activation in {"softmax", "labels"}:
            return (classes,)
        if self.activation == "sigmoid":
            return (1,)
        return (1, classes) if classes == TWO else (classes,)


@dataclass(frozen=True, slots=True)
class Training:
    """What a model was trained on; it locates the item in space and time."""

    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees of WGS 84."""
    acquired: datetime
    """When the image was acquired, with a time zone."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The file that holds a network's weights."""

    file: str
    """Its name, in the package's folder."""
    sha256: str | None
    """What the checksum of its bytes must be; None where the item has none."""


def check_card(card: Card) -> None:
    """Refuse what no model can have.

    Raises:
        ModelError: Scaling or statistics that cannot be applied; tile, overlap and
            stride that do not fit together; an activation that does not go with the
            classes.

    """
    check_inputs(card.inputs, card.bands)
    _check_scaling(card)
    _check_statistics(card)
    _check_features(card)
    _check_lattice(card.tile, card.overlap, card.stride)
    for gsd_m in (card.gsd_m, *(each.gsd_m for each in card.inputs)):
        if not (0 < gsd_m < math.inf and 0 <= card.gsd_tolerance < 1):
            raise ModelError(
                f"the ground sample distance is {gsd_m} m with a tolerance of "
                f"{card.gsd_tolerance}; it must be above 0, the tolerance from 0 to "
                f"below 1"
            )
    if not 0 < card.temperature < math.inf:
        raise ModelError(f"its temperature is {card.temperature}, not above 0")
    if len(card.legend) < TWO:
        (only,) = card.legend
        raise ModelError(
            f"{only.name} is its only class, so that every pixel of a map would be "
            f"{only.name} with confidence 100; declare what is not, too, as the first "
            f"of two classes: a network of one channel has two classes by a sigmoid "
            f"(`classes='other'` `classes={only.name}` `activation='sigmoid'`)"
        )
    if card.activation == "sigmoid" and len(card.legend) != TWO:
        raise ModelError(
            f"a sigmoid of one channel is of two classes, not {len(card.legend)}"
        )
    if card.channels and sorted(card.channels) != list(range(len(card.legend))):
        raise ModelError(
            f"{len(card.legend)} classes cannot have the channels {card.channels}"
        )


def check_count(what: str, count: int, most: int) -> None:
    """Refuse more of something than any model has.

    Raises:
        ModelError: There is more.

    """
    if count > most:
        raise ModelError(f"it has {count:,} {what}; geoseg takes {most:,} at most")


def _check_units(units: set[tuple[float, float]]) -> None:
    for scale, offset in units:
        if not 0 < scale < math.inf:
            raise ModelError(f"its scale is {scale}, not above 0")
        if not math.isfinite(offset):
            raise ModelError(f"its offset is {offset}, which is no number")


def _check_scaling(card: Card) -> None:
    _check_units({(card.scale, card.offset), *card.units})
    for band in card.bands:
        fault = fault_of_name(band.name)
        if fault:
            raise ModelError(f"its band {brief(band.name)} has no usable name: {fault}")
        if not (math.isfinite(band.mean) and 0 < band.std < math.inf):
            raise ModelError(
                f"band {band.name} has mean {band.mean} and "
                f"standard deviation {band.std}, which must be above 0"
            )
        if band.clip is not None and not band.clip[0] < band.clip[1]:
            low, high = band.clip
            raise ModelError(
                f"raw pixels of band {band.name} are cut to between {low:g} and "
                f"{high:g}, which leaves one value"
            )
        if band.index is not None and band.index < 1:
            raise ModelError(
                f"band {band.name} has index {band.index}; bands are counted from 1"
            )


def _check_features(card: Card) -> None:
    """Refuse learned features that nobody knows."""
    try:
        Embedding.parse(card.embedding)
    except ValueError as error:
        raise ModelError(str(error)) from error


def _check_statistics(card: Card) -> None:
    """Refuse statistics of a scene beside others that would do the same."""
    if card.percentiles is not None:
        if card.normalise != "scene":
            raise ModelError(
                "percentiles are those of a scene, but pixels are to be normalised by "
                "the statistics of the training; leave out one of both"
            )
        low, high = card.percentiles
        if not 0 <= low < high <= _ALL_PERCENT:
            raise ModelError(
                f"the percentiles are {low:g} and {high:g}; they must rise, from 0 to "
                f"100"
            )
    elif card.normalise == "scene":
        named = [band.name for band in card.bands if (band.mean, band.std) != (0, 1)]
        if named:
            raise ModelError(
                f"band {named[0]} has a mean and a deviation of its own, but pixels "
                f"are to be normalised by those of each scene; leave out one of both"
            )


def _check_lattice(tile: int, overlap: int, stride: int) -> None:
    named = f"tile {tile}, overlap {overlap} and stride {stride} do not fit"
    if stride < 1:
        raise ModelError(f"{named}: a stride is at least 1")
    try:
        check_tile(tile, overlap, stride)
    except GridError as error:
        raise ModelError(f"{named}: {error}") from error
