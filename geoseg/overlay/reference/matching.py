"""The map's class of each class of a reference."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_LISTED = 20
"""Classes that a sentence lists at most."""


def match_classes(
    found: Iterable[str],
    classes: Mapping[str, int],
    mapping: Mapping[str, str],
    numbers: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Find the map's class of each class of a reference, by name or by id.

    Args:
        found: The reference's classes.
        classes: Names and ids of the map's.
        mapping: As in `read_reference`.
        numbers: The same.

    Returns:
        An id for each; 255 for those that are left out.

    Raises:
        LabelsError: A class has no counterpart, or the mapping names one that is
            not there.

    Example:
        >>> match_classes({"wood", "7", "bog"}, {"woodland": 2, "water": 7},
        ...     {"wood": "woodland", "bog": ""}) == {"wood": 2, "7": 7, "bog": 255}
        True

    """
    matched = counterparts(found, classes, mapping, numbers)
    strange = [name for name, value in matched.items() if value is None]
    if strange:
        raise other_classes(matched, strange, tuple(classes))
    return {name: value for name, value in matched.items() if value is not None}


def counterparts(
    found: Iterable[str],
    classes: Mapping[str, int],
    mapping: Mapping[str, str],
    numbers: Mapping[str, int] | None = None,
) -> dict[str, int | None]:
    """Find the same as `match_classes`; None for a class without a counterpart."""
    names = sorted(found)
    if numbers is None:
        numbers = {str(value): value for value in classes.values()}
    known = {**numbers, **classes, "": NODATA}
    for name, target in mapping.items():
        if name not in names:
            raise LabelsError(
                f"the mapping names {name!r}, which is no class of the reference; "
                f"it has {listed(names)}{_likest(name, names)}"
            )
        if target not in known:
            raise LabelsError(
                f"the mapping makes {name!r} {target!r}, which is no class of the "
                f"map; it has {listed(classes)}{_likest(target, classes)}"
            )
    return {name: known.get(mapping.get(name, name)) for name in names}


def other_classes(
    found: Iterable[str], strange: Iterable[object], known: tuple[str, ...]
) -> LabelsError:
    """Say which classes have no counterpart, and how to give them one."""
    names = [str(name) for name in strange]
    like = next((near for name in names if (near := likest(name, known))), known[0])
    first = next((name for name in names if likest(name, known)), names[0])
    return LabelsError(
        f"the reference has classes that the map has not: {listed(names)}; the "
        f"reference has {listed(found)}, the map {listed(known)}; say which is "
        f"which in a mapping, as in `mapping='{first}={like}'` "
        f"('{first}=' leaves it out)"
    )


def likest(name: str, names: Iterable[str]) -> str | None:
    """Find the name that is most like another one, if any is like it at all.

    Example:
        >>> likest("Trees", ["meadow", "tree"]), likest("lake", ["meadow", "tree"])
        ('tree', None)

    """
    folded = {each.casefold(): each for each in names}
    found = get_close_matches(name.casefold(), folded, 1)
    return folded[found[0]] if found else None


def _likest(name: str, names: Iterable[str]) -> str:
    found = likest(name, names)
    return f"; did you mean {found!r}?" if found else ""


def listed(names: Iterable[str]) -> str:
    """List names, the first twenty."""
    names = list(names)
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
