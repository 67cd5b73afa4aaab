"""Districts, parcels, tiles: named areas of a vector file on a map, each by itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import AoiError, counted
from geoseg.overlay.aoi.given import Area, described, read_given
from geoseg.overlay.aoi.reproject import on_plane, united

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox

_NAMED = 3
"""Zones that a sentence names at most."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Named areas; arrays of shape ``(zone,)``, in the order of the file."""

    names: tuple[str, ...]
    """What each is called; no name occurs twice."""
    shapes: NDArray[np.object_]
    """Polygons in the map's CRS; None for a zone that is not on the map. They may
    overlap."""
    warnings: tuple[str, ...]
    """What was repaired, left out or put together, a sentence each."""


def read_zones(area: Area, field: str, geobox: GeoBox) -> Zones:
    """Read the features of a vector file as zones, those of one name as one zone.

    Invalid polygons are repaired as those of an area of interest, and edges densified
    before they are reprojected. Names are not changed.

    Args:
        area: A vector file, one of its layers, or a GeoDataFrame, in any CRS.
        field: The field with the zones' names.
        geobox: The map's plane.

    Raises:
        AoiError: There is no such field, a feature has no name, none is a polygon, or
            none is on the map.

    """
    given = read_given(area, field)
    labels = np.array(given.labels, object)
    nameless = sum(not label for label in given.labels)
    if nameless:
        raise AoiError(
            f"{described(area)}: {counted(nameless, 'feature')} of {len(labels):,} "
            f"without {field!r}; each zone needs a name"
        )
    names = tuple(str(label) for label in dict.fromkeys(given.labels))
    shapes = np.full(len(names), None, object)
    warnings: list[str] = []
    missed: list[AoiError] = []
    for at, name in enumerate(names):
        called = f"{given.name} ({name})"
        whole, repaired = united(called, given.shapes[labels == name])
        warnings += repaired
        try:
            shapes[at] = on_plane(geobox, called, whole, given.crs)
        except AoiError as error:
            missed.append(error)
    if missed and len(missed) == len(names):
        raise missed[0]
    several = [str(n) for n, count in Counter(given.labels).items() if count > 1]
    warnings += _summed_up(
        field,
        several,
        "zone has several features, taken as one",
        "zones have several features each, taken as one",
    )
    off = [name for name, shape in zip(names, shapes, strict=True) if shape is None]
    warnings += _summed_up(
        field,
        off,
        "zone is not on the map and has no area",
        "zones are not on the map and have no area",
    )
    return Zones(names, shapes, tuple(warnings))


def _summed_up(field: str, names: list[str], one: str, many: str) -> list[str]:
    if not names:
        return []
    more = " ..." if len(names) > _NAMED else ""
    listed = ", ".join(names[:_NAMED])
    return [f"{counted(len(names), one, many)} ({field}: {listed}{more})"]
