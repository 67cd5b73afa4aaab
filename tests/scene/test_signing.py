"""Addresses signed as they are read: by a signer on this machine, and never kept."""

import json
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

import numpy as np
import planetary_computer.sas
import pytest
from click.testing import CliRunner
from cloudless_season import COLLECTION, write_season
from json_server import JsonAnswers, serving
from planetary_computer.settings import Settings
from stac_api import stac_api
from web import served

import geoseg
from geoseg import InputError, SceneOptions
from geoseg.cli import main
from geoseg.search import stac_client
from geoseg.storage import signing

SIGN = "planetary-computer"
FIRST, SECOND = ({"token": f"sig=Secret{number}"} for number in (1, 2))


class _Signer(JsonAnswers, BaseHTTPRequestHandler):
    """Give a token for a container, as the Planetary Computer does."""

    def do_GET(self):  # the library's name
        self.server.asked.append(self.path)
        if self.server.status != 200:
            return self.answer({}, self.server.status)
        end = datetime.now(UTC) + timedelta(minutes=45)
        signed = {"msft:expiry": end.isoformat(), "token": self.server.token}
        return self.answer(signed)


@pytest.fixture
def signer(monkeypatch):
    """Stand in for the Planetary Computer's signer."""
    with serving(_Signer, **FIRST, asked=[], status=200) as server:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{server.url}/token")
        monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", "127.0.0.1")
        monkeypatch.setattr(planetary_computer.sas, "TOKEN_CACHE", {})
        Settings.get.cache_clear()
        yield server
        Settings.get.cache_clear()


@pytest.fixture
def blobs(tmp_path, monkeypatch):
    """Give items whose files a server shows to those who have a signature."""
    folder = tmp_path / "blobs" / "container"
    folder.mkdir(parents=True)
    _, items, _ = write_season(folder, side=64, dates=3, clouded=0.4)
    with served(folder.parent) as (url, server):
        server.wants = "sig=Secret1"
        # The package knows blob storage by the end of its name, without a port.
        domain = url.removeprefix("http://")
        monkeypatch.setattr(planetary_computer.sas, "BLOB_STORAGE_DOMAIN", domain)
        for item in items:
            for asset in item["assets"].values():
                asset["href"] = f"{url}/container/{asset['href']}"
        path = tmp_path / "items.json"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
        yield path, server


def options(**more):
    grid = {"crs": "EPSG:32633", "resolution": 10, "mask": ("scl:cloud",)}
    allowed = {"allow_external_references": True, "mosaic": "newest-clear"}
    return SceneOptions(**grid, **allowed, **more)


def test_files_are_signed_as_they_are_read_and_nothing_keeps_a_signature(signer, blobs):
    path, server = blobs
    with pytest.raises(InputError, match="answers 403"):
        geoseg.open_scene(path, options())
    assert not signer.asked
    scene = geoseg.open_scene(path, options(sign=SIGN))
    pixels, valid = scene.read(scene.window)
    assert valid.mean() > 0.5
    assert len(signer.asked) == 1  # for all files of the container
    assert "Secret" not in repr(scene)
    assert "Secret" not in json.dumps(scene.identity())
    # A signature that has expired is replaced, and what it opened is opened anew.
    server.wants = signer.token = SECOND["token"]
    (token,) = planetary_computer.sas.TOKEN_CACHE.values()
    token.expiry = datetime.now(UTC) + timedelta(seconds=30)
    assert np.array_equal(scene.read(scene.window)[0], pixels)
    assert len(signer.asked) == 2


def test_a_search_there_has_its_files_signed_and_no_product_holds_a_signature(
    signer, blobs, tmp_path, monkeypatch
):
    path, server = blobs
    items = json.loads(path.read_text())["features"]
    out = tmp_path / "out"
    out.mkdir()
    with stac_api(items) as api:
        monkeypatch.setitem(stac_client.CATALOGUES, SIGN, api.url)
        command = [
            *("composite", "--search", SIGN, "--collection", COLLECTION),
            *("--datetime", "2024", "--crs", "EPSG:32633", "--resolution", "10"),
            *("--allow-external-references", "-o", str(out / "c.tif")),
        ]
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert signer.asked
    assert "Secret" not in result.output
    for file in out.iterdir():
        assert b"Secret" not in file.read_bytes(), file
    # A file that is gone is named without what would have opened it.
    path.with_name("blobs").joinpath("container", "1.tif").unlink()
    with pytest.raises(InputError, match=r"1\.tif") as caught:
        geoseg.open_scene(path, options(sign=SIGN))
    assert "Secret" not in str(caught.value)
    server.wants = "another"
    with pytest.raises(InputError, match="answers 403") as caught:
        geoseg.open_scene(path, options(sign=SIGN))
    assert "Secret" not in str(caught.value)


def test_a_signer_that_is_missing_or_refuses_is_said_in_a_sentence(
    signer, blobs, monkeypatch, tmp_path
):
    signer.status = 403
    with pytest.raises(InputError, match=r"does not sign addresses \(HTTP 403\)"):
        geoseg.open_scene(blobs[0], options(sign=SIGN))
    monkeypatch.setattr(signing, "_PACKAGE", "no_such_package")
    out = ["-o", str(tmp_path / "c.tif")]
    command = ["composite", str(blobs[0]), "--sign", SIGN, *out]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "pip install 'geoseg[planetary-computer]'" in result.output
    assert not (tmp_path / "c.tif").exists()


def test_no_document_and_no_list_has_addresses_signed(signer, blobs, tmp_path):
    path, _ = blobs
    text = path.read_text().replace('.tif"', '.tif#signed-by=planetary-computer"')
    assert text != path.read_text()
    path.write_text(text)
    with pytest.raises(InputError, match="answers 403"):
        geoseg.open_scene(path, options())
    address = json.loads(text)["features"][0]["assets"]["image"]["href"]
    listed = tmp_path / "list.txt"
    listed.write_text(f"{address}\n/vsicurl/{address}\n")
    with pytest.raises(InputError, match="answers 403"):
        geoseg.open_scene(listed)
    assert not signer.asked
