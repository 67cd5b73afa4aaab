"""STAC items as scenes: which of their files are read, where, and what numbers mean."""

import json
from dataclasses import replace
from pathlib import Path

import boto3
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from items import (
    BANDS,
    HEIGHT,
    SIZES,
    WIDTH,
    asset,
    change,
    half,
    item,
    make_item,
    make_product,
    sample_bands,
    save,
    write_band,
)
from members import write_raster
from object_store import make_bucket, object_store
from tiny_models import build
from tiny_models import save as save_model
from web import served

from geoseg import SegmentOptions, segment
from geoseg.cli import main
from geoseg.errors import ModelError, SceneError
from geoseg.models.compatibility import bands_needed
from geoseg.models.find import load_package
from geoseg.models.package.card import InputBand
from geoseg.scene import SceneOptions, open_scene
from geoseg.train.labelled_scenes import open_scenes
from geoseg.train.options import GroundOptions

RGBN = ("B02", "B03", "B04", "B08")


def needs(*wanted):
    """Choose bands by their names, or else common names."""

    def choose(names, commons):
        return [
            names.index(each) if each in names else commons.index(each)
            for each in wanted
        ]

    return choose


def pixels_of(scene):
    """Read all of a scene: pixels and valid mask."""
    return scene.read(scene.window, range(len(scene.bands)))


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_an_item_is_the_image_that_its_files_hold(tmp_path, version):
    path = make_item(tmp_path, version=version, bands=RGBN)
    scene = open_scene(path)
    expected, transform = sample_bands(RGBN)
    assert (scene.bands, scene.dtype, scene.name) == (RGBN, "uint16", "item.json")
    assert scene.common_names == ("blue", "green", "red", "nir")
    assert scene.geobox.transform == transform
    pixels, valid = pixels_of(scene)
    assert np.array_equal(pixels, np.stack(list(expected.values())))
    assert np.array_equal(valid, (pixels > 0).all(axis=0))
    assert scene.check() is None


