"""Packages found by name: in a folder of the user's, or in the Hub's cache."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from affine import Affine
from click.testing import CliRunner

from geoseg.cli import main
from geoseg.diagnose.info import info
from geoseg.errors import ModelError
from geoseg.models.compatibility import open_fitting
from geoseg.models.find import load_package
from geoseg.models.package.files import inside
from geoseg.models.package.hub import cached_models
from geoseg.models.package.installed import installed_models, models_folder
from geoseg.scene import open_scene

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
    text = card.read_text().replace("./model.safetensors", name.replace("\\", "\\\\"))
    card.write_text(text)
    with pytest.raises(ModelError, match="named without a path"):
        load_package(folder)
    with pytest.raises(ModelError, match="named without a path"):
        inside(folder, name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.pt", "pickled checkpoint.*`from_checkpoint"),
        ("x.pth", "`from_checkpoint"),
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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of models: the shipped one as two of a family, one without names."""
    folder = tmp_path / "models"
    monkeypatch.setenv("GEOSEG_MODELS", str(folder))
    shipped = load_package("sentinel2-landcover").path
    for name in ("cover-10", "cover-1"):
        shutil.copytree(shipped, folder / name)
    card = json.loads((shipped / "mlm.json").read_text())
    bands = card["assets"]["model"]["bands"]
    bands[0]["name"] = "haze"
    bands[0].pop("eo:common_name")
    card["properties"]["mlm:input"][0]["bands"][0] = "haze"
    (folder / "cover-1" / "mlm.json").write_text(json.dumps(card))
    return folder


def test_a_package_of_the_users_folder_is_found_by_name(folder):
    package = load_package("cover-10")
    assert package.path == folder / "cover-10"
    assert load_package(str(folder / "cover-10")) == package
    listed = CliRunner().invoke(main, ["models", "list", "--json"])
    record = json.loads(listed.stdout)
    assert record["folder"] == str(folder)
    names = [each["model"] for each in record["models"]]
    assert names[:3] == ["sentinel2-landcover", "cover-1", "cover-10"]
    assert record["models"][2]["classes"][0]["name"] == package.legend.classes[0].name
    with pytest.raises(ModelError, match="known models: sentinel2-landcover, cover-1"):
        load_package("cover-2")


@pytest.mark.usefixtures("folder")
def test_the_beginning_of_names_is_the_model_that_suits_the_scene(make_raster):
    def chosen(model, bands):
        values = np.full((len(bands), 9, 9), 1500, np.uint16)
        transform = Affine(10, 0, 399_960, 0, -10, 5_800_020)
        path = make_raster(values=values, bands=bands, transform=transform)
        found = info(path, model=model).model
        scene, ((package, match),) = open_fitting(
            [model], lambda needs: open_scene(path, needs=needs)
        )
        assert scene.bands == bands
        assert package.name == found.model
        assert found.notes == match.notes
        return package.path.name, match.notes

    names = tuple(band.name for band in load_package("cover-10").bands)
    also = ("'cover' stands for cover-{} as well; any can be named",)
    assert chosen("cover", names) == ("cover-10", (also[0].format(1),))
    assert chosen("cover", ("haze", *names[1:])) == ("cover-1", (also[0].format(10),))
    assert chosen("cover-10", names) == ("cover-10", ())
    few = make_raster()
    with pytest.raises(ModelError, match=r"the model needs the bands B02.*lacks"):
        open_fitting(["cover"], lambda needs: open_scene(few, needs=needs))
    with pytest.raises(ModelError, match="several models, cover-1, cover-10"):
        load_package("cover")


def test_the_users_folder_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv("GEOSEG_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "geoseg" / "models"
    assert installed_models() == ()
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder().parts[-4:] == (".local", "share", "geoseg", "models")


def test_what_is_damaged_is_listed_with_the_reason(folder):
    (folder / "cover-1" / "model.safetensors").write_bytes(b"nothing")
    listed = CliRunner().invoke(main, ["models", "list"])
    assert listed.exit_code == 0
    assert "cover-1  cannot be used: " in listed.stdout
    shown = CliRunner().invoke(main, ["models", "show", "cover-10", "--json"])
    assert json.loads(shown.stdout)["tile"] == load_package("cover-10").tile
