"""A place and a time to the items of a catalogue: search()."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from geoseg.errors import SceneError
from geoseg.options import SearchOptions
from geoseg.overlay.aoi import read_lonlat
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.search.catalogue import Catalogue, Conditions, open_catalogue
from geoseg.search.picture import draw_found
from geoseg.search.results import FoundDay, by_day
from geoseg.storage.authorship import check_replaceable
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.overlay.aoi import Area

_COUNTED = 500
"""Up to here items are counted that a condition excluded."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    catalogue: str
    """The API."""
    items: int
    """How many items."""
    days: tuple[FoundDay, ...]
    """What there is of each day, the newest first."""
    output: str
    """The file with the items, which every command takes as a scene."""
    settings: dict[str, Any]
    """What was asked for."""

    def to_json(self) -> str:
        """Write it as JSON."""
        return json.dumps({"geoseg": version("geoseg"), **asdict(self)}, indent=2)


def search(  # noqa: PLR0913  # what to ask, where, and two files
    catalogue: str,
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: SearchOptions | None = None,
    plot: Path | str | None = None,
    overwrite: bool = False,
    on_step: OnStep = ignore_step,
) -> Found:
    """Look for imagery of a place and a time in a STAC API, and keep what is found.

    Nothing of the imagery is read. Addresses are kept as the catalogue gives them,
    unsigned, so that no secret is in the file and none expires.

    Args:
        catalogue: ``earth-search``, ``planetary-computer``, ``cdse``, or the address of
            any other STAC API.
        output: The file for the items, a JSON ItemCollection: a scene of every
            command, so that a run can be repeated.
        aoi: Where: a vector file of polygons, WKT, a box, or shapes, as `segment`
            takes it.
        options: Which collection, when, how cloudy.
        plot: A PNG of the footprints over the area; none where None.
        overwrite: Whether files may be replaced that geoseg did not write.
        on_step: Called when the search begins, from the calling thread.

    Returns:
        What was found, by days.

    Raises:
        InputError: Something given cannot be used, the catalogue does not answer or
            lacks the collection, or there is nothing: says which condition excluded
            how many. Nothing was written.
        DiskError: A file cannot be written.

    """
    options, path = options or SearchOptions(), Path(output)
    picture = None if plot is None else Path(plot)
    for each in (path, picture):
        if each is not None:
            check_replaceable(each, overwrite=overwrite)
    area = None if aoi is None else read_lonlat(aoi)
    shape = None if area is None else json.loads(shapely.to_geojson(area))
    conditions = Conditions.of(options, shape)
    on_step(Step("search"))
    api = open_catalogue(catalogue)
    api.check_collections(conditions.collections)
    items = sorted(api.items(conditions), key=_when, reverse=True)
    if not items:
        raise SceneError(_nothing(api, conditions))
    found = Found(
        catalogue=api.address,
        items=len(items),
        days=by_day(items, area),
        output=str(path),
        settings=asdict(options),
    )
    _write(path, items, found)
    if picture is not None:
        title = f"{len(items)} items of {', '.join(conditions.collections)}"
        draw_found(picture, items, area, title)
    return found


def _when(item: dict[str, Any]) -> tuple[str, str]:
    properties = item["properties"]
    return str(properties.get("datetime") or properties.get("start_datetime")), str(
        item["id"]
    )


def _write(path: Path, items: Sequence[dict[str, Any]], found: Found) -> None:
    """Write items as a collection that says what was asked for."""
    content = {
        "type": "FeatureCollection",
        "geoseg": version("geoseg"),
        "search": {"catalogue": found.catalogue, **found.settings},
        "features": list(items),
    }
    with atomic_file(path) as whole:
        whole.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _nothing(api: Catalogue, conditions: Conditions) -> str:
    """Say what excluded how many, where nothing is left."""
    silent = []
    for name, fewer in conditions.without():
        count = api.count(fewer, _COUNTED)
        many = f"{count} or more" if count >= _COUNTED else str(count)
        silent.append(f"{many} without {name}")
    where = f"{', '.join(conditions.collections)} of {api.address}"
    return (
        f"nothing was found in {where}"
        f"{': there are ' if silent else ''}{', '.join(silent)}; ask for less"
    )
