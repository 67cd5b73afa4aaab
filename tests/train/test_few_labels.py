"""Models fitted to few labels: points in, a package or one sentence out."""

from __future__ import annotations

import json
import warnings
from copy import deepcopy

import geopandas
import numpy as np
import onnxruntime
import pytest
import rasterio
import segmentation_models_pytorch as smp
import torch
from affine import Affine
from click.testing import CliRunner
from pyproj import CRS, Transformer
from safetensors.torch import save_file
from scipy.ndimage import uniform_filter
from shapely import Point, box
from tiny_models import build, save

import geoseg
from geoseg.cli import main
from geoseg.errors import InputError, LabelsError, ModelError
from geoseg.geo.geobox import GeoBox
from geoseg.models.exchange.export_onnx import to_onnx
from geoseg.models.networks.dynamic_world import DynamicWorld
from geoseg.models.networks.network import load_network, load_weights
from geoseg.models.networks.pixelwise import ContextFeatures
from geoseg.models.package.card import InputBand
from geoseg.models.package.training_vectors import VECTORS, load_vectors
from geoseg.predict.compute import resolve_compute
from geoseg.predict.loaded_model import LoadedModel
from geoseg.scene import Scene
from geoseg.train.applicability import training_vectors
from geoseg.train.pixelwise import labelled
from geoseg.train.pixelwise.choose import _interval
from geoseg.train.pixelwise.ground_folds import (
    draw_folds,
    ground_cells,
    on_shared_planes,
)
from geoseg.train.pixelwise.heads import (
    STRENGTHS,
    FitRecipe,
    fit_classifier,
    to_network,
)
from geoseg.train.pixelwise.neighbourhoods import Neighbourhoods, around
from geoseg.train.pixelwise.windows import SMOOTHING, WINDOWS

LEFT, TOP = 400_000, 5_800_000
PLANE = Affine(10, 0, LEFT, 0, -10, TOP)
CLASSES = ("bare", "crop", "water")
QUICK = geoseg.TrainOptions(architecture="context", head="discriminant")
SIDE = 96


def centre(row, col):
    """Give the point in the middle of a pixel."""
    return Point(LEFT + 10 * col + 5, TOP - 10 * row - 5)


@pytest.fixture
def scene(make_raster):
    """Stripes of three classes, distinct in their bands but for some noise."""
    rng = np.random.default_rng(0)
    truth = np.arange(SIDE)[:, None] // 8 % 3 + np.zeros((1, SIDE), int)
    means = np.array([[100, 300, 500], [500, 200, 100]])
    values = means[:, truth] + rng.normal(0, 40, (2, SIDE, SIDE))
    values[:, :4, :4] = 0
    return make_raster(
        values=values.astype(np.uint16), bands=("B04", "B08"), transform=PLANE, nodata=0
    )


@pytest.fixture
def points(tmp_path):
    """Eight points of each class, in the middles of stripes."""

    def save(positions=None, name="points.gpkg"):
        if positions is None:
            positions = [
                (8 * stripe + 4, col, stripe % 3)
                for stripe in range(12)
                for col in (13, 67)
            ]
        path = tmp_path / name
        geopandas.GeoDataFrame(
            {"class": [CLASSES[c] for *_, c in positions]},
            geometry=[centre(row, col) for row, col, _ in positions], crs=32633,
        ).to_file(path)  # fmt: skip
        return path

    return save


def test_points_are_fitted_in_seconds_and_mapped_as_any_model(scene, points, tmp_path):
    output = tmp_path / "model"
    said = ["train", scene, "--labels", points(), "-o", output]
    result = CliRunner().invoke(main, [str(each) for each in said])
    assert result.exit_code == 0, result.output
    assert "chosen by spatial cross-validation: voting on" in result.stderr
    assert "geoseg sample-points" in result.stderr
    assert "±" in result.stdout
    record = json.loads((output / "accuracy.json").read_text())
    assert np.sum(record["confusion"]) == 24
    assert record["overall accuracy"] > 0.9
    assert set(record["F1 over the folds"]) == set(CLASSES)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    maps = []
    for tile, block in ((48, 48), (64, 64)):
        options = geoseg.SegmentOptions(
            model=output, tile=tile, block=block, blend="crop", formats="none"
        )
        geoseg.segment(scene, tmp_path / f"out{tile}", options=options)
        with rasterio.open(tmp_path / f"out{tile}" / "landcover.tif") as made:
            maps.append(made.read(1))
    first = maps[0]
    assert np.array_equal(maps[1], first), "crops of tiles are exact"
    assert (first[:4, :4] == 255).all()
    truth = np.arange(SIDE) // 8 % 3
    assert (first[8:, 30] == truth[8:]).mean() > 0.8


