"""Settle everything of a composite before it begins; refuse here what cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import InputError, OutputError, SceneError, listed
from geoseg.geo.band_names import plain, shared_names
from geoseg.geo.tiling import make_lattice
from geoseg.models.compatibility import check_scaled
from geoseg.models.package.package import load_package
from geoseg.overlay.aoi import read_aoi, split_layer, whole_scene
from geoseg.run.composite.config import CompositeConfig, run_directory_of
from geoseg.run.identity import identify_input
from geoseg.run.journal.journal import identity_of
from geoseg.run.plan import make_plan
from geoseg.scene import files_named, open_scene
from geoseg.scene.composite.dates import periods
from geoseg.scene.composite.observations import when
from geoseg.scene.quality import is_quality
from geoseg.storage.authorship import check_not_inputs, check_replaceable
from geoseg.storage.remote import as_url, without_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.options import CompositeOptions
    from geoseg.overlay.aoi import Aoi, Area
    from geoseg.progress import OnStep
    from geoseg.scene import Inputs, Scene

_BLOCK = 1024
"""Pixels a side of a block, where nothing else is said."""
_SUFFIXES = frozenset((".tif", ".tiff"))


def prepare_composites(
    inputs: Inputs,
    output: Path | str,
    aoi_given: Area | None,
    options: CompositeOptions,
    on_step: OnStep,
) -> list[CompositeConfig]:
    """Check everything and plan; write nothing.

    Returns:
        A composite for each period; one where none is asked for.

    Raises:
        InputError: Something given cannot be used.

    """
    path = target(output)
    wanted = options.only

    def needs(names: tuple[str, ...], commons: tuple[str, ...]) -> Sequence[int]:
        return _bands_of(names, commons, wanted)

    scene = open_scene(inputs, options.scene, on_step, needs)
    bands = _bands_of(scene.bands, scene.common_names, wanted)
    scene = in_one_unit(scene, bands)
    area = _area(scene, aoi_given)
    configs = [
        replace(
            _config(_named(path, name), part, bands, area, options),
            aoi_given=aoi_given,
        )
        for name, part in _parts(scene, options).items()
    ]
    for config in configs:
        _check_files(config, inputs, aoi_given, overwrite=options.overwrite)
    return configs


def in_one_unit(scene: Scene, bands: Sequence[int]) -> Scene:
    """Give a scene whose dates can be put together: each with its own offset taken off.

    Numbers stay as they are stored where all files declare the same scale and offset.
    Else they come in units of the first one's scale, without an offset.

    Raises:
        SceneError: Some files declare scale or offset, and others none.

    """
    if not scene.is_scaled or scene.declared() is not None:
        return scene
    check_scaled([(scene, bands)])
    return scene.in_unit(scene.members[0].band(bands[0]).scale)


def target(output: Path | str) -> Path:
    """Take the output as it was given.

    Raises:
        OutputError: It is no name of a GeoTIFF on a disk.

    """
    if as_url(output) is not None:
        raise OutputError(
            f"a composite is written to a disk, and not to "
            f"{without_secrets(str(output))}; copy it there afterwards"
        )
    path = Path(output)
    if path.suffix.lower() not in _SUFFIXES:
        raise OutputError(
            f"a composite is one GeoTIFF, and {output or 'nothing'} is no name of one; "
            f"write {path.stem or 'composite'}.tif"
        )
    return path


def _named(path: Path, period: str) -> Path:
    if not period:
        return path
    return path.with_name(f"{path.stem}-{period}{path.suffix}")


def _bands_of(
    names: Sequence[str], commons: Sequence[str], wanted: Sequence[str]
) -> tuple[int, ...]:
    """Find bands by their names or common names; all that are measured where none is.

    Raises:
        SceneError: One is not there.

    """
    if not wanted:
        return tuple(i for i, name in enumerate(names) if not is_quality(name))
    ours, theirs = [plain(name) for name in names], shared_names(names, commons)
    found = []
    for each in map(plain, wanted):
        known = ours if each in ours else theirs
        if each not in known:
            raise SceneError(
                f"there is no band {each!r}, which `only` names; there are "
                f"{', '.join(name or '(unnamed)' for name in names)}"
            )
        found.append(known.index(each))
    return tuple(dict.fromkeys(found))


def _area(scene: Scene, given: Area | None) -> Aoi:
    """Say what no more is made than: the area of interest within the bounds."""
    whole = scene.geobox
    area = whole_scene(whole) if given is None else read_aoi(given, whole)
    inside = area if scene.area is None else area.within(scene.area)
    if inside is None:
        raise InputError("the area of interest and `bounds` have no pixel in common")
    return inside


def _parts(scene: Scene, options: CompositeOptions) -> dict[str, Scene]:
    """Cut a scene into periods, by name; all of it, without a name, where none is."""
    if options.period is None:
        return {"": scene}
    taken = [when(member) for member in scene.members]
    silent = [m.name for m, at in zip(scene.members, taken, strict=True) if at is None]
    if silent:
        raise SceneError(
            f"{silent[0]} does not say when it was taken, so that it is of no "
            f"{options.period}; leave it out, or leave out `period`"
        )
    found = periods([at for at in taken if at is not None], options.period)
    parts = {}
    for name, interval in found.items():
        members = tuple(
            member
            for member, at in zip(scene.members, taken, strict=True)
            if at is not None and at in interval
        )
        chosen = replace(scene.options, datetime=str(interval))
        parts[name] = replace(scene, members=members, options=chosen)
    return parts


def _config(
    path: Path,
    scene: Scene,
    bands: tuple[int, ...],
    area: Aoi,
    options: CompositeOptions,
) -> CompositeConfig:
    geobox, side = scene.geobox, _block(path, options)
    lattice = make_lattice((geobox.height, geobox.width), tile=side, overlap=0, block=1)
    plan = make_plan(
        geobox,
        lattice,
        area=area.window,
        touches=area.touches,
        fills=area.fills,
        identity={
            **identify_input(scene, area),
            "bands": ", ".join(map(str, bands)),
            "weighed": repr(scene.recipe),
            **_identify_clouds(options),
            "block": str(side),
        },
    )
    return CompositeConfig(path, scene, bands, area, plan, options)


def _block(path: Path, options: CompositeOptions) -> int:
    """Choose the side of blocks: that of an unfinished one, whose parts are of it."""
    wanted = _BLOCK if options.block is None else options.block
    directory = run_directory_of(path, options)
    begun = {} if options.restart else identity_of(directory)
    return int(begun.get("block", wanted))


def _check_files(
    config: CompositeConfig, inputs: Inputs, aoi: Area | None, *, overwrite: bool
) -> None:
    """Refuse to replace what is read, and what geoseg did not write."""
    read = [*files_named(inputs)]
    if isinstance(aoi, str | Path):
        read.append(split_layer(aoi)[0])
    for path in (*config.files, config.record):
        check_not_inputs([path], read)
        check_replaceable(path, overwrite=overwrite)


def _identify_clouds(options: CompositeOptions) -> dict[str, str]:
    """Say what masks each date; nothing without a mask.

    Raises:
        InputError: There is no such model, or it has no such class.

    """
    if options.mask_model is None:
        return {}
    package = load_package(options.mask_model)
    values = hidden_classes(options)
    return {"mask": f"{package.name} {package.fingerprint} {values}"}


def hidden_classes(options: CompositeOptions) -> tuple[int, ...]:
    """Give the classes that hide the ground, by number."""
    legend = load_package(options.mask_model or "").legend
    names = listed(options.mask_classes, "mask_classes")
    return tuple(sorted(legend.by_name(name).id for name in names))
