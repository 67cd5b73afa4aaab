"""Files of classes: names, ids, colours, and which other names mean each.

One format for whoever writes such a file: `geoseg train` reads from it what labels
mean, and `geoseg relabel` what the classes of a map become.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from geoseg.errors import InputError, LabelsError, brief
from geoseg.geo.legend import NODATA, Legend, named_legend

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1_000_000
"""Characters of a file of classes."""
_FIELDS = {"name", "id", "colour", "merge"}


@dataclass(frozen=True, slots=True)
class ClassMapping:
    """Classes, and the labels that are merged into each."""

    legend: Legend
    """The classes, by rising id."""
    channels: tuple[tuple[str, int], ...]
    """Pairs of a label and the index in the legend of the class that it means."""
    given: frozenset[str] = field(default=frozenset(), repr=False)
    """Those labels that are no more than the id or the colour of their class: on a map
    with names of its own they mean nothing."""


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
    ids = [_id(path, entry, index) for index, entry in enumerate(listed)]
    ordered = sorted(zip(ids, listed, strict=True), key=lambda pair: pair[0])
    legend = named_legend(
        [number for number, _ in ordered],
        [entry["name"] for _, entry in ordered],
        [entry.get("colour") for _, entry in ordered],
    )
    classes = [(each, entry) for each, (_, entry) in zip(legend, ordered, strict=True)]
    pairs = [
        (label, index)
        for index, (land_class, entry) in enumerate(classes)
        for label in {land_class.name.strip(): None, **_merged(entry)}
    ]
    labels = [label for label, _ in pairs]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise LabelsError(f"{path} gives these labels to two classes: {twice}")
    more = {
        label: index
        for key in ("colour", "id")
        for index, (_, entry) in enumerate(classes)
        if key in entry and (label := str(entry[key]).lower()) not in labels
    }
    return ClassMapping(legend, (*pairs, *more.items()), frozenset(more))


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
    """Return whether YAML stands for more than is written: it could fill the memory."""
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


def _id(path: Path, entry: dict[str, Any], index: int) -> int:
    """Give a class's id, which need not be the number that labels have for it."""
    number = entry.get("id", index)
    if not isinstance(number, int) or isinstance(number, bool):
        raise LabelsError(
            f"{path}: {brief(entry['name'])} has id {brief(number)}, which is no whole "
            f"number; a map's ids are 0 to {NODATA - 1}"
        )
    if not 0 <= number < NODATA:
        raise LabelsError(
            f"{path}: {brief(entry['name'])} has id {number}; a map's ids are 0 to "
            f"{NODATA - 1}: give it another one, and write 'merge: [{number}]' for "
            f"the labels' number"
        )
    return number