def reference_features(tile, valid):
    """Means and deviations of valid pixels in windows, by scipy in float64."""
    tile = np.where(valid, tile.astype(np.float64), 0)
    found = [tile]
    for side in WINDOWS["context"]:

        def sums(plane, side=side):
            return uniform_filter(plane, side, mode="constant") * side**2

        count = np.maximum(np.round(sums(valid.astype(float))), 1)
        mean = np.stack([sums(band) / count for band in tile])
        square = np.stack([sums(band**2) / count for band in tile])
        found += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.concatenate(found)


def test_context_is_the_mean_and_deviation_of_valid_pixels_in_windows():
    rng = np.random.default_rng(1)
    tile = rng.normal(0, 1, (3, 40, 50)).astype(np.float32)
    valid = rng.random((40, 50)) > 0.3
    given = torch.from_numpy(np.where(valid, tile, 0)[None].astype(np.float32))
    found = ContextFeatures(3, WINDOWS["context"])(given)[0].numpy()
    np.testing.assert_allclose(found, reference_features(tile, valid), atol=2e-3)


def averaged(likely, seen, side):
    """Average what is said of pixels with data in windows, pixel by pixel."""
    if side == 1:
        return likely
    likely, reach = likely.reshape(*seen.shape, -1), side // 2
    found = np.empty_like(likely)
    for row, col in np.ndindex(seen.shape):
        near = (
            slice(max(row - reach, 0), row + reach + 1),
            slice(max(col - reach, 0), col + reach + 1),
        )
        found[row, col] = likely[near][seen[near]].mean(axis=0)
    return found.reshape(seen.size, -1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("head", STRENGTHS)
@pytest.mark.parametrize("architecture", WINDOWS)
def test_a_network_gives_what_scikit_learn_does(architecture, head, classes):
    rng = np.random.default_rng(2)
    layers = ContextFeatures(3, WINDOWS[architecture])
    tile = torch.from_numpy(rng.normal(0, 1, (1, 3, 24, 24)).astype(np.float32))
    tile[:, :, 5:9, 3:14] = 0  # no data
    features = layers(tile)[0].flatten(1).T.numpy()
    channels = rng.integers(0, classes, 60).astype(np.uint8)
    learned = features[rng.choice(len(features), 60)] + channels[:, None] * np.float32(
        0.7
    )
    recipe = FitRecipe(architecture, head, 0.1)
    fitted = fit_classifier(recipe, learned, channels, 0)
    network = to_network(recipe, fitted, 3, classes)
    with torch.inference_mode():
        probabilities = network(tile).softmax(1)[0].flatten(1).T.numpy()
    members = fitted.estimators_ if head == "voting" else [fitted]
    each = [member.predict_proba(features) for member in members]
    if head in {"forest", "voting"}:  # what no tree votes for keeps a ten-thousandth
        each[-1] = np.maximum(each[-1], 1e-4)
        each[-1] /= each[-1].sum(axis=1, keepdims=True)
    expected = np.mean(each, axis=0)
    seen = (tile != 0).any(1).reshape(24, 24).numpy()
    expected = averaged(expected, seen, SMOOTHING[architecture])
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


@pytest.mark.parametrize("head", ["forest", "mlp", "voting"])
def test_a_package_of_any_head_is_loaded_as_it_was_saved(
    scene, points, tmp_path, head, capfd
):
    options = geoseg.TrainOptions(architecture="context", head=head)
    trained = geoseg.train([scene], points(), tmp_path / "model", options=options)
    package = trained.package
    assert (package.stride, package.overlap, package.is_fitted) == (1, 20, True)
    field = geoseg.inspect_model(tmp_path / "model", receptive_field=True)
    assert field.receptive_field.radius == 10
    assert field.receptive_field.overlap == 20
    side = package.tile
    # No whole numbers: means of these lie on thresholds, where the last bit decides.
    raw = np.random.default_rng(0).uniform(1, 600, (1, 2, side, side))
    raw = raw.astype(np.float32)
    model = LoadedModel(package, (0, 1))
    with torch.inference_mode():
        normal = model.normalise(torch.from_numpy(raw), None)
        found = model.predict(normal, "none", resolve_compute("cpu", "float32"))
    capfd.readouterr()
    session = onnxruntime.InferenceSession(to_onnx(package))
    assert capfd.readouterr().err == ""  # torch would warn that it knows no trees
    (alone,) = session.run(None, {session.get_inputs()[0].name: normal.numpy()})
    assert found.shape == alone.shape == (1, 3, side, side)
    np.testing.assert_allclose(alone, found, atol=1e-5)


@pytest.fixture(scope="module")
def forest():
    """A forest of 100 trees, and features that it has not seen, (1, feature, y, x)."""
    rng = np.random.default_rng(5)
    seen, labels = rng.normal(size=(140, 12)), rng.integers(0, 4, 140)
    recipe = FitRecipe("pixel", "forest", 1)
    fitted = fit_classifier(recipe, seen.astype(np.float32), labels, 0)
    features = torch.from_numpy(rng.normal(size=(1, 12, 30, 41)).astype(np.float32))
    return to_network(recipe, fitted, 12, 4).segmentation_head.classifier, features


def test_compiled_trees_give_the_bits_of_torchs_own_operations(forest):
    trees, features = forest
    pixels = features.permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.equal(trees.walk_compiled(pixels), trees.walk(pixels))


@pytest.mark.parametrize(("name", "value"), [("below", 10_000), ("feature", -1)])
def test_a_tree_that_points_beyond_itself_is_refused(forest, tmp_path, name, value):
    tensors = {key: each.clone() for key, each in forest[0].state_dict().items()}
    tensors[name][3, 0] = value
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=f"damaged.*{name} points beyond"):
        load_weights(deepcopy(forest[0]), tmp_path / "model.safetensors")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A file of an encoder's weights."""
    torch.manual_seed(0)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=3).encoder
    path = tmp_path_factory.mktemp("encoder") / "weights.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.mark.parametrize("head", STRENGTHS)
