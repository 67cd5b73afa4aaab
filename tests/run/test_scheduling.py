"""The benchmark of scheduling still runs: figures of it are quoted."""

import runpy

import pytest
from paths import ROOT

SCRIPT = ROOT / "workflows" / "benchmarks" / "scheduling.py"


@pytest.mark.parametrize("apart", [False, True])
def test_the_benchmark_walks_all_blocks(tmp_path, monkeypatch, apart):
    monkeypatch.syspath_prepend(SCRIPT.parent)  # it uses others beside it
    points = runpy.run_path(str(SCRIPT))["walk"](25, tmp_path, apart=apart)
    assert 20 <= points[-1].blocks < 25  # all but the first that came
    assert points[-1].seconds > 0
