"""What public functions are given: of the kinds that they say, or a sentence.

Kinds are compared by the names that annotations have, so nothing is imported to find
that a dict is no `SegmentOptions`. What is in a value is looked at where it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from geoseg.errors import InputError
from geoseg.options.declare import about

ALIASES = {
    "Area": "Path | str | GeoDataFrame | GeoSeries | Geometry",
    "GivenLegend": "Legend | Path | str",
    "GivenMap": "Path | str | DataArray",
    "Image": "Path | str | Scene | DataArray | Sequence | Mapping",
    "Inputs": "Path | str | Sequence | Mapping",
    "Scenes": "Sequence | Mapping",
    "OnStep": "Callable",
    "ArrayLike": "ndarray | Sequence",
}
"""What stands for several kinds in signatures, written as those."""
_ANY_OF: dict[str, Callable[[object], bool]] = {
    "None": lambda it: it is None,
    "str": lambda it: isinstance(it, str),
    "Path": lambda it: isinstance(it, str | os.PathLike),
    "bool": lambda it: isinstance(it, bool) or _is_named(it, "bool_"),
    "int": lambda it: isinstance(it, Integral) and not isinstance(it, bool),
    "float": lambda it: isinstance(it, Real) and not isinstance(it, bool),
    "Sequence": lambda it: isinstance(it, Sequence) and not isinstance(it, str | bytes),
    "tuple": lambda it: isinstance(it, Sequence) and not isinstance(it, str | bytes),
    "Mapping": lambda it: isinstance(it, Mapping),
    "Callable": callable,
}
"""How what is no class of geoseg's or of another library's is known."""
_WRITTEN = {
    "None": "None",
    "str": "a text",
    "Path": "a path",
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "Sequence": "a list",
    "tuple": "a tuple",
    "Mapping": "a dict",
    "Callable": "a function",
    "GeoDataFrame": "a GeoDataFrame",
    "GeoSeries": "a GeoSeries",
    "Geometry": "a geometry of shapely's",
    "DataArray": "an xarray.DataArray",
    "ndarray": "an array",
    "Tensor": "a tensor of torch's",
}
"""What it is called in a message, where it is none of geoseg's own."""
_OURS = re.compile(r"\w+Options|(Model|New)Package|GeoBox|Legend|Scene|Search")
"""Classes of the public API that its functions take."""


_LIST = "Sequence["
"""What begins the kind of a list, whose elements are looked at, too."""
_A_PATH = {"Path"}
"""The kinds of what must be a path, for which a text does as well."""


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function refuse what is of another kind than its signature says.

    Args:
        function: A public one.

    Returns:
        One that is called, documented and sent to workers as ``geoseg.`` and its name.

    """
    known = signature(function)
    name = f"geoseg.{function.__name__}"

    @wraps(function)
    def public(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # those of any function
        given = None
        with suppress(TypeError):
            given = known.bind(*args, **kwargs)
        if given is None:  # too few, or too many: Python says which
            return function(*args, **kwargs)
        for each, value in given.arguments.items():
            parameter = known.parameters[each]
            if parameter.kind is parameter.VAR_POSITIONAL:
                for one in value:
                    check_kind(one, parameter.annotation, each, name)
            elif check_kind(value, parameter.annotation, each, name) == _A_PATH:
                given.arguments[each] = value if value is None else Path(value)
        return function(*given.args, **given.kwargs)

    public.__module__, public.__qualname__ = "geoseg", function.__name__
    return public


def check_kind(value: object, annotation: object, name: str, taker: str) -> set[str]:
    """Refuse what is of another kind than an annotation allows, as are its parts.

    Args:
        value: What was given.
        annotation: The kinds, as they are written in source; unknown ones are not
            checked.
        name: What it was given as.
        taker: What it was given to.

    Returns:
        The kinds that it may be of, beside None.

    Raises:
        InputError: It is of another one.

    """
    kinds = kinds_of(str(annotation))
    is_no_path = "Path" in kinds and isinstance(value, str) and not value
    if is_no_path or (kinds and not any(_is(value, kind) for kind in kinds)):
        given, wanted = _kind(value), _one_of(kinds)
        raise InputError(f"`{name}` of {taker} is {given}; give {wanted}")
    for part in _alternatives(str(annotation)):
        if part.startswith(_LIST) and isinstance(value, list | tuple):
            for one in value:
                check_kind(one, part.removeprefix(_LIST)[:-1], name, taker)
    if is_dataclass(value) and any(about(each) for each in fields(value)):
        owner = f"geoseg.{type(value).__name__}"
        for each in fields(value):
            check_kind(getattr(value, each.name), each.type, each.name, owner)
    return {*kinds} - {"None"}


@cache
def kinds_of(annotation: str) -> tuple[str, ...]:
    """List the kinds in an annotation; none where one of them is not known by name.

    Example:
        >>> kinds_of("Path | Sequence[str | Path] | None")
        ('Path', 'Sequence', 'None')

    """
    kinds: list[str] = []
    for part in _alternatives(annotation):
        kind = part.partition("[")[0].rpartition(".")[2]
        if kind in ALIASES:
            kinds += kinds_of(ALIASES[kind])
        elif kind in _ANY_OF or kind in _WRITTEN or _OURS.fullmatch(kind):
            kinds.append(kind)
        else:
            return ()
    return tuple(dict.fromkeys(kinds))


def _alternatives(annotation: str) -> list[str]:
    """Split at the bars that stand in no brackets."""
    parts, depth = [""], 0
    for sign in annotation:
        depth += (sign == "[") - (sign == "]")
        if sign == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def _is(value: object, kind: str) -> bool:
    known = _ANY_OF.get(kind)
    return known(value) if known else _is_named(value, kind)


def _is_named(value: object, kind: str) -> bool:
    """Return whether a value is of a class of that name, or of one made of it."""
    return any(each.__name__ == kind for each in type(value).__mro__)


def _kind(value: object) -> str:
    """Say what was given, by its kind: values may be long, or be somebody's data."""
    if value is None:
        return "None"
    if isinstance(value, str) and not value:
        return "an empty text"
    if isinstance(value, type):
        return f"the class {value.__name__}, not one of it"
    return f"of the type {type(value).__name__}"


def _one_of(kinds: tuple[str, ...]) -> str:
    """Write what may be given: a path is a text as well."""
    wanted = [kind for kind in kinds if kind != "str" or "Path" not in kinds]
    words = [_WRITTEN.get(kind) or f"a geoseg.{kind}" for kind in wanted]
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
