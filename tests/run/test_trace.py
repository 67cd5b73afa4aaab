"""What watching a run shows: a timeline, a worker's log, figures for Prometheus."""

import json
import logging
import os
import threading
import urllib.request
from itertools import pairwise

import pytest
from distributed import get_worker
from fakes import ContextPredictor
from jobs import do, make_job, make_scene, whole

from geoseg.errors import OutputError
from geoseg.progress import Clock, Lap, Laps
from geoseg.run.cluster import open_client
from geoseg.run.trace import traced


def spans(path):
    return [e for e in json.loads(path.read_text()) if e["ph"] == "X"]


def names(path):
    events = json.loads(path.read_text())
    return {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}


def traced_job(client, directory, path):
    source = make_scene(12, 60, 70)
    job = make_job(source, whole(source), ContextPredictor(), directory, overlap=8)
    with traced(path) as timeline:
        clock = Clock(timeline=timeline)
        with clock("infer"):
            _, progress = do(job, client, timeline=timeline)
    return job, progress


def test_a_timeline_has_every_piece_of_every_task(tmp_path):
    path = tmp_path / "trace.json"
    with open_client() as client:
        _, progress = traced_job(client, tmp_path / "run", path)
    check_is_chromes(json.loads(path.read_text()))
    found = spans(path)
    blocks = [e for e in found if e["args"].get("task", "").startswith("block")]
    for stage in ("read", "wait", "compute", "write"):
        tasks = [e["args"]["task"] for e in blocks if e["name"] == stage]
        assert len(set(tasks)) == len(tasks) == progress.blocks
    seams = {e["args"]["task"] for e in found if e not in blocks and e["args"]}
    assert len(seams) > 1
    assert all(task.startswith("seam ") for task in seams)
    (whole_run,) = (e for e in found if e["name"] == "infer")
    for each in found:
        assert whole_run["ts"] <= each["ts"]
        assert each["ts"] + each["dur"] <= whole_run["ts"] + whole_run["dur"] + 1000
    read = next(e for e in blocks if e["name"] == "read")
    assert read["args"]["bytes"] > 0
    (set_up,) = (e for e in found if e["name"] == "set up workers")
    assert all(set_up["ts"] + set_up["dur"] <= e["ts"] + 2 for e in blocks)
    threads = {(e["pid"], e["tid"]) for e in found if e["args"]}
    assert (set_up["pid"], set_up["tid"]) not in threads
    for one in threads:  # a thread does one thing at a time
        row = sorted((e["ts"], e["dur"]) for e in found if (e["pid"], e["tid"]) == one)
        for (start, long), (after, _) in pairwise(row):
            assert start + long <= after + 2


def test_times_go_home_only_where_they_are_wanted(tmp_path):
    seen = []
    source = make_scene(12, 40, 40)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path, overlap=8)
    with open_client() as client:
        submit = client.submit
        client.submit = lambda *a, **k: seen.append(submit(*a, **k)) or seen[-1]
        do(job, client)
        done = seen[0].result().done
    assert done
    assert all(each.laps is None for each in done)


def test_a_timeline_that_was_cut_off_is_one_all_the_same(tmp_path):
    path = tmp_path / "trace.json"
    laps = Laps("there", 7, 8, (Lap("read", 1.0, 0.5, 3), Lap("write", 1.5, 0.25)))
    with traced(path) as timeline:
        timeline.task("block 0 0", laps)
        cut = path.read_text()  # as a kill leaves it; viewers end it themselves
    (path.with_name("cut.json")).write_text(cut + "]")
    assert spans(path) == spans(path.with_name("cut.json"))
    assert names(path)[2] == "worker 7 on there"
    first, second = spans(path)
    assert (first["ts"], first["dur"], second["ts"]) == (1e6, 5e5, 1.5e6)
    with traced(path) as timeline:  # begun anew, not added to
        pass
    assert spans(path) == []


