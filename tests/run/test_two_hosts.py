"""Two hosts without a shared disk: a scheduler here, a worker there, TLS between them.

The scene is on a web server, run directory and map are on an object store, and the
worker was started without its keys.
"""

import json
import os
import subprocess
import sys
import time

import pytest
import rasterio
from click.testing import CliRunner
from corner import write_corner
from distributed import Security
from object_store import KEYS, make_bucket, object_store
from second_host import second_host
from web import served

from geoseg.cli import main
from geoseg.storage.bucket import Bucket

pytestmark = pytest.mark.slow  # worker processes take seconds to start


@pytest.fixture
def host():
    try:
        with second_host() as made:
            yield made
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {error}")


def certificates(folder):
    """Write what a scheduler, a worker and a client show each other."""
    role = Security.temporary().get_tls_config_for_role("client")
    files = []
    for name in ("ca_file", "cert", "key"):
        (folder / name).write_text(role[name])
        files.append(str(folder / name))
    return files


def run(*arguments):
    done = CliRunner().invoke(main, [*map(str, arguments)])
    assert done.exit_code == 0, done.output


def test_a_map_is_the_same_with_a_worker_on_another_host(host, tmp_path, monkeypatch):
    scene = write_corner(tmp_path, 70, 90)
    how = ("--tile", "64", "--overlap", "32", "--block", "1")
    how += ("--format", "none", "--report-size", "0")
    run("segment", scene, "-o", tmp_path / "here", *how)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-tls"  # what both hosts have
    elsewhere.mkdir()
    ca, cert, key = certificates(elsewhere)
    plain = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    tls = ("--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key)
    dask = (sys.executable, "-m", "distributed.cli.dask_scheduler")
    worker = (sys.executable, "-m", "distributed.cli.dask_worker")
    file = elsewhere / "scheduler.json"
    where = ("--protocol", "tls", "--host", host.here, "--port", "0")
    where += ("--no-dashboard", "--scheduler-file", file)
    log = (elsewhere / "log").open("w")
    processes = []
    try:
        processes.append(
            subprocess.Popen(
                [*dask, *where, *tls],
                stdout=log,
                stderr=log,
            )
        )
        wait_for(file)
        address = json_address(file)
        processes.append(
            host.start(
                *(*worker, address, "--host", host.there, *tls, "--nthreads", "3"),
                *("--no-nanny", "--no-dashboard", "--memory-limit", "0"),
                hidden=tmp_path,
                environment=plain,
                log=log,
            )
        )
        with (
            served(tmp_path, host=host.here) as (web, _),
            object_store(host.here) as store,
        ):
            for name, value in {**KEYS, **store}.items():
                monkeypatch.setenv(name, value)
            make_bucket(store, "maps")
            run(
                *("segment", f"{web}/small.tif", "-o", "s3://maps/there", *how),
                *("--run-dir", "s3://maps/run", "--scheduler", address),
                *("--tls-ca", ca, "--tls-cert", cert, "--tls-key", key),
                *("--wait-for-workers", "120"),
            )
            made = Bucket("s3://maps/there").get("landcover.tif")
            left = [name for name, _ in Bucket("s3://maps/run").list()]
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)
        log.close()
    assert left == []
    copy = tmp_path / "there.tif"
    copy.write_bytes(made)
    with rasterio.open(tmp_path / "here/landcover.tif") as a, rasterio.open(copy) as b:
        assert (a.read() == b.read()).all()
        assert (a.transform, a.crs) == (b.transform, b.crs)


def wait_for(file):
    """Wait until a scheduler says where it is."""
    end = time.monotonic() + 60
    while not (file.exists() and file.read_text().endswith("}")):
        assert time.monotonic() < end, "the scheduler does not start"
        time.sleep(0.1)


def json_address(file):
    """Read where a scheduler is."""
    return json.loads(file.read_text())["address"]
