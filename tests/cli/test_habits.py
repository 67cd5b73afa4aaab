"""What people expect of any command: near misses, versions, logs, events, defaults."""

import json
import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
from class_maps import call, write
from click.testing import CliRunner
from corner import write_corner

import geoseg
from geoseg.cli import COMMANDS, main
from geoseg.cli.defaults import _NAMED, _options

VALUES = np.array([[0, 0, 1], [0, 1, 1], [2, 2, 2]], np.uint8)


@pytest.fixture
def class_map(tmp_path):
    return write(tmp_path / "map.tif", VALUES)


def events(done):
    """Read standard error as a program does."""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["segmnt"], "segment"),
        (["sample-point"], "sample-points"),
        (["models", "sho"], "show"),
        (["vectorize", "--simplfy", "1px"], "--simplify"),
        (["segment", "--simplfy", "1px"], "--simplify"),
        (["segment", "a.tif", "-o", "x", "--blend", "han"], "hann"),
        (["plan", "a.tif", "--resampling", "neares"], "nearest"),
    ],
)
def test_what_was_meant_is_named(words, meant):
    done = call(*words)
    assert done.exit_code == 2
    assert ". Did you mean" in done.stderr
    assert f"'{meant}'" in done.stderr


@pytest.mark.parametrize(
    ("words", "command", "said"),
    [
        (
            ["change", "a.tif", "b.tif", "-o", "c", "--min-confidence", "101"],
            "geoseg change",
            "invalid value for '--min-confidence': 101 is not in the range 0<=x<=100",
        ),
        (
            ["models", "package", "a.onnx"],
            "geoseg models package",
            "missing option '--output' / '-o'",
        ),
        (["--bare"], "geoseg", "no such option '--bare'"),
    ],
)
def test_a_wrong_flag_is_one_sentence(words, command, said):
    done = CliRunner().invoke(main, words, prog_name="geoseg")
    sentence = f"geoseg: {said} ({command} --help shows what it takes)\n"
    assert (done.exit_code, done.stderr, done.stdout) == (2, sentence, "")


def test_a_wrong_flag_is_an_event_whichever_stands_first():
    words = ["segment", "a.tif", "--blend", "qq", "--json-progress"]
    (event,) = events(call(*words))
    assert (event["event"], event["status"]) == ("error", 2)
    assert "'qq' is not one of" in event["text"]


def test_what_is_far_from_any_word_is_not_guessed():
    assert "Did you mean" not in call("xyzzy").stderr
    assert "Did you mean" not in call("plan", "a.tif", "--blend", "qq").stderr


def test_versions_are_reported_to_people_and_to_programs():
    assert call("--version").stdout == f"geoseg, version {geoseg.__version__}\n"
    for words in (["--version", "--json"], ["--json", "--version"]):
        record = json.loads(call(*words).stdout)
        assert record["geoseg"] == geoseg.__version__
        assert record["numpy"] == np.__version__
    done = call("--json", "plan", "a.tif")
    assert done.exit_code == 2
    assert "--json stands behind a command" in done.stderr


def test_a_program_reads_every_line_of_a_job(class_map, tmp_path):
    done = call("vectorize", class_map, "-o", tmp_path / "a.gpkg", "--json-progress")
    assert done.exit_code == 0, done.output
    first, *_, last = written = events(done)
    assert first["event"] == "step"
    assert first["step"] == "vectorize"
    assert last == {"event": "end", "done": True}
    assert all({"event"} <= set(each) for each in written)
    assert "class" in done.stdout


def test_a_program_reads_how_far_a_run_is_and_why_it_warns(tmp_path):
    scene = write_corner(tmp_path, 70, 90)
    done = call(
        *("segment", scene, "-o", tmp_path / "out", "--tile", "64", "--overlap", "32"),
        *("--json-progress", "-v", "--legend", "ipcc"),
    )
    written = events(done)
    steps = [each for each in written if each["event"] == "step"]
    order = list(dict.fromkeys(each["step"] for each in steps))
    assert order == ["prepare", "infer", "raster", "vectorize", "preview", "page"]
    tiles = [each for each in steps if each["step"] == "infer"]
    assert tiles[-1]["done"] == tiles[-1]["total"] > 1
    assert tiles[-1]["unit"] == "tiles"
    assert any(
        "counterpart of cloud" in e["text"] for e in written if e["event"] == "warning"
    )
    logged = [each["text"] for each in written if each["event"] == "log"]
    assert any("landcover.tif" in text for text in logged)


