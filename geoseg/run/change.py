"""Two maps on disk to what changed between them: change()."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, PlanError
from geoseg.evaluate.borders import Borders
from geoseg.evaluate.transitions import UNCHANGED, MapPair, transitions
from geoseg.geo.ground import HECTARE_M2
from geoseg.geo.legend import NODATA
from geoseg.options import ChangeOptions
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap, write_class_map
from geoseg.raster.given import map_file, named
from geoseg.raster.map_folder import map_and_strata
from geoseg.report.change_page import ChangePage, write_change_page
from geoseg.report.pyramid import SampledPlanes
from geoseg.run.assess import beside_map
from geoseg.storage.authorship import PAGE, REPORT, check_not_inputs, check_replaceable
from geoseg.storage.full_disk import needing
from geoseg.storage.lock import locked_folder
from geoseg.storage.staging import check_folder, checksums, scratch_folder, staged
from geoseg.storage.vectors.formats import FORMATS
from geoseg.storage.vectors.write import check_locatable, write_style
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygonize import vectorize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.evaluate.transitions import Counted
    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window
    from geoseg.raster.given import GivenMap

_RASTER, _TABLE, _POLYGONS = "change.tif", "change.csv", "change"
_STRATA = "strata.tif"
_BIASED = (
    "areas of change that are counted on two maps are biased by the errors of both; "
    "a sample drawn within the transitions says what there is, with intervals"
)
"""What figures of change deserve to be read with."""


@dataclass(frozen=True, slots=True)
class Change:
    """What changed between two maps."""

    before: str
    """The earlier map."""
    after: str
    """The later one."""
    classes: tuple[str, ...]
    """The classes, of the earlier map's legend."""
    hectares: tuple[tuple[float, ...], ...]
    """Ground by what it was (rows) and what it is (columns)."""
    pixels: tuple[tuple[int, ...], ...]
    """The same in pixels of the earlier map."""
    doubtful_ha: float
    """Ground with a class in both maps that was left out as too unsure."""
    products: dict[str, str]
    """The files, by what they are."""
    warnings: tuple[str, ...]
    """What the user should know, a sentence each."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file, by its name."""
    note: str = _BIASED
    """With what in mind the figures are to be read."""

    def to_json(self) -> str:
        """Write it as JSON."""
        identity = {"geoseg": version("geoseg"), "command": "change", **asdict(self)}
        return json.dumps(identity, indent=2, ensure_ascii=False)


