"""A map as a STAC item: valid, true of its files, and the same for the same map."""

import json
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from class_maps import call
from corner import write_corner
from pyproj import CRS, Transformer
from pystac.errors import STACValidationError
from stac_schemas import offline_validator

from geoseg.geo.geobox import GeoBox
from geoseg.report.stac_item import MapItem, UsedModel, item_of
from geoseg.storage.authorship import checksum

FLAGS = ("--tile", "64", "--overlap", "32")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_corner(tmp_path_factory.mktemp("small"), 70, 90)


@pytest.fixture(scope="module")
def out(small, tmp_path_factory):
    """Give a folder with all that a run can leave."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    formats = [f for name in ("gpkg", "shp", "pmtiles") for f in ("--format", name)]
    done = call(
        *("segment", small, "-o", folder, *FLAGS, *formats),
        *("--entropy", "--probabilities", "--min-confidence", "50"),
    )
    assert done.exit_code == 0, done.output
    return folder


def validate(item):
    return pystac.Item.from_dict(item).validate(offline_validator())


@pytest.fixture
def written(out):
    return json.loads((out / "landcover.stac.json").read_text())


def test_the_item_is_valid_by_pystacs_validator(written):
    assert len(validate(written)) == 6  # the core and five extensions


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (("properties", "proj:transform"), [1]),
        (("properties", "processing:level"), "5"),
        (("properties", "datetime"), "yesterday"),
        (("assets", "landcover", "file:checksum"), "12"),
        (("assets", "landcover", "raster:size"), 1),
        (("assets", "landcover", "classification:classes", 0, "color_hint"), "#fff"),
    ],
)
def test_the_validator_refuses_what_is_wrong(written, where, what):
    part = written
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = what
    with pytest.raises((STACValidationError, ValueError)):
        validate(written)


def test_it_names_every_product_with_its_checksum_and_stays_when_the_folder_moves(
    written, out
):
    report = json.loads((out / "run.json").read_text())
    assert set(written["assets"]) == set(report["products"]) - {"stac"}
    for name, asset in written["assets"].items():
        path = out / asset["href"]
        assert asset["href"] == f"./{path.name}"
        assert path.name == Path(report["products"][name]).name
        if name != "report":  # which knows this file's own checksum
            assert asset["file:checksum"] == f"1220{checksum(path)}"
            assert asset["file:size"] == path.stat().st_size
    assert report["checksums"]["landcover.stac.json"] == checksum(
        out / "landcover.stac.json"
    )


def test_it_says_what_values_mean_as_the_rasters_do(written, out):
    classes = written["assets"]["landcover"]["classification:classes"]
    with rasterio.open(out / "landcover.tif") as dataset:
        legend = json.loads(dataset.tags()["GEOSEG_LEGEND"])
        assert written["properties"]["proj:shape"] == list(dataset.shape)
        assert written["properties"]["proj:transform"] == list(dataset.transform)[:6]
        assert written["properties"]["proj:code"] == dataset.crs.to_string()
        assert written["assets"]["landcover"]["nodata"] == dataset.nodata
        corners = np.array(shapely.box(*dataset.bounds).exterior.coords)
        move = Transformer.from_crs(dataset.crs, 4326, always_xy=True)
        lonlat = shapely.points(*move.transform(*corners.T))
    assert [
        (c["value"], c["title"], f"#{c['color_hint'].lower()}") for c in classes
    ] == [(c["id"], c["name"], c["colour"]) for c in legend]
    outline = shapely.geometry.shape(written["geometry"]).buffer(1e-9)
    assert outline.covers(lonlat).all()
    assert outline.bounds == pytest.approx(written["bbox"], abs=1e-8)
    for name in ("entropy", "probabilities"):
        with rasterio.open(out / f"{name}.tif") as dataset:
            asset = written["assets"][name]
            assert asset["raster:scale"] == dataset.scales[0]
            names = [each["name"] for each in asset["bands"]]
            assert names == list(dataset.descriptions)


def test_it_links_to_the_models_item_and_to_what_the_map_was_made_from(written, small):
    model, scene = written["links"]
    assert model["rel"] == "derived_from"
    card = json.loads(Path(model["href"]).read_text())
    assert card["id"] == "sentinel2-landcover"
    assert model["mlm:name"] == f"{card['id']} {card['properties']['version']}"
    assert (scene["rel"], scene["href"]) == ("via", str(small))


def test_the_same_map_has_the_same_item_wherever_it_is_written(small, out, tmp_path):
    done = call(
        *("segment", small, "-o", tmp_path / "deeper" / "other", *FLAGS),
        *("--format", "gpkg", "--format", "shp", "--format", "pmtiles", "--block", "1"),
        *("--entropy", "--probabilities", "--min-confidence", "50"),
    )
    assert done.exit_code == 0, done.output
    other = tmp_path / "deeper" / "other" / "landcover.stac.json"
    assert other.read_bytes() == (out / "landcover.stac.json").read_bytes()


def item(geobox=None, acquired=(), inputs=()):
    return item_of(
        Path("out/landcover.stac.json"),
        MapItem(
            title="a",
            geobox=geobox or GeoBox(5, 7, Affine(1, 0, 9, 0, -1, 50), CRS(4326)),
            rasters={},
            products={"landcover": Path("out/landcover.tif"), "mask": Path("mask.tif")},
            checksums={},
            models=[UsedModel(name="m 1", card="/models/m/mlm.json")],
            inputs=inputs,
            acquired=acquired,
        ),
    )


@pytest.mark.parametrize(
    ("acquired", "times"),
    [
        (["2024:05:01 10:20:30"], {"datetime": "2024-05-01T10:20:30Z"}),
        (["20240501"], {"datetime": "2024-05-01T00:00:00Z"}),
        (
            ["2024-05-03T10:00:00.123Z", "2024-05-01T11:00:00Z"],
            {
                "datetime": None,
                "start_datetime": "2024-05-01T11:00:00Z",
                "end_datetime": "2024-05-03T10:00:00Z",
            },
        ),
        (
            ["2024-05-03", ""],
            {
                "datetime": None,
                "start_datetime": "1900-01-01T00:00:00Z",
                "end_datetime": "9999-12-31T23:59:59Z",
            },
        ),
    ],
)
def test_its_time_is_that_of_the_scene(acquired, times):
    made = item(acquired=acquired)
    found = {k: v for k, v in made["properties"].items() if k.endswith("datetime")}
    assert found == times
    validate(made)


def test_items_that_a_map_was_made_from_are_linked_as_such():
    links = item(inputs=[("https://a.example/item.json", True), ("b.tif", False)])[
        "links"
    ]
    assert [(link["rel"], link["href"]) for link in links[1:]] == [
        ("derived_from", "https://a.example/item.json"),
        ("via", "b.tif"),
    ]


def test_a_mask_above_the_folder_is_named_from_there():
    assert item()["assets"]["mask"]["href"] == "../mask.tif"


def test_a_plane_that_is_nowhere_on_earth_has_no_outline():
    crs = CRS('LOCAL_CS["a building site",UNIT["metre",1]]')
    made = item(GeoBox(5, 7, Affine(1, 0, 9, 0, -1, 50), crs))
    assert made["geometry"] is None
    assert "bbox" not in made
    validate(made)


def test_a_map_across_the_antimeridian_is_drawn_in_two_parts():
    made = item(GeoBox(5, 7, Affine(1, 0, 177, 0, -1, 50), CRS(4326)))
    assert made["geometry"]["type"] == "MultiPolygon"
    assert made["bbox"] == [177, 45, -176, 50]
    validate(made)