def test_only_files_of_bands_that_are_needed_are_opened(tmp_path):
    path = make_item(tmp_path, bands=RGBN)
    for gone in ("B02", "B03"):
        (tmp_path / f"{gone}.tif").unlink()
    scene = open_scene(path, needs=needs("nir", "B04"))
    assert scene.bands == ("B04", "B08")
    expected, _ = sample_bands(("B04", "B08"))
    assert np.array_equal(pixels_of(scene)[0], np.stack(list(expected.values())))
    with pytest.raises(SceneError, match=r"B02\.tif.*nor can 1 other;|B02\.tif"):
        open_scene(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Make a model of four bands, known by Sentinel-2's names."""
    common = ("blue", "green", "red", "nir")
    bands = [InputBand(n, c, 0.12, 0.05) for n, c in zip(RGBN, common, strict=True)]
    network = build("Unet", "resnet18", {"decoder_channels": [16, 12, 8, 8, 4]})
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return save_model(folder, network, bands=bands, gsd_m=10).path


@pytest.fixture(scope="module")
def plain_map(model, tmp_path_factory):
    """Map a plain raster of the same pixels."""
    folder = tmp_path_factory.mktemp("plain")
    pixels, transform = sample_bands(RGBN)
    path = folder / "scene.tif"
    write_raster(path, np.stack(list(pixels.values())), transform, names=RGBN)
    return map_of(path, folder / "out", model)


def map_of(scene, folder, model, *flags):
    """Segment from the command line, and give the rasters' bytes."""
    given = ["--model", str(model), "-o", str(folder), "--format", "geojson", "-q"]
    done = CliRunner().invoke(main, ["segment", str(scene), *given, *flags])
    assert done.exit_code == 0, done.output
    names = ("landcover.tif", "confidence.tif", "landcover.geojson")
    return [(folder / name).read_bytes() for name in names]


@pytest.mark.parametrize(
    "says",
    [
        {"version": "1.0.0"},
        {"version": "1.1.0", "scale": 1e-4, "offset": -0.1, "added": 1000},
        {
            "sizes": SIZES,
            "bands": BANDS,
            "added": 1000,
            "properties": {
                "platform": "sentinel-2a",
                "s2:processing_baseline": "05.09",
            },
        },
    ],
    ids=["1.0", "1.1-offset", "baseline-sizes"],
)
def test_the_map_of_an_item_is_the_map_of_a_raster_to_the_byte(
    tmp_path, model, plain_map, says
):
    path = make_item(tmp_path, **{"bands": RGBN, **says})
    assert map_of(path, tmp_path / "out", model) == plain_map
    report = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    warnings = " ".join(report["warnings"])
    assert ("1000 is taken off the numbers" in warnings) == ("properties" in says)


def test_two_items_are_one_mosaic_by_the_time_they_give(tmp_path):
    left = make_item(tmp_path / "a", bands=RGBN, cols=(0, 140), added=1)
    right = make_item(
        tmp_path / "b",
        bands=RGBN,
        cols=(100, WIDTH),
        added=2,
        when="2018-01-01T00:00:00Z",
    )
    expected = np.stack(list(sample_bands(RGBN)[0].values()))
    for rule, edge in (("first", 140), ("last", 100), ("newest", 100)):
        scene = open_scene([left, right], SceneOptions(mosaic=rule))
        added = np.where(np.arange(WIDTH) < edge, 1, 2)
        assert np.array_equal(pixels_of(scene)[0], expected + added)
        assert len(scene.members) == 2
    both = {"type": "FeatureCollection", "features": []}
    for document in (left, right):
        content = json.loads(document.read_text(encoding="utf-8"))
        for each in content["assets"].values():
            each["href"] = f"{document.parent.name}/{each['href']}"
        both["features"].append(content)
    saved = save(tmp_path / "search.json", both)
    found = open_scene(saved, SceneOptions(mosaic="newest"))
    assert np.array_equal(pixels_of(found)[0], pixels_of(scene)[0])


def test_an_item_that_declares_no_offset_is_not_put_beside_one_that_does(
    tmp_path, model
):
    old = make_item(tmp_path / "a", bands=RGBN, cols=(0, 140))
    new = make_item(tmp_path / "b", bands=RGBN, scale=1e-4, offset=-0.1, added=1000)
    given = ["--model", str(model), "-o", str(tmp_path / "out"), "-q"]
    refused = CliRunner().invoke(main, ["segment", str(old), str(new), *given])
    assert refused.exit_code == 2
    assert "declares scale or offset for its band B02" in refused.output
    assert not (tmp_path / "out").exists()


def test_items_and_rasters_are_one_mosaic(tmp_path):
    path = make_item(tmp_path / "a", bands=RGBN, cols=(0, 140), added=1)
    pixels, transform = sample_bands(("B08", "B04"))
    raster = tmp_path / "b.tif"
    write_raster(
        raster, np.stack(list(pixels.values())), transform, names=("B08", "B04")
    )
    scene = open_scene([path, raster], needs=needs("B04", "B08"))
    expected = np.stack([pixels["B04"], pixels["B08"]])
    expected[:, :, :140] += 1
    assert np.array_equal(pixels_of(scene)[0], expected)
    assert scene.bands == ("B04", "B08")
    with pytest.raises(SceneError, match=r"b\.tif has no band B02 .*it has B08, B04"):
        open_scene([path, raster])


def test_bands_of_several_sizes_are_refused_unless_a_grid_is_chosen(tmp_path):
    path = make_item(tmp_path, sizes=SIZES, bands=("B04", "B08", "B11"))
    with pytest.raises(
        SceneError,
        match=r"S2A_sample has .*10 metre: B04, B08; 20 metre: B11.*`resolution`",
    ):
        open_scene(path)
    chosen = SceneOptions(like=str(tmp_path / "B04.tif"))
    pixels, valid = pixels_of(open_scene(path, chosen))
    expected, _ = sample_bands(("B04", "B08"))
    assert valid.all()
    assert np.array_equal(pixels[:2], np.stack(list(expected.values())))
    only = open_scene(path, needs=needs("B11"))
    assert only.geobox.transform.a == 20
    assert np.array_equal(pixels_of(only)[0][0], half(sample_bands(("B11",))[0]["B11"]))


def test_of_a_band_in_several_sizes_the_finest_that_all_have_counts(tmp_path):
    pixels, transform = sample_bands(("B04", "B11"))
    assets = {}
    for name, sizes in (("B04", (20, 10)), ("B11", (20,))):
        for size in sizes:
            key = f"{name}_{size}m"
            write_band(tmp_path / f"{key}.tif", pixels[name], transform, size=size)
            assets[key] = asset(f"{key}.tif", bands=[{"name": name}])
    path = save(tmp_path / "item.json", item(assets, version="1.1.0"))
    for wanted, size in ((("B04",), 10), (("B04", "B11"), 20)):
        scene = open_scene(path, needs=needs(*wanted))
        assert (scene.bands, scene.geobox.transform.a) == (wanted, size)
    chosen = SceneOptions(like=str(tmp_path / "B04_10m.tif"))
    finest = open_scene(path, chosen, needs=needs("B04", "B11"))
    assert np.array_equal(pixels_of(finest)[0][0], pixels["B04"])


def test_composites_and_pictures_do_not_stand_in_for_bands(tmp_path):
    path = make_item(tmp_path, bands=("B02", "B03", "B04"))
    three = [{"name": n, "common_name": c} for n, c in zip("rgb", "abc", strict=True)]
    like_bands = [{"name": name} for name in ("B04", "B03", "B02")]

    def edit(content):
        content["assets"] = {
            "visual": asset("no.tif", roles=["visual"], **{"eo:bands": three}),
            "tci": asset("no.tif", **{"eo:bands": like_bands, "gsd": 10}),
            "B02-jp2": asset(
                "no.jp2", kind="image/jp2", **{"eo:bands": [{"name": "B02"}], "gsd": 10}
            ),
            **content["assets"],
        }

    scene = open_scene(change(path, edit))
    assert sorted(scene.bands) == ["B02", "B03", "B04"]
    assert {raster.name[-7:] for raster in scene.rasters} == {
        f"{name}.tif" for name in scene.bands
    }


def test_an_asset_with_several_bands_is_read_by_their_names(tmp_path):
    pixels, transform = sample_bands(RGBN)
    values = np.stack(list(pixels.values()))
    write_raster(tmp_path / "all.tif", values, transform, nodata=None)
    bands = [{"name": n, "nodata": 0} for n in ("blue", "green", "red", "nir")]
    path = save(tmp_path / "item.json", item({"image": asset("all.tif", bands=bands)}))
    scene = open_scene(path, needs=needs("nir"))
    assert scene.bands == ("blue", "green", "red", "nir")
    assert scene.nodata == 0
    assert np.array_equal(pixels_of(scene)[0], values)
    change(path, lambda it: it["assets"]["image"]["bands"].pop())
    with pytest.raises(SceneError, match=r"all\.tif has 4 bands, but S2A_sample .* 3"):
        open_scene(path)
    # An item that says nothing of bands leaves it to the file.
    change(path, lambda it: it["assets"]["image"].pop("bands"))
    assert open_scene(path).bands == ("",) * 4


def test_what_an_item_says_goes_before_what_a_file_says(tmp_path):
    path = make_item(tmp_path, bands=("B04",), scale=2e-4, nodata=544)
    with rasterio.open(tmp_path / "B04.tif", "r+") as dataset:
        dataset.nodata, dataset.scales, dataset.offsets = 1, (1e-4,), (-0.1,)
    scene = open_scene(path)
    band = scene.members[0].band(0)
    assert (band.scale, band.offset, band.nodata) == (2e-4, -0.1, 544)
    pixels, valid = pixels_of(scene)
    assert np.array_equal(valid, pixels[0] != 544)
    assert not valid.all()
    assert open_scene(path, SceneOptions(nodata=7)).nodata == 7
    assert not open_scene(path, SceneOptions(radiometry="raw")).is_scaled


def test_what_changes_pixels_is_part_of_the_scenes_identity(tmp_path):
    path = make_item(tmp_path, bands=RGBN, scale=1e-4, offset=0)
    before = open_scene(path).identity()
    change(path, lambda it: it["properties"].update(title="another"))
    assert open_scene(path).identity() == before

    def lower(content):
        content["assets"]["B04"]["raster:bands"][0]["offset"] = -0.1

    after = open_scene(change(path, lower)).identity()
    assert {key for key in before if before[key] != after[key]} == {"scene bands"}


def test_an_offset_that_a_catalogue_took_off_is_not_taken_off_twice(tmp_path):
    applied = {"platform": "sentinel-2b", "earthsearch:boa_offset_applied": True}
    says = {"scale": 1e-4, "offset": -0.1, "bands": ("B04", "B08")}
    path = make_item(tmp_path, properties=applied, **says)
    scene = open_scene(path)
    assert {scene.members[0].band(i).offset for i in (0, 1)} == {0}
    assert "taken off already; it is taken off once" in scene.warnings[0]
    change(
        path,
        lambda i: i["properties"].update({"earthsearch:boa_offset_applied": False}),
    )
    assert open_scene(path).members[0].band(0).offset == -0.1


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({"s2:processing_baseline": "03.01"}, 0),
        ({"s2:processing_baseline": "04.00"}, -0.1),
        ({"processing:version": "05.11", "product:type": "S2MSI2A"}, -0.1),
        ({"processing:version": "05.11"}, 0),
        ({"s2:processing_baseline": "05.11", "sentinel:boa_offset_applied": True}, 0),
    ],
    ids=str,
)
def test_the_baseline_decides_where_nothing_else_does(tmp_path, properties, offset):
    path = make_item(tmp_path, bands=("B04",), properties=properties)
    scene = open_scene(path)
    assert scene.members[0].band(0).offset == pytest.approx(offset)
    assert bool(scene.warnings) == bool(offset)
    others = [
        make_item(tmp_path / n, bands=("B04",), properties=properties) for n in "abc"
    ]
    assert len(open_scene([path, *others]).warnings) == bool(offset)
    raw = open_scene(path, SceneOptions(radiometry="raw"))
    assert not raw.is_scaled
    assert not raw.warnings


