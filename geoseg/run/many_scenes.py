"""segment_each(): independent scenes, which overlap on the same workers.

Each scene under way has a thread, which takes it through the stages: see `stages`. What
happens there is told in the thread that called.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import Empty, SimpleQueue
from time import sleep
from typing import TYPE_CHECKING, TypeAlias

from geoseg.errors import BusyError, DeviceError, DiskError, RunError
from geoseg.options import SegmentOptions
from geoseg.progress import Clock, OnStep, Step, ignore_step
from geoseg.run.arrays import each_as_inputs
from geoseg.run.segment import client_of, done_already, finish, for_cluster, resolved
from geoseg.run.stages import AT_ONCE, Passage, Stages
from geoseg.run.trace import Trace, traced
from geoseg.storage.output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from distributed import Client
    from xarray import DataArray

    from geoseg.overlay.aoi import Area
    from geoseg.report.report import Report
    from geoseg.run.configuration import RunConfig
    from geoseg.scene import Inputs, Scene

_LOOK_S = 2.0
"""Seconds between looks at scenes that other processes are at."""


def segment_each(
    scenes: Sequence[Inputs | Scene | DataArray],
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: SegmentOptions | None = None,
    on_step: OnStep = ignore_step,
) -> dict[str, Report]:
    """Map independent scenes on the same workers, with the model loaded once.

    Each is a run of its own, in a folder of the output directory that is named like
    the scene. All are checked before the first begins. Then they overlap, so that no
    worker idles at a scene's border: while the map of one is written, the next ones
    are inferred, in their order. One that fails on the way does
    not stop the others; one that is done already, with the same inputs and settings,
    is not done again. Several processes may be given the same call: each takes the
    scenes that no other has taken, and all return when the last one is done.

    Args:
        scenes: The scenes, each as `segment` takes one; a `geoseg.Scene` or an array
            is called by its name.
        output: The directory for the scenes' folders.
        aoi: The area of interest, as `segment` takes it; it lies on every scene.
        options: Model, formats, tiles, device and so on.
        on_step: Called as the job gets on, from the calling thread; what is about a
            scene bears its name.

    Returns:
        What each scene's ``run.json`` holds, by the name of its folder.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        RunError: A scene failed on the way; the others are done, and the same call
            resumes.

    """
    chosen = options or SegmentOptions()
    with (
        each_as_inputs(scenes, chosen) as given,
        traced(chosen.trace) as timeline,
    ):
        return _segment_each(given, output, aoi, timeline, on_step)


def _segment_each(
    given: Mapping[str, tuple[Inputs, SegmentOptions]],
    output: Path | str,
    aoi: Area | None,
    timeline: Trace | None,
    on_step: OnStep,
) -> dict[str, Report]:
    runs: dict[str, tuple[RunConfig, Clock]] = {}

    def tell(step: Step) -> None:
        is_part = step.name == "prepare"
        counted = replace(step, name="check", done=len(runs), total=len(given))
        on_step(counted if is_part else step)

    for name, (scene, options) in given.items():
        tell(Step("prepare"))
        read = scene, output, options
        if options.scheduler is not None:
            read = for_cluster(*read)
        inputs, folder, chosen = read
        clock = Clock(timeline=None if timeline is None else timeline.of(name))
        target = Output.of(folder).below(name)
        runs[name] = resolved(inputs, target, aoi, chosen, clock, tell), clock
    configs = [config for config, _ in runs.values()]
    with client_of(configs, on_step, timeline) as client:
        queue = _Queue(runs, client, on_step)
        queue.finish()
    if queue.failures:
        reasons = "; ".join(f"{name}: {why}" for name, why in queue.failures.items())
        raise RunError(
            f"{len(queue.failures)} of {len(runs)} scenes failed, the others are done "
            f"({reasons}); run the same command again to finish them"
        ) from next(iter(queue.failures.values()))
    return {name: queue.reports[name] for name in runs}


_Ended: TypeAlias = "tuple[str, Future[Report]]"
"""A scene that is done with, one way or another."""


class _Queue:
    """Scenes that wait, are under way and are done, here and in other processes."""

    def __init__(
        self,
        runs: Mapping[str, tuple[RunConfig, Clock]],
        client: Client,
        on_step: OnStep,
    ) -> None:
        """Take scenes, by their names, that a client's workers are to map."""
        self._runs, self._client, self._on_step = runs, client, on_step
        self._stages = Stages()
        self._news: SimpleQueue[Step | _Ended] = SimpleQueue()
        self._noted: set[str] = set()
        self.reports: dict[str, Report] = {}
        """Of scenes that are done, here or elsewhere."""
        self.failures: dict[str, RunError] = {}
        """Why the others are not."""

    def finish(self) -> None:
        """Map every scene; those that other processes are at come last."""
        left = list(self._runs)
        with ThreadPoolExecutor(AT_ONCE, "scene") as threads:
            while left:
                try:
                    others = self._map(left, threads)
                except BaseException:
                    self._stages.halt()
                    threads.shutdown(wait=False, cancel_futures=True)
                    raise
                if others == left:  # there is nothing else to do
                    sleep(_LOOK_S)
                left = others

    def _map(self, names: Sequence[str], threads: ThreadPoolExecutor) -> list[str]:
        """Map scenes as far as no other process is at them; return the others."""
        self._tell_count()
        for name in names:
            self._begin(name, threads)
        others = set()
        under_way = set(names)
        while under_way:
            try:
                said = self._news.get(timeout=_LOOK_S)
            except Empty:  # a moment in which Ctrl-C is heard, on any system
                continue
            if isinstance(said, Step):
                self._on_step(said)
                continue
            name, ended = said
            under_way.remove(name)
            if self._is_elsewhere(name, ended):
                others.add(name)
            self._tell_count(name)
        return [name for name in names if name in others]

    def _begin(self, name: str, threads: ThreadPoolExecutor) -> None:
        future = threads.submit(self._take, name)
        future.add_done_callback(lambda ended: self._news.put((name, ended)))

    def _is_elsewhere(self, name: str, ended: Future[Report]) -> bool:
        """Note what became of a scene; return whether another process is at it."""
        try:
            self.reports[name] = ended.result()
        except (DiskError, DeviceError):
            raise  # no other scene can do better
        except RunError as error:
            self.failures[name] = error
        except BusyError as error:
            if name not in self._noted:  # once: it may take hours
                self._noted.add(name)
                note = f"left to its process: {error}"
                self._on_step(Step("prepare", note=note, scene=name))
            return True
        return False

    def _tell_count(self, ended: str = "") -> None:
        done, total = len(self.reports), len(self._runs)
        self._on_step(Step("scenes", done, total, scene=ended, kept=done > 0))

    def _take(self, name: str) -> Report:
        """Map a scene, unless that is done; no other process takes it meanwhile."""
        config, clock = self._runs[name]
        with Passage(self._stages) as way:

            def tell(step: Step) -> None:
                way.go_on()
                self._news.put(replace(step, scene=name))

            way.enter("make ready")
            tell(Step("prepare"))
            with config.output.claimed():
                done = done_already(config, tell)
                return done or finish(config, self._client, clock, tell, way)
