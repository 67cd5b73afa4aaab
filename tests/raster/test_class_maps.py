"""Parts in any order become one valid Cloud Optimized GeoTIFF."""

import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rio_cogeo import cog_validate

from geoseg.errors import DiskError, GridError, SceneError, ShapeError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster import ClassMap, Extent, growing, write_class_map, write_measures
from geoseg.raster.cog import complete_cog

UTM = GeoBox(1031, 617, Affine(10, 0, 399_963, 0, -10, 5_800_021), CRS.from_epsg(32633))
IDS = np.array([1, 3, 4, NODATA], np.uint8)


def noise(geobox, values=IDS):
    rng = np.random.default_rng(0)
    return rng.choice(values, (geobox.height, geobox.width))


def cut(values, rows, cols):
    """Cut an array into parts at the given rows and columns."""
    height, width = values.shape
    row_edges = sorted({0, height, *rows})
    col_edges = sorted({0, width, *cols})
    for top, bottom in pairwise(row_edges):
        for left, right in pairwise(col_edges):
            window = Window.between((top, bottom), (left, right))
            yield window, values[window.slices()]


def write(folder, geobox, parts, legend):
    path = folder / "landcover.tif"
    write_class_map(
        path,
        geobox,
        parts,
        legend=legend,
        tags={"MODEL": "test 1.0"},
        scratch=folder / "scratch",
    )
    return path


def test_a_map_reads_back_on_the_very_same_plane(plane, legend, tmp_path):
    values = noise(plane)
    path = write(tmp_path, plane, cut(values, [11, 30], [7]), legend)
    with rasterio.open(path) as dataset:
        assert dataset.transform == plane.transform
        assert CRS.from_wkt(dataset.crs.to_wkt()) == plane.crs
        assert (dataset.count, dataset.dtypes, dataset.nodata) == (1, ("uint8",), 255)
        np.testing.assert_array_equal(dataset.read(1), values)
    assert ClassMap.open(path).geobox.same_plane_as(plane)


def test_class_map_and_confidence_are_valid_cogs(legend, tmp_path):
    path = write(tmp_path, UTM, cut(noise(UTM), [500], []), legend)
    confidence = tmp_path / "confidence.tif"
    parts = cut(noise(UTM, np.arange(101, dtype=np.uint8)), [500], [])
    write_measures(
        confidence,
        UTM,
        parts,
        names=["confidence"],
        unit="percent",
        tags={},
        scratch=tmp_path / "scratch",
    )
    for product in (path, confidence):
        assert cog_validate(product, strict=True) == (True, [], [])
    left = {p.name for p in tmp_path.rglob("*")}
    assert left == {
        "landcover.tif",
        "landcover.tif.aux.xml",
        "confidence.tif",
        "scratch",
    }


def test_gdal_reads_names_colours_and_tags(legend, tmp_path):
    path = write(tmp_path, UTM, cut(noise(UTM), [], []), legend)
    with rasterio.open(path) as dataset:
        colours = dataset.colormap(1)
        tags = dataset.tags()
    assert {i: colours[i] for i in (1, 3, 4)} == {
        1: (0x1F, 0x78, 0xB4, 255),
        3: (0x33, 0xA0, 0x2C, 255),
        4: (0xE3, 0x1A, 0x1C, 255),
    }
    assert tags["MODEL"] == "test 1.0"
    # A VRT spells out what GDAL knows of its source, category names included.
    rasterio.shutil.copy(path, tmp_path / "seen.vrt", driver="VRT")
    seen = ET.parse(tmp_path / "seen.vrt")  # noqa: S314 (GDAL wrote it)
    names = [element.text for element in seen.iter("Category")]
    assert names == [None, "water", None, "forêt & bois", "built-up"]
    rows = [[field.text for field in row] for row in seen.iter("Row")]
    assert rows == [
        ["1", "water", "31", "120", "180", "255"],
        ["3", "forêt & bois", "51", "160", "44", "255"],
        ["4", "built-up", "227", "26", "28", "255"],
    ]


def test_the_legend_survives_without_the_sidecar(legend, tmp_path):
    path = write(tmp_path, UTM, cut(noise(UTM), [], []), legend)
    path.with_name("landcover.tif.aux.xml").unlink()
    assert ClassMap.open(path).legend() == legend


@pytest.mark.parametrize(
    "text", ["[", '[{"id": 1}]', '[{"id": 1, "name": "", "x": 2}]']
)
def test_a_damaged_legend_is_refused(text, legend, tmp_path):
    path = write(tmp_path, UTM, cut(noise(UTM), [], []), legend)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.update_tags(GEOSEG_LEGEND=text)
    with pytest.raises(SceneError, match=r"GEOSEG_LEGEND of .*\.tif holds no legend"):
        ClassMap.open(path).legend()


