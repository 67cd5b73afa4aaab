"""Class ids, names, colours, nodata: the legend of a map."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING

from geoseg.errors import InputError, brief, fault_of_name
from geoseg.geo.colours import colours_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NODATA = 255
"""The class id that means "no class": outside the AOI or the scene's data."""

UNKNOWN = 254
"""The class id of pixels that no class is certain enough for."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class of a legend."""

    id: int
    """The value in the class map, 0 to 254."""

    name: str
    """The name that people read, unique in its legend."""

    colour: str
    """The colour on maps, ``#rrggbb``."""

    value: int | None = None
    """What a raster of another tool calls it, where its file has a name."""

    def __post_init__(self) -> None:
        """Refuse what a uint8 raster or a colour table cannot hold."""
        whole = isinstance(self.id, int) and not isinstance(self.id, bool)
        if not whole or not 0 <= self.id < NODATA:
            raise InputError(
                f"class {brief(self.name)} has id {brief(self.id)}; "
                f"ids are whole numbers from 0 to {NODATA - 1} ({NODATA} is nodata)"
            )
        fault = fault_of_name(self.name)
        if fault:
            raise InputError(
                f"class {self.id} cannot be named {brief(self.name)}: {fault}; name it "
                f"otherwise"
            )
        _check_colour(self.name, self.colour)

    @property
    def number(self) -> int:
        """What people know it by: another tool's value, or else the id."""
        return self.id if self.value is None else self.value

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


def _check_colour(name: str, colour: str) -> None:
    if not _COLOUR.fullmatch(colour):
        raise InputError(
            f"class {brief(name)} has colour {brief(colour)}; write it as #rrggbb"
        )


@dataclass(frozen=True, slots=True)
class Legend:
    """The classes of a map, in the order of the model's output channels."""

    classes: tuple[LandClass, ...]
    """The classes; channel ``i`` of a model's scores belongs to ``classes[i]``.
    Ids rise with the channel (not necessarily by one), so that "the lowest
    class wins a tie" means the same for channels and for ids."""

    def __post_init__(self) -> None:
        """Refuse ids and names that are not unique, and ids that do not rise."""
        if not isinstance(self.classes, Sequence) or not all(
            isinstance(each, LandClass) for each in self.classes
        ):
            raise InputError(
                f"a legend is a tuple of geoseg.LandClass, got {brief(self.classes)}"
            )
        if not self.classes:
            raise InputError("a legend needs at least one class")
        ids = self.ids
        for first, second in pairwise(sorted(self.classes, key=lambda each: each.id)):
            if first.id == second.id:
                raise InputError(
                    f"the classes {first.name!r} and {second.name!r} both have the id "
                    f"{first.id}; give each class an id of its own"
                )
        if list(ids) != sorted(ids):
            raise InputError(f"class ids must rise, got {list(ids)}")
        names = [c.name for c in self.classes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"class names must be unique, got twice: {twice}")

    def __iter__(self) -> Iterator[LandClass]:
        """Iterate over the classes in channel order."""
        return iter(self.classes)

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def ids(self) -> tuple[int, ...]:
        """Class ids in channel order."""
        return tuple(c.id for c in self.classes)

    def with_unknown(self) -> Legend:
        """Add the class of pixels that no other class is certain enough for.

        Raises:
            InputError: A class has its id or its name already.

        """
        return Legend((*self.classes, LandClass(UNKNOWN, "unknown", "#bdbdbd")))

    def by_id(self, class_id: int) -> LandClass:
        """Find the class with an id.

        Raises:
            InputError: The legend has no such id.

        """
        for land_class in self.classes:
            if land_class.id == class_id:
                return land_class
        raise InputError(f"no class has id {class_id}; the ids are {list(self.ids)}")

    def by_name(self, name: str) -> LandClass:
        """Find the class with a name.

        Raises:
            InputError: The legend has no such name.

        """
        for land_class in self.classes:
            if land_class.name == name:
                return land_class
        names = [c.name for c in self.classes]
        near = "".join(
            f"; did you mean {n}?" for n in get_close_matches(name, names, 1)
        )
        raise InputError(
            f"no class is named {brief(name)}; the names are {', '.join(names)}{near}"
        )

    def colormap(self) -> dict[int, tuple[int, int, int, int]]:
        """Give each class id its red, green, blue and alpha, 0 to 255.

        Nodata is transparent black.
        """
        table = {c.id: (*c.rgb, 255) for c in self.classes}
        return {**table, NODATA: (0, 0, 0, 0)}

    def category_names(self) -> list[str]:
        """Name every value from 0 to the highest id, as GDAL lists categories.

        Values that no class has get an empty name.
        """
        names = [""] * (max(self.ids) + 1)
        for land_class in self.classes:
            names[land_class.id] = land_class.name
        return names


def plain_legend(values: Iterable[int]) -> Legend:
    """Name the values of a map that has no legend of its own; nodata is no class.

    Example:
        >>> [land_class.name for land_class in plain_legend([7, 255, 2])]
        ['class 2', 'class 7']

    """
    ids = sorted(set(values) - {NODATA}) or [0]
    return named_legend(ids, [f"class {value}" for value in ids])


def named_legend(
    ids: Sequence[int], names: Sequence[str], colours: Sequence[str | None] = ()
) -> Legend:
    """Make a legend of names; those that have no colour get what suits their names.

    Args:
        ids: The classes' ids, rising.
        names: Their names.
        colours: Their colours, None for those that were given none; of no class if
            empty.

    Raises:
        InputError: They cannot be a legend.

    """
    known = colours or [None] * len(names)
    bare, given = [], []
    for name, colour in zip(names, known, strict=True):
        if colour is None:
            bare.append(name)
        else:
            _check_colour(name, colour)
            given.append(colour)
    fills = iter(colours_for(bare, given))
    classes = zip(ids, names, known, strict=True)
    return Legend(
        tuple(
            LandClass(number, name, next(fills) if colour is None else colour)
            for number, name, colour in classes
        )
    )
