"""A model's metadata as a STAC item with the Machine Learning Model extension.

The extension has no word for a tile's overlap and the stride it must obey, nor for
the scale of the pixels apart from their statistics; these are kept in properties that
begin with ``geoseg:``. Means and deviations stand in the item in units of the raw
pixels, as the extension asks, and are given scaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pystac
from pystac.extensions.classification import Classification
from pystac.extensions.mlm import (
    InputStructure,
    MLMExtension,
    ModelInput,
    ModelOutput,
    ResultStructure,
    TaskType,
    ValueScaling,
    ValueScalingType,
)
from pystac.extensions.raster import DataType

from geoseg.classes import LandClass, Legend
from geoseg.errors import InputError, ModelError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_EO = "https://stac-extensions.github.io/eo/v2.0.0/schema.json"
_RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"
_VERSION = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
_CLASSES = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
_DAMAGE = (
    # What pystac raises on an item that is not what it should be has no one parent.
    pystac.STACError,
    pystac.STACTypeError,
    pystac.RequiredPropertyMissing,
    pystac.ExtensionNotImplemented,
    pystac.ExtensionTypeError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
)


@dataclass(frozen=True, slots=True)
class InputBand:
    """A band that a network takes."""

    name: str
    """The sensor's name for it, such as ``B02``."""
    common_name: str
    """The name that sensors share, such as ``blue``."""
    mean: float
    """Mean of the scaled pixels that the network was trained on."""
    std: float
    """Standard deviation of those pixels, above zero."""


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
    """The number of its parameters."""
    pretrained_source: str
    """What its first weights had learned from."""
    bands: tuple[InputBand, ...]
    """The bands it takes, in its order."""
    scale: float
    """What raw pixels are multiplied with."""
    dtype: str
    """The numpy dtype of raw pixels."""
    legend: Legend
    """The classes, in the order of its output channels."""
    tile: int
    """Side of a tile in pixels."""
    overlap: int
    """Pixels shared by neighbouring tiles."""
    stride: int
    """Tiles, and tiles less their overlap, are multiples of this."""
    gsd_m: float
    """Ground sample distance in metres."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a model was trained on; it places the item in space and time."""

    bounds: tuple[float, float, float, float]
    """West, south, east, north in degrees of WGS 84."""
    acquired: datetime
    """When the image was taken, with a time zone."""


def read_card(content: dict[str, Any], path: Path) -> Card:
    """Read a model's metadata from the content of ``mlm.json``.

    Args:
        content: The file as parsed JSON.
        path: Where it came from, for messages.

    Raises:
        ModelError: It is not a STAC item with the extension, something needed is
            missing, or bands, classes and shapes in it disagree.

    """
    try:
        card, shapes = _parse(content)
    except _DAMAGE as error:
        raise ModelError(
            f"{path} is damaged: it is no STAC item with the mlm extension that "
            f"geoseg can use ({type(error).__name__}: {error})"
        ) from error
    except (InputError, ValueError, OverflowError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    _check(card, *shapes, path)
    return card


def _parse(content: dict[str, Any]) -> tuple[Card, tuple[list[int], list[int]]]:
    item = pystac.Item.from_dict(content, migrate=False)
    extension = MLMExtension.ext(item)
    (taken,), (given,) = extension.input, extension.output
    bands, scale, dtype = _bands(item, taken)
    own = item.properties
    card = Card(
        name=item.id,
        version=str(own["version"]),
        description=str(own["description"]),
        architecture=extension.architecture,
        parameters=int(extension.total_parameters or 0),
        pretrained_source=str(extension.pretrained_source),
        bands=bands,
        scale=scale,
        dtype=dtype,
        legend=Legend(tuple(_land_class(c) for c in given.classes or ())),
        tile=_whole("the input's side", taken.input.shape[-1]),
        overlap=_whole("geoseg:overlap", own["geoseg:overlap"]),
        stride=_whole("geoseg:stride", own["geoseg:stride"]),
        gsd_m=float(own["gsd"]),
    )
    return card, (taken.input.shape, given.result.shape)


def _bands(
    item: pystac.Item, taken: ModelInput
) -> tuple[tuple[InputBand, ...], float, str]:
    scale = float(item.properties["geoseg:scale"])
    listed = item.assets["model"].extra_fields["bands"]
    _check_once("the asset's bands", [str(band["name"]) for band in listed])
    described = {str(band["name"]): band for band in listed}
    scalings = taken.properties["value_scaling"]
    names = [str(name) for name in taken.properties["bands"]]
    _check_once("the input's bands", names)
    bands = tuple(
        InputBand(
            name=name,
            common_name=str(described[name]["eo:common_name"]),
            mean=float(scaling["mean"]) * scale,
            std=float(scaling["stddev"]) * scale,
        )
        for name, scaling in zip(names, scalings, strict=True)
    )
    (dtype,) = {str(described[name]["data_type"]) for name in names}
    return bands, scale, dtype


def _land_class(entry: Classification) -> LandClass:
    return LandClass(entry.value, str(entry.name), f"#{entry.color_hint}".lower())


def _check_once(where: str, names: list[str]) -> None:
    """Refuse two bands of one name: one would get the other's statistics."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where} have {', '.join(twice)} more than once")


def _whole(what: str, value: object) -> int:
    """Take a whole number; neither true, which Python counts as 1, nor 32.5."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} must be a whole number, got {value!r}")  # noqa: TRY004  # what a file says is a value
    return value


