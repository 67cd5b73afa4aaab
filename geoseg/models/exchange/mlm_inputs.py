"""What an item with the MLM extension says of the images that its model takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geoseg.models.package.inputs import NamedInput
from geoseg.models.package.new_card import bands_said
from geoseg.models.package.value_scaling import Folded, fold, per_band
from geoseg.options import NewPackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BANDS = ("bands", "raster:bands", "eo:bands")
"""Where an item describes its bands, by version of STAC."""
_PLANES = frozenset(("height", "width", "y", "x"))
_TURNS = frozenset(("batch", "b", "bands", "band", "channel", "channels", "c"))


def band_names(taken: dict[str, Any]) -> list[str]:
    """List the bands of an input; those that are computed of others are refused."""
    names = []
    for band in taken["bands"]:
        if isinstance(band, dict) and band.get("expression") is not None:
            raise ValueError(
                f"its band {band['name']} is computed by {band['expression']!r} "
                f"({band.get('format')}), which geoseg does not execute; put it into "
                f"the network, and take the bands that it is made of"
            )
        names.append(str(band["name"] if isinstance(band, dict) else band))
    return names


def known_bands(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect what an item and its assets say of bands, by name."""
    known: dict[str, dict[str, Any]] = {}
    for where in (content["properties"], *content["assets"].values()):
        for each in (band for key in _BANDS for band in where.get(key, [])):
            if "name" in each:
                known.setdefault(str(each["name"]), {}).update(each)
    return known


def with_common(
    names: Sequence[str], known: dict[str, dict[str, Any]]
) -> tuple[str, ...]:
    """Write bands as `NewPackage` has them, with the common name of each, if known."""
    entries = [known.get(name, {}) for name in names]
    common = [each.get("eo:common_name") or each.get("common_name") for each in entries]
    pairs = zip(names, common, strict=True)
    return tuple(f"{name}={shared}" if shared else name for name, shared in pairs)


def named_input(
    taken: dict[str, Any], known: dict[str, dict[str, Any]], gsd_m: float
) -> NamedInput:
    """Read one of several inputs.

    Args:
        taken: It, as the item has it.
        known: What the item says of bands, by name.
        gsd_m: The model's ground sample distance, which a band's own goes before.

    Raises:
        ValueError: It asks for what geoseg does not do.

    """
    names = band_names(taken)
    own = [known.get(name, {}) for name in names]
    folded = scalings_of(taken, names)
    said = NewPackage(
        bands=with_common(names, known),
        mean=tuple(each.centre for each in folded),
        std=tuple(each.spread for each in folded),
        dtype=dtype_of(own) or "uint16",
    )
    bands = zip(bands_said(said), folded, strict=True)
    return NamedInput(
        name=str(taken["name"]),
        bands=tuple(replace(band, clip=each.clip) for band, each in bands),
        dtype=said.dtype,
        gsd_m=max((float(each["gsd"]) for each in own if "gsd" in each), default=gsd_m),
    )


def scalings_of(taken: dict[str, Any], bands: Sequence[str]) -> list[Folded]:
    """Fold what is done to each band of an input.

    Raises:
        ValueError: It is code, or makes no sense.

    """
    _refuse_code(taken)
    scalings = per_band(taken.get("value_scaling"), len(bands))
    return [fold(each, name) for each, name in zip(scalings, bands, strict=True)]


def side_of_tiles(listed: Sequence[dict[str, Any]]) -> int:
    """Give the side of all inputs' tiles; 0 where any will do.

    Raises:
        ValueError: They differ, or are of more than images.

    """
    sides = {_tile(each["input"]) for each in listed} - {0}
    if len(sides) > 1:
        raise ValueError(
            f"its inputs have tiles of {' and '.join(map(str, sorted(sides)))} pixels; "
            f"geoseg gives all on one grid: resample within the network"
        )
    return max(sides, default=0)


def dtype_of(bands: Iterable[dict[str, Any]]) -> str:
    """Give the type of raw pixels, where it is said and the same for all bands."""
    found = {str(band["data_type"]) for band in bands if "data_type" in band}
    return found.pop() if len(found) == 1 else ""


def _tile(entry: dict[str, Any]) -> int:
    """Give the side of tiles; 0 where any will do."""
    sides = dict(zip(entry["dim_order"], entry["shape"], strict=True))
    others = [name for name in sides if name not in _PLANES | _TURNS]
    if others:
        raise ValueError(
            f"its input has the dimension {others[0]}; say by `inputs`, a "
            f"file, which dates it takes"
        )
    planes = {int(side) for name, side in sides.items() if name in _PLANES}
    if len(planes) > 1:
        raise ValueError(
            f"its tiles have sides of {' and '.join(map(str, sorted(planes)))} pixels; "
            f"geoseg gives square ones"
        )
    return max(0, *planes, 0)


def _refuse_code(taken: dict[str, Any]) -> None:
    """Refuse what is done to pixels by code, or to their number."""
    for what in ("pre_processing_function", "resize_type", "norm_type"):
        entry = taken.get(what)
        if entry:
            named = entry.get("expression", entry) if isinstance(entry, dict) else entry
            raise ValueError(
                f"its input has {what} {named!r}, which geoseg does not execute; say "
                f"how pixels are normalised by `mean`, `std` and `scale`"
            )
