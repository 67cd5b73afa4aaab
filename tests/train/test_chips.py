"""Chips for training elsewhere: rasterio says what is in them, brute force where."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pystac
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.features import rasterize
from rasterio.windows import Window as RasterioWindow
from rasterio.windows import transform as window_transform
from shapely import LineString, box

import geoseg
from geoseg.cli import main
from geoseg.errors import (
    DiskError,
    InputError,
    LabelsError,
    OutputError,
    PlanError,
    ResumeError,
    SceneError,
)
from geoseg.geo.splits import Split, covered
from geoseg.geo.windows import Window
from geoseg.progress import ignore_step
from geoseg.train.chips.lattice import lay, split_chips

PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
TURNED = PLANE @ Affine.rotation(20)
QUICK = geoseg.TileOptions(block=32, gap=3, chip=16)


def marked(windows, shape, grow=0):
    """Mark what windows show, and some pixels around."""
    seen = np.zeros(shape, bool)
    for window in windows:
        rows, cols = window.rows, window.cols
        seen[
            max(rows[0] - grow, 0) : rows[1] + grow,
            max(cols[0] - grow, 0) : cols[1] + grow,
        ] = True
    return seen


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(20, 90), st.integers(20, 90)),
    fold=st.integers(0, 4),
    block=st.integers(9, 30),
    gap=st.integers(0, 5),
    chip=st.integers(2, 15),
    data=st.data(),
)
def test_parts_of_a_split_keep_the_gap_and_held_out_chips_stay_in_their_blocks(
    shape, fold, block, gap, chip, data
):
    step = data.draw(st.integers(1, chip))
    test, validated = (Split(*shape, f % 5, block, gap) for f in (fold, fold + 1))
    whole = Window(0, 0, *shape)
    chips = list(split_chips(whole, chip, step, (test, validated)))
    assert len(set(chips)) == len(chips)
    parts = {
        part: [window for name, window in chips if name == part]
        for part in ("train", "validate", "test")
    }
    assert all(whole.contains(window) for _, window in chips)
    for part, split in (("test", test), ("validate", validated)):
        assert not (marked(parts[part], shape) & ~split.test_area()).any()
    for part, own in parts.items():
        others = [window for name, window in chips if name != part]
        assert not (marked(own, shape, gap) & marked(others, shape)).any()
    for window in parts["train"]:
        assert not test.meets(window)
        assert test.meets(window) == test.mask(window).any()


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(8, 60), st.integers(8, 60)),
    chip=st.integers(1, 8),
    data=st.data(),
)
def test_a_lattice_covers_all_pixels_and_ends_at_the_edge(shape, chip, data):
    step = data.draw(st.integers(1, chip))
    chips = list(lay(Window(0, 0, *shape), chip, step))
    assert marked(chips, shape).all()
    assert len(set(chips)) == len(chips)


@pytest.mark.parametrize("fold", range(5))
def test_chips_of_the_sample_show_nearly_all_ground_that_training_can_see(fold):
    shape, split = (768, 1536), Split(768, 1536, fold)
    chips = list(split_chips(Window(0, 0, *shape), 128, 128, (split,)))
    shown = marked([w for part, w in chips if part == "train"], shape)
    seen = covered(split.training_corners(128), 128)
    assert not (shown & ~seen).any()
    assert shown.sum() > 0.98 * seen.sum()
    held_out = marked([w for part, w in chips if part == "test"], shape)
    np.testing.assert_array_equal(held_out, split.test_area())


@pytest.fixture
def transform():
    return PLANE


@pytest.fixture
def scene(transform, make_raster):
    values = np.random.default_rng(0).integers(1, 4000, (3, 101, 170), np.uint16)
    values[:, 30:66, 46:98] = 0
    return make_raster(values=values, transform=transform)


@pytest.fixture
def shapes(scene):
    """Two halves and a road, in pixels of the scene brought to its CRS."""
    with rasterio.open(scene) as dataset:
        transform = dataset.transform
    parts = [(box(0, 0, 77.3, 90), "wood"), (box(77.3, 0, 170, 101), "field")]
    parts.append((LineString([(3.3, 5.6), (160.1, 95.2)]), "road"))
    matrix = (
        transform.a,
        transform.b,
        transform.d,
        transform.e,
        transform.c,
        transform.f,
    )
    geometry = geopandas.GeoSeries([p for p, _ in parts]).affine_transform(matrix)
    return geopandas.GeoDataFrame(
        {"class": [name for _, name in parts]}, geometry=geometry, crs=32633
    )


@pytest.fixture
def labels(shapes, tmp_path):
    path = tmp_path / "labels.gpkg"
    shapes.to_file(path)
    return path


def content(folder):
    """All files of a folder but for the report, which names the folder."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "chips.json"
    }


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("transform", [PLANE, TURNED], ids=["north-up", "rotated"])
def test_images_are_windows_of_the_scene_and_masks_are_rasterised_labels(
    scene, shapes, labels, tmp_path
):
    output = tmp_path / "chips"
    exported = geoseg.tile([scene], output, labels=labels, options=QUICK)
    table = geopandas.read_parquet(output / "chips.parquet")
    ids = {each["name"]: each["id"] for each in exported.classes}
    assert ids == {"field": 0, "road": 1, "wood": 2}
    with rasterio.open(scene) as source:
        values = [ids[name] for name in shapes["class"]]
        truth = rasterize(
            zip(shapes.geometry, values, strict=True),
            source.shape, fill=255, transform=source.transform, dtype="uint8",
        )  # fmt: skip
        truth[source.read(1) == 0] = 255
        for row in table.itertuples():
            window = RasterioWindow(row.col, row.row, 16, 16)
            with rasterio.open(output / row.image) as image:
                np.testing.assert_array_equal(image.read(), source.read(window=window))
                assert image.transform == window_transform(window, source.transform)
                assert image.crs == source.crs
                assert image.descriptions == source.descriptions
                assert (image.nodata, image.dtypes) == (0, source.dtypes)
                transform = image.transform
            known = truth[row.row : row.row + 16, row.col : row.col + 16]
            with rasterio.open(output / row.mask) as mask:
                np.testing.assert_array_equal(mask.read(1), known)
                assert (mask.transform, mask.nodata) == (transform, 255)
                legend = json.loads(mask.tags()["GEOSEG_LEGEND"])
                assert {each["name"]: each["id"] for each in legend} == ids
                assert mask.colormap(1)[255] == (0, 0, 0, 0)
            assert row.labelled == (known != 255).mean()
            assert table.share_road[row.Index] == (known == 1).mean()
            corners = [transform @ (0, 0), transform @ (16, 0), transform @ (16, 16)]
            assert list(row.geometry.exterior.coords)[:3] == corners
    counts = table["split"].value_counts().to_dict()
    assert counts == exported.chips
    assert min(counts.values()) > 5
    assert table.crs == CRS.from_epsg(32633)
    assert leftovers(tmp_path) == []


