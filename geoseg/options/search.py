"""What a user may ask of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoseg.options.declare import option


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What is looked for in a catalogue, beside where."""

    HEADING: ClassVar[str] = "Search"

    collection: tuple[str, ...] = option(
        (), "The collection to look in: sentinel-2-l2a.", repeats=True, metavar="ID"
    )
    datetime: str | None = option(
        None,
        "When: a day, month or year, or two with a slash between: 2024-05/2024-09.",
        metavar="FROM/TO",
    )
    max_cloud: float | None = option(
        None,
        "The most cloud that an item may say it has (eo:cloud_cover), in percent.",
        least=0,
        most=100,
    )
    query: tuple[str, ...] = option(
        (),
        "A property and what it may be: platform=sentinel-2a, view:off_nadir<=10.",
        repeats=True,
        metavar="NAME=VALUE",
    )
    limit: int | None = option(
        None, "Take no more items than this, the newest.", otherwise="all", least=1
    )
