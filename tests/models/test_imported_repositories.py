"""Repositories of the Hub that hold weights and no package, from a stand-in of it."""

from __future__ import annotations

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest
import segmentation_models_pytorch as smp
import torch
from click.testing import CliRunner
from json_server import JsonAnswers, serving
from onnx_models import write_onnx
from tiny_models import SHALLOW

from geoseg.cli import main
from geoseg.models.find import load_package
from geoseg.models.networks.network import load_network

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = b"---\nlicense: cc-by-4.0\n---\n# Fields\n"
BANDS = ("--bands", "B02,B03,B04", "--gsd", "10")
SAID = (*BANDS, "--class", "a", "--class", "b")


class _Hub(JsonAnswers, BaseHTTPRequestHandler):
    """What of the Hub's API a download needs, as its library calls it."""

    def do_HEAD(self):  # the library's name
        self.do_GET()

    def do_GET(self):  # the same
        files, path = self.server.files, urlsplit(self.path).path
        self.server.asked.append(path)
        if path == "/api/models/some/fields/revision/main":
            listed = [{"rfilename": name} for name in files]
            return self.answer({"id": "some/fields", "sha": COMMIT, "siblings": listed})
        if path == f"/api/models/some/fields/tree/{COMMIT}":
            kinds = {"type": "file"}
            return self.answer(
                [
                    kinds | {"path": name, "size": len(content), "oid": etag(content)}
                    for name, content in files.items()
                ]
            )
        before, _, name = path.partition(f"/resolve/{COMMIT}/")
        if before != "/some/fields" or name not in files:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        content = files[name]
        self.send_response(200)
        self.send_header("ETag", f'"{etag(content)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)
        return None


def etag(content):
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub on this machine with one repository, and a cache of its own."""
    from huggingface_hub import constants  # noqa: PLC0415  # slow to import

    monkeypatch.setenv("GEOSEG_MODELS", str(tmp_path / "models"))
    files = {".gitattributes": b"", "README.md": CARD}
    with serving(_Hub, files=files, asked=[]) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        urls = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", urls)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server


def network(**settings):
    torch.manual_seed(0)
    return smp.Unet("mobilenet_v2", encoder_weights=None, classes=2, **settings).eval()


def saved(folder):
    """Give the files that smp's own way to save a network writes."""
    network(**SHALLOW).save_pretrained(folder)
    wanted = ("config.json", "model.safetensors")
    return {name: (folder / name).read_bytes() for name in wanted}


def checkpoint(folder):
    """Give a Lightning checkpoint of a network with smp's usual settings."""
    tensors = {f"model.{name}": each for name, each in network().state_dict().items()}
    said = {"model": "unet", "backbone": "mobilenet_v2"}
    path = folder / "last.ckpt"
    torch.save({"state_dict": tensors, "hyper_parameters": said}, path)
    return {"runs/last.ckpt": path.read_bytes()}


def run(*words):
    return CliRunner().invoke(main, ["models", "import", *map(str, words)])


def imported(*words):
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return load_package(json.loads(result.stdout)["path"])


def refusal(*words):
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1, result.output
    return result.output


def difference(known, package):
    tile = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        return (known(tile) - load_network(package)(tile)).abs().max()


def test_what_save_pretrained_pushed_is_a_package(hub, tmp_path):
    hub.files |= saved(tmp_path)
    package = imported("hf://some/fields", *SAID)
    assert difference(network(**SHALLOW), package) < 1e-5
    assert (package.name, package.license) == ("fields", "cc-by-4.0")
    checksum = hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    origin = f"hf://some/fields ({COMMIT[:8]}), model.safetensors, SHA-256 {checksum}"
    assert package.source == origin


def test_a_checkpoint_is_fetched_where_nothing_else_is(hub, tmp_path, monkeypatch):
    hub.files |= checkpoint(tmp_path)
    package = imported("hf://some/fields", *SAID, "--license", "MIT")
    assert difference(network(), package) < 1e-5
    assert package.license == "MIT"
    # Without a network it is made again of what the cache has.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = imported("hf://some/fields", "-o", tmp_path / "again", *SAID)
    assert difference(network(), again) < 1e-5


@pytest.mark.parametrize("apart", [False, True], ids=["whole", "with data beside"])
def test_an_onnx_file_is_one(apart, hub, tmp_path):
    path = write_onnx(tmp_path / "fields.onnx")
    if apart:
        where = {"save_as_external_data": True, "size_threshold": 0}
        onnx.save(onnx.load(path), path, location="fields.onnx.data", **where)
        hub.files["fields.onnx.data"] = path.with_name("fields.onnx.data").read_bytes()
    hub.files["fields.onnx"] = path.read_bytes()
    package = imported("hf://some/fields", *SAID, "--tile", "64")
    tile = np.ones((1, 3, 64, 64), "f4")
    scores = load_network(package)(torch.from_numpy(tile))[0, :, 0, 0]
    assert scores.tolist() == [-3, 3]


def test_what_is_not_known_is_asked_for_in_one_sentence(hub, tmp_path):
    hub.files |= saved(tmp_path)
    said = refusal("hf://some/fields")
    for flag in ("--bands", "--class", "--gsd"):
        assert flag in said


def test_of_several_files_one_is_named(hub, tmp_path):
    hub.files |= {**checkpoint(tmp_path), "runs/best.ckpt": b"no checkpoint"}
    said = refusal("hf://some/fields", *SAID)
    assert "has 2 files of weights, runs/last.ckpt, runs/best.ckpt; name" in said
    assert "hf://some/fields/runs/last.ckpt" in said
    assert not [each for each in hub.asked if "ckpt" in each]  # nothing large was asked
    assert imported("hf://some/fields/runs/last.ckpt", *SAID).name == "fields"
    assert "there are" in refusal("hf://some/fields/runs/other.ckpt", *SAID)


def test_a_repository_without_weights_says_what_it_has(hub):
    hub.files["tf_model.h5"] = b"x"
    said = refusal("hf://some/fields", *SAID)
    assert "neither a model package nor a file of weights" in said
    assert "tf_model.h5" in said
    assert "cannot be fetched" in refusal("hf://some/other", *SAID)


def test_as_a_model_it_names_the_command_that_makes_one(hub, tmp_path):
    hub.files |= checkpoint(tmp_path)
    shown = CliRunner().invoke(main, ["models", "show", "hf://some/fields"])
    assert shown.exit_code == 2
    assert "make one of its weights: geoseg models import hf://some/fields" in (
        shown.output
    )
    assert shown.output.count("\n") == 1
    named = CliRunner().invoke(main, ["models", "show", "hf://some/fields/a.ckpt"])
    assert "is the address of a file" in named.output
