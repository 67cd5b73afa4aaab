"""What is compiled is compiled anew whenever what it calls has changed."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import geoseg

PACKAGE = Path(geoseg.__file__).parent
TREES = {
    f"{room}.{path.stem}": ast.parse(path.read_text())
    for room in ("scene", "vectorize")
    for path in (PACKAGE / room).rglob("*.py")
}


def kernels(tree):
    """Find the functions that are compiled."""
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(getattr(d, "id", "") == "kernel" for d in node.decorator_list)
    ]


ALL_KERNELS = {node.name for tree in TREES.values() for node in kernels(tree)}


@pytest.mark.parametrize("module", sorted(TREES))
def test_a_kernel_calls_kernels_of_its_own_file_only(module):
    here = {node.name for node in kernels(TREES[module])}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for function in kernels(TREES[module]):
        called = {
            node.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & ALL_KERNELS & imported, function.name
        assert called & ALL_KERNELS <= here, function.name


def test_there_are_kernels_to_watch():
    assert {"label_pixels", "trace", "link", "straighten"} <= ALL_KERNELS


def test_who_asks_hears_that_the_first_call_compiles(tmp_path):
    code = (
        "import numpy as np\n"
        "from geoseg.geo.jit import is_kept, kernel\n"
        "from geoseg.vectorize.clear import index_vertices as first\n"
        "before = is_kept(first)\n"
        "first(np.zeros((1, 2), np.int32), 1, np.zeros(1, np.int32))\n"
        "print(before, is_kept(first))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        for _ in range(2)
    ]
    assert answers == ["False True\n", "True True\n"]


def test_kernels_work_where_no_machine_code_can_be_kept(tmp_path):
    copy = tmp_path / "kernel_user.py"
    copy.write_text(
        "from geoseg.geo.jit import kernel\n"
        "@kernel\n"
        "def double(value):\n"
        "    return 2 * value\n"
        "print(double(21))\n"
    )
    code = f"exec(compile({copy.read_text()!r}, 'nowhere at all', 'exec'))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "42\n"