def test_the_report_says_what_numpy_says_of_the_chips(scene, labels, tmp_path):
    output = tmp_path / "chips"
    exported = geoseg.tile(
        [scene],
        output,
        labels=labels,
        options=replace(QUICK, validation=True, overlap=4),
    )
    assert exported.to_json() == (output / "chips.json").read_text().rstrip()
    table = geopandas.read_parquet(output / "chips.parquet")
    seen = []
    for row in table[table["split"] == "train"].itertuples():
        with rasterio.open(output / row.image) as image:
            pixels = image.read()
            seen.append(pixels[:, (pixels != 0).all(axis=0)])
    pixels = np.concatenate(seen, axis=1).astype(float)
    for band, figures_of in zip(pixels, exported.bands, strict=True):
        figures = [figures_of[k] for k in ("mean", "deviation", "minimum", "maximum")]
        np.testing.assert_allclose(
            figures, [band.mean(), band.std(), band.min(), band.max()]
        )
    for part in ("train", "validate", "test"):
        masks = [output / name for name in table["mask"][table["split"] == part]]
        found = np.concatenate([rasterio.open(mask).read(1).ravel() for mask in masks])
        for each in exported.classes:
            assert each["pixels"][part] == (found == each["id"]).sum()
    assert exported.settings["validation_fold"] == "1/5"


class Killed(BaseException):
    """What ends a process without asking."""


