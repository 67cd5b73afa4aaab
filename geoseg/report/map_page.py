"""The page of a map: `report.html`, and what `geoseg view` shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from geoseg.geo.windows import Window
from geoseg.report.html import asset, render
from geoseg.report.places import Place, doubtful_places
from geoseg.report.plane_summary import describe_plane
from geoseg.report.pyramid import MEGABYTE, Pyramid, build_pyramid, levels_of
from geoseg.report.report import area_text
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from geoseg.geo.legend import Legend
    from geoseg.report.assessed_areas import AssessedArea
    from geoseg.report.imagery import Shown
    from geoseg.report.pyramid import ClassPlanes, Planes
    from geoseg.report.report import ClassArea, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPage:
    """What a page shows and says."""

    title: str
    """The heading."""
    subtitle: str
    """What of which ground it is, in a line."""
    planes: ClassPlanes
    """The map, and how sure it is."""
    legend: Legend
    """Its classes."""
    areas: Sequence[ClassArea]
    """How much of each there is."""
    image: Shown | None = None
    """What it is a map of."""
    intervals: Mapping[str, AssessedArea] = field(default_factory=dict)
    """What an accuracy assessment says of classes' areas, by their names."""
    facts: Sequence[tuple[str, str]] = ()
    """What ran on what: pairs of a name and a text."""
    warnings: Sequence[str] = ()
    """What a reader should know, a sentence each."""


def write_map_page(path: Path, page: MapPage, megabytes: float) -> None:
    """Write a page that needs no other file, whole or not at all.

    Args:
        path: The HTML file.
        page: What it shows.
        megabytes: How large it may be: tiles are as fine as that allows. The coarsest,
            at most 512 pixels a side, are there in any case.

    Raises:
        DiskError: The file cannot be written.

    """
    with page.planes.holding() as planes:
        places = _places(planes)
        write_within(
            path,
            megabytes,
            (planes, page.image),
            lambda pyramid: _render(page, places, pyramid),
        )


def write_within(
    path: Path,
    megabytes: float,
    shown: tuple[Planes, Shown | None],
    fill: Callable[[Pyramid], str],
) -> None:
    """Write a page with tiles that leave it within so many megabytes.

    Args:
        path: The HTML file.
        megabytes: How large it may be.
        shown: What its tiles are of: the map, and its image.
        fill: Gives the page with these tiles.

    """
    geobox = shown[0].geobox
    levels = levels_of(geobox.height, geobox.width)
    empty = fill(Pyramid(levels, {"map": (), "image": ()}))
    room = round(megabytes * MEGABYTE) - len(empty.encode())
    pyramid = build_pyramid(*shown, max(0, room))
    with atomic_file(path) as whole:
        whole.write_text(fill(pyramid), encoding="utf-8")


def _places(planes: ClassPlanes) -> list[Place]:
    """Find where the map is least sure, in its own pixels."""
    level = levels_of(planes.geobox.height, planes.geobox.width)[0]
    _, confidence = planes.read(level, Window(0, 0, level.height, level.width))
    scale = level.factor
    return [
        replace(
            each, col=each.col * scale, row=each.row * scale, side=each.side * scale
        )
        for each in doubtful_places(confidence)
    ]


def _render(page: MapPage, places: Sequence[Place], pyramid: Pyramid) -> str:
    marks: list[Json] = [
        {"col": each.col, "row": each.row, "side": each.side} for each in places
    ]
    plane = describe_plane(page.planes.geobox)
    return render(
        "map.html",
        scripts=["viewer.js"],
        data={
            "kind": "map",
            "plane": plane,
            "legend": legend_json(page.legend),
            "places": marks,
            "shown": None if page.image is None else page.image.to_json(),
            **pyramid.as_json(),
        },
        title=page.title,
        subtitle=page.subtitle,
        plane=plane,
        has_image=page.image is not None,
        has_confidence=page.planes.confidence is not None,
        rows=_rows(page),
        row_count=sum(each.pixels > 0 for each in page.areas),
        places=places,
        note=_note(page),
        detail=detail_sentence(pyramid),
        facts=page.facts,
        warnings=page.warnings,
        licences=asset("viewer.LICENSE.txt"),
    )


def legend_json(legend: Legend) -> list[Json]:
    """Write a legend for the page's script."""
    return [
        {"id": each.id, "name": each.name, "colour": each.colour} for each in legend
    ]


def _rows(page: MapPage) -> list[dict[str, object]]:
    """Say of each class what the table shows; bars are in percent of the longest."""
    most = max((each.area_ha for each in page.areas), default=0.0)
    ends = [each.high for each in page.intervals.values()]
    scale = 100 / (max([most, *ends]) or 1.0)
    return [
        _row(each, page.intervals.get(each.name), most, scale) for each in page.areas
    ]


def _row(
    area: ClassArea, interval: AssessedArea | None, most: float, scale: float
) -> dict[str, object]:
    data: dict[str, object] = {
        "id": area.id,
        "name": area.name,
        "colour": area.colour,
        "pixels": area.pixels,
        "area": area_text(area.area_ha, most),
        "share": f"{area.share:.1%}",
        "sure": "" if area.confidence is None else f"{100 * area.confidence:.0f} %",
        "width": f"{area.area_ha * scale:.2f}",
        "interval": "",
    }
    if interval is not None:
        low, high = (area_text(x, most) for x in (interval.low, interval.high))
        data |= {
            "interval": f"{area_text(interval.estimate, most)}, {low} to {high}",
            "low": f"{interval.low * scale:.2f}",
            "span": f"{(interval.high - interval.low) * scale:.2f}",
        }
    return data


def _note(page: MapPage) -> str:
    if page.intervals:
        return (
            "Areas are counted on the map; what a sample of the ground says stands "
            "below, with its interval of 95 %, drawn over the bar."
        )
    return (
        "Areas are counted on the map, errors and all: a sample of the ground says "
        "how much there is, with intervals (geoseg sample-points)."
    )


def detail_sentence(pyramid: Pyramid) -> str:
    """Say how fine a page's tiles are."""
    found = len(pyramid.tiles["map"])
    factor = pyramid.levels[max(found, 1) - 1].factor
    if factor == 1:
        return "The map is here at its full resolution."
    return (
        f"A pixel here stands for {factor} x {factor} of the map: geoseg view, beside "
        f"the map, shows all."
    )
