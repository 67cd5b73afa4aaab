"""Who else on this machine can reach a run: nobody."""

from __future__ import annotations

import subprocess
import sys

import dask
import psutil
import pytest

from geoseg.errors import ClusterError
from geoseg.run.cluster import client, map_on, open_client
from geoseg.run.cluster.remote import remote_client
from geoseg.vectorize.blocks import in_threads


def listening(process):
    """Give where a process takes connections."""
    found = process.net_connections("inet")
    return [c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN]


def test_a_run_in_one_process_opens_no_port():
    before = listening(psutil.Process())
    with open_client() as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert listening(psutil.Process()) == before


def test_worker_processes_are_for_this_machine_and_this_run_alone():
    before = len(listening(psutil.Process()))
    with open_client(2) as client:
        client.wait_for_workers(2)
        assert client.submit(sum, [1, 2]).result() == 3
        own = psutil.Process()
        ports = [
            address
            for process in (own, *own.children(recursive=True))
            for address in listening(process)
        ]
        assert len(ports) > before
        assert set(ports[before:]) == {"127.0.0.1"}
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        for other in (address, address.replace("tls://", "tcp://")):
            with pytest.raises(ClusterError), remote_client(other):
                pass


DEAF = """
import os, signal
import psutil
from geoseg.run.cluster import open_client

if __name__ == "__main__":
    with open_client(1) as client:
        (worker,) = client.run(os.getpid).values()
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(worker, number)
        assert client.submit(os.getpid).result() == worker
    assert not psutil.pid_exists(worker)
    print("deaf")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
def test_workers_do_not_hear_what_a_terminal_says_to_all_its_processes(tmp_path):
    """By a script of its own: what ran here before may have left handlers."""
    script = tmp_path / "script.py"
    script.write_text(DEAF)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False
    )
    assert done.stdout == "deaf\n", done.stderr


def test_a_script_that_its_workers_run_again_is_told_what_it_lacks(monkeypatch):
    """Workers begin by spawn everywhere, as on Windows: each imports the script."""
    assert dask.config.get("distributed.worker.multiprocessing-method") == "spawn"

    def ended(*_, **__):
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(client, "processes_cluster", ended)
    with (
        pytest.raises(ClusterError, match="below if __name__ == '__main__'"),
        open_client(1),
    ):
        pass


@pytest.mark.parametrize("where", ["on a cluster", "in threads"])
def test_no_more_items_are_taken_than_keep_threads_at_work(where):
    taken = []

    def items():
        for number in range(200):
            taken.append(number)
            yield number

    with open_client(threads=2) as client:
        spread = map_on(client) if where == "on a cluster" else in_threads
        made = iter(spread(str, items()))
        assert next(made) == "0"
        assert len(taken) <= 10, "what is made of the others waits in memory"
        assert list(made) == [str(number) for number in range(1, 200)]