def test_an_export_that_was_killed_ends_with_the_same_bytes(scene, labels, tmp_path):
    whole, broken = tmp_path / "whole" / "chips", tmp_path / "chips"
    options = replace(QUICK, stac=True)
    geoseg.tile([scene], whole, labels=labels, options=options)

    def kill(step):
        if step.name == "chips" and step.done == 9:
            raise Killed

    def export(**changes):
        chosen = replace(options, **changes.pop("options", {}))
        return geoseg.tile([scene], broken, labels=labels, options=chosen, **changes)

    with pytest.raises(Killed):
        export(on_step=kill)
    assert not broken.exists()
    with pytest.raises(
        ResumeError, match=r"labels on chips was .*; overlap was 0, is 2"
    ):
        export(options={"overlap": 2})
    hidden = tmp_path / ".chips.tiles"
    images = sorted((hidden / "content" / "images").iterdir())
    assert len(images) == 9
    images[4].write_bytes(images[4].read_bytes()[:-1])  # as a power cut may leave it
    kept = images[3].stat().st_mtime_ns
    with (hidden / "chips.jsonl").open("a") as lines:
        lines.write('{"chip": "cut sho')
    export()
    assert (broken / "images" / images[3].name).stat().st_mtime_ns == kept
    assert content(whole) == content(broken)
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("full", ["from the first chip", "for a moment"])
def test_chips_of_a_full_disk_are_never_counted(scene, labels, tmp_path, full):
    """A limit of a file's size is what a full disk is: a write that fails midway."""
    resource = pytest.importorskip("resource")
    whole = tile_files(scene, labels, tmp_path / "whole", ignore_step)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 200

    def fill(step):
        start = 0 if full == "from the first chip" else 5
        if step.name == "chips" and step.done == start:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        if step.name == "chips" and step.done == start + 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    output = tmp_path / "chips"
    try:
        with pytest.raises(DiskError, match="make room"):
            tile_files(scene, labels, output, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not output.exists()
    assert tile_files(scene, labels, output, ignore_step) == whole


def tile_files(scene, labels, output, on_step):
    """Cut chips, and give the bytes of each image and mask."""
    geoseg.tile([scene], output, labels=labels, options=QUICK, on_step=on_step)
    return {p.name: p.read_bytes() for p in sorted(output.rglob("*.tif"))}


def test_restart_throws_an_interrupted_export_away(scene, tmp_path):
    def kill(step):
        if step.done:
            raise Killed

    output = tmp_path / "chips"
    with pytest.raises(Killed):
        geoseg.tile([scene], output, options=QUICK, on_step=kill)
    options = replace(QUICK, overlap=3, restart=True)
    assert geoseg.tile([scene], output, options=options).chips["all"] > 9
    assert leftovers(tmp_path) == []


def test_without_labels_images_cover_all_that_has_data(scene, tmp_path):
    output = tmp_path / "chips"
    exported = geoseg.tile([scene], output, options=QUICK)
    table = geopandas.read_parquet(output / "chips.parquet")
    windows = [Window(r, c, 16, 16) for r, c in zip(table.row, table.col, strict=True)]
    with rasterio.open(scene) as source:
        data = source.read(1) != 0
    shown = marked(windows, data.shape)
    assert shown[data].all()
    assert not shown[32:64, 48:96].any()  # chips of the hole alone are left out
    assert exported.chips == {"all": len(windows)}
    assert not (output / "masks").exists()
    assert set(table.columns) == {
        "id", "scene", "row", "col", "image", "valid", "geometry",
    }  # fmt: skip


def test_the_catalogue_is_valid_relative_and_says_what_the_masks_hold(
    scene, labels, tmp_path
):
    output = tmp_path / "chips"
    options = replace(QUICK, chip=28, block=64, stac=True, validation=True)
    geoseg.tile([scene], output, labels=labels, options=options)
    moved = (tmp_path / "elsewhere").joinpath("chips")
    moved.parent.mkdir()
    output.rename(moved)
    catalog = pystac.Catalog.from_file(moved / "catalog.json")
    validator = JsonSchemaSTACValidator()
    table = geopandas.read_parquet(moved / "chips.parquet").set_index("id")
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 2 * len(table)
    for path in moved.rglob("*.json"):
        record = json.loads(path.read_text())
        if path.name == "chips.json":
            continue
        kind = {"Feature": "ITEM"}.get(record["type"], record["type"].upper())
        validator.validate_core(record, pystac.STACObjectType[kind], "1.1.0")
        for link in record["links"]:
            assert link["href"].startswith("."), link
            assert (path.parent / link["href"]).exists(), link
    for item in items:
        for asset in item.assets.values():
            assert Path(asset.get_absolute_href()).exists()
        name = item.id.removesuffix("-mask")
        assert item.properties["ml-aoi:split"] == table["split"][name]
        if item.id == name:
            continue
        counts = item.properties["label:overviews"][0]["counts"]
        share = sum(each["count"] for each in counts) / 28**2
        assert share == pytest.approx(table.labelled[name])
        source = item.get_single_link("source").get_target_str()
        assert source.endswith(f"/{name}.json")


def test_scenes_of_several_crs_get_names_of_their_own_and_an_index_in_degrees(
    make_raster, tmp_path
):
    values = np.random.default_rng(1).integers(1, 9, (1, 20, 20), np.uint8)
    first = make_raster("a.tif", values=values, bands=("x",), transform=PLANE)
    (tmp_path / "b").mkdir()
    second = make_raster(
        "b/a.tif", values=values, bands=("x",), transform=PLANE, crs="EPSG:32632"
    )
    output = tmp_path / "chips"
    geoseg.tile([first, second], output, options=replace(QUICK, chip=20))
    table = geopandas.read_parquet(output / "chips.parquet")
    assert list(table.id) == ["a_000000_000000", "a-2_000000_000000"]
    assert list(table.scene) == [str(first), str(second)]
    assert table.crs == CRS.from_epsg(4326)
    there = table.geometry.iloc[:1].to_crs(32633).total_bounds
    np.testing.assert_allclose(there, (399_960, 5_799_820, 400_160, 5_800_020))


def test_a_mask_band_units_and_nan_without_data_go_with_the_chips(
    make_raster, tmp_path
):
    values = np.random.default_rng(1).normal(9, 2, (2, 16, 32)).astype(np.float32)
    values[:, 3, 5] = np.nan
    path = make_raster(values=values, bands=("x", "y"), transform=PLANE, nodata=np.nan)
    holes = np.ones((16, 32), bool)
    holes[3, 5] = holes[9, 20] = False
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.5, 0.25), (1, 2)
    output = tmp_path / "chips"
    geoseg.tile([path], output, options=QUICK)
    with rasterio.open(output / "images" / "scene_000000_000000.tif") as chip:
        np.testing.assert_array_equal(chip.read(), values[:, :, :16])
        assert (chip.scales, chip.offsets) == ((0.5, 0.25), (1, 2))
        np.testing.assert_array_equal(chip.dataset_mask() > 0, holes[:, :16])
    masked = make_raster(
        "m.tif", values=np.ones((1, 16, 32), np.uint8), bands=("x",), nodata=None
    )
    with rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(holes)
    geoseg.tile([masked], tmp_path / "other", options=QUICK)
    for col in (0, 16):
        name = f"m_000000_{col:06d}.tif"
        with rasterio.open(tmp_path / "other" / "images" / name) as chip:
            seen = chip.dataset_mask() > 0
        np.testing.assert_array_equal(seen, holes[:, col : col + 16])


