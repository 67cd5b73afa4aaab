"""A class map on disk to polygons on disk: vectorize()."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.options import PolygonOptions
from geoseg.overlay.aoi import read_aoi
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap, write_class_map
from geoseg.raster.given import map_file
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.lock import locked_file
from geoseg.storage.vectors.replacing import check_writable, replaced
from geoseg.storage.vectors.write import check_locatable, suffix_of, write_polygons
from geoseg.vectorize.clip import clip
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.merge import merged_blocks
from geoseg.vectorize.polygons import polygons, will_compile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geopandas import GeoDataFrame

    from geoseg.geo.legend import Legend
    from geoseg.raster.given import GivenMap
    from geoseg.raster.relabelling import GivenLegend


_MOST_THREADS = 4
"""Blocks that are read and traced at a time, each in some 70 MB: what comes after them
takes one thread, and as long as four take for the blocks."""


def vectorize(  # noqa: PLR0913  # five files, each named by its caller
    class_map: GivenMap,
    output: Path | str,
    *,
    band: int | None = None,
    confidence: Path | str | None = None,
    clip_to: Path | str | None = None,
    raster: Path | str | None = None,
    layer: str | None = None,
    legend: GivenLegend | None = None,
    overwrite: bool = False,
    options: PolygonOptions | None = None,
    on_step: OnStep = ignore_step,
) -> GeoDataFrame:
    """Turn a class map into polygons that fit together without gaps.

    Args:
        class_map: A raster of at most 255 classes, whole numbers of any type; what it
            declares as nodata, or masks, is no class. A file, a URL, a path in an
            archive; ``classes.tif|band=2`` for one band of several. Or a DataArray of
            class ids, as `geoseg.polygons` takes it.
        output: The vector file; its suffix chooses the format.
        band: The band of the classes, counted from 1, where there are several.
        confidence: A raster on the same pixels, in percent; each polygon gets its
            mean where it is given.
        clip_to: A vector file of polygons, in any CRS; the polygons are cut to its
            exact outline.
        raster: Where to write the map with small patches merged, as a GeoTIFF; its
            regions are those of the polygons before lines are straightened.
        layer: The layer of a GeoPackage to write; its other layers stay. The whole
            file where None.
        legend: The legend to draw it in, as `geoseg.relabel` takes it; its own where
            None.
        overwrite: Whether a file, or a layer, may be replaced that geoseg did not
            write, or that somebody has changed since.
        options: What is merged, straightened and left out.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        The polygons that were written, in the map's CRS.

    Raises:
        InputError: Something given cannot be used, or somebody's file would be lost;
            nothing was written.
        DiskError: The file cannot be written.

    """
    output, merged = Path(output), None if raster is None else Path(raster)
    with (
        map_file(class_map) as file,
        _claimed(
            output,
            merged,
            (file, confidence, clip_to),
            layer=layer,
            overwrite=overwrite,
        ),
    ):
        source, losses = ClassMap.open(file, band=band), []
        if legend is not None:
            source = source.relabelled(legend)
            losses = list(source.relabelling.losses() if source.relabelling else ())
        check_locatable([suffix_of(output)], source.geobox)
        classes = source.legend()
        drawing = Drawing.of(options or PolygonOptions(), classes)
        area = clip_to and read_aoi(str(clip_to), source.geobox).geometry
        on_step(
            Step(
                "vectorize",
                compiles=will_compile(),
                warnings=(*source.warnings, *losses),
            )
        )
        with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
            frame = polygons(
                source,
                legend=classes,
                confidence=None
                if confidence is None
                else ClassMap.measures(confidence),
                drawing=drawing,
                map_blocks=pool.map,
                warn=lambda warning: on_step(Step("vectorize", warnings=(warning,))),
            )
        if area:
            frame = clip(frame, area)
        if merged is not None:
            _write_merged(source, merged, drawing, classes)
        frame = _numbered(frame, classes)
        write_polygons(frame, output, legend=classes, layer=layer)
    return frame


@contextmanager
def _claimed(
    output: Path,
    merged: Path | None,
    inputs: Sequence[Path | str | None],
    *,
    layer: str | None,
    overwrite: bool,
) -> Iterator[None]:
    """Keep others from writing the files of a call, and from losing what is there."""
    outputs = [output] if merged is None else [output, merged]
    read = [Path(str(p).partition("|")[0]) for p in inputs if p]
    check_not_inputs([*replaced(output), *outputs[1:]], read)
    check_writable(output, layer=layer, overwrite=overwrite)
    if merged is not None:
        check_replaceable(merged, overwrite=overwrite)
    with ExitStack() as locks:
        for path in outputs:
            locks.enter_context(locked_file(path))
        yield


def _numbered(frame: GeoDataFrame, legend: Legend) -> GeoDataFrame:
    """Give classes the numbers that they have in the raster, where ids are others."""
    if all(each.id == each.number for each in legend):
        return frame
    numbers = frame["class_id"].map({each.id: each.number for each in legend})
    return frame.assign(class_id=numbers.astype("int64"))


def _write_merged(
    source: ClassMap, target: Path, drawing: Drawing, legend: Legend
) -> None:
    """Write the map as the polygons show it, before lines are straightened."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        write_class_map(
            target,
            source.geobox,
            merged_blocks(source, drawing),
            legend=legend,
            tags={"GEOSEG_VERSION": version("geoseg")},
            scratch=Path(scratch),
        )
