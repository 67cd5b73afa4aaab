"""A page is served to this machine alone, with tiles of the map and no other file."""

import http.client
import io
import socket
import struct
import threading
import zlib
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
import rasterio
from affine import Affine
from class_maps import call
from pages import CORNER, write_page_of_noise
from PIL import Image
from rasterio.windows import Window

import geoseg
from geoseg.errors import SceneError
from geoseg.report.pyramid import SIDE, levels_of
from geoseg.report.view import PageServer

SHAPE = 700, 1100


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write a page that has but the coarsest tiles of its map."""
    folder = tmp_path_factory.mktemp("view")
    _, classes, confidence = write_page_of_noise(folder, SHAPE, megabytes=0.01)
    (folder / "notes.txt").write_text("somebody's")
    return folder, classes, confidence


@contextmanager
def served(folder, port=0):
    with PageServer(folder, port) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.close()
            thread.join()


@pytest.fixture
def server(made):
    with served(made[0]) as server:
        yield server


def get(server, path="", **headers):
    """Ask for a path below the page's address, or for one from the root."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    root = urlsplit(server.url).path
    target = path if path.startswith("/") else root + path
    connection.request("GET", target, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_its_tiles_are_the_map_at_full_resolution(server, made):
    levels = levels_of(*SHAPE)
    z, seen = len(levels) - 1, np.full((2, *SHAPE), 255, np.uint8)
    for row, col in levels[z].tiles():
        status, content = get(server, f"tiles/map/{z}/{row}/{col}")
        assert status == 200
        where = np.s_[:, row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
        raw = np.frombuffer(zlib.decompress(content), np.uint8)
        seen[where] = raw.reshape(seen[where].shape)
    assert np.array_equal(seen, made[1:])


def test_the_page_knows_that_there_is_a_server(server, made):
    status, content = get(server)
    assert status == 200
    plain = (made[0] / "report.html").read_bytes()
    root = b'<html lang="en" data-tiles="tiles" data-served="map">'
    assert content == plain.replace(b'<html lang="en">', root, 1)
    assert root not in plain


@pytest.mark.parametrize(
    "path",
    [
        *("notes.txt", "landcover.tif", "report.html", "../notes.txt", "tiles/"),
        *(
            "%2e%2e/notes.txt",
            "tiles/map/9/0/0",
            "tiles/map/0/5/0",
            "tiles/image/0/0/0",
        ),
        *("/", "/notes.txt", "/tiles/map/0/0/0", "//", "/aaaaaaaaaaaaaaaaaaaaaaaa/"),
    ],
)
def test_nothing_else_is_served(server, path):
    assert get(server, path) == (404, b"")


def asked_of_view(monkeypatch, folder, path, **keywords):
    """Show a folder, and ask for something as long as it is shown."""
    serve, found = PageServer.serve, []

    def ask(server):
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        found.extend((get(server), get(server, path)))
        server.close()
        thread.join()

    monkeypatch.setattr(PageServer, "serve", ask)
    geoseg.view(folder, port=0, **keywords)
    return found


def test_the_image_that_is_named_is_shown_at_full_resolution(made, monkeypatch):
    folder, z = made[0], len(levels_of(*SHAPE)) - 1
    page, tile = asked_of_view(
        monkeypatch, folder, f"tiles/image/{z}/1/2", image=folder / "image.tif"
    )
    assert b' data-served="map image">' in page[1]
    picture = np.asarray(Image.open(io.BytesIO(tile[1])).convert("L"), np.float64)
    with rasterio.open(folder / "image.tif") as dataset:
        there = Window(2 * SIDE, SIDE, SIDE, SIDE)
        whole = dataset.read(window=there).astype(np.float64)
    grey = np.tensordot([0.299, 0.587, 0.114], whole, 1)
    # A JPEG keeps that much of noise; of averages, or one pixel beside, hardly any.
    assert np.corrcoef(picture.ravel(), grey.ravel())[0, 1] > 0.75
    assert np.corrcoef(picture[1:].ravel(), grey[:-1].ravel())[0, 1] < 0.2


def test_an_image_that_the_map_is_not_of_is_refused(made, tmp_path):
    path = tmp_path / "other.tif"
    settings = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:32633"}
    moved = CORNER @ Affine.translation(0.5, 0)
    with rasterio.open(
        path, "w", height=700, width=1100, transform=moved, **settings
    ) as dataset:
        dataset.write(np.zeros((3, 700, 1100), np.uint8))
    done = call("view", made[0], "--image", path)
    assert done.exit_code == 2
    assert f"{path} is not on the pixels of" in done.stderr
    assert "name as --image the scene" in done.stderr
    (tmp_path / "empty").mkdir()
    done = call("view", tmp_path / "empty", "--image", path)
    assert (done.exit_code, "report.html is not there" in done.stderr) == (2, True)


def test_who_comes_by_another_name_gets_nothing(server):
    assert get(server, Host=f"evil.example:{server.port}") == (404, b"")


def test_bytes_that_are_no_address_get_nothing_and_the_terminal_stays_quiet(
    server, capfd, monkeypatch
):
    root = urlsplit(server.url).path.encode()
    with socket.create_connection(("127.0.0.1", server.port)) as asking:
        asking.sendall(b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
        assert asking.recv(20).startswith(b"HTTP/1.1 404")

    def gone(*_):
        raise SceneError("the map is gone")

    monkeypatch.setattr("geoseg.report.view.map_tile", gone)
    assert get(server, "tiles/map/0/0/0")[0] == 500
    with socket.create_connection(("127.0.0.1", server.port)) as asking:
        linger = struct.pack("ii", 1, 0)  # the connection is reset, not closed
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        asking.sendall(b"GET " + root + b" HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
    assert get(server)[0] == 200
    assert capfd.readouterr().err == ""


def test_it_listens_on_the_loopback_interface_alone(server):
    mine = {
        each.laddr.ip
        for each in psutil.Process().net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == server.port
    }
    assert mine == {"127.0.0.1"}


def test_another_port_is_taken_where_one_is_taken(made):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with served(made[0], taken) as server:
            assert server.port != taken
            assert get(server)[0] == 200


def test_view_says_its_address_and_ends_with_ctrl_c(made, monkeypatch):
    messages = []

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(PageServer, "serve", interrupted)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        geoseg.view(made[0], port=taken, on_step=messages.append)
    assert messages[0].warnings == (f"port {taken} is taken, so another one is used",)
    assert messages[1].note.startswith("http://127.0.0.1:")
    assert messages[1].note.endswith(f" shows {made[0]}; Ctrl-C ends it")


def test_a_folder_without_a_page_is_refused(tmp_path):
    (tmp_path / "report.html").write_text("<html>somebody's</html>")
    done = call("view", tmp_path)
    assert done.exit_code == 2
    assert "report.html is not as geoseg wrote it: name a folder" in done.stderr
    (tmp_path / "report.html").unlink()
    assert "report.html is not there" in call("view", tmp_path).stderr
    with pytest.raises(geoseg.InputError, match="a port is 0 to 65535, got 70000"):
        geoseg.view(write_page_of_noise(tmp_path, (60, 90))[0].parent, port=70_000)
