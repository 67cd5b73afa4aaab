"""What a search found: dates, clouds, and how much of the area is covered."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import Transformer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shapely import Geometry

_EQUAL_AREA = "EPSG:6933"


@dataclass(frozen=True, slots=True)
class FoundDay:
    """What was found of one day."""

    day: str
    """The day in UTC: 2024-07-15."""
    items: tuple[str, ...]
    """The items' ids."""
    cloud: float | None
    """How cloudy they say they are on average, in percent; None where none says."""
    covered: float | None
    """The share of the area that they cover, 0 to 1; None without an area."""


def shape_of(item: Mapping[str, Any]) -> Geometry:
    """Give an item's footprint in WGS 84; an empty one where it has none."""
    outline = item.get("geometry")
    if outline:
        return shapely.make_valid(shapely.from_geojson(json.dumps(outline)))
    box = [float(edge) for edge in item.get("bbox") or ()]
    if len(box) in {4, 6}:
        west, south, east, north = (*box[:2], *box[len(box) // 2 :][:2])
        return shapely.box(west, south, east, north)
    return shapely.Polygon()


def by_day(
    items: Sequence[Mapping[str, Any]], area: Geometry | None
) -> tuple[FoundDay, ...]:
    """Group items by day, the newest first.

    Args:
        items: As a STAC API gives them.
        area: What was asked for, in WGS 84.

    """
    days: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in items:
        properties = item["properties"]
        days[
            str(properties.get("datetime") or properties.get("start_datetime"))[:10]
        ].append(item)
    return tuple(
        FoundDay(
            day,
            tuple(str(item["id"]) for item in there),
            _cloud(there),
            None if area is None else _share(there, area),
        )
        for day, there in sorted(days.items(), reverse=True)
    )


def _cloud(items: Sequence[Mapping[str, Any]]) -> float | None:
    covers = [item["properties"].get("eo:cloud_cover") for item in items]
    known = [float(each) for each in covers if isinstance(each, int | float)]
    return float(np.mean(known)) if known else None


def _share(items: Sequence[Mapping[str, Any]], area: Geometry) -> float:
    """Give the share of an area that items cover, on the ground."""
    seen = shapely.intersection(shapely.union_all([shape_of(i) for i in items]), area)
    whole = _ground(area)
    return min(_ground(seen) / whole, 1.0) if whole else 0.0


def _ground(shape: Geometry) -> float:
    move = Transformer.from_crs("EPSG:4326", _EQUAL_AREA, always_xy=True)
    flat = shapely.transform(
        shapely.segmentize(shape, 0.1),
        lambda points: np.column_stack(move.transform(*points.T)),
    )
    return float(shapely.area(flat))
