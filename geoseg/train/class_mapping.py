"""Which classes there are to learn, and which labels mean them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from geoseg.errors import LabelsError
from geoseg.geo.legend import Legend, named_legend
from geoseg.raster.legend_file import ClassMapping, read_class_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_COLOUR = re.compile("#[0-9a-f]{6}")


class NamedLabels(Protocol):
    """Labels, as far as they are called something."""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that occur."""
        ...

    @property
    def legend(self) -> Legend | None:
        """The labels as classes with ids and colours, where they have some."""
        ...


def class_mapping_for(labels: NamedLabels, classes: Path | None) -> ClassMapping:
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
        labels.legend, tuple((name, index) for index, name in enumerate(labels.names))
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
    ids = [int(name) if fits else index for index, name in enumerate(names)]
    called = [f"class {name}" if numbers else name for name in names]
    legend = named_legend(ids, called)
    return ClassMapping(
        legend, tuple((name, index) for index, name in enumerate(names))
    )


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
            f"nothing to compare it with; label other ground, too"
        )
    left_out = f"labels that no class mentions are left out: {', '.join(lost)}"
    return [left_out] * bool(lost) + _twins(class_mapping, there)


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
