"""A class map on disk to polygons on disk: vectorize()."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA
from geoseg.options import PolygonOptions
from geoseg.overlay.aoi import read_aoi
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap, write_class_map
from geoseg.raster.given import map_file
from geoseg.raster.map_folder import map_and_strata
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.lock import locked_file
from geoseg.storage.mapped import Arrays
from geoseg.storage.staging import atomic_file, scratch_folder
from geoseg.storage.vectors.formats import suffix_of
from geoseg.storage.vectors.replacing import check_writable, replaced
from geoseg.storage.vectors.rows import Batch, Rows
from geoseg.storage.vectors.write import check_locatable, read_polygons, write_polygons
from geoseg.vectorize.blocks import BLOCK, in_threads, trace_blocks
from geoseg.vectorize.clip import clip
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.merge import merged_blocks
from geoseg.vectorize.polygons import draw_polygons, will_compile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import shapely
    from geopandas import GeoDataFrame

    from geoseg.geo.legend import Legend
    from geoseg.raster.given import GivenMap
    from geoseg.raster.relabelling import GivenLegend
    from geoseg.vectorize.polygons import Polygons


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
    also: Sequence[Path | str] = (),
) -> Vectorized:
    """Turn a class map into polygons that fit together without gaps.

    Args:
        class_map: A raster of at most 255 classes, whole numbers of any type; what it
            declares as nodata, or masks, is no class. A file, a URL, a path in an
            archive; ``classes.tif|band=2`` for one band of several; or the folder of
            `geoseg.segment` or `geoseg.change`. Or a DataArray of class ids, as
            `geoseg.polygons` takes it.
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
        also: More vector files for the same polygons.

    Returns:
        What was written, and what there is of each class; its ``read`` gives the
        polygons.

    Raises:
        InputError: Something given cannot be used, or somebody's file would be lost;
            nothing was written.
        DiskError: The file cannot be written.

    """
    class_map, _ = map_and_strata(class_map, None)
    outputs = [Path(output), *map(Path, also)]
    merged = None if raster is None else Path(raster)
    with (
        map_file(class_map) as file,
        _claimed(
            outputs,
            merged,
            (file, confidence, clip_to),
            layer=layer,
            overwrite=overwrite,
        ),
    ):
        source = ClassMap.open(file, band=band)
        if legend is not None:
            source = source.relabelled(legend)
        losses = source.relabelling.losses() if source.relabelling else ()
        check_locatable([suffix_of(each) for each in outputs], source.geobox)
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
        with scratch_folder(outputs[0].parent, f".{outputs[0].name}.scratch") as folder:
            measured = None if confidence is None else ClassMap.measures(confidence)
            numbered = _draw(source, measured, drawing, folder, on_step)
            with _merged_raster(merged, source, drawing, classes):
                return write_drawn(
                    numbered,
                    outputs,
                    legend=classes,
                    scratch=folder,
                    area=area,
                    layer=layer,
                )


def _draw(
    source: ClassMap,
    confidence: ClassMap | None,
    drawing: Drawing,
    scratch: Path,
    on_step: OnStep,
) -> Polygons:
    """Trace a map's polygons in threads, and number them as its file does."""
    classes = source.legend()
    drawn = draw_polygons(
        trace_blocks(source, confidence, BLOCK, in_threads),
        source.geobox,
        legend=classes,
        measured=confidence is not None,
        drawing=drawing,
        warn=lambda said: on_step(Step("vectorize", warnings=(said,))),
        scratch=scratch,
    )
    return replace(
        drawn, batches=lambda: (_numbered(each, classes) for each in drawn.batches())
    )


@dataclass(frozen=True, slots=True)
class ClassPolygons:
    """What there is of a class."""

    name: str
    """The class."""
    polygons: int
    """How many polygons it has."""
    area_m2: float
    """Their area on the ground, together."""


