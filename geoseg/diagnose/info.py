"""What geoseg sees in imagery, before anything is mapped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import InputError, ModelError, json_text
from geoseg.geo.embeddings import MANY, credited
from geoseg.geo.windows import Window
from geoseg.models.compatibility import bands_needed, find_bands
from geoseg.models.find import candidates, others
from geoseg.models.open_inputs import open_for
from geoseg.overlay.aoi import read_aoi
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.report.components import principal_components
from geoseg.report.footprints import Footprints, write_footprints
from geoseg.run.arrays import as_files
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.cache import keep, recall
from geoseg.scene.cache_key import cached_as
from geoseg.scene.statistics import bytes_to_read, measure
from geoseg.storage.authorship import check_names
from geoseg.storage.staging import check_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.package.package import ModelPackage
    from geoseg.overlay.aoi import Area
    from geoseg.run.arrays import Image
    from geoseg.scene import Inputs, Needs, Scene


_LOOK = 512
"""Side of the picture that values are estimated from, in pixels."""
_MOST_VALUES = 32_000_000
"""Values of that picture, at most."""
_MOST_PIXELS = 1 << 28
"""A larger scene without overviews is not read for an estimate."""
_SPOT, _SPOTS = 64, 16
"""Side in pixels of what is read of it instead, and how many such windows a side."""
_MOST_BYTES = 1 << 30
"""Bytes that are decoded for them: a window may lie in a block that is much larger."""
_COVER = 2048
"""Side of the grid on which overlaps and gaps are counted, in cells."""
_KIND, _FORMAT = "looks", 1
"""What is seen is kept as; counted up when it, or how it is seen, changes."""
_LISTED = 10
"""Members of a mosaic that are named."""


@dataclass(frozen=True, slots=True)
class BandValues:
    """What a band holds."""

    name: str
    """Its name; an empty string where it has none."""
    smallest: float | None = None
    """The smallest valid value seen; None where none was."""
    largest: float | None = None
    """The largest."""
    mean: float | None = None
    """The mean, where all pixels were read."""
    std: float | None = None
    """Their standard deviation, where all were."""


@dataclass(frozen=True, slots=True)
class ModelFit:
    """Whether a model can map a scene."""

    model: str
    """The model's name."""
    why_not: str
    """What is missing; an empty string where it fits."""
    bands: dict[str, str]
    """For each of its bands, the scene's: its name, or its number from 1."""
    model_gsd_m: float
    """The ground sample distance that it was trained on, in metres."""
    notes: tuple[str, ...] = ()
    """What would be taken for granted."""


@dataclass(frozen=True, slots=True)
class SceneDescription:
    """What ``geoseg info`` finds."""

    name: str
    """What people call the scene."""
    crs: str
    """Its CRS."""
    width: int
    """Columns."""
    height: int
    """Rows."""
    transform: tuple[float, ...]
    """The affine transform, row by row."""
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in units of the CRS."""
    lonlat_bounds: tuple[float, float, float, float]
    """The same in degrees of WGS 84."""
    gsd_m: float
    """Ground sample distance in metres."""
    dtype: str
    """The pixels' type."""
    nodata: float | None
    """The value that means "no data"."""
    bands: tuple[BandValues, ...]
    """Its bands, in order."""
    alpha: int | None
    """The number, in the first file, of the band that hides pixels where it is 0; None
    where there is none."""
    nodata_share: float
    """Share of pixels without data, 0 to 1."""
    exact: bool
    """Whether all pixels were read; else values and shares are estimated from a
    picture of 512 pixels a side, whose averages hide extremes."""
    files: int
    """How many files it is made of."""
    members: tuple[str, ...]
    """The first of them."""
    overlap_share: float
    """Share of the ground that several members cover, 0 to 1."""
    gap_share: float
    """Share of the grid's rectangle that no member covers."""
    model: ModelFit | None
    """Whether the model asked for fits."""
    features: str
    """Whose learned features its bands are, and of which version; an empty string where
    they are something else."""
    attribution: str
    """What the licence of such features asks to say; an empty string where nothing."""
    components: tuple[float, ...]
    """Of more than 16 bands the share of their variance, 0 to 1, that each of the three
    principal components has, which pictures show; nothing of fewer."""
    warnings: tuple[str, ...]
    """What was put right or taken for granted, a sentence each."""

    def to_json(self) -> str:
        """Write it as one JSON object."""
        return json_text(asdict(self))


