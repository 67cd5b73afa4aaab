"""What one has to say about bare weights to make a package of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from geoseg.options.declare import option

Activation = Literal["softmax", "sigmoid", "none", "labels"]
Normalise = Literal["training", "scene"]
GSD_TOLERANCE = 0.25
"""How far a scene's ground sample distance may be from a model's, as a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
    """What weights alone do not say."""

    HEADING: ClassVar[str] = "The model"

    name: str = option("", "The model's name.", otherwise="the folder's")
    bands: tuple[str, ...] = option(
        (),
        "Bands in the network's order: B02, B02=blue, or #3 for a scene's third.",
        otherwise="what a checkpoint says",
        metavar="NAME,NAME",
    )
    inputs: Path | None = option(
        None,
        "JSON of the inputs of a network that takes several: bands, gsd, scale, dates "
        "and so on of each, instead of `bands`.",
        otherwise="it takes one image",
        holds="path",
    )
    classes: tuple[str, ...] = option(
        (),
        "A class for each output channel, in their order; values count from 0 where "
        "they are not given; repeatable.",
        otherwise="what a checkpoint says",
        flag="class",
        repeats=True,
        metavar="NAME[:VALUE[:#RRGGBB]]",
    )
    gsd_m: float = option(0.0, "Metres a pixel.", otherwise="to be said", flag="gsd")
    gsd_tolerance: float = option(
        GSD_TOLERANCE, "How far a scene's pixels may be from that, as a share of it."
    )
    architecture: str | None = option(
        None,
        "Such as Unet; see geoseg models architectures.",
        otherwise="what config, checkpoint or tensors say",
    )
    encoder: str | None = option(None, "Such as resnet18.")
    config: Path | None = option(
        None,
        "The network's config.json.",
        otherwise="that beside the weights",
        holds="path",
    )
    mean: tuple[float, ...] = option(
        (), "Of scaled pixels, one or each band's.", otherwise="0", metavar="NUMBER,..."
    )
    std: tuple[float, ...] = option(
        (),
        "Their standard deviation, one or each band's.",
        otherwise="1",
        metavar="NUMBER,...",
    )
    normalise: Normalise = option(
        "training", "By `mean` and `std`, or by each scene's own statistics."
    )
    percentiles: tuple[float, float] | None = option(
        None,
        "With `normalise=scene`: stretch each band between these to 0..1, and clip, "
        "before its mean is taken off.",
        metavar="LOW HIGH",
    )
    scale: float = option(1.0, "What raw pixels are multiplied with.")
    offset: float = option(0.0, "What is added to them after that.")
    dtype: str = option("uint16", "Of raw pixels.")
    value_range: tuple[float, float] | None = option(
        None, "The least and the greatest raw pixel trained on.", metavar="LOW HIGH"
    )
    tile: int = option(256, "Tile side in pixels.")
    overlap: int | None = option(
        None,
        "Pixels shared by adjacent tiles.",
        otherwise="about a quarter of a tile",
    )
    stride: int | None = option(
        None,
        "What tiles are multiples of.",
        otherwise="the network's; 32 for ONNX",
    )
    activation: Activation | None = option(
        None,
        "What makes probabilities of the output.",
        otherwise="what a trial shows",
    )
    output_name: str = option("", "The ONNX output that is the scores, of several.")
    prefix: str | None = option(None, "Which weights of several in a file: model_ema.")
    version: str = option("1", "Of the weights.")
    description: str = option("A model for land cover.", "What the model is for.")
    license: str = option("other", "Of the weights, as SPDX writes it.")
    attribution: str = option("", "Whom the licence asks to name.")
    source: str = option("", "Where the weights came from.", flag="from")
    trained_on: str = option("", "What it was trained on, in words.")
    metrics: tuple[tuple[str, float], ...] = option(
        (),
        "How well it did on what it was not trained on; repeatable.",
        flag="metric",
        repeats=True,
        metavar="NAME=VALUE",
    )