@settings(max_examples=10, deadline=None)
@given(
    rows=st.lists(st.integers(1, 36), max_size=4),
    cols=st.lists(st.integers(1, 52), max_size=4),
    random=st.randoms(use_true_random=False),
)
def test_order_and_shape_of_parts_never_show(rows, cols, random):
    legend = Legend((LandClass(1, "a", "#000001"),))
    geobox = GeoBox(37, 53, UTM.transform, UTM.crs)
    values = noise(geobox)
    parts = list(cut(values, rows, cols))
    random.shuffle(parts)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = write(Path(one), geobox, cut(values, [], []), legend)
        pieces = write(Path(two), geobox, parts, legend)
        assert pieces.read_bytes() == whole.read_bytes()
        names = "landcover.tif.aux.xml"
        assert Path(one, names).read_bytes() == Path(two, names).read_bytes()


def test_a_part_of_nodata_is_the_same_as_no_part(legend, tmp_path):
    values = np.full((UTM.height, UTM.width), NODATA, np.uint8)
    values[600:700, 300:400] = 3
    window = Window(600, 300, 100, 100)
    all_of_it = write(tmp_path / "all", UTM, cut(values, [], []), legend)
    piece = write(tmp_path / "one", UTM, [(window, values[window.slices()])], legend)
    assert piece.read_bytes() == all_of_it.read_bytes()
    assert ClassMap.open(piece).counts() == {
        3: 10_000,
        255: UTM.height * UTM.width - 10_000,
    }


def test_overviews_take_the_most_frequent_class(legend, tmp_path):
    geobox = GeoBox(1030, 614, UTM.transform, UTM.crs)  # even, so cells are 2 x 2
    values = noise(geobox)
    path = write(tmp_path, geobox, cut(values, [], []), legend)
    with rasterio.open(path, overview_level=0) as dataset:
        overview = dataset.read(1)
    cells = values.reshape(515, 2, 307, 2)
    ids = IDS[:-1]
    votes = np.stack([(cells == i).sum(axis=(1, 3)) for i in ids])  # (id, y, x)
    empty = votes.sum(axis=0) == 0
    chosen = np.take_along_axis(
        votes, np.searchsorted(ids, np.where(empty, 1, overview))[None], axis=0
    )[0]
    assert (overview[empty] == NODATA).all()
    np.testing.assert_array_equal(chosen[~empty], votes.max(axis=0)[~empty])


def test_overviews_of_an_odd_raster_hold_no_new_id(legend, tmp_path):
    values = noise(UTM, np.array([1, 4, NODATA], np.uint8))
    path = write(tmp_path, UTM, cut(values, [], []), legend)
    with rasterio.open(path) as dataset:
        levels = dataset.overviews(1)
    assert levels
    for level in range(len(levels)):
        with rasterio.open(path, overview_level=level) as dataset:
            assert set(np.unique(dataset.read(1))) <= {1, 4, NODATA}


def test_confidence_overviews_average_what_is_valid(tmp_path):
    geobox = GeoBox(1030, 614, UTM.transform, UTM.crs)
    values = np.full((1030, 614), NODATA, np.uint8)
    values[::2, ::2], values[1::2, ::2] = 40, 60
    path = tmp_path / "confidence.tif"
    parts, scratch = cut(values, [], []), tmp_path / "scratch"
    write_measures(path, geobox, parts, names=["x"], tags={}, scratch=scratch)
    with rasterio.open(path, overview_level=0) as dataset:
        assert set(np.unique(dataset.read(1))) == {50}


def test_a_confidence_map_forgets_the_sidecar_of_the_file_it_replaces(tmp_path):
    sidecar = tmp_path / "confidence.tif.aux.xml"
    sidecar.write_text("<PAMDataset/>")
    parts = cut(noise(UTM), [], [])
    path = tmp_path / "confidence.tif"
    write_measures(
        path, UTM, parts, names=["confidence"], tags={}, scratch=tmp_path / "scratch"
    )
    assert path.exists()
    assert not sidecar.exists()


def test_a_part_that_cannot_be_made_leaves_the_previous_map(legend, tmp_path):
    path = write(tmp_path, UTM, cut(noise(UTM), [], []), legend)
    before = path.read_bytes()

    def parts():
        yield Window(0, 0, 1, 1), np.ones((1, 1), np.uint8)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        write(tmp_path, UTM, parts(), legend)
    assert path.read_bytes() == before
    left = {p.name for p in tmp_path.rglob("*")}
    assert left == {"landcover.tif", "landcover.tif.aux.xml", "scratch"}