def info(  # noqa: PLR0913  # each is a question of its own
    scene: Image,
    *,
    options: SceneOptions | None = None,
    model: str | Path | None = None,
    aoi: Area | None = None,
    plot: Path | None = None,
    exact: bool = False,
    on_step: OnStep = ignore_step,
) -> SceneDescription:
    """Return what geoseg sees in a scene; map nothing.

    What was seen of files that have not changed since is kept in the user's cache,
    ``~/.cache/geoseg`` or ``$GEOSEG_CACHE``.

    Args:
        scene: Files, folders, patterns, lists or URLs, a `geoseg.Scene` or an array, as
            `geoseg.segment` takes them.
        options: How to read them.
        model: A model that is to map it: whether it fits, and how.
        aoi: An area of interest for the picture.
        plot: A PNG to draw: footprints of the members, the AOI, and, for a model, the
            grid of its tiles.
        exact: Read all pixels for values and shares, instead of a coarse look.
        on_step: Called as the job gets on, from the calling thread.

    Raises:
        InputError: Something given cannot be used.
        RunError: The picture cannot be written.

    """
    if plot is not None:
        check_names(plot)
        check_folder(plot.parent)
    with as_files(scene, options or SceneOptions()) as (inputs, how):
        return _describe(inputs, how, (model, aoi, plot), on_step, exact=exact)


def _describe(
    scene: Inputs,
    options: SceneOptions,
    asked: tuple[str | Path | None, Area | None, Path | None],
    on_step: OnStep,
    *,
    exact: bool,
) -> SceneDescription:
    model, aoi, plot = asked
    opened, package, fit = _opened(scene, options, model, on_step)
    area = None if aoi is None else read_aoi(aoi, opened.geobox)
    on_step(Step("look"))
    bands, share, components = _values(opened, on_step, exact=exact)
    cover = _cover(opened)
    geobox, (features, attribution) = opened.geobox, credited(opened.embeddings)
    if plot is not None:
        footprints = Footprints(
            geobox=geobox,
            members=tuple(member.window for member in opened.members),
            area=None if area is None else area.geometry,
            tiles=None if package is None else (package.tile, package.overlap),
            title=f"Footprints of {opened.name}",
        )
        write_footprints(plot, footprints)
    bounds, lonlat = geobox.bounds, geobox.lonlat_bounds()
    return SceneDescription(
        name=opened.name,
        crs=geobox.crs.to_string(),
        width=geobox.width,
        height=geobox.height,
        transform=tuple(geobox.transform)[:6],
        bounds=(bounds.left, bounds.bottom, bounds.right, bounds.top),
        lonlat_bounds=(lonlat.left, lonlat.bottom, lonlat.right, lonlat.top),
        gsd_m=geobox.gsd_m(),
        dtype=opened.dtype,
        nodata=opened.nodata,
        bands=tuple(bands),
        alpha=opened.alpha,
        nodata_share=share,
        exact=exact,
        files=len(opened.rasters),
        members=tuple(raster.name for raster in opened.rasters[:_LISTED]),
        overlap_share=float((cover > 1).mean()),
        gap_share=float((cover == 0).mean()),
        model=fit,
        features=features,
        attribution=attribution,
        components=components,
        warnings=(*opened.warnings, *(() if area is None else area.warnings)),
    )


def _opened(
    scene: Inputs, options: SceneOptions, model: str | Path | None, on_step: OnStep
) -> tuple[Scene, ModelPackage | None, ModelFit | None]:
    """Open an image, or inputs of a model; and the model, and whether it fits."""
    if isinstance(scene, Mapping):
        if model is None:
            raise InputError(
                "several inputs are read as a model says; name it with `model`"
            )
        opened, ((package, _),) = open_for([model], scene, options, on_step)
        return opened, package, _fit(package, opened, str(model))
    if model is None:
        return open_scene(scene, options, on_step), None, None
    for package in candidates(model):
        opened = open_scene(scene, options, on_step, _needs(package))
        fit = _fit(package, opened, str(model))
        if not fit.why_not:
            break
    return opened, package, fit


def _needs(package: ModelPackage) -> Needs:
    """Choose a model's bands, or all where it does not find them, with a warning."""
    needed = bands_needed([package])

    def choose(names: tuple[str, ...], commons: tuple[str, ...]) -> Sequence[int]:
        try:
            return needed(names, commons)
        except ModelError:
            return range(len(names))

    return choose


_Values = tuple[list[BandValues], float, tuple[float, ...]]
"""What bands hold, the share without data, and those of principal components."""


def _values(scene: Scene, on_step: OnStep, *, exact: bool) -> _Values:
    """See what bands hold; of many also their principal components."""
    if exact and len(scene.bands) <= MANY:
        return (*_read_values(scene, on_step), ())
    bands, share, components = _seen(scene)
    if exact:
        bands, share = _read_values(scene, on_step)
    return bands, share, components


