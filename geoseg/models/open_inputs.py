"""What a user named for each input of a model, opened on one grid, as one scene.

The grid is that of the input whose pixels have the model's size, or what the user chose
of it; all others are brought onto it, each in its own way. An input with dates is
opened once, and is an image for each of its windows: those of its files that were
acquired then, put together by its own rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from geoseg.errors import InputError, ModelError, SceneError
from geoseg.models.compatibility import (
    Models,
    bands_needed,
    in_models_unit,
    inputs_listed,
    match_models,
    open_fitting,
)
from geoseg.models.find import load_package
from geoseg.progress import OnStep, ignore_step
from geoseg.scene import Inputs, Scene, open_scene, several
from geoseg.scene.composite.seasons import taken_in
from geoseg.scene.stacked_inputs import StackedScene, stack_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.models.package.inputs import NamedInput
    from geoseg.models.package.package import ModelPackage
    from geoseg.options import Rule, SceneOptions
    from geoseg.scene.files.paths import OneInput


def open_for(
    models: Sequence[Path | str],
    inputs: Inputs,
    options: SceneOptions,
    on_step: OnStep = ignore_step,
) -> tuple[Scene, Models]:
    """Open models, and one image or several inputs with the bands that they need.

    Args:
        models: Names and folders; of families those that fit an image.
        inputs: The image, or inputs by name.
        options: How to read it; the grid is that of all inputs.
        on_step: Called as headers are read, where there are many.

    Raises:
        InputError: No model is given, or something named cannot be used.
        ModelError: There is no such model, a band is missing, or inputs are others
            than the model's.

    """
    if not isinstance(inputs, Mapping):
        return open_fitting(
            models, lambda needs: open_scene(inputs, options, on_step, needs)
        )
    packages = [load_package(model) for model in models]
    if not packages:
        raise InputError("no model is given; give one, or several with `model`")
    for package in packages:
        _check_named(package, inputs)
    scene = _open(packages, inputs, options, on_step)
    return scene, match_models(packages, scene)


def _check_named(package: ModelPackage, inputs: Mapping[str, OneInput]) -> None:
    """Refuse other inputs than a model's."""
    if not package.inputs:
        raise ModelError(
            f"the model {package.name} takes one image, and inputs are given by name "
            f"({', '.join(inputs)}); name the image alone"
        )
    wanted = [each.name for each in package.inputs]
    missing = [name for name in wanted if name not in inputs]
    unknown = [name for name in inputs if name not in wanted]
    if missing or unknown:
        faults = [f"missing: {', '.join(missing)}"] if missing else []
        faults += [f"unknown: {', '.join(unknown)}"] if unknown else []
        raise ModelError(
            f"the model {package.name} takes the inputs {inputs_listed(package)}; "
            f"{'; '.join(faults)}; give each by its name: `input=NAME=FILE`"
        )


def _layout(taken: NamedInput) -> NamedInput:
    """Give what of an input decides how it is read, its bands left out."""
    return replace(taken, bands=())


def _open(
    packages: Sequence[ModelPackage],
    inputs: Mapping[str, OneInput],
    options: SceneOptions,
    on_step: OnStep,
) -> StackedScene:
    first, *others = packages
    for other in others:
        if [*map(_layout, other.inputs)] != [*map(_layout, first.inputs)]:
            raise ModelError(
                f"models whose probabilities are averaged need the same inputs: "
                f"{first.name} takes {inputs_listed(first)}; {other.name} takes "
                f"{inputs_listed(other)}, or reads them otherwise"
            )
    check_options(options, inputs)
    indices = range(len(first.inputs))
    lead = min(indices, key=lambda at: abs(first.inputs[at].gsd_m - first.gsd_m))
    dated = any(each.dates for each in first.inputs)
    opened: dict[int, Scene] = {}
    grid: GeoBox | None = None
    for at in sorted(indices, key=lambda at: (at != lead, at)):
        taken = first.inputs[at]
        own = own_options(options, taken, grid, timed=bool(taken.dates) or not dated)
        cards = [package.of_input(package.inputs[at]) for package in packages]
        with naming_input(taken.name):
            scene = open_scene(inputs[taken.name], own, on_step, bands_needed(cards))
            opened[at] = in_models_unit(match_models(cards, scene), scene)
        grid = grid or scene.geobox
    parts = {
        slot: part
        for at in indices
        for slot, part in slots_of(first.inputs[at], opened[at])
    }
    given = {name: several(each) for name, each in inputs.items()}
    return stack_inputs(parts, given, options)


def slots_of(taken: NamedInput, scene: Scene) -> Iterator[tuple[str, Scene]]:
    """Give an input's images: itself, or one for each window of dates."""
    if not taken.dates:
        yield taken.name, scene
    for slot, (name, window) in zip(taken.slots, taken.dates, strict=False):
        with naming_input(taken.name):
            members = taken_in(scene.members, name, window)
        yield slot, replace(scene, members=members)


def check_options(options: SceneOptions, inputs: Mapping[str, OneInput]) -> None:
    """Refuse what is said of one image, and nobody knows of which."""
    for name in ("bands", "numbers"):
        if getattr(options, name):
            raise InputError(
                f"`{name}` is about one image, and several inputs are given; give "
                f"files whose bands are named as the model's are"
            )
    for mask in options.mask:
        if mask.partition(":")[0] not in inputs:
            raise InputError(
                f"`mask={mask}` does not say of which input; begin it with one of "
                f"{', '.join(inputs)}, such as {next(iter(inputs))}:{mask}"
            )


def own_options(
    options: SceneOptions, taken: NamedInput, grid: GeoBox | None, *, timed: bool
) -> SceneOptions:
    """Say how one input is read.

    Args:
        options: What was said of all.
        taken: What the model says of it.
        grid: The pixels it is brought onto; None for the input that decides.
        timed: Whether what is said of time is about it.

    """
    says = timed and options.mosaic != "first"
    mosaic: Rule = options.mosaic if says else taken.mosaic
    own = replace(
        options,
        bounds=None,
        mask=tuple(
            mask.partition(":")[2]
            for mask in options.mask
            if mask.partition(":")[0] == taken.name
        ),
        resampling=taken.resampling,
        mosaic=mosaic,
        datetime=options.datetime if timed else None,
        valid="any" if "any" in {options.valid, taken.valid} else "all",
    )
    if grid is None:
        return own
    return replace(own, crs=None, resolution=None, like=grid)


@contextmanager
def naming_input(name: str) -> Iterator[None]:
    """Name the input in what is said to be wrong with it."""
    try:
        yield
    except SceneError as error:
        raise SceneError(f"input {name}: {error}") from error
    except ModelError as error:
        raise ModelError(f"input {name}: {error}") from error
