"""The final report of a run: what ran on what, how long, and what came out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from geoseg.errors import InputError, json_text
from geoseg.geo.ground import HECTARE_M2
from geoseg.geo.legend import NODATA, UNKNOWN, Legend
from geoseg.raster import ClassMap, Extent
from geoseg.storage.staging import atomic_file
from geoseg.storage.vectors.formats import READ_BACK
from geoseg.storage.vectors.write import read_polygons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import xarray as xr
    from geopandas import GeoDataFrame


Json: TypeAlias = (
    "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
)
"""What a report's free fields may hold."""

_CLASSES = frozenset(("landcover", "mask"))
"""Products that are class maps."""
_SURE = 0.6
"""A mean confidence below this is reported as a doubt."""
_LESS = 0.1
"""How much less sure than on ground that it was measured on a model may be."""
_MUCH = 0.05
"""The share of a map from which on a class's confidence is."""
_MUCH_OUTSIDE = 0.2
"""Of more of a map a model should not be trusted without a warning."""

_HECTARES_A_KM2 = 100

_SOME_HECTARES = 100
"""Below this, areas are given with two decimals."""

_MANY_HECTARES = 10_000
"""From here on areas are given in square kilometres."""
_VERY_MANY_HECTARES = 1_000_000
"""From here on in whole ones."""


@dataclass(frozen=True, slots=True)
class ClassArea:
    """How much of a map is one class."""

    id: int
    """The class's value in the map."""
    name: str
    """The class's name."""
    colour: str
    """The class's colour on maps, ``#rrggbb``."""
    pixels: int
    """Number of pixels."""
    area_ha: float
    """Area in hectares: pixels times the area of one."""
    share: float
    """Part of the pixels that have a class, 0 to 1."""
    confidence: float | None = None
    """The mean confidence of its pixels, 0 to 1; None where it has none."""