def change(
    before: GivenMap,
    after: GivenMap,
    output: Path | str,
    *,
    overwrite: bool = False,
    options: ChangeOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Change:
    """Say what became of what between two class maps of one ground.

    Classes of one name are one class. The later map is asked at the centres of the
    earlier one's pixels, whatever its grid.

    Args:
        before: The earlier map, a raster or an array, as `geoseg.vectorize` takes it,
            or the folder of `geoseg.segment`.
        after: The later map.
        output: A folder for ``change.tif``, a class map of transitions with names and
            colours, its style, ``strata.tif``, the same with the unchanged ground
            beside change set apart, to draw a sample in, ``change.csv``, the matrix in
            hectares on the ground, polygons of changed ground, ``report.html``, and
            ``run.json``. They appear together.
        overwrite: Whether files there may be replaced that geoseg did not write.
        options: Which class is which, and how polygons are drawn.
        on_step: Called when a step begins, from the calling thread.

    Returns:
        The figures. Memory is that of the polygons, not of the maps.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        DiskError: The files cannot be written.

    """
    options, folder = options or ChangeOptions(), Path(output)
    check_folder(folder)
    names = _names(options)
    made = [folder / name for name in (*names.values(), REPORT)]
    before, after = (map_and_strata(each, None)[0] for each in (before, after))
    names_of = named(before), named(after)
    check_not_inputs(made, map(Path, names_of))
    for path in made:
        check_replaceable(path, overwrite=overwrite)
    with ExitStack() as stack:
        was, now = (stack.enter_context(map_file(each)) for each in (before, after))
        pair, warnings = _pair((was, now), names_of, options)
        check_locatable([FORMATS[each] for each in options.formats], pair.geobox)
        Drawing.of(replace(options.polygons, classes=()), pair.legend)
        stack.enter_context(locked_folder(folder))
        on_step(Step("change", warnings=warnings))
        counted = pair.count()
        size = 4 * pair.geobox.height * pair.geobox.width  # two rasters, and drafts
        with (
            needing("what is made, polygons aside,", lambda: size),
            staged(folder) as workshop,
        ):
            legend = _write_rasters(workshop, pair, counted)
            _write_matrix(workshop / _TABLE, pair.legend, counted)
            if options.report_size:
                on_step(Step("page"))
                page = _page(names_of, pair, counted, warnings)
                write_change_page(workshop / PAGE, page, options.report_size)
            drawn = _draw(workshop, legend, options, on_step)
            products = {
                name: str(folder / file)
                for name, file in names.items()
                if name in drawn or not name.startswith("polygons")
            }
            result = replace(
                _figures(names_of, pair.legend, counted),
                products=products,
                warnings=warnings,
                checksums=checksums(workshop),
            )
            text = result.to_json() + "\n"
            (workshop / REPORT).write_text(text, encoding="utf-8")
    return result


def _figures(names_of: tuple[str, str], legend: Legend, counted: Counted) -> Change:
    """Say what was counted; what is written of it comes later."""
    return Change(
        before=names_of[0],
        after=names_of[1],
        classes=tuple(each.name for each in legend),
        hectares=tuple(map(tuple, (counted.areas / HECTARE_M2).tolist())),
        pixels=tuple(map(tuple, counted.pixels.tolist())),
        doubtful_ha=counted.doubtful_m2 / HECTARE_M2,
        products={},
        warnings=(),
        checksums={},
    )


def _write_rasters(workshop: Path, pair: MapPair, counted: Counted) -> Legend:
    """Write the map of transitions, and the strata of it; name the transitions."""
    legend, numbers = transitions(pair.legend, counted.pixels)
    with scratch_folder(workshop) as scratch:
        _write(workshop / _RASTER, pair.parts(numbers), pair, legend, scratch)
        strata = Borders(ClassMap.open(workshop / _RASTER), legend)
        parts, known = strata.parts(), strata.legend()
        _write(workshop / _STRATA, parts, pair, known, scratch)
    return legend


def _write(
    path: Path,
    parts: Iterable[tuple[Window, NDArray[np.uint8]]],
    pair: MapPair,
    legend: Legend,
    scratch: Path,
) -> None:
    """Write a class map on the pixels of the earlier map, and its style."""
    tags = {"GEOSEG_VERSION": version("geoseg")}
    write_class_map(path, pair.geobox, parts, legend=legend, tags=tags, scratch=scratch)
    write_style(path, legend)


def _names(options: ChangeOptions) -> dict[str, str]:
    """Name the files, by what they are."""
    wrong = [each for each in options.formats if each not in FORMATS]
    if wrong:
        raise PlanError(
            f"{wrong[0]!r} is no format of polygons; there are {', '.join(FORMATS)}"
        )
    polygons = {
        f"polygons {each}": f"{_POLYGONS}{FORMATS[each]}" for each in options.formats
    }
    return {
        "transitions": _RASTER,
        "strata": _STRATA,
        "matrix": _TABLE,
        **polygons,
        **({"page": PAGE} if options.report_size else {}),
    }


def _pair(
    files: tuple[Path | str, Path | str],
    names: tuple[str, str],
    options: ChangeOptions,
) -> tuple[MapPair, tuple[str, ...]]:
    """Open both maps, and what each is sure of where that counts."""
    least = options.min_confidence
    if not 0 <= least <= 100:  # noqa: PLR2004  percent
        raise PlanError(f"the least confidence is 0 to 100 percent, got {least}")
    maps = ClassMap.open(files[0]), ClassMap.open(files[1])
    confidences = []
    for each, name in zip(maps, names, strict=True) if least else ():
        sure, _ = beside_map(each, None, "")
        if sure is None:
            raise InputError(
                f"there is no confidence.tif beside {name} on its pixels, which "
                f"a least confidence needs; map it again, or leave that out"
            )
        confidences.append(sure)
    pair = MapPair.of(
        maps[0],
        maps[1],
        options.mapping,
        confidences=tuple(confidences),
        least=least,
    )
    warnings = [w for each in maps for w in each.warnings]
    if not maps[0].geobox.same_plane_as(maps[1].geobox):
        warnings.append(
            f"{names[1]} is on another grid: it is asked at the centre of each pixel "
            f"of {names[0]}, and slivers along borders may be no change"
        )
    return pair, tuple(warnings)


def _page(
    paths: tuple[str, str],
    pair: MapPair,
    counted: Counted,
    warnings: Sequence[str],
) -> ChangePage:
    """Say what a page shows of two maps, which are named without all their folders."""

    def both(window: Window) -> NDArray[np.uint8]:
        was, now, doubtful = pair.read(window)
        return np.where(doubtful, np.uint8(NODATA), np.stack([was, now]))

    changed = counted.areas.sum() - np.trace(counted.areas)
    before, after = ("/".join(Path(path).parts[-2:]) for path in paths)
    return ChangePage(
        title=f"What changed from {before} to {after}",
        subtitle=(
            f"{changed / HECTARE_M2:,.1f} of {counted.areas.sum() / HECTARE_M2:,.1f} "
            f"ha, {changed / counted.areas.sum():.1%}, are another class"
        ),
        planes=SampledPlanes.of(pair.geobox, both),
        legend=pair.legend,
        hectares=counted.areas / HECTARE_M2,
        note=_BIASED,
        facts=(
            ("Before", before),
            ("After", after),
            ("Grid", f"{pair.geobox.crs.name}, {pair.geobox.gsd_m():.4g} m"),
            ("Least confidence", f"{pair.least} %" if pair.confidences else "any"),
            ("Software", f"geoseg {version('geoseg')}"),
        ),
        warnings=warnings,
    )


def _write_matrix(path: Path, legend: Legend, counted: Counted) -> None:
    """Write hectares by what was (rows) and what is (columns), with sums."""
    names = [each.name for each in legend]
    areas = counted.areas / HECTARE_M2
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hectares, from \\ to", *names, "before"])
        for name, row in zip(names, areas.tolist(), strict=True):
            writer.writerow([name, *row, sum(row)])
        writer.writerow(["after", *areas.sum(axis=0).tolist(), float(areas.sum())])


def _draw(
    workshop: Path, legend: Legend, options: ChangeOptions, on_step: OnStep
) -> set[str]:
    """Draw polygons of changed ground, if there is some, and name the products."""
    changed = [each.name for each in legend if each.id != UNCHANGED.id]
    if not changed or not options.formats:
        return set()
    how = replace(options.polygons, classes=options.polygons.classes or changed)
    first, *more = (workshop / f"{_POLYGONS}{FORMATS[e]}" for e in options.formats)
    vectorize(workshop / _RASTER, first, options=how, on_step=on_step, also=more)
    return {f"polygons {each}" for each in options.formats}
