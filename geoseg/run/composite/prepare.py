"""Settle everything of a composite before it begins; refuse here what cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import InputError, OutputError, SceneError, listed
from geoseg.geo.band_names import plain, shared_names
from geoseg.geo.tiling import make_lattice
from geoseg.models.compatibility import check_scaled
from geoseg.models.find import load_package
from geoseg.overlay.aoi import read_aoi, split_layer, whole_scene
from geoseg.run.composite.config import CompositeConfig, run_directory_of
from geoseg.run.identity import identify_input
from geoseg.run.journal.journal import identity_of
from geoseg.run.plan import make_plan
from geoseg.scene import files_named, open_scene
from geoseg.scene.composite.dates import periods
from geoseg.scene.composite.observations import when
from geoseg.scene.quality import is_quality
from geoseg.storage.authorship import check_not_inputs
from geoseg.storage.output import Output
from geoseg.storage.remote import without_secrets

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
    output: Output,
    aoi_given: Area | None,
    options: CompositeOptions,
    on_step: OnStep,
) -> list[CompositeConfig]:
    """Check everything and plan; write nothing.

    Args:
        inputs: What they are made of.
        output: Where the GeoTIFF goes, or those of periods, named after it.
        aoi_given: What was given as the AOI; None for the whole scene.
        options: What was asked for.
        on_step: Called as headers are read, where there are many.

    Returns:
        A composite for each period; one where none is asked for.

    Raises:
        InputError: Something given cannot be used.

    """
    wanted = options.only

    def needs(names: tuple[str, ...], commons: tuple[str, ...]) -> Sequence[int]:
        return _bands_of(names, commons, wanted)

    scene = open_scene(inputs, options.scene, on_step, needs)
    bands = _bands_of(scene.bands, scene.common_names, wanted)
    scene = in_one_unit(scene, bands)
    area = _area(scene, aoi_given)
    configs = [
        replace(
            _config(_named(output, name), part, bands, area, options),
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


def target(output: Path | str, options: CompositeOptions) -> Output:
    """Take the output as it was given.

    Raises:
        OutputError: It is no name of a GeoTIFF, in a folder or an object store.

    """
    found = Output.of_file(output)
    if found.path.suffix.lower() not in _SUFFIXES:
        name = without_secrets(str(output)) or "nothing"
        raise OutputError(
            f"a composite is one GeoTIFF, and {name} is no name of one; "
            f"write {found.path.stem or 'composite'}.tif"
        )
    if found.url is not None and options.mask_model is not None:
        raise OutputError(
            "a composite that a model masks goes to a disk only, and not to an object "
            "store; give a file, or leave out `mask_model`"
        )
    found.check()
    return found


def _named(output: Output, period: str) -> Output:
    path = output.path
    return output.beside(f"{path.stem}-{period}{path.suffix}" if period else path.name)


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
    for said in wanted:
        each = plain(said)
        known = ours if each in ours else theirs
        if each not in known:
            raise SceneError(
                f"there is no band {said!r}, which `only` names; there are "
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
    acquired = [when(member) for member in scene.members]
    silent = [
        m.name for m, at in zip(scene.members, acquired, strict=True) if at is None
    ]
    if silent:
        raise SceneError(
            f"{silent[0]} does not say when it was acquired, so that it is of no "
            f"{options.period}; leave it out, or leave out `period`"
        )
    found = periods([at for at in acquired if at is not None], options.period)
    parts = {}
    for name, interval in found.items():
        members = tuple(
            member
            for member, at in zip(scene.members, acquired, strict=True)
            if at is not None and at in interval
        )
        chosen = replace(scene.options, datetime=str(interval))
        parts[name] = replace(scene, members=members, options=chosen)
    return parts


def _config(
    output: Output,
    scene: Scene,
    bands: tuple[int, ...],
    area: Aoi,
    options: CompositeOptions,
) -> CompositeConfig:
    geobox, side = scene.geobox, _block(output, options)
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
    return CompositeConfig(output, scene, bands, area, plan, options)


def _block(output: Output, options: CompositeOptions) -> int:
    """Choose the side of blocks: that of an unfinished one, whose parts are of it."""
    wanted = _BLOCK if options.block is None else options.block
    directory = run_directory_of(output, options)
    begun = {} if options.restart else identity_of(directory)
    return int(begun.get("block", wanted))


def _check_files(
    config: CompositeConfig, inputs: Inputs, aoi: Area | None, *, overwrite: bool
) -> None:
    """Refuse to replace what is read, and what geoseg did not write."""
    read = [*files_named(inputs)]
    if isinstance(aoi, str | Path):
        read.append(split_layer(aoi)[0])
    products = (*config.files, config.record)
    written = {config.output.destination(path) for path in products}
    for raster in config.scene.rasters:
        if config.output.url is not None and without_secrets(raster.path) in written:
            raise OutputError(
                f"{without_secrets(raster.path)} is an input, and would be replaced; "
                f"choose another output"
            )
    check_not_inputs(products, read)
    config.output.check_products(products, overwrite=overwrite)


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
