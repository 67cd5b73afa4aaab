"""A map and zones on disk to figures by district: areas()."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.errors import AoiError, LabelsError
from geoseg.evaluate.at_points import ComparedMap
from geoseg.evaluate.strata import Population
from geoseg.evaluate.zonal import ZonalAreas, zonal_areas, zones_at
from geoseg.evaluate.zone_estimates import ZoneEstimates, estimate_zones
from geoseg.evaluate.zone_table import (
    ZoneClass,
    check_table_suffix,
    known,
    sidecar,
    to_frame,
    write_table,
)
from geoseg.geo.ground import HECTARE_M2
from geoseg.overlay.aoi import Area, Zones, described, read_zones
from geoseg.overlay.reference import Points, read_reference
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap
from geoseg.raster.given import map_file, named
from geoseg.raster.map_folder import map_and_strata
from geoseg.run.assess import beside_map
from geoseg.run.cluster import block_map
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.lock import locked_file
from geoseg.storage.vectors.read import split_layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from geoseg.geo.legend import Legend
    from geoseg.raster.given import GivenMap

WHOLE = "whole map"
"""The name of the one zone where none are given."""


@dataclass(frozen=True, slots=True)
class ZoneAreas:
    """How much of each class lies in each zone."""

    class_map: str
    """The map."""
    zones: str | None
    """The zones' file; None for the whole map."""
    rows: tuple[ZoneClass, ...]
    """A row a zone and class, in the order of the file and of the legend."""
    output: str | None
    """The file that was written, if one was."""
    warnings: tuple[str, ...]
    """What the user should know, a sentence each."""

    def to_frame(self) -> pd.DataFrame:
        """Give the rows as a table."""
        return to_frame(self.rows)


def areas(  # noqa: PLR0913  # four files, each named by its caller
    class_map: GivenMap,
    *,
    zones: Area | None = None,
    by: str | None = None,
    reference: Path | str | None = None,
    confidence: Path | str | None = None,
    output: Path | str | None = None,
    band: int | None = None,
    overwrite: bool = False,
    on_step: OnStep = ignore_step,
) -> ZoneAreas:
    """Measure how much of each class of a map lies in each of some zones.

    Areas are those on the ground, as in a run's own table, whatever the map's CRS. A
    pixel on a zone's edge counts with the exact share of it that lies in the zone, so
    that zones which share edges sum to their union. Zones may overlap.

    Args:
        class_map: A raster of classes, as `geoseg.vectorize` takes it, or the folder
            that a run left; it is read once, square by square, whatever its size. Or a
            DataArray of class ids, as `geoseg.polygons` takes it.
        zones: A vector file of polygons in any CRS (``file.gpkg|layer=name`` for one
            layer of several), or a GeoDataFrame; the whole map where none are given.
        by: The field with the zones' names; features of one name are one zone.
        reference: Points of `geoseg.sample_points`, labelled: what they say that there
            is, with 95 % intervals, in each zone in which each class of the map has
            two of them or more.
        confidence: A raster on the map's pixels, in percent; ``confidence.tif``
            beside the map where none is given and it is there.
        output: A ``.csv`` or ``.parquet``, a row a zone and class, or a ``.gpkg``, a
            row a zone; none is written where none is given.
        band: The band of the classes, counted from 1, where there are several.
        overwrite: Whether a file may be replaced that geoseg did not write.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        The figures, hectares among them; ``to_frame()`` gives a row a zone and class.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        DiskError: The file cannot be written.

    Example:
        >>> found = areas("out/landcover.tif", zones="districts.gpkg", by="name")
        ... # doctest: +SKIP
        >>> found.to_frame().pivot(index="zone", columns="class_name", values="area_ha")
        ... # doctest: +SKIP

    """
    target = None if output is None else Path(output)
    class_map, _ = map_and_strata(class_map, None)
    with ExitStack() as stack:
        if target is not None:
            check_table_suffix(target)
            read = (class_map, zones, reference, confidence)
            _check_target(target, read, overwrite=overwrite)
            stack.enter_context(locked_file(target))
        file = stack.enter_context(map_file(class_map))
        source = ClassMap.open(file, band=band)
        legend = source.legend()
        where = _zones(zones, by, source)
        sure, warnings = beside_map(
            source, confidence, "how sure the model was is not known"
        )
        points = None if reference is None else _points(Path(reference), source)
        on_step(Step("areas"))
        found = zonal_areas(source, where, legend, sure)
        estimates = None
        if reference is not None and points is not None:
            estimates = _estimates(Path(reference), points, source, where, found)
        result = ZoneAreas(
            class_map=named(class_map),
            zones=None if zones is None else described(zones),
            rows=tuple(_rows(where, legend, found, estimates)),
            output=None if target is None else str(target),
            warnings=(*source.warnings, *where.warnings, *warnings),
        )
        if target is not None:
            names = {
                "map": result.class_map,
                "zones": result.zones,
                "by": by,
                "reference": None if reference is None else str(reference),
                "crs": source.geobox.crs.to_string(),
            }
            write_table(target, result.rows, where, source.geobox.crs, names)
    return result


