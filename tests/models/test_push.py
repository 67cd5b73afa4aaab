"""A package sent to a stand-in of the Hub: files, card, and no token in sight."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
import yaml
from click.testing import CliRunner
from json_server import JsonAnswers, serving
from packages import CARD

from geoseg.cli import main
from geoseg.models.exchange.push import model_card
from geoseg.models.find import load_package

TOKEN = "hf_" + "s3cret" * 6


class _Hub(JsonAnswers, BaseHTTPRequestHandler):
    """What of the Hub's API a commit needs, as its library calls it."""

    def do_POST(self):  # the library's name
        server = self.server
        body = self.body()
        server.calls.append((self.path, self.headers.get("Authorization")))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer({"error": f"no such token {TOKEN}"}, 401)
        if self.path == "/api/repos/create":
            server.created = json.loads(body)
            return self.answer({"url": f"{server.url}/me/tiny"})
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            answer = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in asked
            ]
            return self.answer({"files": answer})
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    held = base64.b64decode(line["value"]["content"])
                    server.files[line["value"]["path"]] = held
            answer = {"commitUrl": f"{server.url}/me/tiny/commit/1", "commitOid": "1"}
            return self.answer({"success": True, **answer})
        return self.answer({"error": self.path}, 404)


@pytest.fixture
def hub(monkeypatch):
    """A Hub on this machine, which knows one token."""
    from huggingface_hub import constants  # noqa: PLC0415  # slow to import

    with serving(_Hub, calls=[], files={}, created=None) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def push(*words):
    return CliRunner().invoke(main, ["models", "push", *map(str, words)])


