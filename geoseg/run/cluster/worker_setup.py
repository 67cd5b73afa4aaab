"""The workers of a run, which get its job once and prove that they can do it.

A worker gets the job when a run begins or, where it joins late or comes back after a
crash, when it starts. Before its first task it proves that it has the same libraries,
sees the same scene, reads the same models and can write the run directory; one that
does not is refused by name, those that are there when the run begins before anything
is inferred.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from importlib.metadata import version
from itertools import count
from socket import gethostname
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

import rasterio
from distributed import WorkerPlugin, get_worker
from distributed.protocol import pickle

from geoseg.errors import ClusterError, GeosegError, RunError
from geoseg.run.cluster.gpus import GPU, gpu_id, share
from geoseg.run.cluster.presence import (
    NO_PATIENCE,
    Watch,
    ask,
    limits,
    restarted,
    within,
)
from geoseg.run.cluster.process_state import take_lines, take_memory, take_settings
from geoseg.run.metrics import count_here
from geoseg.storage.remote import settings
from geoseg.storage.waiting import LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from distributed import Client, Future, Scheduler, Worker

    from geoseg.run.cluster.presence import Patience
    from geoseg.run.job import Job

_SAME = ("geoseg", "numpy", "rasterio", "torch")
"""The libraries that every worker has in the client's version, beside GDAL."""
_OURS = logging.getLogger("geoseg")
"""Where all that geoseg logs goes."""
_HERE = "inproc://"
"""How the address of a worker begins that is a thread of this process."""

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class _Workers(WorkerPlugin):
    """What a worker keeps of a run: the job, and what it lacks for it."""

    def __init__(self, job: Job, versions: Mapping[str, str], topic: str) -> None:
        """Carry a job to the workers, and the settings that reach its files.

        What they say of servers that they wait for comes home under a topic of dask's,
        and where a log is wanted at home, all that they log.
        """
        self.job, self._topic = job, topic
        self._level = _OURS.getEffectiveLevel()
        self._lack: str | None = None
        self._versions = versions
        self._settings = settings()

    def __getstate__(self) -> dict[str, Any]:
        """Pack the job by itself, so that a worker is ready before it loads it."""
        return {**vars(self), "job": pickle.dumps(self.job)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Load the job, on the worker.

        A worker imports what the job needs. All of it stays, so no garbage is looked
        for meanwhile, which took a sixth of the time.
        """
        was_looking = gc.isenabled()
        gc.disable()
        try:
            vars(self).update(state, job=pickle.loads(state["job"]))
        finally:
            if was_looking:
                gc.enable()

    def setup(self, worker: Worker) -> None:
        """Take over the settings, on the worker."""
        self._proving, self._taken = Lock(), ExitStack()  # neither travels
        if not worker.address.startswith(_HERE):  # one of this process says it here
            count_here()
            logger = _OURS if self._level < logging.WARNING else LOG
            level = min(self._level, logging.INFO)
            take_lines(self._taken, logger, level, _Homewards(worker, self._topic))
        take_memory(self._taken)
        take_settings(self._taken, self._settings)

    def lack(self, address: str) -> str:
        """Prove once, on the worker, that it can do the job; say what it lacks.

        In a thread of its own, so that the worker gives signs of life meanwhile.
        """
        with self._proving:
            if self._lack is None:
                self._lack = self._prove()
                if self._lack and not address.startswith(_HERE):
                    self._lack += f" (seen from {gethostname()}, {address})"
            return self._lack

    def _prove(self) -> str:
        lack = _other_versions(library_versions(), self._versions)
        if lack:
            return lack
        try:
            self.job.check()
            self.job.store.check()
        except (GeosegError, OSError) as error:
            return str(error)
        return ""

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002  # dask's signature
        """Leave the worker's settings as they were, unless another run needs them."""
        self._taken.close()


class _Homewards(logging.Handler):
    """Sends what a worker logs to its client."""

    def __init__(self, worker: Worker, topic: str) -> None:
        """Take a worker, and the topic to which its client listens."""
        super().__init__(logging.DEBUG)
        self.name = topic
        self._worker, self._topic = worker, topic

    def emit(self, record: logging.LogRecord) -> None:
        """Send a sentence, and who sends it."""
        text, name, level = record.getMessage(), record.name, record.levelno
        sent = {"text": text, "name": name, "level": level, "process": _process()}
        self._worker.log_event(self._topic, sent)


def _hear(event: tuple[float, Mapping[str, Any]]) -> None:
    """Log here what a worker logged elsewhere. dask brings when it came, too."""
    said = event[1]
    if said["process"] == _process():
        return
    where = "" if said["name"] == LOG.name else f" (on {said['process']})"
    logging.getLogger(said["name"]).log(said["level"], "%s%s", said["text"], where)


def _process() -> str:
    return f"{gethostname()} {os.getpid()}"


class Workforce:
    """The workers of a client that a job goes to: use `set_up_workers`."""

    def __init__(self, client: Client, name: str, job: Job, patience: Patience) -> None:
        """Take workers that carry a job under a name."""
        self._client, self._name = client, name
        self._watch = Watch(client, patience)
        self._on_gpus = job.on_gpu
        self._share = share(job.at_once)
        self._submitted = count()

    @property
    def members(self) -> list[str]:
        """Their addresses now: of a job on GPUs, those that declare one, if any do."""
        there = self._watch.members()
        return (there and self._with_gpu()) or there

    @property
    def count(self) -> int:
        """How many workers there are now; 0 where the scheduler is gone."""
        return len(self.members)

    def someone(self) -> bool:
        """Return whether there is a worker, or comes one while there is patience."""
        return self._watch.someone()

    def no_worker(self) -> RunError:
        """Make the error of a run that has no worker any more."""
        return self._watch.no_worker()

    def fate(self, worker: str) -> str:
        """Say why a worker is lost, if it was stopped or held too much memory."""
        if worker in self._watch.given_up:
            return "it gave no sign of life: it is stopped, or its machine is"
        return restarted(self._client, worker, self._limits.get(worker, 0))

    @cached_property
    def _limits(self) -> dict[str, int]:
        return limits(self._client)

    def submit(
        self,
        task: Callable[[Job, *Given], Result],
        *args: *Given,
        retries: int,
    ) -> Future[Result]:
        """Hand a task to some worker; a failed one is tried again."""
        # Keys of one name are one group to dask, which remembers every group of a run.
        key = (self._name, next(self._submitted))
        return self._client.submit(
            _work,
            self._name,
            task,
            *args,
            key=key,
            retries=retries,
            resources={GPU: self._share} if self._declared else None,
        )

    @cached_property
    def _declared(self) -> bool:
        """Whether a GPU is to be asked for: no worker may have declared one."""
        return bool(self._with_gpu())

    def _with_gpu(self) -> list[str]:
        if not self._on_gpus:
            return []
        resources = self._client.run_on_scheduler(_resources)
        return [worker for worker, names in resources.items() if GPU in names]


def _resources(dask_scheduler: Scheduler) -> dict[str, list[str]]:
    """List, on the scheduler, what each worker declares. dask fills it in."""
    return {w.address: list(w.resources) for w in dask_scheduler.workers.values()}


@contextmanager
def set_up_workers(
    client: Client, job: Job, patience: Patience = NO_PATIENCE
) -> Iterator[Workforce]:
    """Give a job to all workers of a client, once they have proved themselves.

    Args:
        client: Whose workers.
        job: What they are to do.
        patience: How long to wait for a worker where none is left.

    Raises:
        ClusterError: A worker lacks something, shares its GPU with another, is lost,
            or gives no sign of life; the message names who and what.

    """
    name = f"geoseg-{secrets.token_hex(8)}"
    workers = Workforce(client, name, job, patience)
    asked = workers.members
    versions = library_versions()
    answers = ask(client, library_versions, asked)
    _refuse(
        {
            worker: str(found)
            if isinstance(found, BaseException)
            else _other_versions(found, versions)
            for worker, found in answers.items()
        }
    )
    if job.on_gpu and len(asked) > 1:
        _refuse_sharing(ask(client, gpu_id, asked))
    topic = f"geoseg-{client.id}"  # one for all runs of a client, which ends with it
    client.subscribe_topic(topic, _hear)
    try:
        _hand_over(client, name, _Workers(job, versions, topic))
        _refuse({w: str(lack) for w, lack in ask(client, _lack, asked, name).items()})
        yield workers
    finally:
        if client.status == "running":
            # Whatever this raises would hide the error that ends the run.
            with suppress(Exception):
                within(client, lambda: client.unregister_worker_plugin(name))


def _hand_over(client: Client, name: str, job: _Workers) -> None:
    """Give a job to all workers, those that come later included."""
    try:
        within(client, lambda: client.register_plugin(job, name=name))
    except OSError:
        return  # whom it does not reach is found out by the question that follows
    except Exception as error:
        raise ClusterError(
            f"a worker cannot take part: it cannot load the run "
            f"({type(error).__name__}: {error}); every worker needs the same libraries"
        ) from error


def _refuse_sharing(gpus: Mapping[str, str]) -> None:
    """Refuse workers that would compute on one GPU without knowing of each other."""
    owners: dict[str, str] = {}
    for worker, gpu in sorted(gpus.items()):
        if gpu in owners:
            raise ClusterError(
                f"workers {owners[gpu]} and {worker} would share {gpu}; start one "
                f"worker for each GPU, as 'dask cuda worker' does"
            )
        owners[gpu] = worker


def library_versions() -> dict[str, str]:
    """Name the versions that decide what a pixel becomes."""
    found = {name: version(name) for name in _SAME}
    return {**found, "GDAL": rasterio.__gdal_version__}


def _other_versions(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    differences = [
        f"{name} {found.get(name, 'nothing')} instead of {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    return f"it has {', '.join(differences)}" if differences else ""


def _refuse(lacks: Mapping[str, str]) -> None:
    """Raise an error if any worker lacks anything."""
    for worker, lack in sorted(lacks.items()):
        if lack:
            if worker.startswith(_HERE):
                raise ClusterError(lack)
            raise ClusterError(
                f"worker {worker} cannot take part: {lack}; every worker needs the "
                f"same libraries, the scene, the models and the run directory"
            )


async def _lack(name: str, dask_worker: Worker) -> str:
    """List, on a worker, what it lacks. dask fills in the worker, by its name."""
    plugin = cast("_Workers", dask_worker.plugins[name])
    return await asyncio.to_thread(plugin.lack, dask_worker.address)


def _work(name: str, task: Callable[[Job, *Given], Result], *args: *Given) -> Result:
    """Do a task on a worker.

    An error goes home without what it was raised from, for its message says that: the
    errors of GDAL do not survive the way, and all would become the text of its repr.
    """
    worker = get_worker()
    workers = cast("_Workers", worker.plugins[name])
    _refuse({worker.address: workers.lack(worker.address)})
    try:
        return task(workers.job, *args)
    except GeosegError as error:
        error.__cause__ = error.__context__ = None
        raise
