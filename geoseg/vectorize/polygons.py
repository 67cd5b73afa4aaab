"""The polygons of a class map, with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import VectorError
from geoseg.geo.jit import is_kept
from geoseg.geo.legend import NODATA
from geoseg.geo.windowed import BlockMap, ClassRaster
from geoseg.storage.mapped import Arrays
from geoseg.storage.vectors.rows import together
from geoseg.vectorize.blocks import BLOCK, trace_blocks
from geoseg.vectorize.chain import chain, link
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.memory import watched
from geoseg.vectorize.merge import merge_small
from geoseg.vectorize.network import join
from geoseg.vectorize.rings import assemble
from geoseg.vectorize.simplify import simplify
from geoseg.vectorize.smooth import smooth
from geoseg.vectorize.table import Table, assign_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.storage.vectors.rows import Batch
    from geoseg.vectorize.blocks import Traced
    from geoseg.vectorize.chain import Chains
    from geoseg.vectorize.rings import Corners

__all__ = ["BlockMap", "ClassRaster", "Drawing", "polygons", "will_compile"]

_CONFIDENCE = "mean_confidence"
"""The column that rows have where confidences are given."""
_AT_ONCE = 1 << 20
"""Regions whose classes are looked at at once."""


def polygons(  # noqa: PLR0913  # a map and how, each named by its caller
    class_map: ClassRaster,
    *,
    legend: Legend,
    confidence: ClassRaster | None = None,
    drawing: Drawing = Drawing(),  # noqa: B008 - a value that cannot change
    block: int = BLOCK,
    map_blocks: BlockMap = map,
    warn: Callable[[str], None] | None = None,
) -> gpd.GeoDataFrame:
    """Draw every region of a class map as a polygon.

    A region is what pixels of one class make that are connected through their
    sides. The polygons are a valid coverage: they neither overlap nor leave
    gaps, and every corner at which three of them meet is a vertex of all three.
    They do not depend on ``block`` and ``map_blocks``, in any bit.

    Args:
        class_map: Class ids, 255 where there is none.
        legend: The names of the classes.
        confidence: Confidence of each pixel in percent, 255 where there is none.
        drawing: What is merged and straightened; by default nothing, and
            polygons run along their pixels' sides.
        block: Side, in pixels, of the blocks that are read and traced at once.
        map_blocks: What applies a function to every block, such as `map`.
        warn: Called where the polygons may not fit into memory.

    Returns:
        One row for each region, in the order of their first pixels (row after
        row), with the columns ``class_id``, ``class_name``, ``area_m2``,
        ``perimeter_m`` (holes included), ``pixel_count``, ``mean_confidence``
        (percent; only with ``confidence``) and ``geometry`` in the map's CRS.
        Areas and perimeters are on the ground, on the CRS's ellipsoid, whatever
        its unit.
        ``attrs["merged_pixels"]`` holds the pixels, by class name, of the patches
        that were too small and went to another class.

    Raises:
        VectorError: The map has classes that the legend does not know, or the
            confidence has other pixels than the map; or the polygons do not fit
            into memory.

    """
    drawn = draw_polygons(
        trace_blocks(class_map, confidence, block, map_blocks),
        class_map.geobox,
        legend=legend,
        measured=confidence is not None,
        drawing=drawing,
        warn=warn,
    )
    frame = together([batch.frame() for batch in drawn.batches()])
    frame.attrs["merged_pixels"] = drawn.merged_pixels
    return frame


@dataclass(frozen=True, slots=True)
class Polygons:
    """The polygons of a map, drawn some at a time."""

    batches: Callable[[], Iterator[Batch]]
    """Gives their rows in order, in one batch at least; draws them anew each time."""
    merged_pixels: dict[str, int]
    """The pixels, by class name, of patches that went to another class."""


def draw_polygons(  # noqa: PLR0913  # a map and how, each named by its caller
    traced: Iterable[Traced],
    geobox: GeoBox,
    *,
    legend: Legend,
    measured: bool,
    drawing: Drawing,
    warn: Callable[[str], None] | None = None,
    scratch: Path | None = None,
) -> Polygons:
    """Prepare for drawing every region of a class map, as `polygons` does.

    Args:
        traced: The map's blocks, as `trace_blocks` gives them.
        geobox: The map's plane.
        legend: The names of the classes.
        measured: Whether confidences were traced as well.
        drawing: What is merged and straightened.
        warn: Called where the polygons may not fit.
        scratch: A folder for lines and what is known of regions, where they are many;
            None to hold all in memory.

    Raises:
        VectorError: As for `polygons`.
        DiskError: The folder has no room.

    """
    arrays = Arrays(scratch)
    merges = bool(drawing.min_pixels or drawing.min_area_m2)
    whole = (geobox.height + 1) * (geobox.width + 1)
    warn = warn or _ignore
    blocks = watched(traced, whole, merges=merges, folder=scratch, warn=warn)
    with arrays.trimmed():
        network = join(blocks, geobox, arrays)
        _check_classes(network.regions.classes, legend)
        network, merged = merge_small(network, geobox, drawing, arrays)
        rows, regions = assign_rows(network, drawing, arrays), network.regions
        arcs = chain(network.pieces, arrays)
        del network  # what its lines are made of is as large as they are
        rings = assemble(arcs, len(regions.classes), arrays)
        lines = _laid_out(arcs, geobox, drawing, arrays)
    table = Table(regions, rings, lines, rows, geobox, legend, drawing, arrays)

    def batches() -> Iterator[Batch]:
        for batch in table.batches():
            yield batch if measured else batch.without(_CONFIDENCE)

    return Polygons(
        batches, {legend.by_id(value).name: count for value, count in merged.items()}
    )


def _ignore(_: str) -> None:
    """Say nothing."""


def will_compile() -> bool:
    """Return whether the next `polygons` begins by compiling, for some ten seconds."""
    return not is_kept(link)


def _laid_out(
    arcs: Chains, geobox: GeoBox, drawing: Drawing, arrays: Arrays
) -> tuple[Corners, NDArray[np.int64]]:
    """Give lines simplified and smoothed as asked, and where each one begins."""
    if drawing.tolerance or drawing.tolerance_m:
        arcs = simplify(arcs, geobox, drawing, arrays)
    return smooth(arcs, geobox, drawing.smoothing, arrays)


def _check_classes(found: NDArray[np.uint8], legend: Legend) -> None:
    there = np.zeros(NODATA + 1, np.int64)
    for first in range(0, len(found), _AT_ONCE):
        there += np.bincount(found[first : first + _AT_ONCE], minlength=len(there))
    unknown = sorted(set(np.flatnonzero(there).tolist()) - set(legend.ids))
    if unknown:
        raise VectorError(
            f"the map has pixels of class {', '.join(map(str, unknown))}, which its "
            f"legend does not name; it names {', '.join(map(str, legend.ids))}"
        )
