"""Flags of commands that take what a search finds as their scene."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import geoseg
from geoseg.cli.options import flags_of, options_of
from geoseg.cli.spelling import flag_of
from geoseg.errors import InputError
from geoseg.options import option

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    Given = TypeVar("Given", bound=Sized)
    Command = TypeVar("Command", bound=Callable[..., None])

_WHEN = "datetime"
"""What a scene has a flag for, too: one serves both."""


@dataclass(frozen=True)
class CatalogueOptions:
    """Where is looked."""

    HEADING: ClassVar[str] = geoseg.SearchOptions.HEADING

    search: str | None = option(
        None,
        "Instead of SCENE take what this catalogue has of the area and the time: "
        "earth-search, planetary-computer, cdse, or the address of a STAC API. The "
        "items are kept in the output, and the same command uses them again.",
        metavar="CATALOGUE",
    )


def searching(command: Command) -> Command:
    """Add --search and its conditions; --datetime and the area are the scene's own."""
    conditions = flags_of(geoseg.SearchOptions, leave_out=(_WHEN,))
    return flags_of(CatalogueOptions)(conditions(command))


def take_search(scene: Given, flags: dict[str, Any]) -> Given | geoseg.Search:
    """Take the search out of a command's flags; the scene as it is without one."""
    catalogue = flags.pop("search")
    names = [each.name for each in fields(geoseg.SearchOptions) if each.name != _WHEN]
    asked = options_of(geoseg.SearchOptions, {name: flags.pop(name) for name in names})
    if catalogue is not None and scene:
        raise InputError("SCENE and --search both say what to read; give one of them")
    if catalogue is not None:
        return geoseg.Search(catalogue, replace(asked, datetime=flags[_WHEN]))
    plain = geoseg.SearchOptions()
    given = [name for name in names if getattr(asked, name) != getattr(plain, name)]
    if given:
        raise InputError(
            f"{flag_of(given[0])} is a condition of --search; name a catalogue with it"
        )
    return scene