def _check(card: Card, taken: list[int], given: list[int], path: Path) -> None:
    """Hold the shapes the item gives against the bands and classes it lists."""
    if list(taken[1:]) != [len(card.bands), card.tile, card.tile]:
        raise ModelError(
            f"{path} is damaged: it lists {len(card.bands)} bands, "
            f"but its input has shape {taken}"
        )
    if list(given[1:]) != [len(card.legend), card.tile, card.tile]:
        raise ModelError(
            f"{path} is damaged: it lists {len(card.legend)} classes, "
            f"but its output has shape {given}"
        )
    if not 0 < card.scale < math.inf:
        raise ModelError(f"{path} is damaged: its scale is {card.scale}, not above 0")
    for band in card.bands:
        if not (math.isfinite(band.mean) and 0 < band.std < math.inf):
            raise ModelError(
                f"{path} is damaged: band {band.name} has mean {band.mean} and "
                f"standard deviation {band.std}, which must be above 0"
            )


def write_card(card: Card, training: Training) -> dict[str, Any]:
    """Write a model's metadata as a STAC item, ready to be stored as JSON.

    `read_card` of the result gives the card again.
    """
    west, south, east, north = training.bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = pystac.Item(
        id=card.name,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=training.acquired,
        properties={
            "description": card.description,
            "version": card.version,
            "gsd": card.gsd_m,
            "license": "Apache-2.0",
            "geoseg:scale": card.scale,
            "geoseg:overlap": card.overlap,
            "geoseg:stride": card.stride,
        },
        stac_extensions=[_EO, _RASTER, _VERSION, _CLASSES],
    )
    MLMExtension.ext(item, add_if_missing=True).apply(
        name=card.name,
        architecture=card.architecture,
        tasks=[TaskType.SEMANTIC_SEGMENTATION],
        framework="PyTorch",
        total_parameters=card.parameters,
        pretrained=True,
        pretrained_source=card.pretrained_source,
        input=[_input(card)],
        output=[_output(card)],
    )
    item.add_asset("model", _asset(card))
    return item.to_dict(include_self_link=False, transform_hrefs=False)


def _input(card: Card) -> ModelInput:
    taken = ModelInput.create(
        name="scene",
        description="Raw pixels; the z-score normalises them.",
        bands=[band.name for band in card.bands],
        input=InputStructure.create(
            shape=[-1, len(card.bands), card.tile, card.tile],
            dim_order=["batch", "bands", "height", "width"],
            data_type=DataType.FLOAT32,
        ),
    )
    # The extension has one scaling a band; pystac's class holds a single one.
    taken.properties["value_scaling"] = [
        ValueScaling.create(
            ValueScalingType.Z_SCORE,
            mean=round(band.mean / card.scale, 6),
            stddev=round(band.std / card.scale, 6),
        ).to_dict()
        for band in card.bands
    ]
    return taken


def _output(card: Card) -> ModelOutput:
    return ModelOutput.create(
        name="land cover",
        description="Logits of the classes, before the softmax.",
        tasks=[TaskType.SEMANTIC_SEGMENTATION],
        result=ResultStructure.create(
            shape=[-1, len(card.legend), card.tile, card.tile],
            dim_order=["batch", "class", "height", "width"],
            data_type=DataType.FLOAT32,
        ),
        classes=[
            Classification.create(
                value=each.id, name=each.name, color_hint=each.colour[1:].upper()
            )
            for each in card.legend
        ],
    )


def _asset(card: Card) -> pystac.Asset:
    return pystac.Asset(
        href="./model.safetensors",
        media_type="application/vnd.safetensors",
        roles=["mlm:model", "mlm:weights"],
        extra_fields={
            "mlm:artifact_type": "safetensors.torch.save_file",
            "bands": [
                {
                    "name": band.name,
                    "eo:common_name": band.common_name,
                    "data_type": card.dtype,
                }
                for band in card.bands
            ],
            # The same in the words of STAC 1.0: the extension's schema looks for bands
            # here, or in the item's properties, where STAC 1.1 has none.
            "raster:bands": [
                {"name": band.name, "data_type": card.dtype, "scale": card.scale}
                for band in card.bands
            ],
        },
    )