def test_a_program_reads_an_error_as_an_event(tmp_path):
    done = call(
        "vectorize", tmp_path / "no.tif", "-o", tmp_path / "a.gpkg", "--json-progress"
    )
    assert done.exit_code == 2
    *_, end, error = events(done)
    assert end == {"event": "end", "done": False}
    assert (error["event"], error["status"]) == ("error", 2)
    assert "does not exist" in error["text"]


def test_a_log_says_what_is_done_and_ends_with_its_call(class_map, tmp_path):
    done = call("vectorize", class_map, "-o", tmp_path / "a.gpkg", "-v")
    assert "storage: wrote" in done.stderr
    assert "a.gpkg" in done.stderr
    assert "a.gpkg" not in call("vectorize", class_map, "-o", tmp_path / "b.fgb").stderr
    assert not logging.getLogger("geoseg").handlers


def test_a_log_is_added_to_a_file_with_warnings_and_why_a_command_ended(
    class_map, tmp_path
):
    log = tmp_path / "geoseg.log"
    log.write_text("before\n")
    done = call("vectorize", class_map, "-o", tmp_path / "a.gpkg", "--log", log)
    assert "storage" not in done.stderr
    call("vectorize", tmp_path / "no.tif", "-o", tmp_path / "b.gpkg", "--log", log)
    before, begins, *lines, again, error = log.read_text().splitlines()
    assert before == "before"
    assert begins.endswith("INFO cli: geoseg vectorize begins")
    assert any(" INFO storage: wrote " in line for line in lines)
    assert again.endswith(" begins")
    assert " ERROR cli: " in error
    assert "does not exist" in error
    assert not logging.getLogger("geoseg").handlers
    done = call("vectorize", class_map, "-o", tmp_path / "c.gpkg", "--log", tmp_path)
    assert done.exit_code == 2
    assert "the log" in done.stderr
    assert "--log" in done.stderr


def test_python_gets_the_log_by_logging(class_map, tmp_path, caplog):
    with caplog.at_level("INFO", logger="geoseg"):
        geoseg.vectorize(class_map, tmp_path / "a.gpkg")
    assert any("a.gpkg" in each.getMessage() for each in caplog.records)


