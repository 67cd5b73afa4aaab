"""Hectares by district: against shapely's and pyproj's, on grids of all kinds."""

from __future__ import annotations

import json

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from class_maps import CORNER, NAMES, call, points, refuse, write
from paths import SAMPLE
from pyproj import CRS, Geod

import geoseg
from geoseg.errors import InputError
from geoseg.evaluate.zonal import zonal_areas
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import plain_legend
from geoseg.geo.windows import Window
from geoseg.overlay.aoi import Zones
from geoseg.raster.arrays import ArrayMap
from geoseg.raster.extents import pixel_areas

ROWS, COLS = 90, 120
LEGEND = plain_legend(range(3))


@pytest.fixture
def values():
    """Give three classes in patches, and a corner of nodata."""
    made = np.random.default_rng(1).integers(0, 3, (ROWS // 6, COLS // 6))
    made = np.kron(made, np.ones((6, 6))).astype(np.uint8)
    made[:20, :30] = 255
    return made


def districts(transform, count=7, seed=0):
    """Cut the ground of a map into districts with slanted edges."""
    rng = np.random.default_rng(seed)
    whole = shapely.box(0, 0, COLS, ROWS)
    seeds = shapely.MultiPoint(rng.uniform((0, 0), (COLS, ROWS), (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=whole))
    cut = [shapely.intersection(cell, whole) for cell in cells]
    return shapely.transform(cut, lambda p: np.column_stack(transform @ p.T))


def saved(path, shapes, crs="EPSG:32633", **columns):
    columns = columns or {"name": [f"district {i}" for i in range(len(shapes))]}
    geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path)
    return path


def table(class_map, *arguments, **settings):
    return geoseg.areas(class_map, *arguments, **settings).to_frame()


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", CORNER),
        ("EPSG:32633", CORNER @ Affine.rotation(30) @ Affine.scale(1.5, 1)),
        ("EPSG:4326", Affine(0.01, 0, 13, 0, -0.01, 60)),
        ("EPSG:3857", Affine(30, 0, 1_500_000, 0, -30, 8_400_000)),
    ],
    ids=["utm", "rotated", "degrees", "mercator"],
)
def test_districts_that_cover_a_map_sum_to_its_own_areas(
    tmp_path, values, crs, transform
):
    path = write(tmp_path / "map.tif", values, crs=crs, transform=transform)
    zones = saved(tmp_path / "zones.gpkg", districts(transform), crs)
    summed = table(path, zones=zones, by="name").groupby("class_name")["area_ha"].sum()
    whole = table(path).set_index("class_name")["area_ha"]
    assert (summed / whole - 1).abs().max() < 1e-9


def test_areas_are_those_of_the_pixels_cut_by_the_districts(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    shapes = districts(CORNER)
    found = table(path, zones=saved(tmp_path / "zones.gpkg", shapes), by="name")
    cells = {
        value: shapely.union_all(
            [
                shapely.Polygon([CORNER @ (c + x, r + y) for x, y in SQUARE])
                for r, c in np.argwhere(values == value)
            ]
        )
        for value in NAMES
    }
    geod = Geod(ellps="WGS84")
    planar = shapely.area(shapes[0])
    ground = geopandas.GeoSeries([shapes[0]], crs="EPSG:32633").to_crs(4326)
    scale = abs(geod.geometry_area_perimeter(ground.iloc[0])[0]) / planar
    for row in found.itertuples():
        shape = shapes[int(row.zone.split()[1])]
        expected = shapely.intersection(shape, cells[row.class_id]).area * scale / 1e4
        assert row.area_ha == pytest.approx(expected, rel=1e-4, abs=1e-4)


SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]


