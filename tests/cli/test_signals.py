"""Who stops geoseg gets a sentence, and whoever waits for it the signal's status."""

import ctypes
import os
import signal
import subprocess
import sys
import time

import pytest

from geoseg.cli.signals import Stopped, signals_raised

JOB = """
import os, signal, sys, time
import geoseg.run.segment
from geoseg.cli import main

{before}

def segment(*_, **__):
    os.kill(os.getpid(), signal.{name})
    time.sleep({seconds})
    sys.exit(7)

geoseg.run.segment.segment = segment
main(["segment", "scene.tif", "-o", "out"])
"""


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
    assert "geoseg: stopped; the same command carries on from here" in done.stderr
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


def test_a_run_that_gets_sigterm_goes_on_where_it_was(tmp_path):
    command = [sys.executable, "-m", "geoseg", "segment", "sample_aoi/scene.tif"]
    command += ["--aoi", "sample_aoi/aoi.geojson", "-o", str(tmp_path / "out")]
    command += ["--block", "1", "--format", "none"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob("part-*")) and job.poll() is None:
        time.sleep(0.2)
    job.terminate()
    _, message = job.communicate()
    assert job.returncode == 143, message
    assert "carries on from here" in message
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