def test_a_probe_of_an_encoder_takes_each_head(scene, points, tmp_path, encoder, head):
    options = geoseg.TrainOptions(
        architecture="probe", head=head, encoder="resnet18",
        encoder_weights=str(encoder),
    )  # fmt: skip
    trained = geoseg.train([scene], points(), tmp_path / "model", options=options)
    package = trained.package
    assert (package.stride, package.is_fitted) == (8, True)
    assert f"{head}" in str(trained.cross_validated.chosen)
    network = load_network(package)
    with torch.inference_mode():
        scores = network(torch.zeros(1, 2, 32, 40))
    assert scores.shape == (1, 3, 32, 40)


def test_verify_says_that_a_probe_tiles_exactly(make_raster, points, tmp_path, encoder):
    rng = np.random.default_rng(5)
    values = rng.integers(1, 999, (2, 420, 420)).astype(np.uint16)
    path = make_raster(values=values, bands=("B04", "B08"), transform=PLANE)
    options = geoseg.TrainOptions(
        architecture="probe", head="discriminant", encoder="resnet18",
        encoder_weights=str(encoder),
    )  # fmt: skip
    geoseg.train([path], points(), tmp_path / "model", options=options)
    verify = geoseg.VerifyOptions(blends=("crop",), window=(150, 150, 100, 100))
    found = geoseg.verify(tmp_path / "model", path, options=verify)
    assert found.agreements[0].exact
    assert found.agreements[0].changed_pixels == 0


