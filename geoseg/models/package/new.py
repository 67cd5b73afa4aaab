"""What one has to say about bare weights to make a package of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.geo.band_names import SENTINEL2
from geoseg.geo.legend import Legend, named_legend
from geoseg.models.package.card import (
    GSD_TOLERANCE,
    MOST_BANDS,
    MOST_CLASSES,
    Activation,
    Card,
    InputBand,
    Normalise,
    check_card,
    check_count,
)
from geoseg.models.package.naming import check_name

if TYPE_CHECKING:
    from pathlib import Path
_FIELDS = 3
"""What a class may say: name, value, colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
    """What weights alone do not say."""

    name: str = ""
    """The model's name; that of the package's folder where empty."""
    bands: tuple[str, ...] = ()
    """For each band that the network takes its name, ``B02``, or name and common name,
    ``B02=blue``; or ``3``, ``#3`` or ``#3=red`` for a scene's third band whatever its
    name. What a checkpoint says of itself where empty."""
    classes: tuple[str, ...] = ()
    """For each output channel the class: its name, or ``name:value``, or
    ``name:value:#rrggbb``. Values count from 0 where they are not given. What a
    checkpoint says of itself where empty."""
    gsd_m: float = 0.0
    """Ground sample distance in metres."""
    gsd_tolerance: float = GSD_TOLERANCE
    """How far a scene's may be from that, as a share of it."""
    architecture: str | None = None
    """The network's family; where None, what a ``config.json`` beside the weights, the
    checkpoint itself, or the shapes of its tensors say."""
    encoder: str | None = None
    """The encoder of that family."""
    config: Path | None = None
    """The network's ``config.json``; that beside the weights, if any, where None."""
    mean: tuple[float, ...] = ()
    """Mean of the scaled pixels of each band, or one for all; 0 if empty."""
    std: tuple[float, ...] = ()
    """Standard deviation of them; 1 if empty."""
    normalise: Normalise = "training"
    """Whose statistics normalise pixels: these, or each ``scene``'s own."""
    percentiles: tuple[float, float] | None = None
    """Between which of a scene's percentiles bands are stretched to 0..1 and clipped,
    before `mean` is taken off; only with ``scene``."""
    scale: float = 1.0
    """What raw pixels are multiplied with before means are taken off."""
    offset: float = 0.0
    """What is added to them after that."""
    dtype: str = "uint16"
    """The numpy dtype of raw pixels."""
    value_range: tuple[float, float] | None = None
    """The least and the greatest raw pixel that the network was trained on."""
    tile: int = 256
    """Side of a tile in pixels."""
    overlap: int | None = None
    """Pixels that neighbouring tiles share; about a quarter of a tile where None."""
    stride: int | None = None
    """What tiles are multiples of; the network's own where None."""
    activation: Activation | None = None
    """What makes probabilities of the network's output; where None, what the output of
    a tile of noise looks like."""
    output_name: str = ""
    """Which output of an ONNX file is the scores, where several may be."""
    prefix: str | None = None
    """What stands before the names of the tensors that are meant, such as
    ``model_ema``, where a file holds several of one kind."""
    version: str = "1"
    """The version of these weights."""
    description: str = "A model for land cover."
    """What the model is for."""
    license: str = "other"
    """The licence of the weights, as SPDX writes it."""
    attribution: str = ""
    """Whom the licence asks to name."""
    source: str = ""
    """Where the weights came from."""
    trained_on: str = ""
    """What it was trained on, in words."""
    metrics: tuple[tuple[str, float], ...] = ()
    """How well it did on what it was not trained on."""


