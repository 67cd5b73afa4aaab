"""Dynamic World, from its published files to logits, against numpy and TensorFlow."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from affine import Affine
from click.testing import CliRunner
from naive_dynamic_world import Naive, random_tensors, tensor_shapes
from tensor_bundles import write_bundle
from web import served as serve

from geoseg import errors
from geoseg.cli import main
from geoseg.models.exchange import import_model as importer
from geoseg.models.exchange.dynamic_world import give_tensors
from geoseg.models.exchange.export_onnx import to_onnx
from geoseg.models.exchange.import_model import import_model
from geoseg.models.exchange.recipes import DYNAMIC_WORLD, RECIPES
from geoseg.models.exchange.tensor_bundle import INDEX, SHARD, read_bundle
from geoseg.models.find import load_package
from geoseg.models.networks.dynamic_world import DynamicWorld
from geoseg.models.networks.network import load_network
from geoseg.models.networks.receptive_field import package_field
from geoseg.predict.loaded_model import LoadedModel
from geoseg.train.initial import refined_network

SHARED = Path(
    os.environ.get(
        "GEOSEG_DYNAMIC_WORLD", Path(__file__).parents[3] / "shared/dynamicworld"
    )
)
"""Where the published weights are, with what TensorFlow computed: not everywhere."""
published = pytest.mark.skipif(
    not (SHARED / "oracle.npz").exists(), reason="the published weights are not here"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository, as far as it counts, with random weights."""
    folder = tmp_path_factory.mktemp("dynamicworld")
    write_bundle(folder / "model/forward/variables", random_tensors(7))
    return folder


@pytest.fixture(scope="module")
def package(copy, tmp_path_factory):
    return import_model(copy, tmp_path_factory.mktemp("packages") / "imported")


@pytest.fixture(autouse=True)
def _own_models(tmp_path, monkeypatch):
    """Keep packages that are made out of the user's folder of models."""
    monkeypatch.setenv("GEOSEG_MODELS", str(tmp_path / "models"))


def logits(package, pixels):
    """What a run would compute of digital numbers ``(band, y, x)``, before softmax."""
    model = LoadedModel(package, tuple(range(9)))
    normal = model.normalise(torch.from_numpy(pixels.astype("f4"))[None], None)
    with torch.inference_mode():
        return load_network(package)(normal)[0].numpy()


