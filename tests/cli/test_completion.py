"""Shells complete commands and flags, values where they are known, and files."""

import os
import subprocess
import sys
from pathlib import Path

import geopandas
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from shapely import box

import geoseg
from geoseg.cli import COMMANDS, main
from geoseg.storage.vectors.formats import FORMATS

AOI = Path(__file__).parents[2] / "sample_aoi" / "aoi.geojson"


def complete(*words, start=""):
    """What a shell is offered behind some words: values, and whether files too."""
    asked = ShellComplete(main, {}, "geoseg", "_GEOSEG_COMPLETE")
    items = asked.get_completions([str(word) for word in words], start)
    kinds = {item.type for item in items}
    return {item.value for item in items if item.type == "plain"}, "file" in kinds


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.gpkg"
    frame = {"klass": ["a"], "kind": ["b"], "name": ["c"]}
    geopandas.GeoDataFrame(frame, geometry=[box(0, 0, 1, 1)], crs=4326).to_file(path)
    return path


def test_commands_and_flags_are_completed():
    assert complete()[0] == set(COMMANDS)
    flags, _ = complete("segment", start="--form")
    assert flags == {"--format"}


@pytest.mark.parametrize(
    "words",
    [
        ["segment"],
        ["segment", "--aoi"],
        ["segment", "a.tif", "--output"],
        ["plan", "--like"],
        ["vectorize"],
        ["evaluate", "map.tif", "--reference"],
        ["train"],
        ["tile", "--labels"],
        ["info"],
        ["verify", "model"],
        ["models", "package"],
    ],
)
def test_files_are_left_to_the_shell(words):
    assert complete(*words)[1]


def test_formats_and_models_are_named():
    assert complete("segment", "--format", start="g")[0] == {
        *("geojson", "geojsonl", "gpkg"),
    }
    assert complete("plan", "--format")[0] == {*FORMATS, "none"}
    for words in (["segment", "--model"], ["models", "show"], ["train", "--from"]):
        names, files = complete(*words)
        assert set(geoseg.known_models()) <= names
        assert files


def test_columns_are_those_of_the_file_named_before(labels):
    assert complete(
        "train", "s.tif", "--labels", labels, "--class-field", start="k"
    ) == (
        {"klass", "kind"},
        False,
    )
    assert "name" in complete("evaluate", "--reference", labels, "--class-field")[0]
    assert complete("segment", "--aoi", labels, "--per-feature")[0] == {
        *("klass", "kind", "name"),
    }
    assert complete("train", "--labels", "no.gpkg", "--class-field") == (set(), False)
    assert complete("train", "--class-field") == (set(), False)


def test_fields_are_listed_without_reading_a_shape(labels, monkeypatch):
    monkeypatch.setattr("pyogrio.raw.read", None)
    assert geoseg.list_fields(labels) == ("klass", "kind", "name")
    with pytest.raises(geoseg.GeosegError, match="does not exist"):
        geoseg.list_fields("no.gpkg")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_geoseg_itself(shell):
    result = CliRunner().invoke(main, ["completion", shell], prog_name="geoseg")
    assert result.exit_code == 0
    assert f"_GEOSEG_COMPLETE={shell}_complete" in result.stdout


def test_bash_completes_with_the_script(tmp_path, labels):
    script = tmp_path / "completion"
    made = CliRunner().invoke(main, ["completion", "bash"], prog_name="geoseg").stdout
    script.write_text(made)
    ask = f"""
source {script}
COMP_WORDS=(geoseg train s.tif --labels {labels} --class-field k) COMP_CWORD=6
_geoseg_completion geoseg
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": path},
    )
    assert set(done.stdout.split()) == {"klass", "kind"}
