"""Try geoseg with the oldest libraries that it allows, or with the newest.

What pyproject.toml says of versions is a promise; this keeps it. uv chooses for each
library that geoseg names the oldest version that is allowed and that the index has for
this Python (or with --newest the newest), pip installs them into an environment of
their own, and a short suite and the sample's map are run there:

    pip install uv && python workflows/install/bounds.py /tmp/oldest
    python workflows/install/bounds.py /tmp/newest --newest

`--with torch==2.14.1` holds a library at another version, where an old one is not to be
had, or is too large to download.
"""

import argparse
import subprocess
import sys
import venv
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
SUITE = (
    "tests/geo",
    "tests/overlay",
    "tests/raster",
    "tests/evaluate/test_evaluate.py",
    "tests/models/test_packages.py",
    "tests/run/test_engine.py",
    "tests/vectorize/test_vectorize_writers.py",
    "tests/train/test_few_labels.py",
    "tests/search",
)
"""A test or more of each library: what a plain map needs, then each extra."""

QUIET = ("-W", "default")  # old libraries warn of what newer Pythons bring


def main() -> None:
    """Choose versions, install them, run the suite."""
    asked = arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    python = environment(asked.folder / "venv")
    versions = chosen(asked.folder, newest=asked.newest, held=asked.held)
    run(python, "-m", "pip", "install", "--quiet", "--requirement", versions)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", CLONE)
    run(python, "-m", "pytest", "--quiet", *QUIET, *SUITE)
    scene = ("sample_aoi/scene.tif", "--aoi", "sample_aoi/aoi.geojson")
    out = asked.folder / "out"
    run(python, "-m", "geoseg", "segment", *scene, "-o", out)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environment is made")
    parser.add_argument("--newest", action="store_true", help="not the oldest")
    parser.add_argument(
        "--with", dest="held", action="append", default=[], metavar="NAME==VERSION"
    )
    return parser.parse_args()


def environment(folder: Path) -> Path:
    """Make an empty environment, and give its Python."""
    venv.create(folder, clear=True, with_pip=True)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def chosen(folder: Path, *, newest: bool, held: list[str]) -> Path:
    """Write which version of each library is tried."""
    overrides, versions = folder / "held.txt", folder / "versions.txt"
    overrides.write_text("".join(f"{each}\n" for each in held))
    version = "{}.{}".format(*sys.version_info)
    run(
        *(sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml"),
        *("--quiet", "--extra", "test", "--python-version", version),
        *("--resolution", "highest" if newest else "lowest-direct"),
        *("--override", overrides, "--output-file", versions),
    )
    return versions


def run(*command: Path | str) -> None:
    """Run a program in the clone; end with its status where it fails."""
    print("$", *command, flush=True)
    done = subprocess.run([str(each) for each in command], cwd=CLONE, check=False)  # noqa: S603  # ours
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
