"""What is printed suits what it is printed on."""

import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table
from waits import shorten

from geoseg.cli import main
from geoseg.cli.printing import show, swatch
from geoseg.cli.progress import Bars, Lines, progress_on
from geoseg.progress import Step

LONG = "a class whose name is longer than any terminal that people use is wide, by far"


def a_table():
    table = Table("class", "", title="Cover", title_justify="left")
    table.add_column("area (ha)", justify="right")
    table.add_row(LONG, swatch("#112233"), "1.5")
    table.add_row("sea", swatch("#112233"), "22.5")
    return table


def test_a_file_gets_a_table_without_box_colours_or_blanks(capsys):
    show(a_table())
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(" {2,}", line) for line in lines] == [
        ["Cover"],
        ["class", "area (ha)"],
        [LONG, "1.5"],
        ["sea", "22.5"],
    ]
    assert {len(line) for line in lines[1:]} == {len(LONG) + len("  area (ha)")}


def test_a_terminal_gets_lines_and_patches_of_colour(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show(a_table())
    shown = capsys.readouterr().out
    assert "━" in shown
    assert "██" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    show(a_table())
    shown = capsys.readouterr().out
    assert "━" in shown
    assert "██" not in shown


def test_names_that_the_encoding_lacks_stop_nothing():
    code = "from geoseg.cli import main; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "show", "sentinel2-landcover"],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "TERM": "xterm"},
    )
    assert done.returncode == 0, done.stderr
    assert "??" in done.stdout
    assert "cropland" in done.stdout


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"force_terminal": True}, Bars),
        ({"force_terminal": False}, Lines),
        ({"force_terminal": True, "_environ": {"TERM": "dumb"}}, Lines),
    ],
)
def test_bars_are_for_terminals_that_can_draw_them(settings, kind):
    environ = settings.pop("_environ", {"TERM": "xterm"})
    console = Console(file=StringIO(), _environ=environ, **settings)
    assert isinstance(progress_on(console, hidden=False), kind)


@pytest.mark.parametrize(("width", "roomy"), [(40, False), (100, True)])
def test_a_narrow_terminal_gets_what_it_has_room_for(width, roomy):
    file = StringIO()
    console = Console(
        file=file, force_terminal=True, width=width, _environ={"TERM": "xterm"}
    )
    bars = Bars(console, hidden=False)
    bars.start()
    bars.begin("drawing the preview", Step("preview"))
    bars.begin("segmenting", Step("infer", total=12_345))
    bars.advance(Step("infer", done=812, total=12_345))
    bars.stop(done=True)
    shown = file.getvalue()
    assert "12,345/12,345" in shown
    assert ("tiles/s" in shown) == roomy
    assert ("━" in shown) == roomy
    assert "…" not in shown


def test_a_log_gets_a_line_when_the_last_is_long_ago(monkeypatch):
    file = StringIO()
    lines = Lines(Console(file=file), hidden=False)
    lines.begin("segmenting", Step("infer", total=2000))
    assert not file.getvalue()
    shorten(monkeypatch, new_line=0.0)
    lines.advance(Step("infer", done=1000, total=2000))
    lines.begin("drawing polygons", Step("vectorize"))
    assert file.getvalue().splitlines() == [
        "geoseg: segmenting, 1,000 of 2,000 tiles",
        "geoseg: drawing polygons",
    ]
    hidden = Lines(Console(file=file), hidden=True)
    hidden.begin("segmenting", Step("infer", total=2000))
    assert len(file.getvalue().splitlines()) == 2


def test_commands_print_plainly_into_pipes():
    shown = CliRunner().invoke(main, ["models", "show", "sentinel2-landcover"])
    assert shown.exit_code == 0, shown.output
    assert "0   cropland   #e8c468" in shown.output
    assert not any(line != line.rstrip() for line in shown.output.splitlines())


def test_a_reader_that_leaves_early_is_no_mystery():
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "geoseg", "models", "list", "--json"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.stderr == b""


def test_why_a_command_ends_is_said_once_by_a_process_of_its_own():
    command = [sys.executable, "-m", "geoseg", "segment", "-o", "gone"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.count("no scene is given") == 1
