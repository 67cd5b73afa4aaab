"""What a run says of itself to whoever looks at its directory."""

import json
import time
from contextlib import suppress

import pytest

from geoseg.cli import main
from geoseg.errors import OutputError, RunError
from geoseg.run import status as status_module
from geoseg.run.journal import journal as journal_module
from geoseg.run.journal.journal import Entry, open_journal
from geoseg.run.status import status, status_each

IDENTITY = {"model": "a", "tile": "256"}


def block(row, tiles=4):
    return Entry(f"block {row} 0", notes={"inferred": tiles - 1, "empty": 1})


@pytest.fixture
def at(monkeypatch):
    """Let the clock stand at a second, or at another one."""

    def stand(second):
        monkeypatch.setattr(journal_module.time, "time", lambda: second)

    return stand


def test_a_run_that_goes_on_says_how_far_and_how_fast_it_is(tmp_path, at):
    at(1000.0)
    with open_journal(tmp_path / "out/.geoseg", IDENTITY, output="out") as journal:
        journal.report(blocks=10, tiles=40, workers=2, step="infer")
        at(1004.0)
        journal.record(block(0), Entry("seam 0 1"))
        at(1008.0)
        journal.record(block(1))
        found = status(tmp_path / "out")
        assert found == status(f"{tmp_path}/out/.geoseg/")
    assert (found.state, found.step, found.output) == ("running", "infer", "out")
    assert (found.blocks_done, found.blocks) == (2, 10)
    assert (found.tiles_done, found.tiles, found.tiles_per_second) == (8, 40, 1.0)
    assert (found.seconds_left, found.workers) == (32.0, 2)
    assert found.last_block == "1970-01-01T00:16:48+00:00"
    assert found.identity == IDENTITY


def test_speed_is_that_of_the_last_minutes_of_this_owner(tmp_path, at):
    at(1000.0)
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(block(0, 1000))
    at(5000.0)
    with open_journal(tmp_path, IDENTITY) as journal:
        at(5001.0)
        journal.record(block(1, 1000))
        at(6000.0)
        journal.record(block(2, 30))
        assert status(tmp_path).tiles_per_second == 30 / status_module._RECENT_S  # noqa: SLF001  # over which it is measured


def test_a_run_that_stopped_says_why_and_one_that_was_killed_cannot(tmp_path):
    with suppress(RunError), open_journal(tmp_path / "a", IDENTITY) as journal:
        journal.record(block(0))
        journal.report(failures=("block 1 0 failed",), lost=("worker w was lost",))
        raise RunError("the disk at https://me:word@host/x is full")
    found = status(tmp_path / "a")
    assert (found.state, found.error) == (
        "stopped",
        "the disk at https://host/x is full",
    )
    assert found.failures == ("block 1 0 failed",)
    assert found.lost == ("worker w was lost",)
    with pytest.raises(KeyboardInterrupt), open_journal(tmp_path / "b", IDENTITY):
        raise KeyboardInterrupt
    assert status(tmp_path / "b").error == "it was stopped"
    with open_journal(tmp_path / "c", IDENTITY) as journal:
        journal.report(step="infer")
        killed = (tmp_path / "c/state.json").read_bytes()
    (tmp_path / "c/state.json").write_bytes(killed)
    found = status(tmp_path / "c")
    assert (found.state, found.error, found.seconds_left) == ("stopped", None, None)


@pytest.mark.parametrize(
    "state", [b"", b"[1]", b"{", b'{"blocks": "x", "lost": [3], "began": -1}']
)
def test_a_state_that_is_damaged_says_nothing_and_the_journal_all_the_same(
    tmp_path, state
):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(block(0))
    (tmp_path / "state.json").write_bytes(state)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"task": "block 9 9", "files": [], "no')  # as it is written
    found = status(tmp_path)
    assert (found.blocks_done, found.blocks, found.process) == (1, None, None)


