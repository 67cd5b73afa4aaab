"""The published models that geoseg knows how to bring here: a table, nothing else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """A published model, and the one file that its weights come from."""

    name: str
    """What it is called here: ``geoseg models import NAME`` gets it."""
    purpose: str
    """What it maps, and where it was trained to."""
    sensor: str
    """Whose images it takes, and which bands of them."""
    classes: tuple[str, ...]
    """The classes, in the order of its scores."""
    license: str
    """The licence of its weights, as SPDX writes it."""
    attribution: str
    """Whom to name, and the paper to cite."""
    home: str
    """Where it is published."""
    version: str
    """Which state of that is meant."""
    url: str
    """The file of weights in that state."""
    sha256: str
    """The checksum of the file's bytes."""
    size: int
    """How many there are."""


_DYNAMIC_WORLD = "94e73e713ee8693136f8c9e3d4fe57b4e67f0d7e"
"""The commit that brought its weights."""

DYNAMIC_WORLD = Recipe(
    name="dynamic-world",
    purpose="land cover anywhere on Earth, 10 m",
    sensor="Sentinel-2 top-of-atmosphere reflectance (L1C), nine bands",
    classes=(
        "water",
        "trees",
        "grass",
        "flooded_vegetation",
        "crops",
        "shrub_and_scrub",
        "built",
        "bare",
        "snow_and_ice",
    ),
    license="Apache-2.0",
    attribution=(
        "Produced for the Dynamic World Project by Google in partnership with National "
        "Geographic and the World Resources Institute; Brown et al. (2022), Scientific "
        "Data 9:251, doi:10.1038/s41597-022-01307-4"
    ),
    home="https://github.com/google/dynamicworld",
    version=_DYNAMIC_WORLD[:8],
    url=(
        f"https://raw.githubusercontent.com/google/dynamicworld/{_DYNAMIC_WORLD}/"
        f"model/forward/variables/variables.data-00000-of-00001"
    ),
    sha256="c4a38299f2c0a741682cbe48810d55afdc832ff451e3d3708082751fe655fcb1",
    size=964_710,
)

RECIPES = {each.name: each for each in (DYNAMIC_WORLD,)}
"""All of them, by name."""


def available_models() -> tuple[Recipe, ...]:
    """List the published models that ``geoseg models import`` gets by name."""
    return tuple(RECIPES.values())