def test_a_probe_looks_into_a_package_s_penultimate_layer(scene, points, tmp_path):
    known = tmp_path / "known"
    save(known, build("Unet", "resnet18", bands=2), bands=("B04", "B08"))
    options = geoseg.TrainOptions(
        architecture="probe", head="discriminant", start=str(known)
    )
    trained = geoseg.train([scene], points(), tmp_path / "model", options=options)
    assert trained.package.stride == 32
    assert trained.package.pretrained_source == "known 1"
    ours, theirs = (
        load_network(geoseg.load_package(p)) for p in (tmp_path / "model", known)
    )
    tile = torch.zeros(1, 2, 64, 64).normal_(generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        inside = theirs.decoder(theirs.encoder(tile))
        given = ours.features.frozen(tile)
    torch.testing.assert_close(given, inside)


@pytest.fixture
def published(tmp_path):
    """A package of a network that is run and not trained, its bands turned around."""
    torch.manual_seed(3)
    network = DynamicWorld(2, 2, (8, 8, 8, 8)).eval()
    bands = [
        InputBand("B08", "nir", 300.0, 90.0, None, None),
        InputBand("B04", "red", 250.0, 130.0, None, None),
    ]
    return save(
        tmp_path / "published", network, bands=bands, scale=1.0, attribution="By them."
    )


def test_a_probe_sees_pixels_as_its_package_normalises_them(
    scene, points, tmp_path, published
):
    options = geoseg.TrainOptions(
        architecture="probe", head="discriminant", start=str(published.path)
    )
    package = geoseg.train([scene], points(), tmp_path / "m", options=options).package
    assert (package.stride, package.attribution) == (2, "By them.")
    raw = torch.rand(1, 2, 24, 24, generator=torch.Generator().manual_seed(1)) * 500
    unseen = torch.zeros(1, 24, 24, dtype=torch.bool)
    unseen[:, 3:6, :9] = True
    ours, theirs = load_network(package), load_network(published)
    theirs.segmentation_head = torch.nn.Identity()
    with torch.inference_mode():
        tile = LoadedModel(package, (0, 1)).normalise(raw, unseen)
        wanted = theirs(LoadedModel(published, (1, 0)).normalise(raw, unseen))
        given = ours.features.frozen(ours.features.normalise(tile))
    torch.testing.assert_close(given, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("bands", "factor", "said"),
    [(("B04", "B03"), 1, "B08"), (("B04", "B08"), 1000, "trained on")],
)
def test_a_probe_of_a_network_that_is_not_trained_wants_its_bands_in_its_unit(
    make_raster, points, tmp_path, published, bands, factor, said
):
    values = np.random.default_rng(0).integers(100, 500, (2, SIDE, SIDE)) * factor
    other = make_raster(
        values=values.astype(np.uint32), bands=bands, transform=PLANE, nodata=0
    )
    options = geoseg.TrainOptions(architecture="probe", start=str(published.path))
    with pytest.raises(ModelError, match=f"{said}.*needs all of its bands"):
        geoseg.train([other], points(), tmp_path / "m", options=options)


def test_held_out_pixels_are_judged_by_the_mean_around_them():
    class Sure:
        def predict_proba(self, features):
            return np.stack([features[:, 0], 1 - features[:, 0]], axis=1)

    values = np.array([[[0.2], [0.4], [1.0]], [[0.6], [np.nan], [0.8]]], np.float32)
    seen = np.array([[True, True, True], [True, False, True]])
    both = Neighbourhoods(values, seen)
    np.testing.assert_allclose(
        both.likely(Sure()), [[1.6 / 3, 1.4 / 3], [0.7, 0.3]], atol=1e-6
    )
    np.testing.assert_allclose(both[[1]].own, [[0.6]])
    assert around(1).tolist() == [[0, 0]]
    assert around(7)[0].tolist() == [0, 0]
    assert sorted(map(tuple, around(7))) == [
        (row, col) for row in (-2, 0, 2) for col in (-2, 0, 2)
    ]


def test_a_probe_of_nothing_learned_is_refused(scene, points, tmp_path):
    said = "--architecture probe --encoder-weights none"
    assert "a probe looks into a network that has learned" in refused(
        scene, points(), tmp_path, *said.split()
    )


def test_a_fit_is_the_same_to_the_byte(scene, points, tmp_path):
    for name in ("a", "b"):
        options = geoseg.TrainOptions(architecture="pixel", head="forest")
        geoseg.train([scene], points(), tmp_path / name, options=options)
    one, two = (tmp_path / n / "model.safetensors" for n in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()


def test_only_what_lies_around_labels_is_read(
    make_raster, points, tmp_path, monkeypatch
):
    values = np.random.default_rng(0).integers(1, 99, (1, 600, 600)).astype(np.uint8)
    path = make_raster("wide.tif", values=values, transform=PLANE)
    marked = [
        (row, col, number)
        for number in range(2)
        for row, col in ((20 + number, 30), (40 + number, 30), (570, 580 + number))
    ]
    read = []
    plain = Scene.read

    def reading(self, window, bands=None):
        read.append(window)
        return plain(self, window, bands)

    monkeypatch.setattr(Scene, "read", reading)
    geoseg.train([path], points(marked), tmp_path / "model", options=QUICK)
    assert [(w.rows, w.cols) for w in read] == [
        ((10, 52), (20, 41)),
        ((560, 581), (570, 592)),
    ]


def test_cells_of_ground_are_held_out_whole():
    rng = np.random.default_rng(3)
    positions = np.column_stack([np.zeros(300), rng.integers(0, 900, (300, 2))]).astype(
        int
    )
    channels = rng.integers(0, 3, 300).astype(np.uint8)
    cells = ground_cells(positions, channels, CLASSES)
    folds = draw_folds(cells, channels, 0)
    assert set(folds) == set(range(5))
    for cell in np.unique(cells):
        assert len(set(folds[cells == cell])) == 1
    for fold in range(5):
        assert set(channels[folds == fold]) == {0, 1, 2}
    apart = np.abs(positions[:, None, 1:] - positions[None, :, 1:]).max(axis=2)
    together = cells[:, None] == cells[None, :]
    assert apart[together].max() <= 900 / 4


def test_ground_that_several_scenes_show_is_in_one_cell():
    zone, next_zone = CRS.from_epsg(32633), CRS.from_epsg(32634)
    left, top = 720_000, 5_800_000  # beside the meridian between both
    move = Transformer.from_crs(zone, next_zone, always_xy=True)
    x, y = move.transform(left, top)
    first = GeoBox(900, 900, Affine(10, 0, left, 0, -10, top), zone)
    planes = [
        first,
        GeoBox(500, 500, Affine(20, 0, left + 3000, 0, -20, top), zone),
        GeoBox(900, 900, Affine(10, 0, left + 90_000, 0, -10, top), zone),
        GeoBox(900, 900, Affine(10, 0, x - 500, 0, -10, y + 500), next_zone),
    ]
    rng = np.random.default_rng(5)
    seen = rng.integers(400, 880, (200, 2))  # rows and columns of the first
    x, y = first.transform @ (seen[:, 1] + 0.5, seen[:, 0] + 0.5)
    positions = []
    for number, plane in enumerate(planes):
        at = move.transform(x, y) if plane.crs == next_zone else (x, y)
        cols, rows = ~plane.transform @ at
        here = np.floor(np.column_stack([np.full(200, number), rows, cols]))
        positions.append(here.astype(int))
    shared = on_shared_planes(np.concatenate(positions), planes)
    found = shared.reshape(4, 200, 3)
    np.testing.assert_array_equal(found[0], positions[0])
    np.testing.assert_array_equal(found[2], positions[2])  # it meets none of them
    for number, pixels in ((1, 2), (3, 1)):
        assert (found[number, :, 0] == 0).all()
        assert np.abs(found[number, :, 1:] - seen).max() <= pixels

    channels = np.tile(rng.integers(0, 3, 200).astype(np.uint8), 4)
    there = shared[:, 0] == 0
    cells = ground_cells(shared[there], channels[there], CLASSES)
    folds = draw_folds(cells, channels[there], 0).reshape(3, 200)
    same = (folds == folds[0]).mean(axis=1)
    assert same.min() > 0.9  # the rest lies within a pixel of a cell's edge


def test_scenes_that_are_linked_by_others_are_on_one_plane():
    crs = CRS.from_epsg(32633)
    planes = [
        GeoBox(10, 10, Affine(10, 0, left, 0, -10, 0), crs) for left in (0, 150, 80)
    ]
    positions = np.array([[0, 4, 5], [1, 4, 5], [2, 4, 5]])
    found = on_shared_planes(positions, planes)
    assert found.tolist() == [[0, 4, 5], [0, 4, 20], [0, 4, 13]]


def test_an_interval_is_student_s():
    found = _interval([0.5, 0.6, 0.7, 0.8, 0.9])
    assert found.mean == pytest.approx(0.7)
    assert found.half == pytest.approx(
        2.776445 * np.std([5, 6, 7, 8, 9], ddof=1) / 10 / 5**0.5
    )
    assert np.isnan(_interval([0.5]).half)


def refused(scene, labels, tmp_path, *more):
    output = tmp_path / "refused"
    said = ["train", scene, "--labels", labels, "-o", output, *more]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(main, [str(each) for each in said])
    assert result.exit_code == 2, result.output
    assert not output.exists()
    return " ".join(result.stderr.split())


def test_a_class_of_one_point_is_named(scene, points, tmp_path):
    positions = [(12, 10, 0), (60, 80, 0), (20, 30, 1), (70, 9, 1), (44, 44, 2)]
    says = refused(scene, points(positions), tmp_path)
    assert "fewer than two labelled pixels, as water; label more of it" in says


def test_points_in_one_place_are_refused(scene, points, tmp_path):
    positions = [(8 + n, 8 + n, n % 2) for n in range(8)]
    assert "all labels of bare, crop lie in one place" in refused(
        scene, points(positions), tmp_path
    )


def test_points_elsewhere_are_refused(scene, points, tmp_path):
    positions = [(5000, 5000 + n, n % 2) for n in range(8)]
    assert "no label lies in the scene" in refused(scene, points(positions), tmp_path)


def test_points_without_data_are_refused(scene, points, tmp_path):
    positions = [(n % 4, n // 2, n % 2) for n in range(8)]
    assert "no label lies where scene.tif has data" in refused(
        scene, points(positions), tmp_path
    )


def test_a_scene_of_one_value_is_refused(make_raster, points, tmp_path):
    values = np.full((2, SIDE, SIDE), 7, np.uint8)
    path = make_raster("flat.tif", values=values, transform=PLANE)
    assert "the same values in all bands" in refused(path, points(), tmp_path)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("--architecture pixel --epochs 3", "fitted to pixels has no epochs"),
        ("--head mlp --from x", "fitted to pixels has no start"),
        ("--architecture Unet --head mlp", "Unet has no --head to choose"),
    ],
)
def test_flags_of_the_other_kind_are_refused(scene, points, tmp_path, said, says):
    assert says in refused(scene, points(), tmp_path, *said.split())


def test_a_fitted_model_is_no_beginning_and_is_not_rounded(scene, points, tmp_path):
    model = tmp_path / "model"
    geoseg.train([scene], points(), model, options=QUICK)
    options = geoseg.TrainOptions(start=str(model))
    with pytest.raises(ModelError, match="nothing to go on from"):
        geoseg.train([scene], points(), tmp_path / "more", options=options)
    rounded = geoseg.SegmentOptions(model=model, precision="bfloat16")
    with pytest.raises(InputError, match="leave out `precision"):
        geoseg.segment(scene, tmp_path / "out", options=rounded)


def test_few_pixels_of_polygons_are_few_labels_and_many_are_not(
    scene, tmp_path, monkeypatch
):
    stripes = [
        box(LEFT + 200, TOP - 80 * (n + 1), LEFT + 220, TOP - 80 * n) for n in range(12)
    ]
    path = tmp_path / "labels.gpkg"
    geopandas.GeoDataFrame(
        {"class": [CLASSES[n % 3] for n in range(12)]}, geometry=stripes, crs=32633
    ).to_file(path)
    trained = geoseg.train([scene], path, tmp_path / "few")
    assert trained.cross_validated
    assert sum(each.training for each in trained.labelled) == 192
    monkeypatch.setattr(labelled, "SPARSE", 192)
    with pytest.raises(LabelsError, match="no training pixel is left"):
        geoseg.train([scene], path, tmp_path / "many")  # a network, in blocks


def by_the_paper(known, folds, weights, pixels):
    """Meyer and Pebesma (2021), sections 2.1 to 2.3, term by term in plain numpy."""
    scaled = (known - known.mean(axis=0)) / known.std(axis=0) * weights
    others = (pixels - known.mean(axis=0)) / known.std(axis=0) * weights

    def distance(one, other):
        return np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=2))

    between = distance(scaled, scaled)
    mean = between[~np.eye(len(known), dtype=bool)].mean()
    index = np.array([
        between[row, folds != folds[row]].min() / mean
        for row in range(len(known))
    ])  # fmt: skip
    quarter, three = np.percentile(index, [25, 75])
    threshold = index[index <= three + 1.5 * (three - quarter)].max()
    return mean, threshold, distance(others, scaled).min(axis=1) / mean


