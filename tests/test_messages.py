"""What is shown to people holds nothing that terminals obey and no secrets."""

import json
import pickle

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from corner import write_corner
from web import served

import geoseg
from geoseg.cli import main
from geoseg.cli.printing import Paper, say, show_json
from geoseg.cli.screen import Screen
from geoseg.errors import DiskError, InputError, LabelsError, OutputError, SceneError
from geoseg.geo.legend import LandClass
from geoseg.progress import Step
from geoseg.raster.legend_file import read_class_mapping

ESCAPES = "\x1b]0;pwned\x07\x1b[31mred\x9b2J\u202e"
SECRET = "https://me:hunter2@host/a/scene.tif?X-Sig=abc123&se=9"  # noqa: S105  # nobody's
ADDRESS = "https://host/a/scene.tif"
KINDS = [InputError, SceneError, OutputError, DiskError]


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_shows_a_secret_or_a_control_character(kind):
    error = kind(f"nothing at {SECRET}; see /vsicurl/{SECRET}, {ESCAPES}")
    for shown in (str(error), str(pickle.loads(pickle.dumps(error)))):  # noqa: S301  # ours
        assert "hunter2" not in shown
        assert "abc123" not in shown
        assert shown.startswith("nothing at https://host/a/scene.tif; see ")
        assert not set(shown) & set("\x1b\x07\x9b\u202e")


def test_a_message_of_millions_of_characters_is_cut():
    assert len(str(InputError("x" * 10_000_000))) < 5000


def test_what_is_printed_is_not_obeyed(capsys):
    say(f"a {ESCAPES}")
    say(f"b {ESCAPES}", err=True)
    Paper().print(f"c {ESCAPES}", markup=False)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err):
        assert "red" in text
        assert not set(text) & set("\x1b\x07\x9b\u202e")


def test_no_secret_is_printed(capsys):
    with Screen(quiet=False, as_json=False) as screen:
        screen.show_step(Step("prepare", warnings=(f"{SECRET} is old",), note=SECRET))
    say(f"geoseg: warning: {SECRET}", err=True)
    show_json({"scene": SECRET, "bands": [f"red={SECRET}"]})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"scene": ADDRESS, "bands": [f"red={ADDRESS}"]}
    assert printed.err.count(ADDRESS) == 3
    assert "hunter2" not in printed.err
    assert "abc123" not in printed.err


def test_no_product_holds_a_signature(tmp_path, make_raster):
    make_raster("map.tif", values=np.eye(9, dtype=np.uint8)[None], nodata=255)
    out = tmp_path / "out"
    with served(tmp_path) as (address, _):
        signed = f"{address}/map.tif?X-Sig=abc123"
        options = geoseg.SampleOptions(points=20, minimum=5)
        geoseg.sample_points(signed, out / "points.geojson", options=options)
        found = geoseg.evaluate(signed, signed, output=out)
    assert found.class_map == found.reference == f"{address}/map.tif"
    made = {path.name: path.read_bytes() for path in out.iterdir()}
    assert "points.geojson.design.json" in made
    assert "accuracy.json" in made
    assert not any(b"abc123" in content for content in made.values())


def test_the_settings_of_a_run_hold_no_signature(tmp_path):
    corner = write_corner(tmp_path, 64, 64)
    with served(tmp_path) as (address, _):
        scene = geoseg.SceneOptions(like=f"{address}/{corner.name}?X-Sig=abc123")
        options = geoseg.SegmentOptions(scene=scene, formats="none")
        geoseg.segment(corner, tmp_path / "out", options=options)
        written = (tmp_path / "out" / "run.json").read_text()
        messages = []
        report = geoseg.segment(
            corner, tmp_path / "out", options=options, on_step=messages.append
        )
    assert any("holds this map already" in step.note for step in messages)
    assert report.settings["scene"]["like"] == f"{address}/{corner.name}"
    assert "abc123" not in written


def test_json_says_the_same_and_is_not_obeyed(capsys):
    show_json({"name": ESCAPES})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": ESCAPES}
    assert not set(printed) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize(
    "arguments", [["segment", f"no{ESCAPES}.tif", "-o", "o"], ["info", f"--{ESCAPES}"]]
)
def test_what_a_user_typed_is_not_obeyed(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert not set(result.stderr) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize(
    "name", ["a\x00", "a\x1b[31m", "a\ufffe", "a\ud800", "a\nb", "a\u202eb", "x" * 300]
)
def test_a_name_that_no_file_can_hold_is_refused_where_it_enters(name, tmp_path):
    with pytest.raises(InputError, match="cannot be named"):
        LandClass(1, name, "#ffffff")
    classes = tmp_path / "classes.yaml"
    classes.write_text(json.dumps([{"name": name}, {"name": "b"}]))
    with pytest.raises(InputError, match=r"cannot be named|is no YAML"):
        read_class_mapping(classes)


def test_yaml_that_stands_for_gigabytes_is_refused_at_once(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for last, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]")
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("\n".join([*lines, "classes: [{name: *i}]"]))
    assert bomb.stat().st_size < 1000
    with pytest.raises(LabelsError, match="no aliases"):
        read_class_mapping(bomb)


def test_values_in_messages_are_short(tmp_path):
    classes = tmp_path / "classes.yaml"
    classes.write_text(yaml.safe_dump([{"wrong": "x" * 10_000}]))
    with pytest.raises(LabelsError) as caught:
        read_class_mapping(classes)
    assert len(str(caught.value)) < 200 + len(str(classes))
    with pytest.raises(LabelsError, match="no list of labels"):
        read_class_mapping(_saved(tmp_path, [{"name": "a", "merge": [["b"]]}]))


@pytest.mark.parametrize("number", ["one", [1], {"a": 1}, 1.5, True, None])
def test_an_id_of_a_class_that_is_no_whole_number_is_refused(number, tmp_path):
    classes = [{"name": "a", "id": number}, {"name": "b", "id": 1}]
    with pytest.raises(LabelsError, match="which is no whole number"):
        read_class_mapping(_saved(tmp_path, classes))


def test_a_colour_of_no_letters_is_refused(tmp_path):
    with pytest.raises(InputError, match="has colour ''; write it as #rrggbb"):
        read_class_mapping(_saved(tmp_path, [{"name": "a", "colour": ""}]))


def _saved(tmp_path, listed):
    path = tmp_path / "listed.yaml"
    path.write_text(yaml.safe_dump(listed))
    return path


def test_secrets_in_what_is_named_do_not_come_back(tmp_path):
    for call in (
        lambda: geoseg.segment("no.tif", tmp_path / "o", aoi=SECRET),
        lambda: geoseg.info([SECRET.replace("https", "ftp")]),
        lambda: geoseg.load_package(SECRET),
        lambda: geoseg.vectorize(tmp_path / "no.tif", SECRET),
    ):
        with pytest.raises(geoseg.GeosegError) as caught:
            call()
        assert "hunter2" not in str(caught.value)
        assert "abc123" not in str(caught.value)
