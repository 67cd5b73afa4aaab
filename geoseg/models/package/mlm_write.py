"""A model's metadata written as a STAC item with the Machine Learning Model extension.

The extension has no word for a tile's overlap and the stride it must obey, for the
activation, or for the scale of the pixels apart from their statistics; these are kept
in properties that begin with ``geoseg:``. Means and deviations stand in the item in
units of the raw pixels, as the extension asks, and are given scaled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pystac
from pystac.extensions.classification import Classification
from pystac.extensions.mlm import (
    InputStructure,
    MLMExtension,
    ModelInput,
    ModelOutput,
    ProcessingExpression,
    ResultStructure,
    TaskType,
    ValueScaling,
    ValueScalingType,
)
from pystac.extensions.raster import DataType

from geoseg.geo.stac import ALWAYS
from geoseg.models.package.card import PADDING, SCENE_STATISTICS, check_card
from geoseg.models.package.inputs import input_properties
from geoseg.models.package.naming import check_name, plain_name
from geoseg.models.package.reliability import CALIBRATION, post_processing

if TYPE_CHECKING:
    from geoseg.models.package.card import Artifact, Card, InputBand, Training
    from geoseg.models.package.inputs import NamedInput

_EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/version/v1.2.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
]
_KINDS = {
    ".safetensors": (
        "PyTorch",
        "application/vnd.safetensors",
        "safetensors.torch.save_file",
    ),
    ".onnx": ("ONNX", "application/octet-stream; application=onnx", "onnx"),
}
"""For each suffix of weights the framework, the media type and the artifact's type."""
_IMAGES = 4
"""Dimensions of a batch of images, without time."""
_SHA256 = "1220"
"""What begins a multihash of SHA-256: its code, and its length of 32 bytes."""
_NORMALISED = {
    "training": "Raw pixels; the z-score normalises them.",
    "scene": "Raw pixels, normalised by the statistics of the scene that they are of.",
}
_ACTIVATED = {
    "softmax": "Scores of the classes, before the softmax.",
    "sigmoid": "The score of the second class, before the sigmoid.",
    "none": "Probabilities.",
    "labels": "The channel of each pixel's class, as 1 in that and 0 in others.",
}


def write_card(
    card: Card, training: Training | None, artifact: Artifact
) -> dict[str, Any]:
    """Write a model's metadata as a STAC item, ready to be stored as JSON.

    `read_card` in `mlm_read` gives card and artifact of the result again.

    Args:
        card: What there is to say.
        training: Where and when it was trained; the whole world at any time if None.
        artifact: The file with the weights.

    Raises:
        ModelError: The card says what no model can have.

    """
    check_card(card)
    check_name(card.name)
    framework = _KINDS[_suffix(artifact)][0]
    item = _item(card, training)
    MLMExtension.ext(item, add_if_missing=True).apply(
        name=plain_name(card.name),
        architecture=card.architecture,
        tasks=[TaskType.SEMANTIC_SEGMENTATION],
        framework=framework,
        total_parameters=card.parameters or None,
        pretrained=bool(card.pretrained_source),
        pretrained_source=card.pretrained_source or None,
        input=_inputs(card),
        output=[_output(card)],
    )
    item.add_asset("model", _asset(card, artifact))
    return item.to_dict(include_self_link=False, transform_hrefs=False)


def _item(card: Card, training: Training | None) -> pystac.Item:
    west, south, east, north = training.bounds if training else (-180, -90, 180, 90)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return pystac.Item(
        id=card.name,
        geometry={"type": "Polygon", "coordinates": [ring]},
        bbox=[west, south, east, north],
        datetime=training.acquired if training else None,
        properties={
            "description": card.description,
            "version": card.version,
            "gsd": card.gsd_m,
            "license": card.license,
            "geoseg:gsd_tolerance": card.gsd_tolerance,
            "geoseg:scale": card.scale,
            "geoseg:offset": card.offset,
            "geoseg:overlap": card.overlap,
            "geoseg:stride": card.stride,
            "geoseg:padding": PADDING,
            "geoseg:activation": card.activation,
            **({"geoseg:output": card.output_name} if card.output_name else {}),
            **({"geoseg:embedding": card.embedding} if card.embedding else {}),
            "geoseg:trained_on": card.trained_on,
            **_provenance(card),
            **({} if card.precision == "any" else {"geoseg:precision": card.precision}),
            "geoseg:metrics": dict(card.metrics),
            **({CALIBRATION: card.reliability.to_item()} if card.reliability else {}),
            **({} if training else ALWAYS),
        },
        stac_extensions=list(_EXTENSIONS),
    )


def _provenance(card: Card) -> dict[str, str]:
    properties = {"geoseg:attribution": card.attribution, "geoseg:source": card.source}
    return {name: text for name, text in properties.items() if text}


