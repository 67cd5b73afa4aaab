"""Several inputs as one scene: their bands, on one grid, behind each other.

A model may want Sentinel-2 beside a DEM, or one area in spring and in summer. Each of
these is a scene by itself, with its own files, composite, masks, resampling and unit;
read on one grid they differ from the bands of one image in nothing but their names.
So they become one `Scene` whose bands are called ``input:band``, and what reads
windows of a scene, or compares a resume with its run, has nothing to learn: the laws
hold because each part keeps them. A model's inputs are then names of slices of bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.band_names import common_names, plain
from geoseg.scene.image import Scene
from geoseg.scene.members import blank_picture
from geoseg.scene.warp.chosen_grid import bounds_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.embeddings import Embedding
    from geoseg.geo.windows import Window
    from geoseg.options import SceneOptions


@dataclass(frozen=True)  # without slots, as its base
class StackedScene(Scene):
    """Several scenes on one grid, read as one: bands of the first come first.

    A pixel is valid where all of the inputs that are read are, or with ``valid=any``
    where one is: the others then read as 0.
    """

    parts: tuple[tuple[str, Scene], ...] = ()
    """The inputs by name."""

    @property
    def common_names(self) -> tuple[str, ...]:
        """The names of bands that other sensors share: what each part says or means."""
        found: list[str] = []
        for _, part in self.parts:
            known, _ = common_names([plain(name) for name in part.bands])
            found += [a or b for a, b in zip(part.common_names, known, strict=True)]
        return tuple(found)

    @property
    def embedding(self) -> None:
        """Whose features its bands are: of a stack no one's."""
        return

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """All learned features that are among its inputs, each once."""
        found = (each for _, part in self.parts for each in part.embeddings)
        return tuple(dict.fromkeys(found))

    @property
    def nodata(self) -> None:
        """The value without data: each input has its own, in its own unit."""
        return

    @property
    def is_scaled(self) -> bool:
        """Whether a scale is still to be applied; each part has its unit already."""
        return False

    def identity(self) -> dict[str, str]:
        """Distinguish one scene from another: each input by itself, in order."""
        return {
            "inputs": " ".join(name for name, _ in self.parts),
            "scene options": super().identity()["scene options"],
            **{
                f"{name} {key.removeprefix('scene ')}": value
                for name, part in self.parts
                for key, value in part.identity().items()
            },
        }

    def read(
        self, window: Window, bands: Sequence[int] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read the pixels of a window that lies inside the scene: see `Scene.read`.

        Raises:
            SceneError: A file cannot be read there.

        """
        wanted = range(len(self.bands)) if bands is None else bands
        shape = window.height, window.width
        pixels = np.empty((len(wanted), *shape), self.dtype)
        seen = []
        for part, positions, own in self._by_part(wanted):
            values, valid = part.read(window, own)
            # What is not there is 0 where it is shown, and may be NaN before.
            gap = self.options.valid == "any" and not valid.all()
            pixels[positions] = np.where(valid, values, 0) if gap else values
            seen.append(valid)
        together = np.any if self.options.valid == "any" else np.all
        return pixels, together(seen, axis=0)

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window at the resolution of a picture: see `Scene.picture`."""
        whole = blank_picture(len(bands), shape)
        for part, positions, own in self._by_part(bands):
            whole[positions] = part.picture(window, own, shape)
        return whole

    def _by_part(
        self, bands: Sequence[int]
    ) -> Iterator[tuple[Scene, list[int], list[int]]]:
        """Give each part that has some bands, their positions there, and their own.

        Raises:
            IndexError: There is no such band.

        """
        first = 0
        for _, part in self.parts:
            last = first + len(part.bands)
            positions = [at for at, band in enumerate(bands) if first <= band < last]
            if positions:
                yield part, positions, [bands[at] - first for at in positions]
            first = last


def stack_inputs(
    parts: Mapping[str, Scene],
    given: Mapping[str, Sequence[Path | str]],
    options: SceneOptions,
) -> StackedScene:
    """Put scenes that lie on one grid behind each other.

    Args:
        parts: The scenes by the name of the input that each is, on one grid.
        given: What the user named, by the name of the input.
        options: What the user said of all of them; its bounds are on their grid.

    Raises:
        SceneError: Bounds hold no pixel.

    """
    first, *_ = parts.values()
    members = tuple(member for part in parts.values() for member in part.members)
    bands = [
        f"{name}:{band or number}"
        for name, part in parts.items()
        for number, band in enumerate(part.bands, start=1)
    ]
    bounds = options.bounds
    return StackedScene(
        name=", ".join(dict.fromkeys(part.name for part in parts.values())),
        path=", ".join(f"{name}={part.path}" for name, part in parts.items()),
        geobox=first.geobox,
        bands=tuple(bands),
        dtype=str(np.result_type(*(part.dtype for part in parts.values()))),
        members=members,
        options=options,
        inputs=tuple(path for paths in given.values() for path in paths),
        area=None if bounds is None else bounds_window(first.geobox, bounds),
        warnings=tuple(
            f"{name}: {warning}"
            for name, part in parts.items()
            for warning in part.warnings
        ),
        parts=tuple(parts.items()),
    )
