"""An input is distinguished from others and from itself changed, without reading it."""

import os
import threading
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from geoseg.errors import ChangedError, SceneError
from geoseg.storage import remote
from geoseg.storage.fingerprint import check_unchanged, take_fingerprint
from geoseg.storage.remote import as_url, file_system, settings, without_secrets


def test_a_file_is_known_by_path_size_time_and_header(tmp_path):
    path = tmp_path / "scene.tif"
    path.write_bytes(b"a" * 100_000)
    os.utime(path, ns=(1, 1))
    first = take_fingerprint(path)
    assert (first.path, first.size, first.changed) == (str(path), 100_000, "1")
    assert take_fingerprint(str(path)) == first
    path.write_bytes(b"b" + b"a" * 99_999)
    os.utime(path, ns=(1, 1))
    assert take_fingerprint(path).header != first.header
    os.utime(path, ns=(2, 2))
    assert take_fingerprint(path).changed == "2"


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(SceneError, match=r"gone\.tif cannot be read \(No such file"):
        take_fingerprint(tmp_path / "gone.tif")


class _Handler(SimpleHTTPRequestHandler):
    """Files with an ETag, for whoever has the word."""

    def do_GET(self):
        if self.headers["Authorization"] != "Bearer word":
            self.send_error(401)
        else:
            super().do_GET()

    def end_headers(self):
        self.send_header("ETag", '"abc"')
        super().end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(tmp_path):
    handler = partial(_Handler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_an_address_is_known_by_its_etag_and_needs_gdals_settings(
    server, tmp_path, monkeypatch
):
    (tmp_path / "scene.tif").write_bytes(b"a" * 100_000)
    url = f"{server}/scene.tif?signature=1"
    with pytest.raises(SceneError, match=r"scene\.tif cannot be read .*401"):
        take_fingerprint(url)
    monkeypatch.setenv("GDAL_HTTP_BEARER", "word")
    found = take_fingerprint(url)
    assert (found.path, found.size) == (f"{server}/scene.tif", 100_000)
    etag, _, time = found.changed.partition(" ")
    assert (etag, time[-3:]) == ('"abc"', "GMT")
    assert found.header == take_fingerprint(tmp_path / "scene.tif").header
    assert take_fingerprint(f"/vsicurl/{url}") == found
    with pytest.raises(SceneError, match="404"):
        take_fingerprint(f"{server}/gone.tif")


def test_an_object_is_known_like_a_file():
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/scene.tif", b"pixels")
    found = take_fingerprint("memory://bucket/scene.tif")
    assert (found.size, found.changed) == (6, str(store.created("/bucket/scene.tif")))
    with pytest.raises(SceneError, match=r"nothing at memory://bucket/gone\.tif"):
        take_fingerprint("memory://bucket/gone.tif")
    with pytest.raises(SceneError, match="pigeon://coop/a cannot be reached"):
        take_fingerprint("pigeon://coop/a")


def test_paths_on_this_disk_are_no_urls():
    assert as_url("/data/a.tif") is None
    assert as_url("file:///data/a.tif") is None
    assert as_url("/vsigs/bucket/a.tif") == "gs://bucket/a.tif"
    assert as_url("/vsicurl/https://host/a.tif") == "https://host/a.tif"


def test_secrets_stay_out_of_names():
    assert without_secrets("https://me:word@host:80/a?sig=1#x") == "https://host:80/a"


def test_one_set_of_settings_serves_gdal_and_fsspec(monkeypatch):
    monkeypatch.setenv("AWS_S3_ENDPOINT", "127.0.0.1:9")
    monkeypatch.setenv("AWS_HTTPS", "NO")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    system, path = file_system("s3://bucket/prefix")
    assert (system.endpoint_url, system.anon) == ("http://127.0.0.1:9", True)
    assert path == "bucket/prefix"
    assert settings()["AWS_S3_ENDPOINT"] == "127.0.0.1:9"
    assert "PATH" not in settings()


def test_another_file_of_the_same_size_and_time_is_another(tmp_path):
    scene, other = tmp_path / "scene.tif", tmp_path / "other.tif"
    scene.write_bytes(b"pixels")
    known = take_fingerprint(scene)
    check_unchanged(scene, known, wholly=False)
    other.write_bytes(b"pixelz")
    status = scene.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(scene)
    with pytest.raises(ChangedError, match="changed, replaced or taken away"):
        check_unchanged(scene, known, wholly=False)


def test_user_and_password_of_an_address_go_to_the_authorization_alone(tmp_path):
    seen = []

    class Handler(_Handler):
        def do_GET(self):
            seen.append((self.headers["Authorization"], self.headers["Host"]))
            SimpleHTTPRequestHandler.do_GET(self)

    (tmp_path / "scene.tif").write_bytes(b"a" * 100)
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=tmp_path)
    ) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        host = f"127.0.0.1:{httpd.server_port}"
        found = take_fingerprint(f"http://me:w%40rd@{host}/scene.tif")
        httpd.shutdown()
        thread.join()
    login = b64encode(b"me:w@rd").decode()
    assert seen == [(f"Basic {login}", host)]
    assert found.path == f"http://{host}/scene.tif"


def test_a_server_that_drips_is_given_up(monkeypatch):
    class Drip:
        url = "http://127.0.0.1/drip"

        def read1(self, _):
            return b"x"

    monkeypatch.setattr(remote, "ANSWER_S", 0.01)
    with pytest.raises(TimeoutError, match="it sent too little in"):
        remote.read_within(Drip(), 10**9)
    monkeypatch.setattr(remote, "ANSWER_S", 30)
    assert remote.read_within(Drip(), 5) == b"xxxxx"