def some_pixels(height, width):
    """Digital numbers as scenes have them, smooth here and noisy there."""
    rng = np.random.default_rng(3)
    bright = rng.gamma(2, 900, (9, height, width))
    bright[:, : height // 2] = np.linspace(0, 12_000, width)
    return bright.astype("u2")


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def refusal(*arguments):
    result = run("models", "import", *arguments)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1
    return result.output


def same_labels(found, wanted):
    return (found.argmax(0) == wanted.argmax(0)).mean()


@pytest.mark.parametrize("sides", [(38, 54), (37, 53)], ids=["even", "odd"])
def test_an_imported_network_computes_what_its_description_says(package, sides):
    pixels = some_pixels(*sides)
    wanted = Naive(random_tensors(7)).logits(pixels)
    found = logits(package, pixels)
    assert np.abs(found - wanted).max() < 1e-4
    assert same_labels(found, wanted) == 1
    assert len(np.unique(wanted.argmax(0))) > 3  # or equal labels would say little


@published
def test_the_tensors_are_those_that_the_table_lists():
    table = (SHARED / "tensors.csv").read_text().splitlines()[1:]
    shapes = [line.split(",")[2] for line in table]
    assert shapes == ["x".join(map(str, shape)) for shape in tensor_shapes()]
    found = read_bundle(SHARED)
    assert [each.shape for each in found.values()] == tensor_shapes()


@published
@pytest.mark.parametrize("form", ["folder", "file"])
def test_the_published_weights_give_what_tensorflow_gives(form, tmp_path):
    source = SHARED if form == "folder" else SHARED / SHARD
    package = import_model(source, tmp_path / "package")
    oracle = np.load(SHARED / "oracle.npz")
    for image in ("even", "odd"):
        found = logits(package, oracle[f"pixels_{image}"])
        wanted = oracle[f"logits_{image}"]
        assert np.abs(found - wanted).max() < 1e-4
        assert same_labels(found, wanted) >= 0.9999
    assert DYNAMIC_WORLD.sha256 in package.source
    assert DYNAMIC_WORLD.home in package.source


def test_a_package_says_bands_classes_licence_and_origin(package, copy):
    assert [band.name for band in package.bands] == [
        *("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
    ]
    assert [each.name for each in package.legend] == list(DYNAMIC_WORLD.classes)
    assert list(package.legend)[4].colour == "#e49635"
    assert (package.license, package.gsd_m) == ("Apache-2.0", 10)
    assert "National Geographic" in package.attribution
    shard = copy / "model/forward/variables" / SHARD
    assert hashlib.sha256(shard.read_bytes()).hexdigest() in package.source


def test_weights_that_are_not_the_published_ones_are_reported(copy, tmp_path):
    messages = []
    import_model(
        copy, tmp_path / "p", on_step=lambda step: messages.extend(step.warnings)
    )
    assert "holds other weights" in messages[0]


def test_a_tile_cut_to_its_centre_is_exact_at_the_overlap_of_the_package(package):
    field = package_field(package)
    assert (field.radius, field.steady) == (22, True)
    assert package.overlap == field.overlap == 44


@pytest.mark.parametrize(("margin", "exact"), [(22, True), (20, False)])
def test_the_middle_of_a_tile_is_that_of_the_image_beyond_22_pixels(
    package, margin, exact
):
    pixels = some_pixels(104, 96)
    whole = logits(package, pixels)[:, 40:60, 30:64]
    tile = pixels[:, 40 - margin : 60 + margin, 30 - margin : 64 + margin]
    part = logits(package, tile)[:, margin:-margin, margin:-margin]
    assert (np.abs(whole - part).max() < 1e-6) == exact


def test_it_leaves_as_an_onnx_file(package, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(replace(package, tile=64)))
    tiles = torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, (2, 9, 64, 64)))
    tiles = tiles.float()
    with torch.inference_mode():
        expected = load_network(package)(tiles).softmax(1).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"tiles": tiles.numpy()})
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_without_a_logarithm_a_pixel_is_as_dark_as_can_be(package):
    dark, darker = (np.full((9, 8, 8), value, "i4") for value in (-200, -3000))
    assert np.isfinite(logits(package, dark)).all()
    np.testing.assert_array_equal(logits(package, dark), logits(package, darker))


@pytest.mark.parametrize("asked", ["auto", "bfloat16"])
def test_it_is_computed_in_float32_unless_another_is_asked_for(
    package, make_raster, asked, tmp_path
):
    bands = [band.name for band in package.bands]
    scene = make_raster(
        values=some_pixels(40, 50), bands=bands, transform=Affine(10, 0, 0, 0, -10, 0)
    )
    flags = ("--precision", asked, "--format", "none", "--tile", 96, "--json")
    result = run(
        "segment", scene, "--model", package.path, "-o", tmp_path / "map", *flags
    )
    assert result.exit_code == 0, result.output
    used = json.loads(result.stdout)["compute"]["precision"]
    assert used == ("float32" if asked == "auto" else asked)


@pytest.fixture
def served(copy, monkeypatch):
    """The file of weights on a web server, which the recipe leads to."""
    folder = copy / "model/forward/variables"
    content = (folder / SHARD).read_bytes()
    with serve(folder) as (url, server):
        recipe = replace(
            DYNAMIC_WORLD,
            url=f"{url}/{SHARD}",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
        )
        monkeypatch.setitem(RECIPES, recipe.name, recipe)
        monkeypatch.setattr(importer, "DYNAMIC_WORLD", recipe)
        yield server


