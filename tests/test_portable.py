"""Nothing that only some systems have is needed to import geoseg."""

import subprocess
import sys

from paths import ROOT

CODE = """
import importlib, sys
import click, distributed, geopandas, matplotlib, numba, onnxruntime, pyarrow, pystac
import rasterio, rich, safetensors, segmentation_models_pytorch, torch
for name in ("resource", "fcntl", "pwd", "grp", "termios", "tty"):
    sys.modules[name] = None  # an import of it fails, as on Windows
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_no_module_needs_what_only_posix_has():
    paths = (ROOT / "geoseg").rglob("*.py")
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    names.discard("geoseg.__main__")  # it runs
    modules = sorted(name.removesuffix(".__init__") for name in names)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
