"""Tiles against a window in one piece, where the answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import tiny_models
import torch
from click.testing import CliRunner
from packages import CARD, TRAINING

import geoseg
from geoseg.cli import main
from geoseg.diagnose import comparison
from geoseg.diagnose.comparison import Comparison
from geoseg.errors import AoiError, GridError, InputError, ModelError
from geoseg.models.networks.network import load_network, save_package
from geoseg.run.cluster.memory import most_held

WINDOW = (50, 130, 60, 70)
"""Off the lattice, and less than the field from the scene's right edge."""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package of a U-Net so shallow that its field is finite and small."""
    network = tiny_models.build(
        "Unet", "resnet18", tiny_models.NARROW, bands=2, classes=3, seed=1
    )
    # Untrained, its scores hardly differ from pixel to pixel.
    network.segmentation_head[0].weight.data.mul_(30)
    path = tmp_path_factory.mktemp("package")
    card = replace(CARD, stride=8, tile=64, overlap=16, gsd_m=14.0)
    save_package(path, network.eval(), card, TRAINING)
    return path


@pytest.fixture
def scene(make_raster):
    values = np.random.default_rng(0).integers(1, 9000, (2, 150, 210), np.uint16)
    values[:, 55:60, 140:150] = 0
    return make_raster(values=values, bands=("B04", "B8A"))


def by_tiling(found):
    return {(each.overlap, each.blend): each for each in found.agreements}


def test_with_the_exact_overlap_and_crop_not_one_label_differs(package, scene):
    options = geoseg.VerifyOptions(window=WINDOW)
    found = geoseg.verify(package, scene, options=options)
    field = found.receptive_field
    assert found.pixels == 60 * 70 - 5 * 10
    agreements = by_tiling(found)
    assert {overlap for overlap, _ in agreements} == {16, field.overlap}
    exact = agreements[field.overlap, "crop"]
    assert exact.exact
    assert exact.changed_pixels == 0
    assert exact.largest_difference < 2**-13  # two steps of the fixed point
    for (overlap, blend), other in agreements.items():
        if blend == "mean" or overlap == 16:
            assert not other.exact
            assert other.largest_difference > 0.01
            assert other.changed_share == other.changed_pixels / found.pixels > 0


def test_numbers_that_files_declare_to_be_scaled_come_in_the_models_unit(
    package, scene, tmp_path
):
    higher = tmp_path / "higher.tif"  # as Sentinel-2's are since baseline 04.00
    with rasterio.open(scene) as dataset:
        values, profile, names = dataset.read(), dataset.profile, dataset.descriptions
    with rasterio.open(higher, "w", **profile) as dataset:
        dataset.write(np.where(values == 0, 0, values + 1000).astype(np.uint16))
        dataset.descriptions = names
        dataset.scales, dataset.offsets = (1e-4,) * 2, (-0.1,) * 2
    options = geoseg.VerifyOptions(window=WINDOW)
    agreements = [
        by_tiling(geoseg.verify(package, each, options=options))
        for each in (scene, higher)
    ]
    for tiling, found in agreements[0].items():
        other = agreements[1][tiling]
        assert other.largest_difference == pytest.approx(
            found.largest_difference, abs=2**-13
        )
        assert abs(other.changed_pixels - found.changed_pixels) < 3


def test_segment_with_the_exact_overlap_is_the_network_on_the_whole_image(
    package, scene, tmp_path
):
    field = geoseg.inspect_model(package, receptive_field=True).receptive_field
    options = geoseg.SegmentOptions(
        model=package,
        tile=field.tile,
        overlap=field.overlap,
        blend="crop",
        precision="float32",
    )
    geoseg.segment(scene, tmp_path / "out", options=options)
    with rasterio.open(tmp_path / "out" / "landcover.tif") as dataset:
        tiled = dataset.read(1)
    whole = np.array(CARD.legend.ids)[scores_of_all(package, scene, field).argmax(0)]
    with rasterio.open(scene) as dataset:
        whole[(dataset.read() == 0).any(0)] = 255
    assert np.array_equal(tiled, whole)


def scores_of_all(package, scene, field):
    """The network on the mirrored image, without geoseg's tiles; from its centre."""
    with rasterio.open(scene) as dataset:
        raw = dataset.read().astype(np.float64)
        left, _, _, top = dataset.bounds
        col, row = round(left / dataset.res[0]), round(-top / dataset.res[1])
    mean, std = np.array([(band.mean, band.std) for band in CARD.bands]).T
    pixels = (raw * CARD.scale - mean[:, None, None]) / std[:, None, None]
    pixels[:, (raw == 0).any(0)] = 0
    # Tiles begin at multiples of the stride from the CRS's own origin.
    before = [field.overlap + start % 8 for start in (row, col)]
    after = [
        field.overlap + -(first + side) % 8
        for first, side in zip(before, raw.shape[1:], strict=True)
    ]
    edges = [(0, 0), *zip(before, after, strict=True)]
    padded = np.pad(pixels, edges, mode="reflect")[np.newaxis]
    network = load_network(geoseg.load_package(package)).double()
    with torch.inference_mode():
        scores = network(torch.from_numpy(padded))[0].numpy()
    (top, left), (_, height, width) = before, raw.shape
    return scores[:, top : top + height, left : left + width]


