"""What the plugin for QGIS does that needs no QGIS."""

import ast
import json
import subprocess
import sys
import zipfile
from importlib.metadata import version

import build_plugin
import click
import pytest
from geoseg_processing import call, commands
from geoseg_processing.environment import NotFoundError, find_program, own_environ

from geoseg.cli import main

TALKS = """
import json, sys
print("what a library mutters" if "mutter" in sys.argv else "", file=sys.stderr)
for done in (0, 3, 6):
    found = {"event": "step", "step": "infer", "text": "segmenting", "done": done,
            "total": 6, "unit": "tiles"}
    print(json.dumps(found), file=sys.stderr)
print(json.dumps({"event": "warning", "text": "mind the gap"}), file=sys.stderr)
print(json.dumps({"event": "note", "text": "a note"}), file=sys.stderr)
if "fail" in sys.argv:
    found = {"event": "error", "text": "no such file", "status": 2}
    print(json.dumps(found), file=sys.stderr)
    sys.exit(2)
if "crash" in sys.argv:
    sys.exit("no such option: --nonsense")
print(json.dumps({"products": {"landcover": "x" * 1_000_000}}))
"""
WAITS = """
import json, signal, sys, threading
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
found = {"event": "step", "text": "segmenting", "done": 1, "total": 6}
print(json.dumps(found), file=sys.stderr, flush=True)
over.wait()
sys.exit(143)
"""


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Give the commands as the plugin reads them out of its archive."""
    path = tmp_path_factory.mktemp("plugin") / "plugin.zip"
    build_plugin.build(path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(path.parent)
    found = commands.load(path.parent / "geoseg_processing" / "commands.json")
    return {each.name: each for each in found}


class Listener:
    """Whoever watches."""

    def __init__(self, stop_at=101.0):
        """Want it to stop at so many percent."""
        self.said, self.warned, self.percent = [], [], []
        self._stop_at = stop_at

    def say(self, text):
        self.said.append(text)

    def warn(self, text):
        self.warned.append(text)

    def advance(self, percent):
        self.percent.append(percent)

    def wants_stop(self):
        return max(self.percent, default=0) >= self._stop_at


def chosen(command, values):
    """Read a command that the plugin writes as geoseg does."""
    name, *arguments = command.written(values)
    with click.Context(main) as group:
        of_geoseg = main.get_command(group, name)
        return of_geoseg.make_context(name, arguments, group).params


def test_each_flag_of_its_commands_is_a_parameter(described):
    assert list(described) == [
        *("segment", "train", "vectorize", "evaluate", "areas", "change", "search")
    ]
    of_calls = {"--driver", "--quiet", "--verbose", "--json", "--json-progress"}
    for name, command in described.items():
        flags = {p.opts[0] for p in main.get_command(None, name).params}
        flags = {flag for flag in flags if flag.startswith("--")} - of_calls
        own = [option.flag for option in command.options if option.flag]
        assert set(own) == flags - {"--debug", "--bbox-crs"}
        assert len({option.name for option in command.options}) == len(command.options)


def test_what_nobody_chose_is_not_written(described):
    for command in described.values():
        values = {option.name: option.default for option in command.options}
        assert command.written(values) == [command.name, "--json", "--json-progress"]


def test_geoseg_reads_what_was_chosen(described):
    values = {option.name: option.default for option in described["segment"].options}
    values |= {
        "SCENE": ["-a b.tif", "c.tif"],
        "SCENE_FILE": "d.json",
        "OUTPUT": "out dir",
        "BBOX": "-13.5,52.0,-13.4,52.3",
        commands.EXTENT_CRS: "EPSG:4326",
        "MODEL": ["one", "two"],
        "FORMAT": ["gpkg", "fgb"],
        "MIN_AREA": "0.5ha",
        "TTA": "flips",
        "TILE": 512.0,
        "CRF": True,
        "MIN_CONFIDENCE": 40,
    }
    read = chosen(described["segment"], values)
    assert read["scene"] == ("-a b.tif", "c.tif", "d.json")
    assert (read["output"], read["bbox"]) == ("out dir", "-13.5,52.0,-13.4,52.3")
    assert (read["model"], read["formats"]) == (("one", "two"), ("gpkg", "fgb"))
    assert (read["tile"], read["min_confidence"], read["tta"]) == (512, 40, "flips")
    assert read["crf"] is not None
    assert read["min_area"] == "0.5ha"
    maps = chosen(
        described["change"],
        {"BEFORE": "a.tif", "AFTER": "b.tif", "OUTPUT": "c", "CONNECTIVITY": "8"},
    )
    assert (maps["before"], maps["after"], maps["connectivity"]) == (
        "a.tif",
        "b.tif",
        8,
    )


def test_choices_ranges_and_columns_are_those_of_geoseg(described):
    options = {each.name: each for each in described["segment"].options}
    assert options["TTA"].choices == ("none", "flips", "d4")
    assert options["FORMAT"].choices[:3] == ("geojson", "geojsonl", "gpkg")
    assert options["FORMAT"].default == ["geojson"]
    assert (options["MIN_CONFIDENCE"].least, options["MIN_CONFIDENCE"].most) == (0, 100)
    assert options["PER_FEATURE"].parent == "AOI"
    found = {each.name: each for each in described["train"].options}
    assert found["HEAD"].default is None
    assert found["CLASS_FIELD"].parent == "LABELS"
    assert found["LABELS"].required


def test_the_archive_is_whole_and_the_same_each_time(tmp_path):
    build_plugin.build(tmp_path / "a.zip")
    build_plugin.build(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        metadata = archive.read("geoseg_processing/metadata.txt").decode()
    assert {"__init__.py", "metadata.txt", "commands.json", "LICENSE"} <= names
    assert f"\nversion={version('geoseg')}\n" in metadata


def test_it_imports_neither_geoseg_nor_torch():
    for path in build_plugin.PLUGIN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            roots = {each.partition(".")[0] for each in (*names, module)}
            assert not roots & {"geoseg", "torch"}, path


def test_geoseg_is_found_where_it_was_said_to_be_or_where_it_usually_is(tmp_path):
    program = tmp_path / "named" / "bin" / "geoseg"
    at_home = tmp_path / "home" / ".local/share/pipx/venvs/geoseg/bin/geoseg"
    on_path = tmp_path / "path" / "geoseg"
    for each in (program, at_home, on_path):
        each.parent.mkdir(parents=True)
        each.touch(mode=0o755)
    home, path = tmp_path / "home", {"PATH": str(on_path.parent)}
    named = {"GEOSEG_PROGRAM": str(program), **path}
    assert find_program(str(program), path, home) == program
    assert find_program(str(program.parents[1]), path, home) == program
    assert find_program("", named, home) == program
    assert find_program("", path, home) == on_path
    assert find_program("", {}, home) == at_home
    with pytest.raises(NotFoundError, match="in an environment of its own"):
        find_program("", {}, tmp_path)
    with pytest.raises(NotFoundError, match=r"the settings names .*there is no geoseg"):
        find_program(str(tmp_path), path, home)


def test_what_qgis_says_of_its_own_libraries_goes_no_further():
    found = {"PROJ_LIB": "/qgis", "PYTHONHOME": "/qgis", "PATH": "/bin", "HOME": "/me"}
    assert own_environ(found) == {"PATH": "/bin", "HOME": "/me"}


def test_a_call_tells_how_far_it_is_and_gives_what_it_reports():
    listener = Listener()
    report = call.run([sys.executable, "-c", TALKS, "mutter"], {}, listener)
    assert len(report["products"]["landcover"]) == 1_000_000
    assert (listener.said, listener.percent) == (["segmenting", "a note"], [0, 50, 100])
    assert listener.warned == ["mind the gap"]


def test_a_call_that_fails_says_why():
    with pytest.raises(call.FailedError, match=r"^no such file$"):
        call.run([sys.executable, "-c", TALKS, "fail"], {}, Listener())
    with pytest.raises(call.FailedError, match=r"^no such option: --nonsense$"):
        call.run([sys.executable, "-c", TALKS, "crash"], {}, Listener())


def test_a_call_stops_when_somebody_wants_it_to():
    listener = Listener(stop_at=10)
    with pytest.raises(call.StoppedError):
        call.run([sys.executable, "-c", WAITS], {}, listener)
    assert listener.said == ["segmenting"]


def test_the_script_writes_the_archive(tmp_path):
    script = build_plugin.PLUGIN.parent / "build_plugin.py"
    path = tmp_path / "plugin.zip"
    subprocess.run([sys.executable, script, "-o", path], check=True)
    with zipfile.ZipFile(path) as archive:
        found = json.loads(archive.read("geoseg_processing/commands.json"))
    assert found["geoseg"] == version("geoseg")