def test_the_dissimilarity_index_is_the_paper_s():
    rng = np.random.default_rng(4)
    known = rng.normal([50, 900, 3], [5, 200, 1], (80, 3)).astype(np.float32)
    known[0] = 60, 2500, 9  # an outlier, which does not raise the threshold
    folds, weights = rng.integers(0, 5, 80), np.array([0.5, 2.0, 0.5])
    pixels = rng.normal([50, 900, 3], [9, 400, 3], (700, 3)).astype(np.float32)
    mean, threshold, index = by_the_paper(known, folds, weights, pixels)
    found = training_vectors(known, folds, 0, weights)
    assert found.spread == pytest.approx(mean, rel=1e-5)
    assert found.threshold == pytest.approx(threshold, rel=1e-5)
    given = found.dissimilarity(pixels.T)
    np.testing.assert_allclose(given, index / threshold, rtol=1e-3, atol=1e-5)
    assert 0.05 < (given > 1).mean() < 0.95
    alone = np.concatenate([found.dissimilarity(p[:, None]) for p in pixels[:40]])
    assert np.array_equal(alone, given[:40]), "whatever stands beside a pixel"


def test_pixels_of_one_value_or_fold_say_nothing():
    same = np.ones((6, 2), np.float32)
    assert training_vectors(same, np.arange(6), 0) is None
    assert training_vectors(same * np.arange(6)[:, None], np.zeros(6, int), 0) is None