def test_districts_may_overlap_and_come_in_any_crs(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    one, *_ = districts(CORNER)
    both = saved(tmp_path / "two.gpkg", [one, one], name=["a", "b"])
    found = table(path, zones=both, by="name")
    a, b = (found[found["zone"] == name]["area_ha"].to_numpy() for name in "ab")
    assert (a == b).all()
    assert a.sum() > 0
    other = geopandas.read_file(both).to_crs(4326)
    moved = table(path, zones=other, by="name")["area_ha"].to_numpy()
    assert moved == pytest.approx(found["area_ha"].to_numpy(), rel=1e-4)


def test_a_map_larger_than_a_square_is_summed_over_its_squares(tmp_path):
    values = np.random.default_rng(2).integers(0, 3, (1100, 1300), np.uint8)
    path = write(tmp_path / "map.tif", values, tiled=True)
    x, y = CORNER @ (1000.25, 1010.5)
    half = shapely.box(x, y - 500, x + 500.5, y + 202.5)
    zones = saved(tmp_path / "zones.gpkg", [half], name=["half"])
    left, top = ~CORNER @ (half.bounds[0], half.bounds[3])
    right, low = ~CORNER @ (half.bounds[2], half.bounds[1])
    cols = np.clip(
        np.minimum(np.arange(1300) + 1, right) - np.maximum(np.arange(1300), left), 0, 1
    )
    rows = np.clip(
        np.minimum(np.arange(1100) + 1, low) - np.maximum(np.arange(1100), top), 0, 1
    )
    covered = np.bincount(values.ravel(), np.outer(rows, cols).ravel())
    found = table(path, zones=zones, by="name")["area_ha"].to_numpy()
    assert found / found.sum() == pytest.approx(covered / covered.sum(), rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_districts_along_pixels_that_reach_beyond_the_map_are_counted(seed):
    """Their areas are sums of quarters of pixels: numpy counts them exactly.

    Given a part that only touches the map, the library that cuts pixels may end the
    process.
    """
    rng = np.random.default_rng(seed)
    corners = rng.integers(-20, 90, (8, 2)) / 2
    sizes = rng.integers(1, 50, (8, 2)) / 2
    boxes = np.column_stack([corners, corners + sizes])
    boxes = np.vstack([boxes, [(-7.5, 5, 0, 12)]])  # beside the map, along its edge
    shape = shapely.union_all([shapely.box(*each) for each in boxes])
    plane = GeoBox(24, 31, Affine.translation(0, 0), CRS.from_epsg(32633))
    halves = np.zeros((48, 62), bool)
    for left, top, right, low in (boxes * 2).astype(int).clip(0).tolist():
        halves[top:low, left:right] = True
    values = rng.integers(0, 3, (24, 31), np.uint8)
    zones = Zones(("a",), np.array([shape], object), ())
    found = zonal_areas(ArrayMap(values, plane, LEGEND), zones, LEGEND, None)
    parts = halves.reshape(24, 2, 31, 2).mean(axis=(1, 3))
    sizes_m2 = pixel_areas(plane, Window(0, 0, 24, 31))
    expected = np.bincount(values.ravel(), (parts * sizes_m2).ravel(), 3)
    assert found.areas[0] == pytest.approx(expected, rel=1e-6)


def test_the_labels_of_the_sample_are_districts_as_well(tmp_path):
    with rasterio.open(SAMPLE / "scene.tif") as dataset:
        profile = {"crs": dataset.crs, "transform": dataset.transform}
    class_map = write(tmp_path / "map.tif", np.ones((300, 700), np.uint8), **profile)
    found = table(class_map, zones=SAMPLE / "labels.gpkg", by="class")
    assert found.groupby("zone")["area_ha"].sum().max() > 1


def test_features_of_one_name_are_one_district_and_it_says_so(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    shapes = districts(CORNER)
    zones = saved(tmp_path / "z.gpkg", shapes[:3], name=["north", "south", "north"])
    found = geoseg.areas(path, zones=zones, by="name")
    assert list(found.to_frame()["zone"].unique()) == ["north", "south"]
    assert found.warnings == (
        "1 zone has several features, taken as one (name: north)",
    )
    away = shapely.transform(shapes[1:2], lambda p: p + 1_000_000)
    zones = saved(tmp_path / "f.gpkg", [shapes[0], away[0]], name=["here", "far"])
    found = geoseg.areas(path, zones=zones, by="name")
    assert found.to_frame().groupby("zone")["area_ha"].sum()["far"] == 0
    assert found.warnings == ("1 zone is not on the map and has no area (name: far)",)
    geoseg.areas(path, zones=zones, by="name", output=tmp_path / "areas.gpkg")
    table_of_zones = geopandas.read_file(tmp_path / "areas.gpkg")
    assert table_of_zones.geometry.isna().tolist() == [False, True]


def test_confidences_are_means_over_the_ground_of_a_class(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    sure = np.random.default_rng(3).integers(20, 100, values.shape).astype(np.uint8)
    sure[values == 255] = 255
    sure[40:50] = 255
    write(tmp_path / "confidence.tif", sure)
    for row in table(path).itertuples():
        there = (values == row.class_id) & (sure != 255)
        assert row.confidence == pytest.approx(sure[there].mean() / 100, rel=1e-5)


def test_tables_are_written_in_three_formats_and_the_same_each_time(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    zones = saved(tmp_path / "zones.gpkg", districts(CORNER))
    for suffix, read in (
        (".csv", pd.read_csv),
        (".parquet", pd.read_parquet),
        (".gpkg", geopandas.read_file),
    ):
        output = tmp_path / f"areas{suffix}"
        call("areas", path, "--zones", zones, "--by", "name", "-o", output)
        first = output.read_bytes()
        done = call("areas", path, "--zones", zones, "--by", "name", "-o", output)
        assert done.exit_code == 0, done.output
        assert output.read_bytes() == first
        found = read(output)
        record = json.loads(output.with_name(f"{output.name}.json").read_text())
        assert record["map"] == str(path)
        wide = suffix == ".gpkg"
        assert len(found) == (7 if wide else 21)
        hectares = found["wood_ha" if wide else "area_ha"]
        if not wide:
            hectares = hectares[found["class_name"] == "wood"]
        wanted = table(path, zones=zones, by="name").query("class_name == 'wood'")
        assert hectares.to_numpy() == pytest.approx(wanted["area_ha"].to_numpy())


def test_a_table_that_somebody_made_or_changed_is_kept(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    mine = tmp_path / "mine.csv"
    mine.write_text("my,own\n")
    assert "geoseg did not write it" in refuse(tmp_path, "areas", path, "-o", mine)
    assert mine.read_text() == "my,own\n"
    done = call("areas", path, "-o", mine, "--overwrite")
    assert done.exit_code == 0
    mine.write_text(mine.read_text() + "a note\n")
    assert "somebody has changed it" in refuse(tmp_path, "areas", path, "-o", mine)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--zones", "zones.gpkg"], "give --by, the field of zones.gpkg"),
        (["--by", "name"], "there are no zones"),
        (["--zones", "zones.gpkg", "--by", "nome"], "no field 'nome'"),
        (["--zones", "empty.gpkg", "--by", "name"], "without 'name'"),
        (["--zones", "far.gpkg", "--by", "name"], "does not overlap"),
        (["--zones", "points.gpkg", "--by", "name"], "no polygon"),
        (["--zones", "none.gpkg", "--by", "name"], "none.gpkg"),
        (["-o", "areas.xlsx"], ".csv"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    tmp_path, values, monkeypatch, flags, sentence
):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "map.tif", values)
    shapes = districts(CORNER)
    saved("zones.gpkg", shapes)
    saved("empty.gpkg", shapes[:2], name=["a", None])
    saved("far.gpkg", shapely.transform(shapes[:1], lambda p: p + 1e6), name=["a"])
    saved("points.gpkg", [shapely.Point(CORNER @ (50, 50))], name=["a"])
    assert sentence in refuse(tmp_path, "areas", path, *flags)


def test_a_sample_says_what_there_is_in_a_district_with_enough_points(tmp_path, values):
    """West: the areas that the map shows, split as its points say. East: too few."""
    path = write(tmp_path / "map.tif", values)
    west, east = (
        shapely.box(*CORNER @ (left, ROWS), *CORNER @ (right, 0))
        for left, right in ((0, 60), (60, COLS))
    )
    zones = saved(tmp_path / "zones.gpkg", [west, east], name=["west", "east"])
    positions, truth = [], []
    rng = np.random.default_rng(4)
    for value, count in ((0, 20), (1, 30), (2, 10)):
        there = np.argwhere(values[:, :60] == value)
        positions += rng.permutation(there)[:count].tolist()
        truth += [NAMES[value]] * (count - 5) + [NAMES[(value + 1) % 3]] * 5
    positions += [np.argwhere(values[:, 60:] == 0)[0] + (0, 60)]
    truth += ["field"]
    labels = points(tmp_path / "points.gpkg", positions, truth)
    found = table(path, zones=zones, by="name", reference=labels)
    rows = found[found["zone"] == "west"].set_index("class_name")
    mapped = rows["area_ha"]
    expected = {
        "field": mapped["field"] * 15 / 20 + mapped["lake"] * 5 / 10,
        "wood": mapped["wood"] * 25 / 30 + mapped["field"] * 5 / 20,
        "lake": mapped["lake"] * 5 / 10 + mapped["wood"] * 5 / 30,
    }
    for name, area in expected.items():
        assert rows["estimate_ha"][name] == pytest.approx(area)
        assert rows["low_ha"][name] < area < rows["high_ha"][name]
    east_rows = found[found["zone"] == "east"]
    assert east_rows["estimate_ha"].isna().all()
    assert east_rows["note"].str.contains("too few points").all()


def test_a_reference_must_be_points_of_a_sample(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    zones = saved(
        tmp_path / "zones.gpkg", districts(CORNER)[:2], **{"class": ["wood", "lake"]}
    )
    begun = []
    with pytest.raises(InputError, match="covers ground"):
        geoseg.areas(path, reference=zones, on_step=begun.append)
    with pytest.raises(InputError, match="no field"):
        geoseg.areas(path, zones=zones, by="nome", on_step=begun.append)
    assert not begun, "refused before the map is measured"


def test_the_whole_map_has_the_areas_of_a_run(tmp_path, values):
    path = write(tmp_path / "map.tif", values)
    done = call("areas", path, "--json")
    rows = {row["class_name"]: row for row in json.loads(done.stdout)["rows"]}
    with rasterio.open(path) as dataset:
        counts = np.bincount(dataset.read(1).ravel(), minlength=3)
    shares = counts[:3] / counts[:3].sum()
    for value, name in NAMES.items():
        assert rows[name]["share"] == pytest.approx(shares[value], rel=1e-4)


def test_a_folder_stands_for_its_map(tmp_path, values):
    write(tmp_path / "landcover.tif", values)
    of_folder, of_map = geoseg.areas(tmp_path), geoseg.areas(tmp_path / "landcover.tif")
    assert of_folder.rows == of_map.rows
    drawn = [
        geoseg.vectorize(each, tmp_path / f"{i}.gpkg").classes
        for i, each in enumerate((tmp_path, tmp_path / "landcover.tif"))
    ]
    assert drawn[0] == drawn[1]
    (tmp_path / "empty").mkdir()
    sentence = refuse(tmp_path, "areas", tmp_path / "empty")
    assert "is a folder without a map" in sentence
