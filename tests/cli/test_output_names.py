"""Names of outputs: what cannot be written is refused before anything is read."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from geoseg.cli import main

LONG = "長" * 86
"""258 bytes in UTF-8: more than file systems take."""
COMMANDS = {
    "segment": "segment gone.tif -o {}",
    "plan": "plan gone.tif -o {}",
    "tile": "tile gone.tif --labels gone.gpkg -o {}",
    "train": "train gone.tif --labels gone.gpkg -o {}",
    "tensorboard": "train gone.tif --labels gone.gpkg -o ok --tensorboard {}",
    "package": "models package gone.onnx --bands a --class a --class b --gsd 1 -o {}",
    "unpack": "models unpack {here}/x.zip -o {}",
    "info": "info gone.tif --plot {}.png",
    "vectorize": "vectorize gone.tif -o {}.gpkg",
    "sample": "sample-points gone.tif -o {}.gpkg",
    "suggest": "suggest gone.tif -o {}.gpkg",
    "evaluate": "evaluate gone.tif --reference gone.gpkg -o {}",
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("above", [False, True])
def test_a_name_that_is_too_long_is_a_sentence_before_anything_is_read(
    tmp_path, monkeypatch, command, above
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.zip").write_bytes(b"")
    name = f"{LONG}/out" if above else LONG
    words = COMMANDS[command].format(name, here=tmp_path).split()
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2, refused.output
    assert "bytes, and an output's may have 2" in refused.output, refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_a_name_that_leaves_no_room_for_unfinished_work_is_refused(tmp_path):
    words = f"train gone.tif --labels gone.gpkg -o {tmp_path}/{'a' * 250}".split()
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "has 250 bytes, and an output's may have 240" in refused.output
