"""What workers are forked from: it imports for them, and changes nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there it begins")

SAMPLE = Path(__file__).parents[2] / "sample_aoi"
SCRIPT = """
import gc, os, sys, signal, time
import psutil
from geoseg import SegmentOptions
from geoseg.fork_server import TO_MAP, begin, changed_since, server as own
from geoseg.run.cluster import open_client

TWO = SegmentOptions(workers=2, device="cpu")

def server():
    return own._begun[-1].pid

def seen(look):
    "What the only worker of a cluster sees."
    with open_client(1) as client:
        (found,) = client.run(look).values()
    return found

def modules():
    assert gc.isenabled() and gc.get_freeze_count() > 100_000
    return set(sys.modules)

if __name__ == "__main__":
"""


@pytest.fixture
def ran(tmp_path):
    """Run lines below SCRIPT in a process of their own, and give what they print."""

    def run(lines, **settings):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT + "".join(f"    {each}\n" for each in lines))
        done = subprocess.run(
            [sys.executable, script],
            capture_output=True,
            text=True,
            check=False,
            **settings,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_workers_are_forked_from_what_imported_for_them_and_so_is_one_in_place(ran):
    """It has one thread, for none of the others would be there in a fork."""
    assert ran(
        [
            "begin(TO_MAP, TWO)",
            "with open_client(1) as client:",
            "    (worker,) = client.run(os.getpid).values()",
            "    parents = [psutil.Process(worker).ppid()]",
            "    (found,) = client.run(modules).values()",
            "    print(psutil.Process(server()).num_threads())",
            "    os.kill(worker, signal.SIGKILL)",
            "    (other,) = {client.submit(os.getpid, pure=False).result()} - {worker}",
            "    parents += [psutil.Process(other).ppid()]",
            "print(parents == [server()] * 2)",
            "wanted = {'torch', 'rasterio', 'numba', 'segmentation_models_pytorch'}",
            "unused = {'torch._dynamo', 'matplotlib', 'pandas', 'xarray'}",
            "print(wanted <= found, unused & found)",
        ]
    ) == ["1", "True", "True set()"]


def test_a_worker_has_the_environment_and_the_import_path_of_its_client(ran):
    """That of the client's as it is now, which the server has not."""
    env = {**os.environ, "GEOSEG_TEST_OLD": "1", "PYTHONHASHSEED": "7"}
    env.pop("no_proxy", None)
    looked = "lambda: [os.environ.get(f'GEOSEG_TEST_{n}') for n in ('OLD', 'NEW')]"
    python = "lambda: [os.environ.get(f'PYTHON{n}', '') for n in ('PATH', 'SAFEPATH')]"
    assert ran(
        [
            f"looked, python = {looked}, {python}",
            "before = dict(os.environ)",
            "begin(TO_MAP, TWO)",
            "print(dict(os.environ) == before)",
            "print(seen(looked), seen(os.getppid) == server())",
            "print(seen(python) == python(), seen(os.getcwd) == os.getcwd())",
            "os.environ['no_proxy'] = 'here'",
            "print(seen(lambda: os.environ['no_proxy']), seen(os.getppid) == server())",
            "os.environ['GEOSEG_TEST_NEW'] = '2'",
            "print(seen(looked), seen(os.getppid) == server())",
            "del os.environ['GEOSEG_TEST_NEW'], os.environ['GEOSEG_TEST_OLD']",
            "print(seen(looked), seen(os.getppid) == server())",
            "os.environ['GEOSEG_TEST_OLD'] = '1'",
            "sys.path.append('/nowhere')",
            "print('/nowhere' in seen(lambda: sys.path), seen(os.getppid) == server())",
            "sys.path.remove('/nowhere')",
            "print(seen(os.getppid) == server())",
            "os.kill(server(), signal.SIGKILL)",
            "psutil.Process(server()).status() == 'zombie' or time.sleep(1)",
            "print(changed_since(), seen(os.getppid) == os.getpid())",
        ],
        env=env,
    ) == [
        "True",
        "['1', None] True",
        "True True",
        "here True",
        "['1', '2'] False",
        "[None, None] False",
        "True False",
        "True",
        "None True",
    ]


