"""How an option says what it is: once, for Python and for the command line."""

from __future__ import annotations

from dataclasses import Field, dataclass, field
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
    holds: str = ""
    """What its value is, so that shells complete it: ``model``, ``legend``,
    ``format``, ``place`` or ``field``."""

    def in_python(self) -> str:
        """Tell of it where Python asks for help."""
        return f"{self.text} [None: {self.otherwise}]" if self.otherwise else self.text


def option(default: Any, text: str, **more: Any) -> Any:  # noqa: ANN401  # as field() does
    """Declare a field that is an option; what may be said is in `About`."""
    told = About(text=text, **more)
    return field(default=default, metadata={_KEY: told})


def about(each: Field[Any]) -> About | None:
    """Say what is known of an option; None of a field that is none by itself."""
    told: About | None = each.metadata.get(_KEY)
    return told
