"""Models that leave as ONNX files: what they give, what they say, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_models
import torch
from click.testing import CliRunner

import geoseg
from geoseg.cli import main
from geoseg.diagnose import export
from geoseg.errors import ModelError, OutputError
from geoseg.models.exchange import export_onnx
from geoseg.models.exchange.export_onnx import for_deepness, to_onnx
from geoseg.models.package.onnx_metadata import complete_from_onnx
from geoseg.models.package.scaling import scalings

BANDS = ("B02", "B03", "B04")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A small U-Net with a temperature."""
    network = tiny_models.build("Unet", "resnet18", tiny_models.SHALLOW, bands=3)
    with torch.no_grad():  # scores far apart, so that classes do not hang on digits
        network.segmentation_head[0].weight *= 30
    return tiny_models.save(
        tmp_path_factory.mktemp("model") / "tiny", network, bands=BANDS, overlap=16,
        temperature=1.5,
    )  # fmt: skip


def run(path, tiles):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"tiles": tiles})
    return given


def said(path):
    listed = onnx.load(path).metadata_props
    return {each.key: json.loads(each.value) for each in listed}


def test_the_file_gives_the_models_probabilities_and_says_how_pixels_come_to_it(
    package, make_raster, tmp_path
):
    scene, path = make_raster(), tmp_path / "model.onnx"
    words = ["models", "export", package.path, "-o", path, "--scene", scene]
    result = CliRunner().invoke(main, [*map(str, words), "--for", "deepness", "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["equal"] >= 0.9999
    assert record["largest_difference"] < 1e-4
    assert record["faster"] is None
    tiles = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        expected = geoseg.load_network(package)(tiles).softmax(dim=1)
        plain = geoseg.load_network(replace(package, temperature=1.0))(tiles)
    given = run(path, tiles.numpy())
    np.testing.assert_allclose(given, expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(given, (plain / 1.5).softmax(1).numpy(), atol=1e-4)
    about = said(path)
    pixels = np.array([0.0, 77, 3000])[:, None]
    mean, std = (np.array(about[f"standardization_{name}"]) for name in ("mean", "std"))
    each = scalings(package)
    normal = pixels * [b.gain for b in each] - [b.offset for b in each]
    np.testing.assert_allclose((pixels / 255 - mean) / std, normal, atol=1e-9)
    np.testing.assert_allclose(
        pixels * about["gain"] - np.array(about["less"]), normal, atol=1e-9
    )
    read, _ = complete_from_onnx(
        geoseg.NewPackage(bands=BANDS), path.read_bytes(), path
    )
    assert read.classes == ("dark", "light")
    assert (read.gsd_m, read.tile, read.overlap) == (14, 64, 0)  # 25 % of 64, by 32
    assert about["class_ids"] == [2, 5]


class Smaller(torch.nn.Module):
    """Nothing but an image of other sides, without aliasing."""

    def __init__(self, sides):
        """Say which sides."""
        super().__init__()
        self.sides = sides

    def forward(self, tiles):
        return torch.nn.functional.interpolate(
            tiles, self.sides, mode="bilinear", antialias=True
        )


def test_half_an_image_without_aliasing_is_the_same_in_onnx(
    package, tmp_path, monkeypatch
):
    small = replace(package, tile=16)
    monkeypatch.setattr(export_onnx, "load_network", lambda _: Smaller((8, 8)))
    (tmp_path / "half.onnx").write_bytes(to_onnx(small))
    tiles = torch.randn(2, 3, 16, 16)
    given = run(tmp_path / "half.onnx", tiles.numpy())
    expected = Smaller((8, 8))(tiles).softmax(1)
    np.testing.assert_allclose(given, expected.numpy(), atol=1e-6)


def test_what_onnx_lacks_is_one_sentence_and_no_graph(package, monkeypatch, capfd):
    small = replace(package, tile=16)
    monkeypatch.setattr(export_onnx, "load_network", lambda _: Smaller((5, 4)))
    with pytest.raises(
        ModelError, match=r"16 x 16 to 5 x 4 without aliasing.*map with"
    ):
        to_onnx(small)
    assert capfd.readouterr().out == ""


def test_int8_says_how_much_faster_it_was_and_is_smaller(
    package, make_raster, tmp_path
):
    options = geoseg.ExportOptions(int8=True, force=True, scene=str(make_raster()))
    path = tmp_path / "model.onnx"
    made = geoseg.export_model(package.path, path, options=options)
    assert made.faster > 0
    assert made.size < 0.6 * len(to_onnx(package))
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert "QuantizeLinear" in kinds
    assert 0.5 < made.equal <= 1


def test_a_file_that_gives_other_classes_is_written_by_force_alone(
    package, make_raster, tmp_path, monkeypatch
):
    other = tiny_models.build("Unet", "resnet18", tiny_models.SHALLOW, bands=3, seed=5)
    with torch.no_grad():
        other.segmentation_head[0].weight *= -30
    wrong = tiny_models.save(tmp_path / "other", other, bands=BANDS, overlap=16)
    content = to_onnx(wrong)
    monkeypatch.setattr(export, "to_onnx", lambda _: content)
    path, scene = tmp_path / "model.onnx", str(make_raster())
    options = geoseg.ExportOptions(scene=scene)
    with pytest.raises(ModelError, match=r"on \d+\.\d{4}% of .*99\.99% are needed"):
        geoseg.export_model(package.path, path, options=options)
    assert not path.exists()
    made = geoseg.export_model(package.path, path, options=replace(options, force=True))
    assert made.equal < 0.9999
    assert path.exists()


def test_what_cannot_be_exported_is_refused_before_anything_is_written(
    package, brightest, make_raster, tmp_path
):
    options = geoseg.ExportOptions(scene=str(make_raster()))
    (tmp_path / "there.onnx").write_bytes(b"mine")
    for model, name, error, sentence in (
        (package.path, "model.pt", OutputError, r"let its name end in \.onnx"),
        (package.path, "there.onnx", OutputError, "exists; choose another name"),
        (brightest, "b.onnx", ModelError, "is an ONNX file already"),
    ):
        with pytest.raises(error, match=sentence):
            geoseg.export_model(model, tmp_path / name, options=options)
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"
    assert not (tmp_path / "b.onnx").exists()
    by_scene = replace(package, normalise="scene")
    with pytest.raises(ModelError, match="for which Deepness has no metadata"):
        for_deepness(by_scene)
