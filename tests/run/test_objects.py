"""A run directory on an object store: whole files, one owner, the same run or none."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from object_store import keys_refused, make_bucket, object_store

from geoseg.errors import BusyError, InputError, OutputError, ResumeError, RunError
from geoseg.run.journal import objects
from geoseg.run.journal.journal import Entry, identity_of, look_at, open_journal
from geoseg.run.status import status, status_each
from geoseg.storage import lease
from geoseg.storage.bucket import Bucket
from geoseg.storage.output import Output

pytestmark = pytest.mark.usefixtures("server")

IDENTITY = {"model": "a", "tile": "256"}
_numbers = count()


@pytest.fixture(scope="module", name="server")
def _server():
    with object_store() as settings, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        make_bucket(settings, "runs")
        yield settings


@pytest.fixture
def url(monkeypatch):
    monkeypatch.setattr(lease, "_BEAT_S", 0.05)
    monkeypatch.setattr(lease, "_LEASE_S", 0.3)
    return f"s3://runs/{next(_numbers)}"


def names(url):
    return [name for name, _ in Bucket(url).list()]


def test_whoever_looks_sees_a_run_that_another_owns(url):
    with open_journal(url, IDENTITY) as journal:
        journal.report(blocks=100, tiles=400)
        assert status(url).state == "running"
        journal.record(Entry("block 0 0", notes={"inferred": 3, "empty": 1}))
    found = status(url)
    assert (found.state, found.blocks_done, found.blocks) == ("stopped", 1, 100)
    assert (found.tiles_done, found.tiles, found.identity) == (4, 400, IDENTITY)


def test_of_many_scenes_in_a_store_it_says_how_each_is(url, server):
    with open_journal(f"{url}/left/.geoseg", IDENTITY):
        Bucket(url).put("map/notes.txt", b"no run")
        Bucket(url).put(".hidden/run.json", b"{}")
        Bucket(url).put("beside.txt", b"no folder")
        assert {n: s.state for n, s in status_each(url).items()} == {"left": "running"}
    assert {n: s.state for n, s in status_each(url).items()} == {"left": "stopped"}
    assert status_each(f"{url}/nowhere") == {}
    with keys_refused(server), pytest.raises(OutputError, match="cannot be used"):
        status_each(f"{url}/")


def test_a_journal_that_is_put_together_meanwhile_is_read_once(url, monkeypatch):
    monkeypatch.setattr(objects, "_TOGETHER", 3)
    with open_journal(url, IDENTITY) as journal:
        for row in range(5):
            journal.record(Entry(f"block {row} 0", notes={"inferred": 1}))
        look, seen = look_at(url), []
        for entry in look.entries:
            seen.append(entry.task)
            if len(seen) == 4:  # in the midst of single objects
                journal.record(Entry("block 5 0", notes={"inferred": 1}))
    assert seen == [f"block {row} 0" for row in range(5)]
    listed = objects._objects(Bucket(url), look_series(url))  # noqa: SLF001  # as it is read
    gone = iter([[*listed[:1], ("journal/x/000000000003-000000000003", 3)], listed])
    monkeypatch.setattr(objects, "_objects", lambda *_: next(gone))
    assert [e.task for e in look_at(url).entries] == [f"block {r} 0" for r in range(6)]


def look_series(url):
    return json.loads(Bucket(url).get("identity.json"))["journal"]


def tasks(journal):
    return [entry.task for entry in journal.entries()]


def test_a_task_is_done_once_it_is_recorded(url):
    with open_journal(url, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part-0-0": b"pixels"})
        assert tasks(journal) == []
        done = Entry("block 0 0", (receipt,), {"inferred": 4})
        journal.record(done)
    assert identity_of(url) == IDENTITY
    with open_journal(url, IDENTITY) as journal:
        assert list(journal.entries()) == [done]
        assert journal.store.read([receipt]) == [b"pixels"]
        assert journal.store.survey()(receipt)
        journal.record(Entry("block 0 1"))
        assert tasks(journal) == ["block 0 0", "block 0 1"]


def test_a_file_that_was_written_again_is_another(url):
    with open_journal(url, IDENTITY) as journal:
        (first,), (second,) = (
            journal.store.write({"part": b"pixels"}) for _ in range(2)
        )
        assert first != second
        journal.store.remove([first.file])
        holds = journal.store.survey()
        assert holds(second)
        assert not holds(first)
        with pytest.raises(RunError, match=r"part\.\w+ is gone"):
            journal.store.read([first])
        journal.store.remove([first.file])


def test_a_damaged_file_is_not_kept(url):
    with open_journal(url, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part": b"pixels"})
        Bucket(url).put(f"files/{receipt.file}", b"pixelz")
        with pytest.raises(RunError, match="is damaged"):
            journal.store.read([receipt])
        assert not journal.store.survey()(receipt)


def bad_answers(monkeypatch, *, count, name):
    """Let the store answer some times with an error, as if all were well."""
    get, left = Bucket.get, [count]

    def answer(bucket, wanted, *some):
        if wanted.startswith(name) and left[0]:
            left[0] -= 1
            return b"<Error><Code>InternalError</Code></Error>"
        return get(bucket, wanted, *some)

    monkeypatch.setattr(Bucket, "get", answer)


def test_a_bad_answer_is_asked_again_and_nothing_is_removed(url, monkeypatch):
    with open_journal(url, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part": b"pixels"})
        bad_answers(monkeypatch, count=2, name="files/")
        assert journal.store.read([receipt]) == [b"pixels"]
        bad_answers(monkeypatch, count=3, name="files/")
        with pytest.raises(RunError, match="is damaged"):
            journal.store.read([receipt])
        assert journal.store.survey()(receipt)
        assert journal.store.read([receipt]) == [b"pixels"]


def test_a_bad_answer_loses_no_line_of_the_journal(url, monkeypatch):
    with open_journal(url, IDENTITY) as journal:
        journal.record(Entry("block 0 0"), Entry("block 0 1"))
    good = Bucket.get_all

    def bad(bucket, names):
        for data in good(bucket, names):
            yield data[: len(data) // 2]

    monkeypatch.setattr(Bucket, "get_all", bad)
    bad_answers(monkeypatch, count=1, name="identity.json")
    with open_journal(url, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 0", "block 0 1"]
        assert journal.warnings == ()


def test_what_stays_unreadable_is_counted_and_reported(url, monkeypatch):
    with open_journal(url, IDENTITY) as journal:
        journal.record(Entry("block 0 0"))
        journal.record(Entry("block 0 1"))
    first = next(name for name in names(url) if name.startswith("journal/"))
    Bucket(url).put(first, b"<Error/>")
    with open_journal(url, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 1"]
        assert "1 lines could not be read" in journal.warnings[0]
    bad_answers(monkeypatch, count=3, name="identity.json")
    with pytest.raises(ResumeError, match=r"identity\.json says nothing.*`restart`"):
        open_journal(url, IDENTITY)


def test_a_long_journal_stays_few_objects(url, monkeypatch):
    monkeypatch.setattr(objects, "_TOGETHER", 4)
    written = [f"block 0 {n}" for n in range(11)]
    with open_journal(url, IDENTITY) as journal:
        for task in written:
            journal.record(Entry(task))
        assert len([n for n in names(url) if n.startswith("journal/")]) == 2 + 3
    with open_journal(url, IDENTITY) as journal:
        assert tasks(journal) == written
        journal.record(Entry("block 1 0"))
        journal.forget({"block 0 3", "block 0 9"})
        written = [t for t in written if t not in {"block 0 3", "block 0 9"}]
        assert tasks(journal) == [*written, "block 1 0"]
        journal.record(Entry("block 0 3"))
    with open_journal(url, IDENTITY) as journal:
        assert tasks(journal) == [*written, "block 1 0", "block 0 3"]
    assert len([n for n in names(url) if n.startswith("journal/")]) == 2


def test_a_kill_while_journal_objects_are_put_together_does_no_harm(url, monkeypatch):
    monkeypatch.setattr(objects, "_TOGETHER", 3)
    with open_journal(url, IDENTITY) as journal, monkeypatch.context() as patch:
        patch.setattr(Bucket, "remove", lambda *_: None)
        for n in range(4):
            journal.record(Entry(f"block 0 {n}"))
    with open_journal(url, IDENTITY) as journal:
        assert tasks(journal) == [f"block 0 {n}" for n in range(4)]


def test_another_run_is_refused_and_restart_throws_it_away(url):
    with open_journal(url, IDENTITY) as journal:
        journal.record(Entry("block 0 0", journal.store.write({"x": b"1"})))
    with pytest.raises(ResumeError, match=r"tile was 256, is 512.*`restart`"):
        open_journal(url, {**IDENTITY, "tile": "512"})
    with open_journal(url, {"model": "b"}, restart=True) as journal:
        assert tasks(journal) == []
    assert names(url) == ["identity.json", "state.json"]


def test_a_discarded_run_leaves_nothing(url):
    journal = open_journal(url, IDENTITY)
    journal.record(Entry("block 0 0", journal.store.write({"x": b"1"})))
    journal.discard()
    assert names(url) == []


def test_an_address_in_use_is_refused_and_one_left_behind_is_taken(url):
    with (
        open_journal(url, IDENTITY),
        pytest.raises(ResumeError, match=rf"in use by process {os.getpid()} on "),
    ):
        open_journal(url, IDENTITY)
    for owner in ({"host": "elsewhere", "process": 1}, {"host": "x", "process": 2}):
        Bucket(url).put("owner.json", json.dumps(owner).encode())
        open_journal(url, IDENTITY).__exit__()


def test_a_folder_and_a_file_of_a_store_are_written_by_one_at_a_time(url):
    for output in (Output.of(url), Output.of_file(f"{url}/map.tif")):
        with (
            output.claimed(),
            pytest.raises(BusyError, match=rf"by process {os.getpid()} on "),
            output.claimed(),
        ):
            pytest.fail("two write there")
        with output.claimed():
            pass
        assert not names(url)


def test_the_owner_that_slept_too_long_is_stopped(url):
    sleeper = open_journal(url, IDENTITY)
    sleeper.record(Entry("block 0 0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "_is_gone", lambda _: True)
        with open_journal(url, IDENTITY) as journal:
            journal.record(Entry("block 0 1"))
            with pytest.raises(RunError, match="another process has taken over"):
                sleeper.record(Entry("block 0 2"))
            assert tasks(journal) == ["block 0 0", "block 0 1"]
    sleeper.__exit__()


def test_of_many_who_create_an_object_one_succeeds(url):
    bucket, start = Bucket(url), threading.Barrier(4)

    def attempt(n):
        start.wait()
        try:
            bucket.create("one", str(n).encode())
        except FileExistsError:
            return None
        return n

    with ThreadPoolExecutor(4) as threads:
        won = [n for n in threads.map(attempt, range(4)) if n is not None]
    assert [bucket.get("one").decode()] == [str(n) for n in won]


def test_a_bucket_that_is_not_there_is_refused():
    with pytest.raises(OutputError, match=r"s3://nowhere/run cannot be .*bucket"):
        open_journal("s3://nowhere/run", IDENTITY)


def test_a_bucket_that_may_not_be_used_is_refused(server):
    with keys_refused(server), pytest.raises(OutputError) as refused:
        open_journal("s3://runs/denied", IDENTITY)
    assert str(refused.value).startswith("s3://runs/denied cannot be used (")
    assert "AWS_PROFILE" in str(refused.value)
    assert server["AWS_SECRET_ACCESS_KEY"] not in str(refused.value)


def test_an_address_with_other_objects_is_no_run_directory(url):
    Bucket(url).put("thesis.odt", b"years of work")
    with pytest.raises(OutputError, match=r"no run's, such as thesis\.odt"):
        open_journal(url, IDENTITY, restart=True)
    assert names(url) == ["thesis.odt"]


def test_an_unknown_kind_of_store_is_refused():
    with pytest.raises(InputError, match="pigeon://coop/run cannot be reached"):
        open_journal("pigeon://coop/run", IDENTITY)