def test_a_quality_asset_of_another_size_serves_as_a_mask(tmp_path):
    path = make_item(tmp_path, bands=RGBN)
    _, transform = sample_bands(RGBN)
    classes = np.random.default_rng(0).integers(1, 12, (HEIGHT, WIDTH), np.uint8)
    write_band(tmp_path / "SCL.tif", classes, transform, size=20)
    raster = {"raster:bands": [{"nodata": 0, "spatial_resolution": 20}]}
    change(path, lambda it: it["assets"].update(scl=asset("SCL.tif", **raster)))
    chosen = SceneOptions(mask=("scl:cloud,shadow",))
    scene = open_scene(path, chosen, needs=needs("B04", "B08"))
    assert (scene.bands, scene.geobox.transform.a) == (("B04", "B08", "scl"), 10)
    _, valid = scene.read(scene.window, (0, 1))
    large = np.kron(half(classes), np.ones((2, 2), np.uint8))
    assert np.array_equal(valid, ~np.isin(large, (3, 8, 9)))


def test_red_edges_are_distinguished_by_name_wavelength_or_number(tmp_path):
    path = make_item(tmp_path, bands=("B05", "B06", "B07"))

    def rename(content):
        about = [content["assets"][name] for name in ("B05", "B06", "B07")]
        about[1]["eo:bands"][0] |= {"name": "re", "center_wavelength": 0.74}
        about[2]["eo:bands"][0] |= {"name": "rededge3"}

    scene = open_scene(change(path, rename))
    assert scene.common_names == ("rededge071", "rededge075", "rededge078")


