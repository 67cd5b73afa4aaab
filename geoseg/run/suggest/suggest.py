"""From a scene and a model to places worth a label: `suggest`."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas
import numpy as np

from geoseg.errors import InputError, LabelsError, counted
from geoseg.options import SuggestOptions
from geoseg.overlay.aoi import split_layer
from geoseg.overlay.labels import label_files
from geoseg.overlay.reference import coordinates, write_points
from geoseg.predict.layers import SHARE_ONE
from geoseg.progress import Clock, OnStep, Step, ignore_step
from geoseg.run.parts import read_parts
from geoseg.run.resolve import prepare
from geoseg.run.segment import client_of, infer_all, journal_of
from geoseg.run.suggest.candidates import Candidates, draw_candidates
from geoseg.run.suggest.selection import Places, choose_in_turn, most_uncertain
from geoseg.run.suggest.spaces import compare, labelled_places
from geoseg.run.trace import traced
from geoseg.scene import absolute, files_named
from geoseg.storage.authorship import check_names, check_not_inputs, check_replaceable
from geoseg.storage.lock import locked_file
from geoseg.storage.output import Output
from geoseg.storage.staging import atomic_file, check_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from geoseg.overlay.aoi import Area
    from geoseg.run.configuration import RunConfig
    from geoseg.scene import Inputs

UNCERTAIN = 0.5
"""The share of each class's candidates, those with the highest entropies, that are
chosen among."""
_APART = 4
"""Suggestions lie apart on the ground by a side of equal shares over this, at least."""
_FAR = 1.0
"""A distance from labels above this is given as a reason: what two places have on
average."""


@dataclass(frozen=True, slots=True)
class Suggested:
    """Places worth a label."""

    output: Path
    """The GeoPackage that holds them."""
    points: int
    """How many there are: fewer than asked for where little is uncertain."""
    classes: dict[str, int]
    """How many are of each class, by the model's word; classes without are left out."""
    warnings: tuple[str, ...]
    """What was left out, or is doubtful, a sentence each."""


