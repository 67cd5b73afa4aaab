"""From scenes and labels to a folder of chips: `tile`."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.errors import LabelsError, OutputError, SceneError, json_text
from geoseg.geo.legend import NODATA
from geoseg.geo.splits import FOLDS
from geoseg.overlay.labels import open_labels
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.storage.full_disk import needing
from geoseg.storage.remote import without_secrets
from geoseg.storage.staging import check_folder
from geoseg.train.bands import find_bands
from geoseg.train.chips.band_figures import Moments, band_figures
from geoseg.train.chips.lattice import TEST, TRAIN, VALIDATE, check_sides
from geoseg.train.chips.ledger import Ledger
from geoseg.train.chips.options import TileOptions
from geoseg.train.chips.source import ChipSource, profile_of, unique_names
from geoseg.train.chips.stac_catalogue import write_catalogue
from geoseg.train.chips.table import Chip, write_table
from geoseg.train.class_mapping import check_class_mapping, class_mapping_for
from geoseg.train.folds import cut_scenes, sized
from geoseg.train.labelled_scenes import open_scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.legend import Legend
    from geoseg.geo.windows import Window
    from geoseg.overlay.labels import LabelRaster, Labels
    from geoseg.raster.legend_file import ClassMapping
    from geoseg.train.labelled_scenes import Scenes

INDEX, REPORT = "chips.parquet", "chips.json"


@dataclass(frozen=True, slots=True)
class ExportedTiles:
    """What an export left."""

    output: str
    """The folder."""
    chips: dict[str, int]
    """How many chips each part of the split has, by name: ``train``, ``validate`` (only
    if validated) and ``test``; ``all`` without labels."""
    classes: tuple[dict[str, Any], ...]
    """For each class its ``id``, ``name``, ``colour``, and ``pixels`` in each part."""
    bands: tuple[dict[str, Any], ...]
    """For each band its ``name``, and ``mean``, ``deviation``, ``minimum`` and
    ``maximum`` of valid pixels of chips to train on (of all without labels), raw."""
    settings: dict[str, Any]
    """How they were cut."""
    warnings: tuple[str, ...]
    """What was put right or left out, a sentence each."""

    def to_json(self) -> str:
        """Write it as JSON."""
        return json_text(asdict(self))


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done."""

    sources: list[ChipSource]
    legend: Legend | None
    chips: list[tuple[ChipSource, str, Window]]
    identity: dict[str, str]
    warnings: list[str]
    options: TileOptions
    """With sides of blocks and chips."""


