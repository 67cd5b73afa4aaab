"""Labels of an earlier draw, carried over to a new one in the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from geoseg.errors import LabelsError
from geoseg.evaluate.sample_design import design_path
from geoseg.raster.resampled import pixels_at
from geoseg.storage.authorship import check_idle, check_replaceable
from geoseg.storage.vectors.read import REFERENCE, read_layer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from geoseg.evaluate.sampling import DrawnPoints
    from geoseg.geo.geobox import GeoBox
    from geoseg.storage.vectors.read import VectorLayer

NAMES, LABELS = "id", "reference"
"""The columns of a sample: the points' names, and the class that people fill in."""
_NAMED = 5
"""Points that a sentence names at most."""

Column = list[str | None]


def carry_over(
    output: Path, drawn: DrawnPoints, geobox: GeoBox
) -> Mapping[str, Column]:
    """Give what people wrote at points that are drawn again, in the draw's order.

    Args:
        output: Where the points are going to be written; what is there is read.
        drawn: The new draw.
        geobox: The map's plane.

    Returns:
        The columns of the points, but for their names, the labels first; a value is
        None where there is none.

    Raises:
        LabelsError: Something was written at a point that is not drawn again.
        OutputError: What is there is no sample of geoseg's, or is open elsewhere.

    """
    empty: Column = [None] * len(drawn.ids)
    columns = {LABELS: empty}
    if not design_path(output).exists():
        check_replaceable(output)
        return columns
    check_idle(output)
    if not output.exists():
        return columns
    layer = read_layer(output, REFERENCE, lambda names: names).apart()
    if LABELS not in layer.columns or not _are_points(layer):
        raise LabelsError(
            f"{output} is no sample any more: it has no points with a column "
            f"{LABELS!r}; give another name"
        )
    x, y = shapely.get_coordinates(layer.shapes).T
    rows, cols = pixels_at(geobox, x, y, layer.crs)
    again = {
        pixel: index
        for index, pixel in enumerate(
            zip(drawn.rows.tolist(), drawn.cols.tolist(), strict=True)
        )
    }
    targets = [
        again.get(pixel) for pixel in zip(rows.tolist(), cols.tolist(), strict=True)
    ]
    others = [name for name in layer.columns if name not in {NAMES, LABELS}]
    written = {name: layer.texts(name) for name in (LABELS, *others)}
    _refuse_loss(output, written, targets)
    for name, texts in written.items():
        columns[name] = empty.copy()
        for target, text in zip(targets, texts, strict=True):
            if target is not None:
                columns[name][target] = text
    return columns


def _are_points(layer: VectorLayer) -> bool:
    kinds = shapely.get_type_id(layer.shapes)
    return bool(len(kinds)) and bool((kinds == shapely.GeometryType.POINT).all())


def _refuse_loss(
    output: Path,
    written: Mapping[str, tuple[str | None, ...]],
    targets: list[int | None],
) -> None:
    """Refuse a draw without some points at which something was written."""
    rows = list(zip(*written.values(), strict=True))
    used = [any(text for text in row) for row in rows]
    lost = [
        number
        for number, (is_used, target) in enumerate(zip(used, targets, strict=True), 1)
        if is_used and target is None
    ]
    if lost:
        named = ", ".join(map(str, lost[:_NAMED]))
        raise LabelsError(
            f"{len(lost):,} of the {sum(used):,} labelled points of {output} are not "
            f"drawn again (row {named}{' ...' if len(lost) > _NAMED else ''}), and "
            f"their labels would be lost: the same map, strata and seed with no fewer "
            f"points of each class draw them all; or give another name"
        )
