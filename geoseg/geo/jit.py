"""How the loops over pixels and vertices are compiled.

A kernel calls kernels of its own file only: the machine code on disk is thrown
away when that file has changed, and at no other time. A test watches it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
R = TypeVar("R")

_ALGEBRA = "scipy.linalg.cython_blas"
"""What numba imports to see whether it is there, with much else of scipy."""

_compiled = partial(njit, nogil=True, error_model="numpy")
# Loops do not ask before each division whether to raise an error.


@contextmanager
def _algebra_stood_in_for() -> Iterator[None]:
    """Let numba find linear algebra, and import it when a kernel asks for some."""
    if _ALGEBRA in sys.modules or find_spec("scipy") is None:
        yield
        return
    sys.modules[_ALGEBRA] = ModuleType(_ALGEBRA)
    try:
        yield
    finally:
        del sys.modules[_ALGEBRA]


with _algebra_stood_in_for():
    import_module("numba.np.arraymath")  # else by the first kernel that is called


def is_kept(compiled: object) -> bool:
    """Return whether a kernel's machine code is on disk, so that it starts at once.

    Where it is not, the first call of every kernel compiles it: some ten seconds
    in all, once after installation.
    """
    stats = getattr(compiled, "stats", None)
    code = getattr(compiled, "py_func", None)
    if stats is None or code is None or stats.cache_path is None:
        return False
    stem = code.__module__.rpartition(".")[2]
    line = code.__code__.co_firstlineno
    pattern = f"{stem}.{code.__qualname__}-{line}.*.nbi"
    return any(Path(stats.cache_path).glob(pattern))


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function at its first call, and keep the machine code on disk.

    The lock that serialises Python threads is released while it runs. Where
    no directory for the machine code can be written, each process compiles anew.
    """
    try:
        compiled: Callable[P, R] = _compiled(cache=True)(function)
    except RuntimeError:  # numba's "no locator available": nowhere to write
        compiled = _compiled()(function)
    return compiled
