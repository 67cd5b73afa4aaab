"""A place and a time to the items of a catalogue: search()."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from geoseg.errors import SceneError, counted
from geoseg.options import SearchOptions
from geoseg.overlay.aoi import read_lonlat
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.search.results import FoundDay, by_day
from geoseg.search.stac_client import (
    CATALOGUES,
    Catalogue,
    Conditions,
    address_of,
    open_catalogue,
)
from geoseg.storage.authorship import check_replaceable
from geoseg.storage.lock import locked_file
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapely import Geometry

    from geoseg.options.imagery import Signer
    from geoseg.overlay.aoi import Area

_COUNTED = 500
"""Up to here items are counted that a condition excluded."""


@dataclass(frozen=True, slots=True)
class Search:
    """Imagery that a catalogue has of a place and a time, looked for when it is used.

    `segment` and `composite` take one as their scene: they ask once and keep the items
    beside what they make, so that the same call carries on with the same items.

    Example:
        >>> import geoseg
        >>> june = geoseg.SearchOptions(collection=("landsat",), datetime="2024-06")
        >>> season = geoseg.Search("earth-search", june)
        >>> geoseg.segment(season, "map", aoi="parks.gpkg")  # doctest: +SKIP

    """

    catalogue: str
    """``earth-search``, ``planetary-computer``, ``cdse``, or a STAC API's address."""
    options: SearchOptions = field(default_factory=SearchOptions)
    """Which collection, when, how cloudy."""

    @property
    def signer(self) -> Signer | None:
        """Who signs the addresses of what is found; None where nobody has to."""
        if address_of(self.catalogue) == CATALOGUES["planetary-computer"]:
            return "planetary-computer"
        return None

    def find(self, area: Geometry | None) -> list[dict[str, Any]]:
        """Ask for items, the newest first.

        Args:
            area: What they meet, in WGS 84; None for anywhere.

        Raises:
            SceneError: It cannot be asked for, or there is nothing: says which
                condition excluded how many.

        """
        shape = None if area is None else json.loads(shapely.to_geojson(area))
        conditions = Conditions.of(self.options, shape)
        api = open_catalogue(self.catalogue)
        api.check_collections(conditions.collections)
        conditions.check_bounded()
        items = sorted(api.items(conditions), key=_when, reverse=True)
        if not items:
            raise SceneError(_nothing(api, conditions))
        return items

    def settings(self, area: Geometry | None) -> dict[str, Any]:
        """Say what is asked for, as JSON has it: the same for the same search."""
        content = {
            "catalogue": address_of(self.catalogue),
            "area": None if area is None else _summary(area),
            **asdict(self.options),
        }
        plain: dict[str, Any] = json.loads(json.dumps(content))
        return plain

    def document(self, items: Sequence[dict[str, Any]], area: Geometry | None) -> bytes:
        """Write items as a collection that says what was asked for."""
        content = {
            "type": "FeatureCollection",
            "geoseg": version("geoseg"),
            "search": self.settings(area),
            "features": list(items),
        }
        return (json.dumps(content, indent=1) + "\n").encode()


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
            how many; or another process writes there. Nothing was written.
        DiskError: A file cannot be written.

    """
    options, path = options or SearchOptions(), Path(output)
    picture = None if plot is None else Path(plot)
    files = [each for each in (path, picture) if each is not None]
    for each in files:
        check_replaceable(each, overwrite=overwrite)
    area = None if aoi is None else read_lonlat(aoi)
    asked = Search(catalogue, options)
    with ExitStack() as stack:
        for each in files:
            stack.enter_context(locked_file(each))
        on_step(Step("search"))
        items = asked.find(area)
        whole = [stack.enter_context(atomic_file(each)) for each in files]
        whole[0].write_bytes(asked.document(items, area))
        if picture is not None:
            from geoseg.search.picture import draw_found  # noqa: PLC0415  # matplotlib

            title = f"{counted(len(items), 'item')} of {', '.join(options.collection)}"
            draw_found(whole[1], items, area, title)
    return Found(
        catalogue=address_of(catalogue),
        items=len(items),
        days=by_day(items, area),
        output=str(path),
        settings=asdict(options),
    )


def _when(item: dict[str, Any]) -> tuple[str, str]:
    properties = item["properties"]
    return str(properties.get("datetime") or properties.get("start_datetime")), str(
        item["id"]
    )


def _summary(area: Geometry) -> dict[str, Any]:
    """Distinguish an area from others, however many corners it has."""
    digest = hashlib.sha256(shapely.to_wkb(area)).hexdigest()
    return {"bbox": [round(each, 6) for each in area.bounds], "sha256": digest}


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
