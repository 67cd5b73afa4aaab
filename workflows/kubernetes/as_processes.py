"""Run these manifests as processes of one Linux machine, without Kubernetes.

What Kubernetes and dask's operator do of them, as far as that can be had: each pod is a
process with its container's command and arguments, and an environment of nothing but
its secret and what the operator and the image set; services have their names, and
ports are those of the manifests; work waits for the probes; a pod of the job that fails
begins again. The bucket is moto's. All are in a network of their own, where nothing
else is reached. There is no image, no limit and no GPU: where the machine has none,
the job computes on its CPU.

    pip install 'moto[server]' 'geoseg[s3,cluster]'
    python as_processes.py scene.tif folder/ --kill

`--kill` ends a worker and the job's pod in the middle, as an eviction does. The map is
compared with that of one process, which stays in the folder with the pods' logs.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import boto3
import yaml

HERE = Path(__file__).parent
STORE = "http://127.0.0.1:5000"
SECRETS = {
    "geoseg-store": {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": STORE,
    }
}
IMAGE = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108  # as in the image
"""What the image sets. geoseg is found as it is here."""
INSIDE = "GEOSEG_PODS_INSIDE"
"""Set in the network of the pods."""
PRODUCTS = {".tif", ".geojson", ".qml", ".png"}
"""What the same run makes to the same bytes; records hold times."""
WAIT_S = 600
"""Seconds to wait for whatever is to happen."""


@dataclass(frozen=True)
class Pod:
    """A container of a manifest, as a process."""

    name: str
    command: list[str]
    environment: dict[str, str]

    def start(self, folder: Path) -> subprocess.Popen[bytes]:
        """Start it, in a folder of its own; its log is there."""
        place = folder / self.name
        place.mkdir(parents=True, exist_ok=True)
        with (place / "log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  # the manifest's words
                self.command, env=self.environment, cwd=place, stdout=log, stderr=log
            )


def pods_of(manifests: list[dict], *, on_gpu: bool) -> dict[str, list[Pod]]:
    """Give the pods of a cluster and a job: scheduler, workers, job."""
    kinds = {each["kind"]: each for each in manifests}
    cluster, job = kinds["DaskCluster"], kinds["Job"]
    name = cluster["metadata"]["name"]
    scheduler, worker = (cluster["spec"][role] for role in ("scheduler", "worker"))
    address = f"tcp://{service(manifests)}.default.svc.cluster.local:8786"
    workers = [
        pod(
            f"{name}-default-worker-{number}",
            worker["spec"],
            DASK_WORKER_NAME=f"{name}-default-worker-{number}",
            DASK_SCHEDULER_ADDRESS=address,
        )
        for number in range(worker["replicas"])
    ]
    container = job["spec"]["template"]["spec"]
    work = pod(job["metadata"]["name"], container)
    if not on_gpu:
        work.command[work.command.index("cuda")] = "cpu"
    return {
        "scheduler": [pod(f"{name}-scheduler", scheduler["spec"])],
        "workers": workers,
        "job": [work],
    }


def service(manifests: list[dict]) -> str:
    """Give the name under which the operator makes the scheduler's service."""
    (name,) = (m["metadata"]["name"] for m in manifests if m["kind"] == "DaskCluster")
    return f"{name}-scheduler"


def pod(name: str, spec: dict, **operator: str) -> Pod:
    """Read what a container runs, and in which environment."""
    (container,) = spec["containers"]
    environment = {**IMAGE, **operator}
    for source in container.get("envFrom", ()):
        environment |= SECRETS[source["secretRef"]["name"]]
    words = [*container.get("command", entrypoint()), *container["args"]]
    for variable, value in environment.items():
        words = [word.replace(f"$({variable})", value) for word in words]
    return Pod(name, words, environment)


def entrypoint() -> list[str]:
    """Read what the image runs where a container names no command."""
    lines = (HERE.parent / "install/Dockerfile").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("ENTRYPOINT"))
    found: list[str] = json.loads(line.removeprefix("ENTRYPOINT"))
    return found


