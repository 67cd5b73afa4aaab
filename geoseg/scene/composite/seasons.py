"""Times of the year: which members a model's window of dates takes, of any year."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.errors import SceneError
from geoseg.scene.composite.dates import TimeRange, parse_interval
from geoseg.scene.composite.observations import when

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from geoseg.scene.members import Member

_SEASON = re.compile(r"\s*(\d\d)-(\d\d)\s*/\s*(\d\d)-(\d\d)\s*")
_LEAP = 2024
_NAMED = 5
"""Dates that a message names."""


@dataclass(frozen=True, slots=True)
class Season:
    """Days of every year, from one to another; round the turn of the year as well."""

    first: tuple[int, int]
    """Month and day that it begins with."""
    last: tuple[int, int]
    """Month and day that it ends with, which is in it."""

    def __contains__(self, moment: datetime) -> bool:
        """Whether a moment, in UTC, lies in it."""
        day = moment.month, moment.day
        if self.first <= self.last:
            return self.first <= day <= self.last
        return day >= self.first or day <= self.last


def parse_window(text: str) -> Season | TimeRange:
    """Read days of every year, ``03-01/05-15``, or a range as `parse_interval` does.

    Example:
        >>> parse_window("11-15/02-15")
        Season(first=(11, 15), last=(2, 15))

    Raises:
        SceneError: It is neither.

    """
    found = _SEASON.fullmatch(text)
    if found is None:
        try:
            return parse_interval(text)
        except SceneError as error:
            raise SceneError(
                f"{text!r} is no window of dates; write days of every year, such as "
                f"03-01/05-15, or a time, such as 2024-06/2024-08"
            ) from error
    numbers = [int(each) for each in found.groups()]
    first, last = (numbers[0], numbers[1]), (numbers[2], numbers[3])
    for month, day in (first, last):
        if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(_LEAP, month)[1]):  # noqa: PLR2004  # months of a year
            raise SceneError(f"{month:02}-{day:02} is no day of a year; got {text!r}")
    return Season(first, last)


def taken_in(members: Sequence[Member], name: str, text: str) -> tuple[Member, ...]:
    """Keep the members that were acquired in a window of dates, in their order.

    Args:
        members: A scene's.
        name: What the window is called, for messages.
        text: The window, as `parse_window` reads it.

    Raises:
        SceneError: A member does not say when it was acquired; or none was then: the
            message says which dates there are.

    """
    window = parse_window(text)
    acquired = [(member, when(member)) for member in members]
    silent = [member.name for member, at in acquired if at is None]
    if silent:
        raise SceneError(
            f"{silent[0]} does not say when it was acquired (a tag such as "
            f"TIFFTAG_DATETIME, or an item's datetime), and dates of {name} "
            f"({text}) are wanted; give items or files that do"
        )
    kept = tuple(member for member, at in acquired if at is not None and at in window)
    if not kept:
        days = sorted({f"{at:%Y-%m-%d}" for _, at in acquired if at is not None})
        more = f" and {len(days) - _NAMED} more" if len(days) > _NAMED else ""
        raise SceneError(
            f"nothing was acquired in the window {name} ({text}); there is "
            f"{', '.join(days[:_NAMED])}{more}"
        )
    return kept
