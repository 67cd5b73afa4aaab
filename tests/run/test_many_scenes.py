"""Scenes of one call overlap on the same workers: stages, ends, and who has which."""

import json
import logging
import os
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from members import cut_sample
from support import tiny_models
from waits import shorten

import geoseg
from geoseg.errors import DiskError
from geoseg.run import segment as segment_module
from geoseg.run import stages as stages_module
from geoseg.run.cluster.process_state import take_lines, take_settings
from geoseg.run.stages import Passage, Stages

NAMES = ["a", "b", "c", "d"]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """A model that costs next to nothing, and few products."""
    folder = tmp_path_factory.mktemp("models")
    network = tiny_models.build("Unet", "resnet18", tiny_models.SHALLOW)
    bands = ["B02", "B03", "B04", "B08"]
    tiny_models.save(folder / "tiny", network, bands=bands, gsd_m=10.0)
    return geoseg.SegmentOptions(
        model=folder / "tiny", formats="none", report_size=0, device="cpu"
    )


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Four small cuts of the sample, of two blocks or more."""
    folder = tmp_path_factory.mktemp("scenes")
    return [
        cut_sample(folder / f"{name}.tif", (200, 270), (150 * k, 150 * k + 150))
        for k, name in enumerate(NAMES)
    ]


def maps_of(reports):
    return {
        name: each.checksums["landcover.tif"] for name, each in sorted(reports.items())
    }


def test_a_stage_lets_in_as_many_as_there_is_room_for_in_their_order(monkeypatch):
    monkeypatch.setitem(stages_module.ROOM, "infer", 2)
    stages, entered, threads = Stages(), [], []
    first, second = Passage(stages), Passage(stages)
    for way in (first, second):
        way.enter("make ready")
        way.enter("hand out")
        way.enter("infer", wait=False)

    def follow(name):
        with Passage(stages) as way:
            way.enter("infer")
            entered.append(name)

    for name in NAMES:
        thread = threading.Thread(target=follow, args=(name,))
        thread.start()
        threads.append(thread)
        while stages.waiting < len(threads):
            thread.join(0.001)
    assert entered == []
    with second:
        second.enter("hand out")  # which it has behind it: it keeps its place
    for thread in threads:
        thread.join(PATIENCE_S)
    assert entered == NAMES


def test_who_finds_no_room_and_does_not_wait_stays_where_it_was():
    stages = Stages()
    here, there = Passage(stages), Passage(stages)
    here.enter("deliver")
    there.enter("hand out")
    there.enter("deliver", wait=False)
    third, entered = Passage(stages), threading.Event()

    def follow():
        with suppress(KeyboardInterrupt), third:
            third.enter("hand out")
            entered.set()  # if the second had left it

    thread = threading.Thread(target=follow)
    thread.start()
    while not stages.waiting:
        thread.join(0.001)
    stages.halt()
    thread.join(PATIENCE_S)
    assert not entered.is_set()
    for way in (here, there, third):
        with pytest.raises(KeyboardInterrupt):
            way.go_on()
    with pytest.raises(KeyboardInterrupt):
        there.enter("deliver")


def test_a_scene_is_inferred_while_the_one_before_is_delivered(
    scenes, options, tmp_path, monkeypatch
):
    alone = {
        path.stem: geoseg.segment(path, tmp_path / "alone" / path.stem, options=options)
        for path in scenes[:2]
    }
    deliver, second_ran = segment_module.deliver, threading.Event()

    def wait_and_deliver(config, *given):
        if config.scene.name == "a.tif":
            assert second_ran.wait(PATIENCE_S)
        return deliver(config, *given)

    def watch(step):
        if (step.name, step.scene) == ("infer", "b") and step.done:
            second_ran.set()

    monkeypatch.setattr(segment_module, "deliver", wait_and_deliver)
    trace = tmp_path / "trace.json"
    watched = replace(options, trace=trace)
    made = geoseg.segment_each(
        scenes[:2], tmp_path / "each", options=watched, on_step=watch
    )
    assert maps_of(made) == maps_of(alone)
    names = [each["name"] for each in json.loads(trace.read_text())]
    assert names.count("start workers") == 1, "they are those of both scenes"
    assert names.count("set up workers") == 2


def test_ctrl_c_ends_every_scene_and_the_same_call_carries_on(
    scenes, options, tmp_path
):
    told = []

    def stop(step):
        told.append(threading.current_thread())
        if (step.name, step.scene) == ("infer", "a"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        geoseg.segment_each(scenes, tmp_path, options=options, on_step=stop)
    assert set(told) == {threading.current_thread()}
    states = list(tmp_path.glob("*/.geoseg/state.json"))
    assert states
    assert not list(tmp_path.glob("*/*.lock")), "nobody has a folder any more"
    assert {json.loads(each.read_text())["error"] for each in states} == {
        "it was stopped"
    }
    found = geoseg.segment_each(scenes, tmp_path, options=options)
    assert list(found) == NAMES


def test_a_full_disk_ends_all_for_no_other_scene_does_better(
    scenes, options, tmp_path, monkeypatch
):
    delivered = []

    def deliver(config, *_):
        delivered.append(config.scene.name)
        raise DiskError("the disk is full")

    monkeypatch.setattr(segment_module, "deliver", deliver)
    with pytest.raises(DiskError, match="the disk is full"):
        geoseg.segment_each(scenes, tmp_path, options=options)
    assert len(delivered) < len(scenes)


def test_two_clients_on_one_queue_map_each_scene_once(
    scenes, options, tmp_path, monkeypatch
):
    shorten(monkeypatch, another_look_at_locks=0.05)
    deliver, made, found = segment_module.deliver, [], {}

    def count(config, *given):
        made.append(config.scene.name.removesuffix(".tif"))
        return deliver(config, *given)

    def serve(number):
        found[number] = geoseg.segment_each(scenes, tmp_path, options=options)

    monkeypatch.setattr(segment_module, "deliver", count)
    clients = [threading.Thread(target=serve, args=(number,)) for number in (1, 2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(PATIENCE_S)
    assert sorted(made) == NAMES
    assert maps_of(found[1]) == maps_of(found[2])
    assert list(found[1]) == list(found[2]) == NAMES


def test_what_runs_set_on_a_worker_goes_with_the_last_of_them(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "before")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    first, second = ExitStack(), ExitStack()
    take_settings(first, {"AWS_REGION": "one", "AWS_ENDPOINT_URL": "http://one"})
    take_settings(second, {"AWS_REGION": "two"})
    assert os.environ["AWS_REGION"] == "two", "the later one counts"
    first.close()
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert os.environ["AWS_REGION"] == "two"
    second.close()
    assert os.environ["AWS_REGION"] == "before"


def test_a_client_hears_once_what_a_worker_says_while_it_has_several_runs_there():
    logger, heard = logging.getLogger("geoseg.a_room"), []
    logger.setLevel(logging.WARNING)

    class Lines(logging.Handler):
        def emit(self, record):
            heard.append((self.name, record.getMessage()))

    stacks = {}
    for run, client in (("a", "one"), ("b", "one"), ("c", "two")):
        lines = Lines()
        lines.name = client
        stacks[run] = ExitStack()
        take_lines(stacks[run], logger, logging.INFO, lines)
    logger.info("waiting")
    assert heard == [("one", "waiting"), ("two", "waiting")]
    stacks["a"].close()
    stacks["c"].close()
    logger.info("still waiting")
    assert heard[2:] == [("one", "still waiting")]
    stacks["b"].close()
    assert (logger.level, logger.handlers) == (logging.WARNING, [])