def test_a_name_that_means_another_band_elsewhere_is_not_taken(tmp_path, model):
    path = make_item(tmp_path, bands=RGBN)

    def planet(content):
        # Another sensor's B2 is green, its B3 red, its B4 near infrared.
        assets = content["assets"]
        for old, new in (("B08", "B4"), ("B04", "B3"), ("B03", "B2"), ("B02", "B1")):
            assets[old]["eo:bands"][0]["name"] = new

    names = open_scene(change(path, planet))
    assert names.bands == ("B1", "B2", "B3", "B4")
    found = open_scene(path, needs=bands_needed([load_package(model)]))
    assert found.common_names == ("blue", "green", "red", "nir")


# Where references may lead.


def test_an_item_on_a_server_may_refer_to_files_beside_it(tmp_path):
    path = make_item(tmp_path, bands=("B04", "B08"))
    expected = pixels_of(open_scene(path))
    with served(tmp_path) as (address, _):
        scene = open_scene(f"{address}/item.json?sig=secret")
        assert np.array_equal(pixels_of(scene)[0], expected[0])
        assert address in scene.rasters[0].name
        # An address without a suffix is known by what it answers.
        (tmp_path / "items").mkdir()
        content = json.loads(path.read_text(encoding="utf-8"))
        for each in content["assets"].values():
            each["href"] = f"../{each['href']}"
        save(tmp_path / "items" / "S2A", content)
        assert open_scene(f"{address}/items/S2A").bands == ("B04", "B08")