def test_looking_changes_nothing_and_keeps_nobody_out(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(block(0))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert status(tmp_path).state == "stopped"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    with open_journal(tmp_path, IDENTITY):
        assert status(tmp_path).state == "running"


def test_a_directory_without_a_run_is_refused_and_a_finished_map_is_done(tmp_path):
    with pytest.raises(OutputError, match="holds no run, nor a map"):
        status(tmp_path)
    with pytest.raises(OutputError, match=r"/gone does not exist; give the output of"):
        status(tmp_path / "gone")
    report = {
        "tiles": {"inferred": 12},
        "timings_s": {"infer": 3.0},
        "identity": IDENTITY,
    }
    (tmp_path / "run.json").write_text(json.dumps(report))
    found = status(tmp_path)
    assert (found.state, found.tiles, found.tiles_per_second) == ("done", 12, 4.0)


def test_a_composite_is_asked_about_by_its_name(tmp_path, capsys):
    file = tmp_path / "summer.tif"
    with open_journal(tmp_path / ".summer.tif.geoseg", IDENTITY) as journal:
        journal.record(block(0))
        found = status(file)
        assert (found.state, found.tiles_done) == ("running", 4)
        journal.discard()
    with pytest.raises(OutputError, match=r"summer.tif does not exist"):
        status(file)
    (tmp_path / "summer.tif.json").write_text('{"composite": "summer.tif"}')
    assert (status(file).state, status(file).output) == ("done", str(file))
    main(["status", str(file)], standalone_mode=False)
    assert capsys.readouterr().out.split() == ["run", str(file), "state", "done"]


def test_the_command_prints_a_line_for_each_thing_that_is_known(tmp_path, capsys):
    with open_journal(tmp_path / "run", IDENTITY, output="out") as journal:
        journal.report(blocks=10, tiles=40, step="infer", began=time.time() - 2)
        journal.record(block(0))
        journal.report(failures=("block 3 1 failed",))
        main(["status", str(tmp_path / "run")], standalone_mode=False)
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert lines["state"] == "running: segmenting"
    assert lines["done"] == "4 of 40 tiles (10 %), 1 of 10 blocks"
    assert lines["speed"].endswith(" left at that")
    assert lines["failed"] == "block 3 1 failed"
    main(["status", str(tmp_path / "run"), "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["blocks"], found["error"]) == ("stopped", 10, None)


def test_of_many_scenes_it_says_which_are_done_run_and_failed_and_by_whom(
    tmp_path, capsys
):
    report = {"tiles": {"inferred": 12}, "timings_s": {}, "identity": IDENTITY}
    for name in ("done", ".hidden", "empty"):
        (tmp_path / name).mkdir()
    for name in ("done", ".hidden"):
        (tmp_path / name / "run.json").write_text(json.dumps(report))
    with suppress(KeyboardInterrupt), open_journal(tmp_path / "left/.geoseg", IDENTITY):
        raise KeyboardInterrupt
    with suppress(RunError), open_journal(tmp_path / "bad/.geoseg", IDENTITY):
        raise RunError("block 0 0 failed: [it] is broken")
    with open_journal(tmp_path / "now/.geoseg", IDENTITY):
        found = status_each(tmp_path)
        main(["status", str(tmp_path)], standalone_mode=False)
        main(["status", f"{tmp_path}/", "--json"], standalone_mode=False)
    states = {name: each.state for name, each in found.items()}
    assert states == {
        "bad": "stopped",
        "done": "done",
        "left": "stopped",
        "now": "running",
    }
    me = f"process {found['now'].process}"
    text, told = capsys.readouterr().out.split("{", 1)
    lines = [line.split() for line in text.splitlines()]
    assert [line for line in lines if len(line) == 2] == [
        ["done", "1"],
        ["running", "1"],
        ["failed", "1"],
        ["stopped", "1"],
    ]
    assert f"now: {me}" in text
    assert f"left: {me}" in text
    assert "block 0 0 failed: [it] is broken" in text
    counts = json.loads("{" + told)
    assert {k: n for k, n in counts.items() if k != "scenes"} == {
        "done": 1,
        "running": 1,
        "failed": 1,
        "stopped": 1,
        "unknown": 0,
    }
    assert counts["scenes"]["done"]["blocks_done"] is None
    assert counts["scenes"]["bad"]["error"] == "block 0 0 failed: [it] is broken"
    assert status_each(tmp_path / "nowhere") == {}
