"""Views of a tile and several models: one mean, under the same laws as one model."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest
import rasterio
import torch
from click.testing import CliRunner
from jobs import do, make_job, make_scene, whole
from tiny_models import DARK_LIGHT, SHALLOW, SMALL, build, save

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.geo.legend import LandClass, Legend
from geoseg.models.networks.crf import CrfOptions
from geoseg.models.package.card import InputBand
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.loaded_model import load_model
from geoseg.predict.tta import VIEWS
from geoseg.run.cluster import open_client

COMPUTE = resolve_compute("cpu", "float32")
PSP = {"psp_out_channels": 32}
THREE = Legend(tuple(LandClass(k, f"class {k}", f"#0000{k}0") for k in (2, 3, 7)))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Give two models of the fakes' scenes with other weights, bands and scales."""
    path = tmp_path_factory.mktemp("models")
    settings = {"legend": THREE, "tile": 16, "scale": 1.0, "dtype": "float32"}
    one = build("Unet", "resnet18", SHALLOW, bands=2, classes=3, seed=1)
    two = build("PSPNet", "resnet18", PSP, bands=1, classes=3, seed=2)
    bands = (InputBand("a", "a", 0.5, 0.3), InputBand("b", "b", 0.4, 0.2))
    return (
        (save(path / "one", one, **{**settings, "bands": bands}), (1, 0)),
        (save(path / "two", two, **{**settings, "bands": bands[:1]}), (1,)),
    )


def test_views_are_all_symmetries_of_a_square_and_can_be_undone():
    tile = torch.arange(12.0).reshape(1, 1, 3, 4)
    for name, count in (("none", 1), ("flips", 4), ("d4", 8)):
        shown = [view.show(tile) for view in VIEWS[name]]
        assert len({str(view.tolist()) for view in shown}) == count
        for view, turned in zip(VIEWS[name], shown, strict=True):
            assert torch.equal(view.undo(turned), tile)
    assert all(view.show(tile).shape == tile.shape for view in VIEWS["flips"])


def test_a_process_that_reads_another_model_or_none_says_so(tmp_path):
    network = build("Unet", "resnet18", SHALLOW, bands=2, classes=3, seed=1)
    bands = (InputBand("a", "a", 0.5, 0.3), InputBand("b", "b", 0.4, 0.2))
    settings = {"legend": THREE, "tile": 16, "scale": 1.0, "dtype": "float32"}
    package = save(tmp_path / "one", network, bands=bands, **settings)
    predictor = TilePredictor.of([(package, (0, 1))], COMPUTE)
    assert predictor.check() is None
    card = tmp_path / "one" / "mlm.json"
    card.write_text(card.read_text() + " ")
    with pytest.raises(ModelError, match="one is not the model that the run began"):
        predictor.check()
    (tmp_path / "one" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json"):
        predictor.check()


@pytest.mark.parametrize("views", ["flips", "d4"])
def test_a_tile_that_is_turned_gives_what_it_gave_turned(models, views):
    predictor = TilePredictor.of(models[:1], COMPUTE, views)
    pixels = np.random.default_rng(0).random((1, 2, 16, 16)).astype(np.float32)
    valid = np.random.default_rng(1).random((1, 16, 16)) > 0.1
    found = predictor(pixels, valid)
    for view in VIEWS[views]:
        shown = view.show(torch.from_numpy(pixels)).contiguous().numpy()
        data = view.show(torch.from_numpy(valid)[None])[0].numpy()
        torch.testing.assert_close(predictor(shown, data), view.show(found))
    plain = TilePredictor.of(models[:1], COMPUTE)(pixels, valid)
    assert (plain - found).abs().max() > 0.001, "the network has no such symmetry"


def test_an_ensemble_is_the_mean_of_its_members(models):
    pixels = np.random.default_rng(0).random((2, 2, 16, 16)).astype(np.float32)
    valid = np.random.default_rng(1).random((2, 16, 16)) > 0.1
    both = TilePredictor.of(models, COMPUTE)
    assert both.bands == (1, 0), "each band is read once"
    first = TilePredictor.of(models[:1], COMPUTE)(pixels, valid)
    second = TilePredictor.of(models[1:], COMPUTE)(pixels[:, :1], valid)
    found = both(pixels, valid)
    torch.testing.assert_close(found, (first + second) / 2)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2, 16, 16))


def test_models_of_other_classes_are_refused(models, tmp_path):
    network = build("Unet", "resnet18", SHALLOW, bands=2)
    other = save(tmp_path / "other", network, bands=("a", "b"), tile=16)
    with pytest.raises(ModelError, match=r"2 class 2, .*other has 2 dark, 5 light"):
        TilePredictor.of([models[0], (other, (0, 1))], COMPUTE)


