"""What sensors call their bands, and the names that these share with other sensors."""

from __future__ import annotations

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
    known = {**SENTINEL2, **(LANDSAT7 if old and not new else LANDSAT8)}
    unsure = bool(landsat) and not old and not new
    note = "its bands SR_B... were taken for those of Landsat 8 or 9" if unsure else ""
    return [known.get(name, "") for name in names], note