def test_files_on_other_servers_want_a_flag(tmp_path):
    path = make_item(tmp_path, bands=("B04", "B08"))
    with served(tmp_path) as (address, _):

        def elsewhere(content):
            for each in content["assets"].values():
                each["href"] = f"{address}/{each['href'].removeprefix('./')}"

        change(path, elsewhere)
        with pytest.raises(
            SceneError, match=rf"item\.json refers to files on {address}, .*`allow_ext"
        ):
            open_scene(path)
        allowed = SceneOptions(allow_external_references=True)
        assert open_scene(path, allowed).bands == ("B04", "B08")
        # Whoever names a file of a server names the server.
        assert open_scene([path, f"{address}/item.json"]).bands == ("B04", "B08")


def test_files_in_other_folders_want_a_flag(tmp_path):
    path = make_item(tmp_path / "a", bands=("B04",))
    (tmp_path / "a" / "B04.tif").rename(tmp_path / "B04.tif")
    (tmp_path / "a" / "link.tif").symlink_to(tmp_path / "B04.tif")
    allowed = SceneOptions(allow_external_references=True)
    for href in ("../B04.tif", str(tmp_path / "B04.tif"), "link.tif"):
        change(path, lambda it, href=href: it["assets"]["B04"].update(href=href))
        with pytest.raises(SceneError, match="is in no folder that you named"):
            open_scene(path)
        assert open_scene(path, allowed).bands == ("B04",)
    pixels, transform = sample_bands(("B04",))
    named = tmp_path / "named.tif"
    write_raster(named, pixels["B04"][None], transform, names=("B04",))
    href = f"file://{tmp_path}/B04.tif"
    change(path, lambda it: it["assets"]["B04"].update(href=href))
    assert open_scene([path, named]).bands == ("B04",)


