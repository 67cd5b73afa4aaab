"""What a worker does in a task: units one after the other, their files together."""

import numpy as np
import pytest
from fakes import ContextPredictor
from jobs import do, make_job, make_scene, whole

from geoseg.geo.tiling import Block
from geoseg.run.cluster import open_client
from geoseg.run.engine import run
from geoseg.run.journal.journal import Entry, open_journal
from geoseg.run.work import do_blocks


def small_job(directory):
    source = make_scene(12, 60, 70)
    return make_job(source, whole(source), ContextPredictor(), directory, block=1)


@pytest.fixture
def job(tmp_path):
    (tmp_path / "run").mkdir()
    return small_job(tmp_path / "run")


def files(job, kind=""):
    return {path.name for path in job.store.directory.glob(f"{kind}*")}


def test_blocks_of_a_task_leave_two_files(job):
    blocks = sorted(job.plan.blocks)[:5]
    ended = do_blocks(job, blocks, timed=True)
    assert len(ended.done) == len(blocks)
    receipts = [receipt for done in ended.done for receipt in done.receipts]
    assert len(receipts) > 2 * len(blocks)
    for kind in ("part-", "partial-"):
        (file,) = files(job, kind)
        assert {r.file for r in receipts if r.name.startswith(kind)} == {file}
    assert len(files(job)) == 2
    for done in ended.done:
        write = done.laps.pieces[-1]
        assert write.stage == "write"
        assert write.size == sum(receipt.size for receipt in done.receipts)
    (alone,) = do_blocks(job, blocks[1:2], timed=False).done
    for first, again in zip(ended.done[1].receipts, alone.receipts, strict=True):
        assert job.store.read([first]) == job.store.read([again])


def test_what_comes_before_a_block_that_fails_is_kept(job):
    first, second, last = sorted(job.plan.blocks)[:3]
    outside = Block(999, 999)
    ended = do_blocks(job, [first, second, outside, last], timed=False)
    assert len(ended.done) == 2
    assert all(job.store.holds(r) for done in ended.done for r in done.receipts)
    before = files(job)
    with pytest.raises(ValueError, match="empty"):
        do_blocks(job, [outside, first], timed=False)
    assert files(job) == before


def test_partials_are_there_until_the_last_of_their_file_is_merged(job):
    store = job.store

    def look(_):
        for piece, merged in list(waiting.items()):
            missing = [r for r in merged if not store.holds(r)]
            assert not missing, piece

    waiting = {}
    with (
        open_client() as client,
        open_journal(store.directory, {"test": "1"}) as journal,
    ):
        record = journal.record

        def note(*entries):
            record(*entries)
            for entry in entries:
                kind, *where = entry.task.split()
                if kind == "seam":
                    del waiting["-".join(where)]
                for receipt in entry.receipts:
                    if receipt.name.startswith("partial-"):
                        _, row, col, *_ = receipt.name.split("-")
                        waiting.setdefault(f"{row}-{col}", []).append(receipt)

        journal.record = note
        run(job, journal, client, look)
        assert waiting == {}
        assert files(job, "partial-") == set()


def test_what_a_kill_kept_from_being_noted_goes_when_the_run_is_taken_up(job, tmp_path):
    with open_client() as client:
        (tmp_path / "whole").mkdir()
        expected, _ = do(small_job(tmp_path / "whole"), client)
        with open_journal(job.store.directory, {"test": "1"}) as journal:

            def stop(progress):
                if progress.blocks > progress.blocks_planned // 2:
                    raise InterruptedError

            with pytest.raises(InterruptedError):
                run(job, journal, client, stop)
        stray = do_blocks(job, sorted(job.plan.blocks)[:3], timed=False)
        strays = {r.file for done in stray.done for r in done.receipts}
        assert strays <= files(job)
        resumed, progress = do(job, client)
    assert progress.resumed > 0
    assert not strays & files(job)
    assert np.array_equal(resumed, expected)


@pytest.mark.parametrize(
    ("task", "thing"),
    [
        ("block 0 0", "thesis"),
        ("block 0 0", "part-a-0"),
        ("block 0 0", "part-0-0-0"),
        ("block 0 0", "partial-0-1"),
        ("block 0 0", "part-0-1-0-0"),
        ("block 0 0", "part-99999-0"),
        ("block 0 0", "partial-0-1-0-99999"),
        ("block 99999 0", "part-0-0"),
        ("seam 0 99999", "part-0-1"),
        ("flock 0 0", "part-0-0"),
    ],
)
def test_a_line_that_no_task_of_the_plan_wrote_is_forgotten(job, tmp_path, task, thing):
    with open_client() as client:
        (tmp_path / "whole").mkdir()
        expected, _ = do(small_job(tmp_path / "whole"), client)
        with open_journal(job.store.directory, {"test": "1"}) as journal:
            left = journal.store.write({thing: b"whatever"})
            journal.record(Entry(task, left, {"inferred": 1, "empty": 0}))
        found, progress = do(job, client)
    assert progress.resumed == 0
    assert np.array_equal(found, expected)
    assert left[0].file not in files(job)
