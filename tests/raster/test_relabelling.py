"""A map in another legend: what becomes what, and what is said of the rest."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
from class_maps import CORNER, LEGEND, NAMES, call, refuse, write
from corner import write_corner

import geoseg
from geoseg.errors import LabelsError
from geoseg.geo.legend import plain_legend
from geoseg.raster.relabelling import Relabelling, named_by, open_legend

VALUES = np.array([[0, 0, 1, 1, 2], [0, 1, 1, 255, 2], [0, 0, 0, 255, 2]], np.uint8)

OFFICE = """
- {name: green, id: 30, colour: "#00aa00", merge: [field, wood]}
- {name: Lake, id: 7}
- {name: road, id: 9}
"""

LOST = {
    ("dynamic-world", "worldcover"): set(),
    ("dynamic-world", "corine-1"): set(),
    ("dynamic-world", "ipcc"): set(),
    ("dynamic-world", "lccs"): set(),
    ("worldcover", "dynamic-world"): {"Moss and lichen"},
    ("worldcover", "corine-1"): {"Mangroves"},
    ("worldcover", "ipcc"): set(),
    ("worldcover", "lccs"): set(),
    ("corine-1", "dynamic-world"): {
        *("Agricultural areas", "Forest and semi natural areas", "Wetlands"),
    },
    ("corine-1", "worldcover"): {
        *("Artificial surfaces", "Agricultural areas"),
        *("Forest and semi natural areas", "Wetlands"),
    },
    ("corine-1", "ipcc"): {"Agricultural areas", "Forest and semi natural areas"},
    ("corine-1", "lccs"): {
        *("Agricultural areas", "Forest and semi natural areas", "Wetlands"),
    },
    ("ipcc", "dynamic-world"): {"Wetlands", "Other land"},
    ("ipcc", "worldcover"): {"Wetlands", "Other land"},
    ("ipcc", "corine-1"): set(),
    ("ipcc", "lccs"): {"Wetlands", "Other land"},
}
"""What of a legend has no class in another one, but for LCCS: listed in its file."""


def matched(own, wanted):
    """Name what each class of a legend becomes in another one."""
    found = Relabelling.of(own, open_legend(wanted), "the map")
    names = {each.id: each.name for each in found.legend}
    return {each.name: names.get(found.ids[each.id]) for each in own}


def legend(name):
    return open_legend(name).legend


@pytest.fixture
def office(tmp_path):
    path = tmp_path / "office.yaml"
    path.write_text(OFFICE)
    return path


@pytest.fixture
def class_map(tmp_path):
    return write(tmp_path / "map.tif", VALUES)


def test_classes_are_merged_renamed_recoloured_and_renumbered(
    class_map, office, tmp_path
):
    (tmp_path / "run").mkdir()
    class_map.rename(tmp_path / "run" / "landcover.tif")
    found = geoseg.relabel(
        tmp_path / "run",
        tmp_path / "new.tif",
        legend=office,
        options=geoseg.RelabelOptions(formats=["gpkg", "geojson"]),
    )
    wanted = np.select([VALUES <= 1, VALUES == 2], [30, 7], 255)
    with rasterio.open(tmp_path / "new.tif") as dataset:
        assert np.array_equal(dataset.read(1), wanted)
        assert dataset.transform == CORNER
        assert dataset.colormap(1)[30] == (0, 0xAA, 0, 255)
        named = json.loads(dataset.tags()["GEOSEG_LEGEND"])
    assert {each["id"]: each["name"] for each in named} == {
        7: "Lake",
        9: "road",
        30: "green",
    }
    for suffix in ("gpkg", "geojson"):
        frame = geopandas.read_file(tmp_path / f"new.{suffix}", layer="new")
        pixels = frame.groupby("class_name")["pixel_count"].sum().to_dict()
        assert pixels == {"green": (wanted == 30).sum(), "Lake": (wanted == 7).sum()}
    style = (tmp_path / "new.qml").read_text()
    assert 'label="green"' in style
    assert "field" not in style
    areas = {each.name: each.pixels for each in found.class_areas}
    assert areas == {"Lake": 3, "road": 0, "green": 10}
    assert found.warnings == ("the map has no counterpart of the legend's road",)


def test_what_has_no_counterpart_is_nodata_and_reported_with_its_area(
    class_map, office, tmp_path
):
    office.write_text("- {name: water, merge: [lake]}")
    found = geoseg.relabel(class_map, tmp_path / "new.tif", legend=office)
    with rasterio.open(tmp_path / "new.tif") as dataset:
        assert np.array_equal(dataset.read(1), np.where(VALUES == 2, 0, 255))
    assert {each.name: each.pixels for each in found.lost} == {"field": 6, "wood": 4}
    assert found.warnings == (
        "the legend has no counterpart of field, wood: nodata on the map",
    )
    done = call("relabel", class_map, "--legend", office, "-o", tmp_path / "b.tif")
    assert done.exit_code == 0
    assert "no counterpart: wood" in done.stdout
    assert "geoseg: warning: the legend has no counterpart of field, wood" in (
        done.stderr
    )


def test_every_class_of_a_legend_that_ships_means_itself():
    for name in geoseg.known_legends():
        own = legend(name)
        assert matched(own, name) == {each.name: each.name for each in own}


@pytest.mark.parametrize(("own", "wanted"), LOST)
def test_what_crosswalks_lose_is_what_the_nomenclatures_do_not_say(own, wanted):
    found = matched(legend(own), wanted)
    shared = {name for name in found if name in {each.name for each in legend(wanted)}}
    lost = {name for name, became in found.items() if became is None}
    assert lost == LOST[own, wanted] - shared


def test_crosswalks_say_what_their_sources_say():
    published = {  # WorldCover's manual, table 3: the LCCS code of each class
        "Tree cover": 12,
        "Shrubland": 12,
        "Grassland": 12,
        "Cropland": 11,
        "Built-up": 15,
        "Bare / sparse vegetation": 16,
        "Snow and ice": 28,
        "Permanent water bodies": 28,
        "Herbaceous wetland": 24,
        "Mangroves": 24,
        "Moss and lichen": 12,
    }
    numbers = {each.name: each.id for each in legend("lccs")}
    found = matched(legend("worldcover"), "lccs")
    assert {name: numbers[became] for name, became in found.items()} == published
    corine = plain_legend([111, 142, 211, 244])
    assert set(matched(corine, "corine-1").values()) == {
        *("Artificial surfaces", "Agricultural areas"),
    }


def test_each_class_of_corine_goes_where_its_first_digit_says():
    codes = [c for c, _ in open_legend("corine-1").channels if c.isdecimal()]
    codes = sorted({int(each) for each in codes if len(each) == 3})
    assert len(codes) == 44
    level_1 = list(legend("corine-1"))
    channels = dict(open_legend("corine-1").channels)
    for code in codes:
        assert level_1[channels[str(code)]].id == code // 100
    assert level_1[channels["Olive groves"]].name == "Agricultural areas"


def test_numbers_mean_nothing_until_it_is_said_whose_they_are(tmp_path):
    plain = write(tmp_path / "plain.tif", np.array([[10, 80], [95, 255]], np.uint8))
    with rasterio.open(plain, "r+") as dataset:
        dataset.update_tags(GEOSEG_LEGEND="")
    said = refuse(
        *(tmp_path, "relabel", plain, "--legend", "ipcc"),
        *("-o", tmp_path / "new.tif"),
    )
    assert "the map has class 10, class 80, class 95, the legend Forest land" in said
    assert "say whose numbers they are by --from" in said
    geoseg.relabel(plain, tmp_path / "new.tif", legend="ipcc", source="worldcover")
    with rasterio.open(tmp_path / "new.tif") as dataset:
        assert dataset.read(1).tolist() == [[1, 4], [1, 255]]
    with pytest.raises(LabelsError, match="values 10, 80, 95 are no numbers of"):
        named_by(plain_legend([10, 80, 95]), open_legend("dynamic-world"))


def test_ground_of_an_unknown_class_stays_unknown():
    own = geoseg.Legend(
        (
            geoseg.LandClass(0, "trees", "#00ff00"),
            geoseg.LandClass(254, "unknown", "#bdbdbd"),
        )
    )
    found = Relabelling.of(own, open_legend("ipcc"), "the map")
    assert found.ids[0] == 1
    assert found.ids[254] == 254
    assert found.legend.by_id(254).name == "unknown"
    assert not found.lost


def test_names_match_but_for_case_and_hyphens_unless_that_is_ambiguous(office):
    own = geoseg.Legend((geoseg.LandClass(3, "BUILT UP", "#ff0000"),))
    assert matched(own, "worldcover") == {"BUILT UP": "Built-up"}
    office.write_text("- {name: built-up}\n- {name: built_up}\n- {name: 'x'}")
    with pytest.raises(LabelsError, match=r"no class of the map is in the legend"):
        matched(own, office)


def test_a_legend_of_values_recolours(class_map, tmp_path):
    other = geoseg.Legend(
        tuple(
            geoseg.LandClass(number + 5, name, "#123456")
            for number, name in enumerate(NAMES.values())
        )
    )
    geoseg.relabel(class_map, tmp_path / "new.tif", legend=other)
    with rasterio.open(tmp_path / "new.tif") as dataset:
        assert np.array_equal(dataset.read(1), np.where(VALUES < 255, VALUES + 5, 255))
        assert dataset.colormap(1)[6] == (0x12, 0x34, 0x56, 255)


@pytest.mark.usefixtures("office")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--legend", "ipc"], "did you mean ipcc?"),
        (["--legend", "corine-1"], "the map has field, wood, lake, the legend Artif"),
        (["--legend", "office.yaml", "--format", "kml"], "'kml' is no format of poly"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    flags, said, class_map, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert said in refuse(tmp_path, "relabel", "map.tif", "-o", "new.tif", *flags)
    over = refuse(
        tmp_path, "relabel", "map.tif", "--legend", "office.yaml", "-o", "map.tif"
    )
    assert "map.tif" in over
    assert LEGEND in rasterio.open(class_map).tags().values()
    wrong = refuse(
        tmp_path, "relabel", "map.tif", "--legend", "office.yaml", "-o", "new.gpkg"
    )
    assert "write new.tif, and ask for polygons by --format" in wrong


def test_polygons_are_drawn_in_the_legend_that_is_asked_for(
    class_map, office, tmp_path
):
    frame = geoseg.vectorize(class_map, tmp_path / "new.gpkg", legend=office).read()
    assert dict(zip(frame["class_name"], frame["class_id"], strict=True)) == {
        "green": 30,
        "Lake": 7,
    }


def test_a_run_in_another_legend_is_the_run_relabelled(tmp_path):
    scene, flags = write_corner(tmp_path, 70, 90), ["--tile", "64", "--overlap", "32"]
    for folder, more in (("own", []), ("other", ["--legend", "ipcc"])):
        done = call("segment", scene, "-o", tmp_path / folder, *flags, *more)
        assert done.exit_code == 0, done.output
    assert "no counterpart of cloud: nodata on the map" in done.stderr
    with rasterio.open(tmp_path / "own" / "landcover.tif") as dataset:
        own = dataset.read(1)
    with rasterio.open(tmp_path / "other" / "landcover.tif") as dataset:
        other = dataset.read(1)
    # cropland, grassland, woodland, wetland, water, built-up, cloud
    table = np.array([2, 3, 1, 4, 4, 5, 255] + [255] * 249, np.uint8)
    assert np.array_equal(other, table[own])
    report = json.loads((tmp_path / "other" / "run.json").read_text())
    areas = {each["name"]: each["pixels"] for each in report["class_areas"]}
    assert areas["Wetlands"] == (table[own] == 4).sum()
    assert report["settings"]["legend"][3]["takes"] == [3, 4]
    frame = geopandas.read_file(tmp_path / "other" / "landcover.geojson")
    assert set(frame["class_name"]) <= set(areas)


def test_a_run_whose_legend_changed_is_made_again(office, tmp_path):
    scene, flags = write_corner(tmp_path, 70, 90), ["--tile", "64", "--overlap", "32"]
    office.write_text("- {name: land, merge: [cropland, woodland]}\n- {name: water}")
    call_ = ("segment", scene, "-o", tmp_path / "out", "--legend", office, *flags)
    assert call(*call_).exit_code == 0
    assert "holds this map already" in call(*call_).stderr
    office.write_text("- {name: land, merge: [cropland]}\n- {name: water}")
    assert "holds this map already" not in call(*call_).stderr
