"""A model's metadata read from a STAC item with the Machine Learning Model extension.

`mlm_write`, beside this module, says where what stands. Items of others are read as
well, where they have an ``mlm:input`` and an ``mlm:output`` that can be understood.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import pystac
from pystac.extensions.mlm import MLMExtension, ModelInput, ModelOutput

from geoseg.errors import InputError, ModelError
from geoseg.geo.legend import LandClass, Legend
from geoseg.models.package.card import (
    ACTIVATIONS,
    MOST_BANDS,
    MOST_CLASSES,
    PADDING,
    PRECISIONS,
    SCENE_STATISTICS,
    Artifact,
    Card,
    InputBand,
    check_card,
    check_count,
)
from geoseg.models.package.inputs import (
    COMPOSITES,
    MOST_INPUTS,
    RESAMPLINGS,
    VALIDS,
    NamedInput,
    flat_bands,
)
from geoseg.models.package.reliability import CALIBRATION, TEMPERATURE, Reliability
from geoseg.models.package.value_scaling import fold, per_band
from geoseg.options import GSD_TOLERANCE, Normalise

if TYPE_CHECKING:
    from pathlib import Path

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
Word = TypeVar("Word", bound=str)
_MODEL_ROLE = "mlm:model"
_OF_DATES = ["batch", "time", "bands", "height", "width"]
"""The dimensions of an input of several dates."""
_SHA256 = "1220"
"""What begins a multihash of SHA-256: its code, and its length of 32 bytes."""


def read_card(content: dict[str, Any], path: Path) -> tuple[Card, Artifact]:
    """Read a model's metadata from the content of ``mlm.json``.

    Args:
        content: The file as parsed JSON.
        path: Where it came from, for messages.

    Returns:
        What it says of the model, and which file holds the weights.

    Raises:
        ModelError: It is not a STAC item with the extension, something needed is
            missing, or bands, classes and shapes in it disagree.

    """
    try:
        card, artifact, shapes = _parse(content)
        _check_shapes(card, *shapes)
        check_card(card)
    except _DAMAGE as error:
        raise ModelError(
            f"{path} is damaged: it is no STAC item with the mlm extension that "
            f"geoseg can use ({type(error).__name__}: {error})"
        ) from error
    except (InputError, ValueError, OverflowError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    return card, artifact


def _parse(
    content: dict[str, Any],
) -> tuple[Card, Artifact, tuple[list[list[int]], list[int]]]:
    item = pystac.Item.from_dict(content, migrate=False)
    extension = MLMExtension.ext(item)
    taken, (given,) = extension.input, extension.output
    asset = _model_asset(item)
    own = item.properties
    scale, offset = float(own["geoseg:scale"]), float(own.get("geoseg:offset", 0))
    several = len(taken) != 1 or "geoseg:dates" in taken[0].properties
    inputs = _inputs(asset, taken, float(own["gsd"])) if several else ()
    bands, dtype = flat_bands(inputs), "float32"
    if not inputs:
        bands, dtype = _bands(asset, taken[0], scale, offset)
    normalise, percentiles = _statistics(
        [scaling for each in taken for scaling in _scalings(each)]
    )
    legend, channels = _classes(given)
    card = Card(
        name=item.id,
        architecture=extension.architecture,
        parameters=int(extension.total_parameters or 0),
        pretrained_source=str(extension.pretrained_source or ""),
        bands=bands,
        scale=scale,
        offset=offset,
        normalise=normalise,
        percentiles=percentiles,
        dtype=dtype,
        legend=legend,
        channels=channels,
        tile=_whole("the input's side", taken[0].input.shape[-1]),
        temperature=_temperature(given),
        inputs=inputs,
        **_of_item(own),
    )
    _one_of("geoseg:padding", own.get("geoseg:padding", PADDING), (PADDING,))
    shapes = [each.input.shape for each in taken]
    return card, _artifact(asset), (shapes, given.result.shape)


_TEXTS = {
    "output_name": "geoseg:output",
    "attribution": "geoseg:attribution",
    "embedding": "geoseg:embedding",
    "source": "geoseg:source",
    "trained_on": "geoseg:trained_on",
}
"""Fields of a card that an item may say in words, and its properties."""


def _of_item(own: dict[str, Any]) -> dict[str, Any]:
    """Read what an item's own properties say, as fields of a card."""
    metrics = own.get("geoseg:metrics", {}).items()
    activation = own.get("geoseg:activation", "softmax")
    precision = own.get("geoseg:precision", "any")
    known = Reliability.of_item(own[CALIBRATION]) if CALIBRATION in own else None
    return {
        "version": str(own["version"]),
        "description": str(own["description"]),
        "overlap": _whole("geoseg:overlap", own["geoseg:overlap"]),
        "stride": _whole("geoseg:stride", own["geoseg:stride"]),
        "gsd_m": float(own["gsd"]),
        "gsd_tolerance": float(own.get("geoseg:gsd_tolerance", GSD_TOLERANCE)),
        "activation": _one_of("geoseg:activation", activation, ACTIVATIONS),
        "precision": _one_of("geoseg:precision", precision, PRECISIONS),
        "license": str(own.get("license", "other")),
        "metrics": tuple((str(name), float(value)) for name, value in metrics),
        "reliability": known,
        **{field: str(own.get(name, "")) for field, name in _TEXTS.items()},
    }


