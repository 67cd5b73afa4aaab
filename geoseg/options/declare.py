"""How an option says what it is: once, for Python and for the command line."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any

_KEY = "option"
"""Of a field's metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of an option beside its name, its type and its default."""

    text: str
    """What it does; other options are named in it as in messages: see `errors`."""
    otherwise: str = ""
    """What counts where it is None or 0."""
    metavar: str = ""
    """How its value is written."""
    least: int | None = None
    """The least number that it may be."""
    most: int | None = None
    """The greatest."""
    repeats: bool = False
    """Whether it may be given several times."""
    flag: str = ""
    """Its name on the command line, where that is not the field's."""
    short: str = ""
    """Its letter there, if it has one."""
    heading: str = ""
    """Under what it stands in help, where that is not its class's heading."""
    holds: str = ""
    """What its value is, so that shells complete it: ``model``, ``legend``,
    ``format``, ``field``, ``path`` on a disk, or ``path_or_url``."""

    def in_python(self) -> str:
        """Describe it where Python asks for help."""
        return f"{self.text} [None: {self.otherwise}]" if self.otherwise else self.text


def option(default: Any, text: str, **more: Any) -> Any:  # noqa: ANN401  # as field() does
    """Declare a field that is an option; what may be said is in `About`."""
    return _declared(default, About(text=text, **more))


def as_in(kind: Any, name: str, **more: Any) -> Any:  # noqa: ANN401  # as field() does
    """Declare the option that another class has, too.

    Args:
        kind: That class, which has a heading.
        name: The field.
        more: Its ``default`` and what is in `About`, where they differ.

    """
    each = next(one for one in fields(kind) if one.name == name)
    about_it = replace(each.metadata[_KEY], heading=kind.HEADING)
    default = more.pop("default", each.default)
    return _declared(default, replace(about_it, **more))


def _declared(default: Any, about_it: About) -> Any:  # noqa: ANN401  # as field() does
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata={_KEY: about_it})
    return field(default=default, metadata={_KEY: about_it})


def default_of(each: Field[Any]) -> Any:  # noqa: ANN401  # any default
    """Give what an option is by default; None where that is an empty mapping."""
    return None if each.default is MISSING else each.default


def about(each: Field[Any]) -> About | None:
    """Say what is known of an option; None of a field that is none by itself."""
    found: About | None = each.metadata.get(_KEY)
    return found
