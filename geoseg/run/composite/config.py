"""A composite that is resolved, and has not begun."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from geoseg.geo.geobox import GeoBox
    from geoseg.options import CompositeOptions
    from geoseg.overlay.aoi import Aoi, Area
    from geoseg.run.plan import Plan
    from geoseg.scene import Scene
    from geoseg.storage.output import Output


@dataclass(frozen=True, slots=True)
class CompositeConfig:
    """Everything of a composite that is resolved before it is made."""

    output: Output
    """Where the GeoTIFF goes, with what stands beside it."""
    scene: Scene
    """What it is made of, in one unit."""
    bands: tuple[int, ...]
    """The scene's bands that it has, counted from 0."""
    area: Aoi
    """Where it is wanted."""
    plan: Plan
    """What is to be done."""
    options: CompositeOptions
    """What was asked for."""
    aoi_given: Area | None = None
    """What was given as the AOI; None for the whole scene."""

    @property
    def path(self) -> Path:
        """The GeoTIFF, where it is made."""
        return self.output.path

    @property
    def counts(self) -> Path:
        """The file of how many dates are clear at each pixel."""
        return self.path.with_name(f"{self.path.stem}_count{self.path.suffix}")

    @property
    def dates(self) -> Path | None:
        """The file of which date each pixel is of; None where it is of many."""
        if not self.scene.recipe.is_one_date:
            return None
        return self.path.with_name(f"{self.path.stem}_date{self.path.suffix}")

    @property
    def record(self) -> Path:
        """The file that says what it was made of."""
        return self.path.with_name(self.output.record)

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is written but the record."""
        return tuple(
            path for path in (self.path, self.counts, self.dates) if path is not None
        )

    @property
    def run_directory(self) -> str | Path:
        """Where unfinished work is kept: a directory, or an object store's URL."""
        return run_directory_of(self.output, self.options)

    @property
    def geobox(self) -> GeoBox:
        """The composite's plane."""
        return self.scene.geobox.crop(self.area.window)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its bands."""
        return tuple(
            self.scene.bands[band] or f"band {band + 1}" for band in self.bands
        )

    @property
    def scales(self) -> tuple[tuple[float, float], ...]:
        """Each band's scale and offset, which make its numbers physical values."""
        scene = self.scene
        if scene.unit is not None:
            return ((scene.unit, scene.zero),) * len(self.bands)
        declared = scene.declared()
        return () if declared is None else tuple(declared[band] for band in self.bands)

    @property
    def stored(self) -> tuple[str, float]:
        """The dtype that pixels are written in, and the one without data.

        Whole numbers stay where files declare a nodata that nothing between two clear
        pixels can be: the least or the greatest there is. Else they become floating
        point numbers that hold them, and NaN.
        """
        dtype = np.dtype(self.scene.dtype)
        if dtype.kind == "f":
            return dtype.name, np.nan
        limits = np.iinfo(dtype.name)
        bands = self.bands
        said = {each.band(band).nodata for each in self.scene.members for band in bands}
        nodata = said.pop() if len(said) == 1 else None
        if nodata is not None and nodata in {limits.min, limits.max}:
            return dtype.name, nodata
        return ("float32" if dtype.itemsize <= 2 else "float64"), np.nan  # noqa: PLR2004  # bytes

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for and changes what is made, as JSON has it."""
        asked = asdict(self.options)
        kept = ("only", "period", "mask_model", "mask_classes", "scene")
        return {name: asked[name] for name in kept}


def run_directory_of(output: Output, options: CompositeOptions) -> str | Path:
    """Say where unfinished work is kept of a composite."""
    if options.run_dir is None:
        return output.run_directory()
    return f"{str(options.run_dir).rstrip('/')}/{output.path.stem}"
