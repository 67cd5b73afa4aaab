"""What a drawn sample remembers: in which class of the map each point was drawn.

It is kept in a file beside the points and not in their table, so that whoever labels
them does not see the map's answer. With it, a sample of another map is noticed.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from geoseg.errors import LabelsError, counted, json_text
from geoseg.storage.authorship import checksum

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SUFFIX = ".design.json"
_NAMED = 5
"""Points that a sentence names at most."""


def design_path(points: Path) -> Path:
    """Name the file beside a sample's points."""
    return points.with_name(f"{points.name}{_SUFFIX}")


def design_text(
    points: Path,
    settings: Mapping[str, Any],  # numbers and names, as JSON has them
    classes: Sequence[Mapping[str, Any]],  # the same
    strata: Mapping[str, str],
) -> str:
    """Write how a sample was drawn, and the stratum of each point.

    Args:
        points: The file of the points, whose checksum is kept.
        settings: How it was drawn.
        classes: The strata and what was drawn of each.
        strata: The name of each point's stratum, by the point's id.

    """
    document = {
        "geoseg": version("geoseg"),
        "sha256": checksum(points),
        **settings,
        "classes": list(classes),
        "map_class": dict(strata),
    }
    return json_text(document) + "\n"


def check_design(
    points: Path, names: Sequence[str], found: Sequence[str], *, strata: bool
) -> None:
    """Refuse points whose stratum is not the one in which they were drawn.

    Args:
        points: The sample's file. Without a file beside it, nothing is checked.
        names: The id of each point.
        found: The stratum there: the map's class, or that of other strata.
        strata: Whether other strata were given.

    Raises:
        LabelsError: Strata differ, or the file beside the points is damaged.

    """
    path = design_path(points)
    if not path.exists():
        return
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        drawn, other = document["map_class"], document.get("strata")
        pairs = [(name, drawn.get(name)) for name in names]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LabelsError(
            f"{path} does not say how {points} was drawn ({error}); bring it back, or "
            f"take it away to trust that the points were drawn on this map"
        ) from error
    if strata != bool(other):
        raise LabelsError(
            f"{points} was drawn within the strata of {other}; give them as strata"
            if other
            else f"{points} was drawn within the map's classes; give no other strata"
        )
    moved = [
        name
        for (name, then), now in zip(pairs, found, strict=True)
        if then is not None and then != now
    ]
    if moved:
        kind = "stratum than there is" if strata else "class than this map has there"
        raise LabelsError(
            f"{counted(len(moved), 'point')} of {len(names):,} in {points} drawn in "
            f"another {kind} (id {', '.join(moved[:_NAMED])}"
            f"{' ...' if len(moved) > _NAMED else ''}); give the "
            f"{'strata' if strata else 'map'} that they were drawn on"
        )