@pytest.fixture
def free(monkeypatch):
    """Give a function that says how many bytes of memory are free."""

    def free(count):
        monkeypatch.setattr(comparison, "still_free", lambda: count)

    return free


def test_a_window_that_does_not_fit_is_refused_with_one_that_does(
    package, scene, free, monkeypatch
):
    monkeypatch.setattr(Comparison, "_bytes_per_pixel", lambda *_: 1000.0)
    free(105_000_000)
    options = geoseg.VerifyOptions(window=(0, 0, 150, 210), blends=("crop",))
    with pytest.raises(InputError, match=r"one of (\d+) x \1 px fits") as refusal:
        geoseg.verify(package, scene, options=options)
    side = int(str(refusal.value).split(" x ")[-1].split()[0])
    assert 0 < side < 150
    smaller = replace(options, window=(0, 0, side, side))
    assert geoseg.verify(package, scene, options=smaller).agreements
    free(1_000_000)
    with pytest.raises(InputError, match="none fits"):
        geoseg.verify(package, scene, options=smaller)


def test_what_a_pixel_takes_is_measured(package, scene, free):
    free(1_000_000)
    options = geoseg.VerifyOptions(window=(0, 0, 150, 210))
    with pytest.raises(InputError, match=r"takes [\d.]+ GB in one piece") as refusal:
        geoseg.verify(package, scene, options=options)
    gigabytes = float(str(refusal.value).split(" takes ")[1].split()[0])
    for_each = 1e9 * gigabytes / (150 + 2 * 71) / (210 + 2 * 71)
    # Scores of three classes in the model and in five sums, of four bytes; and the
    # most that this process ever held, over the pixels that were tried.
    assert 4 * 3 * 5 < for_each < 1.01 * most_held() / 1024**2 + 4 * 3 * 5


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"window": (0, 200, 10, 20)}, InputError, "which has 150 rows and 210 col"),
        ({"window": (-1, 0, 10, 20)}, InputError, "not all in the scene"),
        ({"window": (0, 0, 0, 20)}, GridError, "at least one pixel"),
        ({"window": (56, 142, 3, 3)}, InputError, "no valid pixel"),
        ({"window": (0, 0, 9, 9), "aoi": "a.geojson"}, InputError, "not both"),
        ({"aoi": "no-such.geojson"}, AoiError, "no-such.geojson"),
        ({"overlap": 40}, GridError, "overlap 40 does not fit tile 64"),
    ],
)
def test_what_cannot_be_compared_is_refused(package, scene, options, error, says):
    asked = dict(options)
    aoi, options = asked.pop("aoi", None), geoseg.VerifyOptions(**asked)
    with pytest.raises(error, match=says):
        geoseg.verify(package, scene, aoi=aoi, options=options)


def test_bands_that_do_not_fit_are_refused(package, make_raster):
    with pytest.raises(ModelError, match="lacks, or has twice"):
        geoseg.verify(package, make_raster())


def test_the_command_compares_in_an_aoi_and_prints_json(package, scene, tmp_path):
    with rasterio.open(scene) as dataset:
        left, top = dataset.transform @ (100, 60)
        right, bottom = dataset.transform @ (140, 90)
    ring = [[left, top], [right, top], [left, bottom], [left, top]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    triangle = {"type": "Polygon", "coordinates": [ring], "crs": crs}
    aoi = tmp_path / "aoi.geojson"
    aoi.write_text(json.dumps(triangle))
    arguments = ["verify", str(package), str(scene), "--aoi", str(aoi)]
    done = CliRunner().invoke(main, [*arguments, "--blend", "crop", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["window"][2:] == [30, 39]  # no centre of the last column is in
    assert 500 < found["pixels"] < 700  # half of 1200
    assert [each["exact"] for each in found["agreements"]] == [False, True]
    shown = CliRunner().invoke(main, [*arguments, "--blend", "crop"])
    assert "crop, exact" in shown.stdout
    assert f"{found['receptive_field']['radius']} px" in shown.stdout


def test_the_command_refuses_in_one_sentence(package, scene):
    arguments = ["verify", str(package), str(scene), "--window", "0", "0", "999", "9"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert done.output.startswith("geoseg: the window's rows 0-999")
