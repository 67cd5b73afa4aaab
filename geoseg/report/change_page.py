"""The page of what changed between two maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.report.html import asset, render
from geoseg.report.map_page import detail_sentence, legend_json, write_within
from geoseg.report.plane_summary import describe_plane
from geoseg.report.report import area_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.report.pyramid import Planes, Pyramid

_MOST = 12
"""Transitions that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """What a page shows and says."""

    title: str
    """The heading."""
    subtitle: str
    """What of which ground it is, in a line."""
    planes: Planes
    """What each pixel was, and is."""
    legend: Legend
    """The classes of both."""
    hectares: NDArray[np.float64]
    """Ground by what it was (rows) and is (columns), in the legend's order."""
    note: str
    """With what in mind the figures are to be read."""
    facts: Sequence[tuple[str, str]] = ()
    """What was compared: pairs of a name and a text."""
    warnings: Sequence[str] = ()
    """What a reader should know, a sentence each."""


def write_change_page(path: Path, page: ChangePage, megabytes: float) -> None:
    """Write a page that needs no other file: see `write_map_page`."""
    write_within(
        path, megabytes, (page.planes, None), lambda pyramid: _render(page, pyramid)
    )


def _render(page: ChangePage, pyramid: Pyramid) -> str:
    plane, rows = describe_plane(page.planes.geobox), _rows(page)
    transitions = _transitions(page)
    shown, rest = transitions[:_MOST], transitions[_MOST:]
    return render(
        "change.html",
        scripts=["viewer.js"],
        data={
            "kind": "change",
            "plane": plane,
            "legend": legend_json(page.legend),
            "places": [],
            **pyramid.as_json(),
        },
        title=page.title,
        subtitle=page.subtitle,
        plane=plane,
        rows=rows,
        row_count=sum(bool(each["there"]) for each in rows) + len(shown) // 2,
        transitions=shown,
        more=f"and {len(rest)} more, in change.csv" if rest else "",
        unit="Hectares.",
        note=f"{page.note[:1].upper()}{page.note[1:]}.",
        detail=detail_sentence(pyramid),
        facts=page.facts,
        warnings=page.warnings,
        licences=asset("viewer.LICENSE.txt"),
    )


def _rows(page: ChangePage) -> list[dict[str, object]]:
    """Say of each class what it lost and gained; bars are in percent of the longest."""
    same = np.diag(page.hectares)
    before, after = page.hectares.sum(axis=1), page.hectares.sum(axis=0)
    lost, gained = before - same, after - same
    longest = max(float(lost.max()), float(gained.max())) or 1.0
    return [
        {
            "id": each.id,
            "name": each.name,
            "colour": each.colour,
            "there": bool(before[n] or after[n]),
            "before": _number(before[n]),
            "lost": _number(lost[n]),
            "gained": _number(gained[n]),
            "after": _number(after[n]),
            "lost_share": f"{50 * lost[n] / longest:.2f}",
            "gained_share": f"{50 * gained[n] / longest:.2f}",
        }
        for n, each in enumerate(page.legend)
    ]


def _number(hectares: float) -> str:
    return f"{hectares:,.1f}"


def _transitions(page: ChangePage) -> list[dict[str, object]]:
    """List what became of what, the most first."""
    classes = list(page.legend)
    pairs = [
        (float(page.hectares[was, now]), classes[was], classes[now])
        for was, now in np.argwhere(page.hectares).tolist()
        if was != now
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1].id, pair[2].id))
    most = pairs[0][0] if pairs else 0.0
    return [
        {"was": was, "now": now, "area": area_text(hectares, most)}
        for hectares, was, now in pairs
    ]
