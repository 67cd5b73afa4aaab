"""What geoseg's commands take, and how one of them is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTION = Path(__file__).with_name("commands.json")
"""What `build_plugin.py` makes of geoseg's own declarations."""
EXTENT_CRS = "--bbox-crs"
"""The flag for the CRS of an extent."""

Value = Union[str, float, bool, "list[str]", None]
"""What was chosen: a text, a number, yes or no, several texts, or nothing."""


@dataclass(frozen=True)
class Option:
    """A flag or an argument of a command."""

    name: str
    """What QGIS calls it, such as ``MIN_AREA``."""
    flag: str
    """What the command line calls it; nothing of an argument."""
    kind: str
    """What it holds: see `parameters`."""
    label: str
    """Its name for people."""
    text: str
    """What it does."""
    default: Any = None
    """What counts where nothing is said, as `Value`."""
    choices: tuple[str, ...] = ()
    """What can be chosen."""
    least: float | None = None
    """The least number that it may be."""
    most: float | None = None
    """The greatest."""
    parent: str = ""
    """The option whose file has the columns that it names."""
    required: bool = False
    """Whether it has to be said."""
    basic: bool = False
    """Whether it is shown at first sight."""


@dataclass(frozen=True)
class Command:
    """One of geoseg's commands."""

    name: str
    """What the command line calls it."""
    text: str
    """What it does, in a line."""
    about: str
    """What it does, and what it gives."""
    options: tuple[Option, ...]
    """What it takes, in the order in which it is asked for."""

    def written(self, values: Mapping[str, Value]) -> list[str]:
        """Write it as the command line does, without the program.

        What is as by default is left out: a ``geoseg.toml`` beside the data may say it.

        Args:
            values: What was chosen, by the options' names.

        """
        flags, arguments = ["--json", "--json-progress"], []
        for option in self.options:
            value = values.get(option.name)
            if not option.flag:
                arguments += _several(value)
            elif value != option.default:
                flags += _flags(option, value)
        crs = values.get(EXTENT_CRS)
        if crs:
            flags.append(f"{EXTENT_CRS}={crs}")
        return [self.name, *flags, *(["--", *arguments] if arguments else [])]


def _several(value: Value) -> list[str]:
    if isinstance(value, list):
        return value
    return [] if value in {None, ""} else [str(value)]


def _flags(option: Option, value: Value) -> list[str]:
    if isinstance(value, bool):
        return [option.flag] if value else []
    # With = no value is taken for a flag, such as a box that begins in the west.
    return [f"{option.flag}={each}" for each in _several(_number(value))]


def _number(value: Value) -> Value:
    """Write whole numbers as such: a form's numbers may be all floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value


def load(path: Path = DESCRIPTION) -> list[Command]:
    """Read what geoseg's commands take."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return [
        Command(
            name=each["name"],
            text=each["text"],
            about=each["about"],
            options=tuple(
                Option(**{**one, "choices": tuple(one.get("choices", ()))})
                for one in each["options"]
            ),
        )
        for each in told["commands"]
    ]
