"""A STAC API on this machine: collections, and search with pages and filters.

It follows STAC API 1.0 (core, collections, item search, sort, query), as far as a
client asks for it, and has faults on demand.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import shapely
from json_server import JsonAnswers, serving

_API = "https://api.stacspec.org/v1.0.0"
CONFORMS = (
    f"{_API}/core",
    f"{_API}/collections",
    f"{_API}/item-search",
    f"{_API}/item-search#sort",
    f"{_API}/item-search#query",
)
_OPERATORS = {
    "eq": lambda found, value: found == value,
    "lte": lambda found, value: found <= value,
    "gte": lambda found, value: found >= value,
}


class _Handler(JsonAnswers, BaseHTTPRequestHandler):
    """Answer from what the server holds."""

    def do_GET(self):  # the library's name
        parts = [each for each in self.path.partition("?")[0].split("/") if each]
        if self._fails():
            return None
        if not parts:
            return self.answer(self._landing())
        known = self.server.collections
        if parts == ["collections"]:
            known_ones = [_collection(name) for name in known]
            return self.answer({"collections": known_ones, "links": []})
        return self.answer({"code": "NotFound"}, 404)

    def do_POST(self):  # the same
        body = self.body()
        if self._fails():
            return
        asked = json.loads(body)
        self.server.asked.append(asked)
        found = [each for each in self.server.items if self._fits(each, asked)]
        found.sort(key=lambda each: each["properties"]["datetime"], reverse=True)
        start, size = int(asked.get("token", 0)), min(asked.get("limit", 10), 3)
        page = {"type": "FeatureCollection", "features": found[start : start + size]}
        page["links"] = []
        if start + size < len(found):
            link = {"rel": "next", "href": f"{self.server.url}/search"}
            token = {"body": {**asked, "token": start + size}}
            page["links"] = [link | {"method": "POST"} | token]
        self.answer(page)

    def _fails(self):
        server = self.server
        with server.lock:
            server.requests += 1
            failing = server.failing
            server.failing = max(failing - 1, 0)
        if failing:
            self.answer({"code": "Busy"}, server.status)
        return bool(failing)

    def _fits(self, item, asked):
        properties, shape = item["properties"], asked.get("intersects")
        first, _, last = asked.get("datetime", "../..").partition("/")
        when = properties["datetime"]
        return (
            item["collection"] in asked["collections"]
            and (first == ".." or first <= when)
            and (last == ".." or when <= last)
            and (
                shape is None
                or shapely.intersects(_shape(shape), _shape(item["geometry"]))
            )
            and all(
                properties.get(name) is not None
                and _OPERATORS[operator](properties[name], value)
                for name, each in asked.get("query", {}).items()
                for operator, value in each.items()
            )
        )

    def _landing(self):
        url = self.server.url
        links = {"self": "/", "root": "/", "data": "/collections", "search": "/search"}
        listed = [{"rel": rel, "href": f"{url}{path}"} for rel, path in links.items()]
        listed[-1] |= {"method": "POST", "type": "application/geo+json"}
        return {
            "type": "Catalog",
            "id": "loopback",
            "stac_version": "1.0.0",
            "description": "a STAC API on this machine",
            "conformsTo": list(self.server.conforms),
            "links": listed,
        }


def _shape(geometry):
    return shapely.from_geojson(json.dumps(geometry))


def _collection(name):
    box, times = [[-180, -90, 180, 90]], [["2015-01-01T00:00:00Z", None]]
    return {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "other",
        "extent": {"spatial": {"bbox": box}, "temporal": {"interval": times}},
        "links": [],
    }


@contextmanager
def stac_api(items, collections=("sentinel-2-l2a", "landsat-c2-l2"), conforms=CONFORMS):
    """Serve items and give the server: `url`, `asked`, and `failing` requests."""
    state = {"items": items, "collections": collections, "conforms": conforms}
    faults = {"failing": 0, "status": 503}
    known = {"lock": threading.Lock(), "asked": [], "requests": 0}
    with serving(_Handler, **state, **faults, **known) as server:
        yield server
