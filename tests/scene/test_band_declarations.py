"""Which band is which, by all that a file says of them; and what alpha bands hide."""

import numpy as np
import pytest
import rasterio
from brightest import expected, mapped, refused
from click.testing import CliRunner
from rasterio.enums import ColorInterp

from geoseg.cli import main
from geoseg.errors import ModelError, SceneError
from geoseg.models.band_match import match_bands
from geoseg.models.find import load_package
from geoseg.models.package.card import InputBand
from geoseg.scene import SceneOptions, open_scene
from geoseg.train.bands import choose_bands, find_bands

RED, GREEN, BLUE = ColorInterp.red, ColorInterp.green, ColorInterp.blue
GRAY, ALPHA, UNSAID = ColorInterp.gray, ColorInterp.alpha, ColorInterp.undefined
UTM = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 4e5, 0, -10, 5.8e6)}


@pytest.fixture
def write(tmp_path):
    """Give a function that writes a raster with meanings of its bands, and names."""

    def make(values, meanings=None, names=(), name="scene.tif", **profile):
        path = tmp_path / name
        count, height, width = values.shape
        shape = {"count": count, "height": height, "width": width}
        kind = {"driver": "GTiff", "dtype": values.dtype.name, **shape, **UTM}
        with rasterio.open(path, "w", **kind, **profile) as dataset:
            if meanings is not None:
                dataset.colorinterp = meanings
            dataset.write(values)
            for index, band in enumerate(names, start=1):
                dataset.set_band_description(index, band)
        return path

    return make


def noise(count, dtype="uint16", high=250):
    """Make pixels of which no two bands are equal, shape (count, 37, 53)."""
    mixed = np.random.default_rng(7).permuted(
        np.tile(np.arange(1, high), (37 * 53, 1)), axis=1
    )
    return mixed[:, :count].T.reshape(count, 37, 53).astype(dtype)


def bands_of(*names):
    """Give the shipped model's card with bands of these names alone."""
    from dataclasses import replace  # noqa: PLC0415  # of this function alone

    bands = tuple(InputBand(name, "", 0, 1) for name in names)
    return replace(load_package("sentinel2-landcover"), bands=bands)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_a_file_says_of_its_bands_goes_before_their_order(
    write, brightest, tmp_path, order, named
):
    values = noise(3)
    said = [("blue", BLUE), ("green", GREEN), ("red", RED)]
    names, meanings = zip(*[said[index] for index in order], strict=True)
    declared = {"names": names} if named else {"meanings": meanings}
    path = write(values[list(order)], **declared)
    classes, _, _ = mapped(brightest, tmp_path / "out", path)
    assert np.array_equal(classes, expected(values))


def test_what_gdal_says_of_any_three_bytes_decides_nothing(write, brightest, tmp_path):
    values = noise(3, "uint8")
    path = write(values)
    with rasterio.open(path) as dataset:
        assert dataset.colorinterp == (RED, GREEN, BLUE)
    classes, _, warnings = mapped(brightest, tmp_path / "out", path)
    assert np.array_equal(classes, expected(values))
    assert any("taken in the model's order: B02, B03, B04" in each for each in warnings)


def test_letters_are_colours(write):
    path = write(noise(3), names=("B", "G", "R"))
    match = match_bands(bands_of("R", "G", "B"), open_scene(path).bands)
    assert (match.indices, match.by_order) == ((2, 1, 0), False)
    match = match_bands(bands_of("red", "g", "blue"), open_scene(path).bands)
    assert match.indices == (2, 1, 0)


def test_an_order_that_is_contradicted_and_cannot_be_mended_is_refused():
    model = bands_of("red", "green", "blue", "height")
    with pytest.raises(ModelError, match=r"band 1 in its order.* red.* it is blue"):
        match_bands(model, ("",) * 4, ("blue", "green", "red", ""))
    agreed = match_bands(model, ("",) * 4, ("red", "green", "blue", ""))
    assert (agreed.indices, agreed.by_order) == ((0, 1, 2, 3), True)


def test_a_model_that_counts_bands_of_colours_is_held_to_them(write):
    bands = choose_bands(open_scene(write(noise(3), (RED, GREEN, BLUE))), ())
    assert [(b.index, b.common_name) for b in bands] == [
        (1, "red"),
        (2, "green"),
        (3, "blue"),
    ]
    other = open_scene(write(noise(3), (BLUE, GREEN, RED), name="other.tif"))
    with pytest.raises(ModelError, match="takes band 1 by its number for red"):
        find_bands(other, bands)


def test_a_name_is_believed_before_a_colour_and_said_to_be(write):
    path = write(noise(3), (BLUE, GREEN, RED), ("red", "green", "blue"))
    scene = open_scene(path)
    assert scene.common_names == ("", "", "")
    (warning,) = scene.warnings
    assert "calls its band 1 red, and its colour interpretation is blue" in warning


