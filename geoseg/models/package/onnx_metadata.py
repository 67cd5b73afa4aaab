"""What an ONNX file says of its model: Deepness' metadata, and the shape of its input.

Deepness, a plugin of QGIS, keeps JSON values in a graph's metadata: ``class_names`` by
channel, ``resolution`` in centimetres, ``tiles_size``, ``tiles_overlap`` in percent of
it, ``standardization_mean`` and ``standardization_std`` of bytes divided by 255.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geoseg.errors import ModelError
from geoseg.geo.tiling import overlap_below
from geoseg.models.networks.onnx_file import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.options import NewPackage

_BYTE = 255
_CENTIMETRES = 100
_KEYS = ("class_names", "resolution", "tiles_size")
"""At least one of these is there where Deepness' metadata are."""


def complete_from_onnx(
    new: NewPackage, content: bytes, weights: Path
) -> tuple[NewPackage, tuple[str, ...]]:
    """Fill in what nobody said by what the file says, and ask for the rest.

    Returns:
        All that is said, and what was taken for granted.

    Raises:
        ModelError: The file says something that cannot be so, is no segmentation, or
            something is still unsaid.

    """
    said = metadata(content, str(weights))
    notes: tuple[str, ...] = ()
    if any(key in said for key in _KEYS):
        try:
            new, notes = _from_deepness(new, {k: _value(v) for k, v in said.items()})
        except (TypeError, ValueError, KeyError) as error:
            raise ModelError(
                f"{weights} has metadata of Deepness' that make no sense ({error}); "
                f"export it again, or take them out"
            ) from error
    unsaid = [
        what
        for what, is_said in (
            ("which its bands are, in order (`bands`)", new.bands),
            ("what its classes are (`classes`)", new.classes),
            ("how many metres a pixel has (`gsd_m`)", new.gsd_m),
        )
        if not is_said
    ]
    if unsaid:
        raise ModelError(f"{weights} does not say {'; nor '.join(unsaid)}")
    return new, notes


def _value(text: str) -> Any:  # noqa: ANN401  # what JSON can say
    try:
        return json.loads(text)
    except ValueError:  # older exporters write texts as they are
        return text


def _from_deepness(
    new: NewPackage, said: dict[str, Any]
) -> tuple[NewPackage, tuple[str, ...]]:
    kind = said.get("model_type", "Segmentor")
    if kind != "Segmentor":
        raise ValueError(f"it is a {kind}, and geoseg takes a Segmentor")
    names = said.get("class_names", {})
    if sorted(map(int, names)) != list(range(len(names))):
        raise ValueError(f"its class_names are numbered {', '.join(map(str, names))}")
    classes = tuple(str(names[key]) for key in sorted(names, key=int))
    tile = int(said.get("tiles_size", new.tile))
    mean = tuple(map(float, said.get("standardization_mean", ())))
    if new.bands and len(mean) not in {0, 1, len(new.bands)}:
        raise ValueError(
            f"it standardises {len(mean)} bands, and {len(new.bands)} are said"
        )
    filled = replace(
        new,
        classes=new.classes or classes,
        gsd_m=new.gsd_m or float(said.get("resolution", 0)) / _CENTIMETRES,
        tile=tile,
        overlap=_overlap(new, tile, float(said.get("tiles_overlap", 0))),
    )
    if (new.scale, new.mean, new.dtype) != (1.0, (), "uint16"):
        return filled, ()  # its user knows how pixels are normalised
    filled = replace(
        filled,
        scale=1 / _BYTE,
        mean=mean,
        std=tuple(map(float, said.get("standardization_std", ()))),
        dtype="uint8",
        value_range=(0, _BYTE),
    )
    note = "its pixels were taken for bytes, divided by 255, as Deepness gives them"
    return filled, (note,)


def _overlap(new: NewPackage, tile: int, percent: float) -> int | None:
    """The legal overlap next below a share of a tile; None where the usual one does."""
    if new.overlap is not None or not percent:
        return new.overlap
    return overlap_below(tile, new.stride or 32, int(tile * percent / 100))
