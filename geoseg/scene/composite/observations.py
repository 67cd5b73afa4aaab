"""Which members are one look at the ground, and which look goes first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pyproj import CRS

from geoseg.errors import SceneError
from geoseg.scene.composite.dates import moment, parse_date, parse_interval
from geoseg.scene.warp.coordinates import mover

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import Rule, SceneOptions
    from geoseg.scene.members import Member

STACKED = frozenset(("median", "medoid", "mean", "max-ndvi"))
"""Rules that weigh all clear looks at a pixel."""
DATED = frozenset(("newest-clear", "nearest-clear", "least-cloud"))
"""Rules that take the first clear look, in an order of their own."""
_NEAR = frozenset(("nearest-clear", "least-cloud", "medoid", "max-ndvi"))
"""Rules that go by a date, the first in any case, the others of equals."""
_NAMED = 3
"""Members that a message names."""
_LONLAT = CRS.from_epsg(4326)
_HOUR_DEG = 15
"""Degrees that the sun moves in an hour."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of the ground on one day, by one member or several side by side."""

    members: tuple[Member, ...]
    """Its members; of two that have data somewhere, the first counts."""
    day: date | None
    """The day by the sun where it was seen; None where it does not say."""


def when(member: Member) -> datetime | None:
    """Say when a member was acquired, in UTC; None where it does not say."""
    return moment(member.layers[0].raster.acquired)


def cloudiness(member: Member) -> float | None:
    """Say how much of a member's ground was cloudy, in percent; None where unknown."""
    return member.layers[0].raster.cloud


def solar_day(member: Member) -> date | None:
    """Say on which day a member was acquired, by the sun where it lies.

    A satellite passes at about one solar time, so that neighbours of one pass share
    the day, wherever on Earth midnight in Greenwich falls between them.
    """
    acquired = when(member)
    if acquired is None:
        return None
    longitude = _longitude(member.layers[0].raster.geobox)
    return (acquired + timedelta(hours=longitude / _HOUR_DEG)).date()


def observed(members: Sequence[Member], rule: Rule) -> tuple[Observation, ...]:
    """Group members into observations, in their order.

    Those of one day are one look: where two of them overlap, as tiles of a pass do, the
    ground was not seen twice. One that does not say its day is a look by itself, as is
    each where the rule does not go by days.
    """
    if rule not in STACKED | DATED:
        return tuple(Observation((each,), solar_day(each)) for each in members)
    groups: dict[object, list[Member]] = {}
    for index, member in enumerate(members):
        groups.setdefault(solar_day(member) or index, []).append(member)
    return tuple(
        Observation(tuple(group), solar_day(group[0])) for group in groups.values()
    )


def check_near(options: SceneOptions) -> None:
    """Refuse a rule without the date that it goes by, and a date that none goes by.

    Raises:
        SceneError: It is so, or the date is none.

    """
    rule = options.mosaic
    if options.near is None and rule == "nearest-clear":
        raise SceneError("`mosaic=nearest-clear` needs a date to be near: give `near`")
    if options.near is None:
        return
    if rule not in _NEAR:
        raise SceneError(
            f"`near` is a date that `mosaic={rule}` does not go by; leave it out, or "
            f"give `mosaic=nearest-clear` (of equals, least-cloud, medoid and max-ndvi "
            f"go by it as well)"
        )
    parse_date(options.near, "near")


def in_order_of_looks(members: Sequence[Member], options: SceneOptions) -> list[Member]:
    """Sort members by which look goes first: is chosen, or wins where looks are equal.

    The newest first, or the nearest to a date, or the least cloudy; members of one day
    side by side, and those without a date last, as they were named.

    Raises:
        SceneError: The rule needs what a member does not say.

    """
    rule = options.mosaic
    if rule in DATED:
        _check_known(members, rule)
    near = None if options.near is None else parse_date(options.near, "near")
    ranked = sorted(members, key=lambda each: _rank(each, rule, near))
    looks = observed(ranked, rule)
    return [member for look in looks for member in sorted(look.members, key=_age)]


def within(members: Sequence[Member], options: SceneOptions) -> tuple[Member, ...]:
    """Keep the members that were acquired in the time asked for: all where none is.

    Raises:
        SceneError: A member does not say when it was acquired, or none was then.

    """
    if options.datetime is None:
        return tuple(members)
    wanted = parse_interval(options.datetime)
    acquired = {id(each): when(each) for each in members}
    silent = [each.name for each in members if acquired[id(each)] is None]
    if silent:
        raise SceneError(
            f"{_some(silent)} does not say when it was acquired (a tag such as "
            f"TIFFTAG_DATETIME, or an item's datetime), which `datetime` goes by; "
            f"leave it out, or name the files"
        )
    kept = tuple(each for each in members if acquired[id(each)] in wanted)  # type: ignore[operator]  # none is None
    if not kept:
        days = sorted({f"{at:%Y-%m-%d}" for at in acquired.values() if at})
        raise SceneError(
            f"nothing was acquired in `datetime` {options.datetime}; there is "
            f"{_some(days)}"
        )
    return kept


def _check_known(members: Sequence[Member], rule: Rule) -> None:
    """Refuse members that do not say what a rule goes by."""
    silent = [each.name for each in members if when(each) is None]
    if silent and rule != "least-cloud":
        raise SceneError(
            f"{_some(silent)} does not say when it was acquired (a tag such as "
            f"TIFFTAG_DATETIME, or an item's datetime), which `mosaic={rule}` goes by; "
            f"choose another `mosaic`, such as median"
        )
    if rule == "least-cloud":
        silent = [each.name for each in members if cloudiness(each) is None]
        if silent:
            raise SceneError(
                f"{_some(silent)} does not say how cloudy it is (an item's "
                f"eo:cloud_cover), which `mosaic=least-cloud` goes by; choose another "
                f"`mosaic`, such as newest-clear"
            )


def _age(member: Member) -> float:
    """Give a number that is less for what is newer."""
    acquired = when(member)
    return math.inf if acquired is None else -acquired.timestamp()


def _rank(
    member: Member, rule: Rule, near: datetime | None
) -> tuple[float, float, float]:
    acquired, off = when(member), 0.0
    if near is not None:
        off = math.inf if acquired is None else abs((acquired - near).total_seconds())
    cloud = cloudiness(member) if rule == "least-cloud" else None
    return cloud or 0.0, off, _age(member)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


@lru_cache(maxsize=4096)
def _longitude(plane: GeoBox) -> float:
    """Give the longitude of a plane's middle, in degrees."""
    x, y = plane.xy(row=plane.height / 2, col=plane.width / 2)
    east, _ = mover(plane.crs, _LONLAT, None)(np.array([x]), np.array([y]))
    return float(east[0]) if math.isfinite(east[0]) else 0.0