@pytest.mark.parametrize(
    "href",
    [
        *("/vsicurl/http://127.0.0.1:9/a.tif", "<VRTDataset/>", "", "  "),
        *(
            'NETCDF:"a.nc":b',
            "GTIFF_DIR:1:B04.tif",
            "vrt://B04.tif",
            "ftp://host/a.tif",
        ),
        *("http:///a.tif", "http://a b/c.tif", "/vsizip/a.zip/a.tif", "a\0.tif"),
        '{"type": "Feature"}',
    ],
)
def test_references_that_are_no_plain_addresses_are_always_refused(tmp_path, href):
    path = make_item(tmp_path, bands=("B04",))
    change(path, lambda it: it["assets"]["B04"].update(href=href))
    with pytest.raises(SceneError, match=r"item\.json|no kind of address") as refused:
        open_scene(path, SceneOptions(allow_external_references=True))
    assert "\n" not in str(refused.value)


def test_an_item_on_a_server_may_not_name_files_of_this_machine(tmp_path):
    path = make_item(tmp_path, bands=("B04",))
    href = f"file://{tmp_path / 'B04.tif'}"
    change(path, lambda it: it["assets"]["B04"].update(href=href))
    with (
        served(tmp_path) as (address, _),
        pytest.raises(SceneError, match="a file of this machine"),
    ):
        open_scene(f"{address}/item.json")


def test_a_vrt_among_the_assets_is_held_to_the_same_rules(tmp_path):
    path = make_item(tmp_path / "a", bands=("B04",))
    pixels, transform = sample_bands(("B04",))
    write_raster(tmp_path / "out.tif", pixels["B04"][None], transform)
    vrt = tmp_path / "a" / "B04.vrt"
    with rasterio.open(tmp_path / "out.tif") as dataset:
        rasterio.shutil.copy(dataset, vrt, driver="VRT")
    change(path, lambda it: it["assets"]["B04"].update(href="B04.vrt"))
    with pytest.raises(SceneError, match="is in no folder that you named"):
        open_scene(path)


# What is refused.


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"type": "Collection", "id": "c"}, "is a STAC collection, which stands for"),
        ({"type": "Catalog", "id": "c"}, "is a STAC catalog, .*give the items found"),
        ({"type": "FeatureCollection", "features": []}, "holds no STAC item; widen"),
        ({"type": "FeatureCollection"}, "holds no STAC item"),
        ({"type": "FeatureCollection", "features": [1]}, "is no STAC item"),
        ({"type": "Polygon", "coordinates": []}, "is no STAC item.*`aoi`"),
        ([1], "holds no JSON object"),
        (item({}), "has no asset that is a raster; its assets are none"),
        (item({"a": asset("a.png", kind="image/png")}), None),
        (
            item(
                {
                    "a": asset("a.xml", kind="application/xml"),
                    "b": asset("b.png", kind="image/png", roles=["overview"]),
                }
            ),
            "its assets are a, b",
        ),
        ({**item({}), "properties": None}, "is damaged: it holds no STAC item"),
        ({**item({}), "assets": [1]}, "is damaged"),
        (item({"a": {"type": "image/tiff"}}), "is damaged"),
        (item({"a": asset("a.tif", bands=[3])}), "is damaged"),
        (
            item({"a": asset("a.tif", bands=[{"raster:scale": "x"}])}),
            "no finite number",
        ),
        (item({"a": asset("a.tif", bands=[{"raster:scale": 0}])}), "a scale of 0"),
        (item({"a": asset("a.tif", bands=[{"nodata": 10**400}])}), "is damaged"),
        (
            item({"a": asset("a.tif", **{"eo:bands": [{}] * 3, "raster:bands": [{}]})}),
            "lists of several lengths",
        ),
    ],
)
def test_documents_that_are_no_scenes_are_refused_in_a_sentence(
    tmp_path, content, match
):
    path = save(tmp_path / "item.json", content)
    refused = CliRunner().invoke(main, ["info", str(path)])
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    if match:
        with pytest.raises(SceneError, match=match):
            open_scene(path)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[" * 100_000, '{"a": NaN}', "\0\xff", "{" + '"a":[' * 5_000),
        '{"type": "FeatureCollection", "features": [' + "1" * 5_000 + "]}",
    ],
    ids=lambda text: text[:12],
)
def test_damaged_documents_are_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "item.json"
    path.write_text(text, encoding="latin-1")
    refused = CliRunner().invoke(main, ["info", str(path)])
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert "item.json" in refused.stderr