def tile(
    scenes: Scenes,
    output: Path | str,
    *,
    labels: Path | str | Sequence[Path | str] | None = None,
    options: TileOptions | None = None,
    on_step: OnStep = ignore_step,
) -> ExportedTiles:
    """Cut labelled scenes into chips for whoever trains elsewhere.

    Chips lie on a regular lattice, and are split by area as `geoseg.train` splits
    ground: same blocks, same gap. One at a time is in memory. An export that was killed
    carries on when the same call is made again.

    Args:
        scenes: Rasters, each a scene of its own. Or inputs by name, which are one
            scene of all their bands, as `geoseg.train` takes them.
        output: The folder, which must not exist or be empty.
        labels: Polygons, lines, points or a raster of classes, in any CRS; chips
            without a labelled pixel are left out. None for images alone, all over the
            scenes.
        options: How to cut.
        on_step: Called after each chip.

    Returns:
        What was written.

    Raises:
        InputError: Something given cannot be used; there is no output.
        DiskError: The chips cannot be written.

    """
    options, output = options or TileOptions(), Path(output)
    check_folder(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise OutputError(f"{output} exists; choose another folder, or remove it first")
    on_step(Step("prepare"))
    job = _prepare(scenes, labels, options)
    on_step(Step("prepare", warnings=tuple(job.warnings)))
    with (
        needing("the whole export", lambda: _bytes_of(job)),
        Ledger.open(output, job.identity, restart=options.restart) as ledger,
    ):
        for done, (source, _, window) in enumerate(job.chips):
            on_step(Step("chips", done, len(job.chips), kept=done > 0))
            if source.chip_name(window) not in ledger.done:
                source.write(window, ledger, job.legend)
        on_step(Step("chips", len(job.chips), len(job.chips), kept=True))
        return _finish(job, ledger)


def _bytes_of(job: _Job) -> int:
    """Give the bytes of all chips as they are in memory: files are smaller."""
    scenes = [(source.scene, window) for source, _, window in job.chips]
    return sum(
        window.pixels * (len(scene.bands) * np.dtype(scene.dtype).itemsize + 1)
        for scene, window in scenes
    )


def _prepare(
    scenes: Scenes,
    labels: Path | str | Sequence[Path | str] | None,
    options: TileOptions,
) -> _Job:
    """See what there is to cut, and refuse what cannot be used."""
    sources, options = _open(scenes, options)
    warnings = [w for source in sources for w in source.scene.warnings]
    asked = {k: repr(v) for k, v in asdict(options).items() if k != "restart"}
    seen = {
        f"{key} {index}": value
        for index, source in enumerate(sources)
        for key, value in source.scene.identity().items()
    }
    identity = {**seen, **asked}
    if labels is None:
        chips = [(s, part, w) for s in sources for part, w in s.chips(options)]
        return _Job(sources, None, chips, identity, warnings, options)
    marks = open_labels(labels, column=options.class_field, width=options.line_width)
    class_mapping = class_mapping_for(marks, options.classes)
    warnings += [
        *marks.warnings,
        *check_class_mapping(class_mapping, marks.names, marks.also),
    ]
    sources, left_out = _labelled(sources, marks, class_mapping, options)
    chips, digest = _labelled_chips(sources, class_mapping.legend, options)
    identity |= {"labels on chips": digest, "legend": repr(class_mapping)}
    parts = {part for _, part, _ in chips}
    empty = [
        part for part in (TEST, VALIDATE)[: 1 + options.validation] if part not in parts
    ]
    warnings += [
        *left_out,
        *(f"no chip of the part {part!r} has a label" for part in empty),
    ]
    return _Job(sources, class_mapping.legend, chips, identity, warnings, options)


def _open(scenes: Scenes, options: TileOptions) -> tuple[list[ChipSource], TileOptions]:
    """Open scenes, find their bands, resolve sides; no ground is known yet."""
    opened, bands = open_scenes(scenes, options)
    options = sized(options, [scene.geobox for scene in opened])
    names = [band.name for band in bands]
    sources = []
    for stem, scene in zip(unique_names(opened), opened, strict=True):
        check_sides(scene.window, options.chip, options.overlap, scene.path)
        if options.stac and not scene.geobox.is_on_earth:
            raise SceneError(
                f"a STAC catalogue needs longitude and latitude, and the CRS of "
                f"{scene.path} has none; leave out `stac`"
            )
        indices = find_bands(scene, bands)
        profile = profile_of(scene, indices, names)
        sources.append(ChipSource(stem, scene, indices, profile, None, ()))
    return sources, options


def _labelled(
    sources: Sequence[ChipSource],
    marks: Labels | LabelRaster,
    class_mapping: ClassMapping,
    options: TileOptions,
) -> tuple[list[ChipSource], list[str]]:
    """Bring labels and split to each scene that has some; refuse where none has."""
    folds = [options.held_out_fold()]
    if options.validation:
        folds.append((folds[0] + 1) % FOLDS)
    scenes = [source.scene for source in sources]
    cut = [cut_scenes(scenes, options, fold) for fold in folds]
    kept, misses = [], []
    for source, *splits in zip(sources, *(each for each, _ in cut), strict=True):
        try:
            gridded = marks.on_grid(source.scene.geobox, dict(class_mapping.channels))
        except LabelsError as error:
            misses.append(error)
        else:
            kept.append(replace(source, labels=gridded, splits=tuple(splits)))
    if not kept:
        raise misses[0]
    left_out = [f"a scene is left out: {error}" for error in misses]
    return kept, [*left_out, *cut[0][1]]


def _labelled_chips(
    sources: Sequence[ChipSource], legend: Legend, options: TileOptions
) -> tuple[list[tuple[ChipSource, str, Window]], str]:
    """Look at the labels of all chips, and keep those that have some.

    Returns:
        The chips, and a digest of their labels.

    Raises:
        LabelsError: No label is in any, or a class in none to train on.

    """
    chips, digest = [], sha256()
    learned = np.zeros(NODATA + 1, np.int64)
    for source in sources:
        for part, window in source.chips(options):
            channels = source.channels(window)
            counts = np.bincount(channels.ravel(), minlength=NODATA + 1)
            if not counts[:NODATA].any():
                continue
            digest.update(channels.tobytes())
            chips.append((source, part, window))
            learned += counts * (part == TRAIN)
    if not chips:
        raise LabelsError(
            f"no chip of {options.chip} pixels has a label; choose a smaller `chip`, "
            f"or another `block` or `fold`"
        )
    missing = [each.name for index, each in enumerate(legend) if not learned[index]]
    if missing:
        raise LabelsError(
            f"no chip to train on shows {', '.join(missing)} after the split; label "
            f"more of it, merge it by `classes`, or choose another `fold`, a smaller "
            f"`block` or `chip`"
        )
    return chips, digest.hexdigest()


def _finish(job: _Job, ledger: Ledger) -> ExportedTiles:
    """Write index, catalogue and report, and let all of it appear."""
    options = job.options
    chips = [
        Chip(
            source.chip_name(window),
            part,
            without_secrets(source.scene.path),
            window,
            source.scene.geobox.crop(window),
            source.profile,
            ledger.done[source.chip_name(window)],
        )
        for source, part, window in job.chips
    ]
    chips = [chip for chip in chips if chip.entry.valid]
    if not chips:
        ledger.drop()
        raise SceneError(
            "the scenes have no data where chips are"
            + (" labelled" if job.legend else "")
        )
    exported = _report(job, chips, ledger.output, options)
    if job.legend is None:
        shutil.rmtree(ledger.content / "masks")
    write_table(ledger.content / INDEX, chips, job.legend)
    if options.stac:
        write_catalogue(ledger.content, ledger.output.name, chips, job.legend)
    text = exported.to_json() + "\n"
    (ledger.content / REPORT).write_text(text, encoding="utf-8")
    ledger.deliver()
    return exported


def _report(
    job: _Job, chips: Sequence[Chip], output: Path, options: TileOptions
) -> ExportedTiles:
    parts = [TRAIN, *([VALIDATE] if options.validation else []), TEST]
    in_part = {part: [c for c in chips if c.part == part] for part in parts}
    if job.legend is None:
        in_part = {"all": list(chips)}
    classes = [
        {
            "id": each.id,
            "name": each.name,
            "colour": each.colour,
            "pixels": {
                part: sum(chip.entry.counts[index] for chip in found)
                for part, found in in_part.items()
            },
        }
        for index, each in enumerate(job.legend or ())
    ]
    learned = in_part[next(iter(in_part))]
    figures = band_figures(
        chips[0].profile.bands, (Moments.from_dict(c.entry.moments) for c in learned)
    )
    settings: dict[str, Any] = {"chip": options.chip, "overlap": options.overlap}
    if job.legend is not None:
        split = {name: getattr(options, name) for name in ("fold", "block", "gap")}
        settings |= {**split, "validation_fold": _validation_fold(options)}
    return ExportedTiles(
        str(output),
        {part: len(found) for part, found in in_part.items()},
        tuple(classes),
        tuple(figures),
        settings,
        tuple(job.warnings),
    )


def _validation_fold(options: TileOptions) -> str | None:
    fold = (options.held_out_fold() + 1) % FOLDS
    return f"{fold}/{FOLDS}" if options.validation else None