def test_a_name_fetches_a_file_into_the_folder_of_models(served, package):
    result = run("models", "import", "dynamic-world", "--json")
    assert result.exit_code == 0, result.output
    fetched = load_package("dynamic-world")
    assert served.requests == 1
    assert fetched.path.parent == Path(os.environ["GEOSEG_MODELS"])
    pixels = some_pixels(16, 18)
    np.testing.assert_array_equal(logits(fetched, pixels), logits(package, pixels))


@pytest.mark.usefixtures("served")
def test_a_file_that_has_changed_on_its_server_is_refused(monkeypatch):
    other = replace(RECIPES["dynamic-world"], sha256=64 * "0")
    monkeypatch.setitem(RECIPES, "dynamic-world", other)
    assert "no longer the file that geoseg knows" in refusal("dynamic-world")


def test_no_network_says_what_to_fetch_and_where_to_put_it(monkeypatch):
    nowhere = replace(DYNAMIC_WORLD, url="http://127.0.0.1:9/weights.data")
    monkeypatch.setitem(RECIPES, "dynamic-world", nowhere)
    message = refusal("dynamic-world")
    assert "http://127.0.0.1:9/weights.data cannot be fetched" in message
    assert "geoseg models import weights.data" in message


def test_a_model_that_is_known_but_not_here_names_the_command_that_gets_it():
    with pytest.raises(errors.ModelError, match="geoseg models import dynamic-world"):
        load_package("dynamic-world")


def test_the_table_of_models_says_where_each_is_from():
    result = run("models", "available", "--json")
    (record,) = json.loads(result.stdout)
    assert record["name"] == "dynamic-world"
    assert record["url"].startswith("https://")
    assert record["version"] in record["url"]
    assert DYNAMIC_WORLD.license in run("models", "available").output


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / INDEX).write_bytes(b"x" * 100), "does not end as an index"),
        (lambda f: flip(f / SHARD, 50_000), "are not those it was saved with"),
        (lambda f: flip(f / INDEX, 40), "is damaged"),
        (lambda f: cut(f / SHARD, 1000), "are not those it was saved with"),
        (lambda f: write_bundle(f, random_tensors(1)[:-1]), "145 are here"),
        (lambda f: write_bundle(f, random_tensors(1)[1:]), "the first that differs"),
        (lambda f: (f / INDEX).unlink(), "no copy of one"),
    ],
    ids=["no index", "weights", "index", "short", "a tensor less", "shifted", "bare"],
)
def test_a_damaged_copy_is_refused_in_a_sentence(damage, said, tmp_path):
    folder = tmp_path / "variables"
    write_bundle(folder, random_tensors(1))
    damage(folder)
    assert said in refusal(folder, "-o", tmp_path / "package")
    assert not (tmp_path / "package").exists()


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x55
    path.write_bytes(content)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def test_a_file_with_another_checksum_is_refused(copy, tmp_path):
    shard = copy / "model/forward/variables" / SHARD
    message = refusal(shard, "-o", tmp_path / "package")
    assert hashlib.sha256(shard.read_bytes()).hexdigest() in message
    assert DYNAMIC_WORLD.sha256 in message


@pytest.mark.parametrize("source", ["dynamic-wrld", "a.dat", "."])
def test_what_is_no_published_model_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.dat").write_bytes(b"abc")
    assert "geoseg models package" in refusal(source)


def test_a_folder_that_holds_something_is_left_alone(copy, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    assert "exists; choose another folder" in refusal(copy, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_tensors_of_other_widths_are_refused_by_a_network():
    with pytest.raises(errors.ModelError, match="the first that differs is 0: "):
        give_tensors(DynamicWorld(widths=(8, 8, 8, 8)), random_tensors(1))


def test_training_does_not_begin_with_it(package):
    with pytest.raises(errors.ModelError, match="does not train"):
        refined_network(package, package.bands, package.legend, seed=0)