def _check_target(
    target: Path,
    inputs: tuple[Area | GivenMap | None, ...],
    *,
    overwrite: bool,
) -> None:
    """Refuse to replace what is read, and what geoseg did not write."""
    read = [split_layer(str(p))[0] for p in inputs if isinstance(p, str | Path)]
    for product in (target, sidecar(target)):
        check_not_inputs([product], read)
        check_replaceable(product, overwrite=overwrite)


def _zones(zones: Area | None, by: str | None, source: ClassMap) -> Zones:
    if zones is None:
        if by is not None:
            raise AoiError(
                f"there are no zones for the names in {by!r}; give their file, too"
            )
        whole = shapely.box(0, 0, source.geobox.width, source.geobox.height)
        t = source.geobox.transform
        shape = shapely.transform(
            whole, lambda p: np.column_stack(t @ (p[:, 0], p[:, 1]))
        )
        return Zones((WHOLE,), np.array([shape], object), ())
    if by is None:
        raise AoiError(
            f"zones need names: give `by`, the field of {described(zones)} with them"
        )
    return read_zones(zones, by, source.geobox)


def _points(path: Path, source: ClassMap) -> Points:
    """Read points that were drawn within the map's classes."""
    legend = source.legend()
    names = {each.name: each.id for each in legend}
    numbers = {str(each.number): each.id for each in legend}
    points = read_reference(path, source.geobox, names, numbers=numbers)
    if not isinstance(points, Points):
        raise LabelsError(
            f"an estimate needs points that were drawn within the map's classes "
            f"(geoseg sample-points draws them), but {path} covers ground"
        )
    return points


def _estimates(
    path: Path, points: Points, source: ClassMap, zones: Zones, found: ZonalAreas
) -> ZoneEstimates:
    """Estimate areas in zones from such points."""
    legend = source.legend()
    with block_map() as map_blocks:
        at = ComparedMap(source, legend, None, None, map_blocks)
        sampled = at.sample(path, points, Population.of(source, None))
    inside = partial(zones_at, zones, source.geobox.transform)
    return estimate_zones(points, sampled.predicted, legend, found, inside)


def _rows(
    zones: Zones, legend: Legend, found: ZonalAreas, estimates: ZoneEstimates | None
) -> Iterator[ZoneClass]:
    for at, zone in enumerate(zones.names):
        for column, each in enumerate(legend):
            cell = at, column
            row = ZoneClass(
                zone=zone,
                class_id=each.number,
                class_name=each.name,
                area_ha=float(found.areas[cell]) / HECTARE_M2,
                share=known(found.shares[cell]),
                confidence=known(found.confidence[cell]),
            )
            if estimates is not None:
                row = replace(
                    row,
                    estimate_ha=known(estimates.area[cell] / HECTARE_M2),
                    low_ha=known(estimates.low[cell] / HECTARE_M2),
                    high_ha=known(estimates.high[cell] / HECTARE_M2),
                    note=estimates.notes[at],
                )
            yield row
