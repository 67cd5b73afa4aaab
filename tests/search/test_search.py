"""A catalogue asked by place and time: a STAC API on this machine."""

import json
import socket

import pytest
import shapely
from click.testing import CliRunner
from stac_api import CONFORMS, stac_api
from web import served

import geoseg
from geoseg import InputError, SearchOptions
from geoseg.cli import main
from geoseg.search import stac_client

S2 = "sentinel-2-l2a"
BOX = (13.0, 52.0, 13.2, 52.1)
AREA = ",".join(map(str, BOX))


def make(day, cloud, box=BOX, name="T33", **more):
    """Write an item as an API gives it."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"{name}_{day}",
        "collection": S2,
        "geometry": json.loads(shapely.to_geojson(shapely.box(*box))),
        "bbox": list(box),
        "properties": {"datetime": f"{day}T10:20:30Z", "eo:cloud_cover": cloud, **more},
        "links": [],
        "assets": {},
    }


WEST, EAST = (12.0, 51.0, 13.1, 53.0), (13.05, 51.0, 14.0, 53.0)
ITEMS = [
    *(make(f"2024-0{month}-15", 10 * month, WEST, "T32") for month in range(1, 10)),
    *(make(f"2024-0{month}-15", 10 * month, EAST, "T33") for month in range(1, 10)),
    make("2024-07-20", 5, (40, 40, 41, 41), "T40"),
    make("2024-06-15", 60, WEST, "S2B", platform="sentinel-2b"),
]


@pytest.fixture(scope="module")
def api():
    with stac_api(ITEMS) as server:
        yield server


def asked(**more):
    return SearchOptions(collection=(S2,), **more)


def test_a_search_keeps_the_items_of_a_place_and_a_time(api, tmp_path):
    found = geoseg.search(
        api.url,
        tmp_path / "items.json",
        aoi=AREA,
        options=asked(datetime="2024-05/2024-07", max_cloud=65),
        plot=tmp_path / "found.png",
    )
    assert [day.day for day in found.days] == ["2024-06-15", "2024-05-15"]
    assert [day.cloud for day in found.days] == [60, 50]
    assert [len(day.items) for day in found.days] == [3, 2]
    assert all(day.covered == pytest.approx(1) for day in found.days)
    content = json.loads((tmp_path / "items.json").read_text())
    wanted = [
        item["id"]
        for item in ITEMS
        if item["properties"]["datetime"][5:7] in {"05", "06"}
    ]
    assert sorted(item["id"] for item in content["features"]) == sorted(wanted)
    assert content["search"]["datetime"] == "2024-05/2024-07"
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    # Pages have three items at most: two requests, each with all conditions.
    assert api.asked[-1]["query"] == {"eo:cloud_cover": {"lte": 65}}
    assert api.asked[-1]["token"] == 3


def test_the_share_of_an_area_is_that_on_the_ground(api, tmp_path):
    options = asked(datetime="2024-06-15", query=("platform=sentinel-2b",))
    found = geoseg.search(api.url, tmp_path / "i.json", aoi=AREA, options=options)
    assert found.days[0].items == ("S2B_2024-06-15",)
    assert found.days[0].covered == pytest.approx(0.5, abs=1e-6)


def test_what_a_server_does_not_filter_is_filtered_here(tmp_path):
    options = asked(max_cloud=25, query=("eo:cloud_cover>10",), limit=1)
    with stac_api(ITEMS, conforms=CONFORMS[:3]) as plain:
        found = geoseg.search(plain.url, tmp_path / "i.json", aoi=AREA, options=options)
        assert all("query" not in each for each in plain.asked)
    assert [day.day for day in found.days] == ["2024-02-15"]
    assert found.items == 1


@pytest.mark.parametrize(
    ("options", "area", "words"),
    [
        (
            {"datetime": "2024-05/2024-06", "max_cloud": 20},
            AREA,
            "there are 5 without the condition on eo:cloud_cover, 4 without `datetime`",
        ),
        ({"datetime": "2024-07-20", "max_cloud": 20}, AREA, "1 without the area"),
        ({"datetime": "2024-07-32"}, AREA, "`datetime` is a day"),
        ({"query": ("cloudy",)}, AREA, "`query` is a property"),
        ({"max_cloud": 20}, None, "may be millions of items: say where"),
    ],
)
def test_where_nothing_is_found_each_condition_says_what_it_excluded(
    api, tmp_path, options, area, words
):
    with pytest.raises(InputError, match=words):
        geoseg.search(api.url, tmp_path / "i.json", aoi=area, options=asked(**options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (("sentinel-2-l1c",), "no collection 'sentinel-2-l1c'; did you mean sentinel"),
        ((), "say which `collection`"),
    ],
)
def test_a_collection_that_is_not_there_is_reported_with_those_that_are(
    api, tmp_path, named, words
):
    options = SearchOptions(collection=named)
    with pytest.raises(InputError, match=words):
        geoseg.search(api.url, tmp_path / "i.json", options=options)


def test_a_busy_server_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stac_client, "_BACK_OFF_S", 0.001)
    with stac_api(ITEMS) as server:
        server.failing = 3
        found = geoseg.search(server.url, tmp_path / "i.json", options=asked(limit=2))
        assert found.items == 2
        server.failing = 1000
        with pytest.raises(InputError, match=r"error \(HTTP 503\); try again later"):
            geoseg.search(server.url, tmp_path / "j.json", options=asked())
        server.status = 403
        with pytest.raises(InputError, match=r"\(HTTP 403\); check the address"):
            geoseg.search(server.url, tmp_path / "j.json", options=asked())


def test_what_is_no_catalogue_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(stac_client, "_RETRIES", 0)
    with pytest.raises(InputError, match="is no catalogue: give the address"):
        geoseg.search("earthsearch", tmp_path / "i.json", options=asked())
    with stac_api(ITEMS, conforms=CONFORMS[:1]) as server:
        with pytest.raises(InputError, match="cannot be searched"):
            geoseg.search(server.url, tmp_path / "i.json", options=asked())
        with pytest.raises(InputError, match=r"HTTP 404"):
            geoseg.search(f"{server.url}/nowhere", tmp_path / "i", options=asked())
    with socket.socket() as taken:  # bound and not listening: nobody answers there
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = rf"{url} does not answer \(Connection refused\); check the address"
        with pytest.raises(InputError, match=said):
            geoseg.search(url, tmp_path / "i.json", options=asked())
    (tmp_path / "image.tif").write_bytes(b"II*\0\xc0\xff")
    (tmp_path / "page.html").write_text("<html></html>")
    with served(tmp_path) as (url, _):
        for name in ("image.tif", "page.html"):
            said = rf"{url}/{name} is no STAC API"
            with pytest.raises(InputError, match=said):
                geoseg.search(f"{url}/{name}", tmp_path / "i.json", options=asked())


def test_the_command_lists_days_and_writes_a_scene(api, tmp_path):
    out = tmp_path / "items.json"
    arguments = ["search", api.url, "--collection", S2, "--bbox", AREA, "-o", str(out)]
    result = CliRunner().invoke(main, [*arguments, "--datetime", "2024-06/2024-07"])
    assert result.exit_code == 0, result.output
    assert "2024-06-15   60 %        100 %      3" in result.stdout
    assert len(json.loads(out.read_text())["features"]) == 5
    result = CliRunner().invoke(main, [*arguments, "--max-cloud", "1"])
    assert result.exit_code == 2
    assert "without the condition on eo:cloud_cover" in result.output