def probe_of(manifests: list[dict]) -> str:
    """Give where the scheduler says that it is ready."""
    (cluster,) = (each for each in manifests if each["kind"] == "DaskCluster")
    (container,) = cluster["spec"]["scheduler"]["spec"]["containers"]
    wanted = container["readinessProbe"]["httpGet"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    return f"http://{service(manifests)}:{ports[wanted['port']]}{wanted['path']}"


def main() -> None:
    """Enter a network of its own, and do it there."""
    arguments = read_arguments()
    if not os.environ.get(INSIDE):
        inside = ["--user", "--map-root-user", "--net", "--mount"]
        inside += ["--pid", "--fork", "--kill-child", "--mount-proc"]  # all end with it
        command = ["unshare", *inside, sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})  # noqa: S606  # this very script
    manifests = [
        each
        for file in ("cluster.yaml", "segment.yaml")
        for each in yaml.safe_load_all((HERE / file).read_text())
    ]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    make_network(manifests, arguments.folder)
    on_gpu = shutil.which("nvidia-smi") is not None
    pods = pods_of(manifests, on_gpu=on_gpu)
    with ExitStack() as running:
        bucket = make_bucket(arguments.scene, pods["job"][0], running)
        (scheduler,) = pods["scheduler"]
        start(scheduler, arguments.folder, running)
        wait_until(lambda: answers(probe_of(manifests)), "the scheduler is ready")
        workers = [start(each, arguments.folder, running) for each in pods["workers"]]
        victims = workers[:1] if arguments.kill else []
        run_job(pods["job"][0], arguments.folder, bucket, victims)
        compare(arguments, pods["job"][0], bucket)


def make_network(manifests: list[dict], folder: Path) -> None:
    """Give the pods' network its names, which all are this machine's."""
    names = service(manifests)
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {names} {names}.default.svc.cluster.local\n")
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["mount", "--bind", str(hosts), "/etc/hosts"],
    ):
        subprocess.run(command, check=True)  # noqa: S603  # as written here


def make_bucket(scene: Path, job: Pod, running: ExitStack) -> object:
    """Start a store, and put the scene where the job reads it."""
    command = [sys.executable, "-m", "moto.server", "-p", STORE.rpartition(":")[2]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, **quiet)  # noqa: S603  # as written here
    running.callback(end, server)
    wait_until(lambda: answers(f"{STORE}/moto-api/"), "the store is ready")
    os.environ.update(SECRETS["geoseg-store"])
    store = boto3.resource("s3", endpoint_url=STORE)
    name, key = place(job.command[2])
    bucket = store.create_bucket(Bucket=name)
    bucket.upload_file(str(scene), key)
    return bucket


def start(each: Pod, folder: Path, running: ExitStack) -> subprocess.Popen[bytes]:
    """Start a pod that is ended in the end."""
    print(f"{time.strftime('%T')} {each.name}: {' '.join(each.command)}", flush=True)
    process = each.start(folder)
    running.callback(end, process)
    return process


def run_job(
    job: Pod, folder: Path, bucket: object, victims: list[subprocess.Popen[bytes]]
) -> None:
    """Run the job's pod until it is done; evict it once, and some workers, if asked."""
    for attempt in range(6):
        with ExitStack() as running:
            process = start(job, folder, running)
            if victims and not attempt:
                wait_until(
                    lambda: has_begun(job, bucket), "some blocks are done", process
                )
                for victim in [*victims, process]:
                    victim.send_signal(signal.SIGKILL)
                print(f"{time.strftime('%T')} a worker and the job's pod are killed")
            if process.wait() == 0:
                return
    sys.exit(f"the job failed; see {folder / job.name / 'log'}")


def has_begun(job: Pod, bucket: object) -> bool:
    """Whether the run's journal names finished blocks."""
    _, key = place(option(job, "--run-dir"))
    return any(bucket.objects.filter(Prefix=f"{key}/journal/"))


def place(url: str) -> tuple[str, str]:
    """Give the bucket and the key of an address."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def option(job: Pod, name: str) -> str:
    """Give the value of a flag of the job."""
    return job.command[job.command.index(name) + 1]


def compare(arguments: argparse.Namespace, job: Pod, bucket: object) -> None:
    """Compare the map in the bucket with that of one process here."""
    here = arguments.folder / "here"
    command = ["geoseg", "segment", str(arguments.scene), "-o", str(here), "-q"]
    subprocess.run([*command, "--overwrite"], check=True)  # noqa: S603  # as written here
    _, prefix = place(option(job, "--output"))
    products = [each for each in sorted(here.iterdir()) if each.suffix in PRODUCTS]
    for file in products:
        made = bucket.Object(f"{prefix}/{file.name}").get()["Body"].read()
        if made != file.read_bytes():
            sys.exit(f"{file.name} is not what one process makes")
    print(f"{', '.join(each.name for each in products)}: the bytes of one process")


def answers(address: str) -> bool:
    """Whether a server says that all is well."""
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:  # noqa: S310  # of the manifests
            return answer.status == 200  # noqa: PLR2004  # OK
    except OSError:
        return False


def wait_until(
    is_so: Callable[[], bool],
    what: str,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait for something, as long as a process lives."""
    limit = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > limit or (process and process.poll() is not None):
            sys.exit(f"waited in vain: {what}")
        time.sleep(0.2)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process as Kubernetes does: TERM, and KILL after a while."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("folder", type=Path, help="for logs, and the map to compare")
    parser.add_argument(
        "--kill", action="store_true", help="evict a worker and the job's pod"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
