"""Which classes there are to learn, and which labels mean them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from geoseg.errors import InputError, LabelsError, brief
from geoseg.geo.legend import NODATA, Legend, named_legend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
_COLOUR = re.compile("#[0-9a-f]{6}")
_LARGEST = 1_000_000
"""Characters of a file of classes."""
_FIELDS = {"name", "id", "colour", "merge"}


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Classes, and the labels that are merged into each."""

    legend: Legend
    """The classes, by rising id."""
    channels: tuple[tuple[str, int], ...]
    """Pairs of a label and the place in the legend of the class that it means."""


class Named(Protocol):
    """Labels, as far as they are called something."""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that occur."""
        ...

    @property
    def legend(self) -> Legend | None:
        """The labels as classes with ids and colours, where they have some."""
        ...


def scheme_for(labels: Named, classes: Path | None) -> ClassMapping:
    """Read classes from a file, or take the labels' own.

    Raises:
        LabelsError: There are no such classes.

    """
    if classes is not None:
        return read_class_mapping(classes)
    if labels.legend is None:
        return class_mapping_of(labels.names)
    if all(_COLOUR.fullmatch(name) for name in labels.names):
        raise LabelsError(
            f"the labels are colours, red, green and blue: {', '.join(labels.names)}; "
            f"say by `classes` which class each is, as in {{name: water, colour: "
            f"'{labels.names[0]}'}}, or name the one band that holds classes, as in "
            f"'labels.tif|band=1'"
        )
    return ClassMapping(
        labels.legend, tuple((name, place) for place, name in enumerate(labels.names))
    )


def class_mapping_of(labels: Iterable[str]) -> ClassMapping:
    """Make a class of each label, in the order of their names.

    Raises:
        LabelsError: There are more labels than a map has ids.

    """
    names = sorted(set(labels), key=lambda name: (not name.isdecimal(), _key(name)))
    if len(names) > 254:  # noqa: PLR2004  254 and 255 mean unknown and nodata
        raise LabelsError(
            f"the labels have {len(names)} classes; a map holds 254: merge some by "
            f"`classes`, or choose another `class_field`"
        )
    numbers = all(name.isdecimal() for name in names)
    fits = numbers and int(names[-1]) < 255  # noqa: PLR2004  255 is nodata
    ids = [int(name) if fits else place for place, name in enumerate(names)]
    called = [f"class {name}" if numbers else name for name in names]
    legend = named_legend(ids, called)
    return ClassMapping(
        legend, tuple((name, place) for place, name in enumerate(names))
    )


def read_class_mapping(path: Path) -> ClassMapping:
    """Read classes from a YAML file.

    The file holds a list, or ``classes:`` with a list. Each item has a ``name``
    and may have an ``id`` (0, 1, 2 ... in their order where none has one), a
    ``colour`` (``#rrggbb``) and ``merge``, a list of the labels that mean it,
    beside its own name and, unless another class merges them, the id and the colour
    that it was given.
    Labels that are mentioned nowhere are not learned.

    Raises:
        LabelsError: The file is missing, is no YAML, or says something else.
        InputError: The classes cannot be a legend.

    """
    listed = [_entry(path, entry) for entry in _listed(path)]
    some = [entry for entry in listed if "id" in entry]
    if some and len(some) < len(listed):
        raise LabelsError(f"{path}: give every class an id, or none")
    ids = [_id(path, entry, place) for place, entry in enumerate(listed)]
    ordered = sorted(zip(ids, listed, strict=True), key=lambda pair: pair[0])
    legend = named_legend(
        [number for number, _ in ordered],
        [entry["name"] for _, entry in ordered],
        [entry.get("colour") for _, entry in ordered],
    )
    classes = [(each, entry) for each, (_, entry) in zip(legend, ordered, strict=True)]
    pairs = [
        (label, place)
        for place, (land_class, entry) in enumerate(classes)
        for label in {land_class.name.strip(): None, **_merged(entry)}
    ]
    labels = [label for label, _ in pairs]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise LabelsError(f"{path} gives these labels to two classes: {twice}")
    more = {
        label: place
        for key in ("colour", "id")
        for place, (_, entry) in enumerate(classes)
        if key in entry and (label := str(entry[key]).lower()) not in labels
    }
    return ClassMapping(legend, (*pairs, *more.items()))


def check_class_mapping(
    class_mapping: ClassMapping,
    names: tuple[str, ...],
    also: Mapping[str, tuple[str, ...]] | None = None,
) -> list[str]:
    """Hold classes against the labels that there are.

    Args:
        class_mapping: The classes.
        names: The labels.
        also: What else they are called.

    Returns:
        A warning if some labels mean no class.

    Raises:
        LabelsError: None does, or there is one class only.

    """
    known = {label for label, _ in class_mapping.channels}
    there, also = set(names), also or {}
    lost = sorted(name for name in there if not known & {name, *also.get(name, ())})
    if len(lost) == len(there):
        raise LabelsError(
            f"`classes` knows {sorted(known)}, the labels are {sorted(there)}; name "
            f"those in merge, or choose another `class_field`"
        )
    if len(class_mapping.legend) == 1:
        raise LabelsError(
            f"there is one class, {class_mapping.legend.classes[0].name!r}, and "
            f"nothing to tell it from; label other ground, too"
        )
    left_out = f"labels that no class mentions are left out: {', '.join(lost)}"
    return [left_out] * bool(lost) + _twins(class_mapping, there)


def _listed(path: Path) -> list[Any]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, UnicodeError) as error:
        raise LabelsError(f"{path} cannot be read ({error})") from error
    if len(text) > _LARGEST:
        raise LabelsError(
            f"{path} is too long for a list of classes, which has {_LARGEST:,} "
            f"characters at most"
        )
    try:
        content = None if _has_alias(text) else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LabelsError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
    listed = content.get("classes") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not listed:
        raise LabelsError(
            f"{path} needs a list of classes, each with a name, and no aliases (*name)"
        )
    return listed


def _has_alias(text: str) -> bool:
    """Tell whether YAML stands for more than is written: it could fill the memory."""
    events = yaml.parse(text, yaml.SafeLoader)
    return any(isinstance(event, yaml.AliasEvent) for event in events)


def _entry(path: Path, entry: object) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"name": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise LabelsError(f"{path}: {brief(entry)} is no class; it needs a name")
    name, merged = brief(entry["name"]), entry.get("merge", [])
    strange = sorted(str(key) for key in entry.keys() - _FIELDS)
    if strange:
        raise LabelsError(
            f"{path}: class {name} has {brief(strange)}; a class has name, id, colour "
            f"and merge"
        )
    if not isinstance(merged, list) or any(isinstance(e, list | dict) for e in merged):
        raise LabelsError(f"{path}: merge of {name} is no list of labels")
    colour = entry.get("colour", "#000000")
    if not isinstance(colour, str):
        raise InputError(f"{path}: write the colour of {name} as '#rrggbb'")
    return entry


def _merged(entry: dict[str, Any]) -> dict[str, None]:
    """Give the labels that a class merges, as those of files are written."""
    return dict.fromkeys(str(label).strip() for label in entry.get("merge", []))


def _id(path: Path, entry: dict[str, Any], place: int) -> int:
    """Give a class's id, which need not be the number that labels have for it."""
    number: int = entry.get("id", place)
    if isinstance(number, int) and not 0 <= number < NODATA:
        raise LabelsError(
            f"{path}: {brief(entry['name'])} has id {number}; a map's ids are 0 to "
            f"{NODATA - 1}: give it another one, and write 'merge: [{number}]' for "
            f"the labels' number"
        )
    return number


def _twins(class_mapping: ClassMapping, names: Iterable[str]) -> list[str]:
    """Warn of labels that differ by case or blanks alone, and are two classes."""
    alike: dict[str, dict[int, str]] = {}
    channels = dict(class_mapping.channels)
    for name in sorted(set(names) & channels.keys()):
        folded = "".join(name.casefold().split())
        alike.setdefault(folded, {}).setdefault(channels[name], name)
    return [
        f"the labels {' and '.join(map(repr, found.values()))} differ by case or "
        f"blanks alone and are {len(found)} classes; if they mean one, merge them in "
        f"`classes`: {{name: {first}, merge: [{', '.join(others)}]}}"
        for found in alike.values()
        if len(found) > 1
        for first, *others in [list(found.values())]
    ]


def _key(name: str) -> tuple[int, str]:
    """Numbers by value, names by letters."""
    return (int(name), "") if name.isdecimal() else (0, name)
