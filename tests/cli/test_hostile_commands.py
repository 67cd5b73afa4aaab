"""Whatever stands where a command wants a file is refused in a sentence, at once."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager

import numpy as np
import pytest
import torch  # noqa: F401  # first: who interrupts its import breaks it
from class_maps import call, write
from members import write_raster
from rasterio.transform import from_origin

LONGEST_S = 60
"""Seconds after which a command counts as hanging; the machine may be busy."""
PLANE = (399_960, 5_800_020, 10, 10)
UNSEEN = {*map(chr, range(32)), "\x7f", "\x9b", "\u202e", "\ufffe"} - {"\n"}

COMMANDS = (
    "segment {bad} -o {out}",
    "segment {scene} --aoi {bad} -o {out}",
    "segment {scene} --model {bad} -o {out}",
    "segment {scene} --legend {bad} -o {out}",
    "segment {scene} --assessment {bad} -o {out}",
    "segment {scene} --input dem={bad} -o {out}",
    "segment --search {bad} --collection a --bbox 12,51,13,52 -o {out}",
    "plan {bad}",
    "info {bad}",
    "info {scene} --aoi {bad}",
    "view {bad}",
    "verify {bad}",
    "vectorize {bad} -o {out}.gpkg",
    "vectorize {map} --legend {bad} -o {out}.gpkg",
    "vectorize {map} --clip {bad} -o {out}.gpkg",
    "vectorize {map} --confidence {bad} -o {out}.gpkg",
    "search {bad} --collection a --bbox 12,51,13,52 -o {out}.json",
    "search earth-search --collection a --aoi {bad} -o {out}.json",
    "composite {bad} -o {out}.tif",
    "composite {scene} --aoi {bad} -o {out}.tif",
    "evaluate {bad} --reference {map} -o {out}",
    "evaluate {map} --reference {bad} -o {out}",
    "areas {bad} -o {out}.csv",
    "areas {map} --zones {bad} --by name -o {out}.csv",
    "areas {map} --reference {bad} -o {out}.csv",
    "change {bad} {map} -o {out}",
    "change {map} {bad} -o {out}",
    "relabel {bad} --legend worldcover -o {out}.tif",
    "relabel {map} --legend {bad} -o {out}.tif",
    "sample-points {bad} -o {out}.gpkg",
    "sample-points {map} --strata {bad} -o {out}.gpkg",
    "suggest {bad} --model sentinel2-landcover -o {out}.gpkg",
    "suggest {scene} --model {bad} -o {out}.gpkg",
    "suggest {scene} --labels {bad} -o {out}.gpkg",
    "tile {bad} -o {out}",
    "tile {scene} --labels {bad} -o {out}",
    "train {bad} --labels {map} -o {out}",
    "train {scene} --labels {bad} -o {out}",
    "train {scene} --labels {map} --classes {bad} -o {out}",
    "live {bad} --labels {map} -o {out}",
    "live {scene} --labels {bad}.gpkg -o {out}",
    "models show {bad}",
    "models validate {bad}",
    "models inspect {bad}",
    "models import {bad} -o {out}",
    "models package {bad} --bands 1 --class a --class b --gsd 1 -o {out}",
    "models unpack {bad} -o {out}",
    "models export {bad} -o {out}.onnx",
    "models calibrate {bad} {scene} --labels {map} -o {out}",
    "models push {bad} hf://me/model",
)
"""Every place for a file that a command has."""


@contextmanager
def given_up():
    """Fail what takes too long."""

    def late(*_):
        raise AssertionError(f"it hangs for {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Give a small scene and a small map."""
    folder = tmp_path_factory.mktemp("good")
    values = np.random.default_rng(0).integers(1, 999, (3, 40, 50), np.uint16)
    transform = from_origin(*PLANE)
    names = ("B02", "B03", "B04")
    scene = write_raster(folder / "scene.tif", values, transform, names=names)
    classes = np.kron(np.arange(3, dtype=np.uint8), np.ones((40, 16), np.uint8))
    return {"scene": scene, "map": write(folder / "map.tif", classes)}


@pytest.fixture(scope="module")
def bad(good, tmp_path_factory):
    """Give what people, disks and attackers put where a file is wanted."""
    folder = tmp_path_factory.mktemp("bad")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    contents = {
        "empty.tif": b"",
        "words.tif": b"\x1b]0;pwned\x07 not a raster\x00",
        "cut.tif": good["scene"].read_bytes()[:300],
        "list.json": b"[]",
        "deep.json": b'{"type":' * 5000,
        "bomb.yaml": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *b]\n",
        "secret.vrt": b'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand '
        b'dataType="Byte"><SimpleSource><SourceFilename>/etc/passwd'
        b"</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
        "bad.zip": b"PK\x03\x04" + bytes(60),
        "weights.safetensors": b"\xff" * 40,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe.tif")
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    return [
        *sorted(map(str, folder.iterdir())),
        str(folder / "not there.tif"),
        str(folder / "\x1b[31mred\x9b.tif"),
        str(folder / f"{'x' * 300}.tif"),
        "nul\0byte.tif",
        f"http://127.0.0.1:{port}/a.tif?X-Sig=abc123",
        "/vsizip/none.zip/a.tif",
        "hf://no one/nothing@..",
    ]


@pytest.mark.skipif(os.name == "nt", reason="of POSIX")
@pytest.mark.parametrize("command", COMMANDS)
def test_what_stands_where_a_file_belongs_is_refused_in_a_sentence(
    command, bad, good, tmp_path, monkeypatch
):
    monkeypatch.setenv("GEOSEG_MODELS", str(tmp_path / "models"))
    wrong = []
    for each in bad:
        names = {"bad": each, "out": tmp_path / "out" / "new", **good}
        words = [word.format(**names) for word in command.split()]
        with given_up():
            done = call(*words)
        fault = fault_of(done)
        if fault or (tmp_path / "out").exists():
            wrong.append(f"{each!r}: {fault or 'left something'}: {done.output[-500:]}")
    assert wrong == []


def fault_of(done):
    """Say what is wrong with a refusal; nothing where it is one sentence."""
    said = [line for line in done.stderr.splitlines() if "warning" not in line]
    if done.exit_code not in {1, 2}:
        return f"exit status {done.exit_code}"
    if "did not foresee" in done.stderr or "Traceback" in done.stderr:
        return "unforeseen"
    if set(done.output) & UNSEEN:
        return "a control character"
    if "abc123" in done.output:
        return "a secret"
    return "" if said and len(said[-1]) < 1000 else "no sentence"