def test_scenes_that_overlap_have_a_row_each_and_the_format_is_chromes(tmp_path):
    path, together = tmp_path / "trace.json", threading.Barrier(2)
    laps = Laps("there", 7, 8, (Lap("read", 1.0, 0.5, 3), Lap("write", 1.5, 0.25)))

    def do_stages(timeline):
        clock = Clock(timeline=timeline)
        for stage in ("infer", "raster"):
            with clock(stage):
                together.wait(60)
        timeline.task("block 0 0", laps)

    with traced(path) as timeline:
        with Clock(timeline=timeline)("prepare"):
            pass
        scenes = [timeline.of(name) for name in ("west", "east")]
        threads = [threading.Thread(target=do_stages, args=(each,)) for each in scenes]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
    events = json.loads(path.read_text())
    check_is_chromes(events)
    rows = {}
    for each in spans(path):
        if each["pid"] == 1:
            rows.setdefault(each["tid"], []).append(each["args"].get("scene"))
    assert rows.pop(0) == [None]
    assert sorted(rows.values()) == [["east"] * 2, ["west"] * 2]
    assert [e["args"]["scene"] for e in events if e["name"] == "read"] != []


def check_is_chromes(events):
    """Hold events to the rules of the Trace Event Format for an array of events.

    "JSON Array Format", "Metadata Events" and "Complete Events": what an event has,
    that times are microseconds, and that those of one thread nest.
    """
    assert isinstance(events, list)
    for each in events:
        assert isinstance(each["name"], str)
        assert {type(each[key]) for key in ("pid", "tid")} == {int}
        assert each["ph"] in {"M", "X"}
        if each["ph"] == "M":
            assert each["name"] in {"process_name", "thread_name"}
            assert isinstance(each["args"]["name"], str)
        else:
            assert {type(each[key]) for key in ("ts", "dur")} == {int}
            assert each["ts"] > 0
            assert each["dur"] >= 0
    threads = {(e["pid"], e["tid"]) for e in events if e["ph"] == "X"}
    for one in threads:
        mine = [e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) == one]
        ends = []
        for each in sorted(mine, key=lambda e: (e["ts"], -e["dur"])):
            while ends and ends[-1] <= each["ts"] + 1:
                ends.pop()
            assert not ends or each["ts"] + each["dur"] <= ends[-1] + 2
            ends.append(each["ts"] + each["dur"])


@pytest.mark.parametrize("content", [b"{}", b"\xff\xfe", b"somebody's notes\n"])
def test_a_timeline_replaces_nothing_else(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="no timeline"), traced(path):
        pass
    assert path.read_bytes() == content
    with pytest.raises(OutputError, match="cannot be written"), traced(tmp_path):
        pass


def test_workers_are_seen_in_timeline_log_and_figures(tmp_path, caplog):
    path = tmp_path / "trace.json"
    caplog.set_level(logging.DEBUG, logger="geoseg")
    with open_client(1) as client:
        client.wait_for_workers(1)
        _, progress = traced_job(client, tmp_path / "run", path)
        text = client.submit(worker_figures, pure=False).result()
    (own, worker) = names(path).values()
    assert own.startswith("geoseg (")
    assert worker.startswith("worker ")
    assert f" {os.getpid()} " not in worker
    said = [each for each in caplog.messages if each.startswith("block 0 0: read ")]
    assert len(said) == 1
    assert " s (on " in said[0]
    assert f"geoseg_blocks_total {progress.blocks}.0" in text
    assert f'geoseg_tiles_total{{result="inferred"}} {progress.inferred}.0' in text
    for line in (
        'geoseg_seconds_total{stage="wait"}',
        'geoseg_bytes_total{stage="read"}',
    ):
        assert line in text


def worker_figures():
    """Ask a worker's own web server, as Prometheus would."""
    address = f"http://127.0.0.1:{get_worker().http_server.port}/metrics"
    with urllib.request.urlopen(address, timeout=9) as answer:  # http
        return answer.read().decode()
