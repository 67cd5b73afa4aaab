"""A STAC API: opened by name or address, and asked for items, page by page."""

from __future__ import annotations

import operator
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from geoseg.errors import SceneError
from geoseg.scene.composite.dates import TimeRange, parse_interval
from geoseg.storage.remote import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pystac_client import Client
    from pystac_client.exceptions import APIError

    from geoseg.options import SearchOptions

CATALOGUES = {
    "earth-search": "https://earth-search.aws.element84.com/v1",
    "planetary-computer": "https://planetarycomputer.microsoft.com/api/stac/v1",
    "cdse": "https://stac.dataspace.copernicus.eu/v1",
}
"""Catalogues that are known by name."""
_TIMEOUT_S = 30.0
_RETRIES = 4
"""How often a request is made again that the server was too busy for."""
_BACK_OFF_S = 0.2
"""Seconds before the second of these; twice as many before each further one."""
_BUSY = (429, 500, 502, 503, 504)
_PAGE = 100
"""Items of a page."""
_QUERY = re.compile(r"([\w:.-]+)\s*(<=|>=|!=|=|<|>)\s*(.+)")
_OPERATORS = dict(
    zip(
        ("=", "!=", "<", "<=", ">", ">="),
        ("eq", "neq", "lt", "lte", "gt", "gte"),
        strict=True,
    )
)
"""What people write, and STAC's query extension."""
_COMPARED = {
    **{name: getattr(operator, name) for name in ("eq", "lt", "gt")},
    "neq": operator.ne,
    "lte": operator.le,
    "gte": operator.ge,
}
_NAMED = 12
"""Collections that a message names."""
CLOUD = "eo:cloud_cover"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What items have to be; each can be left out, to see what it excluded."""

    collections: tuple[str, ...]
    """The collections that they are in."""
    area: Mapping[str, Any] | None = None
    """What they meet, a GeoJSON geometry."""
    interval: TimeRange | None = None
    """When they were acquired."""
    query: tuple[tuple[str, str, str | float], ...] = ()
    """Properties, an operator of STAC's query extension, and a value, each."""
    limit: int | None = None
    """How many are taken at most."""

    @classmethod
    def of(cls, options: SearchOptions, area: Mapping[str, Any] | None) -> Conditions:
        """Read what was asked for.

        Raises:
            SceneError: It cannot be read.

        """
        query = [_property(each) for each in options.query]
        if options.max_cloud is not None:
            query.append((CLOUD, "lte", float(options.max_cloud)))
        when = options.datetime
        return cls(
            options.collection,
            area,
            None if when is None else parse_interval(when),
            tuple(query),
            options.limit,
        )

    def check_bounded(self) -> None:
        """Refuse to ask for all that a collection has.

        Raises:
            SceneError: There is neither a place nor a time, nor a number.

        """
        if self.area is None and self.interval is None and self.limit is None:
            raise SceneError(
                f"all of {', '.join(self.collections)} may be millions of items: say "
                f"where (`aoi` or `bbox`), when (`datetime`) or how many (`limit`)"
            )

    def without(self) -> Iterator[tuple[str, Conditions]]:
        """Give the same without each of the conditions, by what it is called."""
        if self.query:
            names = ", ".join(dict.fromkeys(name for name, _, _ in self.query))
            yield f"the condition on {names}", replace(self, query=())
        if self.interval is not None:
            yield f"`datetime` {self.interval}", replace(self, interval=None)
        if self.area is not None:
            yield "the area", replace(self, area=None)

    def holds(self, properties: Mapping[str, Any]) -> bool:
        """Return whether an item's properties are as they have to be."""
        return all(_is(properties.get(n), o, value) for n, o, value in self.query)


class Catalogue:
    """A STAC API that answers."""

    def __init__(self, client: Client, address: str) -> None:
        """Take a client: use `open_catalogue`."""
        self._client, self.address = client, address

    def check_collections(self, wanted: tuple[str, ...]) -> None:
        """Refuse collections that it lacks.

        Raises:
            SceneError: There is none of that name; names those that are near.

        """
        with _in_our_words(self.address):
            known = [each.id for each in self._client.get_collections()]
        missing = [each for each in wanted if each not in known]
        if wanted and not missing:
            return
        near = get_close_matches(missing[0], known, 3, 0.5) if missing else known
        listed = ", ".join((near or known)[:_NAMED])
        if missing:
            raise SceneError(
                f"{self.address} has no collection {missing[0]!r}; "
                f"{'did you mean' if near else 'it has'} {listed or 'none'}"
            )
        raise SceneError(
            f"say which `collection` of {self.address} to look in; it has {listed}"
        )

    def items(self, conditions: Conditions) -> Iterator[dict[str, Any]]:
        """Ask for items, the newest first, page by page.

        Conditions on properties are the server's to keep where it can, and are kept
        here in any case.

        Raises:
            SceneError: It does not answer, or with an error.

        """
        area, when = conditions.area, conditions.interval
        asked: dict[str, Any] = {}
        if conditions.query and self._client.conforms_to("QUERY"):
            for name, sign, value in conditions.query:
                asked.setdefault(name, {})[sign] = value
        with _in_our_words(self.address):
            found = self._client.search(
                collections=list(conditions.collections),
                intersects=None if area is None else dict(area),
                datetime=None if when is None else str(when),
                query=asked or None,
                limit=_PAGE,
                sortby="-properties.datetime"
                if self._client.conforms_to("SORT")
                else None,
            )
            taken = 0
            for item in found.items_as_dicts():
                if conditions.limit is not None and taken >= conditions.limit:
                    return
                if conditions.holds(item.get("properties") or {}):
                    taken += 1
                    yield _named_whole(item, found.url or self.address)

    def count(self, conditions: Conditions, most: int) -> int:
        """Count items, up to so many."""
        return sum(1 for _ in self.items(replace(conditions, limit=most)))


