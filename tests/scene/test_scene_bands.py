"""Bands in files of their own, quality bands, and numbers that files give a meaning."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from members import sample, write_raster

from geoseg.errors import SceneError
from geoseg.geo.windows import Window
from geoseg.scene import SceneOptions, open_scene


@pytest.fixture
def product(tmp_path):
    """Give two bands and a scene classification, each in a file of its own."""
    pixels, transform, _ = sample((0, 60), (0, 80), bands=(3, 7))
    classes = np.random.default_rng(0).integers(0, 12, (1, 60, 80), np.uint8)
    written = {"red": pixels[:1], "nir": pixels[1:], "SCL": classes}
    paths = tuple(
        (
            name,
            str(write_raster(tmp_path / f"{name}.tif", band, transform, nodata=None)),
        )
        for name, band in written.items()
    )
    return paths, pixels, classes[0]


def test_bands_in_files_of_their_own_are_one_scene(product):
    paths, pixels, _ = product
    scene = open_scene([], SceneOptions(bands=paths))
    assert (scene.bands, scene.dtype) == (("red", "nir", "SCL"), "uint16")
    found, valid = scene.read(Window(5, 6, 40, 50), (1, 0))
    assert np.array_equal(found, pixels[::-1, 5:45, 6:56])
    assert valid.all()
    assert scene.check() is None


@pytest.mark.parametrize(
    ("mask", "values"),
    [
        ("scl:cloud,shadow", {3, 8, 9}),
        ("SCL:cirrus", {10}),
        ("scl:nodata,snow", {0, 11}),
    ],
)
def test_classes_of_a_quality_band_do_not_count(product, mask, values):
    paths, _, classes = product
    scene = open_scene([], SceneOptions(bands=paths, mask=(mask,)))
    _, valid = scene.read(scene.window, (0, 1))
    assert np.array_equal(valid, ~np.isin(classes, list(values)))


@pytest.mark.parametrize("crs", [None, "EPSG:32632"])
def test_bands_of_one_file_may_differ_in_dtype(product, tmp_path, crs):
    paths, pixels, classes = product
    (red, red_path), _, (scl, scl_path) = paths
    vrt = "".join(
        f'<VRTRasterBand dataType="{dtype}" band="{band}"><Description>{name}'
        f"</Description><SimpleSource><SourceFilename>{path}</SourceFilename>"
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for band, (name, path, dtype) in enumerate(
            ((red, red_path, "UInt16"), (scl, scl_path, "Byte")), start=1
        )
    )
    _, transform, _ = sample((0, 60), (0, 80))
    path = tmp_path / "both.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="80" rasterYSize="60"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>{','.join(map(str, transform.to_gdal()))}</GeoTransform>"
        f"{vrt}</VRTDataset>"
    )
    scene = open_scene(path, SceneOptions(crs=crs))
    found, valid = scene.read(scene.window, (0, 1))
    if crs is None:
        assert np.array_equal(found, [pixels[0], classes])
    assert set(np.unique(found[1][valid])) == set(np.unique(classes))
    assert scene.picture(scene.window, (0, 1), (6, 8)).shape == (2, 6, 8)


def test_classes_are_bits_in_landsats_band(product, tmp_path):
    (red, *_), _, _ = product
    bits = np.random.default_rng(1).integers(0, 1 << 16, (1, 60, 80), np.uint16)
    _, transform, _ = sample((0, 60), (0, 80))
    path = write_raster(tmp_path / "qa.tif", bits, transform, nodata=None)
    chosen = {"bands": (red, ("QA_PIXEL", str(path))), "mask": ("qa_pixel:cloud,snow",)}
    scene = open_scene([], SceneOptions(**chosen))
    _, valid = scene.read(scene.window, (0,))
    assert np.array_equal(valid, bits[0] & 0b101000 == 0)


def test_classes_are_never_mixed_on_another_grid(product):
    paths, _, classes = product
    chosen = {"bands": paths, "crs": "EPSG:32632", "resolution": 7}
    scene = open_scene([], SceneOptions(**chosen))
    found, valid = scene.read(scene.window, (2,))
    assert set(np.unique(found[0][valid])) <= set(np.unique(classes))
    masked = open_scene([], SceneOptions(**chosen, mask=("scl:cloud",)))
    _, counted = masked.read(scene.window, (0, 1))
    assert np.array_equal(counted, valid & ~np.isin(found[0], (8, 9)))


def test_bands_of_two_resolutions_want_a_choice(product, tmp_path):
    (red, nir, _), _, _ = product
    pixels, transform, _ = sample((0, 30), (0, 40), bands=(5,))
    double = transform @ rasterio.Affine.scale(2)
    swir = ("swir", str(write_raster(tmp_path / "swir.tif", pixels, double)))
    bands = (red, nir, swir)
    with pytest.raises(SceneError, match=r"pixels of 10 metre.*pixels of 20 metre"):
        open_scene([], SceneOptions(bands=bands))
    scene = open_scene([], SceneOptions(bands=bands, resolution=10))
    found, valid = scene.read(scene.window, (0, 2))
    assert found.shape[1:] == valid.shape
    assert valid.sum() == 60 * 80


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"mask": ("clouds",)}, "`mask` names a quality band"),
        ({"mask": ("scl:fog",)}, "scl has no class fog; its classes are nodata"),
        ({"mask": ("qa_pixel:cloud",)}, r"needs one band named qa_pixel; .*`bands=qa_"),
    ],
)
def test_masks_that_cannot_be_are_refused(product, change, match):
    with pytest.raises(SceneError, match=match):
        open_scene([], SceneOptions(bands=product[0], **change))


def test_bands_that_do_not_fit_are_refused(product, tmp_path):
    paths = product[0]
    pixels, transform, _ = sample((0, 60), (0, 80))
    many = str(write_raster(tmp_path / "many.tif", pixels, transform))
    for bands, match in (
        (((paths[0]), ("nir", many)), "`bands=nir` needs one file with one band"),
        ((paths[0], ("red", paths[1][1])), "names a band twice: red, red"),
        ((("red", "gone.tif"),), r"gone\.tif does not exist"),
    ):
        with pytest.raises(SceneError, match=match):
            open_scene([], SceneOptions(bands=bands))
    with pytest.raises(SceneError, match="a scene beside them"):
        open_scene(many, SceneOptions(bands=paths))


def test_numbers_come_in_the_unit_asked_for(tmp_path):
    pixels, transform, names = sample((0, 60), (0, 80))
    path = write_raster(tmp_path / "a.tif", pixels, transform, names=names)
    assert not open_scene(path).is_scaled
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.1, -0.1, 0.0)
    scene = open_scene(path)
    assert scene.is_scaled
    assert not open_scene(path, SceneOptions(radiometry="raw")).is_scaled
    inside = scene.in_unit(1e-4)
    found, valid = inside.read(scene.window, (0, 2))
    assert (found.dtype, inside.dtype) == (np.float32, "float32")
    expected = pixels[[0, 2]].astype(float) - np.array([1000, 0])[:, None, None]
    assert np.allclose(found, expected, atol=0.01)
    assert np.array_equal(valid, (pixels[[0, 2]] > 0).all(axis=0))
    assert inside.identity() != scene.identity()
    assert replace(inside, unit=None, dtype="uint16") == scene