def _seen(scene: Scene) -> _Values:
    """See what a coarse picture shows, or what it showed of the very same scene."""
    path = cached_as(_KIND, scene, _FORMAT)
    try:
        bands, share, components = recall(path)
        return [BandValues(*each) for each in bands], share, tuple(components)
    except (TypeError, ValueError):
        picture = _picture(scene)
    bands, share = _estimated(scene, picture)
    is_many = len(scene.bands) > MANY
    shares = principal_components(picture)[1] if is_many else ()
    components = tuple(map(float, shares))
    rows = [(each.name, each.smallest, each.largest) for each in bands]
    keep(path, [rows, share, components])
    return bands, share, components


def _picture(scene: Scene) -> np.ma.MaskedArray:
    """Read a coarse picture of all bands, (band, y, x); invalid is masked.

    Where that would read a large scene whole, for want of overviews, windows spread
    over it are read instead. Of many bands it is coarser, so that memory holds it.
    """
    height, width = scene.geobox.height, scene.geobox.width
    has_overviews = all(raster.overviews for raster in scene.rasters)
    if not has_overviews and scene.window.pixels > _MOST_PIXELS:
        return _spots(scene)
    look = min(_LOOK, math.isqrt(_MOST_VALUES // len(scene.bands)))
    shape = (min(height, look), min(width, look))
    return scene.picture(scene.window, range(len(scene.bands)), shape)


def _estimated(
    scene: Scene, picture: np.ma.MaskedArray
) -> tuple[list[BandValues], float]:
    """Estimate values, and the share without data, from a coarse picture."""
    masked = np.ma.getmaskarray(picture)
    bands = [
        BandValues(name, float(band.min()), float(band.max()))
        if band.count()
        else BandValues(name)
        for name, band in zip(scene.bands, picture, strict=True)
    ]
    return bands, float(masked.any(axis=0).mean())


def _spots(scene: Scene) -> np.ma.MaskedArray:
    """Read windows in equal steps over a scene, (band, y, x); invalid is masked."""
    decoded = max(1, sum(raster.block_bytes() for raster in scene.rasters))
    spots = min(_SPOTS, max(1, math.isqrt(_MOST_BYTES // decoded)))
    rows, cols = (
        np.linspace(0, side - min(side, _SPOT), spots, dtype=int).tolist()
        for side in (scene.geobox.height, scene.geobox.width)
    )
    height, width = min(scene.geobox.height, _SPOT), min(scene.geobox.width, _SPOT)
    found = []
    for row, col in product(dict.fromkeys(rows), dict.fromkeys(cols)):
        window = Window(row, col, height, width)
        pixels, valid = scene.read(window, range(len(scene.bands)))
        hidden = np.broadcast_to(~valid, pixels.shape)
        found.append(np.ma.MaskedArray(pixels, mask=hidden))
    picture: np.ma.MaskedArray = np.ma.concatenate(found, axis=1)  # type: ignore[no-untyped-call]  # numpy's own
    return picture


def _read_values(scene: Scene, on_step: OnStep) -> tuple[list[BandValues], float]:
    """Read all pixels; what was found before is kept in the user's cache."""
    found = measure(scene, range(len(scene.bands)), on_step=on_step)
    bands = [
        BandValues(name, each.smallest, each.largest, each.mean, each.std)
        if each.pixels
        else BandValues(name)
        for name, each in zip(scene.bands, found, strict=True)
    ]
    share = max(each.pixels for each in found) / scene.window.pixels
    return bands, 1 - share


def _cover(scene: Scene) -> NDArray[np.int32]:
    """Count the members over each cell of a coarse grid, shape (y, x)."""
    geobox = scene.geobox
    shape = (min(geobox.height, _COVER), min(geobox.width, _COVER))
    scales = (shape[0] / geobox.height, shape[1] / geobox.width)
    cover = np.zeros(shape, np.int32)
    for member in scene.members:
        part = member.window.intersection(scene.window)
        if part is not None:
            rows, cols = (
                slice(round(start * scale), max(round(stop * scale), 1))
                for (start, stop), scale in zip(
                    (part.rows, part.cols), scales, strict=True
                )
            )
            cover[rows, cols] += 1
    return cover


def _fit(package: ModelPackage, scene: Scene, named: str) -> ModelFit:
    try:
        match = find_bands(package, scene)
    except ModelError as error:
        return ModelFit(package.name, str(error), bands={}, model_gsd_m=package.gsd_m)
    found = {
        band.name: scene.bands[index] or f"band {index + 1}"
        for band, index in zip(package.bands, match.indices, strict=True)
    }
    by_order = ("bands have no names: taken in the model's order",) * match.by_order
    size = bytes_to_read(scene, match.indices)
    reads = f"normalised by the scene's own statistics, for which {size:,} bytes of it "
    by_scene = (f"{reads}are read before a map",) * (package.normalise == "scene")
    return ModelFit(
        model=package.name,
        why_not="",
        bands=found,
        model_gsd_m=package.gsd_m,
        notes=(*by_order, *match.notes, *by_scene, *others(named, package)),
    )
