"""Vector files on disks that fill while they are written: whole, or a sentence."""

import re
import sqlite3
from contextlib import closing

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from class_maps import call, write
from members import write_raster
from onnx_models import write_onnx
from small_disks import small_disk, small_files

from geoseg.errors import DiskError
from geoseg.geo.legend import named_legend
from geoseg.overlay.reference import write_points
from geoseg.storage.staging import atomic_file
from geoseg.storage.vectors.write import write_polygons

LEGEND = named_legend([1], ["trees"], [None])
COUNT = 1500
SAID = ["--bands", "1,2,3", "--class", "a", "--class", "b", "--gsd", "1"]


@pytest.fixture(scope="module")
def frame():
    x, y = np.random.default_rng(0).uniform(0, 1e5, (2, COUNT))
    columns = {"class_id": 1, "class_name": "trees", "area_m2": 1.0, "pixel_count": 1}
    return geopandas.GeoDataFrame(
        {name: [value] * COUNT for name, value in columns.items()},
        geometry=shapely.box(x, y, x + 10, y + 10),
        crs=32633,
    )


def save(frame, path, kind):
    if kind == "points":
        with atomic_file(path) as whole:
            write_points(whole, frame.set_geometry(frame.centroid))
    else:
        write_polygons(frame, path, legend=LEGEND)


def size_of(frame, folder, kind, suffix):
    """The bytes of all that is written where there is room."""
    save(frame, folder / f"map{suffix}", kind)
    return sum(path.stat().st_size for path in folder.iterdir())


def index_entries(path, layer):
    with closing(sqlite3.connect(path)) as database:
        question = f"SELECT count(*) FROM rtree_{layer}_geom"  # noqa: S608  # ours
        return database.execute(question).fetchone()[0]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *(("polygons", each) for each in (".gpkg", ".shp", ".fgb", ".geojson")),
        *(("polygons", each) for each in (".parquet", ".pmtiles")),
        ("points", ".gpkg"),
    ],
)
def test_what_has_its_name_on_a_full_disk_is_whole(frame, kind, suffix, tmp_path):
    (tmp_path / "roomy").mkdir()
    needed = size_of(frame, tmp_path / "roomy", kind, suffix)
    refusals = []
    for number, share in enumerate((0.5, 0.7, 0.8, 0.9, 0.97, 30.0)):
        with small_disk(tmp_path / str(number), int(needed * share)) as disk:
            path = disk / f"map{suffix}"
            try:
                save(frame, path, kind)
            except DiskError as error:
                refusals.append((str(error), path))
                assert list(disk.iterdir()) == []
            else:
                assert count_of(path, kind) == COUNT
    assert 3 <= len(refusals) < 6
    for sentence, path in refusals:
        assert sentence.startswith(f"cannot write {path}")
        assert f"the disk {path.parent} is full, more is needed than the " in sentence
        assert ".tmp" not in sentence


def count_of(path, kind):
    """Count what is in a file, by its index where it has one."""
    if path.suffix == ".parquet":
        return len(geopandas.read_parquet(path))
    if path.suffix == ".pmtiles":  # who lies in several tiles is there several times
        return COUNT if len(geopandas.read_file(path)) >= COUNT else 0
    if path.suffix == ".gpkg":
        return index_entries(path, "points" if kind == "points" else "map")
    return len(geopandas.read_file(path))


@pytest.mark.parametrize("kind", ["polygons", "points"])
def test_a_geopackage_without_its_index_gets_no_name(frame, kind, tmp_path):
    needed = size_of(frame, tmp_path, kind, ".gpkg")
    before = (tmp_path / "map.gpkg").read_bytes()
    outcomes = set()
    for share in (0.6, 0.75, 0.85, 0.95):
        with small_files(int(needed * share)):
            try:
                save(frame, tmp_path / "map.gpkg", kind)
            except DiskError as error:
                outcomes.add(type(error))
    assert outcomes == {DiskError}
    assert (tmp_path / "map.gpkg").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["relabel", "map.tif", "--legend", "names.yaml"], "the map"),
        (["change", "map.tif", "map.tif"], "what is made, polygons aside,"),
        (["tile", "image.tif", "--chip", "64"], "the whole export"),
        (["composite", "image.tif", "image.tif"], "the whole composite"),
        (["sample"], "the sample"),
        (["models", "package", "net.onnx", *SAID], "the package"),
    ],
    ids=lambda value: value[-1] if isinstance(value, str) else value[0],
)
def test_a_full_disk_is_named_with_how_much_is_needed(words, what, tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (2, 256, 256), np.uint8)
    write(tmp_path / "map.tif", values[0])
    transform = rasterio.transform.from_origin(399_960, 5_800_020, 10, 10)
    write_raster(tmp_path / "image.tif", values, transform)
    write_onnx(tmp_path / "net.onnx", kernel=np.zeros((2, 3, 1, 1), np.float32))
    names = "".join(f"- {{name: n{i}, id: {i}, merge: [{i}]}}\n" for i in range(3))
    (tmp_path / "names.yaml").write_text(names)
    given = [tmp_path / w if "." in w[1:] else w for w in words]
    with small_disk(tmp_path / "disk", 8192) as disk:
        out = disk / ("a.tif" if words[0] in {"relabel", "composite"} else "out")
        last = [out] if words == ["sample"] else ["-o", out]
        done = call(*given, *last)
        left = [path for path in disk.iterdir() if not path.name.startswith(".")]
    assert done.exit_code == 1, done.output
    (sentence,) = (s for s in done.stderr.splitlines() if "is full" in s)
    assert f"the disk {disk} is full" in sentence
    assert re.search(rf"; {what} takes [\d.]+ MB at most$", sentence)
    assert left == []
