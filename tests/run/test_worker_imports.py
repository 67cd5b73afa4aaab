"""What a worker imports before its first block: no more than it uses."""

import subprocess
import sys

UNUSED = ("torch._dynamo", "sympy", "matplotlib", "pandas", "geopandas", "xarray")
CODE = f"""
import sys
import geoseg.overlay.aoi, geoseg.predict, geoseg.run.cluster, geoseg.run.tasks
from geoseg import load_network, load_package
load_network(load_package("sentinel2-landcover"))
found = sorted(set({UNUSED}) & set(sys.modules))
import torch, torchvision
print(found, torch.compiler.disable(len)("abc"))
print(torchvision.ops.roi_align.__module__, "torch._dynamo" in sys.modules)
"""


def test_a_worker_imports_no_compiler_no_plots_and_no_tables():
    """And whoever wants the compiler finds torch's own afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[] 3", "torchvision.ops.roi_align True"]
