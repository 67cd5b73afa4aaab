"""Scenes and arrays of Python's as inputs of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import rasterio

from geoseg.errors import SceneError, brief
from geoseg.geo.cf import geobox_of
from geoseg.run.scene_names import named_apart
from geoseg.scene import Scene, SceneOptions, several

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from geoseg.options import SegmentOptions
    from geoseg.scene import Inputs
    from geoseg.scene.files.paths import OneInput

Image: TypeAlias = (
    "Inputs | Scene | xr.DataArray | Mapping[str, OneInput | Scene | xr.DataArray]"
)
"""What people may give as one image, or by name as inputs of a model."""
_ROWS = 1024
"""Rows of an array that are computed and written at a time."""
_AXES = 3
"""Bands, rows and columns."""
_FOLDER = "geoseg-array-"
"""How the folder begins that an array's file is in."""


@contextmanager
def as_inputs(
    image: Image, options: SegmentOptions
) -> Iterator[tuple[Inputs, SegmentOptions]]:
    """Give what a run reads: see `as_files`; a run over an array begins anew."""
    with as_files(image, options.scene) as (inputs, scene):
        restart = options.restart or any(map(is_temporary, map(str, several(inputs))))
        yield inputs, replace(options, scene=scene, restart=restart)


@contextmanager
def each_as_inputs(
    images: Sequence[Image], options: SegmentOptions
) -> Iterator[dict[str, tuple[Inputs, SegmentOptions]]]:
    """Give what runs read that are one call, by names that no two of them share.

    Raises:
        InputError: There is no image, one has no name, or two have the same.

    """
    with ExitStack() as stack:
        given = [stack.enter_context(as_inputs(image, options)) for image in images]
        paths = [
            image.name if isinstance(image, Scene) else inputs
            for image, (inputs, _) in zip(images, given, strict=True)
        ]
        chosen = dict(zip(named_apart(paths), given, strict=True))
        yield {name: (at, own.below(name)) for name, (at, own) in chosen.items()}


@contextmanager
def as_files(
    image: Image, options: SceneOptions
) -> Iterator[tuple[Inputs, SceneOptions]]:
    """Give files as they are, a scene's files, or an array's file, and how to read it.

    An array is written to a temporary GeoTIFF with its grid, dtype, band names and
    nodata, a thousand rows at a time. Of several inputs, each is given so.
    """
    if isinstance(image, Mapping):
        with ExitStack() as stack:
            given = {
                name: stack.enter_context(as_files(each, options))
                for name, each in image.items()
            }
            if any(own != options for _, own in given.values()):
                raise SceneError(
                    "an input is a geoseg.Scene that is read in a way of its own, and "
                    "several are read as the model says; give its files"
                )
            yield {name: several(files) for name, (files, _) in given.items()}, options
    elif isinstance(image, str | Path | Sequence):
        yield image, options
    elif isinstance(image, Scene):
        plain = options == SceneOptions()
        yield image.inputs, image.options if plain else options
    elif not hasattr(image, "dims"):
        raise SceneError(
            f"scene is {brief(image)}; give paths, patterns or URLs, a geoseg.Scene or "
            f"an xarray.DataArray"
        )
    else:
        with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
            path = Path(folder, f"{image.name or 'array'}.tif".replace("/", "_"))
            _write(path, image)
            yield path, options


def is_temporary(path: str) -> bool:
    """Return whether a path is the file of an array, which goes with the run."""
    return Path(path).parent.name.startswith(_FOLDER)


def _write(path: Path, image: xr.DataArray) -> None:
    if image.ndim not in {_AXES - 1, _AXES}:
        raise SceneError(
            f"an image has the axes band, y and x, and the array has "
            f"{', '.join(map(str, image.dims))}; choose one of each other axis"
        )
    names = _band_names(image)
    if image.ndim < _AXES:
        image = image.expand_dims("band")
    geobox = geobox_of(image)
    fill = image.attrs.get("_FillValue")  # of the encoding it is NaN already
    is_float = image.dtype.kind == "f"
    nodata = np.nan if is_float else image.encoding.get("_FillValue", fill)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=geobox.height,
        width=geobox.width,
        count=image.shape[0],
        dtype=image.dtype.name,
        crs=geobox.crs.to_wkt(),
        transform=geobox.transform,
        nodata=nodata,
        tiled=True,
        bigtiff="if_safer",
    ) as dataset:
        for row in range(0, geobox.height, _ROWS):
            part = image[:, row : row + _ROWS].to_numpy()
            if is_float and fill is not None:
                part = np.where(part == fill, np.nan, part).astype(image.dtype)
            window = ((row, row + part.shape[1]), (0, geobox.width))
            dataset.write(part, window=window)
        dataset.scales = _declared(image, "scale", "scale_factor", 1.0)
        dataset.offsets = _declared(image, "offset", "add_offset", 0.0)
        for number, name in enumerate(names, start=1):
            dataset.set_band_description(number, name)


def _declared(
    image: xr.DataArray, name: str, of_all: str, usual: float
) -> tuple[float, ...]:
    """Find each band's scale or offset where geoseg and rioxarray have them.

    Those in the encoding were applied when the array was read.
    """
    if name in image.coords:
        found = image.coords[name].to_numpy()
    else:
        found = image.attrs.get(f"{name}s", image.attrs.get(of_all, usual))
    return tuple(np.broadcast_to(found, image.shape[0]).astype(float).tolist())


def _band_names(image: xr.DataArray) -> list[str]:
    """Find names where xarray, rioxarray and odc-stac have them."""
    if image.ndim < _AXES:
        return [str(image.name or "")]
    first = image.dims[0]
    names = image.attrs.get("long_name")
    if isinstance(names, tuple | list) and len(names) == image.shape[0]:
        return [str(each) for each in names]
    values = image.coords[first].to_numpy() if first in image.coords else []
    named = [each for each in values if isinstance(each, str)]
    return named if len(named) == image.shape[0] else []
