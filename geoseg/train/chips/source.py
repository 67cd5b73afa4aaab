"""A scene to be cut into chips, with what is known of its ground."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.geo.legend import NODATA
from geoseg.storage.folder_names import folded
from geoseg.train.chips.band_figures import Moments
from geoseg.train.chips.files import ImageProfile, image_file, mask_file
from geoseg.train.chips.lattice import lay, split_chips
from geoseg.train.chips.ledger import ChipEntry, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.geo.splits import Split
    from geoseg.geo.windowed import ClassWindows
    from geoseg.geo.windows import Window
    from geoseg.scene import Scene
    from geoseg.train.chips.options import TileOptions


@dataclass(frozen=True, slots=True)
class ChipSource:
    """A scene with its labels and its split."""

    name: str
    """What its chips' names begin with."""
    scene: Scene
    """The scene."""
    bands: tuple[int, ...]
    """Which bands are taken, counted from 0."""
    profile: ImageProfile
    """What all its images have in common."""
    labels: ClassWindows | None
    """What is known of its ground; None for images alone."""
    splits: tuple[Split, ...]
    """What is held out, and what is validated; none for images alone."""

    def chips(self, options: TileOptions) -> Iterator[tuple[str, Window]]:
        """Give the chips that there may be, and the part of the split of each."""
        area, step = self.scene.window, options.chip - options.overlap
        if self.splits:
            yield from split_chips(area, options.chip, step, self.splits)
        else:
            yield from (("", window) for window in lay(area, options.chip, step))

    def channels(self, window: Window) -> NDArray[np.uint8]:
        """Give the channel of each pixel's class, 255 where nothing is known."""
        if self.labels is None:
            return np.full((window.height, window.width), NODATA, np.uint8)
        return self.labels.read(window)

    def chip_name(self, window: Window) -> str:
        """Name a chip by its scene and its row and column there."""
        return f"{self.name}_{window.row:06d}_{window.col:06d}"

    def write(self, window: Window, ledger: Ledger, legend: Legend | None) -> None:
        """Write a chip's files, unless it shows nothing; note what is in it.

        Raises:
            SceneError: It cannot be read there.

        """
        name = self.chip_name(window)
        pixels, valid = self.scene.read(window, self.bands)
        channels = self.channels(window)
        channels[~valid] = NODATA
        counts = np.bincount(channels.ravel(), minlength=NODATA + 1)
        used = valid.any() if legend is None else counts[:NODATA].any()
        if not used:
            ledger.add(ChipEntry(name, 0, (), {}, {}))
            return
        geobox = self.scene.geobox.crop(window)
        files = {f"images/{name}.tif": image_file(pixels, valid, geobox, self.profile)}
        if legend is not None:
            ids = np.full(NODATA + 1, NODATA, np.uint8)
            ids[: len(legend)] = legend.ids
            files[f"masks/{name}.tif"] = mask_file(ids[channels], geobox, legend)
        ledger.add(
            ChipEntry(
                name,
                int(valid.sum()),
                tuple(counts[: len(legend or ())].tolist()),
                Moments.of(pixels, valid).to_dict(),
                ledger.keep(files),
            )
        )


def profile_of(
    scene: Scene, bands: Sequence[int], names: Sequence[str]
) -> ImageProfile:
    """Say what all chips of a scene have in common.

    Raises:
        SceneError: Its files declare several scales or offsets for a band.

    """
    if not scene.is_scaled:
        plain = (1.0,) * len(names), (0.0,) * len(names)
        return ImageProfile(tuple(names), scene.dtype, scene.nodata, *plain)
    scales, offsets = [], []
    for band, name in zip(bands, names, strict=True):
        declared = [member.band(band) for member in scene.members]
        units = {(each.scale, each.offset) for each in declared}
        if len(units) > 1:
            raise SceneError(
                f"{scene.path} has files with several scales or offsets of {name} "
                f"({', '.join(f'{s:g} {o:+g}' for s, o in sorted(units))}), and chips "
                f"hold pixels as they are; bring the files into one unit first"
            )
        scale, offset = units.pop()
        scales.append(scale)
        offsets.append(offset)
    return ImageProfile(
        tuple(names), scene.dtype, scene.nodata, tuple(scales), tuple(offsets)
    )


def unique_names(scenes: Sequence[Scene]) -> list[str]:
    """Give each scene a name of signs that files may have, and its own."""
    names: list[str] = []
    for scene in scenes:
        stem = scene.name.rstrip("/").rpartition("/")[2].partition(".")[0]
        plain = re.sub(r"[^A-Za-z0-9-]+", "-", stem).strip("-") or "scene"
        name, number = plain, 1
        while folded(name) in map(folded, names):
            number += 1
            name = f"{plain}-{number}"
        names.append(name)
    return names
