"""What a sample of the ground says of a map's areas: `geoseg.evaluate`, stratified."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from geoseg.report.report import ClassArea, Json


@dataclass(frozen=True, slots=True)
class AssessedArea:
    """What an accuracy assessment says of a class's area, in hectares."""

    estimate: float
    """What there is, by the sample."""
    low: float
    """Where the interval of 95 % begins."""
    high: float
    """Where it ends."""


@dataclass(frozen=True, slots=True)
class AssessedAreas:
    """The areas of a map's classes, as an assessment estimates them."""

    file: str
    """Its name."""
    mapped: Mapping[str, int]
    """How many pixels each class had on the map of which the sample was drawn."""
    intervals: Mapping[str, AssessedArea]
    """What there is of each class, by its name."""

    def check_classes(self, names: Iterable[str]) -> None:
        """Refuse an assessment in other classes than a map's.

        Raises:
            InputError: Names are left over on a side.

        """
        here, there = set(names), set(self.mapped)
        if here != there:
            sides = (("the map", here - there), ("the assessment", there - here))
            left = (f"{', '.join(sorted(own))} of {side}" for side, own in sides if own)
            raise InputError(
                f"{self.file} is of other classes than the map: {' and '.join(left)} "
                f"are left over; give as `assessment` what evaluates this map"
            )

    def of(self, areas: Sequence[ClassArea]) -> Mapping[str, AssessedArea]:
        """Give the intervals where the map is the one that was assessed; else none."""
        same = all(self.mapped.get(each.name) == each.pixels for each in areas)
        return self.intervals if same else {}

    def doubts(self, areas: Sequence[ClassArea]) -> Iterator[str]:
        """Say so where the map is another one, though of the same classes."""
        for each in areas:
            was = self.mapped.get(each.name)
            if was != each.pixels:
                yield (
                    f"{self.file} assesses another map ({was:,} pixels are {each.name} "
                    f"there, {each.pixels:,} here) and says nothing of this one"
                )
                return

    def to_json(self, areas: Sequence[ClassArea]) -> dict[str, Json] | None:
        """Give the intervals, if they are of this map; None if not."""
        found = self.of(areas)
        if not found:
            return None
        classes = {name: asdict(each) for name, each in found.items()}
        return {"file": self.file, "unit": "ha", "classes": classes}


def read_assessed_areas(path: Path) -> AssessedAreas:
    """Read what `geoseg.evaluate`, stratified left.

    Args:
        path: Its ``accuracy.json``.

    Raises:
        InputError: It is not there, or holds no estimates of areas.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = found["stratified"]["classes"]
        return AssessedAreas(
            path.name,
            {str(row["name"]): int(row["mapped_pixels"]) for row in rows},
            {str(row["name"]): _interval(row) for row in rows},
        )
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); name the accuracy.json that "
            f"geoseg evaluate leaves"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} holds no estimates of areas; name as `assessment` the "
            f"accuracy.json of geoseg evaluate with `stratified` in its output"
        ) from error


def _interval(row: Mapping[str, Any]) -> AssessedArea:
    low, high = row["area_ha_interval"]
    return AssessedArea(float(row["area_ha"]), float(low), float(high))