@pytest.mark.parametrize(
    ("count", "views", "crf"),
    [(1, "d4", None), (2, "flips", None), (1, "none", CrfOptions())],
)
def test_the_laws_hold_with_views_several_models_and_a_crf(
    models, tmp_path, count, views, crf
):
    predictor = TilePredictor.of(models[:count], COMPUTE, views, crf)
    source = make_scene(3, height=37, width=45, nodata_share=0.1)
    source.values[:, ~source.valid] = np.nan
    maps = []
    with open_client(0, None) as client:
        for block in (1, 3):
            job = make_job(
                source,
                whole(source),
                predictor,
                tmp_path / str(block),
                overlap=8,
                block=block,
            )
            painted, progress = do(job, client)
            assert progress.inferred == job.plan.tiles, "each tile once"
            maps.append(painted)
        source.values[:, ~source.valid] = 1e6
        job = make_job(source, whole(source), predictor, tmp_path / "poison", overlap=8)
        maps.append(do(job, client)[0])
    for one, other in itertools.pairwise(maps):
        assert np.array_equal(one, other)
    assert (maps[0][0][~source.valid] == 255).all()


def test_each_view_of_a_tile_goes_through_each_model_once(models, tmp_path):
    predictor = TilePredictor.of(models, COMPUTE, "flips")
    shown, hooks = Counter(), []
    for model in predictor.models:
        name = model.package.name

        def count(_, inputs, name=name):
            shown[name, str(inputs[0].tolist())] += len(inputs[0])

        network = load_model(model.package, COMPUTE)
        hooks.append(network.register_forward_pre_hook(count))
    source = make_scene(5, height=29, width=41)
    with open_client(0, None) as client:
        job = make_job(source, whole(source), predictor, tmp_path, overlap=8, block=1)
        do(job, client)
    for hook in hooks:
        hook.remove()
    assert set(shown.values()) == {1}, "no view was seen twice"
    for name in ("one", "two"):
        seen = sum(each == name for each, _ in shown)
        assert seen == job.plan.tiles * len(VIEWS["flips"])


@pytest.fixture
def scene(make_raster):
    values = np.random.default_rng(0).integers(1, 4000, (3, 70, 90), np.uint16)
    return make_raster(values=values)


@pytest.fixture
def pair(tmp_path):
    """Give two packages that differ in bands and stride."""
    one = build("Unet", "resnet18", SMALL, bands=2, seed=1)
    two = build("PSPNet", "resnet18", PSP, bands=1, seed=2)
    save(tmp_path / "one", one, bands=("B04", "B02"))
    save(tmp_path / "two", two, bands=("B03",), tile=40)
    return tmp_path / "one", tmp_path / "two"


def segment(*arguments):
    result = CliRunner().invoke(
        main, ["segment", *(str(argument) for argument in arguments)]
    )
    return result.exit_code, result.stderr.strip()


def test_an_ensemble_from_the_command_line_names_its_members(pair, scene, tmp_path):
    one, two = pair
    output = tmp_path / "out"
    given = [scene, "--model", one, "--model", two, "--tta", "d4", "-o", output]
    status, message = segment(*given, "--quiet")
    assert status == 0
    # Of two networks that have learned nothing, that much is said.
    assert "the model is sure of its classes by" in message
    assert len(message.splitlines()) == 1
    report = json.loads((output / "run.json").read_text())
    assert [model["name"] for model in report["models"]] == ["one", "two"]
    assert report["settings"]["tta"] == "d4"
    with rasterio.open(output / "landcover.tif") as dataset:
        assert dataset.tags()["GEOSEG_MODEL"] == "one 1, two 1"
        fingerprints = " ".join(model["fingerprint"] for model in report["models"])
        assert dataset.tags()["GEOSEG_MODEL_FINGERPRINT"] == fingerprints


def test_a_lattice_that_does_not_fit_every_model_is_refused(pair, scene, tmp_path):
    one, two = pair
    models = ["--model", two, "--model", one]  # 40 px fit the first's stride of 8
    status, sentence = segment(scene, *models, "-o", tmp_path / "out")
    assert status == 2
    assert "tile 40 is no positive multiple of the model's stride 32" in sentence


def test_another_augmentation_is_another_run(pair, scene, tmp_path):
    given = [scene, "--model", pair[0], "-o", tmp_path / "out", "--quiet"]
    assert segment(*given, "--keep-parts") == (0, "")
    status, sentence = segment(*given, "--tta", "flips")
    assert status == 2
    assert "test-time augmentation" in sentence


def test_a_legend_is_compared_without_its_colours(tmp_path):
    network = build("Unet", "resnet18", SHALLOW, bands=2)
    packages = []
    for name, colour in (("green", "#224422"), ("black", "#000000")):
        legend = Legend((LandClass(2, "dark", colour), DARK_LIGHT.classes[1]))
        package = save(
            tmp_path / name, network, bands=("a", "b"), legend=legend, tile=16
        )
        packages.append((package, (0, 1)))
    assert TilePredictor.of(packages, COMPUTE).legend == DARK_LIGHT