def _model_asset(item: pystac.Item) -> pystac.Asset:
    models = [a for a in item.assets.values() if _MODEL_ROLE in (a.roles or ())]
    if len(models) != 1:
        raise ValueError(
            f"it needs one asset with the role {_MODEL_ROLE}, and has {len(models)}"
        )
    return models[0]


def _artifact(asset: pystac.Asset) -> Artifact:
    checksum = asset.extra_fields.get("file:checksum")
    if checksum is not None and not str(checksum).startswith(_SHA256):
        raise ValueError(
            f"file:checksum of its weights is {checksum}; geoseg checks those of "
            f"SHA-256, which begin with {_SHA256}"
        )
    known = None if checksum is None else str(checksum).removeprefix(_SHA256)
    return Artifact(asset.href.removeprefix("./"), known)


def _bands(
    asset: pystac.Asset, taken: ModelInput, scale: float, offset: float
) -> tuple[tuple[InputBand, ...], str]:
    listed = asset.extra_fields["bands"]
    check_count("bands", len(listed), MOST_BANDS)
    check_count("bands", len(taken.properties["bands"]), MOST_BANDS)
    _check_once("the asset's bands", [str(band["name"]) for band in listed])
    described = {str(band["name"]): band for band in listed}
    names = [str(name) for name in taken.properties["bands"]]
    _check_once("the input's bands", names)
    scalings = _scalings(taken)
    bands = tuple(
        _band(name, described[name], scaling, (scale, offset))
        for name, scaling in zip(names, scalings, strict=True)
    )
    (dtype,) = {str(described[name]["data_type"]) for name in names}
    return bands, dtype


def _scalings(taken: ModelInput) -> list[Any]:
    """Give what is done to each band of an input."""
    properties = taken.properties
    return per_band(properties.get("value_scaling"), len(properties["bands"]))


def _inputs(
    asset: pystac.Asset, taken: list[ModelInput], gsd_m: float
) -> tuple[NamedInput, ...]:
    """Read several inputs, or one of several dates, each with what is said of it."""
    check_count("inputs", len(taken), MOST_INPUTS)
    if not taken:
        raise ValueError("it says of no input")
    found = []
    for each in taken:
        own = each.properties
        scale = float(own.get("geoseg:scale", 1))
        offset = float(own.get("geoseg:offset", 0))
        bands, dtype = _bands(asset, each, scale, offset)
        order = each.input.dim_order
        if "time" in order and order != _OF_DATES:
            raise ValueError(
                f"input {each.name} has the dimensions {', '.join(order)}; geoseg "
                f"gives {', '.join(_OF_DATES)}"
            )
        prefix = f"{each.name}:"
        named = [replace(b, name=b.name.removeprefix(prefix)) for b in bands]
        found.append(
            NamedInput(
                name=each.name,
                bands=tuple(named),
                dtype=dtype,
                scale=scale,
                offset=offset,
                gsd_m=float(own.get("geoseg:gsd", gsd_m)),
                resampling=_one_of(
                    "geoseg:resampling",
                    own.get("geoseg:resampling", "bilinear"),
                    RESAMPLINGS,
                ),
                valid=_one_of("geoseg:valid", own.get("geoseg:valid", "all"), VALIDS),
                dates=tuple(
                    (str(date["name"]), str(date["window"]))
                    for date in own.get("geoseg:dates", ())
                ),
                mosaic=_one_of(
                    "geoseg:mosaic", own.get("geoseg:mosaic", "first"), COMPOSITES
                ),
            )
        )
    return tuple(found)


def _band(
    name: str,
    described: dict[str, Any],
    scaling: dict[str, Any] | None,
    scaled: tuple[float, float],
) -> InputBand:
    mean, std, clip = _normal(name, scaling, *scaled)
    index = described.get("geoseg:index")
    statistics = described.get("statistics", {})
    return InputBand(
        name=name,
        common_name=str(described.get("eo:common_name", "")),
        mean=mean,
        std=std,
        index=None if index is None else _whole("geoseg:index", index),
        minimum=_maybe(statistics.get("minimum")),
        maximum=_maybe(statistics.get("maximum")),
        clip=_range(described.get("geoseg:clip")) or clip,
    )


