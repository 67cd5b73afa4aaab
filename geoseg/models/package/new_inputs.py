"""What somebody says of the inputs of bare weights: a file of JSON, an object each.

``[{"name": "s2", "bands": ["B04=red", "B08=nir"], "gsd": 10, "scale": 0.0001,
"dates": {"spring": "03-01/05-15", "summer": "06-15/08-31"}, "mosaic": "median"},
{"name": "dem", "bands": ["elevation"], "gsd": 30, "dtype": "float32"}]``

Bands, ``mean``, ``std``, ``value_range``, ``scale``, ``offset``, ``dtype`` and ``gsd``
are what `NewPackage` has for one image.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from geoseg.errors import ModelError, brief
from geoseg.models.package.inputs import (
    COMPOSITES,
    RESAMPLINGS,
    VALIDS,
    NamedInput,
    flat_bands,
)
from geoseg.models.package.new_card import bands_said
from geoseg.options import NewPackage

if TYPE_CHECKING:
    from pathlib import Path

    Word = TypeVar("Word", bound=str)

_LARGEST = 1_000_000
"""Bytes of the file."""
_KEYS = frozenset(
    (
        *("name", "bands", "gsd", "dtype", "scale", "offset"),
        *("mean", "std", "value_range"),
        *("resampling", "valid", "mosaic", "dates"),
    )
)


def read_new_inputs(path: Path) -> tuple[NamedInput, ...]:
    """Read what a file says of a model's inputs.

    Raises:
        ModelError: It is no such file; the message says which input, and what of it.

    """
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no file of inputs: not JSON ({error})") from error
    if not isinstance(content, list) or not content:
        raise ModelError(f"{path} is no file of inputs: not a list of objects")
    found = []
    for index, each in enumerate(content, start=1):
        try:
            found.append(_input(each))
        except (ModelError, TypeError, ValueError, AttributeError, KeyError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ModelError(f"{path}, input {index}: {reason}") from error
    return tuple(found)


def names_of(inputs: tuple[NamedInput, ...]) -> tuple[str, ...]:
    """Name the bands of all inputs, as the network takes them."""
    return tuple(band.name for band in flat_bands(inputs))


def _input(said: dict[str, Any]) -> NamedInput:
    if not isinstance(said, dict):
        raise ModelError(f"it is {brief(said)}, and no object")
    unknown = sorted(said.keys() - _KEYS)
    if unknown:
        raise ModelError(
            f"it says {', '.join(unknown)}; geoseg knows {', '.join(sorted(_KEYS))}"
        )
    new = NewPackage(
        bands=tuple(map(str, said["bands"])),
        scale=float(said.get("scale", 1)),
        offset=float(said.get("offset", 0)),
        dtype=str(said.get("dtype", "uint16")),
        mean=_numbers(said, "mean"),
        std=_numbers(said, "std"),
        value_range=_pair(_numbers(said, "value_range")),
    )
    return NamedInput(
        name=str(said["name"]),
        bands=bands_said(new),
        dtype=new.dtype,
        scale=new.scale,
        offset=new.offset,
        gsd_m=float(said["gsd"]),
        resampling=_one_of(said, "resampling", RESAMPLINGS),
        valid=_one_of(said, "valid", VALIDS),
        mosaic=_one_of(said, "mosaic", COMPOSITES),
        dates=tuple((str(n), str(w)) for n, w in said.get("dates", {}).items()),
    )


def _numbers(said: dict[str, Any], key: str) -> tuple[float, ...]:
    return tuple(map(float, said.get(key, ())))


def _pair(numbers: tuple[float, ...]) -> tuple[float, float] | None:
    if not numbers:
        return None
    low, high = numbers
    return low, high


def _one_of(said: dict[str, Any], key: str, known: tuple[Word, ...]) -> Word:
    usual = {"resampling": "bilinear", "valid": "all", "mosaic": "first"}[key]
    for word in known:
        if word == said.get(key, usual):
            return word
    raise ModelError(f"{key} is {brief(said[key])}; geoseg knows {', '.join(known)}")
