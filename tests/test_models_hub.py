"""Packages of the Hugging Face Hub, from a cache made by hand and without a network."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

from geoseg.cli import main
from geoseg.errors import ModelError
from geoseg.models.hub import cached_models
from geoseg.models.locate import inside
from geoseg.models.package import load_package

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The Hub's cache with the shipped model in it, as the Hub's library lays it."""
    from huggingface_hub import constants  # noqa: PLC0415  # slow to import

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    shipped = load_package("sentinel2-landcover").path
    repository = tmp_path / "models--someone--landcover"
    snapshot = repository / "snapshots" / COMMIT
    for folder in (repository / "refs", repository / "blobs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for number, name in enumerate(("mlm.json", "config.json", "model.safetensors")):
        blob = repository / "blobs" / f"{number:040}"
        shutil.copyfile(shipped / name, blob)
        (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


def test_a_package_is_taken_from_the_cache(cache):
    package = load_package("hf://someone/landcover")
    assert package.path == cache
    assert package.fingerprint == load_package("sentinel2-landcover").fingerprint
    assert load_package(f"hf://someone/landcover@{COMMIT}") == package
    assert load_package(cache) == package


def test_what_the_cache_holds_is_listed(cache):
    assert cached_models() == ("hf://someone/landcover",)
    listed = CliRunner().invoke(main, ["models", "list"])
    assert "hf://someone/landcover  10 bands, 10 m" in listed.output
    (cache / "mlm.json").unlink()
    assert cached_models() == ()


def test_without_a_cache_none_is_listed(tmp_path, monkeypatch):
    from huggingface_hub import constants  # noqa: PLC0415  # slow to import

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    assert cached_models() == ()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("hf://someone/else", "not in the Hub's cache"),
        ("hf://someone", "write it as hf://owner/name"),
        ("hf://../../etc", "hf://owner/name"),
        ("hf://someone/landcover@v2", "not in the Hub's cache"),
    ],
)
def test_what_is_not_there_is_one_sentence(address, says):
    with pytest.raises(ModelError, match=says):
        load_package(address)


def test_a_link_of_the_cache_to_elsewhere_is_refused(cache, tmp_path):
    (cache / "mlm.json").unlink()
    shipped = load_package("sentinel2-landcover").path
    shutil.copyfile(shipped / "mlm.json", tmp_path / "elsewhere.json")
    (cache / "mlm.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelError, match="outside the package"):
        load_package("hf://someone/landcover")


def test_a_package_whose_files_are_links_to_elsewhere_is_refused(tmp_path):
    shipped = load_package("sentinel2-landcover").path
    folder = shutil.copytree(shipped, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(shipped / "model.safetensors")
    with pytest.raises(ModelError, match=r"is a link to .* outside the package"):
        load_package(folder)


@pytest.mark.parametrize("name", ["../x.onnx", "/etc/x.onnx", "a/x.onnx", "a\\x.onnx"])
def test_a_package_that_names_files_elsewhere_is_refused(tmp_path, name):
    shipped = load_package("sentinel2-landcover").path
    folder = shutil.copytree(shipped, tmp_path / "model")
    card = folder / "mlm.json"
    told = card.read_text().replace("./model.safetensors", name.replace("\\", "\\\\"))
    card.write_text(told)
    with pytest.raises(ModelError, match="named without a path"):
        load_package(folder)
    with pytest.raises(ModelError, match="named without a path"):
        inside(folder, name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.pt", "pickled checkpoint.*--from-checkpoint"),
        ("x.pth", "--from-checkpoint"),
        ("x.pt2", "torch.export.*ONNX"),
        ("x.zip", "geoseg models unpack"),
        ("x.safetensors", "geoseg models package"),
        ("mlm.json", "give its folder"),
    ],
)
def test_a_file_is_answered_with_how_to_make_a_package(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=says):
        load_package(tmp_path / name)


def test_a_folder_with_a_checkpoint_alone_says_how_to_convert_it(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin; convert it"):
        load_package(tmp_path)


def test_a_card_that_names_a_pickle_is_refused(tmp_path):
    shipped = load_package("sentinel2-landcover").path
    folder = shutil.copytree(shipped, tmp_path / "model")
    card = folder / "mlm.json"
    card.write_text(card.read_text().replace("./model.safetensors", "./model.pt"))
    with pytest.raises(ModelError, match="nothing that is pickled"):
        load_package(folder)