def _range(ends: Any) -> tuple[float, float] | None:  # noqa: ANN401  # what JSON holds
    """Read a range of raw pixels; null is an end that is open."""
    if ends is None:
        return None
    low, high = ends
    return (
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
    )


def _normal(
    name: str, scaling: dict[str, Any] | None, scale: float, offset: float
) -> tuple[float, float, tuple[float, float] | None]:
    """Read mean and deviation of a band's scaled pixels, and the range of raw ones."""
    if _is_of_scene(scaling):
        expression = scaling["expression"]
        mean, std = expression.get("mean", 0), expression.get("stddev", 1)
        return float(mean), float(std), None
    found = fold(scaling, name)
    return found.centre * scale + offset, found.spread * scale, found.clip


def _is_of_scene(scaling: Any) -> TypeGuard[dict[str, Any]]:  # noqa: ANN401  # the same
    """Whether a scene's own statistics normalise, in geoseg's words for it."""
    return (
        isinstance(scaling, dict)
        and scaling["type"] == "processing"
        and scaling.get("format") == SCENE_STATISTICS
    )


def _statistics(
    scalings: list[dict[str, Any] | None],
) -> tuple[Normalise, tuple[float, float] | None]:
    """Read whose statistics normalise; the same must do for all bands."""
    first, *others = [_whose(scaling) for scaling in scalings]
    if any(other != first for other in others):
        raise ValueError(
            "some bands are normalised by other statistics than others; geoseg takes "
            "those of the training or those of the scene, the same for all bands"
        )
    return first


def _whose(
    scaling: dict[str, Any] | None,
) -> tuple[Normalise, tuple[float, float] | None]:
    if not _is_of_scene(scaling):
        return "training", None
    expression = scaling["expression"]
    if _one_of("its type", expression["type"], ("z-score", "min-max")) == "z-score":
        return "scene", None
    if expression["clip"] is not True:
        raise ValueError("bands stretched between percentiles are clipped, not so here")
    low, high = expression["percentiles"]
    return "scene", (float(low), float(high))


def _maybe(value: float | None) -> float | None:
    return None if value is None else float(value)


def _classes(given: ModelOutput) -> tuple[Legend, tuple[int, ...]]:
    """Order the classes by value; say which channel each has, where that changes it."""
    check_count("classes", len(given.classes or ()), MOST_CLASSES)
    entries = [  # asked of the properties: pystac's message of a lack is endless
        LandClass(
            each.properties["value"], str(each.name), f"#{each.color_hint}".lower()
        )
        for each in given.classes or ()
    ]
    channels = sorted(range(len(entries)), key=lambda channel: entries[channel].id)
    legend = Legend(tuple(entries[channel] for channel in channels))
    in_order = channels == list(range(len(entries)))
    return legend, () if in_order else tuple(channels)


def _temperature(given: ModelOutput) -> float:
    """Read what the output is divided by; what others do to theirs is not read."""
    function = given.properties.get("post_processing_function") or {}
    if function.get("format") != TEMPERATURE:
        return 1.0
    return float(function["expression"]["temperature"])


def _check_once(where: str, names: list[str]) -> None:
    """Refuse two bands of one name: one would get the other's statistics."""
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(f"{where} have {', '.join(twice)} more than once")


def _whole(what: str, value: object) -> int:
    """Take a whole number; neither true, which Python counts as 1, nor 32.5."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} must be a whole number, got {value!r}")  # noqa: TRY004  # what a file says is a value
    return value


def _one_of(what: str, value: object, known: tuple[Word, ...]) -> Word:
    for word in known:
        if word == value:
            return word
    raise ValueError(f"{what} is {value!r}; geoseg knows {', '.join(known)}")


def _check_shapes(card: Card, taken: list[list[int]], given: list[int]) -> None:
    """Hold the shapes the item gives against the bands and classes it lists."""
    image, sides = (0, len(card.bands)), [card.tile, card.tile]
    listed = [(len(e.dates), len(e.bands)) for e in card.inputs] or [image]
    for (dates, bands), shape in zip(listed, taken, strict=True):
        if list(shape[1:]) != [*([dates] if dates else []), bands, *sides]:
            of_dates = f" on {dates} dates" if dates else ""
            raise ModelError(
                f"it lists {bands} bands{of_dates}, but its input has shape {shape}"
            )
    if list(given[2:]) != [card.tile, card.tile] or given[1] not in card.outputs:
        raise ModelError(
            f"it lists {len(card.legend)} classes with the activation "
            f"{card.activation}, but its output has shape {given}"
        )
