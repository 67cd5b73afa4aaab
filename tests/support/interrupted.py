"""Commands that are stopped, killed, and given twice at once, at every product's birth.

    python interrupted.py FOLDER [--moments N] [--seed S] [COMMAND ...]

Each attempt is a fork, so that all share one import of torch. A moment is a rename by
which something gets its name in the output: there a command is killed, interrupted, or
held while the same command is given again; with a seed, at instants that it draws, too.
A line of JSON a command goes to standard
output: what it made, and every fault.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from random import Random

import geopandas
import numpy as np
import rasterio
import torch
from affine import Affine
from class_maps import write as write_map
from onnx_models import write_onnx
from open_files import keep_open_files
from shapely import Point, box
from shapely.geometry import mapping
from stac_api import stac_api

import geoseg
from geoseg.cli import program

PLANE = Affine(10, 0, 399_960, 0, -10, 5_800_020)
SIDE = 96
NAMES = ("bare", "crop", "water")
STOPPED, REFUSED = 130, 2
BEGINS_ANEW = "geoseg: stopped before anything was kept; the same command begins anew\n"
CARRIES_ON = "geoseg: stopped; the same command carries on from here\n"
TIMED = {"run.json", "composite.tif.json", "training.csv"}
"""Records with times in them: there or not, and never half."""

COMMANDS = {
    "areas": "areas map.tif --zones zones.gpkg --by name -o out/areas.csv",
    "calibrate": "models calibrate model scene.tif --labels labels.gpkg"
    " --held-out-block 24 -o out/new",
    "change": "change map.tif later.tif -o out",
    "composite": "composite looks -o out/composite.tif",
    "evaluate": "evaluate map.tif --reference later.tif -o out",
    "export": "models export model --scene scene.tif -o out/model.onnx",
    "import": "models import plain.onnx --bands 1,2,3 --class a --class b --gsd 10"
    " --tile 64 --overlap 0 -o out/new",
    "live": "live scene.tif --labels labels.gpkg -o out",
    "relabel": "relabel map.tif --legend office.yaml --format gpkg -o out/new.tif",
    "sample": "sample out",
    "sample-points": "sample-points map.tif --points 20 --minimum 5 -o out/points.gpkg",
    "search": "search {api} --collection sentinel-2-l2a --limit 9 -o out/items.json"
    " --plot out/where.png",
    "segment": "segment scene.tif --model model --format geojson -o out",
    "suggest": "suggest scene.tif --model model --points 9 -o out/next.gpkg",
    "tile": "tile scene.tif --labels labels.gpkg --chip 48 -o out",
    "train": "train scene.tif --labels labels.gpkg --architecture pixel -o out",
    "vectorize": "vectorize map.tif -o out/map.gpkg --write-raster out/merged.tif",
}
"""What is given, in a folder of inputs; all products come into its folder ``out``."""
RUN_DIRECTORIES = ("out/.geoseg", "out/.fitting")
KEEPING = {"composite", "segment", "suggest", "tile", "train"}
"""What may carry on from what is done, once something is."""
ENDLESS = {"live"}
"""What goes on until it is stopped."""


@dataclass(frozen=True)
class Attempt:
    """What happens to a command, and when."""

    sent: int | None = None
    """The signal that it gets."""
    moment: int | None = 0
    """Before which rename, counted from 0; None where time decides."""
    after_s: float = 0.0
    """After how many seconds, where time decides."""


@dataclass
class Ended:
    """What became of an attempt."""

    status: int
    """Its exit status, or minus the signal that killed it."""
    said: str
    """What it wrote on the terminal."""
    moments: int
    """How many renames it came to."""


@dataclass
class Found:
    """What is found of a command."""

    command: str
    made: list[str] = field(default_factory=list)
    moments: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def import_all() -> None:
    """Import what any command imports, once for all attempts."""
    for each in walk_packages(geoseg.__path__, "geoseg."):
        if each.name.rpartition(".")[2] != "__main__":
            import_module(each.name)
    for name in ("sklearn.discriminant_analysis", "onnx", "onnxruntime", "pyogrio"):
        import_module(name)


def write_inputs(folder: Path) -> None:
    """Write small inputs of all commands."""
    rng = np.random.default_rng(0)
    truth = np.arange(SIDE)[:, None] // 8 % 3 + np.zeros((1, SIDE), int)
    means = np.array([[100, 300, 500], [500, 200, 100]])
    values = (means[:, truth] + rng.normal(0, 60, (2, SIDE, SIDE))).clip(1, 999)
    write_scene(folder / "scene.tif", values.astype(np.uint16), ("B04", "B08"))
    spots = [(8 * n + 4, col) for n in range(12) for col in (13, 67)]
    geopandas.GeoDataFrame(
        {"class": [NAMES[row // 8 % 3] for row, _ in spots]},
        geometry=[Point(PLANE @ (col + 0.5, row + 0.5)) for row, col in spots],
        crs=32633,
    ).to_file(folder / "labels.gpkg")
    (folder / "looks").mkdir()
    for month in range(4, 7):
        look = values.astype(np.uint16)
        look[:, rng.random((SIDE, SIDE)) < 0.3] = 0
        path = folder / "looks" / f"look{month}.tif"
        write_scene(path, look, ("B04", "B08"), day=f"2024:{month:02}:15 10:20:30")
    classes = rng.integers(0, 3, (12, 12)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    write_map(folder / "map.tif", classes)
    write_map(folder / "later.tif", np.roll(classes, 5, 1))
    west, south, east, north = 399_960, 5_799_540, 400_440, 5_800_020
    halves = box([west, 400_200], south, [400_200, east], north)
    geopandas.GeoDataFrame({"name": ["w", "e"]}, geometry=halves, crs=32633).to_file(
        folder / "zones.gpkg"
    )
    office = "- {name: green, id: 30, merge: [field, wood]}\n- {name: lake, id: 7}\n"
    (folder / "office.yaml").write_text(office)
    write_onnx(folder / "plain.onnx", batch=1, side=64)


def write_scene(path: Path, values, names, day=None) -> None:
    """Write a raster of named bands."""
    shape = dict(zip(("count", "height", "width"), values.shape, strict=True))
    frame = {"crs": "EPSG:32633", "transform": PLANE, "nodata": 0}
    with rasterio.open(
        path, "w", driver="GTiff", dtype=values.dtype, **shape, **frame
    ) as dataset:
        dataset.write(values)
        dataset.descriptions = names
        if day:
            dataset.update_tags(TIFFTAG_DATETIME=day)


def write_model(folder: Path) -> None:
    """Train a model of pixels."""
    options = geoseg.TrainOptions(architecture="pixel", head="discriminant")
    scene, labels = folder / "scene.tif", folder / "labels.gpkg"
    geoseg.train([scene], labels, folder / "model", options=options)


def fork(work, *arguments) -> int:
    """Do something in a process of its own; give its number."""
    child = os.fork()
    if not child:
        status = 1
        try:
            work(*arguments)
            status = 0
        finally:
            os._exit(status)
    return child


def run(folder: Path, words: list[str], attempt: Attempt, name: str) -> None:
    """Give a command in a folder, and have its moment come: in a process of its own."""
    log = os.open(folder / f"{name}.said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    torch.set_num_threads(1)
    keep_open_files()
    moments, replace, out = 0, os.replace, folder / "out"

    def counted(source, target, **how):
        nonlocal moments
        if out in (path := folder / target).parents or path == out:
            if attempt.sent is not None and moments == attempt.moment:
                os.kill(os.getpid(), attempt.sent)
            moments += 1
            (folder / f"{name}.moments").write_text(str(moments))
        return replace(source, target, **how)

    os.replace = os.rename = counted
    sys.argv[1:] = words
    program()


def begin(folder: Path, words: list[str], attempt: Attempt, name: str = "it") -> int:
    """Give a command, and do not wait for its end."""
    for kind in ("moments", "said"):
        (folder / f"{name}.{kind}").unlink(missing_ok=True)
    child = os.fork()
    if not child:
        status = 99
        try:
            run(folder, words, attempt, name)
        except SystemExit as end:
            status = end.code or 0
        except BaseException as error:  # noqa: BLE001  # it is said
            print(f"Traceback of the harness: {error!r}", flush=True)  # noqa: T201
        os._exit(status)
    return child


def end_of(folder: Path, process: int, name: str = "it") -> Ended:
    """Wait for the end of a command."""
    _, code = os.waitpid(process, 0)
    moments, said = folder / f"{name}.moments", folder / f"{name}.said"
    return Ended(
        os.waitstatus_to_exitcode(code),
        said.read_text(errors="replace") if said.exists() else "",
        int(moments.read_text()) if moments.exists() else 0,
    )


def end_endless(folder: Path, process: int) -> None:
    """Press Ctrl-C once a command that goes on has said its first map, or has ended.

    Earlier, it would be in the midst of its last files, and come to more renames.
    """
    said = folder / "it.said"
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if said.exists() and "map 1 in" in said.read_text(errors="replace"):
            os.kill(process, signal.SIGINT)
            return
        time.sleep(0.02)


def wait_for_stop(process: int) -> bool:
    """Wait until a process is stopped; return whether it was before it ended."""
    how = os.waitid(os.P_PID, process, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
    return how is not None and how.si_code == os.CLD_STOPPED


def visible(folder: Path) -> dict[str, bytes]:
    """Read the products: all that is not hidden."""
    paths = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        str(name): path.read_bytes()
        for name, path in paths.items()
        if path.is_file() and not any(part.startswith(".") for part in name.parts)
    }


def hidden(folder: Path, *, resumed: bool) -> list[str]:
    """List what is left of unfinished work, without a run directory to be resumed."""
    found = (path.relative_to(folder) for path in folder.rglob(".*"))
    kept = RUN_DIRECTORIES if resumed else ()
    return sorted(n for n in map(str, found) if not n.startswith(kept))


class Trial:
    """A command, its products, and what is wrong with it."""

    def __init__(self, command: str, inputs: Path, folder: Path, api: str) -> None:
        """Lay out a folder of inputs, which is used again and again."""
        self.words = COMMANDS[command].format(api=api).split()
        self.endless, self.folder = command in ENDLESS, folder
        self.out, self.found = folder / "out", Found(command)
        shutil.copytree(inputs, folder)
        self.good = STOPPED if self.endless else 0
        self.farewells = (BEGINS_ANEW, *[CARRIES_ON] * (command in KEEPING))
        self.products: dict[str, bytes] = {}

    def try_all(self, most: int, random: Random | None = None) -> Found:
        """Find what a command makes, and try it at its moments.

        Args:
            most: At how many renames it is killed at most, the last one among them.
            random: Draws as many instants at which it is killed and interrupted.

        """
        began = time.monotonic()
        ended = self.whole()
        once_s = time.monotonic() - began
        self.products, self.found.moments = visible(self.out), ended.moments
        self.found.made = sorted(self.products)
        last = max(ended.moments, 1) - 1
        moments = np.linspace(last, 0, min(most, last + 1)).astype(int).tolist()
        for moment in moments:
            self.killed(Attempt(signal.SIGKILL, moment))
        self.interrupted(Attempt(signal.SIGINT, last))
        self.held()
        for _ in range(most if random is not None else 0):
            after_s = random.uniform(0, once_s)
            self.killed(Attempt(signal.SIGKILL, None, after_s))
            self.interrupted(Attempt(signal.SIGINT, None, random.uniform(0.5, once_s)))
        self.found.seconds = time.monotonic() - began
        return self.found

    def whole(self) -> Ended:
        """Give the command to its end, and see that nothing unfinished is left."""
        ended = self.attempt(Attempt())
        if ended.status != self.good:
            self.note(f"status {ended.status}: {ended.said}")
        if left := hidden(self.folder, resumed=self.endless):
            self.note(f"left {left}")
        return ended

    def killed(self, attempt: Attempt) -> None:
        """Kill the command, and give it again."""
        name = f"killed by {attempt}"
        self.clear()
        ended = self.attempt(attempt)
        if attempt.moment is not None and ended.status != -signal.SIGKILL:
            self.note(f"{name}: not killed, status {ended.status}: {ended.said}")
        self.nothing_half(name)
        self.whole()
        self.is_whole(f"{name}, again")

    def interrupted(self, attempt: Attempt) -> None:
        """Press Ctrl-C, and give the command again."""
        name = f"interrupted by {attempt}"
        self.clear()
        ended = self.attempt(attempt)
        done = attempt.moment is None and ended.status == 0  # it was faster
        if not done and (
            ended.status != STOPPED or not ended.said.endswith(self.farewells)
        ):
            self.note(f"{name}: status {ended.status}: {ended.said}")
        if "Traceback" in ended.said or ended.said.count("geoseg: stopped") > 1:
            self.note(f"{name}: {ended.said}")
        self.nothing_half(name)
        self.whole()
        self.is_whole(f"{name}, again")

    def held(self) -> None:
        """Give the command twice at once: the second while the first one delivers."""
        self.clear()
        first = begin(self.folder, self.words, Attempt(signal.SIGSTOP))
        if not wait_for_stop(first):
            self.note(f"not held: {end_of(self.folder, first).said}")
            return
        again = begin(self.folder, self.words, Attempt(), "second")
        second = end_of(self.folder, again, "second")
        os.kill(first, signal.SIGCONT)
        if self.endless:
            end_endless(self.folder, first)
        ended = end_of(self.folder, first)
        if second.status != REFUSED or f"by process {first}" not in second.said:
            self.note(f"the second: status {second.status}: {second.said}")
        if ended.status != self.good:
            self.note(f"the first: status {ended.status}: {ended.said}")
        self.is_whole("twice at once")

    def attempt(self, attempt: Attempt) -> Ended:
        """Give the command, have its moment come, and wait for its end."""
        process = begin(self.folder, self.words, attempt)
        if attempt.moment is None and attempt.sent is not None:
            time.sleep(attempt.after_s)
            os.kill(process, attempt.sent)
        elif self.endless:
            end_endless(self.folder, process)
        return end_of(self.folder, process)

    def nothing_half(self, name: str) -> None:
        """See that each product is whole, or not there."""
        for path, content in visible(self.out).items():
            if path not in self.products:
                self.note(f"{name}: {path} is no product")
            elif not same(path, content, self.products[path]):
                self.note(f"{name}: {path} is half")

    def is_whole(self, name: str) -> None:
        """See that all products are there, and nothing else."""
        self.nothing_half(name)
        if missing := set(self.products) - set(visible(self.out)):
            self.note(f"{name}: without {sorted(missing)}")
        if left := hidden(self.folder, resumed=self.endless):
            self.note(f"{name}: left {left}")

    def note(self, fault: str) -> None:
        """Remember what is wrong."""
        self.found.wrong.append(fault)

    def clear(self) -> None:
        """Take all products away."""
        shutil.rmtree(self.out, ignore_errors=True)


def same(name: str, content: bytes, wanted: bytes) -> bool:
    """Compare a product with that of an undisturbed run; of records, that it is one."""
    if Path(name).name in TIMED:
        return content.endswith((b"}\n", b"}", b"\n"))
    return content == wanted


def main() -> None:
    """Try commands, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--moments", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("command", nargs="*", default=[*COMMANDS])
    chosen = parser.parse_args()
    random = None if chosen.seed is None else Random(chosen.seed)  # noqa: S311
    inputs = chosen.folder / "inputs"
    inputs.mkdir(parents=True)
    os.environ["GEOSEG_CACHE"] = str(chosen.folder / "cache")
    import_all()
    os.waitpid(fork(write_inputs, inputs), 0)
    os.waitpid(fork(write_model, inputs), 0)
    with stac_api([found_item(month) for month in range(4, 9)]) as server:
        for command in chosen.command:
            trial = Trial(command, inputs, chosen.folder / command, server.url)
            found = trial.try_all(chosen.moments, random)
            print(json.dumps(asdict(found)), flush=True)  # noqa: T201


def found_item(month: int) -> dict[str, object]:
    """Describe imagery that a search finds."""
    outline = box(12, 51, 14, 53)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"month-{month}",
        "collection": "sentinel-2-l2a",
        "geometry": mapping(outline),
        "bbox": list(outline.bounds),
        "properties": {"datetime": f"2024-{month:02}-15T10:20:30Z"},
        "links": [],
        "assets": {},
    }


if __name__ == "__main__":
    main()
