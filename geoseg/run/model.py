"""A model that maps arrays: what `segment` does, in memory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from geoseg.models.find import load_package
from geoseg.options import NO_FORMAT, SegmentOptions
from geoseg.options.arguments import check_kind
from geoseg.options.mapping import DEFAULT_MODEL
from geoseg.run.segment import segment

if TYPE_CHECKING:
    from geoseg.geo.legend import Legend
    from geoseg.models.package.package import ModelPackage
    from geoseg.scene import Scene


class Model:
    """A model that maps arrays: what `geoseg.segment` does, in memory.

    Example:
        >>> import geoseg
        >>> model = geoseg.Model("sentinel2-landcover")
        >>> model.classes[:3]
        ('cropland', 'grassland', 'woodland')

    """

    def __init__(self, model: str | Path = DEFAULT_MODEL) -> None:
        """Take a model.

        Args:
            model: The name of one that is known, the folder of a package, or where a
                package is: what `geoseg.SegmentOptions.model` takes.

        Raises:
            InputError: There is no such model, or it is damaged.

        """
        check_kind(model, "Path | str", "model", "geoseg.Model")
        self.package: ModelPackage = load_package(model)
        self._model = model

    def __repr__(self) -> str:
        """Say which it is, what it needs and which classes it has."""
        bands, classes = ", ".join(self.bands), ", ".join(self.classes)
        return f"Model({self.package.name!r}, bands: {bands}, classes: {classes})"

    @cached_property
    def bands(self) -> tuple[str, ...]:
        """The bands that it needs, in its order."""
        return tuple(band.name for band in self.package.bands)

    @property
    def legend(self) -> Legend:
        """Its classes, with ids and colours."""
        return self.package.legend

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, in the order of its channels."""
        return tuple(each.name for each in self.legend)

    def predict(
        self,
        image: xr.DataArray | Scene,
        *,
        probabilities: bool = False,
        options: SegmentOptions | None = None,
    ) -> xr.Dataset:
        """Map an image; every pixel has the bytes that `geoseg.segment` gives it.

        Args:
            image: An array of shape ``(band, y, x)`` with a CRS, such as rioxarray,
                odc-stac or `geoseg.Scene.to_xarray` give, with bands of the model's
                names in any order; pixels that are NaN, or the array's
                ``_FillValue``, are no data. Or a scene.
            probabilities: Whether the probability of each class is wanted, too.
            options: Tiles, device and so on; model and polygons are left out.

        Returns:
            ``class``: ids, uint8 of shape ``(y, x)``, 255 where there is none, with
            CF's flags; ``confidence``: percent, float32, NaN where there is none,
            and left out where the model gives no scores; and
            ``probabilities``: 0 to 1, shape ``(band, y, x)``. All of it is in memory.

        Raises:
            InputError: The image does not fit the model.
            RunError: Something failed on the way.

        """
        taker = "geoseg.Model.predict"
        check_kind(image, "Image", "image", taker)
        check_kind(options, "SegmentOptions | None", "options", taker)
        chosen: dict[str, Any] = {"model": self._model, "formats": NO_FORMAT}
        wanted = replace(
            options or SegmentOptions(), probabilities=probabilities, **chosen
        )
        with tempfile.TemporaryDirectory(prefix="geoseg-predict-") as folder:
            report = segment(image, Path(folder, "map"), options=wanted)
            found = {"class": report.open().load()}
            if "confidence" in report.products:
                percent = report.open("confidence").isel(band=0, drop=True)
                found["confidence"] = percent.load()
            if probabilities:
                found["probabilities"] = report.open("probabilities").load()
        return xr.Dataset(found)
