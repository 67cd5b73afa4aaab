"""The benchmark of scheduling still runs: figures of it are quoted."""

import runpy

import pytest
from paths import ROOT

SCRIPT = ROOT / "workflows" / "benchmarks" / "scheduling.py"


@pytest.mark.parametrize("apart", [False, True])
def test_the_benchmark_walks_all_blocks(tmp_path, apart):
    points = runpy.run_path(str(SCRIPT))["walk"](25, tmp_path, apart=apart)
    assert points[-1].blocks >= 25
    assert points[-1].seconds > 0
