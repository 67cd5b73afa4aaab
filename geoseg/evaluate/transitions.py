"""What became of what: two class maps of one ground, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, LabelsError, SceneError
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.overlay.reference import may_overlap
from geoseg.raster.extents import pixel_areas, squares
from geoseg.raster.resampled import ResampledMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.raster import ClassMap

UNCHANGED = LandClass(0, "no change", "#e0e0e0")
"""The class of ground that is what it was."""
_VALUES = NODATA + 1
_MOST = NODATA - 1
"""Transitions that a raster of bytes has numbers for."""
_LONGEST = 120
"""Letters of a class's name in a transition's: two of them are a name, too."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Ground by what it was and is; arrays ``(before, after)`` of the classes."""

    pixels: NDArray[np.int64]
    """In pixels of the earlier map."""
    areas: NDArray[np.float64]
    """In square metres on the ground."""
    doubtful_m2: float
    """Square metres with a class in both maps of which one is too unsure."""


@dataclass(frozen=True, slots=True)
class MapPair:
    """Two class maps on the pixels of the earlier one, in its classes."""

    before: ClassMap
    """The earlier map."""
    after: ResampledMap
    """The later one, asked at the centres of the earlier one's pixels."""
    ids: NDArray[np.uint8]
    """The earlier map's id of each id of the later one, shape ``(256,)``; 255 none."""
    legend: Legend
    """The earlier map's classes."""
    confidences: tuple[ResampledMap, ...] = ()
    """Confidences of either map, in percent."""
    least: int = 0
    """What is less sure than so many percent does not count."""

    @classmethod
    def of(
        cls,
        before: ClassMap,
        after: ClassMap,
        mapping: Mapping[str, str],
        confidences: tuple[ClassMap, ...] = (),
        least: int = 0,
    ) -> MapPair:
        """Lay a map over an earlier one, classes of one name being one class.

        Args:
            before: The earlier map, whose pixels and classes count.
            after: The later map, of any grid.
            mapping: The earlier map's class for classes of the later one that are
                called otherwise; an empty one leaves the class out.
            confidences: Confidences of either map, on any grid.
            least: What is less sure than so many percent does not count.

        Raises:
            SceneError: The maps show other ground.
            LabelsError: A class of either has no counterpart.

        """
        own, other = before.geobox, after.geobox
        if not may_overlap(other.bounds, other.crs, own):
            raise SceneError(
                f"the maps show other ground: {before.path} covers {own.bounds} "
                f"({own.crs.name}), {after.path} {other.bounds} ({other.crs.name})"
            )
        legend = before.legend()
        return cls(
            before,
            ResampledMap(after, own),
            _ids(legend, after.legend(), mapping),
            legend,
            tuple(ResampledMap(each, own) for each in confidences),
            least,
        )

    @property
    def geobox(self) -> GeoBox:
        """The plane: the earlier map's."""
        return self.before.geobox

    def read(
        self, window: Window
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
        """Read what a window was, what it is, and where either is too unsure.

        Returns:
            Ids of the earlier map, 255 where either map has no class, and a mask;
            shapes are ``(y, x)``.

        """
        was, now = self.before.read(window), self.ids[self.after.read(window)]
        both = (was != NODATA) & (now != NODATA)
        doubtful = np.zeros(both.shape, bool)
        for each in self.confidences:
            doubtful |= each.read(window) < self.least
        was, now = (np.where(both, ids, np.uint8(NODATA)) for ids in (was, now))
        return was, now, doubtful & both

    def count(self) -> Counted:
        """Count all of it, square by square.

        Raises:
            SceneError: No pixel has a class in both maps.

        """
        pixels = np.zeros(_VALUES**2, np.int64)
        areas, doubts = np.zeros(_VALUES**2), 0.0
        for window in self._squares():
            was, now, doubtful = self.read(window)
            sizes = pixel_areas(self.geobox, window)
            doubts += float(sizes[doubtful].sum())
            cells = was[~doubtful].astype(np.int64) * _VALUES + now[~doubtful]
            pixels += np.bincount(cells, minlength=_VALUES**2)
            areas += np.bincount(cells, sizes[~doubtful], _VALUES**2)
        ids = np.ix_(self.legend.ids, self.legend.ids)
        counted = Counted(
            pixels.reshape(_VALUES, _VALUES)[ids],
            areas.reshape(_VALUES, _VALUES)[ids],
            doubts,
        )
        if not counted.pixels.any():
            raise SceneError(
                f"no pixel of {self.before.path} has a class in both maps"
                + (" of which both are sure enough" if doubts else "")
            )
        return counted

    def parts(
        self, numbers: NDArray[np.uint8]
    ) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """Give the transitions, window by window.

        Args:
            numbers: The id of each, ``(256, 256)``: from what in rows, to what in
                columns.

        """
        for window in self._squares():
            was, now, doubtful = self.read(window)
            yield window, np.where(doubtful, np.uint8(NODATA), numbers[was, now])

    def _squares(self) -> Iterator[Window]:
        return squares(Window(0, 0, self.geobox.height, self.geobox.width))


def transitions(
    legend: Legend, pixels: NDArray[np.int64]
) -> tuple[Legend, NDArray[np.uint8]]:
    """Give each transition that occurs an id, a name and the colour of what came.

    Args:
        legend: The classes.
        pixels: How often each occurs, shape ``(before, after)``.

    Returns:
        The transitions as classes, "no change" as the first; and the id of each pair of
        ids, shape ``(256, 256)``, 255 for those that do not occur.

    Raises:
        InputError: There are more than a raster of bytes can hold.

    """
    classes, numbers = [UNCHANGED], np.full((_VALUES, _VALUES), NODATA, np.uint8)
    ordered = list(legend)
    for row, column in np.argwhere(pixels).tolist():
        was, now = ordered[row], ordered[column]
        if was is now:
            numbers[was.id, now.id] = UNCHANGED.id
            continue
        if len(classes) > _MOST:
            raise InputError(
                f"there are more than {_MOST} different transitions; merge classes of "
                f"both maps first"
            )
        name = _name_of(was, now, [each.name for each in classes])
        classes.append(LandClass(len(classes), name, now.colour))
        numbers[was.id, now.id] = classes[-1].id
    return Legend(tuple(classes)), numbers


def _name_of(was: LandClass, now: LandClass, taken: Sequence[str]) -> str:
    """Name a transition by its classes; long names are cut, and no two are the same.

    Example:
        >>> one, two = LandClass(1, "crop", "#aabb00"), LandClass(2, "wood", "#00aa00")
        >>> _name_of(one, two, []), _name_of(one, two, ["crop to wood"])
        ('crop to wood', 'crop to wood (1)')

    """
    names = (each.name for each in (was, now))
    name = " to ".join(
        each if len(each) <= _LONGEST else f"{each[: _LONGEST - 1]}…" for each in names
    )
    return f"{name} ({len(taken)})" if name in taken else name


def _ids(
    legend: Legend, after: Legend, mapping: Mapping[str, str]
) -> NDArray[np.uint8]:
    """Find the earlier map's id of each class of the later one."""
    known = {each.name: each.id for each in legend}
    names = [each.name for each in after]
    wrong = [name for name in mapping if name not in names]
    if wrong:
        raise LabelsError(
            f"the mapping names {wrong[0]!r}, which is no class of the later map; it "
            f"has {', '.join(names)}"
        )
    targets = {name: mapping.get(name, name) for name in names}
    left = [name for name, target in targets.items() if target and target not in known]
    if left:
        spare = [name for name in known if name not in targets.values()]
        there = f"; of the earlier, {', '.join(spare)} are left over" if spare else ""
        raise LabelsError(
            f"classes of the later map have no counterpart: {', '.join(left)}{there}; "
            f"say which is which in a mapping, as in "
            f"'{left[0]}={(spare or list(known))[0]}' ('{left[0]}=' leaves it out)"
        )
    ids = np.full(_VALUES, NODATA, np.uint8)
    for each in after:
        ids[each.id] = known.get(targets[each.name], NODATA)
    return ids