def describe(new: NewPackage, architecture: str, parameters: int, stride: int) -> Card:
    """Make a card of what was said, and what the weights told.

    Args:
        new: What was said.
        architecture: The network's family and encoder.
        parameters: The number of its parameters; 0 where it is not known.
        stride: What tiles are multiples of.

    Raises:
        ModelError: Bands or classes that cannot be understood; numbers that no model
            can have.
        InputError: Classes that no legend can have.

    """
    check_name(new.name)
    check_count("bands", len(new.bands), MOST_BANDS)
    check_count("classes", len(new.classes), MOST_CLASSES)
    legend, channels = _legend(new.classes)
    card = Card(
        name=new.name,
        version=new.version,
        description=new.description,
        architecture=architecture,
        parameters=parameters,
        pretrained_source="",
        bands=_bands(new),
        scale=new.scale,
        offset=new.offset,
        normalise=new.normalise,
        percentiles=new.percentiles,
        dtype=new.dtype,
        legend=legend,
        channels=channels,
        tile=new.tile,
        overlap=_overlap(new, stride),
        stride=stride,
        gsd_m=new.gsd_m,
        gsd_tolerance=new.gsd_tolerance,
        activation=new.activation or "softmax",
        output_name=new.output_name,
        license=new.license,
        attribution=new.attribution,
        source=new.source,
        trained_on=new.trained_on,
        metrics=new.metrics,
    )
    check_card(card)
    return card


def _overlap(new: NewPackage, stride: int) -> int:
    """About a quarter of a tile, as a multiple of the stride that is even."""
    if new.overlap is not None:
        return new.overlap
    step = stride if stride % 2 == 0 else 2 * stride
    return min(max(new.tile // 4 // step, 1) * step, new.tile // 2 // step * step)


def _bands(new: NewPackage) -> tuple[InputBand, ...]:
    means = _for_each(new.mean, "mean", 0.0, len(new.bands))
    deviations = _for_each(new.std, "standard deviation", 1.0, len(new.bands))
    least, greatest = new.value_range or (None, None)
    said = map(_numbered, new.bands)
    return tuple(
        InputBand(*_band_name(text), mean, std, _band_index(text), least, greatest)
        for text, mean, std in zip(said, means, deviations, strict=True)
    )


def _for_each(
    values: tuple[float, ...], what: str, usual: float, count: int
) -> tuple[float, ...]:
    given = values or (usual,)
    if len(given) not in {1, count}:
        raise ModelError(f"{count} bands need one {what} each, got {len(given)}")
    return given if len(given) == count else given * count


def _band_name(text: str) -> tuple[str, str]:
    """Read ``B02=blue``, ``B02`` or ``#3`` as name and common name."""
    name, _, common = text.partition("=")
    plain = name.strip().lower().replace("b0", "b")
    if name.startswith("#"):
        return f"band {name[1:]}", common
    return name.strip(), common.strip() or SENTINEL2.get(plain, "")


def _numbered(text: str) -> str:
    """Write a number alone as ``#3``."""
    return f"#{text}" if text.partition("=")[0].isdecimal() else text


def _band_index(text: str) -> int | None:
    digits = text.partition("=")[0].removeprefix("#")
    if not text.startswith("#"):
        return None
    if not digits.isdecimal():
        raise ModelError(f"{text!r} is no band; write #3 for a scene's third band")
    return int(digits)


def _legend(classes: tuple[str, ...]) -> tuple[Legend, tuple[int, ...]]:
    """Read the classes and order them by value; keep each one's channel."""
    listed = [_land_class(place, text) for place, text in enumerate(classes)]
    order = sorted(range(len(listed)), key=lambda channel: listed[channel][1])
    names, ids, colours = zip(*(listed[channel] for channel in order), strict=True)
    legend = named_legend(ids, names, colours)
    return legend, () if order == list(range(len(order))) else tuple(order)


def _land_class(place: int, text: str) -> tuple[str, int, str | None]:
    """Read a class: name, value, and colour where one is given."""
    parts = [part.strip() for part in text.split(":")]
    value = parts[1] if len(parts) > 1 else str(place)
    if len(parts) > _FIELDS or not value.isdecimal():
        raise ModelError(
            f"{text!r} is no class; write name, name:value or name:value:#rrggbb"
        )
    colour = parts[2].lower() if len(parts) == _FIELDS else None
    return parts[0], int(value), colour