def test_nothing_is_imported_from_the_folder_where_a_job_begins(ran, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("numpy", "torch", "secrets"):
        (folder / f"{name}.py").write_text(f"open('{tmp_path}/ran', 'w').close()")
    lines = ["begin(TO_MAP, TWO)", "print(seen(os.getppid) == server())"]
    assert ran(lines, cwd=folder) == ["True"]
    assert not (tmp_path / "ran").exists()


def test_neither_server_nor_workers_hear_what_a_terminal_says(ran):
    assert ran(
        [
            "begin(TO_MAP, TWO)",
            "terminal = (signal.SIGINT, signal.SIGHUP)",
            "for number in terminal: os.kill(server(), number)",
            "with open_client(1) as client:",
            "    (worker,) = client.run(os.getpid).values()",
            "    for number in terminal: os.kill(worker, number)",
            "    for number in terminal: os.kill(server(), number)",
            "    print(client.submit(os.getpid).result() == worker)",
            "    print(psutil.Process(worker).ppid() == server())",
            "print(psutil.pid_exists(worker), psutil.pid_exists(server()))",
        ]
    ) == ["True", "True", "False True"]


def test_whoever_ends_while_it_imports_does_not_leave_it_behind(ran, tmp_path):
    """Or those who read what a command says would wait for the server."""
    wait = f"import time; time.sleep(20); open('{tmp_path}/imported', 'w').close()"
    (tmp_path / "slow.py").write_text(wait)
    (pid,) = ran(["begin(['slow'], TWO)", "print(server())"])
    assert not psutil.pid_exists(int(pid)) or gone(psutil.Process(int(pid)))
    assert not (tmp_path / "imported").exists()


def gone(*processes):
    _, alive = psutil.wait_procs(processes, timeout=60)
    return not alive


@pytest.mark.parametrize("when", ["it imports", "workers are there"])
def test_a_client_that_is_killed_leaves_no_process(tmp_path, when):
    script, sleep = tmp_path / "script.py", "print('so', flush=True); time.sleep(10**6)"
    waits = sleep if when == "it imports" else f"with open_client(2): {sleep}"
    script.write_text(f"{SCRIPT}    begin(TO_MAP, TWO)\n    {waits}\n")
    client = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"so\n"
    # Python's resource tracker and the server, and the workers that are the server's.
    left = psutil.Process(client.pid).children(recursive=True)
    assert len(left) == (2 if when == "it imports" else 4)
    client.kill()
    client.communicate()
    assert gone(*left)


def test_somebody_elses_server_is_left_alone_and_so_is_who_has_a_gpu(ran):
    assert ran(
        [
            "begin(TO_MAP, SegmentOptions(workers=2, device='cuda'))",
            "begin(TO_MAP, SegmentOptions(workers=0))",
            "begin(TO_MAP, SegmentOptions(workers=2, scheduler='tcp://there:1'))",
            "print(own._pid(), changed_since())",
            "from multiprocessing import forkserver",
            "forkserver.ensure_running()",
            "begin(TO_MAP, TWO)",
            "print(changed_since(), seen(os.getppid) == os.getpid())",
        ]
    ) == ["None None", "None True"]


COMMAND = """
import sys
from geoseg.cli import program
from geoseg.fork_server import changed_since
from geoseg.run.cluster import local

def told():
    found = changed_since()
    print("forked" if found is not None else "spawned", flush=True)
    return found

if __name__ == "__main__":
    local.changed_since = told
    program()
"""


@pytest.mark.parametrize("command", ["segment", "composite"])
def test_what_a_command_imports_on_the_way_does_not_keep_it_from_forking(
    tmp_path, command
):
    """Libraries set variables, too, each of which `changed_since` must know."""
    script = tmp_path / "script.py"
    script.write_text(COMMAND)
    output = {"segment": tmp_path / "map", "composite": tmp_path / "image.tif"}[command]
    done = subprocess.run(
        [
            *(sys.executable, script, command, SAMPLE / "scene.tif", "-o", output),
            *("--aoi", SAMPLE / "aoi.geojson", "--workers", "1", "--quiet"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "forked\n"), done.stderr
