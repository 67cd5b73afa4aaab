"""Map a scene with workers that dask-jobqueue submits to SLURM, more or fewer of them.

The scheduler runs where this script does (a login node, a job of its own), and each
worker is a job: they begin when the queue lets them; one that ends at its time limit
or is pre-empted costs its unfinished blocks. The job file beside this script wants one
slot for all; this one takes what comes.

    pip install dask-jobqueue
    python on_slurm.py scene.tif /shared/map --jobs 8 --walltime 2:00:00 --gpus 1
"""

import argparse
import subprocess
import sys
from pathlib import Path

import dask
from dask_jobqueue import SLURMCluster
from distributed import Security

import geoseg

THREADS = 3
"""One task reads, one computes, one writes."""


def main() -> None:
    """Submit workers, map the scene, and take the workers back."""
    arguments = read_arguments()
    # Whoever reaches a dask scheduler can run code as you: a certificate of this run.
    security = Security.temporary()
    shared = Path(arguments.output).parent / ".geoseg-certificates"
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    directives = [f"--gpus={arguments.gpus}"] if arguments.gpus else []
    directives += arguments.sbatch
    check_directives(directives, arguments.partition)
    cluster = SLURMCluster(
        cores=THREADS,
        processes=1,
        memory=arguments.memory,
        walltime=arguments.walltime,
        queue=arguments.partition,
        interface=arguments.interface,
        job_extra_directives=directives,
        worker_extra_args=["--resources", "GPU=1"] if arguments.gpus else [],
        protocol="tls://",
        security=security,
        shared_temp_directory=str(shared),
        scheduler_options={"dashboard": False},
    )
    with cluster, dask.config.set(settings(security)):
        cluster.scale(jobs=arguments.jobs)
        options = geoseg.SegmentOptions(
            scheduler=cluster.scheduler_address, wait_for_workers=arguments.patience
        )
        try:
            report = geoseg.segment(arguments.scene, arguments.output, options=options)
        except geoseg.GeosegError as error:
            sys.exit(f"geoseg: {error}")
    for area in report.class_areas:
        print(f"{area.name:12} {area.area_ha:12.1f} ha")


def check_directives(directives: list[str], partition: str | None) -> None:
    """Ask SLURM whether it takes such jobs: without GPUs, none that want any."""
    if partition is not None:
        directives = [f"--partition={partition}", *directives]
    asked = ["sbatch", "--test-only", *directives, "--wrap", "true"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603  # the user's own words
    if answer.returncode:
        why = " ".join(answer.stderr.split())
        sys.exit(
            f"SLURM takes no jobs with {' '.join(directives) or 'no flag'} ({why}); "
            f"sinfo -o '%P %G' lists its partitions and their GPUs: name one that has "
            f"what is asked for with --partition, or ask for less"
        )


def settings(security: Security) -> dict[str, str]:
    """Give dask's settings by which the client shows the run's certificate."""
    role = security.get_tls_config_for_role("client")
    return {
        "distributed.comm.tls.ca-file": role["ca_file"],
        "distributed.comm.tls.client.cert": role["cert"],
        "distributed.comm.tls.client.key": role["key"],
    }


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene")
    parser.add_argument("output", help="on a disk that all nodes see")
    parser.add_argument("--jobs", type=int, default=4, help="how many workers")
    parser.add_argument("--walltime", default="1:00:00", help="of each worker")
    parser.add_argument("--memory", default="12GB", help="of each worker")
    parser.add_argument("--gpus", type=int, default=0, help="a GPU for each worker: 1")
    parser.add_argument("--partition", help="the queue, where there are several")
    parser.add_argument("--interface", help="the nodes' network, such as ib0")
    parser.add_argument("--sbatch", action="append", default=[], metavar="FLAG")
    parser.add_argument(
        "--patience", type=float, default=3600, help="seconds to wait for a worker"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
