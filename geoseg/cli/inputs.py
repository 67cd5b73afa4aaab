"""Several inputs of a model by name, in place of one scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from geoseg.errors import InputError
from geoseg.options import option

if TYPE_CHECKING:
    Named = str | tuple[str, ...] | dict[str, list[str]]


@dataclass(frozen=True)
class InputFlags:
    """What several inputs are read from."""

    HEADING: ClassVar[str] = "Where"

    inputs: tuple[tuple[str, str], ...] = option(
        (),
        "An input of a model that takes several, instead of SCENE: dem=dem.tif; what "
        "is given one name several times is one mosaic.",
        flag="input",
        repeats=True,
        metavar="NAME=FILE",
    )


def check_each(inputs: object, *, each: bool, field: str | None) -> None:
    """Refuse ways to take apart what is mapped that do not go with what that is.

    Raises:
        InputError: They do not.

    """
    if each and field is not None:
        raise InputError("--each and --per-feature cannot go together; give one")
    if each and isinstance(inputs, dict):
        raise InputError(
            "--each maps scenes by themselves, and inputs by name are one scene; leave "
            "out --each, and map one place after the other"
        )


def take_scene(scene: str | tuple[str, ...] | None, flags: dict[str, Any]) -> Named:
    """Take what is to be read out of a command's arguments and flags.

    Args:
        scene: What was named as one scene; nothing where inputs have names.
        flags: The command's, without `InputFlags` afterwards.

    Raises:
        InputError: Both are given.

    """
    named: tuple[tuple[str, str], ...] = flags.pop("inputs")
    if scene and named:
        raise InputError(
            "a scene is named, and inputs by `input`; give one of both: a model of "
            "several inputs takes all of them by name"
        )
    if not named:
        return () if scene is None else scene
    found: dict[str, list[str]] = {}
    for name, path in named:
        found.setdefault(name, []).append(path)
    return found
