"""A map on disk to the same map in another legend: relabel()."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import OutputError, PlanError
from geoseg.geo.windows import Window
from geoseg.options import RelabelOptions
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.raster import ClassMap, write_class_map
from geoseg.raster.extents import squares
from geoseg.raster.given import map_file, named
from geoseg.raster.map_folder import map_and_strata
from geoseg.report.report import ClassArea, class_areas
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.full_disk import needing
from geoseg.storage.lock import locked_file
from geoseg.storage.remote import without_secrets
from geoseg.storage.staging import atomic_file, scratch_folder
from geoseg.storage.vectors.formats import FORMATS
from geoseg.storage.vectors.replacing import check_writable, replaced
from geoseg.storage.vectors.write import check_locatable, write_style
from geoseg.vectorize.drawing import Drawing
from geoseg.vectorize.polygonize import vectorize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.raster.given import GivenMap
    from geoseg.raster.relabelling import GivenLegend

_RASTERS = frozenset((".tif", ".tiff"))


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A map in another legend."""

    class_map: str
    """The map that it was made of."""
    class_areas: tuple[ClassArea, ...]
    """A row a class of the legend."""
    lost: tuple[ClassArea, ...]
    """What of the map has no counterpart, and is nodata now."""
    products: dict[str, str]
    """The files, by what they are."""
    warnings: tuple[str, ...]
    """What the user should know, a sentence each."""

    def to_json(self) -> str:
        """Write it as JSON."""
        identity = {"geoseg": version("geoseg"), "command": "relabel", **asdict(self)}
        return json.dumps(identity, indent=2, ensure_ascii=False)


def relabel(  # noqa: PLR0913  # a map, a legend, and how
    class_map: GivenMap,
    output: Path | str,
    *,
    legend: GivenLegend,
    source: GivenLegend | None = None,
    band: int | None = None,
    overwrite: bool = False,
    options: RelabelOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Relabelled:
    """Write a map in another legend: classes merged, renamed, recoloured, renumbered.

    Args:
        class_map: A raster of classes, the folder of a run, or a DataArray of class
            ids, as `geoseg.vectorize` takes it.
        output: The GeoTIFF; its style, and polygons where they are asked for, are
            beside it under the same name.
        legend: The legend: the name of one that ships (`geoseg.known_legends`), a YAML
            file of classes, each with a ``name`` and perhaps ``id``, ``colour`` and
            ``merge``, the list of the map's classes that it takes; or a
            `geoseg.Legend`, whose classes take those of the same name.
        source: The legend whose numbers the map's values are, where it names none.
        band: The band of the classes, counted from 1, where there are several.
        overwrite: Whether files there may be replaced that geoseg did not write.
        options: Which polygons are drawn, and how.
        on_step: Called when the work begins, from the calling thread.

    Returns:
        What there is of each class, and of those without a counterpart.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        DiskError: The files cannot be written.

    """
    options, output = options or RelabelOptions(), Path(output)
    class_map, _ = map_and_strata(class_map, None)
    products = _products(output, options)
    vectors = [path for name, path in products.items() if name.startswith("polygons")]
    made = [*products.values(), *(each for path in vectors for each in replaced(path))]
    read = (named(class_map).partition("|")[0], str(legend))
    check_not_inputs(made, map(Path, read))
    for path in (products["map"], products["style"]):
        check_replaceable(path, overwrite=overwrite)
    for path in vectors:
        check_writable(path, layer=None, overwrite=overwrite)
    with ExitStack() as stack:
        file = stack.enter_context(map_file(class_map))
        source_map = ClassMap.open(file, band=band)
        changed = source_map.relabelled(legend, source)
        found = changed.relabelling
        assert found is not None  # noqa: S101  # it was just made
        check_locatable([path.suffix for path in vectors], changed.geobox)
        Drawing.of(options.polygons, found.legend)
        for path in (output, *vectors):
            stack.enter_context(locked_file(path))
        on_step(Step("relabel", warnings=(*source_map.warnings, *found.losses())))
        size = 2 * changed.geobox.height * changed.geobox.width
        own = class_areas(source_map.extents(), source_map.legend())
        # All that is made beside the raster comes with it.
        with needing("the map", lambda: size), atomic_file(output) as whole:
            _write(changed, whole, found.legend)
            made = [whole.with_name(path.name) for path in vectors]
            _draw(whole, made, options, on_step)
    after = ClassMap.open(output).extents()
    gone = {each.id for each in found.lost}
    lost = tuple(each for each in own if each.id in gone and each.pixels)
    return Relabelled(
        class_map=without_secrets(named(class_map)),
        class_areas=class_areas(after, found.legend),
        lost=lost,
        products={name: str(path) for name, path in products.items()},
        warnings=(*source_map.warnings, *found.losses()),
    )


def _products(output: Path, options: RelabelOptions) -> dict[str, Path]:
    """Name the files."""
    if output.suffix.lower() not in _RASTERS:
        raise OutputError(
            f"a map in another legend is a GeoTIFF, and {output} is none by its name; "
            f"write {output.with_suffix('.tif')}, and ask for polygons by `formats`"
        )
    wrong = [each for each in options.formats if each not in FORMATS]
    if wrong:
        raise PlanError(
            f"{wrong[0]!r} is no format of polygons; there are {', '.join(FORMATS)}"
        )
    return {
        "map": output,
        "style": output.with_suffix(".qml"),
        **{
            f"polygons {each}": output.with_suffix(FORMATS[each])
            for each in options.formats
        },
    }


def _write(changed: ClassMap, target: Path, legend: Legend) -> None:
    """Write the raster and its style."""

    def parts() -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        whole = Window(0, 0, changed.geobox.height, changed.geobox.width)
        for window in squares(whole):
            yield window, changed.read(window)

    with scratch_folder(target.parent) as scratch:
        write_class_map(
            target,
            changed.geobox,
            parts(),
            legend=legend,
            tags={"GEOSEG_VERSION": version("geoseg")},
            scratch=scratch,
        )
    write_style(target, legend)


def _draw(
    raster: Path,
    vectors: Sequence[Path],
    options: RelabelOptions,
    on_step: OnStep,
) -> None:
    """Draw the polygons of a map that was just made."""
    if not vectors:
        return
    first, *more = vectors
    vectorize(
        raster,
        first,
        options=options.polygons,
        on_step=on_step,
        also=more,
    )
