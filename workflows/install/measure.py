"""Measure what it takes to install geoseg: seconds, megabytes, and the first map.

Builds the sdist and the wheel of this clone, installs each, the clone itself and every
extra into environments of their own, outside of the clone, and maps the sample from
there. Prints the rows of the table in docs/install.md:

    pip install build && python workflows/install/measure.py /tmp/paths
    python workflows/install/measure.py /tmp/paths --only wheel --with torch==2.13.0+cpu

PyTorch and the libraries for NVIDIA GPUs that it brings are counted apart: they are
most of it, and where pip gets them from decides how long that takes. Seconds are by the
clock and, in brackets, of the processor. An environment is removed when it has been
measured; 8 GB of free disk are enough.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

CLONE = Path(__file__).resolve().parents[2]
PATHS = ("wheel", "sdist", "clone", "extras")
OF_TORCH = ("torch", "triton", "nvidia-", "cuda-")
"""How the names of PyTorch's packages begin."""
NOT_USERS = {"test", "docs"}
"""Extras of who works on geoseg itself."""


class Took(NamedTuple):
    """The seconds that a program took."""

    clock_s: float
    """By the clock."""
    cpu_s: float
    """Of the processor: nearly the same whatever else is at work."""

    def __str__(self) -> str:
        """Write both, as a table has them."""
        return f"{self.clock_s:.0f} ({self.cpu_s:.0f})"


def main() -> None:
    """Build, then walk each path and print its row."""
    asked = arguments()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "dist"
    shutil.rmtree(built, ignore_errors=True)
    took = timed(sys.executable, "-m", "build", "--outdir", built, CLONE)
    wheel, sdist = next(built.glob("*.whl")), next(built.glob("*.tar.gz"))
    print(f"built in {took} s: {described(sdist)}, {described(wheel)}")
    print("| path | install, s | PyTorch, MB | the rest, MB | first map, s | next, s |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    paths = {"wheel": [wheel], "sdist": [sdist], "clone": ["--editable", CLONE]}
    for name in asked.only or PATHS:
        if name == "extras":
            measure_extras(folder, wheel, asked.held)
        else:
            measure(name, folder, paths[name], asked.held)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where environments are made")
    parser.add_argument("--only", action="append", choices=PATHS)
    parser.add_argument(
        "--with", dest="held", action="append", default=[], metavar="NAME==VERSION"
    )
    return parser.parse_args()


def measure(name: str, folder: Path, what: list[Path | str], held: list[str]) -> None:
    """Print the row of one path: installed, weighed, and used for two maps."""
    room = environment(folder / name)
    took = pip(room, *what, *held)
    torch, rest = weigh(room)
    print(f"| {name} | {took} | {torch:,.0f} | {rest:,.0f} |", end="", flush=True)
    for out in ("a", "b"):
        print(f" {one_map(room, folder / 'away', out)} |", end="", flush=True)
    print()
    shutil.rmtree(room)


def measure_extras(folder: Path, wheel: Path, held: list[str]) -> None:
    """Print what each extra adds to an environment that has the wheel alone."""
    room = environment(folder / "extras")
    pip(room, wheel, *held)
    plain, before = packages(room), sum(weigh(room))
    project = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))
    for extra in sorted({*project["project"]["optional-dependencies"]} - NOT_USERS):
        try:
            took = pip(room, f"geoseg[{extra}] @ {wheel.as_uri()}", *held)
        except subprocess.CalledProcessError as error:
            print(f"| `[{extra}]` | {last_words(error)} |", flush=True)
            continue
        new = sorted(packages(room) - plain)
        grown = sum(weigh(room)) - before
        print(
            f"| `[{extra}]`, {len(new)} packages more | {took} | | {grown:,.0f} | | |",
            flush=True,
        )
        if new:
            names = [each.partition("==")[0] for each in new]
            timed(python_of(room), "-m", "pip", "uninstall", "--yes", *names)
    shutil.rmtree(room)


def environment(folder: Path) -> Path:
    """Make an empty environment."""
    venv.create(folder, clear=True, with_pip=True)
    return folder


def python_of(room: Path) -> Path:
    """Give an environment's Python."""
    return room / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def pip(room: Path, *what: Path | str) -> Took:
    """Install, and give the seconds."""
    return timed(python_of(room), "-m", "pip", "install", "--quiet", *what)


def one_map(room: Path, away: Path, out: str) -> Took:
    """Map the sample's area of interest in a folder without a clone; give seconds."""
    program = python_of(room).with_name("geoseg")
    sample = away / "s"
    if out == "a":
        shutil.rmtree(away, ignore_errors=True)
        away.mkdir()
        timed(program, "sample", sample, cwd=away)
    scene = (sample / "scene.tif", "--aoi", sample / "aoi.geojson")
    cache = {"GEOSEG_CACHE": str(away / "cache")}
    took = timed(program, "segment", *scene, "-o", away / out, cwd=away, env=cache)
    report = json.loads((away / out / "run.json").read_text(encoding="utf-8"))
    if not report["class_areas"]:
        sys.exit(f"{program} made an empty map")
    return took


def weigh(room: Path) -> tuple[float, float]:
    """Count the megabytes of PyTorch's packages, and of all the others."""
    torch = rest = 0.0
    for package in packages_of(room):
        files = (Path(str(package.locate_file(path))) for path in package.files or ())
        size = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        if package.metadata["Name"].lower().startswith(OF_TORCH):
            torch += size
        else:
            rest += size
    return torch, rest


def packages(room: Path) -> set[str]:
    """Name the packages of an environment, with their versions."""
    return {f"{each.metadata['Name']}=={each.version}" for each in packages_of(room)}


def packages_of(room: Path) -> Iterator[Distribution]:
    """Find the packages of an environment."""
    places = [*room.glob("lib/python*/site-packages"), *room.glob("Lib/site-packages")]
    return iter(distributions(path=[str(each) for each in places]))


def described(file: Path) -> str:
    """Name a file and its size."""
    return f"{file.name} {file.stat().st_size / 1e6:.1f} MB"


def last_words(error: subprocess.CalledProcessError) -> str:
    """Give the last line of what a program said when it failed."""
    said = (error.stderr or "").strip().splitlines()
    return said[-1] if said else "failed"


def timed(
    *command: Path | str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> Took:
    """Run a program, and give the seconds."""
    started, before = time.perf_counter(), os.times()
    subprocess.run(  # noqa: S603  # ours
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        check=True,
        capture_output=True,
        text=True,
    )
    after = os.times()
    cpu = after.children_user - before.children_user
    cpu += after.children_system - before.children_system
    return Took(time.perf_counter() - started, cpu)


if __name__ == "__main__":
    main()
