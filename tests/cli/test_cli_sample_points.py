"""From a map to points, labels, and what they say of the whole map, as a user goes."""

from __future__ import annotations

import json
import re

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from class_maps import CORNER, NAMES, call, points, refuse, write

MATRIX = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)


@pytest.fixture
def class_map(tmp_path):
    """Field, wood and a small lake, with a strip of nodata."""
    values = np.zeros((120, 100), np.uint8)
    values[:, 40:] = 1
    values[10:20, 50:58] = 2
    values[:, :5] = 255
    return write(tmp_path / "map.tif", values)


def sample(class_map, output, *flags):
    done = call("sample-points", class_map, "-o", output, *flags, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["classes"]


def fill_in(path, truth, **changes):
    """Label each point with the class that an array has there."""
    frame = geopandas.read_file(path)
    ground = frame.to_crs("EPSG:32633").geometry
    positions = [~CORNER @ (x, y) for x, y in zip(ground.x, ground.y, strict=True)]
    frame["reference"] = [NAMES[truth[int(row), int(col)]] for col, row in positions]
    for column, value in changes.items():
        frame.loc[: value[0] - 1, column] = value[1]
    frame.to_file(path, layer="points")
    return path


def test_the_worked_example_of_olofsson(tmp_path):
    """Ten million pixels of 30 m, and 640 points with the paper's counts.

    In an equal-area CRS, so that 30 m are 30 m.
    """
    values = np.repeat(np.arange(4), PIXELS).astype(np.uint8).reshape(2500, 4000)
    thirty = Affine(30, 0, 4_000_000, 0, -30, 3_200_000)  # of equal area
    with rasterio.open(
        tmp_path / "change.tif", "w", driver="GTiff", dtype="uint8", count=1,
        height=2500, width=4000, crs="EPSG:3035", transform=thirty, nodata=255,
        compress="deflate", tiled=True,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    xy, truth = [], []
    firsts = np.cumsum([0, *PIXELS])
    for mapped, row in enumerate(MATRIX):
        positions = np.linspace(firsts[mapped], firsts[mapped + 1] - 1, sum(row))
        positions = positions.astype(int)
        xy += [thirty @ (at % 4000 + 0.5, at // 4000 + 0.5) for at in positions]
        truth += np.repeat(range(4), row).tolist()
    frame = geopandas.GeoDataFrame(
        {"reference": truth}, geometry=geopandas.points_from_xy(*zip(*xy, strict=True)),
        crs="EPSG:3035",
    )  # fmt: skip
    frame.to_file(tmp_path / "points.gpkg")
    arguments = ("--reference", tmp_path / "points.gpkg", "--stratified")
    done = call("evaluate", tmp_path / "change.tif", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["stratified"]
    deforestation = found["classes"][0]
    assert deforestation["mapped_pixels"] == 200_000
    assert round(deforestation["area_pixels"]) == 235_086
    assert round(deforestation["area_ha"]) == 21_158
    assert round(1.96 * deforestation["area_ha_standard_error"]) == 6_158
    assert [round(end) for end in deforestation["area_ha_interval"]] == [17_758, 33_417]
    assert round(found["overall_accuracy"], 3) == 0.947
    shown = call("evaluate", tmp_path / "change.tif", *arguments)
    row = r"18,000\s+21,158 \(17,758 to 33,417\)\s+74\.9 \(47\.3 to 87\.1\)\s+88\.0"
    assert re.search(row, shown.stdout)


@pytest.mark.parametrize("name", ["points.gpkg", "points.geojson"])
def test_points_drawn_labelled_and_measured(tmp_path, class_map, name):
    output = tmp_path / name
    strata = sample(class_map, output, "-n", "100", "--minimum", "20")
    assert [each["points"] for each in strata] == [30, 50, 20]
    assert [each["pixels"] for each in strata] == [4200, 7120, 80]
    frame = geopandas.read_file(output)
    assert list(frame.columns) == ["id", "reference", "geometry"]
    assert frame["reference"].isna().all()
    assert frame["id"].tolist() == list(range(1, 101))
    design = json.loads((tmp_path / f"{name}.design.json").read_text())
    assert design["seed"] == 0
    with rasterio.open(class_map) as dataset:
        truth = dataset.read(1)
    assert (truth == 2).sum() == 80
    truth[30:90, 40:50] = 0  # the map calls a corner of the field wood
    fill_in(output, truth)
    flags = ("--reference", output, "--stratified", "--json")
    done = call("evaluate", class_map, *flags)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["compared"] == 100
    field = found["stratified"]["classes"][0]
    assert field["mapped_ha"] == pytest.approx(42, rel=1e-3)
    low, high = field["area_ha_interval"]
    assert low < 48 < high
    lake = found["stratified"]["classes"][2]
    assert (lake["users_accuracy"], lake["users_accuracy_standard_error"]) == (1, 0)
    # 20 of 20 points: Wilson's interval begins at 20 / (20 + 1.96^2).
    assert lake["users_accuracy_interval"] == pytest.approx([0.8389, 1], abs=1e-4)
    (warning,) = found["warnings"]
    assert "the sample is too small for the area of lake" in warning
    assert "more points in wood would narrow it most" in warning


def test_the_same_seed_gives_the_same_bytes(tmp_path, class_map):
    files = []
    for seed in ("0", "0", "1"):
        output = tmp_path / "points.gpkg"
        sample(class_map, output, "-n", "60", "--minimum", "5", "--seed", seed)
        files.append(output.read_bytes())
    assert files[0] == files[1] != files[2]


def test_the_same_draw_is_the_same_bytes_whatever_the_files_name(tmp_path, class_map):
    for suffix in (".gpkg", ".geojson"):
        files = []
        for name in ("a", "another name"):
            output = tmp_path / f"{name}{suffix}"
            sample(class_map, output, "-n", "60", "--minimum", "5")
            design = output.with_name(f"{output.name}.design.json")
            files.append((output.read_bytes(), design.read_bytes()))
        assert files[0] == files[1]


@pytest.mark.parametrize("name", ["work.gpkg", "work.geojson"])
def test_labels_are_kept_where_their_points_are_drawn_again(tmp_path, class_map, name):
    output = tmp_path / name
    sample(class_map, output, "-n", "60", "--minimum", "10")
    with rasterio.open(class_map) as dataset:
        truth = dataset.read(1)
    fill_in(output, truth)
    frame = geopandas.read_file(output)
    frame.loc[50:, "reference"] = None
    frame["note"] = ["wet" if number == 2 else None for number in range(60)]
    frame.to_file(output, layer="points")
    strata = sample(class_map, output, "-n", "300", "--minimum", "20")
    assert sum(each["labelled"] for each in strata) == 50
    after = geopandas.read_file(output)
    assert len(after) == 300
    assert after["id"].tolist() == list(range(1, 301))
    ground = after.to_crs("EPSG:32633").geometry
    positions = [~CORNER @ (x, y) for x, y in zip(ground.x, ground.y, strict=True)]
    true = [NAMES[truth[int(row), int(col)]] for col, row in positions]
    labelled = after["reference"].notna()
    assert labelled.sum() == 50
    assert (after["reference"][labelled] == np.array(true)[labelled]).all()
    (wet,) = np.flatnonzero(after["note"].notna())
    assert ground.iloc[wet].distance(
        frame.to_crs("EPSG:32633").geometry.iloc[2]
    ) == pytest.approx(0, abs=1e-3)


def test_labels_that_would_be_lost_and_files_of_others_are_left_alone(
    tmp_path, class_map
):
    output = tmp_path / "work.gpkg"
    sample(class_map, output, "-n", "60", "--minimum", "10")
    with rasterio.open(class_map) as dataset:
        fill_in(output, dataset.read(1))
    before = output.read_bytes()
    for flags in (("-n", "30"), ("-n", "60", "--seed", "1")):
        arguments = ("sample-points", class_map, "-o", output, "--minimum", "5")
        sentence = refuse(tmp_path, *arguments, *flags)
        assert "of the 60 labelled points of" in sentence
        assert "their labels would be lost" in sentence
    (tmp_path / "work.gpkg.design.json").unlink()
    sentence = refuse(tmp_path, *arguments, "-n", "60")
    assert "would be replaced" in sentence
    assert output.read_bytes() == before


@pytest.fixture
def stripes(tmp_path):
    """Three stripes from west to east; half of the last column is in none of them."""
    values = np.repeat(np.repeat([[4, 7, 9]], 120, axis=0), 34, axis=1)[:, :100]
    values[::2, -1] = 255
    path = write(tmp_path / "strata.tif", values.astype(np.uint8))
    names = {4: "west", 7: "middle", 9: "east"}
    legend = [{"id": i, "name": n, "colour": "#336699"} for i, n in names.items()]
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(GEOSEG_LEGEND=json.dumps(legend))
    return path, values


def test_strata_that_are_not_the_maps_classes(tmp_path, class_map, stripes):
    strata, stratum = stripes
    with rasterio.open(class_map) as dataset:
        mapped = dataset.read(1)
    truth = np.where(np.indices(mapped.shape)[0] < 30, 2, mapped)
    sampled = (mapped != 255) & (stratum != 255)
    sizes = [int((stratum[sampled] == value).sum()) for value in (4, 7, 9)]
    output = tmp_path / "points.gpkg"
    drawn = sample(
        class_map, output, "-n", "240", "--minimum", "60", "--strata", strata
    )
    assert [each["name"] for each in drawn] == ["west", "middle", "east"]
    assert [each["pixels"] for each in drawn] == sizes
    frame = geopandas.read_file(fill_in(output, truth))
    done = call(
        "evaluate", class_map, "--reference", output, "--strata", strata, "--json"
    )
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert "60 pixels of the map lie in no stratum" in found["warnings"][0]
    # Stehman (2014): an indicator's means in the strata, weighted by their pixels.
    positions = [~CORNER @ (point.x, point.y) for point in frame.geometry]
    at = np.array([stratum[int(row), int(col)] for col, row in positions])
    is_lake = frame["reference"].to_numpy() == "lake"
    means = [is_lake[at == value].mean() for value in (4, 7, 9)]
    lake = found["stratified"]["classes"][2]
    assert lake["area_pixels"] == pytest.approx(np.dot(means, sizes))
    assert lake["mapped_pixels"] == (mapped[sampled] == 2).sum()
    low, high = lake["area_pixels_interval"]
    assert low < (truth[sampled] == 2).sum() < high


def test_a_sample_of_other_strata_is_distinguished_from_one_of_classes(
    tmp_path, class_map, stripes
):
    strata, stratum = stripes
    output = tmp_path / "points.gpkg"
    sample(class_map, output, "-n", "90", "--minimum", "30", "--strata", strata)
    with rasterio.open(class_map) as dataset:
        fill_in(output, dataset.read(1))

    def refused(*flags):
        flags = ("--reference", output, "--stratified", *flags)
        return refuse(tmp_path, "evaluate", class_map, *flags)

    assert "give them as strata" in refused()
    turned = write(tmp_path / "turned.tif", stratum[:, ::-1].astype(np.uint8))
    with rasterio.open(strata) as dataset, rasterio.open(turned, "r+") as other:
        other.update_tags(GEOSEG_LEGEND=dataset.tags()["GEOSEG_LEGEND"])
    assert "in another stratum than there is" in refused("--strata", turned)
    small = write(tmp_path / "small.tif", stratum[1:].astype(np.uint8))
    assert "strata lie on the map's own pixels" in refused("--strata", small)


def test_allocations(tmp_path, class_map):
    def points_of(*flags):
        flags = ("-n", "120", "--minimum", "10", *flags)
        strata = sample(class_map, tmp_path / "points.gpkg", *flags)
        return [each["points"] for each in strata]

    assert points_of() == [41, 69, 10]
    assert points_of("--allocation", "equal") == [40, 40, 40]
    expected = ("--expected", "field=0.5,wood=0.98,lake=0.9")
    # 4200 x 0.5 to 7120 x 0.14, beside the ten of the lake.
    assert points_of("--allocation", "neyman", *expected) == [75, 35, 10]
    assert points_of("--workers", "1") == [41, 69, 10]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-n", "100"], "100 points are too few for 50 in each of the 3 classes"),
        (["-n", "20000"], "cannot be drawn from a map of 11,400 pixels"),
        (["--allocation", "neyman"], "that of field, wood, lake is missing"),
        (["--expected", "wood=0.5"], "are for the allocation 'neyman'"),
        (
            ["--allocation", "neyman", "--expected", "wood=1"],
            "more than 0 and less than 1, got 1",
        ),
        (["--allocation", "neyman", "--expected", "wod=0.5"], "did you mean wood"),
        (["-o", "points.shp"], "written as .gpkg or .geojson"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, class_map, flags, words):
    output = tmp_path / "points.gpkg"
    arguments = ["sample-points", class_map, "-o", output, *flags]
    assert words in refuse(tmp_path, *arguments)


def test_a_map_without_a_class_is_refused(tmp_path):
    empty = write(tmp_path / "map.tif", np.full((9, 9), 255, np.uint8))
    sentence = refuse(tmp_path, "sample-points", empty, "-o", tmp_path / "points.gpkg")
    assert "has no pixel with a class" in sentence


def test_a_sample_that_is_none_is_refused(tmp_path, class_map):
    output = tmp_path / "points.gpkg"
    sample(class_map, output, "-n", "60", "--minimum", "10")

    def refused(*flags, on=class_map, by=output):
        flags = ("--reference", by, "--stratified", *flags)
        return refuse(tmp_path, "evaluate", on, *flags)

    assert "none of the 60 points on the map has a class yet" in refused()
    with rasterio.open(class_map) as dataset:
        truth = dataset.read(1)
    fill_in(output, truth, reference=(3, None))
    assert "3 points of 60 in" in refused()
    assert "without a class yet (id 1, 2, 3); label them" in refused()
    fill_in(output, truth)
    assert "drawn in another class than this map" in refused(
        on=write(tmp_path / "other.tif", truth[::-1].copy())
    )
    area = points(tmp_path / "area.gpkg", [(3, 50)], ["a"])
    geopandas.read_file(area).buffer(200).to_file(area)
    assert "is of the whole map" in refused("--within", area)
    (tmp_path / "points.gpkg.design.json").write_text("[1]")
    assert "does not say how" in refused()
    for positions, words in (
        ([(30, 20), (300, 3)], "few.gpkg has 1 point outside the map"),
        ([(30, 20), (30, 3)], "1 point where the map has no class"),
        ([(30, 20), (30, 21)], "class 'wood' covers 7,120 pixels"),
    ):
        by = points(tmp_path / "few.gpkg", positions, ["field", "field"])
        assert words in refused(by=by)
    by = tmp_path / "polygons.gpkg"
    geopandas.read_file(area).assign(reference="wood").to_file(by)
    assert "needs points that were drawn" in refused(by=by)
