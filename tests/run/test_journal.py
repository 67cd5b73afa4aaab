"""The run directory: whole files, one owner, the same run or none."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from geoseg.errors import ClusterError, DiskError, OutputError, ResumeError, RunError
from geoseg.run.journal.disk import DiskStore
from geoseg.run.journal.journal import Entry, identity_of, open_journal
from geoseg.run.journal.store import Names, Receipt

IDENTITY = {"model": "a", "tile": "256"}


def names(several):
    found = Names()
    for each in several:
        found.add(each)
    return found


def tasks(journal):
    return [entry.task for entry in journal.entries()]


def test_a_task_is_done_once_it_is_recorded(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part-0-0": b"pixels"})
        assert tasks(journal) == []
        done = Entry("block 0 0", (receipt,), {"inferred": 4})
        journal.record(done)
    with open_journal(tmp_path, IDENTITY) as journal:
        assert list(journal.entries()) == [done]
        assert journal.store.read([receipt]) == [b"pixels"]


def test_a_journal_line_that_a_kill_cut_short_does_not_count(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 0"), Entry("block 0 1"))
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 2"))
        assert tasks(journal) == ["block 0 0", "block 0 2"]


def test_a_journal_line_that_a_power_cut_emptied_does_not_count(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 0"), Entry("block 0 1"))
    path = tmp_path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(bytes(20) + whole[20:])
    with open_journal(tmp_path, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 1"]


def test_who_follows_a_journal_gets_every_task_once(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal, ThreadPoolExecutor() as threads:
        journal.record(Entry("block 0 0"), Entry("block 0 1"))
        following = journal.follow()
        found = threads.submit(
            lambda: [entry.task for some in following for entry in some]
        )
        for col in range(2, 5):
            journal.record(Entry(f"block 0 {col}"))
        following.end()
        assert found.result(60) == [f"block 0 {col}" for col in range(5)]


def test_who_follows_a_journal_that_is_stopped_does_not_take_it_for_whole(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal, ThreadPoolExecutor() as threads:
        following = journal.follow()
        found = threads.submit(list, following)
        following.stop()
        with pytest.raises(RunError, match="the run was stopped"):
            found.result(60)
        for col in range(2000):  # more than wait for anybody
            journal.record(Entry(f"block 0 {col}"))
        following.end()
        assert len(tasks(journal)) == 2000


def test_forgotten_tasks_are_not_done(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(*(Entry(f"block 0 {col}") for col in range(4)))
        journal.forget({"block 0 1", "block 0 2"})
        journal.record(Entry("block 0 1"))
        assert tasks(journal) == ["block 0 0", "block 0 3", "block 0 1"]
    with open_journal(tmp_path, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 0", "block 0 3", "block 0 1"]


def test_a_directory_with_other_files_is_no_run_directory(tmp_path):
    (tmp_path / "thesis.odt").write_text("years of work")
    with pytest.raises(OutputError, match=r"no run's, such as thesis\.odt"):
        open_journal(tmp_path, IDENTITY, restart=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.odt"]


def test_a_damaged_identity_is_refused(tmp_path):
    open_journal(tmp_path, IDENTITY).__exit__()
    (tmp_path / "identity.json").write_text("{")
    with pytest.raises(ResumeError, match="identity is damaged; use `restart`"):
        open_journal(tmp_path, IDENTITY)
    open_journal(tmp_path, IDENTITY, restart=True).__exit__()


def test_another_run_is_refused_naming_what_differs(tmp_path):
    open_journal(tmp_path, IDENTITY).__exit__()
    with pytest.raises(ResumeError, match=r"tile was 256, is 512.*`restart`"):
        open_journal(tmp_path, {**IDENTITY, "tile": "512"})
    with pytest.raises(ResumeError, match=r"aoi was not set, is b\.geojson"):
        open_journal(tmp_path, {**IDENTITY, "aoi": "b.geojson"})


def test_restart_throws_away_the_other_run(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 0", journal.store.write({"x": b"1"})))
    with open_journal(tmp_path, {"model": "b"}, restart=True) as journal:
        assert tasks(journal) == []
    assert not (tmp_path / "x").exists()


def test_a_directory_in_use_is_refused(tmp_path):
    with (
        open_journal(tmp_path, IDENTITY),
        pytest.raises(ResumeError, match="in use by a running process"),
    ):
        open_journal(tmp_path, IDENTITY)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        open_journal(tmp_path / "file" / "run", IDENTITY)


def test_a_file_that_changed_is_not_read(tmp_path):
    store = DiskStore(tmp_path)
    (receipt,) = store.write({"part": b"pixels"})
    assert store.holds(receipt)
    (tmp_path / receipt.file).write_bytes(b"pixelz")
    assert not store.holds(receipt)
    with pytest.raises(RunError, match=rf"{receipt.file} is damaged"):
        store.read([receipt])
    assert not store.holds(Receipt("other", 1, 0, "other.1"))


def test_a_discarded_run_leaves_nothing(tmp_path):
    journal = open_journal(tmp_path / "run", IDENTITY)
    journal.discard()
    assert not (tmp_path / "run").exists()


def test_a_file_url_is_a_directory(tmp_path):
    open_journal(f"file://{tmp_path}/run", IDENTITY).__exit__()
    assert identity_of(tmp_path / "run") == IDENTITY
    assert identity_of(f"file://{tmp_path}/run") == IDENTITY


def test_a_refused_run_leaves_no_folder_behind(tmp_path):
    """Not even those around the run directory, but for those that were there."""
    with (
        pytest.raises(ClusterError),
        open_journal(tmp_path / "all" / "out" / ".geoseg", {"model": "a"}),
    ):
        raise ClusterError("worker 1 cannot take part")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    with (
        pytest.raises(ClusterError),
        open_journal(tmp_path / "out" / ".geoseg", {"model": "a"}),
    ):
        raise ClusterError("worker 1 cannot take part")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_lines_that_stand_twice_count_once_and_are_reported(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 0"), Entry("block 0 1"))
        assert journal.warnings == ()
    path = tmp_path / "journal.jsonl"
    path.write_bytes(2 * path.read_bytes() + b"not JSON\n")
    with open_journal(tmp_path, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 0", "block 0 1"]
        (warning,) = journal.warnings
    assert "1 lines could not be read and 2 stood there twice" in warning
    with open_journal(tmp_path, IDENTITY) as journal:
        assert journal.warnings == ()


def left(receipt):
    return f'{{"task":"block 0 0","files":[[{receipt}]],"notes":{{}}}}'


@pytest.mark.parametrize(
    "line",
    [
        left('"part",1,1,"../../thesis.odt",0'),
        left('"part",1,1,"identity.json",0'),
        left('"part",1,1,"geoseg.storage.lock",0'),
        left('"part",1,1,7,0'),
        left('"part","one",1,"part.0123456789abcdef",0'),
        '{"task":"block one 0","files":[],"notes":{}}',
        '{"task":"block 0 0","files":[],"notes":{"inferred":"many"}}',
        '["block 0 0"]',
        "[" * 5000,
    ],
)
def test_a_line_that_no_run_wrote_does_not_count(line, tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        journal.record(Entry("block 0 1"))
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with open_journal(tmp_path, IDENTITY) as journal:
        assert tasks(journal) == ["block 0 1"]
        assert "1 lines could not be read" in journal.warnings[0]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_stands_where_a_part_belongs_is_no_part(make, tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part-0-0": b"pixels"})
        path = tmp_path / receipt.file
        path.unlink()
        make(path)
        assert not journal.store.survey()(receipt)
        with pytest.raises(RunError, match=r"part-0-0\.\w+ is gone"):
            journal.store.read([receipt])
        (again,) = journal.store.write({"part-0-0": b"pixels"})
        assert journal.store.read([again]) == [b"pixels"]
        journal.store.sweep(names([again.file]))
        assert not path.exists()
        assert journal.store.survey()(again)


def test_things_of_a_task_lie_together_and_are_read_together(tmp_path):
    contents = {"part-0-0": b"pixels", "part-0-2": b"", "part-0-4": b"others"}
    with open_journal(tmp_path, IDENTITY) as journal:
        store = journal.store
        receipts = store.write(contents)
        (file,) = {each.file for each in receipts}
        assert [each.name for each in receipts] == list(contents)
        assert store.read(receipts) == list(contents.values())
        assert store.read(receipts[::2]) == [b"pixels", b"others"]
        assert store.read(receipts[2:]) == [b"others"]
        path = tmp_path / file
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        assert [store.holds(each) for each in receipts] == [True, True, False]
        with pytest.raises(RunError, match=f"{file} is damaged"):
            store.read(receipts)
        path.write_bytes(path.read_bytes()[:-1])
        assert [store.holds(each) for each in receipts] == [True, True, False]
        with pytest.raises(RunError, match=f"{file} is damaged"):
            store.read(receipts)


def test_what_no_line_names_is_swept_away_and_nothing_else(tmp_path):
    with open_journal(tmp_path, IDENTITY) as journal:
        kept, lost = (journal.store.write({"part-0-0": b"pixels"}) for _ in range(2))
        before = {path.name for path in tmp_path.iterdir()}
        journal.store.sweep(names([kept[0].file]))
        after = {path.name for path in tmp_path.iterdir()}
        assert before - after == {lost[0].file}
        assert {"identity.json", "state.json"} <= after


@pytest.mark.parametrize("name", ["journal.jsonl", "identity.json"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_stands_where_a_record_belongs_is_named(make, name, tmp_path):
    with open_journal(tmp_path, IDENTITY):
        pass
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    with pytest.raises(ResumeError, match=f"{name} is where.*no file; use `restart`"):
        open_journal(tmp_path, IDENTITY)
    with open_journal(tmp_path, IDENTITY, restart=True) as journal:
        assert tasks(journal) == []


def test_too_many_open_files_are_no_lost_part(tmp_path, monkeypatch):
    with open_journal(tmp_path, IDENTITY) as journal:
        (receipt,) = journal.store.write({"part-0-0": b"pixels"})

        def refuse(*_):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(DiskError, match=r"part-0-0\.\w+ cannot be read.*ulimit -n"):
            journal.store.survey()(receipt)


@pytest.mark.skipif(os.geteuid() != 0, reason="only a superuser becomes another user")
def test_another_users_run_is_named_with_its_owner(tmp_path):
    for above in (tmp_path, *tmp_path.parents[:-2]):
        above.chmod(0o755)
    with open_journal(tmp_path / "run", IDENTITY) as journal:
        journal.record(Entry("block 0 0"))
    for path in (tmp_path / "run").iterdir():
        path.chmod(0o600)
    os.seteuid(65534)
    try:
        for ask in (lambda p: open_journal(p, IDENTITY), identity_of):
            with pytest.raises(OutputError, match=r"unfinished run of root.*`run_dir`"):
                ask(tmp_path / "run")
    finally:
        os.seteuid(0)


def test_names_are_known_however_they_came():
    several = [f"part-{n % 50}-0.{n % 50:016x}" for n in range(200)]
    found = names(several)
    assert all(each in found for each in several)
    assert "part-50-0.0" not in found
    assert "part" not in names([])
    found.add("part-50-0.0")
    assert "part-50-0.0" in found
