"""What of a file can be used: its header is judged, and made a `Raster` or refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError, counted
from geoseg.geo.embeddings import Embedding, listed, recognise
from geoseg.scene.files.georeference import georef_of
from geoseg.scene.files.header import BandHeader, shown
from geoseg.scene.files.quantised import MASKED
from geoseg.scene.files.raster import Raster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.options import SceneOptions
    from geoseg.scene.files.header import Header

_FLOATS = frozenset(("float32", "float64"))
"""What learned features are held in that are not quantised."""


def use(header: Header, options: SceneOptions) -> Raster:
    """Judge a header: make what can be read of it, or refuse it.

    Raises:
        SceneError: The file is nowhere on Earth or holds pixels that are no
            measurements.

    """
    name = shown(header.path)
    _check_bands(name, header.bands)
    indexes = _chosen(name, header.bands, options.numbers)
    alphas = [at for at, b in enumerate(header.bands, start=1) if b.role == "alpha"]
    bands = tuple(_overridden(header.bands[at - 1], options) for at in indexes)
    bands, embedding, stored = _as_features(name, bands, options)
    return Raster(
        path=header.path,
        driver=header.driver,
        geobox=georef_of(header, options.assume_crs),
        indexes=indexes,
        bands=bands,
        alpha=next((at for at in alphas if at not in indexes), None),
        overviews=header.overviews,
        acquired=header.acquired,
        fingerprint=header.fingerprint,
        embedding=embedding and replace(embedding, version=header.features_version),
        stored=stored,
    )


_Bands = tuple[BandHeader, ...]


def _as_features(
    name: str, bands: _Bands, options: SceneOptions
) -> tuple[_Bands, Embedding | None, str]:
    """Recognise whose learned features bands are: as the user says, or by their names.

    Returns:
        The bands as they are read; whose features they are, if any; and the dtype of
        numbers in the file that stand for them, empty where there are none.

    Raises:
        SceneError: They cannot be those that the user says.

    """
    said = options.numbers if isinstance(options.numbers, str) else None
    kind = said or recognise([band.name for band in bands])
    dtypes = {band.dtype for band in bands}
    is_quantised = all(_stands_for_features(band) for band in bands)
    can_be = is_quantised or dtypes <= _FLOATS
    if kind is None or not (can_be or said):
        return bands, None, ""
    made = Embedding(kind)
    if said is not None:
        if len(bands) != len(made.names) or not can_be:
            raise SceneError(
                f"{name} has {len(bands)} bands of {', '.join(sorted(dtypes))}; "
                f"{made.title} has {len(made.names)}, of int8 or of floats: leave out "
                f"`numbers={said}`, or give such a file"
            )
        named = zip(bands, made.names, strict=True)
        bands = tuple(replace(band, name=each) for band, each in named)
    if options.radiometry == "raw":
        return bands, None, ""
    if not is_quantised:
        return bands, made, ""
    values = tuple(
        replace(b, dtype="float32", nodata=None, scale=1.0, offset=0.0)
        if b.nodata == MASKED
        else replace(b, dtype="float32", scale=1.0, offset=0.0)
        for b in bands
    )
    return values, made, str(np.result_type(*dtypes))


def _stands_for_features(band: BandHeader) -> bool:
    """Whether a band may hold such numbers: int8, which VRTs may hand on as int16."""
    return band.dtype == "int8" or (band.dtype == "int16" and band.nodata == MASKED)


def _chosen(
    name: str, bands: Sequence[BandHeader], named: tuple[int, ...] | str
) -> tuple[int, ...]:
    """Choose the bands that are read, by number: all but alpha where none is given."""
    numbers = () if isinstance(named, str) else named
    if numbers and not all(1 <= number <= len(bands) for number in numbers):
        none = [str(n) for n in numbers if not 1 <= n <= len(bands)]
        raise SceneError(
            f"{name} has {counted(len(bands), 'band')}, counted from 1, and none of "
            f"number {listed(none)}, for which `numbers` asks; choose among those"
        )
    if len(set(numbers)) < len(numbers):
        raise SceneError(
            f"`numbers` names a band twice: {', '.join(map(str, numbers))}; each is "
            f"read once"
        )
    measured = (at for at, b in enumerate(bands, start=1) if b.role != "alpha")
    chosen = numbers or tuple(measured)
    if not chosen:
        raise SceneError(f"{name} has no band but its alpha band; give another file")
    return chosen


def _check_bands(name: str, bands: Sequence[BandHeader]) -> None:
    for index, band in enumerate(bands, start=1):
        if band.dtype.startswith("complex"):
            raise SceneError(
                f"{name} holds complex numbers (band {index}); convert them to real "
                f"ones first"
            )
        if band.role == "palette":
            raise SceneError(
                f"{name} holds numbers of a palette's colours (band {index}), no "
                f"measurements; expand them first: gdal_translate -expand rgb"
            )


def _overridden(band: BandHeader, options: SceneOptions) -> BandHeader:
    if options.nodata is None:
        return band
    value = None if options.nodata == "none" else float(options.nodata)
    if value is not None and not np.isfinite(value):  # no data in any case
        value = None
    return replace(band, nodata=value, masked=band.masked and not band.long_nodata)