@dataclass(frozen=True, slots=True)
class Report:
    """What ``run.json`` holds. Keys come in the order of the fields."""

    geoseg: str
    """The version of geoseg."""
    settings: Mapping[str, Json]
    """The settings of the command, after defaults were filled in."""
    scene: Mapping[str, Json]
    """The input image: path, size in bytes, CRS, width, height, bands."""
    aoi: Mapping[str, Json] | None
    """The area of interest; None for the whole scene."""
    models: Sequence[Mapping[str, Json]]
    """Each model: name, version, fingerprint, the temperature that its scores were
    divided by; and, where it is normalised by the scene's own statistics, these for
    each band."""
    compute: Mapping[str, Json]
    """Device, precision, threads, and why they were chosen."""
    tiles: Mapping[str, int]
    """How many were inferred, and how many not, by the reason."""
    timings_s: Mapping[str, float]
    """Seconds that each step took."""
    class_areas: Sequence[ClassArea]
    """Area of each class of the legend."""
    nodata_pixels: int
    """Pixels of the map that have no class."""
    products: Mapping[str, str]
    """Path of each product, by its name."""
    versions: Mapping[str, str]
    """Versions of Python and of the libraries that shape the result."""
    identity: Mapping[str, str]
    """Every input and setting that changes pixels, as a resume compares them."""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file of the products, by its name."""
    mask: Mapping[str, Json] | None = None
    """The model that masked, and how many pixels of each class; None without one."""
    confidence: float | None = None
    """The mean confidence of the map, 0 to 1; None where it has no class."""
    outside: float | None = None
    """The share of the map that is unlike all that the model learned from, 0 to 1; None
    where that was not asked for."""
    assessment: Mapping[str, Json] | None = None
    """What a sample says there is of each class, with intervals; None without one."""
    defaults_file: str | None = None
    """The file beside the data that flags were taken from; None without one."""
    warnings: Sequence[str] = ()
    """What the user should know, a sentence each."""

    def __repr__(self) -> str:
        """Say what was made, and how much of it each class is."""
        shares = (f"{each.name} {each.share:.1%}" for each in self.class_areas)
        made = f"products: {', '.join(self.products)}"
        return f"Report({made}; classes: {', '.join(shares)})"

    def to_json(self) -> str:
        """Write the report as JSON, indented, keys in the order of the fields."""
        return json_text(asdict(self))

    def open(
        self,
        product: str = "landcover",
        *,
        chunks: int | str | Mapping[str, int | str] | None = None,
    ) -> xr.DataArray:
        """Open a raster of the run as a lazy DataArray: pixels are read when used.

        Args:
            product: Its name in `products`: ``landcover`` (class ids, 255 where there
                is no class; the classes are CF's ``flag_values`` and
                ``flag_meanings``), or a measure, NaN where there is none:
                ``confidence`` in percent, and where asked for ``entropy`` and
                ``probabilities``, 0 to 1.
            chunks: As `xarray.DataArray.chunk` takes it; no dask array where None.

        Raises:
            InputError: The run has no such raster.
            SceneError: The file is gone.

        """
        rasters = [name for name, path in self.products.items() if _is_raster(path)]
        if product not in rasters:
            raise InputError(
                f"the run has no raster {product!r}; it has {', '.join(rasters)}"
            )
        from geoseg.raster.arrays import (  # noqa: PLC0415  # runs need no xarray
            class_array,
            measures_array,
        )

        path = self.products[product]
        if product in _CLASSES:
            return class_array(ClassMap.open(path), chunks)
        return measures_array(path, chunks)

    def polygons(self) -> GeoDataFrame:
        """Read the polygons of the run, one row each, with class and area.

        Raises:
            InputError: The run drew none: `geoseg.polygons` draws them from the map.

        """
        for name in READ_BACK:
            if name in self.products:
                return read_polygons(Path(self.products[name]))
        raise InputError(
            "the run drew no polygons that can be read back; draw them from its map, "
            "with geoseg.polygons(report.open())"
        )


def _is_raster(path: str) -> bool:
    return path.lower().endswith(".tif")


def class_areas(
    extents: Mapping[int, Extent],
    legend: Legend,
    confidences: Mapping[int, float] | None = None,
) -> tuple[ClassArea, ...]:
    """Turn what each value of a map covers into areas and shares.

    Args:
        extents: What each value covers; nodata is left out.
        legend: The classes; one without pixels gets a row of zeros.
        confidences: The mean confidence of each value's pixels, 0 to 1.

    Returns:
        A row a class, in the order of the legend. Shares are of the ground
        that has a class and sum to 1, or are all 0 where none has.

    Raises:
        InputError: The map holds a value that is no class of the legend.

    Example:
        >>> from geoseg.geo.legend import LandClass
        >>> legend = Legend((LandClass(1, "water", "#0000ff"),))
        >>> (water,) = class_areas({1: Extent(250, 25_000.0)}, legend)
        >>> water.pixels, water.area_ha, water.share
        (250, 2.5, 1.0)

    """
    strange = sorted(set(extents) - set(legend.ids) - {NODATA})
    if strange:
        raise InputError(
            f"the map holds {strange}, but the classes of its legend are "
            f"{list(legend.ids)}; give the legend that the map was made with"
        )
    nothing = Extent(0, 0.0)
    total = sum(extents.get(i, nothing).area_m2 for i in legend.ids)
    rows = []
    for land_class in legend:
        extent = extents.get(land_class.id, nothing)
        rows.append(
            ClassArea(
                land_class.id,
                land_class.name,
                land_class.colour,
                extent.pixels,
                area_ha=extent.area_m2 / HECTARE_M2,
                share=extent.area_m2 / total if total else 0.0,
                confidence=(confidences or {}).get(land_class.id),
            )
        )
    return tuple(rows)


def area_text(hectares: float, most: float) -> str:
    """Write an area in the unit, and with the decimals, that suit the largest.

    Example:
        >>> [area_text(1234.56, most) for most in (99.0, 2000.0, 10_000.0, 1e6)]
        ['1234.56 ha', '1,234.6 ha', '12.3 km²', '12 km²']

    """
    if most >= _VERY_MANY_HECTARES:
        return f"{hectares / _HECTARES_A_KM2:,.0f} km²"
    if most >= _MANY_HECTARES:
        return f"{hectares / _HECTARES_A_KM2:,.1f} km²"
    return f"{hectares:,.1f} ha" if most >= _SOME_HECTARES else f"{hectares:.2f} ha"


def mean_confidence(areas: Sequence[ClassArea]) -> float | None:
    """Give the mean confidence of all pixels, 0 to 1; None where there is none."""
    known = [each for each in areas if each.confidence is not None]
    pixels = sum(each.pixels for each in known)
    if not pixels:
        return None
    return sum(each.pixels * (each.confidence or 0.0) for each in known) / pixels


def doubts(areas: Sequence[ClassArea], known: float | None = None) -> Iterator[str]:
    """Say where a model is so unsure that it may not know the ground.

    Args:
        areas: What was mapped.
        known: How sure it was, 0 to 1, of ground that was held out where it learned:
            one of few labels is not as sure anywhere as others are. None where that was
            not measured.

    """
    mean = mean_confidence(areas)
    if mean is None:
        return
    least = _SURE if known is None else min(_SURE, known - _LESS)
    unsure = [
        f"{each.name}, {100 * each.share:.0f} % of the map, by {100 * sure:.0f} %"
        for each in areas
        if (sure := each.confidence) is not None
        and each.id != UNKNOWN
        and each.share >= _MUCH
        and sure < least
    ]
    if mean >= least and not unsure:
        return
    if mean >= least and known is not None:
        yield (
            f"the model is as sure of this ground as where it was measured, by "
            f"{100 * mean:.0f} % on the mean, and less so of some classes "
            f"({'; '.join(unsure)}): look at these in the preview, and label more of "
            f"them"
        )
        return
    of = f" ({'; '.join(unsure)})" if unsure else ""
    yield (
        f"the model is sure of its classes by {100 * mean:.0f} % on the mean{of}: "
        f"it may not know this ground; look at the preview, and hold the map "
        f"against labels (geoseg evaluate) before it is used"
    )


def foreign(outside: float | None) -> Iterator[str]:
    """Say where much of a map is unlike what the model learned from.

    Args:
        outside: The share of the map that is, 0 to 1; None where it is not known.

    """
    if outside is not None and outside > _MUCH_OUTSIDE:
        yield (
            f"{100 * outside:.3g} % of the map is unlike all that the model learned "
            f"from, and its figures of accuracy do not hold there: look at "
            f"applicability.tif, label some of that ground and train again"
        )


def write_report(path: Path, report: Report) -> None:
    """Write a report as a JSON file, whole or not at all.

    Raises:
        DiskError: The file cannot be written.

    """
    with atomic_file(path) as whole:
        whole.write_text(report.to_json() + "\n", encoding="utf-8")


def read_report(path: Path) -> Report | None:
    """Read a report back; None where there is none, or one of another version."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        areas = tuple(ClassArea(**area) for area in fields.pop("class_areas"))
        return Report(**fields, class_areas=areas)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