def test_documents_that_are_too_long_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.scene.items.documents._LONGEST", 1000)
    path = make_item(tmp_path, bands=RGBN)
    with pytest.raises(SceneError, match="is too long for a document"):
        open_scene(path)


def test_a_band_that_an_item_lacks_is_reported_with_those_that_it_has(tmp_path, model):
    path = make_item(tmp_path / "a", bands=("B02", "B03", "B04"))
    given = ["--model", str(model), "-o", str(tmp_path / "out"), "-q"]
    refused = CliRunner().invoke(main, ["segment", str(path), *given])
    assert refused.exit_code == 2
    assert "has B02, B03, B04 and lacks, or has twice, B08 (nir)" in refused.output
    whole = make_item(tmp_path / "b", bands=RGBN)
    with pytest.raises(SceneError, match=r"S2A_sample has no band B08 \(nir\).*it has"):
        open_scene([whole, path])
    result = CliRunner().invoke(main, ["info", str(path), "--model", str(model)])
    assert "does not fit" in result.output


def test_an_item_that_cannot_be_opened_is_left_out_where_that_is_allowed(tmp_path):
    whole = make_item(tmp_path / "a", bands=RGBN)
    broken = make_item(tmp_path / "b", bands=RGBN)
    (tmp_path / "b" / "B04.tif").write_bytes(b"broken")
    (tmp_path / "c.json").write_text("{", encoding="utf-8")
    given = [whole, broken, tmp_path / "c.json"]
    with pytest.raises(SceneError, match=r"c\.json is no JSON.*`skip_unreadable`"):
        open_scene(given)
    with pytest.raises(SceneError, match=r"B04\.tif.*`skip_unreadable`"):
        open_scene(given[:2])
    scene = open_scene(given, SceneOptions(skip_unreadable=True))
    assert len(scene.members) == 1
    assert [w.startswith("left out: ") for w in scene.warnings] == [True, True]


def test_a_mask_on_other_pixels_than_the_map_is_refused(tmp_path, model):
    network = build("Unet", "resnet18", bands=1)
    bands = [InputBand("B11", "swir16", 0.12, 0.05)]
    sky = save_model(tmp_path / "sky", network, bands=bands, gsd_m=20).path
    path = make_item(tmp_path / "a", bands=(*RGBN, "B11"), sizes=SIZES)
    given = ["--model", str(model), "-o", str(tmp_path / "out"), "-q"]
    given += ["--mask-model", str(sky), "--mask-classes", "dark"]
    refused = CliRunner().invoke(main, ["segment", str(path), *given])
    assert refused.exit_code == 2
    assert "takes bands of 20 m, the map's those of 10 m" in refused.output


def test_a_model_that_takes_bands_by_number_is_refused_with_their_names(
    tmp_path, model
):
    package = load_package(model)
    bands = tuple(replace(b, index=i) for i, b in enumerate(package.bands, start=1))
    path = make_item(tmp_path, bands=RGBN)
    with pytest.raises(ModelError, match=r"takes bands by their number.*B02, B03"):
        open_scene(path, needs=bands_needed([replace(package, bands=bands)]))


def test_a_run_on_an_item_is_taken_up_until_the_item_changes(tmp_path, model):
    path = make_item(tmp_path, bands=RGBN, scale=1e-4, offset=0)
    options = SegmentOptions(model=str(model), keep_parts=True)
    segment(path, tmp_path / "out", options=options)

    def lower(content):
        content["assets"]["B04"]["raster:bands"][0]["offset"] = -0.1

    change(path, lower)
    given = ["--model", str(model), "-o", str(tmp_path / "out"), "-q"]
    refused = CliRunner().invoke(main, ["segment", str(path), *given])
    assert refused.exit_code == 2
    assert "scene bands" in refused.output


