"""One legend in the words of another: which class becomes which.

Classes are matched by name: exactly, else but for case, blanks, hyphens and
underscores. Numbers mean nothing by themselves, since every legend counts its own way:
they match where a legend merges them, or where it is said whose numbers they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import yaml

from geoseg.errors import LabelsError, brief
from geoseg.geo.legend import NODATA, UNKNOWN, LandClass, Legend
from geoseg.raster.legend_file import ClassMapping, read_class_mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

GivenLegend: TypeAlias = "Legend | Path | str"
"""A legend as it is given: the name of one that ships, a file of classes, a value."""

_SHIPPED = files("geoseg.raster") / "legends"
_OF_CORINE = "corine_level_3.yaml"
"""Names of the numbers by which legends that ship merge CORINE's classes."""


@dataclass(frozen=True, slots=True)
class Relabelling:
    """What each class of a map becomes in another legend."""

    legend: Legend
    """The other legend; a map's class of unknown ground stays beside it."""
    ids: tuple[int, ...]
    """The id in it of each id of the map, 256 of them; 255 where there is none."""
    lost: tuple[LandClass, ...]
    """Classes of the map without a counterpart: their pixels become nodata."""
    empty: tuple[str, ...]
    """Classes of the legend that none of the map's is."""

    @classmethod
    def of(cls, own: Legend, wanted: ClassMapping, name: str) -> Relabelling:
        """Match the classes of a map with those of a legend.

        Args:
            own: The map's classes.
            wanted: The legend, and what means each of its classes.
            name: What the map is called in messages.

        Raises:
            LabelsError: None of the map's classes is in the legend.

        """
        classes = list(wanted.legend)
        index_of = _index_finder(wanted)
        found = {each.id: index_of(each) for each in own}
        if all(index is None for index in found.values()):
            raise LabelsError(_unmatched(name, own, wanted))
        ids = [NODATA] * (NODATA + 1)
        for number, index in found.items():
            if index is not None:
                ids[number] = classes[index].id
        kept = [each for each in own if _is_unknown(each) and found[UNKNOWN] is None]
        if kept:
            ids[UNKNOWN], found[UNKNOWN] = UNKNOWN, len(classes)
        used = set(found.values())
        return cls(
            Legend((*classes, *kept)),
            tuple(ids),
            tuple(each for each in own if found[each.id] is None),
            tuple(each.name for i, each in enumerate(classes) if i not in used),
        )

    def ids_of(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn a map's ids into those of the legend, in any shape."""
        return np.array(self.ids, np.uint8)[ids]

    def in_json(self) -> list[dict[str, str | int | list[int]]]:
        """List the classes, each with the map's ids that it takes."""
        return [
            {
                "id": each.id,
                "name": each.name,
                "colour": each.colour,
                "takes": [own for own, new in enumerate(self.ids) if new == each.id],
            }
            for each in self.legend
        ]

    def losses(self) -> Iterator[str]:
        """Say what has no counterpart, on either side."""
        if self.lost:
            yield (
                f"the legend has no counterpart of {_names(self.lost)}: nodata on the "
                f"map"
            )
        if self.empty:
            yield (
                f"the map has no counterpart of the legend's {', '.join(self.empty)}"
            )


def known_legends() -> tuple[str, ...]:
    """Name the legends that ship with geoseg."""
    names = (Path(each.name) for each in _SHIPPED.iterdir() if each.name != _OF_CORINE)
    return tuple(sorted(each.stem for each in names if each.suffix == ".yaml"))


def open_legend(given: GivenLegend) -> ClassMapping:
    """Open a legend, and what else means each of its classes.

    Raises:
        LabelsError: There is no such legend, or the file holds something else.
        InputError: The classes cannot be a legend.

    """
    if isinstance(given, Legend):
        named = tuple((each.name, index) for index, each in enumerate(given))
        return ClassMapping(given, named)
    known = known_legends()
    if str(given) in known:
        return _shipped(str(given))
    if not Path(given).is_file():
        near = get_close_matches(str(given), known, 1)
        raise LabelsError(
            f"there is no legend {brief(str(given))}; name a YAML file of classes, or "
            f"one that ships: {', '.join(known)}"
            + (f"; did you mean {near[0]}?" if near else "")
        )
    return read_class_mapping(Path(given))


def named_by(own: Legend, source: ClassMapping) -> Legend:
    """Name the classes of a map by the legend whose numbers their values are.

    Raises:
        LabelsError: A value is none of the legend's numbers.

    """
    numbers = {str(each.id): each.name for each in source.legend}
    strange = [str(each.number) for each in own if str(each.number) not in numbers]
    if strange:
        raise LabelsError(
            f"the map's values {', '.join(strange)} are no numbers of the legend that "
            f"was named as theirs, which has {', '.join(numbers)}"
        )
    classes = (replace(each, name=numbers[str(each.number)]) for each in own)
    return Legend(tuple(classes))


def _shipped(name: str) -> ClassMapping:
    """Read a legend that ships; what merges CORINE's numbers merges their names."""
    text = (_SHIPPED / _OF_CORINE).read_text(encoding="utf-8")
    names = {str(code): called for code, called in yaml.safe_load(text).items()}
    with as_file(_SHIPPED / f"{name}.yaml") as path:
        found = read_class_mapping(path)
    known = {label for label, _ in found.channels}
    more = [
        (names[label], index)
        for label, index in found.channels
        if label in names and names[label] not in known
    ]
    return replace(found, channels=(*found.channels, *more))


def _index_finder(wanted: ClassMapping) -> Callable[[LandClass], int | None]:
    """Make what finds the index in a legend of a class of a map, None without one."""
    exact = {name: at for name, at in wanted.channels if name not in wanted.given}
    alike: dict[str, set[int]] = {}
    for label, index in exact.items():
        alike.setdefault(_folded(label), set()).add(index)
    folded = {label: min(at) for label, at in alike.items() if len(at) == 1}

    def find(own: LandClass) -> int | None:
        tries = (own.name, exact), (_folded(own.name), folded), (str(own.number), exact)
        return next((known[key] for key, known in tries if key in known), None)

    return find


def _is_unknown(land_class: LandClass) -> bool:
    return (land_class.id, land_class.name) == (UNKNOWN, "unknown")


def _folded(name: str) -> str:
    """Write a name as it is compared.

    Example:
        >>> _folded("Built-up"), _folded("snow_and_ice")
        ('built up', 'snow and ice')

    """
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def _unmatched(name: str, own: Legend, wanted: ClassMapping) -> str:
    nameless = all(each.name == f"class {each.number}" for each in own)
    advice = (
        "say whose numbers they are by `source`"
        if nameless
        else "name them in the legend's file, as in {name: "
        f"{wanted.legend.classes[0].name}, merge: [{own.classes[0].name}]}}"
    )
    return (
        f"no class of {name} is in the legend: the map has {_names(own.classes)}, the "
        f"legend {_names(wanted.legend.classes)}; {advice}"
    )


def _names(classes: tuple[LandClass, ...]) -> str:
    return ", ".join(each.name for each in classes)