def _inputs(card: Card) -> list[ModelInput]:
    """Write the one image that a model takes, or each of its inputs."""
    if not card.inputs:
        shape = [-1, len(card.bands), card.tile, card.tile]
        return [_input("scene", card, [band.name for band in card.bands], shape)]
    found = []
    for each in card.inputs:
        names = [f"{each.name}:{band.name}" for band in each.bands]
        dates = [len(each.dates)] if each.dates else []
        shape = [-1, *dates, len(names), card.tile, card.tile]
        taken = _input(each.name, card.of_input(each), names, shape)
        taken.properties |= input_properties(each)
        found.append(taken)
    return found


def _input(name: str, card: Card, bands: list[str], shape: list[int]) -> ModelInput:
    taken = ModelInput.create(
        name=name,
        description=_NORMALISED[card.normalise],
        bands=bands,
        input=InputStructure.create(
            shape=shape,
            dim_order=[
                "batch",
                *(["time"] if len(shape) > _IMAGES else []),
                *("bands", "height", "width"),
            ],
            data_type=DataType.FLOAT32,
        ),
    )
    # The extension has one scaling a band; pystac's class holds a single one.
    taken.properties["value_scaling"] = [_scaling(card, band) for band in card.bands]
    return taken


def _scaling(card: Card, band: InputBand) -> dict[str, Any]:
    """Write how a band is normalised: in figures, or in words for a scene's own."""
    if card.normalise == "training":
        return ValueScaling.create(
            ValueScalingType.Z_SCORE,
            mean=_short((band.mean - card.offset) / card.scale),
            stddev=_short(band.std / card.scale),
        ).to_dict()
    scaling: dict[str, Any] = {"type": str(ValueScalingType.Z_SCORE)}
    if card.percentiles is not None:
        scaling = {
            "type": str(ValueScalingType.MIN_MAX),
            "percentiles": list(card.percentiles),
            "clip": True,
            "mean": band.mean,
            "stddev": band.std,
        }
    return {
        "type": str(ValueScalingType.PROCESSING),
        "format": SCENE_STATISTICS,
        "expression": scaling,
    }


def _short(value: float) -> float:
    """Ten digits: more than float32 holds, and none of float64's last ones."""
    return float(f"{value:.10g}")


def _output(card: Card) -> ModelOutput:
    channels = card.channels or range(len(card.legend))
    in_channel_order = sorted(zip(channels, card.legend, strict=True))
    given = 1 if card.activation == "sigmoid" else len(card.legend)
    return ModelOutput.create(
        name="land cover",
        description=_ACTIVATED[card.activation],
        tasks=[TaskType.SEMANTIC_SEGMENTATION],
        result=ResultStructure.create(
            shape=[-1, given, card.tile, card.tile],
            dim_order=["batch", "class", "height", "width"],
            data_type=DataType.FLOAT32,
        ),
        classes=[
            Classification.create(
                value=each.id, name=each.name, color_hint=each.colour[1:].upper()
            )
            for _, each in in_channel_order
        ],
        post_processing_function=(
            None
            if card.temperature == 1
            else ProcessingExpression(post_processing(card.temperature))
        ),
    )


def _asset(card: Card, artifact: Artifact) -> pystac.Asset:
    _, media_type, artifact_type = _KINDS[_suffix(artifact)]
    sums = {"file:checksum": _SHA256 + artifact.sha256} if artifact.sha256 else {}
    return pystac.Asset(
        href=f"./{artifact.file}",
        media_type=media_type,
        roles=["mlm:model", "mlm:weights"],
        extra_fields={
            "mlm:artifact_type": artifact_type,
            **sums,
            "bands": [_band(*each) for each in _bands(card)],
            # The same in the words of STAC 1.0: the extension's schema looks for bands
            # here, or in the item's properties, where STAC 1.1 has none.
            "raster:bands": [
                {
                    "name": name,
                    "data_type": of.dtype,
                    "scale": of.scale,
                    "offset": of.offset,
                }
                for name, _, of in _bands(card)
            ],
        },
    )


def _bands(card: Card) -> list[tuple[str, InputBand, Card | NamedInput]]:
    """List each band once, whatever its dates: its name there, and whose it is."""
    if not card.inputs:
        return [(band.name, band, card) for band in card.bands]
    return [
        (f"{each.name}:{band.name}", band, each)
        for each in card.inputs
        for band in each.bands
    ]


def _band(name: str, band: InputBand, of: Card | NamedInput) -> dict[str, Any]:
    seen = {"minimum": band.minimum, "maximum": band.maximum}
    statistics = {name: value for name, value in seen.items() if value is not None}
    return {
        "name": name,
        **({"eo:common_name": band.common_name} if band.common_name else {}),
        **({"geoseg:index": band.index} if band.index is not None else {}),
        **({"geoseg:clip": _ends(band.clip)} if band.clip is not None else {}),
        "data_type": of.dtype,
        **({"statistics": statistics} if statistics else {}),
    }


def _ends(clip: tuple[float, float]) -> list[float | None]:
    """Write a range; null for an end that is open."""
    return [value if math.isfinite(value) else None for value in clip]


def _suffix(artifact: Artifact) -> str:
    return "." + artifact.file.rpartition(".")[2]
