"""A scene: imagery as one image, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.geo.band_names import find_red_and_nir
from geoseg.geo.windows import Window
from geoseg.scene.composite.observations import STACKED, observed
from geoseg.scene.composite.read import read_composite
from geoseg.scene.composite.rules import CompositeRecipe
from geoseg.scene.files.datasets import at_once, our_settings
from geoseg.scene.members import waves
from geoseg.scene.pictures import picture_of, picture_of_looks
from geoseg.scene.quality import is_quality
from geoseg.scene.unchanged import check_header, check_members, identity_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from geoseg.geo.embeddings import Embedding
    from geoseg.geo.geobox import GeoBox
    from geoseg.options import SceneOptions
    from geoseg.scene.composite.observations import Observation
    from geoseg.scene.composite.rules import Composite
    from geoseg.scene.files.raster import Raster
    from geoseg.scene.members import Member
    from geoseg.scene.quality import Quality


@dataclass(frozen=True)  # without slots: where members lie is kept once it is known
class Scene:
    """An image to be read window by window.

    It holds no open file: a `Scene` is sent to other threads and processes, and
    GDAL's handles can be shared with neither.
    """

    name: str
    """What people call it, in short."""
    path: str
    """Where it is, as it was named."""
    geobox: GeoBox
    """Its pixel plane."""
    bands: tuple[str, ...]
    """Each band's name; an empty string where it has none."""
    dtype: str
    """The pixels' numpy dtype, the same for all bands."""
    members: tuple[Member, ...]
    """What it is made of; of two that cover a pixel with data, the first counts."""
    options: SceneOptions
    """How it is read."""
    inputs: tuple[Path | str, ...] = field(default=(), repr=False, compare=False)
    """What it was opened from, as it was given: secrets of URLs are in it."""
    area: Window | None = None
    """The pixels that are to be mapped; all where None."""
    masks: tuple[Quality, ...] = ()
    """Classes of quality bands that do not count."""
    unit: float | None = None
    """What pixels are given in, where files declare scale and offset: a physical value
    is a pixel times this, plus `zero`. None where pixels are as they are there."""
    zero: float = 0.0
    """The physical value of a pixel of 0, where they are given in a unit."""
    warnings: tuple[str, ...] = ()
    """What was put right or taken for granted, a sentence each."""

    def __repr__(self) -> str:
        """Say which it is, where, and which bands it has; what it holds is longer."""
        bands = ", ".join(name or "?" for name in self.bands)
        return f"Scene({self.name!r}, {self.geobox}, {self.dtype}, bands: {bands})"

    @property
    def rasters(self) -> tuple[Raster, ...]:
        """The files it is made of."""
        return tuple(file for raster in self._laid for file in raster.files)

    @property
    def _laid(self) -> tuple[Raster, ...]:
        """The files that hold its bands."""
        return tuple(layer.raster for member in self.members for layer in member.layers)

    @property
    def embedding(self) -> Embedding | None:
        """Which learned features its bands are, in all of its files."""
        return self.members[0].layers[0].raster.embedding

    @property
    def embeddings(self) -> tuple[Embedding, ...]:
        """All learned features that are among its bands, each once."""
        return () if self.embedding is None else (self.embedding,)

    @property
    def is_quantised(self) -> bool:
        """Whether its files hold whole numbers that stand for such features."""
        return any(raster.is_quantised for raster in self._laid)

    @property
    def is_remote(self) -> bool:
        """Whether some of it is read through a network."""
        return any(member.is_remote for member in self.members)

    @property
    def nodata(self) -> float | None:
        """The value that means "no data" in all bands; None where there is none."""
        values = {band.nodata for raster in self._laid for band in raster.bands}
        return values.pop() if len(values) == 1 else None

    @property
    def common_names(self) -> tuple[str, ...]:
        """The names of bands that other sensors share, where documents give them.

        Of a band without a name its colour, where somebody said so of the file.
        """
        bands = [self.members[0].band(index) for index in range(len(self.bands))]
        return tuple(b.common or ("" if b.name else b.colour) for b in bands)

    @property
    def alpha(self) -> int | None:
        """The number, in its first file, of the band that hides pixels, if any."""
        return self.rasters[0].alpha

    @property
    def window(self) -> Window:
        """All of its pixels."""
        return Window(0, 0, self.geobox.height, self.geobox.width)

    def identity(self) -> dict[str, str]:
        """Distinguish one scene from another, or from itself after a change, by name.

        Everything that changes pixels is in it: files, grid and how they are read.
        """
        unit = f"{self.unit} {self.zero}"
        return identity_of(self.members, self.geobox, unit, self.options)

    def check_unchanged(self, window: Window | None = None) -> None:
        """Prove that files are those whose headers were read.

        One look at each file on this disk, one request for each on a server.

        Args:
            window: What was read, in pixels of the scene: only files that show it are
                looked at, no folders of many files, and none that `read` has looked
                at: single ones on this disk. All where None.

        Raises:
            ChangedError: One was changed, replaced or taken away; the message names it.

        """
        members = self.members if window is None else self._touched(window)
        check_members(members, wholly=window is None, remote=self.is_remote)

    def check(self) -> None:
        """Prove that this process sees the same files: the first one, and its grid.

        Raises:
            SceneError: It cannot be opened here, or is another one.
            ChangedError: A file has another size, time or content than it had where
                the run began.

        """
        check_header(self.rasters[0], self.options)
        self.check_unchanged()

    def read(
        self, window: Window, bands: Sequence[int] | None = None
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read the pixels of a window that lies inside the scene.

        The answer for a pixel is the same in every window; of one that is not valid,
        its number means nothing.

        Args:
            window: What to read, in pixels of the scene.
            bands: Which bands, counted from 0, in the order wanted; all where None.

        Returns:
            Pixels in the scene's dtype, shape ``(band, y, x)``, and the valid
            mask, shape ``(y, x)``: True where the bands read have data (not
            nodata, not masked, not NaN or infinite).

        Raises:
            SceneError: A file cannot be read there, for instance because it
                is damaged; the message names file and window.

        """
        bands = range(len(self.bands)) if bands is None else bands
        touched = self._touched(window)
        if self.options.mosaic in STACKED and len(touched) > 1:
            found = self.composite(window, bands)
            return found.pixels, found.valid
        return self.mosaic(touched, window, bands)

    def composite(
        self, window: Window, bands: Sequence[int] | None = None
    ) -> Composite:
        """Read a window with what a composite knows beside pixels: counts, and dates.

        Args:
            window: As `read` takes it; so are the bands.
            bands: See there.

        Raises:
            SceneError: A file cannot be read there.

        """
        bands = range(len(self.bands)) if bands is None else bands
        with our_settings():
            return read_composite(self, self.recipe, window, bands)

    @cached_property
    def observations(self) -> tuple[Observation, ...]:
        """The looks at the ground that its members are, the first counts first."""
        return observed(self.members, self.options.mosaic)

    @property
    def recipe(self) -> CompositeRecipe:
        """How a pixel is made of several looks.

        Raises:
            SceneError: The rule needs bands that are not there.

        """
        rule = self.options.mosaic
        if rule == "medoid":
            numbers = enumerate(self.bands)
            return CompositeRecipe(
                rule, tuple(i for i, n in numbers if not is_quality(n))
            )
        if rule != "max-ndvi":
            return CompositeRecipe(rule)
        found = find_red_and_nir(self.bands, self.common_names)
        if found is None:
            raise SceneError(
                f"`mosaic=max-ndvi` needs a red and a near infrared band; {self.name} "
                f"has {', '.join(band or '(unnamed)' for band in self.bands)}; name "
                f"them, or choose another `mosaic`, such as medoid"
            )
        return CompositeRecipe(rule, found)

    def mosaic(
        self, members: Sequence[Member], window: Window, bands: Sequence[int]
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read some of its members as `read` does: of two with data, the first counts.

        Args:
            members: Those that show something of the window, in their order.
            window: As `read` takes it; so are the bands.
            bands: See there.

        Raises:
            SceneError: A file cannot be read there.

        """
        with our_settings():
            if len(members) == 1 and members[0].window.contains(window):
                return self._read_member(members[0], window, bands)
            shape = (window.height, window.width)
            pixels = np.empty((len(bands), *shape), self.dtype)
            valid = np.zeros(shape, np.bool_)

            def add(member: Member) -> None:
                self._add(member, window, bands, (pixels, valid))

            remote = any(member.is_remote for member in members)
            for group in waves(members, window) if remote else [members]:
                at_once(add, group, remote=remote)
            if not valid.all():
                pixels[:, ~valid] = 0
            return pixels, valid

    def to_xarray(
        self,
        bands: Sequence[str] | None = None,
        *,
        chunks: int | str | Mapping[str, int | str] | None = None,
    ) -> xr.DataArray:
        """Give the scene as a DataArray whose pixels are read when they are used.

        Args:
            bands: The names of the bands wanted, in that order; all where None.
            chunks: Sides of chunks, such as ``{"y": 1024, "x": 1024}`` or ``"auto"``,
                for an array of dask's; where None the array is lazy without dask.

        Returns:
            Pixels with the dimensions ``band`` (named), ``y`` and ``x`` (the pixels'
            centres, in units of the CRS), the CRS as rioxarray reads it. They are NaN
            in all of the bands chosen where one of them has no data, or is masked: what
            `read` calls not valid. Whole numbers become float32, or float64 where
            float32 would not hold them. They are as stored; scale and offset that
            files declare are coordinates of the bands, ``scale`` and ``offset``. Where
            files of a mosaic declare others than each other, pixels are in the unit
            declared instead, float32.

        Raises:
            SceneError: There is no band of such a name, or there are several.

        Example:
            >>> import geoseg
            >>> scene = geoseg.open_scene("scene.tif")  # doctest: +SKIP
            >>> scene.to_xarray(["B04", "B08"]).sel(band="B04")  # doctest: +SKIP

        """
        from geoseg.scene.arrays import to_xarray  # noqa: PLC0415  # runs need no xarray

        declared = self.declared()
        mixed = declared is None and self.unit is None and self.is_scaled
        image = self.in_unit(1.0) if mixed else self
        return to_xarray(image, bands, chunks, declared)

    def _touched(self, window: Window) -> list[Member]:
        rows, cols = window.rows, window.cols
        edges = self._edges
        meets = (edges[0] < rows[1]) & (edges[1] > rows[0])
        meets &= (edges[2] < cols[1]) & (edges[3] > cols[0])
        return [self.members[index] for index in np.flatnonzero(meets)]

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        """Each member's first row, the row behind its last, columns: (4, member)."""
        edges = [(*s.window.rows, *s.window.cols) for s in self.members]
        return np.array(edges, np.int64).T

    def _add(
        self,
        member: Member,
        window: Window,
        bands: Sequence[int],
        so_far: tuple[NDArray[np.generic], NDArray[np.bool_]],
    ) -> None:
        """Fill in what a member has where those before it have nothing."""
        part = member.window.intersection(window)
        part = part and _lacking(so_far[1], part, window)
        if part is None:
            return
        inside = part.relative_to(window).slices()
        pixels_so_far, valid = so_far[0][(slice(None), *inside)], so_far[1][inside]
        free = self._as_stored and not valid.any()
        pixels, has = self._read_member(
            member, part, bands, pixels_so_far if free else None
        )
        if not (free and np.may_share_memory(pixels, pixels_so_far)):
            np.copyto(pixels_so_far, pixels, where=has & ~valid)
        valid |= has

    @property
    def _as_stored(self) -> bool:
        """Whether pixels are what files hold, and nothing is done to them."""
        return not self.masks and self.unit is None and self.options.valid == "all"

    def _read_member(
        self,
        member: Member,
        window: Window,
        bands: Sequence[int],
        out: NDArray[np.generic] | None = None,
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        wanted = [*bands, *(mask.band for mask in self.masks)]
        pixels, data = member.read(window, wanted, self.dtype, out)
        count, quality = len(bands), pixels[len(bands) :]
        pixels, data = pixels[:count], data[:count]
        if self.unit is not None:
            pixels = self._in_unit(member, bands, pixels)
        if self.options.valid == "any":
            pixels = np.where(data, pixels, pixels.dtype.type(0))
        valid = self._counts(data)
        for mask, band in zip(self.masks, quality, strict=True):
            valid = valid & mask.counts(band)
        if member.cover is not None:
            valid = valid & member.cover.clear(window)
        return pixels, valid

    def _in_unit(
        self, member: Member, bands: Sequence[int], pixels: NDArray[np.generic]
    ) -> NDArray[np.generic]:
        """Apply the scale and offset that a member's files declare."""
        declared = [member.band(band) for band in bands]
        unit = self.unit or 1.0
        scale = np.array([band.scale / unit for band in declared])
        offset = np.array([(band.offset - self.zero) / unit for band in declared])
        shape = (-1, 1, 1)
        numbers = pixels.astype(np.float64)
        physical = numbers * scale.reshape(shape) + offset.reshape(shape)
        given: NDArray[np.float32] = physical.astype(np.float32)
        return given

    @property
    def is_scaled(self) -> bool:
        """Whether a file declares a scale or an offset that is to be used."""
        return self.options.radiometry == "auto" and any(
            (band.scale, band.offset) != (1.0, 0.0)
            for raster in self._laid
            for band in raster.bands
        )

    def declared(self) -> tuple[tuple[float, float], ...] | None:
        """Give each band's scale and offset, where files declare any, and the same."""
        if self.unit is not None or not self.is_scaled:
            return None
        numbers = range(len(self.bands))
        found = {
            tuple((band.scale, band.offset) for band in map(member.band, numbers))
            for member in self.members
        }
        return found.pop() if len(found) == 1 else None

    def in_unit(self, unit: float, zero: float = 0.0) -> Scene:
        """Give the same scene with pixels in a physical unit, as its files declare it.

        Sentinel-2's numbers since baseline 04.00, for instance, are 1000 too high,
        which files declare as an offset of -0.1: in units of 0.0001 they come 1000
        lower.
        """
        return replace(self, unit=unit, zero=zero, dtype="float32")

    def as_stored(self) -> Scene | None:
        """Give the same scene with AlphaEarth's numbers as files hold them.

        They take a quarter of the memory, and are turned into features where these are
        used: a feature is v |v| / 127.5^2. None where pixels are something else, or
        are made of several, which is done with features.
        """
        made, options = self.embedding, self.options
        layers = [layer for member in self.members for layer in member.layers]
        if (
            made is None
            or made.kind != "alphaearth"
            or any(each.warp or each.raster.stored != "int8" for each in layers)
            or options.mosaic in STACKED
            or self.masks
            or self.unit is not None
        ):
            return None
        members = tuple(member.as_stored() for member in self.members)
        return replace(self, members=members, dtype="int8")

    def _counts(self, data: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where a pixel is valid, of where its bands have data."""
        together = np.any if self.options.valid == "any" else np.all
        valid: NDArray[np.bool_] = data[0] if len(data) == 1 else together(data, axis=0)
        return valid

    def coarse_valid(self, bands: Sequence[int]) -> NDArray[np.bool_] | None:
        """Estimate from overviews where the whole scene is valid, shape (y, x).

        A pixel of an overview stands for many of the scene, so what it says of
        small areas is an estimate. None where there are no overviews.
        """
        if len(self.members) > 1 or len(self.members[0].layers) > 1:
            return None
        bands_of_file = [self.members[0].bands[band][1] for band in bands]
        data = self.rasters[0].coarse_valid(bands_of_file)
        return None if data is None else self._counts(data)

    def picture(
        self, window: Window, bands: Sequence[int], shape: tuple[int, int]
    ) -> np.ma.MaskedArray:
        """Look at a window at the resolution of a picture, invalid pixels masked.

        Args:
            window: What to show, in pixels of the scene.
            bands: Which bands, counted from 0.
            shape: Rows and columns of the picture.

        Returns:
            Averages of pixels, shape ``(band, *shape)``.

        """
        touched = self._touched(window)
        with our_settings():
            if self.options.mosaic in STACKED and len(touched) > 1:
                return picture_of_looks(self.observations, window, bands, shape)
            return picture_of(touched, window, bands, shape)


def _lacking(valid: NDArray[np.bool_], part: Window, window: Window) -> Window | None:
    """Find the least window that holds all of a part's pixels that are not valid yet.

    Args:
        valid: Of all the window's pixels, shape ``(y, x)``.
        part: A window inside the window.
        window: See `valid`.

    """
    known = valid[part.relative_to(window).slices()]
    if not known.any():
        return part
    lacks = ~known
    rows, cols = np.flatnonzero(lacks.any(axis=1)), np.flatnonzero(lacks.any(axis=0))
    if not rows.size:
        return None
    return Window.between(
        (part.row + int(rows[0]), part.row + int(rows[-1]) + 1),
        (part.col + int(cols[0]), part.col + int(cols[-1]) + 1),
    )
