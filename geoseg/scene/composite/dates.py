"""Moments and ranges of them, as files, items and people write them."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from geoseg.errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACQUIRED = re.compile(
    r"\s*(\d{4})[:-]?(\d\d)[:-]?(\d\d)(?:[T ]?(\d\d):?(\d\d):?(\d\d)(\.\d+)?)?.*"
)
"""How TIFF's tags, Sentinel-2's metadata and items write a moment, in UTC."""
_SAID = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?)?"
)
"""How people write one: a year, a month, a day, or RFC 3339."""
_LAST = timedelta(microseconds=1)


def moment(text: str) -> datetime | None:
    """Read when a picture was acquired; None where the text does not say.

    Example:
        >>> moment("2023:01:31 10:15:00").isoformat()
        '2023-01-31T10:15:00+00:00'
        >>> moment("last summer")

    """
    found = _ACQUIRED.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(e or 0) for e in found.groups()[:6])
    clock = timedelta(hours=hour, minutes=minute, seconds=second + float(found[7] or 0))
    try:
        return datetime(year, month, day, tzinfo=UTC) + clock
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time; None where it has no end."""

    start: datetime | None
    """The first moment of it."""
    stop: datetime | None
    """The last."""

    def __contains__(self, when: datetime) -> bool:
        """Whether a moment lies in it."""
        return (self.start is None or self.start <= when) and (
            self.stop is None or when <= self.stop
        )

    def __str__(self) -> str:
        """Write it as RFC 3339 has it, and a STAC API takes it."""
        ends = (self.start, self.stop)
        return "/".join(".." if end is None else _rfc3339(end) for end in ends)


def parse_interval(text: str) -> TimeRange:
    """Read a day, month, year or moment, or two with a slash between; ``..`` is open.

    Example:
        >>> str(parse_interval("2024-05/2024-09"))
        '2024-05-01T00:00:00Z/2024-09-30T23:59:59.999999Z'
        >>> str(parse_interval("2024-02-29"))
        '2024-02-29T00:00:00Z/2024-02-29T23:59:59.999999Z'
        >>> str(parse_interval("2023/.."))
        '2023-01-01T00:00:00Z/..'

    Raises:
        SceneError: It is none, or ends before it begins.

    """
    ends = [each.strip() for each in text.split("/")]
    if len(ends) > 2 or not any(end not in {"", ".."} for end in ends):  # noqa: PLR2004  # two ends
        raise SceneError(_not_a_date(text))
    spans = [None if end in {"", ".."} else _span(end, text) for end in ends]
    first, last = spans[0], spans[-1]
    found = TimeRange(first and first[0], last and last[1])
    if found.start and found.stop and found.start > found.stop:
        raise SceneError(f"`datetime` {text!r} ends before it begins; swap its ends")
    return found


def parse_date(text: str, option: str) -> datetime:
    """Read the middle of a day, month or year, or a moment.

    Raises:
        SceneError: It is none; the message names the option.

    """
    try:
        first, last = _span(text.strip(), text)
    except SceneError:
        raise SceneError(
            f"`{option}` is a day, such as 2024-07-15; got {text!r}"
        ) from None
    return first + (last - first) / 2


def periods(moments: Sequence[datetime], kind: str) -> dict[str, TimeRange]:
    """Cut time into months or quarters: those in which something was acquired, by name.

    Args:
        moments: When pictures were acquired.
        kind: ``month`` or ``quarter``.

    Example:
        >>> acquired = [moment("2024-02-29 10:00:00"), moment("2024-11-02")]
        >>> {name: str(each) for name, each in periods(acquired, "quarter").items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'2024-Q1': '2024-01-01T00:00:00Z/2024-03-31T23:59:59.999999Z',
         '2024-Q4': '2024-10-01T00:00:00Z/2024-12-31T23:59:59.999999Z'}

    """
    length = {"month": 1, "quarter": 3}[kind]
    found = {}
    for year, part in sorted({(at.year, (at.month - 1) // length) for at in moments}):
        first = part * length + 1
        name = f"{year}-{first:02}" if length == 1 else f"{year}-Q{part + 1}"
        start = datetime(year, first, 1, tzinfo=UTC)
        found[name] = TimeRange(start, _month_end(year, first + length - 1))
    return found


def _span(said: str, text: str) -> tuple[datetime, datetime]:
    """Give the first and the last moment of what is said."""
    found = _SAID.fullmatch(said)
    if found is None:
        raise SceneError(_not_a_date(text))
    year, month, day, hour, *_ = found.groups()
    try:
        if hour:
            at = datetime.fromisoformat(said)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            return at, at
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    except ValueError as error:
        raise SceneError(_not_a_date(text)) from error
    if day:
        return start, start + timedelta(days=1) - _LAST
    return start, _month_end(start.year, start.month if month else 12)


def _month_end(year: int, month: int) -> datetime:
    last = calendar.monthrange(year, month)[1]
    return datetime(year, month, last, tzinfo=UTC) + timedelta(days=1) - _LAST


def _not_a_date(text: str) -> str:
    return (
        f"`datetime` is a day, a month, a year or two of them with a slash between, "
        f"such as 2024-05/2024-09 or 2024-07-15/..; got {text!r}"
    )


def _rfc3339(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
