"""segmentation_models_pytorch, imported without torch's compiler.

timm and torchvision, which it imports, ask the compiler for two small functions. The
compiler brings a third of all that a run imports, and few runs compile. So something
stands in for it meanwhile, which fetches it when one of the two is called.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import segmentation_models_pytorch as smp

__all__ = ["smp"]

_COMPILER = "torch._dynamo"
_UTILITIES = f"{_COMPILER}.utils"


def _is_compile_supported(device_type: str) -> bool:
    """Do what torch's own does."""
    supported: bool = import_module(_UTILITIES).is_compile_supported(device_type)
    return supported


def _disable(
    function: Callable[..., Any], *args: object, **kwargs: object
) -> Callable[..., Any]:
    """Do what torch's own does, when the function is called for the first time."""
    disabled: list[Callable[..., Any]] = []

    @wraps(function)
    def later(*given: object, **named: object) -> object:
        if not disabled:
            compiler = import_module(_COMPILER)
            disabled.append(compiler.disable(function, *args, **kwargs))
        return disabled[0](*given, **named)

    return later


@contextmanager
def _compiler_stood_in_for() -> Iterator[None]:
    """Let imports find the two functions, and not the compiler."""
    if _COMPILER in sys.modules:
        yield
        return
    compiler, utilities = ModuleType(_COMPILER), ModuleType(_UTILITIES)
    vars(compiler).update(utils=utilities, disable=_disable)
    vars(utilities).update(is_compile_supported=_is_compile_supported)
    sys.modules.update({_COMPILER: compiler, _UTILITIES: utilities})
    try:
        yield
    finally:
        for name in (_COMPILER, _UTILITIES):
            del sys.modules[name]


def _import_smp() -> ModuleType:
    name = "segmentation_models_pytorch"
    import_module("torch")
    try:
        with _compiler_stood_in_for():
            return import_module(name)
    except (AttributeError, ImportError):  # other versions may ask for more
        return import_module(name)


if not TYPE_CHECKING:
    smp = _import_smp()
