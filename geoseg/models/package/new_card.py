"""A card of what was said of bare weights, and of what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.errors import ModelError
from geoseg.geo.band_names import SENTINEL2
from geoseg.geo.legend import Legend, named_legend
from geoseg.geo.tiling import overlap_below, overlap_step
from geoseg.models.package.card import (
    MOST_BANDS,
    MOST_CLASSES,
    Card,
    InputBand,
    check_card,
    check_count,
)
from geoseg.models.package.naming import check_name

if TYPE_CHECKING:
    from geoseg.options import NewPackage

_FIELDS = 3
"""What a class may say: name, value, colour."""


def describe(new: NewPackage, architecture: str, parameters: int, stride: int) -> Card:
    """Make a card of what was said, and what the weights say.

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
        bands=bands_said(new),
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
    return overlap_below(new.tile, stride, max(new.tile // 4, overlap_step(stride)))


def bands_said(new: NewPackage) -> tuple[InputBand, ...]:
    """Read the bands that somebody names, with their figures.

    Raises:
        ModelError: They cannot be understood.

    """
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
    listed = [_land_class(index, text) for index, text in enumerate(classes)]
    order = sorted(range(len(listed)), key=lambda channel: listed[channel][1])
    names, ids, colours = zip(*(listed[channel] for channel in order), strict=True)
    legend = named_legend(ids, names, colours)
    return legend, () if order == list(range(len(order))) else tuple(order)


def _land_class(index: int, text: str) -> tuple[str, int, str | None]:
    """Read a class: name, value, and colour where one is given."""
    parts = [part.strip() for part in text.split(":")]
    value = parts[1] if len(parts) > 1 else str(index)
    if len(parts) > _FIELDS or not value.isdecimal():
        raise ModelError(
            f"{text!r} is no class; write name, name:value or name:value:#rrggbb"
        )
    colour = parts[2].lower() if len(parts) == _FIELDS else None
    return parts[0], int(value), colour