# Sensors, stores and other commands.


def test_a_landsat_item_is_masked_by_bits_and_scaled(tmp_path):
    pixels, transform = sample_bands(("B04", "B08"))
    bits = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), np.uint16)
    names = {"red": "OLI_B4", "nir08": "OLI_B5"}
    numbers = {"scale": 2.75e-5, "offset": -0.2, "nodata": 0}
    assets = {}
    for (key, name), values in zip(names.items(), pixels.values(), strict=True):
        write_band(tmp_path / f"{key}.tif", values, transform)
        known = {"eo:bands": [{"name": name, "common_name": key}]}
        assets[key] = asset(f"{key}.tif", **known, **{"raster:bands": [numbers]})
    write_band(tmp_path / "qa.tif", bits, transform)
    assets["qa_pixel"] = asset("qa.tif", roles=["cloud", "cloud-shadow"])
    properties = {"platform": "landsat-8", "start_datetime": "2021-01-01T00:00:00Z"}
    path = save(tmp_path / "item.json", item(assets, properties))
    scene = open_scene(
        path, SceneOptions(mask=("qa_pixel:cloud",)), needs=needs("red", "nir08")
    )
    assert scene.bands == ("OLI_B4", "OLI_B5", "qa_pixel")
    inside = scene.in_unit(1.0)
    found, valid = inside.read(scene.window, (0, 1))
    expected = np.stack(list(pixels.values())) * 2.75e-5 - 0.2
    assert np.allclose(found[:, valid], expected[:, valid], atol=1e-6)
    assert np.array_equal(valid, (bits & 0b1000 == 0) & (pixels["B04"] > 0))
    assert scene.rasters[0].acquired.startswith("2017:02:16 10:21:01")


def test_bands_to_learn_from_are_chosen_before_files_are_opened(tmp_path):
    path = make_item(tmp_path, bands=("B04", "B08", "B11"), sizes=SIZES)
    (tmp_path / "B11.tif").unlink()
    (scene,), chosen = open_scenes([path], GroundOptions(bands=("B08", "B04=red")))
    assert scene.bands == ("B04", "B08")
    assert [band.name for band in chosen] == ["B08", "B04"]
    with pytest.raises(SceneError, match="they are known by name"):
        open_scenes([path], GroundOptions(bands=("#1",)))


def test_an_item_on_an_object_store_may_refer_to_files_of_its_bucket(
    tmp_path, monkeypatch
):
    path = make_item(tmp_path, bands=("B04", "B08"))
    safe = make_product(tmp_path / "products", bands=("B04", "B08"))
    expected = pixels_of(open_scene(path))
    with object_store() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        host = settings["AWS_ENDPOINT_URL"].removeprefix("http://")
        for name, value in {
            "AWS_S3_ENDPOINT": host,
            "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }.items():
            monkeypatch.setenv(name, value)
        make_bucket(settings, "items")
        client = boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"])
        for file in filter(Path.is_file, tmp_path.rglob("*")):
            key = file.relative_to(tmp_path).as_posix()
            client.upload_file(str(file), "items", f"a/{key}")
        scene = open_scene("s3://items/a/item.json")
        assert np.array_equal(pixels_of(scene)[0], expected[0])
        assert scene.rasters[0].name == "s3://items/a/B04.tif"
        product = open_scene(f"s3://items/a/products/{safe.name}").in_unit(1e-4)
        assert np.array_equal(pixels_of(product)[0], expected[0])
        href = "s3://others/B04.tif"
        change(path, lambda it: it["assets"]["B04"].update(href=href))
        client.upload_file(str(path), "items", "a/item.json")
        with pytest.raises(SceneError, match=r"refers to files on s3://others, which"):
            open_scene("s3://items/a/item.json")