def test_members_of_a_mosaic_are_matched_by_their_colours(write):
    values = noise(3)
    first = write(values, (RED, GREEN, BLUE), nodata=0)
    other = write(values[::-1], (BLUE, GREEN, RED), name="t.tif", nodata=0)
    scene = open_scene([first, other], SceneOptions(mosaic="last"))
    assert np.array_equal(scene.read(scene.window, (0, 1, 2))[0], values)


@pytest.mark.parametrize("word", ["Band 1", "band_1", "BAND-1", "1", "Layer 1"])
def test_a_number_is_no_name(write, word):
    numbered = [word.replace("1", str(number)) for number in (1, 2, 3)]
    assert open_scene(write(noise(3), names=numbered)).bands == ("", "", "")


def test_names_of_sensors_are_names(write):
    names = ("B1", "B08", "Band 8A")
    assert open_scene(write(noise(3), names=names)).bands == names


@pytest.mark.parametrize("order", [(1, 2, 3), (4, 2, 1)])
def test_bands_are_chosen_by_number(write, brightest, tmp_path, order):
    values = noise(4)
    path = write(values)
    said = refused(brightest, tmp_path / "out", path)
    assert "the scene has 4 without names; choose them by number" in said
    assert "--bands 1,2,3" in said
    numbers = ",".join(map(str, order))
    classes, _, _ = mapped(brightest, tmp_path / "out", path, "--bands", numbers)
    assert np.array_equal(classes, expected(values[[n - 1 for n in order]]))
    for command in ("info", "plan"):
        words = [command, path, "--bands", numbers, "--model", brightest, "--json"]
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exit_code == 0, done.output
    assert "lacks" not in done.output


def test_bands_of_one_file_are_named_by_number(write, brightest, tmp_path):
    values = noise(4)
    path = write(values)
    named = [f"--band={name}={path}:{n}" for name, n in (("red", 1), ("blue", 4))]
    classes, _, _ = mapped(
        brightest, tmp_path / "out", *named, f"--band=green={path}:2"
    )
    assert np.array_equal(classes, expected(values[[3, 1, 0]]))


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        ((1, 5), "has 4 bands, counted from 1, and none of number 5, for which"),
        (tuple(range(1, 99)), "none of number 5 to 98, for which `numbers` asks"),
        ((2, 2), "twice: 2, 2"),
    ],
)
def test_numbers_that_no_file_has_are_refused(write, numbers, match):
    with pytest.raises(SceneError, match=match):
        open_scene(write(noise(4)), SceneOptions(numbers=numbers))


def test_a_fourth_band_that_is_marked_alpha_is_named_and_can_be_read(write):
    values = noise(4, "uint8")
    values[3, :9] = 0
    path = write(values)
    scene = open_scene(path)
    assert (len(scene.bands), scene.alpha) == (3, 4)
    with pytest.raises(
        ModelError, match=r"band 4 .* marked as alpha.*`numbers=1,2,3,4`"
    ):
        match_bands(bands_of("a", "b", "c", "d"), scene.bands, alpha=scene.alpha)
    chosen = open_scene(path, SceneOptions(numbers=(1, 2, 3, 4)))
    pixels, valid = chosen.read(chosen.window, range(4))
    assert np.array_equal(pixels, values)
    assert valid.all()
    assert not np.ma.getmaskarray(chosen.picture(chosen.window, (3,), (37, 53))).any()
    done = CliRunner().invoke(main, ["info", str(path)])
    assert "band 4, which hides pixels where it is 0" in done.output


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"]
)
def test_alpha_of_any_type_hides_pixels_where_it_is_zero(write, dtype, count):
    values = noise(count + 1, dtype)
    values[-1] = 1 if dtype.startswith("float") else 255
    values[-1, :7, :11] = 0
    rest = [UNSAID] * (count - 1)
    path = write(values, (GRAY, *rest, ALPHA))
    scene = open_scene(path)
    assert len(scene.bands) == count
    pixels, valid = scene.read(scene.window, range(count))
    assert np.array_equal(valid, values[-1] != 0)
    assert np.array_equal(pixels[:, valid], values[:-1][:, valid])
    picture = scene.picture(scene.window, (0,), (37, 53))
    assert np.array_equal(~np.ma.getmaskarray(picture)[0], values[-1] != 0)


def test_an_alpha_band_and_a_nodata_value_both_hide(write):
    values = noise(4, "float32")
    values[3] = 1
    values[3, :, :5] = 0
    values[:3, :4] = -9
    path = write(values, (GRAY, UNSAID, UNSAID, ALPHA), nodata=-9)
    _, valid = (scene := open_scene(path)).read(scene.window, (0, 1, 2))
    inside = np.ones((37, 53), bool)
    inside[:4] = inside[:, :5] = False
    assert np.array_equal(valid, inside)