def run(*arguments):
    return CliRunner().invoke(main, ["tile", *map(str, arguments)])


def test_the_command_line_counts_chips_and_pixels(scene, labels, tmp_path):
    sides = ("--chip", 16, "--block", 32, "--gap", 3)
    done = run(scene, "--labels", labels, "-o", tmp_path / "a", *sides)
    assert done.exit_code == 0, done.output
    lines = done.stdout.split("\n")
    assert lines[1].split() == ["train", "test"]
    assert lines[-2] == str(tmp_path / "a")
    result = run(scene, "--labels", labels, "-o", tmp_path / "b", *sides, "--json")
    found = json.loads(result.stdout)
    assert f"{found['chips']['train']}" in lines[2]
    assert found["settings"] == {
        "chip": 16, "overlap": 0, "fold": "0/5", "block": 32, "gap": 3,
        "validation_fold": None,
    }  # fmt: skip
    useless = run(scene, "-o", tmp_path / "c", "--fold", "1/5", "--validation")
    assert useless.exit_code == 2
    assert "--fold, --validation needs --labels" in useless.stderr


def test_what_cannot_be_cut_is_refused_and_nothing_is_left(
    scene, shapes, labels, tmp_path
):
    def refused(error, match, *, frame=None, **changes):
        chosen = labels
        if frame is not None:
            chosen = tmp_path / "other.gpkg"
            frame.to_file(chosen)
        with pytest.raises(error, match=match):
            geoseg.tile(
                [scene], tmp_path / "out", labels=chosen,
                options=replace(QUICK, **changes),
            )  # fmt: skip
        assert not (tmp_path / "out").exists()
        assert leftovers(tmp_path) == []

    refused(
        LabelsError,
        r"no column 'kind' of classes; .*`class_field='class'`",
        class_field="kind",
    )
    away = shapes.set_geometry(shapes.translate(90_000))
    refused(LabelsError, "no label lies in the scene", frame=away)
    refused(LabelsError, "there is one class, 'wood'", frame=shapes.iloc[:1])
    corner = shapes.iloc[:1].set_geometry(
        shapes.geometry.iloc[:1].scale(0.1, 0.1, origin=shapes.geometry[0].centroid)
    )
    corner["class"] = "rare"
    held = replace(QUICK, fold="4/5")
    assert held.held_out_fold() == 4
    frame = geopandas.pd.concat([shapes, corner])
    refused(LabelsError, "no chip to train on shows rare", frame=frame, fold="3/5")
    refused(PlanError, "no chip of 400 pixels fits", chip=400)
    refused(PlanError, "cannot overlap by 16", overlap=16)
    with pytest.raises(InputError, match="chip is -1"):
        replace(QUICK, chip=-1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        geoseg.tile([scene], tmp_path / "full", options=QUICK)


def test_a_scene_without_data_stops_an_export_and_nothing_is_left(
    make_raster, tmp_path
):
    empty = make_raster(
        "empty.tif", values=np.zeros((1, 20, 20), np.uint8), bands=("x",)
    )
    with pytest.raises(SceneError, match="no data where chips are"):
        geoseg.tile([empty], tmp_path / "chips", options=QUICK)
    assert leftovers(tmp_path) == []


def test_chips_across_the_antimeridian_have_an_outline_on_each_side(
    make_raster, tmp_path
):
    values = np.random.default_rng(1).integers(1, 9, (1, 20, 40), np.uint8)
    across = Affine(0.1, 0, 178, 0, -0.1, 10)
    first = make_raster(
        "a.tif", values=values, bands=("x",), transform=across, crs="EPSG:4326"
    )
    to_utm = Transformer.from_crs(4326, 32601, always_xy=True)
    x, y = to_utm.transform(180, 63)
    zone = Affine(100, 0, x - 1000, 0, -100, y)
    second = make_raster(
        "b.tif", values=values, bands=("x",), transform=zone, crs="EPSG:32601"
    )
    output = tmp_path / "chips"
    options = replace(QUICK, chip=20, stac=True)
    geoseg.tile([first, second], output, options=options)
    table = geopandas.read_parquet(output / "chips.parquet").set_index("id")
    shapes = {}
    for path in (output / "images").glob("*_*.json"):
        item = json.loads(path.read_text())
        shapes[item["id"]] = shapely.from_geojson(json.dumps(item["geometry"]))
        crosses = item["id"] == "b_000000_000000"
        assert (item["bbox"][0] > item["bbox"][2]) == crosses
    assert shapes["a_000000_000000"].equals(shapely.box(178, 8, 180, 10))
    assert shapes["a_000000_000020"].equals(shapely.box(-180, 8, -178, 10))
    for shape in (shapes["b_000000_000000"], table.geometry["b_000000_000000"]):
        assert shape.geom_type == "MultiPolygon"
        assert shape.area < 0.01
    collection = json.loads((output / "images" / "collection.json").read_text())
    [[west, _, east, _]] = collection["extent"]["spatial"]["bbox"]
    assert (west, east) == pytest.approx((178, -178))
