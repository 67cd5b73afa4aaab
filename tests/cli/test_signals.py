"""Who stops geoseg gets a sentence, and whoever waits for it the signal's status."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from web import served

from geoseg.cli.signals import Stopped, signals_raised

JOB = """
import os, signal, sys, time
import geoseg
from geoseg.cli import main

{before}

def info(*_, **__):
    os.kill(os.getpid(), signal.{name})
    time.sleep({seconds})
    sys.exit(7)

geoseg.info = info
main(["info", "scene.tif"])
"""


ANEW = "geoseg: stopped before anything was kept; the same command begins anew\n"


def run(name, before="", seconds=60):
    code = JOB.format(name=name, before=before, seconds=seconds)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)]
)
def test_a_signal_ends_a_job_with_a_sentence_and_its_status(name, status):
    done = run(name)
    assert done.returncode == status == 128 + getattr(signal, name)
    assert ANEW in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_python_takes_its_leave_is_no_traceback():
    code = (
        "import atexit, os, signal, sys\n"
        "from geoseg.cli import program\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
        "sys.argv[1:] = ['--version']\n"
        "program()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert "geoseg, version" in done.stdout
    assert done.stderr == ""


def test_a_job_under_nohup_does_not_hear_that_the_terminal_is_closed():
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    assert run("SIGHUP", before=ignore, seconds=0).returncode == 7


LOCKED = """
import ctypes
lock = ctypes.create_string_buffer(128)
locked = ctypes.CDLL(None).pthread_mutex_lock
locked(lock)
"""
"""A mutex that is taken: who takes it again waits for ever, whatever signals come."""
WAITING = {
    "the main thread": "locked(lock)",
    "another thread, so that Python cannot leave": (
        "import threading; threading.Thread(target=locked, args=[lock]).start()\n"
        "    time.sleep(60)"
    ),
    "the main thread, with what multiprocessing would miss": (
        "import multiprocessing; held = multiprocessing.get_context('spawn').Lock()\n"
        "    locked(lock)"
    ),
}
STUCK = """
import os, signal, sys, threading, time
import geoseg, geoseg.cli.signals
from geoseg.cli import program
{locked}
geoseg.cli.signals._GRACE_S = {grace}
def send():
    os.kill(os.getpid(), signal.{name})
def info(*_, **__):
    {send}
    {waits}
geoseg.info = info
sys.argv[1:] = ["info", "scene.tif", *{flags}]
program()
"""


def stuck(waits, name="SIGINT", send="send()", grace=0.1, flags=()):
    code = STUCK.format(
        locked=LOCKED, grace=grace, name=name, send=send, waits=waits, flags=flags
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
@pytest.mark.parametrize("where", WAITING)
def test_a_signal_ends_a_job_that_waits_in_a_library_for_ever(where):
    done = stuck(WAITING[where])
    assert done.returncode == 130
    assert done.stderr == ANEW


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
def test_a_job_that_waits_for_ever_reports_its_end_to_programs_too():
    done = stuck("locked(lock)", name="SIGTERM", flags=["--json-progress"])
    assert done.returncode == 143
    assert json.loads(done.stderr.splitlines()[-1]) == {
        "event": "error",
        "text": "stopped before anything was kept; the same command begins anew",
        "status": 143,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
def test_a_second_ctrl_c_ends_a_job_at_once():
    later = "threading.Timer(0.1, send).start()"
    done = stuck("locked(lock)", send=f"send(); {later}", grace=1e6)
    assert done.returncode == 130
    assert "begins anew" in done.stderr


PROGRAM = (
    "import geoseg.cli.signals as s; s._GRACE_S = 0.1; import geoseg.cli as c; "
    "c.program()"
)


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
@pytest.mark.parametrize(
    "command",
    [
        "info {url}",
        "vectorize {url} -o {out}.gpkg",
        "train {url} --labels sample_aoi/labels.gpkg -o {out}",
    ],
    ids=lambda command: command.split()[0],
)
def test_ctrl_c_ends_what_waits_in_gdal_for_a_server_that_fell_silent(
    tmp_path, command
):
    with served("sample_aoi", silent_for_gdal=True) as (address, server):
        words = command.format(url=f"{address}/scene.tif", out=tmp_path / "out")
        job = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words.split()],
            stderr=subprocess.PIPE,
            text=True,
        )
        while not server.hushed.wait(0.2):
            assert job.poll() is None, job.communicate()
        job.send_signal(signal.SIGINT)
        _, message = job.communicate()
    assert job.returncode == 130, message
    assert message.endswith(ANEW)
    assert not [*tmp_path.glob("[!.]*")]


def times_noted(folder):
    """When blocks were noted as done; each time is shown before the next is there."""
    noted = [each.read_text().rpartition("\n")[0] for each in folder.rglob("*.jsonl")]
    return {json.loads(line)["at"] for text in noted for line in text.splitlines()}


def test_a_run_that_gets_sigterm_goes_on_where_it_was(tmp_path):
    command = [sys.executable, "-m", "geoseg", "segment", "sample_aoi/scene.tif"]
    command += ["--aoi", "sample_aoi/aoi.geojson", "-o", str(tmp_path / "out")]
    command += ["--block", "1", "--format", "none"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while len(times_noted(tmp_path)) < 2 and job.poll() is None:
        time.sleep(0.02)
    job.terminate()
    _, message = job.communicate()
    assert job.returncode == 143, message
    assert message.endswith("geoseg: stopped; the same command carries on from here\n")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "resuming: " in again.stderr


def test_an_interrupt_that_a_library_swallows_comes_again():
    """GDAL reports errors through a callback, from which no exception comes out."""

    def callback():
        os.kill(os.getpid(), signal.SIGTERM)
        return sum(range(1000))  # where Python looks for signals

    with pytest.raises(Stopped), signals_raised():
        ctypes.CFUNCTYPE(ctypes.c_int)(callback)() + time.sleep(10)
