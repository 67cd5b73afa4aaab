"""Class rasters of other tools: any values, names, masks; as maps and as labels."""

from __future__ import annotations

import json
import pickle
import zipfile

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from pyproj import CRS
from rasterio.control import GroundControlPoint
from web import served

import geoseg
from geoseg.cli import main
from geoseg.errors import InputError, LabelsError, SceneError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.overlay.labels import open_labels
from geoseg.overlay.reference import read_reference
from geoseg.raster import ClassMap
from geoseg.raster.legend_file import read_class_mapping
from geoseg.train.class_mapping import (
    check_class_mapping,
    class_mapping_for,
)

PLANE = GeoBox(5, 7, Affine(10, 0, 400_000, 0, -10, 5_800_000), CRS.from_epsg(32633))
WHOLE = Window(0, 0, 5, 7)
CORINE = np.array([111, 112, 211, 311, 523])
DTYPES = ["uint16", "int16", "uint32", "int32", "int64", "uint64", "float32", "float64"]
TABLE = """<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>
<FieldDefn index="0"><Name>VALUE</Name><Type>0</Type><Usage>0</Usage></FieldDefn>
<FieldDefn index="1"><Name>COUNT</Name><Type>0</Type><Usage>1</Usage></FieldDefn>
<FieldDefn index="2"><Name>LAND_COVER</Name><Type>2</Type><Usage>0</Usage></FieldDefn>
<FieldDefn index="3"><Name>R</Name><Type>0</Type><Usage>6</Usage></FieldDefn>
<FieldDefn index="4"><Name>G</Name><Type>0</Type><Usage>7</Usage></FieldDefn>
<FieldDefn index="5"><Name>B</Name><Type>0</Type><Usage>8</Usage></FieldDefn>
{rows}</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""
NAMES = {11: ("Open Water", 70, 107, 159), 21: ("Developed", 222, 197, 197)}


def classes(numbers, dtype, seed=0):
    """Draw classes of a plane, each of them somewhere."""
    numbers = np.asarray(numbers)
    drawn = np.random.default_rng(seed).integers(0, len(numbers), (5, 7))
    drawn.flat[: len(numbers)] = np.arange(len(numbers))
    return numbers[drawn].astype(dtype)


def save(path, values, *, mask=None, palette=None, **profile):
    """Write bands on the plane, ``(y, x)`` or ``(band, y, x)``."""
    values = values if values.ndim == 3 else values[None]
    about = {"crs": PLANE.crs, "transform": PLANE.transform, **profile}
    count, height, width = values.shape
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width,
        dtype=values.dtype, **about,
    ) as dataset:  # fmt: skip
        dataset.write(values)
        if palette:
            dataset.write_colormap(1, palette)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def with_table(path, names=None):
    """Put an attribute table beside a raster, as ArcGIS and QGIS do."""
    rows = "".join(
        f"<Row index='{index}'>"
        + "".join(f"<F>{cell}</F>" for cell in (value, 5, *cells))
        + "</Row>"
        for index, (value, cells) in enumerate((names or NAMES).items())
    )
    path.with_name(f"{path.name}.aux.xml").write_text(TABLE.format(rows=rows))
    return path


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_whole_numbers_are_classes_whatever_their_dtype(tmp_path, dtype):
    values = classes(CORINE, dtype)
    class_map = ClassMap.open(save(tmp_path / "clc.tif", values))
    class_map = pickle.loads(pickle.dumps(class_map))  # noqa: S301  # just made
    numbers = {each.id: each.number for each in class_map.legend()}
    assert list(numbers.values()) == CORINE.tolist()
    read = class_map.read(Window(1, 2, 3, 4))
    back = np.vectorize(numbers.get)(read)
    np.testing.assert_array_equal(back, values[1:4, 2:6].astype(np.int64))
    counts = dict(zip(*np.unique(values, return_counts=True), strict=True))
    found = {numbers[each]: count for each, count in class_map.counts().items()}
    assert found == {int(value): count for value, count in counts.items()}


def test_ids_that_a_map_can_hold_are_kept(tmp_path):
    values = classes([0, 7, 254], "int16")
    class_map = ClassMap.open(save(tmp_path / "map.tif", values))
    np.testing.assert_array_equal(class_map.read(WHOLE), values)


def test_negative_classes_and_numbers_above_32_bits_are_distinguished(tmp_path):
    numbers = [-3, 5, 2**40]
    class_map = ClassMap.open(save(tmp_path / "m.tif", classes(numbers, "int64")))
    assert [each.number for each in class_map.legend()] == numbers


def test_only_declared_nodata_hides_255(tmp_path):
    values = classes([0, 255], "uint8")
    free = ClassMap.open(save(tmp_path / "free.tif", values))
    assert free.counts() == {0: (values == 0).sum(), 1: (values == 255).sum()}
    assert [each.number for each in free.legend()] == [0, 255]
    assert "does it mean no data?" in free.warnings[0]
    declared = ClassMap.open(save(tmp_path / "declared.tif", values, nodata=255))
    assert declared.counts() == {0: (values == 0).sum(), 255: (values == 255).sum()}
    assert declared.warnings == ()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_a_mask_and_a_nodata_value_both_hide(tmp_path, dtype):
    values = classes([0, 1, 9], dtype)
    mask = np.random.default_rng(3).random((5, 7)) < 0.6
    path = save(tmp_path / "m.tif", values, nodata=9, mask=mask)
    ids = ClassMap.open(path).read(WHOLE)
    np.testing.assert_array_equal(ids, np.where(mask & (values != 9), values, 255))


def test_what_is_no_finite_number_is_no_class(tmp_path):
    values = classes([1, 2], "float32")
    values[0, 0], values[4, 6] = np.nan, np.inf
    ids = ClassMap.open(save(tmp_path / "m.tif", values)).read(WHOLE)
    expected = np.where(np.isfinite(values), values, 255)
    np.testing.assert_array_equal(ids, expected)


def test_what_is_no_class_raster_says_why(tmp_path):
    many = np.arange(300, dtype=np.uint16).reshape(12, 25)
    with pytest.raises(SceneError, match="more than 255 different values"):
        ClassMap.open(save(tmp_path / "many.tif", many))
    vast = classes([1, -3.4028234663852886e38], "float64")
    with pytest.raises(SceneError, match=r"declare it: gdal_edit\.py -a_nodata -3\.4"):
        ClassMap.open(save(tmp_path / "vast.tif", vast))
    corners = [(0, 0, 13.5, 52.4), (0, 7, 13.6, 52.4), (5, 0, 13.5, 52.3)]
    points = [GroundControlPoint(*at) for at in corners]
    path = tmp_path / "points.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=7, height=5, count=1, dtype="uint8",
        gcps=points, crs="EPSG:4326",
    ) as dataset:  # fmt: skip
        dataset.write(classes([1], "uint8"), 1)
    with pytest.raises(SceneError, match="ground control points only; rectify it"):
        ClassMap.open(path)


def test_a_vrt_reads_no_file_that_nobody_named(tmp_path):
    inside, secret = tmp_path / "maps", tmp_path / "secret.tif"
    inside.mkdir()
    save(secret, classes([1], "uint8"))
    text = (
        '<VRTDataset rasterXSize="7" rasterYSize="5"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>400000,10,0,5800000,0,-10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>'
        f"{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    path = inside / "m.tif"
    path.write_text(text)
    for opened in (ClassMap.open, open_labels):
        with pytest.raises(
            InputError, match=r"in no folder that you named; save its pix"
        ):
            opened(path)
    with pytest.raises(LabelsError, match="in no folder that you named"):
        read_reference(path, PLANE, {"a": 1})


def test_a_raster_in_an_archive_is_read(tmp_path):
    values = classes([11, 311], "uint16")
    save(tmp_path / "clc.tif", values)
    with zipfile.ZipFile(tmp_path / "clc.zip", "w") as archive:
        archive.write(tmp_path / "clc.tif", "in/clc.tif")
    path = f"/vsizip/{tmp_path}/clc.zip/in/clc.tif"
    assert ClassMap.open(path).counts() == {
        0: (values == 11).sum(), 1: (values == 311).sum()
    }  # fmt: skip
    assert open_labels(path).names == ("11", "311")


def test_names_and_colours_of_a_table_are_those_of_the_polygons(tmp_path):
    values = classes([11, 21, 42], "uint8")
    path = with_table(save(tmp_path / "nlcd.tif", values, nodata=0))
    out = tmp_path / "water.gpkg"
    result = run("vectorize", path, "-o", out, "--classes", "Open Water")
    assert result.exit_code == 0, result.stderr
    frame = geopandas.read_file(out, layer="water")
    assert set(frame["class_name"]) == {"Open Water"}
    assert set(frame["class_id"]) == {11}
    assert frame.area.sum() == 100 * (values == 11).sum()
    legend = ClassMap.open(path).legend()
    entries = [(each.id, each.name, each.colour) for each in legend]
    assert entries[:2] == [(11, "Open Water", "#466b9f"), (21, "Developed", "#dec5c5")]
    assert entries[2][:2] == (42, "class 42")


def test_polygons_have_the_numbers_of_the_raster(tmp_path):
    values = classes(CORINE, "float32")
    path = save(tmp_path / "clc.tif", values)
    frame = geoseg.vectorize(path, tmp_path / "clc.fgb").read()
    for number in CORINE:
        area = frame[frame["class_id"] == number].area.sum()
        assert area == 100 * (values == number).sum()
    style = (tmp_path / "clc.qml").read_text()
    assert all(f'value="{number}"' in style for number in CORINE)


def test_a_palette_gives_colours_and_categories_give_names(tmp_path):
    palette = {1: (1, 2, 3, 255), 2: (255, 0, 16, 255)}
    path = save(tmp_path / "m.tif", classes([1, 2], "uint8"), palette=palette)
    path.with_name("m.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><CategoryNames><Category/>"
        "<Category> Lake\t</Category><Category>Lake</Category></CategoryNames>"
        "</PAMRasterBand></PAMDataset>"
    )
    legend = ClassMap.open(path).legend()
    assert [(each.name, each.colour) for each in legend] == [
        ("Lake", "#010203"),
        ("Lake (2)", "#ff0010"),
    ]


def mapping_file(tmp_path, *lines):
    path = tmp_path / "classes.yml"
    path.write_text("\n".join(f"- {{{line}}}" for line in lines))
    return path


def test_labels_are_known_by_name_number_and_colour(tmp_path):
    values = classes([11, 21, 42], "uint8")
    labels = open_labels(with_table(save(tmp_path / "nlcd.tif", values)))
    assert labels.names == ("Open Water", "Developed", "42")
    own = class_mapping_for(labels, None)
    assert own.legend.ids == (11, 21, 42)
    assert own.legend.by_id(11).name == "Open Water"
    wanted = mapping_file(
        tmp_path,
        "name: water, id: 11",
        'name: town, id: 1, colour: "#DEC5C5"',
        "name: wood, id: 2, merge: [42]",
    )
    scheme = read_class_mapping(wanted)
    assert check_class_mapping(scheme, labels.names, labels.also) == []
    rasterized = labels.rasterize(PLANE, dict(scheme.channels))
    ids = np.array(scheme.legend.ids)[rasterized]
    expected = np.select([values == 11, values == 21], [11, 1], 2)
    np.testing.assert_array_equal(ids, expected)


def test_colours_of_three_bands_are_classes_by_a_legend(tmp_path):
    water, wood = (47, 120, 183), (0, 96, 0)
    first = classes([0, 1], "uint8").astype(bool)
    bands = np.where(
        first, np.array(water)[:, None, None], np.array(wood)[:, None, None]
    )
    path = save(tmp_path / "rgb.tif", bands.astype(np.uint8), photometric="RGB")
    labels = open_labels(path)
    assert labels.names == ("#006000", "#2f78b7")
    with pytest.raises(LabelsError, match=r"are colours, .*#006000, #2f78b7"):
        class_mapping_for(labels, None)
    file = mapping_file(
        tmp_path, 'name: water, colour: "#2f78b7"', 'name: wood, colour: "#006000"'
    )
    rasterized = labels.rasterize(PLANE, dict(read_class_mapping(file).channels))
    np.testing.assert_array_equal(rasterized, np.where(first, 0, 1))
    reference = read_reference(
        path, PLANE, {"a": 4, "b": 6}, mapping={"#2f78b7": "a", "#006000": "b"}
    )
    np.testing.assert_array_equal(reference.read(WHOLE), np.where(first, 4, 6))


def test_one_of_several_bands_has_to_be_named_and_can_be(tmp_path):
    bands = np.stack([classes([1, 2], "int16", seed) for seed in range(3)])
    path = save(tmp_path / "hot.tif", bands)
    for opened in (ClassMap.open, open_labels):
        with pytest.raises(InputError, match=r"3 bands; say which .*hot\.tif\|band=1'"):
            opened(path)
    labels = open_labels(f"{path}|band=2")
    np.testing.assert_array_equal(labels.rasterize(PLANE, {"1": 1, "2": 2}), bands[1])
    reference = read_reference(f"{path}|band=3", PLANE, {"a": 1, "b": 2})
    np.testing.assert_array_equal(reference.read(WHOLE), bands[2])


def test_a_reference_of_0_and_255_is_compared_where_it_is_255(tmp_path):
    truth = classes([0, 255], "uint8", seed=1)
    mapped = classes([0, 1], "uint8", seed=2)
    reference = save(tmp_path / "truth.tif", truth)
    path = save(tmp_path / "map.tif", mapped, nodata=255)
    result = run(
        "evaluate", path, "--reference", reference, "--mapping", "255=1", "--json"
    )
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["compared"] == 35
    right = ((truth == 255) == (mapped == 1)).mean()
    assert found["overall_accuracy"] == pytest.approx(right)
    assert any("holds 255" in warning for warning in found["warnings"])


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_a_reference_of_corine_is_matched_by_its_numbers(tmp_path, dtype):
    truth = classes([111, 311, 512], dtype, seed=1)
    mapped = classes([0, 1, 2], "uint8", seed=2)
    reference = save(tmp_path / "clc.tif", truth)
    path = save(tmp_path / "map.tif", mapped, nodata=255)
    words = "evaluate", path, "--reference", reference, "--json", "--mapping"
    # The mapping may be of all of CORINE, though not all occur here.
    result = run(*words, "111=0,311=1,512=2,523=2")
    assert result.exit_code == 0, result.stderr
    counts = np.zeros((3, 3), int)
    rows = np.searchsorted([111, 311, 512], truth.astype(int))
    np.add.at(counts, (rows, mapped), 1)
    assert json.loads(result.stdout)["confusion"]["counts"] == counts.tolist()
    refused = run(*words, "111=0,311=1")
    assert refused.exit_code == 2
    assert "has not: 512" in refused.stderr


def test_maps_of_large_numbers_are_measured_by_them(tmp_path):
    mapped = classes(CORINE, "uint16", seed=3)
    path = save(tmp_path / "clc.tif", mapped)
    result = run("evaluate", path, "--reference", path, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["overall_accuracy"] == 1


def test_a_reference_is_looked_at_near_the_map_only(tmp_path):
    far = np.full((60, 4000), 500, np.int32)
    far[:5, :7] = classes([1, 2], "int32")
    far[:, 3000:] = np.arange(1000)  # too many for a class raster, and far away
    reference = read_reference(save(tmp_path / "far.tif", far), PLANE, {"a": 1, "b": 2})
    np.testing.assert_array_equal(reference.read(WHOLE), far[:5, :7])


def test_a_map_on_a_server_is_read_and_one_that_names_others_is_not(tmp_path):
    values = classes([11, 311], "uint16")
    save(tmp_path / "clc.tif", values)
    with served(tmp_path) as (address, server):
        found = ClassMap.open(f"{address}/clc.tif").counts()
        assert found == {0: (values == 11).sum(), 1: (values == 311).sum()}
        out = tmp_path / "clc.geojson"
        result = run("vectorize", f"{address}/clc.tif", "-o", out)
        assert result.exit_code == 0, result.stderr
        (tmp_path / "m.tif").write_text(
            '<VRTDataset rasterXSize="7" rasterYSize="5"><SRS>EPSG:32633</SRS>'
            "<GeoTransform>400000,10,0,5800000,0,-10</GeoTransform>"
            '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>'
            f"/vsicurl/{address}/clc.tif</SourceFilename></SimpleSource>"
            "</VRTRasterBand></VRTDataset>"
        )
        with pytest.raises(SceneError, match="cannot be opened as a raster"):
            ClassMap.open(f"{address}/m.tif")
        asked = server.requests
        with pytest.raises(SceneError, match="in no folder that you named"):
            ClassMap.open(tmp_path / "m.tif")
        assert server.requests == asked