def suggest(
    scene: Inputs,
    output: Path | str,
    *,
    aoi: Area | None = None,
    options: SuggestOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Suggested:
    """Suggest places whose labels would teach a model most.

    They are uncertain, unlike what is labelled already, apart from each other, and of
    every class that the model sees. The file has an empty column ``class`` to fill in,
    and is labels then, as `geoseg.train` takes them. The scene is mapped for it, which
    an interrupted call carries on with when it is made again.

    Args:
        scene: What to choose on, as `geoseg.segment` takes it.
        output: A ``.gpkg``, in the scene's CRS.
        aoi: Where to choose, as `geoseg.segment` takes it; the whole scene where None.
        options: How many, the model, and what is labelled.
        on_step: Called as the job gets on, from the calling thread.

    Returns:
        How many there are of which class.

    Raises:
        InputError: Something given cannot be used, or nothing is uncertain; nothing
            was written.
        RunError: Something failed on the way; the same call resumes.

    """
    options, output = options or SuggestOptions(), Path(output)
    _check_output(output, scene, options)
    if options.scheduler is not None:
        output = Path(absolute(output))
    folder = output.with_name(f".{output.name}.suggesting")
    with locked_file(output), traced(options.trace) as timeline:
        clock = Clock(timeline=timeline)
        config = prepare(scene, Output(folder), aoi, options.for_map(), on_step)
        labelled, left_out = labelled_places(config.scene, options)
        warnings = (*config.warnings, *left_out)
        on_step(Step("prepare", warnings=warnings))
        with (
            client_of([config], on_step, timeline) as client,
            journal_of(config) as journal,
        ):
            infer_all(config, journal, client, clock, on_step)
            on_step(Step("suggest"))
            parts = ((w, v[:3]) for w, v in read_parts(config.plan, journal))
            found = draw_candidates(parts, config.aoi.window, options.seed)
            with _leaving_nothing(folder):
                table = _choose(config, found, labelled, options)
            config.scene.check_unchanged()
            with atomic_file(output) as whole:
                write_points(whole, table)
            journal.discard()
        shutil.rmtree(folder, ignore_errors=True)
    counts = table["predicted"].value_counts()
    names = [each.name for each in config.legend if each.name in counts.index]
    few = _fewer_warning(len(table), options.points)
    on_step(Step("suggest", warnings=few))
    return Suggested(
        output,
        len(table),
        {name: int(counts[name]) for name in names},
        (*warnings, *few),
    )


@contextmanager
def _leaving_nothing(folder: Path) -> Iterator[None]:
    """Take the map away that is chosen on, where it says that nothing can be chosen."""
    try:
        yield
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _check_output(output: Path, scene: Inputs, options: SuggestOptions) -> None:
    """Refuse a file that cannot be written, or whose labels would be lost."""
    if output.suffix.lower() != ".gpkg":
        raise LabelsError(f"suggestions are written as .gpkg, got {output}")
    check_names(output)
    check_folder(output.parent)
    read = [*files_named(scene)]
    read += [split_layer(each)[0] for each in label_files(options.labels)]
    check_not_inputs([output], read)
    check_replaceable(output, overwrite=options.overwrite)


def _choose(
    config: RunConfig,
    found: Candidates,
    labelled: NDArray[np.int64] | None,
    options: SuggestOptions,
) -> geopandas.GeoDataFrame:
    """Choose among candidates, and list what is known of each choice."""
    if labelled is not None:
        known = {tuple(each) for each in labelled.tolist()}
        pairs = zip(found.rows.tolist(), found.cols.tolist(), strict=True)
        found = found.only(np.array([pair not in known for pair in pairs], bool))
    if not len(found):
        raise InputError(
            f"the model {config.package.name} is certain of every pixel, so that no "
            f"label teaches it more; give another area, or another model"
        )
    found = found.only(most_uncertain(found.entropies, found.classes, UNCERTAIN))
    cells = np.column_stack([found.rows, found.cols])
    compared = compare(config, cells, labelled)
    among = Places(compared.features, cells, found.classes, found.lots)
    share = np.sqrt(config.aoi.window.pixels / options.points)
    chosen, distances = choose_in_turn(
        among, compared.known, options.points, share / _APART
    )
    return _table(config, found.only(chosen), distances)


def _table(
    config: RunConfig, found: Candidates, distances: NDArray[np.float64]
) -> geopandas.GeoDataFrame:
    geobox = config.scene.geobox
    x, y = coordinates(
        geobox,
        found.rows.astype(np.float64) + 0.5,
        found.cols.astype(np.float64) + 0.5,
    )
    names = {each.id: each.name for each in config.legend}
    entropies = np.round(found.entropies / SHARE_ONE, 3)
    distances = np.where(np.isfinite(distances), np.round(distances, 3), np.nan)
    return geopandas.GeoDataFrame(
        {
            "id": np.arange(1, len(found) + 1),
            "class": [None] * len(found),
            "predicted": [names[each] for each in found.classes.tolist()],
            "confidence": found.confidences.astype(np.int64),
            "entropy": entropies,
            "distance": distances,
            "reason": list(_reasons(entropies, distances)),
        },
        geometry=geopandas.points_from_xy(x, y),
        crs=geobox.crs,
    )


def _reasons(
    entropies: NDArray[np.float64], distances: NDArray[np.float64]
) -> Iterator[str]:
    """Say in words why each is worth a label."""
    for entropy, distance in zip(entropies.tolist(), distances.tolist(), strict=True):
        unlike = "unlike what is labelled and " if distance > _FAR else ""
        yield f"{unlike}uncertain: {entropy:.0%} of the greatest entropy"


def _fewer_warning(count: int, wanted: int) -> tuple[str, ...]:
    if count >= wanted:
        return ()
    uncertain = counted(count, "place is uncertain", "places are uncertain")
    return (f"{uncertain}, fewer than the {wanted} asked for",)