def test_flags_beside_the_data_count_where_they_are_not_given(tmp_path):
    scene = write_corner(tmp_path, 70, 90)
    (tmp_path / "geoseg.toml").write_text(
        'format = ["gpkg", "fgb"]\nmin-area = "3px"\nsimplify = "1px"\n'
        "[segment]\ntile = 64\noverlap = 32\nentropy = true\n[train]\nepochs = 3\n"
    )
    out = tmp_path / "out"
    done = call("segment", scene, "-o", out, "--simplify", "2px")
    assert done.exit_code == 0, done.output
    assert f"geoseg: flags from {tmp_path / 'geoseg.toml'}: format = " in done.stderr
    report = json.loads((out / "run.json").read_text())
    assert report["defaults_file"] == str(tmp_path / "geoseg.toml")
    settings = report["settings"]
    assert settings["formats"] == ["gpkg", "fgb"]
    assert settings["polygons"]["min_area"] == "3px"
    assert settings["polygons"]["simplify"] == "2px", "the command line goes before"
    assert (settings["tile"], settings["entropy"]) == (64, True)
    assert "defaults_file" not in settings
    assert "flags from geoseg.toml<" in (out / "report.html").read_text()
    (tmp_path / "geoseg.toml").unlink()
    same = (
        *("--format", "gpkg", "--format", "fgb", "--min-area", "3px", "--entropy"),
        *("--simplify", "2px", "--tile", "64", "--overlap", "32"),
    )
    assert "holds this map already" in call("segment", scene, "-o", out, *same).stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'formt = ["gpkg"]',
            "says formt, which is no flag that a file beside data may",
        ),
        ("overwrite = true", "is said on the command line alone"),
        ('run-dir = "/elsewhere"', "is said on the command line alone"),
        ('scheduler = "tcp://host:1"', "is said on the command line alone"),
        ('aoi = "secret.gpkg"', "which is no flag that a file beside data may set"),
        ('like = "other.tif"', "which is no flag that a file beside data may set"),
        ('model = "../theirs"', "and no path"),
        ('model = ["hf://some/one"]', "and no path"),
        ('[segment]\nlegend = "theirs.yaml"', "and no path"),
        ("[vectorise]\n", "there is no such command; did you mean vectorize?"),
        ("a = ", "cannot be read as TOML"),
        ("# " + "x" * 100_001, "is longer than 100,000 bytes"),
    ],
)
def test_a_file_beside_data_names_no_path_and_gives_no_leave(text, said, tmp_path):
    (tmp_path / "geoseg.toml").write_text(text)
    done = call("segment", tmp_path / "scene.tif", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_no_command_lets_a_file_beside_data_say_where_something_is():
    for name in COMMANDS:
        command = main.get_command(None, name)
        if hasattr(command, "commands"):
            continue
        for flag, option in _options(command).items():
            shown = option.metavar or ""
            paths = {"FILE", "DIR", "RASTER", "AREA", "ADDRESS"} & set(
                shown.replace("|", " ").split()
            )
            assert flag in _NAMED or not paths, (name, flag)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners are Unix's")
def test_another_users_file_is_not_read(class_map, tmp_path, monkeypatch):
    (tmp_path / "geoseg.toml").write_text("nonsense = 1")
    owner = (tmp_path / "geoseg.toml").stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    monkeypatch.setattr("geoseg.cli.defaults._SYSTEM", -1)
    done = call("vectorize", class_map, "-o", tmp_path / "a.gpkg")
    assert done.exit_code == 0, done.output
    assert "is another user's: not read" in done.stderr


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["segment", "a.tif"], "--output"),
        (["tile", "a.tif"], "--output"),
        (["vectorize", "a.tif"], "--output"),
        (["change", "a.tif", "b.tif"], "--output"),
        (["train", "a.tif", "-o", "x"], "--labels"),
        (["evaluate", "a.tif"], "--reference"),
        (["relabel", "a.tif", "-o", "b.tif"], "--legend"),
    ],
)
def test_what_has_to_be_given_is_asked_for(words, flag):
    done = call(*words)
    assert done.exit_code == 2
    assert f"missing option '{flag}'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_commands_in_the_documents_have_the_flags_that_are_written():
    docs = Path(__file__).parents[2] / "docs"
    names = ("after-the-map.md", "legends.md", "scripts.md", "accuracy.md")
    text = "\n".join((docs / name).read_text(encoding="utf-8") for name in names)
    lines = re.findall(r"^ {4}(?:\$ )?geoseg ([a-z][a-z-]*) (.*)$", text, re.MULTILINE)
    lines += re.findall(r"`geoseg\s+([a-z][a-z-]*)\s+([^`]*)`", text)
    assert len(lines) > 10
    for name, rest in lines:
        command = main.get_command(None, name)
        known = {opt for each in command.params for opt in each.opts}
        used = re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)
        if not hasattr(command, "commands"):
            assert set(used) <= known, (name, rest)


def test_every_command_takes_an_argument_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in COMMANDS:
        done = call(name, "nothing/here")
        assert done.exit_code in {0, 2}, done.output
        assert "did not foresee" not in done.output, name


def test_completing_a_line_reads_no_file_beside_data(tmp_path):
    (tmp_path / "geoseg.toml").write_text("nonsense = 1")
    done = CliRunner(env={"_GEOSEG_COMPLETE": "bash_complete",
        "COMP_WORDS": f"geoseg vectorize {tmp_path}/map.tif --sim", "COMP_CWORD": "3"}
    ).invoke(main, prog_name="geoseg")  # fmt: skip
    assert "--simplify" in done.stdout
