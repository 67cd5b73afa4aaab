"""Reference labels (polygons, lines, points, rasters) brought onto a scene."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from geoseg.errors import LabelsError, counted
from geoseg.overlay.labels.label_raster import LabelRaster, open_label_raster
from geoseg.overlay.labels.shapes import Labels, put_together
from geoseg.raster.read import must_be_raster
from geoseg.storage.vectors.read import LABELS, class_column, is_vector, read_layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def open_labels(
    given: Path | str | Sequence[Path | str],
    *,
    column: str | None = None,
    width: float = 0.0,
) -> Labels | LabelRaster:
    """Read labels of any kind: a vector file or several, or a raster of classes.

    Args:
        given: Any file that GDAL knows, with a CRS; ``file.gpkg|layer=name`` for one
            layer of several. Of several files, each in its own CRS, shapes of a later
            one lie on those of an earlier one.
        column: The attribute of a vector file that holds the class names; ``class``,
            ``reference`` or ``class_name`` where it is not given.
        width: How wide lines are, in metres; 0 for one pixel.

    Raises:
        LabelsError: A file is missing, unreadable, has no CRS, no such column
            or nothing that is labelled, or a raster is one of several.

    """
    files = label_files(given)
    if not files:
        raise LabelsError("no file of labels is given; name one, or several")
    found = [_open_file(each, column, width) for each in files]
    shapes = [each for each in found if isinstance(each, Labels)]
    if len(found) == 1:
        return found[0]
    if len(shapes) < len(found):
        at = next(i for i, each in enumerate(found) if not isinstance(each, Labels))
        raise LabelsError(
            f"{files[at]} is a raster of classes and {len(found)} files of labels are "
            f"given; only shapes can be put together: give it alone"
        )
    return put_together(shapes)


def label_files(
    given: Path | str | Sequence[Path | str] | None,
) -> tuple[Path | str, ...]:
    """List the files of labels; none where nothing is given.

    Example:
        >>> label_files("points.gpkg"), label_files(["points.gpkg", "next.gpkg"])
        (('points.gpkg',), ('points.gpkg', 'next.gpkg'))

    """
    if given is None:
        return ()
    return (given,) if isinstance(given, str | os.PathLike) else tuple(given)


def _open_file(
    path: Path | str, column: str | None, width: float
) -> Labels | LabelRaster:
    if not (math.isfinite(width) and width >= 0):
        raise LabelsError(f"lines cannot be {width} m wide; give 0 or more")
    if must_be_raster(path) or not is_vector(path, LABELS):
        return open_label_raster(path)
    return read_labels(path, column=column, width=width)


def read_labels(
    path: Path | str, *, column: str | None = None, width: float = 0.0
) -> Labels:
    """Read labelled shapes from a vector file.

    Features without a geometry or without a class are left out; blanks around a name
    do not count, and collections are taken apart. Arguments are those of `open_labels`.

    Raises:
        LabelsError: The file is missing, unreadable, has no CRS, no such column
            or no labelled shape.

    """
    chosen = ""

    def choose(columns: Sequence[str]) -> Sequence[str]:
        nonlocal chosen
        chosen = class_column(path, LABELS, column, columns)
        return [chosen]

    layer = read_layer(path, LABELS, choose)
    given = sum(name is None for name in layer.texts(chosen))
    layer = layer.apart()
    names = layer.texts(chosen)
    named = [(s, n) for s, n in zip(layer.shapes, names, strict=True) if n]
    if not named:
        raise LabelsError(f"{path} holds no shape that has a {chosen!r}; fill it in")
    left = counted(given, "feature that has", "features that have")
    nameless = f"{path}: left out {left} no {chosen!r}"
    return Labels(
        shapes=tuple(shape for shape, _ in named),
        names=tuple(name for _, name in named),
        crs=layer.crs,
        width=width,
        warnings=(nameless,) * bool(given),
    )
