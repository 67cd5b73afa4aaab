"""Which bands previews show; metadata that contradict themselves; equal streams."""

from types import SimpleNamespace

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS
from tiny_models import SHALLOW, build, save

from geoseg.geo.geobox import GeoBox
from geoseg.models.package.card import InputBand
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.loaded_model import LoadedModel, _load
from geoseg.predict.streams import in_streams
from geoseg.report import imagery
from geoseg.report.imagery import Shown
from geoseg.report.pyramid import build_pyramid
from geoseg.run.beside import shown_bands
from geoseg.scene.items.item import AssetBand, Item
from geoseg.scene.items.sentinel2 import with_offsets


def model(read, indices, names):
    """Give what reads bands of a scene, for a model of bands with common names."""
    bands = [InputBand(name, name, 0, 1) for name in names]
    member = SimpleNamespace(indices=indices, package=SimpleNamespace(bands=bands))
    return SimpleNamespace(bands=read, models=[member])


@pytest.mark.parametrize(
    ("names", "commons", "shown"),
    [
        (("B", "G", "R", "N"), ("",) * 4, (2, 1, 0)),
        (("B08", "B04", "B03", "B02"), ("",) * 4, (1, 2, 3)),
        (("",) * 4, ("blue", "green", "red", ""), (2, 1, 0)),
        (("",) * 4, ("",) * 4, (0, 1, 2)),
        (("",), ("",), (0, 0, 0)),
        (("",) * 64, ("",) * 64, tuple(range(64))),
    ],
)
def test_a_preview_shows_names_then_colours_then_the_first_three(names, commons, shown):
    scene = SimpleNamespace(bands=names, common_names=commons)
    assert shown_bands(scene, model((0,), (0,), ("height",))) == shown


def test_a_band_that_serves_a_model_twice_moves_no_other():
    scene = SimpleNamespace(bands=("",) * 4, common_names=("",) * 4)
    asked = model(
        (3, 2, 1, 0), (0, 0, 1, 2, 3), ("nir", "nir08", "red", "green", "blue")
    )
    assert shown_bands(scene, asked) == (2, 1, 0)


@pytest.mark.parametrize(
    ("baseline", "applied", "offset", "both"),
    [
        ("02.14", None, -0.1, ("offset -0.1", "02.14")),
        ("05.09", False, 0.0, ("offset 0", "05.09")),
        ("05.09", False, -0.1, ()),
        ("05.09", None, 0.0, ()),
        ("02.14", None, 0.0, ()),
        ("05.09", True, 0.0, ()),
    ],
)
def test_metadata_that_contradict_themselves_are_named(baseline, applied, offset, both):
    properties = {"s2:processing_baseline": baseline}
    if applied is not None:
        properties["earthsearch:boa_offset_applied"] = applied
    red = AssetBand(href="a.tif", name="B04", common="red", scale=1e-4, offset=offset)
    notes = with_offsets(Item("S2", (red,)), properties).notes
    assert len(notes) == bool(both)
    assert all(word in notes[0] for word in (*both, "`radiometry='raw'`") if notes)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_streams_give_the_same_bits_each_time_beside_pixels_that_are_infinite(
    tmp_path, precision
):
    names = ("B02", "B03", "B04")
    packages = []
    for seed in (0, 1):
        network = build("Unet", "resnet18", SHALLOW, bands=3, seed=seed)
        packages.append(save(tmp_path / f"model-{seed}", network, bands=names))
    compute = resolve_compute("cpu", precision)
    predictor = TilePredictor.of([(p, (0, 1, 2)) for p in packages], compute)
    pixels = np.random.default_rng(0).normal(900, 300, (4, 1, 3, 64, 64))
    pixels = pixels.astype(np.float32)
    valid = np.ones((4, 1, 64, 64), bool)
    valid[1::2, :, 9:20, 30:50] = False
    found = [set(), set(), set(), set()]

    def work(index):
        # Where an array lies in memory, and what lay there before, is chance.
        shift = int(np.random.default_rng().integers(16))
        buffer = np.full(pixels[0].size + 16, np.nan, np.float32)
        moved = buffer[shift : shift + pixels[0].size].reshape(pixels[0].shape)
        moved[...] = pixels[index]
        moved[:, :, ~valid[index, 0]] = np.random.default_rng().choice([np.inf, np.nan])
        found[index].add(predictor(moved, valid[index]).numpy().tobytes())

    for _ in range(25):  # networks are loaded anew while two streams wait for them
        _load.cache_clear()
        in_streams(work, range(4), device=predictor.device, streams=2, threads=1)
    assert [len(each) for each in found] == [1, 1, 1, 1]


def test_all_models_are_loaded_before_one_is_used(tmp_path, monkeypatch):
    # While torch follows a network, to fold it, calls of others fail in all threads.
    names = ("B02", "B03", "B04")
    networks = [build("Unet", "resnet18", SHALLOW, bands=3, seed=s) for s in (0, 1)]
    packages = [
        save(tmp_path / f"model-{at}", network, bands=names)
        for at, network in enumerate(networks)
    ]
    compute = resolve_compute("cpu", "float32")
    predictor = TilePredictor.of([(p, (0, 1, 2)) for p in packages], compute)
    loaded, predict = [], LoadedModel.predict

    def watched(*arguments):
        loaded.append(_load.cache_info().currsize)
        return predict(*arguments)

    monkeypatch.setattr(LoadedModel, "predict", watched)
    _load.cache_clear()
    pixels = np.ones((1, 3, 64, 64), np.float32)
    predictor(pixels, np.ones((1, 64, 64), bool))
    assert loaded == [2, 2]


def test_a_page_shows_many_bands_no_finer_than_is_worth_their_reading(monkeypatch):
    plane = GeoBox(1100, 900, Affine(10, 0, 0, 0, -10, 0), CRS.from_epsg(32632))

    class Field:
        geobox = plane

        def picture(self, window, bands, shape):
            rng = np.random.default_rng(window.row)
            return np.ma.MaskedArray(rng.normal(size=(len(bands), *shape)))

    class Map:
        geobox, finest = plane, 1

        def read(self, _level, window):
            return np.zeros((2, window.height, window.width), np.uint8)

    unmapped = np.zeros((110, 90), bool)
    of_three, of_many = (
        Shown.fitted(Field(), tuple(range(n)), plane, unmapped)[0] for n in (3, 20)
    )
    monkeypatch.setattr(imagery, "_MOST_ON_PAGE", 20 * 300_000)
    found = [
        len(build_pyramid(Map(), each, 10**8).tiles["image"])
        for each in (of_three, of_many)
    ]
    assert found == [3, 2]  # 550 x 450 pixels are within 300,000
