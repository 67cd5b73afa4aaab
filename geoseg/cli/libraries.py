"""Which libraries are installed that geoseg cannot work with."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.version import Version

_OF_PEOPLE = ("", "train", "onnx", "cluster", "hdf5", "planetary-computer", "s3", "gpu")
"""Extras whose libraries work for people, none first; others are for tests and docs."""


def unfit_libraries() -> list[str]:
    """Name each library of another version than geoseg needs, and what it needs.

    Installers see to that, until something else is installed beside it. What belongs to
    an extra counts where it is installed.
    """
    found = {}
    for text in requires("geoseg") or ():
        need = Requirement(text)
        has = _installed(need.name) if _is_for_people(need) else None
        if has is not None and not need.specifier.contains(has, prereleases=True):
            wanted = f"{need.name}{need.specifier}"
            found[need.name] = f"{need.name} {has} is installed and {wanted} is needed"
    return list(found.values())


def mixed_torch() -> str:
    """Say that PyTorch's two packages are of different builds; empty where not.

    One for CPUs beside one for GPUs is installed without a word, and fails when used.
    """
    has = [_installed(name) for name in ("torch", "torchvision")]
    if len({each and Version(each).local for each in has}) == 1:
        return ""
    return (
        f"torch {has[0]} and torchvision {has[1]} are of different builds: install "
        f"both again, in one command and from one place"
    )


def _is_for_people(need: Requirement) -> bool:
    extras = ({"extra": extra} for extra in _OF_PEOPLE)
    return need.marker is None or any(map(need.marker.evaluate, extras))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