def test_a_map_says_where_its_model_has_no_business(
    scene, points, make_raster, tmp_path
):
    model = tmp_path / "model"
    geoseg.train([scene], points(), model, options=QUICK)
    with rasterio.open(scene) as source:
        values = source.read()
    values[:, :, 48:] += 3000
    values[:, 40:44] = 0
    path = make_raster("far.tif", values=values, bands=("B04", "B08"), transform=PLANE)
    said = ["segment", path, "--model", model, "--applicability", "--format", "none"]
    made = []
    for block in (32, 64):
        out = tmp_path / f"out{block}"
        more = ["--tile", "40", "--block", block, "-o", out]
        result = CliRunner().invoke(main, [str(each) for each in (*said, *more)])
        assert result.exit_code == 0, result.output
        made.append((out / "applicability.tif").read_bytes())
    assert made[0] == made[1], "blocks never show"
    with rasterio.open(out / "applicability.tif") as raster:
        found, scale = raster.read(1), raster.scales[0]
    known = load_vectors(geoseg.load_package(model))
    index = known.dissimilarity(values.reshape(2, -1)).reshape(SIDE, SIDE)
    valid = (values > 0).all(axis=0)
    assert (found[~valid] == 255).all()
    np.testing.assert_allclose(
        found[valid] * scale, np.minimum(index[valid], 2.54), atol=0.011
    )
    report = json.loads((out / "run.json").read_text())
    assert report["outside"] == pytest.approx((index[valid] > 1).mean())
    assert 0.5 < report["outside"] < 0.7
    row = f"{report['outside']:.1%} of the map is unlike what was learned from"
    assert row in (out / "report.html").read_text(encoding="utf-8")
    assert "of the map is unlike all that the model learned from" in result.stderr
    assert "unlike the training" in result.stderr + result.stdout
    (model / VECTORS).unlink()
    options = geoseg.SegmentOptions(model=model, applicability=True)
    with pytest.raises(ModelError, match="does not say what pixels it learned from"):
        geoseg.segment(path, tmp_path / "none", options=options)
    assert not (tmp_path / "none").exists()