@pytest.mark.parametrize(
    ("window", "values", "error", "words"),
    [
        (Window(1030, 0, 2, 1), np.ones((2, 1), np.uint8), GridError, "1031 rows"),
        (Window(0, -1, 1, 2), np.ones((1, 2), np.uint8), GridError, "617 columns"),
        (Window(0, 0, 2, 3), np.ones((3, 2), np.uint8), ShapeError, r"\(1, 3, 2\)"),
        (Window(0, 0, 1, 1), np.ones((1, 1), np.int64), ShapeError, "int64"),
    ],
    ids=["below the plane", "left of the plane", "swapped axes", "wrong dtype"],
)
def test_a_part_that_does_not_fit_is_refused(
    window, values, error, words, legend, tmp_path
):
    with pytest.raises(error, match=words):
        write(tmp_path, UTM, [(window, values)], legend)
    assert not list(tmp_path.glob("landcover*"))


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from test_class_maps import UTM, cut, noise, write
from geoseg.geo.legend import LandClass, Legend
from geoseg.errors import DiskError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
legend = Legend((LandClass(1, "a", "#000001"),))
try:
    write(Path(sys.argv[1]), UTM, cut(noise(UTM), [], []), legend)
except DiskError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "limit", [100_000, 700_000], ids=["while gathering", "while writing the product"]
)
def test_a_file_that_cannot_grow_is_a_disk_error_and_leaves_nothing(limit, tmp_path):

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path, str(limit)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {tmp_path / 'landcover.tif'} (")
    assert done.stdout.count("\n") == 1
    assert [p.name for p in tmp_path.rglob("*")] == ["scratch"]


def cut_short(product):
    product.write_bytes(product.read_bytes()[:-1000])


def lose_a_block(product):
    with rasterio.open(product, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write(np.zeros((9, 9), np.uint8), 1, window=((0, 9), (0, 9)))


@pytest.mark.parametrize("damage", [cut_short, lose_a_block])
def test_what_fails_to_be_written_without_a_word_is_noticed(
    damage, legend, tmp_path, monkeypatch
):
    """On a disk that was full for its last kilobytes GDAL reported success."""

    def complete_badly(target, levels):
        complete_cog(target, levels)
        damage(target)

    monkeypatch.setattr(growing, "complete_cog", complete_badly)
    with pytest.raises(DiskError, match=r"cannot write .*landcover\.tif"):
        write(tmp_path, UTM, cut(noise(UTM), [], []), legend)
    assert [p.name for p in tmp_path.rglob("*")] == ["scratch"]


def test_threads_and_pickles_share_a_map(legend, tmp_path):
    values = noise(UTM)
    path = write(tmp_path, UTM, cut(values, [], []), legend)
    opened = pickle.loads(pickle.dumps(ClassMap.open(path)))  # noqa: S301 (just made)
    windows = [window for window, _ in cut(values, range(0, 1031, 97), [301])]
    with ThreadPoolExecutor(4) as pool:
        for window, read in zip(windows, pool.map(opened.read, windows), strict=True):
            np.testing.assert_array_equal(read, values[window.slices()])


def test_a_read_outside_the_plane_is_refused(legend, tmp_path):
    opened = ClassMap.open(write(tmp_path, UTM, cut(noise(UTM), [], []), legend))
    with pytest.raises(GridError, match="1031 rows x 617 columns"):
        opened.read(Window(1000, 0, 32, 1))


def test_what_is_no_class_raster_is_refused(make_raster, tmp_path):
    with pytest.raises(SceneError, match=r"3 bands; say which .*`band=1` to 3"):
        ClassMap.open(make_raster())
    with pytest.raises(SceneError, match="has no band 4; it has 1 to 3"):
        ClassMap.open(make_raster(), band=4)
    with pytest.raises(SceneError, match=r"missing\.tif does not exist"):
        ClassMap.open(tmp_path / "missing.tif")
    with pytest.raises(SceneError, match=r"float32 with fractions such as 0\.5, not"):
        ClassMap.open(make_raster(values=np.full((1, 5, 7), 0.5, np.float32)))
    with pytest.raises(SceneError, match="no coordinate reference system"):
        ClassMap.open(make_raster(values=np.ones((1, 5, 7), np.uint8), crs=None))
    (tmp_path / "notes.tif").write_text("hello")
    with pytest.raises(SceneError, match=r"notes\.tif cannot be opened as a raster"):
        ClassMap.open(tmp_path / "notes.tif")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32"])
def test_another_tools_class_raster_is_read_with_its_own_nodata(make_raster, dtype):
    values = np.array([[[1, 2, 0], [0, 3, 3]]], dtype)
    path = make_raster(values=values, nodata=0)
    class_map = ClassMap.open(path)
    assert class_map.read(Window(0, 0, 2, 3)).tolist() == [[1, 2, 255], [255, 3, 3]]
    assert class_map.counts() == {1: 1, 2: 1, 3: 2, 255: 2}


def test_confidences_are_read_as_they_stand(make_raster):
    path = make_raster(values=np.array([[[1, 300]]], np.uint16), nodata=None)
    with pytest.raises(SceneError, match="holds values from 1 to 300"):
        ClassMap.measures(path).counts()
    path = make_raster(values=np.array([[[0, 100, 255]]], np.uint8), nodata=None)
    assert ClassMap.measures(path).counts() == {0: 1, 100: 1, 255: 1}
    with pytest.raises(SceneError, match="holds float32, not whole numbers"):
        ClassMap.measures(make_raster(values=np.ones((1, 5, 7), np.float32)))


def test_one_band_of_several_is_read(make_raster):
    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    path = make_raster(values=values, nodata=None)
    chosen = ClassMap.open(path, band=2).read(Window(0, 0, 2, 3))
    assert np.array_equal(chosen, values[1])


def test_counts_are_those_of_the_whole_array(legend, tmp_path):
    values = noise(UTM)
    ids, counts = np.unique(values, return_counts=True)
    path = write(tmp_path, UTM, cut(values, [], []), legend)
    assert ClassMap.open(path).counts() == dict(
        zip(ids.tolist(), counts.tolist(), strict=True)
    )


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
from test_class_maps import UTM
from geoseg.geo.geobox import GeoBox
from geoseg.geo.tiling import Window
from geoseg.raster import ClassMap, write_measures
side = int(sys.argv[2])
values = np.random.default_rng(0).integers(0, 101, (1024, 1024), np.uint8)
path = Path(sys.argv[1], "confidence.tif")
geobox = GeoBox(side, side, UTM.transform, UTM.crs)
parts = (
    (Window(row, col, 1024, 1024), values)
    for row in range(0, side, 1024) for col in range(0, side, 1024)
)
write_measures(path, geobox, parts, names=["x"], tags={}, scratch=path.parent)
ClassMap.open(path).counts()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_raster(tmp_path):
    small, large = (
        int(
            subprocess.check_output(
                [sys.executable, "-c", PEAK, tmp_path, str(side)],
                cwd=Path(__file__).parent,
            )
        )
        for side in (9216, 12288)  # more than GDAL caches
    )
    growth = (large - small) / (12288**2 - 9216**2)
    assert growth < 0.25, f"{growth:.3f} bytes a pixel"


def test_measures_of_several_bands_keep_names_units_and_scale(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.integers(0, 251, (3, UTM.height, UTM.width), np.uint8)
    half = UTM.height // 2
    windows = [
        Window(0, 0, half, UTM.width),
        Window(half, 0, UTM.height - half, UTM.width),
    ]
    parts = [(w, values[(slice(None), *w.slices())]) for w in windows]
    path, names = tmp_path / "shares.tif", ["lake", "wood", "town"]
    scratch = tmp_path / "s"
    write_measures(
        path, UTM, parts, names=names, unit="u", one=250, tags={}, scratch=scratch
    )
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(), values)
        assert list(dataset.descriptions) == names
        assert dataset.units == ("u",) * 3
        assert dataset.scales == (1 / 250,) * 3
        assert dataset.nodata == NODATA
    assert cog_validate(path)[0]
    with pytest.raises(ShapeError, match=r"needs a uint8 array of shape \(2, "):
        write_measures(path, UTM, parts, names=names[:2], tags={}, scratch=scratch)


def test_areas_in_degrees_are_those_of_each_row(tmp_path):
    geobox = GeoBox(60, 3, Affine(1, 0, 10, 0, -1, 80), CRS.from_epsg(4326))
    values = np.zeros((60, 3), np.uint8)
    values[:, 1], values[30:, 2] = 1, NODATA
    path = tmp_path / "map.tif"
    legend = Legend((LandClass(0, "a", "#000000"), LandClass(1, "b", "#ffffff")))
    whole = [(Window(0, 0, 60, 3), values)]
    write_class_map(path, geobox, whole, legend=legend, tags={}, scratch=tmp_path)
    extents = ClassMap.open(path).extents()
    # A strip of one degree between two parallels on the authalic sphere of WGS 84.
    strip = np.radians(1) * 6_371_007.2**2 * np.diff(np.sin(np.radians([20, 50, 80])))
    assert extents[1].area_m2 == pytest.approx(strip.sum(), rel=0.004)
    assert extents[0].area_m2 == pytest.approx(strip.sum() + strip[1], rel=0.004)
    assert extents[NODATA] == Extent(30, pytest.approx(strip[0], rel=0.004))
