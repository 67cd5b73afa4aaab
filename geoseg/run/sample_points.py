"""A map on disk to points to label: sample_points()."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas
import numpy as np

from geoseg.errors import InputError, PlanError
from geoseg.evaluate.borders import change_shares, shows_change
from geoseg.evaluate.carried_labels import LABELS, NAMES, Column, carry_over
from geoseg.evaluate.sample_design import design_path, design_text
from geoseg.evaluate.sampling import DrawnPoints, allocate, count_classes, draw
from geoseg.evaluate.strata import Population
from geoseg.geo.legend import NODATA, Legend
from geoseg.options import SampleOptions
from geoseg.overlay.reference import check_points_suffix, coordinates, write_points
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap
from geoseg.raster.given import map_file, named
from geoseg.raster.map_folder import map_and_strata
from geoseg.run.cluster import Patience, block_map
from geoseg.scene import absolute
from geoseg.storage.authorship import check_names
from geoseg.storage.lock import locked_file
from geoseg.storage.staging import atomic_file, check_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import Allocation
    from geoseg.raster.given import GivenMap


@dataclass(frozen=True, slots=True)
class Stratum:
    """A class of the map, or another stratum, and what was drawn of it."""

    id: int
    """Its value in the raster."""
    name: str
    """Its name."""
    pixels: int
    """How many pixels it has."""
    share: float
    """Part of the pixels that have a class, 0 to 1."""
    points: int
    """How many points were drawn of it."""
    labelled: int = 0
    """How many of them had a label already, which was kept."""


def sample_points(
    class_map: GivenMap,
    output: Path | str,
    *,
    band: int | None = None,
    strata: Path | str | None = None,
    options: SampleOptions | None = None,
    on_step: OnStep = ignore_step,
) -> tuple[Stratum, ...]:
    """Draw points within each class of a map, for somebody to say what is there.

    The points lie at centres of pixels, in an order that says nothing of their class,
    with an empty column ``reference`` to fill in. Which class the map has at each is
    kept beside them, in ``<output>.design.json``: who labels better does not know.

    Args:
        class_map: A raster of classes, as `geoseg.vectorize` takes it; or the folder of
            `geoseg.change`, with its strata, or of `geoseg.segment`; or a DataArray of
            class ids, as `geoseg.polygons` takes it.
        output: A ``.gpkg``, in the map's CRS, or a ``.geojson``, in degrees. Where an
            earlier sample is there, labels of points that are drawn again are kept.
        band: The band of the classes, counted from 1, where there are several.
        strata: A raster on the map's pixels within whose values points are drawn,
            instead of the map's classes; where it has nodata, none are.
        options: How many points, of which class.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        The classes of the map, or the strata, that have a pixel, with the points of
        each.

    Raises:
        InputError: Something given cannot be used, or labels that are there would be
            lost; nothing was written.
        DiskError: The files cannot be written.

    """
    options, output = options or SampleOptions(), Path(output)
    class_map, strata = map_and_strata(class_map, strata)
    check_points_suffix(output)
    check_names(output)
    check_folder(output.parent)
    with ExitStack() as stack:
        file = stack.enter_context(map_file(class_map))
        if options.scheduler is not None:
            file, strata = absolute(file), strata and absolute(strata)
        source = ClassMap.open(file, band=band)
        population = Population.of(source, strata)
        # Before labels are read until they are written again: none is lost between.
        stack.enter_context(locked_file(output))
        on_step(Step("sample"))
        patience = Patience.of(options.wait_for_workers, "sample", on_step)
        drawn, legend, pixels = _draw(population, named(class_map), options, patience)
        columns = carry_over(output, drawn, source.geobox)
        found = _strata(drawn, legend, pixels, columns[LABELS])
        with atomic_file(output) as whole:
            write_points(whole, _table(drawn, columns, source.geobox))
            names = {each.id: each.name for each in found}
            text = design_text(
                whole,
                {
                    "map": named(class_map),
                    "strata": None if strata is None else str(strata),
                    "allocation": _rule(legend, options),
                    "minimum": options.minimum,
                    "seed": options.seed,
                },
                [asdict(each) for each in found],
                {str(i): names[value] for i, value in enumerate(drawn.ids.tolist(), 1)},
            )
            design_path(whole).write_text(text, encoding="utf-8")
    return found


def _draw(
    population: Population,
    name: str,
    options: SampleOptions,
    patience: Patience,
) -> tuple[DrawnPoints, Legend, NDArray[np.int64]]:
    """Draw points; give with them the legend and the pixels of each value 0 to 255."""
    with block_map(
        options.workers, options.scheduler, patience, options.certificates
    ) as map_blocks:
        counts = count_classes(population, map_blocks=map_blocks)
        pixels = counts.copy()
        pixels[NODATA] = 0
        if not pixels.any():
            raise PlanError(
                f"{name} has no pixel with a {population.noun} to draw from"
            )
        legend = population.legend()
        wanted = _allocation(pixels, legend, options)
        drawn = draw(
            population, wanted, counts, seed=options.seed, map_blocks=map_blocks
        )
    return drawn, legend, pixels


def _strata(
    drawn: DrawnPoints, legend: Legend, pixels: NDArray[np.int64], labels: Column
) -> tuple[Stratum, ...]:
    """List what has a pixel, with its points and those that have a label."""
    labelled = np.array([bool(label) for label in labels], bool)
    points = np.bincount(drawn.ids, minlength=len(pixels))
    kept = np.bincount(drawn.ids[labelled], minlength=len(pixels))
    return tuple(
        Stratum(
            each.id,
            each.name,
            int(pixels[each.id]),
            float(pixels[each.id] / pixels.sum()),
            int(points[each.id]),
            int(kept[each.id]),
        )
        for each in legend
        if pixels[each.id]
    )


def _allocation(
    pixels: NDArray[np.int64], legend: Legend, options: SampleOptions
) -> NDArray[np.int64]:
    """Share the points among values 0 to 255."""
    nameless = sorted(set(np.flatnonzero(pixels).tolist()) - set(legend.ids))
    if nameless:
        raise InputError(
            f"there are pixels of class {', '.join(map(str, nameless))}, which the "
            f"legend does not name; it names {', '.join(map(str, legend.ids))}"
        )
    rule = _rule(legend, options)
    if options.expected and rule != "neyman":
        raise PlanError(
            f"expected accuracies are for the allocation 'neyman', not for {rule!r}"
        )
    shares = pixels.astype(np.float64)
    if rule == "equal":
        shares = np.ones(pixels.shape)
    elif rule == "neyman":
        shares = pixels * _deviations(pixels, legend, options.expected)
    elif rule == "change":
        shares = change_shares(pixels, legend)
    return allocate(options.points, shares, pixels=pixels, minimum=options.minimum)


def _rule(legend: Legend, options: SampleOptions) -> Allocation:
    """Choose how points are shared, where that is not said.

    Raises:
        PlanError: It is a rule for maps of change, and this is none.

    """
    of_change = shows_change(legend)
    if options.allocation == "change" and not of_change:
        raise PlanError(
            f"the allocation 'change' is for what geoseg change leaves, whose first "
            f"class is 'no change', and not for a map of {legend.classes[0].name!r}; "
            f"choose another `allocation`"
        )
    return options.allocation or ("change" if of_change else "proportional")


def _deviations(
    pixels: NDArray[np.int64], legend: Legend, expected: Mapping[str, float]
) -> NDArray[np.float64]:
    """Give each value the standard deviation of being right, sqrt(U (1 - U))."""
    deviations = np.ones(pixels.shape)
    for name, accuracy in expected.items():
        if not 0 < accuracy < 1:
            raise PlanError(
                f"the accuracy expected of {name!r} must be more than 0 and less than "
                f"1, got {accuracy:g}"
            )
        deviations[legend.by_name(name).id] = (accuracy * (1 - accuracy)) ** 0.5
    missing = [c.name for c in legend if pixels[c.id] and c.name not in expected]
    if missing:
        raise PlanError(
            f"the allocation 'neyman' needs the accuracy expected of each class; that "
            f"of {', '.join(missing)} is missing (0.8, say, where nothing is known)"
        )
    return deviations


def _table(
    drawn: DrawnPoints, columns: Mapping[str, Column], geobox: GeoBox
) -> geopandas.GeoDataFrame:
    """List the points with their names and a column for the true class."""
    x, y = coordinates(
        geobox, drawn.rows.astype(np.float64) + 0.5, drawn.cols.astype(np.float64) + 0.5
    )
    return geopandas.GeoDataFrame(
        {NAMES: np.arange(1, len(drawn.ids) + 1), **columns},
        geometry=geopandas.points_from_xy(x, y),
        crs=geobox.crs,
    )
