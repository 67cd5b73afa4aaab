"""TESSERA's scales, in a file beside that of the numbers: named as well, and paired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from geoseg.errors import SceneError, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.scene.files.raster import Raster

_SCALES = "_scales"
"""What is added to the name of the numbers for that of their scales."""


def with_scales(rasters: Sequence[Raster]) -> list[Raster]:
    """Give TESSERA's numbers the scales that were named with them.

    Scales of ``grid.tif`` are ``grid_scales.tif``, named as well, or in the same folder
    that was named: a file beside one that is named is not read by itself.

    Returns:
        The rasters, but for scales.

    Raises:
        SceneError: Scales are missing, or lie on other pixels.

    """
    if not any(_wants_scales(raster) for raster in rasters):
        return list(rasters)
    by_stem = {_stem(raster): raster for raster in rasters}
    found, used = [], set()
    for raster in rasters:
        if _wants_scales(raster):
            scales = by_stem.get(_stem(raster) + _SCALES)
            raster = _scaled(raster, scales)  # noqa: PLW2901  # the same file
            used.add(scales)
        found.append(raster)
    return [raster for raster in found if raster not in used]


def check_scales(rasters: Sequence[Raster]) -> None:
    """Refuse TESSERA's numbers where scales cannot be named with them.

    Raises:
        SceneError: There are such.

    """
    for raster in rasters:
        if _wants_scales(raster):
            _scaled(raster, None)


def _wants_scales(raster: Raster) -> bool:
    made = raster.embedding
    is_tessera = made is not None and made.kind == "tessera"
    return is_tessera and raster.is_quantised and raster.scales is None


def _stem(raster: Raster) -> str:
    return str(PurePosixPath(raster.path).with_suffix(""))


def _scaled(raster: Raster, scales: Raster | None) -> Raster:
    name = PurePosixPath(raster.name)
    wanted = name.with_name(f"{name.stem}{_SCALES}{name.suffix}")
    if scales is None:
        raise SceneError(
            f"{raster.name} holds TESSERA's features as whole numbers, which mean "
            f"nothing without their scales; name {wanted}, too, a raster of float32 on "
            f"the same pixels, or give features that geotessera exported as GeoTIFF"
        )
    if scales.geobox != raster.geobox or len(scales.bands) not in {
        1,
        len(raster.bands),
    }:
        raise SceneError(
            f"{scales.name} holds {counted(len(scales.bands), 'band')} of scales on "
            f"{scales.geobox.height} x {scales.geobox.width} pixels; those of "
            f"{raster.name} are one band, or one for each of its bands, on the same "
            f"{raster.geobox.height} x {raster.geobox.width} pixels"
        )
    return replace(raster, scales=scales)