def address_of(named: str) -> str:
    """Give a catalogue's address, without what may be secret."""
    return without_secrets(_address(named))


def _address(named: str) -> str:
    return CATALOGUES.get(named.lower(), named)


def open_catalogue(named: str) -> Catalogue:
    """Open a STAC API by a known name, or its address.

    Raises:
        SceneError: It does not answer, or is no STAC API that can be searched.

    """
    from pystac_client import Client  # noqa: PLC0415  # most commands search nothing
    from pystac_client.stac_api_io import StacApiIO  # noqa: PLC0415
    from urllib3 import Retry  # noqa: PLC0415

    url = _address(named)
    if not url.startswith(("http://", "https://")):
        raise SceneError(
            f"{named!r} is no catalogue: give the address of a STAC API, or one of "
            f"{', '.join(CATALOGUES)}"
        )
    address = without_secrets(url)
    retries = Retry(
        total=_RETRIES,
        backoff_factor=_BACK_OFF_S,
        status_forcelist=_BUSY,
        allowed_methods=None,
        raise_on_status=False,
    )
    with _in_our_words(address):
        client = Client.open(
            url, stac_io=StacApiIO(timeout=_TIMEOUT_S, max_retries=retries)
        )
    if not client.conforms_to("ITEM_SEARCH"):
        raise SceneError(
            f"{address} is a STAC document that cannot be searched; give the address "
            f"of an API, or name its items"
        )
    return Catalogue(client, address)


@contextmanager
def _in_our_words(address: str) -> Iterator[None]:
    """Say what went wrong between us and a server in one sentence."""
    import requests  # noqa: PLC0415  # with pystac_client
    from pystac import STACError, STACTypeError  # noqa: PLC0415
    from pystac_client.exceptions import APIError  # noqa: PLC0415

    try:
        yield
    except APIError as error:
        raise SceneError(f"{address} {_what_came(error)}") from error
    except requests.RequestException as error:
        raise SceneError(f"{address} does not answer ({_root(error)})") from error
    except (STACError, STACTypeError, ValueError, KeyError, TypeError) as error:
        raise SceneError(f"{address} is no STAC API ({_short(error)})") from error


def _what_came(error: APIError) -> str:
    """Say what a server answered that is no answer, or that it answered nothing."""
    import requests  # noqa: PLC0415  # as above

    status, cause = getattr(error, "status_code", None), error.__context__
    if status is not None:
        what = "try again later" if status in _BUSY else "check the address"
        return f"answers with an error (HTTP {status}); {what}"
    if isinstance(cause, requests.RequestException):
        return f"does not answer ({_root(cause)}); check the address"
    return f"is no STAC API ({_short(error)})"


def _root(error: Exception) -> str:
    """Give the reason that urllib3 wraps in those of connections, pools and retries."""
    said = _short(getattr(error.args[0], "reason", error) if error.args else error)
    return re.sub(r"^\[Errno -?\d+\] ", "", said.rpartition(": ")[2])


def _short(error: Exception) -> str:
    """Give the first words of an error, on one line and without secrets."""
    return without_secrets(" ".join(str(error).split()))[:160] or type(error).__name__


def _named_whole(item: dict[str, Any], asked: str) -> dict[str, Any]:
    """Write what an item refers to as addresses that hold wherever it is kept."""
    links = item.get("links") or ()
    own = next((each["href"] for each in links if each.get("rel") == "self"), asked)
    assets = {
        name: {**asset, "href": urljoin(own, str(asset.get("href", "")))}
        for name, asset in (item.get("assets") or {}).items()
    }
    return {**item, "assets": assets}


def _property(text: str) -> tuple[str, str, str | float]:
    found = _QUERY.fullmatch(text.strip())
    if found is None:
        raise SceneError(
            f"`query` is a property and what it may be, such as platform=sentinel-2a "
            f"or view:off_nadir<=10; got {text!r}"
        )
    name, sign, value = found.groups()
    try:
        return name, _OPERATORS[sign], float(value)
    except ValueError:
        return name, _OPERATORS[sign], value


def _is(found: object, sign: str, value: str | float) -> bool:
    """Return whether a property is what it has to be; one that is not there is not."""
    compare = _COMPARED[sign]
    if isinstance(value, float):
        return isinstance(found, int | float) and bool(compare(found, value))
    return found is not None and bool(compare(str(found), value))