def test_a_pushed_package_is_the_package_with_a_card(hub, brightest, tmp_path):
    result = push(brightest, "hf://me/tiny", "--private")
    assert result.exit_code == 0, result.output
    assert f"{hub.url}/me/tiny/commit/1" in result.stdout
    assert hub.created["name"] == "tiny"
    assert hub.created["organization"] == "me"
    assert hub.created.get("private") or hub.created.get("visibility") == "private"
    assert {*hub.files} == {"README.md", "mlm.json", "model.onnx"}
    for name in ("mlm.json", "model.onnx"):
        assert hub.files[name] == (brightest / name).read_bytes()
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name, content in hub.files.items():
        (folder / name).write_bytes(content)
    known = load_package(brightest)
    assert load_package(folder).fingerprint == known.fingerprint
    _, front, text = hub.files["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(front)["pipeline_tag"] == "image-segmentation"
    assert 'geoseg.SegmentOptions(model="hf://me/tiny")' in text
    for each in known.legend:
        assert f"| {each.id} | {each.name} | {each.colour} |" in text
    assert {called for _, called in hub.calls} == {f"Bearer {TOKEN}"}
    assert TOKEN not in result.output
    assert TOKEN.encode() not in b"".join(hub.files.values())


class _LargeFiles(_Hub):
    """The same for a hub that wants weights by Git LFS: the batch protocol."""

    def do_POST(self):  # the library's name
        server = self.server
        if "/preupload/" in self.path:
            asked = json.loads(self.body())["files"]
            modes = {True: "lfs", False: "regular"}
            answer = [
                {"path": path, "uploadMode": modes[path.endswith(".onnx")]}
                | {"shouldIgnore": False}
                for path in (each["path"] for each in asked)
            ]
            return self.answer({"files": answer})
        if self.path == "/me/tiny.git/info/lfs/objects/batch":
            (known,) = json.loads(self.body())["objects"]
            return self.answer({"transfer": server.way, "objects": [self.order(known)]})
        if self.path in {"/verify", "/complete"}:
            server.ended.append((self.path, json.loads(self.body())))
            return self.answer({})
        if "/commit/" in self.path:
            lines = self.body().splitlines()
            server.commit = [json.loads(line) for line in lines]
            answer = {"commitUrl": f"{server.url}/me/tiny/commit/1", "commitOid": "1"}
            return self.answer({"success": True, **answer})
        return super().do_POST()

    def order(self, known):
        url, parts = self.server.url, -(-known["size"] // CHUNK)
        upload = {"href": f"{url}/storage/1"}
        if self.server.way == "multipart":
            numbered = {f"{n}": f"{url}/storage/{n}" for n in range(1, parts + 1)}
            header = {"chunk_size": f"{CHUNK}", **numbered}
            upload = {"href": f"{url}/complete", "header": header}
        return known | {
            "actions": {"upload": upload, "verify": {"href": f"{url}/verify"}}
        }

    def do_PUT(self):  # the same
        number = int(self.path.rpartition("/")[2])
        self.server.parts[number] = self.body()
        self.server.strangers.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("ETag", f"part{number}")
        self.send_header("Content-Length", "0")
        self.end_headers()


CHUNK = 50
"""Bytes of a part of a large file."""


@pytest.mark.parametrize("way", ["basic", "multipart"])
def test_large_files_go_by_lfs_and_storage_gets_no_token(way, brightest, monkeypatch):
    from huggingface_hub import _commit_api, constants  # noqa: PLC0415  # slow to import

    # Xet is another protocol of the library's, of its own in Rust: without it LFS is.
    monkeypatch.setattr(_commit_api, "is_xet_available", lambda: False)
    state = {"files": {}, "parts": {}, "ended": [], "strangers": [], "calls": []}
    with serving(_LargeFiles, way=way, **state) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        result = push(brightest, "hf://me/tiny")
        assert result.exit_code == 0, result.output
        held = (brightest / "model.onnx").read_bytes()
        stored = b"".join(server.parts[number] for number in sorted(server.parts))
        assert stored == held
        assert (len(server.parts) > 1) == (way == "multipart")
        large = [each["value"] for each in server.commit if each["key"] == "lfsFile"]
        known = hashlib.sha256(held).hexdigest()
        assert [(e["path"], e["oid"], e["size"]) for e in large] == [
            ("model.onnx", known, len(held))
        ]
        assert server.ended[-1] == ("/verify", {"oid": known, "size": len(held)})
        # Storage is another server, whose addresses are signed: no token goes there.
        assert set(server.strangers) == {None}
    assert TOKEN not in result.output


def test_a_refusal_is_a_sentence_without_the_token(hub, brightest, monkeypatch):
    wrong = TOKEN.replace("s3", "x9")
    monkeypatch.setenv("HF_TOKEN", wrong)
    for words in ((brightest, "hf://me/tiny"), (brightest, "hf://me/tiny", "--debug")):
        result = push(*words)
        assert result.exit_code != 0
        assert "hf://me/tiny cannot be written" in result.output + str(result.exception)
        assert wrong not in result.output + str(result.exception)
    assert not hub.files


def test_who_is_not_logged_in_learns_how(hub, brightest, monkeypatch, tmp_path):
    from huggingface_hub import constants  # noqa: PLC0415  # slow to import

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    result = push(brightest, "hf://me/tiny")
    assert result.exit_code == 2
    assert "run hf auth login, or set HF_TOKEN" in result.stderr
    assert push(brightest, "hf://me").exit_code == 2
    assert not hub.calls


def test_a_card_says_licence_figures_and_what_its_makers_say(sample_package):
    text = model_card(sample_package, "hf://me/x")
    assert 'license: "apache-2.0"' in text
    assert "| mean F1 | 0.7 |" in text
    assert "| B04 | red | 0.25 | 0.125 |" in text
    assert text.count("---\nlicense") == 1
    assert text.endswith("## From its makers\n\nIt is mine.\n")
    odd = replace(sample_package, license="my own terms")
    assert 'license: "other"' in model_card(odd, "hf://me/x")


def test_a_card_obeys_nothing_that_a_package_holds(sample_package):
    evil = "tree|water\u2028<script>alert(1)</script> [here](https://evil) `x`\n# head"
    bands = (replace(sample_package.bands[0], name=evil),)
    text = model_card(
        replace(sample_package, bands=bands, trained_on=evil, description=evil),
        "hf://me/x",
    )
    plain = r"tree\|water \<script\>alert(1)\</script\> \[here\](https://evil) \`x\`"
    assert f"| {plain} # head | red |" in text
    assert f"- trained on: {plain} # head\n" in text
    assert "<script>" not in text.replace(r"\<script", "")
    assert "\u2028" not in text


@pytest.fixture
def sample_package(brightest, tmp_path):
    """A package with figures and a page of its own."""
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\nIt is mine.")
    return replace(
        load_package(brightest), bands=CARD.bands, license="Apache-2.0",
        metrics=(("mean F1", 0.7),), path=tmp_path,
    )  # fmt: skip
