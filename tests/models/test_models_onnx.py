"""ONNX files as models: any framework's, and what is no model."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import SAID, WEIGHTS, write_onnx
from scipy.ndimage import map_coordinates

from geoseg.diagnose.verify import verify
from geoseg.errors import GeosegError, InputError, ModelError
from geoseg.models.find import load_package
from geoseg.models.inspection import inspect_model
from geoseg.models.networks.network import load_network
from geoseg.models.networks.onnx import OnnxNetwork
from geoseg.models.package.make import make_package
from geoseg.models.package.trial import output_doubts
from geoseg.models.validate import validate_model
from geoseg.options import SegmentOptions
from geoseg.predict.compute import resolve_compute
from geoseg.predict.predictor import TilePredictor
from geoseg.run.segment import segment


@pytest.mark.parametrize("changes", [{}, {"last": True}, {"batch": 1}])
def test_any_layout_gives_the_same_scores(tmp_path, changes):
    weights = write_onnx(tmp_path / "model.onnx", **changes)
    package = make_package(weights, tmp_path / "p", SAID)
    network = load_network(package)
    pixels = torch.randn(3, 3, 16, 16)
    expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(network(pixels), expected)
    torch.testing.assert_close(network(pixels.bfloat16()), expected, rtol=0.1, atol=0.1)


def test_a_map_of_an_onnx_model_is_the_formula(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    values = np.random.default_rng(1).integers(1, 4000, (3, 37, 53), np.uint16)
    scene = make_raster(values=values)
    options = SegmentOptions(model=package.path, workers=0)
    report = segment(scene, tmp_path / "out", options=options)
    import rasterio  # noqa: PLC0415  # one test needs it

    with rasterio.open(tmp_path / "out" / "landcover.tif") as dataset:
        given = dataset.read(1)
    # Means are 0: the second class wins where blue + 2 red is above 0, everywhere.
    assert np.unique(given).tolist() == [4]
    assert report.compute["precision"] == "float32"


def test_probabilities_are_taken_as_they_are(tmp_path):
    weights = write_onnx(tmp_path / "m.onnx", extra="Softmax")
    said = replace(SAID, activation="none")
    package = make_package(weights, tmp_path / "p", said)
    pixels = torch.randn(1, 3, 16, 16)
    logits = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(
        load_network(package)(pixels).softmax(1), logits.softmax(1)
    )


def test_the_predictor_does_not_care(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    how = resolve_compute("cpu", "float32", compiled=True)
    predictor = TilePredictor.of([(package, (0, 1, 2))], how)
    pixels = np.full((1, 3, 16, 16), 500, np.uint16)
    given = predictor(pixels, np.ones((1, 16, 16), bool))
    expected = torch.tensor([-1.5, 1.5]).softmax(0)
    torch.testing.assert_close(given[0, :, 3, 5], expected)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bands": 2}, "2, 's', 's'], and 3 bands are declared"),
        (
            {"kernel": np.ones((3, 3, 1, 1), np.float32)},
            "gives 3 channels, and 2 classes are declared",
        ),
        ({"side": 32}, "takes tiles of 32 x 32 pixels, and 16 is declared"),
        ({"kernel": np.ones((2, 3, 3, 3), np.float32)}, "a score for every pixel"),
    ],
)
def test_a_file_that_is_not_what_is_said_is_refused(tmp_path, changes, says):
    weights = write_onnx(tmp_path / "m.onnx", **changes)
    with pytest.raises(ModelError, match=says):
        make_package(weights, tmp_path / "p", SAID)
    assert not (tmp_path / "p").exists()


def write_apart(path, location="m.onnx.data", content=None, **external):
    """Write the same network with its weights in another file."""
    graph = onnx.load(write_onnx(path))
    _keep_apart(graph.graph.initializer[0], location, external)
    path.write_bytes(graph.SerializeToString())
    if content is not None:
        (path.parent / location).write_bytes(content)
    return path


def _keep_apart(tensor, location, external=None):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **(external or {})}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)


def test_weights_in_a_file_beside_the_graph_come_into_the_package(
    tmp_path, monkeypatch
):
    folder = tmp_path / "exported"
    folder.mkdir()
    path = write_apart(
        folder / "m.onnx", content=b"1234" + WEIGHTS.tobytes(), offset=4, length=24
    )
    package = make_package(path, tmp_path / "p", SAID)
    assert {f.name for f in package.path.iterdir()} == {"model.onnx", "mlm.json"}
    kept = onnx.load(package.weights, load_external_data=False).graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(kept)[:, :, 0, 0], WEIGHTS)
    # A file of the same name in the current folder, of other weights, changes nothing.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "m.onnx.data").write_bytes(b"1234" + (-WEIGHTS).tobytes())
    monkeypatch.chdir(elsewhere)
    pixels = torch.randn(1, 3, 16, 16)
    expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(load_network(package)(pixels), expected)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("../secret", "outside its own folder"),
        ("link", "outside its own folder"),
        ("/etc/hostname", "outside its own folder"),
        ("gone.data", "is not there: copy that file beside it"),
        ("", "is not there"),
        ("*/_ORT_MEM_ADDR_/*", "is not there"),
    ],
)
def test_a_graph_that_names_a_file_elsewhere_is_refused(tmp_path, location, says):
    folder = tmp_path / "exported"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(WEIGHTS.tobytes())
    (folder / "link").symlink_to(tmp_path / "secret")
    path = write_apart(folder / "m.onnx", location)
    with pytest.raises(ModelError, match=says):
        make_package(path, tmp_path / "p", SAID)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "external", [{"length": 25}, {"offset": 1}, {"offset": 99}, {"offset": "x"}]
)
def test_data_that_are_not_all_there_are_refused(tmp_path, external):
    path = write_apart(tmp_path / "m.onnx", content=WEIGHTS.tobytes(), **external)
    with pytest.raises(ModelError, match="'kernel'"):
        make_package(path, tmp_path / "p", SAID)


def test_more_than_one_file_can_hold_is_refused_before_it_is_read(tmp_path):
    path = write_apart(tmp_path / "m.onnx")
    with (tmp_path / "m.onnx.data").open("wb") as file:
        file.truncate(2**31)  # sparse
    with pytest.raises(
        ModelError, match=r"2,147,483,647 at most; export it in float16"
    ):
        make_package(path, tmp_path / "p", SAID)


def _in_a_branch(graph):
    """Give a graph whose tensor is two functions deep, where few look."""
    inner = helper.make_graph([], "inner", [], [])
    inner.sparse_initializer.add().values.CopyFrom(graph.graph.initializer[0])
    graph.functions.add().node.add().attribute.add().g.CopyFrom(inner)
    graph.functions[0].node[0].attribute[0].type = onnx.AttributeProto.GRAPH
    return graph.functions[0].node[0].attribute[0].g.sparse_initializer[0].values


@pytest.mark.parametrize("hidden", [False, True])
def test_onnx_runtime_is_given_no_graph_that_names_a_file(
    tmp_path, monkeypatch, hidden
):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    graph = onnx.load(package.weights)
    tensor = _in_a_branch(graph) if hidden else graph.graph.initializer[0]
    _keep_apart(tensor, "m.onnx.data")
    (tmp_path / "m.onnx.data").write_bytes(WEIGHTS.tobytes())
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would find it
    monkeypatch.setattr("onnxruntime.InferenceSession", None)
    with pytest.raises(ModelError, match="1 of its tensors in other files"):
        OnnxNetwork(graph.SerializeToString(), package, "model.onnx")


def test_the_format_of_onnx_runtime_itself_is_refused(tmp_path):
    graph = onnx.load(write_onnx(tmp_path / "m.onnx"))
    graph.producer_name = "ORTM"  # it stands where that format's mark would
    content = graph.SerializeToString()
    assert content[4:8] == b"ORTM"
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="not ONNX Runtime's own format"):
        make_package(tmp_path / "m.onnx", tmp_path / "p", SAID)


def write_outputs(path, outputs, side="s"):
    """Write a file of several outputs: name to kernel and what follows it."""
    steps, given, kernels = [], [], []
    for name, (kernel, then, shape, dtype) in outputs.items():
        kernels.append(numpy_helper.from_array(kernel, f"k{name}"))
        raw = f"raw{name}" if then else name
        steps.append(helper.make_node("Conv", ["in", f"k{name}"], [raw]))
        if then:
            steps.append(helper.make_node(then[0], [raw], [name], **then[1]))
        given.append(helper.make_tensor_value_info(name, dtype, shape))
    graph = helper.make_graph(
        steps,
        "several",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 3, side, side])],
        given,
        kernels,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


KERNEL = WEIGHTS[:, :, None, None]
FLOAT, OPEN = TensorProto.FLOAT, ["n", "c", "h", "w"]
AUX = (np.ones((5, 3, 1, 1), np.float32), None, ["n", 5, "s", "s"], FLOAT)
SMALL = (KERNEL, ("AveragePool", {"kernel_shape": [4, 4], "strides": [4, 4]}))
IDS = (KERNEL, ("ArgMax", {"axis": 1}), ["n", 1, "s", "s"], TensorProto.INT64)
MAIN = (KERNEL, None, ["n", 2, "s", "s"], FLOAT)


@pytest.mark.parametrize(
    "outputs",
    [
        {"aux": AUX, "out": MAIN},
        {"aux": (*SMALL, OPEN, FLOAT), "out": (KERNEL, None, OPEN, FLOAT)},
        {"ids": IDS, "out": MAIN},
    ],
    ids=["other channels", "smaller, of no declared shape", "class ids"],
)
def test_of_several_outputs_the_one_that_fits_is_taken(tmp_path, outputs):
    weights = write_outputs(tmp_path / "m.onnx", outputs)
    package = make_package(weights, tmp_path / "p", SAID)
    assert package.output_name == "out"
    pixels = torch.randn(1, 3, 16, 16)
    expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(load_network(package)(pixels), expected)


def test_where_several_outputs_fit_one_is_asked_for_by_name(tmp_path):
    both = {"aux": (-KERNEL, *MAIN[1:]), "out": MAIN}
    weights = write_outputs(tmp_path / "m.onnx", both)
    with pytest.raises(ModelError, match="aux, out; say which with `output_name`"):
        make_package(weights, tmp_path / "p", SAID)
    for name, sign in (("out", 1), ("aux", -1)):
        said = replace(SAID, output_name=name)
        package = make_package(weights, tmp_path / name, said)
        pixels = torch.randn(1, 3, 16, 16)
        expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
        torch.testing.assert_close(load_network(package)(pixels), sign * expected)
    with pytest.raises(ModelError, match="no output 'logits'; it has aux, out"):
        make_package(weights, tmp_path / "p", replace(SAID, output_name="logits"))


def test_whole_numbers_of_a_channel_a_class_are_no_scores(tmp_path):
    signs = (KERNEL, ("Sign", {}), ["n", 2, "s", "s"], FLOAT)
    weights = write_outputs(tmp_path / "m.onnx", {"out": signs})
    with pytest.raises(ModelError, match=r"m\.onnx gives .*class ids.* without ArgMax"):
        make_package(weights, tmp_path / "p", SAID)


def test_a_batch_that_the_file_fixes_is_run_as_such(tmp_path):
    weights = write_onnx(tmp_path / "m.onnx", batch=4)
    package = make_package(weights, tmp_path / "p", SAID)
    pixels = torch.randn(6, 3, 16, 16)
    expected = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS), pixels)
    torch.testing.assert_close(load_network(package)(pixels), expected)


def test_channels_last_of_another_number_are_called_channels(tmp_path):
    kernel = np.random.default_rng(3).normal(size=(9, 3, 1, 1)).astype(np.float32)
    for side in ("s", 16):
        weights = write_onnx(tmp_path / "m.onnx", last=True, kernel=kernel, side=side)
        with pytest.raises(
            ModelError, match="gives 9 channels, and 2 classes are decl"
        ):
            make_package(weights, tmp_path / "p", SAID)


def test_one_class_alone_is_refused(tmp_path):
    weights = write_onnx(tmp_path / "m.onnx", kernel=KERNEL[:1])
    said = replace(SAID, classes=("building",))
    with pytest.raises(ModelError, match=r"every pixel of a map .* by a sigmoid"):
        make_package(weights, tmp_path / "p", said)


@pytest.mark.parametrize(
    ("channels", "extra", "declared", "becomes", "warns"),
    [
        (2, "", None, "softmax", ""),
        (2, "Softmax", None, "none", "was taken for probabilities"),
        (1, "", None, "sigmoid", "one channel for two classes"),
        (1, "Sigmoid", None, "none", "was taken for probabilities"),
        (2, "Softmax", "softmax", "softmax", "more likely .* `activation='none'`"),
        (1, "Sigmoid", "sigmoid", "sigmoid", "more likely .* `activation='none'`"),
        (2, "Sigmoid", "softmax", "softmax", "in each of its 2 channels, as after"),
        (2, "", "softmax", "softmax", ""),
        (1, "", "sigmoid", "sigmoid", ""),
    ],
)
def test_the_output_is_held_against_the_activation(
    tmp_path, channels, extra, declared, becomes, warns
):
    then = {"Softmax": ("Softmax", {"axis": 1}), "Sigmoid": ("Sigmoid", {})}
    shape = ["n", channels, "s", "s"]
    kernel = KERNEL[:channels] + np.float32(0.25 * (warns[:2] == "in"))
    outputs = {"out": (kernel, then.get(extra), shape, FLOAT)}
    weights = write_outputs(tmp_path / "m.onnx", outputs)
    messages = []
    package = make_package(
        weights,
        tmp_path / "p",
        replace(SAID, activation=declared),
        on_step=lambda step: messages.extend(step.warnings),
    )
    assert package.activation == becomes
    assert len(messages) == bool(warns)
    assert re.search(warns, " ".join(messages))
    if declared and warns:
        assert messages[0] in validate_model(package.path).doubts
    doubts = [f"the model {package.name}: {messages[0]}"] if declared and warns else []
    assert list(output_doubts(package)) == doubts
    pixels = torch.randn(1, 3, 16, 16)
    logits = torch.einsum("kb,nbyx->nkyx", torch.from_numpy(WEIGHTS[:channels]), pixels)
    truth = logits.softmax(1) if channels > 1 else logits.sigmoid()
    if channels == 1:
        truth = torch.cat((1 - truth, truth), 1)
    if not (declared and warns):
        torch.testing.assert_close(load_network(package)(pixels).softmax(1), truth)


def test_a_run_says_what_of_its_models_output_is_doubted(make_raster, tmp_path):
    weights = write_onnx(tmp_path / "m.onnx", extra="Softmax")
    said = replace(SAID, activation="softmax")
    make_package(weights, tmp_path / "p", said)
    options = SegmentOptions(model=tmp_path / "p", formats="none")
    report = segment(make_raster(), tmp_path / "out", options=options)
    assert any("more likely probabilities" in each for each in report.warnings)


def test_what_is_wrong_is_said_of_the_users_own_file(tmp_path):
    weights = write_onnx(tmp_path / "mine.onnx", kernel=np.ones((2, 3, 3, 3), "f4"))
    with pytest.raises(ModelError, match=r"/mine\.onnx gives 14 x 14 pixels"):
        make_package(weights, tmp_path / "p", SAID)


def test_what_is_no_onnx_is_refused(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="no ONNX model"):
        make_package(tmp_path / "m.onnx", tmp_path / "p", SAID)


def test_a_flipped_byte_of_an_onnx_file_is_noticed(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    content = bytearray(package.weights.read_bytes())
    content[-20] ^= 1
    package.weights.write_bytes(content)
    with pytest.raises(ModelError, match="checksum"):
        load_package(package.path)


def test_without_onnx_runtime_it_says_what_to_install(tmp_path, monkeypatch):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'geoseg\[onnx\]'"):
        load_network(package)


def test_a_precision_that_it_cannot_have_is_refused(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    options = SegmentOptions(model=package.path, precision="bfloat16")
    with pytest.raises(InputError, match="a precision of its own"):
        segment(make_raster(), tmp_path / "out", options=options)


def test_it_can_be_inspected(tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    assert inspect_model(package.path).network == "ONNX in model.onnx"
    with pytest.raises(ModelError, match="cannot be measured: ONNX Runtime takes the"):
        inspect_model(package.path, receptive_field=True)


def test_its_tiles_are_compared_without_a_promise(make_raster, tmp_path):
    package = make_package(write_onnx(tmp_path / "m.onnx"), tmp_path / "p", SAID)
    found = verify(package.path, make_raster())
    assert found.receptive_field is None
    assert [each.exact for each in found.agreements] == [False] * 3
    assert {each.changed_pixels for each in found.agreements} == {0}  # it is 1 x 1


def test_tiles_of_another_side_are_refused_where_the_file_fixes_it(
    make_raster, tmp_path
):
    weights = write_onnx(tmp_path / "m.onnx", side=16)
    package = make_package(weights, tmp_path / "p", SAID)
    options = SegmentOptions(model=package.path, tile=32, overlap=4)
    with pytest.raises(GeosegError, match="does not take tiles of shape"):
        segment(make_raster(), tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("last", [False, True])
def test_scores_of_a_part_of_a_tiles_sides_are_enlarged_bilinearly(tmp_path, last):
    """Beside scipy's interpolation between the middles of squares."""
    graph = onnx.load(write_onnx(tmp_path / "m.onnx", last=last))
    (convolution,) = (n for n in graph.graph.node if n.op_type == "Conv")
    convolution.attribute.append(helper.make_attribute("strides", [4, 4]))
    for side, dimension in enumerate(graph.graph.output[0].type.tensor_type.shape.dim):
        if side not in {0, 3 if last else 1}:
            dimension.dim_param = "small"
    onnx.save(graph, tmp_path / "small.onnx")
    package = make_package(tmp_path / "small.onnx", tmp_path / "p", SAID)
    pixels = torch.randn(1, 3, 16, 16, generator=torch.manual_seed(0))
    coarse = np.einsum("kb,byx->kyx", WEIGHTS, pixels[0, :, ::4, ::4].numpy())
    positions = np.clip((np.arange(16) + 0.5) / 4 - 0.5, 0, 3)
    rows, cols = np.meshgrid(positions, positions, indexing="ij")
    expected = [map_coordinates(each, (rows, cols), order=1) for each in coarse]
    given = load_network(package)(pixels)[0].numpy()
    np.testing.assert_allclose(given, expected, atol=1e-5)
