"""Sentinel-2 products: their files as a scene, and what metadata say of numbers."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from items import BANDS, make_product, sample_bands
from members import write_raster
from web import served

from geoseg.cli import main
from geoseg.errors import SceneError
from geoseg.scene import SceneOptions, open_scene

RGBN = ("B02", "B03", "B04", "B08")


def stack(names=RGBN):
    """Give bands of the sample as one array."""
    return np.stack(list(sample_bands(names)[0].values()))


def rename(path, old, new):
    """Change words in a file."""
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), "utf-8")


@pytest.mark.parametrize("level", ["1C", "2A"])
@pytest.mark.parametrize("by", ["folder", "metadata"])
def test_a_product_is_the_image_that_its_files_hold(tmp_path, level, by):
    safe = make_product(tmp_path, level=level)
    path = safe if by == "folder" else safe / f"MTD_MSIL{level}.xml"
    scene = open_scene(path)
    assert scene.bands == RGBN
    assert scene.common_names == ("blue", "green", "red", "nir")
    assert scene.nodata == 0
    inside = scene.in_unit(1e-4)
    pixels, valid = inside.read(scene.window, range(4))
    assert np.array_equal(pixels[:, valid], stack()[:, valid])
    assert valid.mean() > 0.9
    raw = open_scene(path, SceneOptions(radiometry="raw"))
    assert not raw.is_scaled
    assert np.array_equal(
        raw.read(raw.window, range(4))[0][:, valid] - 1000, pixels[:, valid]
    )


def test_products_before_the_offset_have_none(tmp_path):
    scene = open_scene(make_product(tmp_path, added=0))
    band = scene.members[0].band(0)
    assert (band.scale, band.offset) == (1e-4, 0)


def test_a_products_resolutions_are_reported_and_only_files_needed_opened(tmp_path):
    safe = make_product(tmp_path, level="1C", bands=BANDS)
    with pytest.raises(SceneError, match="10 metre: B02, B03, B04, B08; 20 metre: B05"):
        open_scene(safe)
    for path in safe.rglob("*_B1*.jp2"):
        path.unlink()
    scene = open_scene(safe, needs=lambda names, _: [names.index("B8A")])
    assert (scene.bands, scene.geobox.transform.a) == (("B8A",), 20)


def test_files_of_a_product_named_alone_have_its_offset(tmp_path):
    safe = make_product(tmp_path)
    (red,) = safe.rglob("*_B04_10m.jp2")
    (nir,) = safe.rglob("*_B08_10m.jp2")
    by_flag = open_scene([], SceneOptions(bands=(("red", str(red)), ("nir", str(nir)))))
    alone = open_scene(red)
    assert (by_flag.bands, alone.bands) == (("red", "nir"), ("B04",))
    for scene in (by_flag, alone):
        band = scene.members[0].band(0)
        assert (band.scale, band.offset, band.nodata) == (1e-4, -0.1, 0)
    # Elsewhere, nothing says what its numbers mean.
    other = tmp_path / red.name
    other.write_bytes(red.read_bytes())
    band = open_scene(other).members[0].band(0)
    assert (band.scale, band.offset) == (1, 0)
    # What lies in a product and is not of it is not its.
    made = red.with_name("made_B04_10m.tif")
    write_raster(made, stack(("B04",)), sample_bands(("B04",))[1], nodata=None)
    band = open_scene(made).members[0].band(0)
    assert (band.scale, band.offset) == (1, 0)


def test_files_of_a_product_are_no_mosaic_of_one_band(tmp_path):
    safe = make_product(tmp_path)
    (red,) = safe.rglob("*_B04_10m.jp2")
    with pytest.raises(SceneError, match="a mosaic needs the same bands"):
        open_scene(red.parent)


def test_bands_declared_differently_are_not_compared(tmp_path):
    safe = make_product(tmp_path)
    paths = {path.name[-11:-8]: path for path in safe.rglob("*.jp2")}
    blue = tmp_path / "blue.tif"
    with rasterio.open(paths["B02"]) as dataset:
        write_raster(blue, dataset.read(), dataset.transform, nodata=None)
    given = [f"--band={n}={paths[n]}" for n in ("B03", "B04", "B08")]
    model = ["--model", "sentinel2-landcover", "-o", str(tmp_path / "out"), "-q"]
    more = [f"--band={n}={paths['B08']}" for n in BANDS if n not in paths]
    done = CliRunner().invoke(
        main, ["segment", f"--band=B02={blue}", *given, *more, *model]
    )
    assert done.exit_code == 2
    assert "declares scale or offset for its band B03" in done.output
    assert "none for its band B02" in done.output


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (">10000<", ">many<", "gives 'many' where a number is needed"),
        (">10000<", ">0<", "are to be divided by 0"),
        (">-1000<", ">nan<", "gives 'nan' where a number is needed"),
        ('band_id="3"', 'band_id="30"', "an offset for an unknown band '30'"),
        ("GRANULE/", "../../", "which is not in the product"),
        ("IMAGE_FILE", "FILE", "lists no image"),
        ("<Granule>", "<Granul>", "is a damaged product description"),
        ("<n1:", "<!DOCTYPE a [<!ENTITY b 'c'>]><n1:", "declares XML entities"),
        ("_B02_10m", "_B02_20m", r"B02_20m\.jp2"),
    ],
)
def test_metadata_that_cannot_be_right_are_refused(tmp_path, old, new, match):
    safe = make_product(tmp_path)
    rename(safe / "MTD_MSIL2A.xml", old, new)
    with pytest.raises(SceneError, match=match):
        open_scene(safe)


def test_a_product_on_a_server_is_what_it_is_on_a_disk(tmp_path):
    safe = make_product(tmp_path)
    expected = open_scene(safe).in_unit(1e-4)
    (red,) = safe.rglob("*_B04_10m.jp2")
    with served(tmp_path) as (address, _):
        for path in (safe.name, f"{safe.name}/MTD_MSIL2A.xml"):
            scene = open_scene(f"{address}/{path}").in_unit(1e-4)
            assert scene.bands == RGBN
            for found, there in zip(
                scene.read(scene.window, (2, 0)),
                expected.read(expected.window, (2, 0)),
                strict=True,
            ):
                assert np.array_equal(found, there)
        alone = f"{address}/{red.relative_to(tmp_path)}?sig=secret"
        band = open_scene(alone).members[0].band(0)
        assert (band.name, band.scale, band.offset) == ("B04", 1e-4, -0.1)
        beside = open_scene([alone, safe], needs=lambda names, _: [names.index("B04")])
        assert [member.band(0).offset for member in beside.members] == [-0.1, -0.1]


def test_a_file_whose_products_metadata_are_gone_is_taken_raw_only(tmp_path):
    safe = make_product(tmp_path)
    (safe / "MTD_MSIL2A.xml").unlink()
    (red,) = safe.rglob("*_B04_10m.jp2")
    with served(tmp_path) as (address, _):
        alone = f"{address}/{red.relative_to(tmp_path)}"
        with pytest.raises(SceneError, match=r"xml answers 404.*`radiometry='raw'`"):
            open_scene(alone)
        assert not open_scene(alone, SceneOptions(radiometry="raw")).is_scaled


def test_a_product_in_an_archive_is_to_be_unpacked(tmp_path):
    archive = tmp_path / "S2A_MSIL2A_20230216T102101_N0509_R065_T33UUU.SAFE.zip"
    archive.write_bytes(b"PK")
    inside = f"/vsizip/{archive}/S2A_MSIL2A_X.SAFE/GRANULE/a_B04_10m.jp2"
    part = f"SENTINEL2_L2A:{archive}:10m:EPSG_32633"
    for given in (archive, inside, part):
        with pytest.raises(SceneError, match=r"without the offset .*\.SAFE folder"):
            open_scene([given])
    with pytest.raises(SceneError, match=r"give its \.SAFE folder"):
        open_scene([], SceneOptions(bands=(("red", part),)))


def test_other_folders_named_safe_are_left_to_gdal(tmp_path):
    folder = tmp_path / "S1A.SAFE"
    folder.mkdir()
    with pytest.raises(SceneError, match=r"S1A\.SAFE cannot be opened as a raster"):
        open_scene(folder)