@dataclass(frozen=True, slots=True)
class Vectorized:
    """The polygons of a map, in a file."""

    path: Path
    """The file."""
    layer: str | None
    """The layer of a GeoPackage that was asked for."""
    classes: tuple[ClassPolygons, ...]
    """The classes that occur, in the order of their first polygons."""
    merged_pixels: dict[str, int]
    """The pixels, by class name, of patches that went to another class."""

    def __len__(self) -> int:
        """Count the polygons."""
        return sum(each.polygons for each in self.classes)

    def read(self) -> GeoDataFrame:
        """Read the polygons back, in any format but ``.pmtiles``: all at once.

        Raises:
            VectorError: The file is gone, or cannot be read.

        """
        return read_polygons(self.path, self.layer)


def write_drawn(  # what is written, where, and how, each named
    drawn: Polygons,
    outputs: Sequence[Path],
    *,
    legend: Legend,
    scratch: Path,
    area: shapely.Geometry | None = None,
    layer: str | None = None,
) -> Vectorized:
    """Draw polygons, and write them to files.

    Args:
        drawn: The polygons.
        outputs: The files, each in the format of its suffix.
        legend: The classes.
        scratch: A folder for rows that wait to be written.
        area: What they are cut to.
        layer: The layer of a GeoPackage to write.

    Raises:
        DiskError: A file cannot be written.

    """
    batches: Iterable[Batch] = drawn.batches()
    if area is not None:
        batches = clip(batches, area, scratch / "clipped.arrow")
    found: dict[str, tuple[int, float]] = {}

    def count(batch: Batch) -> None:
        known = batch.table.select(["class_name", "area_m2"]).to_pandas()
        for name, areas in known.groupby("class_name", sort=False)["area_m2"]:
            polygons, total = found.get(str(name), (0, 0.0))
            found[str(name)] = polygons + len(areas), total + float(areas.sum())

    attrs = {"merged_pixels": drawn.merged_pixels}
    kept = scratch / "polygons.arrow"
    rows = Rows.kept(batches, kept, attrs=attrs, watch=count)
    for path in outputs:
        write_polygons(rows, path, legend=legend, layer=layer)
    classes = tuple(ClassPolygons(name, *figures) for name, figures in found.items())
    return Vectorized(outputs[0], layer, classes, drawn.merged_pixels)


@contextmanager
def _claimed(
    outputs: Sequence[Path],
    merged: Path | None,
    inputs: Sequence[Path | str | None],
    *,
    layer: str | None,
    overwrite: bool,
) -> Iterator[None]:
    """Keep others from writing the files of a call, and from losing what is there."""
    rasters = [] if merged is None else [merged]
    made = [each for output in outputs for each in replaced(output)]
    read = [Path(str(p).partition("|")[0]) for p in inputs if p]
    check_not_inputs([*made, *rasters], read)
    for output in outputs:
        check_writable(output, layer=layer, overwrite=overwrite)
    if merged is not None:
        check_replaceable(merged, overwrite=overwrite)
    with ExitStack() as locks:
        for path in (outputs[0], *rasters):  # who asks for more holds theirs
            locks.enter_context(locked_file(path))
        yield


def _numbered(batch: Batch, legend: Legend) -> Batch:
    """Give classes the numbers that they have in the raster, where ids are others."""
    if all(each.id == each.number for each in legend):
        return batch
    numbers = np.zeros(NODATA + 1, np.int64)
    for each in legend:
        numbers[each.id] = each.number
    return batch.numbered(numbers)


@contextmanager
def _merged_raster(
    target: Path | None, source: ClassMap, drawing: Drawing, legend: Legend
) -> Iterator[None]:
    """Write the map as the polygons show it, before lines are straightened.

    It gets its name when the polygons have theirs: a disk that is full for these keeps
    the earlier raster, too.
    """
    if target is None:
        yield
        return
    with atomic_file(target) as whole:
        with scratch_folder(whole.parent) as scratch:
            write_class_map(
                whole,
                source.geobox,
                merged_blocks(source, drawing, arrays=Arrays(scratch)),
                legend=legend,
                tags={"GEOSEG_VERSION": version("geoseg")},
                scratch=scratch,
            )
        yield
