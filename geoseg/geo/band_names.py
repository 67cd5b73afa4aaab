"""What sensors call their bands, and the names that these share with other sensors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SENTINEL2 = re.compile(r"b0*(\d+)(a?)")
SENTINEL2 = {
    "b1": "coastal",
    "b2": "blue",
    "b3": "green",
    "b4": "red",
    "b5": "rededge071",
    "b6": "rededge075",
    "b7": "rededge078",
    "b8": "nir",
    "b8a": "nir08",
    "b9": "nir09",
    "b10": "cirrus",
    "b11": "swir16",
    "b12": "swir22",
}
"""Sentinel-2's bands: plain name to common name."""
LANDSAT8 = {
    "sr_b1": "coastal",
    "sr_b2": "blue",
    "sr_b3": "green",
    "sr_b4": "red",
    "sr_b5": "nir08",
    "sr_b6": "swir16",
    "sr_b7": "swir22",
    "st_b10": "lwir11",
}
"""The bands of Landsat 8 and 9 in Collection 2, level 2."""
LANDSAT7 = {
    "sr_b1": "blue",
    "sr_b2": "green",
    "sr_b3": "red",
    "sr_b4": "nir08",
    "sr_b5": "swir16",
    "sr_b7": "swir22",
    "st_b6": "lwir",
}
"""The bands of Landsat 4, 5 and 7 in Collection 2, level 2."""

_COLOURS = {"r": "red", "g": "green", "b": "blue"}
"""Letters that stand for colours, as most pictures have them."""


def colour_of(name: str) -> str:
    """Give the colour that a band is called by, whatever its sensor; mostly nothing.

    Example:
        >>> colour_of("R"), colour_of("blue"), colour_of("B02")
        ('red', 'blue', '')

    """
    name = plain(name)
    return name if name in _COLOURS.values() else _COLOURS.get(name, "")


def find_rgb(
    names: Sequence[str], commons: Sequence[str]
) -> tuple[int, int, int] | None:
    """Find the red, green and blue band, counted from 0; None where one is not known.

    Args:
        names: The bands' own names, empty where one has none.
        commons: Their common names, likewise.

    """
    common = shared_names(names, commons)
    if not {"red", "green", "blue"} <= set(common):
        return None
    return common.index("red"), common.index("green"), common.index("blue")


def find_red_and_nir(
    names: Sequence[str], commons: Sequence[str]
) -> tuple[int, int] | None:
    """Find the red and a near infrared band, counted from 0; None where one is missing.

    Args:
        names: The bands' own names, empty where one has none.
        commons: Their common names, likewise.

    Example:
        >>> find_red_and_nir(["B02", "B04", "B8A", "B08"], [""] * 4)
        (1, 3)

    """
    common = shared_names(names, commons)
    near = next((name for name in ("nir", "nir08") if name in common), None)
    if near is None or "red" not in common:
        return None
    return common.index("red"), common.index(near)


def shared_names(names: Sequence[str], commons: Sequence[str]) -> list[str]:
    """Give what each band is called by all sensors, or else by itself."""
    known, _ = common_names([plain(name) for name in names])
    each = zip(names, commons, known, strict=True)
    return [plain(common) or of_name or plain(name) for name, common, of_name in each]


def common_names(names: list[str]) -> tuple[list[str], str]:
    """Give the common name of each of a scene's bands.

    Landsat's sensors number their bands differently: ``SR_B6`` is only in Landsat 8
    and 9, ``ST_B6`` only in the older ones, and ``SR_B1`` to ``SR_B5`` with ``SR_B7``
    and no ``SR_B6`` are those of the older ones. Any other choice of bands is taken for
    Landsat 8 or 9, and said to be.

    Args:
        names: Plain names: lower case, ``b2`` for ``B02``.

    Returns:
        The common names, empty where a name is not known; and a sentence about what
        was assumed, or nothing.

    """
    there = set(names)
    landsat = {name for name in there if name in LANDSAT8 or name in LANDSAT7}
    old = "st_b6" in there or set(LANDSAT7) - {"st_b6"} <= there
    new = bool(landsat & (set(LANDSAT8) - set(LANDSAT7)))
    known = {**_COLOURS, **SENTINEL2, **(LANDSAT7 if old and not new else LANDSAT8)}
    unsure = bool(landsat) and not old and not new
    note = "its bands SR_B... were taken for those of Landsat 8 or 9" if unsure else ""
    return [known.get(name, "") for name in names], note


def plain(name: str) -> str:
    """Write a band's name as these tables do: lower case, ``B02`` as ``b2``.

    Example:
        >>> plain(" B02"), plain("B8A"), plain("Red")
        ('b2', 'b8a', 'red')

    """
    name = name.strip().lower()
    if sentinel2 := _SENTINEL2.fullmatch(name):
        return f"b{sentinel2[1]}{sentinel2[2]}"
    return name


def sensor_names(sensor: str) -> dict[str, str]:
    """Give the table of a sensor's bands, plain name to common name.

    Args:
        sensor: A platform or constellation as STAC calls it: ``sentinel-2a``,
            ``landsat-8``. Of one that is not known, no name means anything.

    """
    sensor = sensor.lower()
    if sensor.startswith("sentinel-2"):
        return SENTINEL2
    if sensor in {"landsat-8", "landsat-9"}:
        return LANDSAT8
    return LANDSAT7 if sensor in {"landsat-4", "landsat-5", "landsat-7"} else {}


def is_band_name(name: str) -> bool:
    """Return whether something is called as a band of a sensor, or as bands of many."""
    tables = (SENTINEL2, LANDSAT8, LANDSAT7)
    return any(plain(name) in {*table, *table.values()} for table in tables)


_RED_EDGES = {
    "rededge1": "rededge071",
    "rededge2": "rededge075",
    "rededge3": "rededge078",
}
_EDGES_UM = {
    "rededge071": (0.69, 0.73),
    "rededge075": (0.73, 0.76),
    "rededge078": (0.76, 0.8),
}
"""From which wavelength to which each of them reaches, in micrometres."""


def red_edge(name: str, common: str, wavelength: float | None) -> str:
    """Distinguish the red edges, which STAC calls ``rededge`` without distinction.

    Args:
        name: The band's own name.
        common: Its common name, as a STAC item gives it.
        wavelength: Its centre in micrometres; None where that is not known.

    Returns:
        The common name, a more precise one where it is ``rededge`` and one is known.

    Example:
        >>> red_edge("B05", "rededge", None), red_edge("re", "rededge", 0.74)
        ('rededge071', 'rededge075')

    """
    if plain(common) != "rededge":
        return common
    by_name = SENTINEL2.get(plain(name)) or _RED_EDGES.get(plain(name))
    if by_name is not None:
        return by_name
    for known, (low, high) in _EDGES_UM.items():
        if wavelength is not None and low <= wavelength < high:
            return known
    return common
