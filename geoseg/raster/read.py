"""Class rasters, of geoseg and of other tools, window by window: the one reader."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geoseg.errors import SceneError
from geoseg.geo.geobox import reproject_bounds
from geoseg.geo.legend import NODATA
from geoseg.geo.windows import Window
from geoseg.raster.class_names import LEGEND_TAG, legend_from_json
from geoseg.raster.extents import Extent, Extents, squares
from geoseg.raster.foreign_names import Naming, naming_of
from geoseg.raster.rasterio_windows import check_inside
from geoseg.raster.relabelling import Relabelling, named_by, open_legend
from geoseg.raster.values import Values, list_values
from geoseg.scene.files.datasets import opened_once
from geoseg.scene.files.georeference import georef_of
from geoseg.scene.files.header import read_header
from geoseg.scene.files.paths import file_of, gdal_path
from geoseg.scene.files.raster import Raster
from geoseg.storage.gdal_cache import small_cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.geo.geobox import GeoBox
    from geoseg.geo.legend import Legend
    from geoseg.raster.relabelling import GivenLegend

_BAND = re.compile(r"(?P<file>.*)\|band=(?P<band>[0-9]+)", re.DOTALL)
_SPARE = 0.1
"""What is looked at beyond a plane's edges, as a share of its longer side."""

_ADVICE = "save its pixels as a file of their own, for instance with gdal_translate"
"""What to do about a class raster that refers to files which nobody named."""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A class raster, whoever made it, on a disk or elsewhere.

    Safe to share between threads and to pickle: it holds no open file.
    """

    raster: Raster
    """The raster's file, and the band that holds the classes."""
    values: Values | None = None
    """The values that mean a class; None where they are ids as they stand."""
    relabelling: Relabelling | None = None
    """What its classes are called instead; None where they stay what they are."""

    @classmethod
    def open(
        cls, path: Path | str, *, band: int | None = None, near: GeoBox | None = None
    ) -> ClassMap:
        """Look at a class raster: whole numbers, with a CRS.

        What the file declares as nodata, or masks, is no class, and neither is what is
        no finite number. A class is every other value, 255 too. But for a map of
        geoseg's own the values are listed, window by window.

        Args:
            path: The raster's file, a URL, or a path in an archive, in GDAL's words;
                ``classes.tif|band=2`` for one band of several.
            band: Its band, counted from 1; needed only where there are several.
            near: A plane; of a far larger raster only the ground about it is looked at.

        Raises:
            SceneError: The file is missing, no raster, or another kind of one.

        """
        file, named = split_band(path)
        raster = _raster(file, named if band is None else band)
        return cls.of(raster, near)

    @classmethod
    def of(cls, raster: Raster, near: GeoBox | None = None) -> ClassMap:
        """Take bands of a file that was looked at; as `open` otherwise."""
        plain = cls(raster)
        if plain.is_bytes and raster.bands[0].nodata == NODATA:
            return plain
        area = around(near, raster.geobox)
        parts = (plain.read_raw(window) for window in squares(area))
        return cls(raster, list_values(raster.name, parts))

    @classmethod
    def measures(cls, path: Path | str) -> ClassMap:
        """Look at a raster of small numbers, such as confidences in percent.

        They are read as they stand; 255 means none.

        Raises:
            SceneError: It is missing, or no such raster.

        """
        raster = _raster(str(path), None)
        if np.dtype(raster.bands[0].dtype).kind not in "iu":
            raise SceneError(
                f"{raster.name} holds {raster.bands[0].dtype}, not whole numbers, "
                f"which are needed here"
            )
        return cls(raster)

    @property
    def path(self) -> Path:
        """The raster's file."""
        return Path(self.raster.path)

    @property
    def geobox(self) -> GeoBox:
        """Its pixel plane."""
        return self.raster.geobox

    @property
    def is_bytes(self) -> bool:
        """Whether a byte of the file is a value."""
        return len(self.raster.bands) == 1 and self.raster.bands[0].dtype == "uint8"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Ask about values that look as if they were meant as no data."""
        fills = self.values.fills if self.values and not self.is_coloured else ()
        return tuple(
            f"{self.raster.name} holds {value} and does not declare it as nodata, so "
            f"it is taken for a class; does it mean no data? Then declare it: "
            f"gdal_edit.py -a_nodata {value} {self.raster.name}"
            for value in fills
        )

    @property
    def is_coloured(self) -> bool:
        """Whether classes are colours, red, green and blue, of three bands."""
        return len(self.raster.bands) == len("rgb")

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Read the ids of a window of the plane, shape (y, x); 255 is no class.

        Raises:
            GridError: The window reaches outside the plane.
            SceneError: The file cannot be read (any more), or holds a value that
                it had not, or that is no class id.

        """
        ids = self._own_ids(window)
        return ids if self.relabelling is None else self.relabelling.ids_of(ids)

    def _own_ids(self, window: Window) -> NDArray[np.uint8]:
        """Read the ids of a window in the raster's own legend."""
        pixels, valid = self.read_raw(window)
        if self.values is not None:
            return self.values.to_ids(self.raster.name, pixels, valid)
        if pixels.dtype != np.uint8:
            pixels = np.where(valid, pixels, pixels.dtype.type(0))
            if not 0 <= pixels.min() <= pixels.max() < NODATA:
                raise SceneError(
                    f"{self.raster.name} holds values from {pixels.min()} to "
                    f"{pixels.max()}; 0 to {NODATA - 1} are needed here"
                )
        return np.where(valid, pixels, NODATA).astype(np.uint8, copy=False)

    def read_raw(self, window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        """Read the values of a window as they stand, and where they are a class.

        Colours are one number, 0xrrggbb. Shapes are (y, x).
        """
        check_inside(self.geobox, window)
        pixels, valid = self.raster.read(window, range(len(self.raster.bands)))
        if self.is_coloured:
            red, green, blue = pixels.astype(np.int32)
            everywhere = np.logical_and.reduce(valid, axis=0)
            return (red << 16) | (green << 8) | blue, everywhere
        return pixels[0], valid[0]

    def relabelled(
        self, legend: GivenLegend, source: GivenLegend | None = None
    ) -> ClassMap:
        """Give the same map in another legend, pixels included.

        Args:
            legend: The legend: one that ships, a file of classes, or a value.
            source: The legend whose numbers its values are, where it names none.

        Raises:
            LabelsError: There is no such legend, or none of the map's classes is in it.

        """
        own = self.legend()
        if source is not None:
            own = named_by(own, open_legend(source))
        found = Relabelling.of(own, open_legend(legend), self.raster.name)
        return replace(self, relabelling=found)

    def counts(self) -> dict[int, int]:
        """Count the pixels of each value, square by square.

        Returns:
            Pixels of each value that occurs, rising by value, nodata (255) included.

        Raises:
            SceneError: The file cannot be read.

        """
        return {value: extent.pixels for value, extent in self.extents().items()}

    def extents(self) -> dict[int, Extent]:
        """Measure how much ground each value covers, square by square.

        Returns:
            An extent for each value that occurs, rising by value, nodata (255)
            included. The area of a pixel is what it covers of the ground.

        Raises:
            SceneError: The file cannot be read.

        """
        extents = Extents(self.geobox)
        whole = Window(0, 0, self.geobox.height, self.geobox.width)
        with small_cache():
            for window in squares(whole):
                extents.add(window, self.read(window))
        return extents.found()

    def legend(self) -> Legend:
        """Name the classes of the raster, and give them colours.

        The legend is the one that `write_class_map` left in the file, if it did; else
        names and colours are those of an attribute table, category names or a palette,
        as far as there are some, for the values that occur.

        Where classes are called otherwise, it is the legend that they are called by.

        Raises:
            SceneError: The legend is there but damaged.

        """
        if self.relabelling is not None:
            return self.relabelling.legend
        with opened_once(self.raster.path, [self.raster.driver]) as dataset:
            text = dataset.tags().get(LEGEND_TAG)
            naming = None if text else naming_of(dataset, self.raster.indexes[0])
        if naming is None:
            own = _own_legend(self.raster.name, text)
            if self.values is None or set(self.values.found) <= set(own.ids):
                return own
            naming = Naming({c.id: c.name for c in own}, {c.id: c.colour for c in own})
        values = self.values or Values(tuple(v for v in self.counts() if v != NODATA))
        if self.is_coloured:
            colours = {value: f"#{value:06x}" for value in values.found}
            naming = Naming(colours, colours)
        return naming.legend(values.found, values.ids)


def _own_legend(name: str, text: str) -> Legend:
    try:
        return legend_from_json(text)
    except (TypeError, ValueError) as error:
        raise SceneError(
            f"the tag {LEGEND_TAG} of {name} holds no legend: {error}"
        ) from error


def split_band(path: Path | str) -> tuple[str, int | None]:
    """Split a file from the number of its band.

    Example:
        >>> split_band("classes.tif|band=2")
        ('classes.tif', 2)

    """
    parts = _BAND.fullmatch(str(path))
    return (parts["file"], int(parts["band"])) if parts else (str(path), None)


def must_be_raster(path: Path | str) -> bool:
    """Return whether a path is a raster's for sure: one with a band, or not on a disk.

    Vector files are read on a disk only.
    """
    file, band = split_band(path)
    return band is not None or gdal_path(file).startswith("/vsi")


def open_labels_raster(path: Path | str, *, near: GeoBox | None = None) -> ClassMap:
    """Open a class raster whose classes may also be the colours of three bands.

    Arguments and errors are those of `ClassMap.open`.
    """
    file, band = split_band(path)
    raster = look_at(file)
    unnamed = all(each.dtype == "uint8" and not each.name for each in raster.bands)
    if band is None and len(raster.bands) == len("rgb") and unnamed:
        return ClassMap.of(raster, near)
    return ClassMap.of(_with_band(raster, band), near)


def _raster(file: str, band: int | None) -> Raster:
    return _with_band(look_at(file), band)


def look_at(file: str) -> Raster:
    """Look at a raster's header: all bands but those that say where it has data."""
    path = gdal_path(file)
    on_disk = file_of(path)
    if on_disk is not None and not on_disk.exists():
        raise SceneError(f"{file} does not exist; check the raster's path")
    # Without a folder that was named, nothing that refers to other files is opened.
    header = read_header(path, [] if on_disk is None else [on_disk.parent], _ADVICE)
    kept = [
        (index, each)
        for index, each in enumerate(header.bands, start=1)
        if each.role != "alpha"
    ]
    if not kept or any(each.dtype.startswith("complex") for _, each in kept):
        raise SceneError(f"{file} has no band of whole numbers, which classes are")
    indexes, bands = zip(*kept, strict=True)
    count = len(header.bands)
    return Raster(
        path=path,
        driver=header.driver,
        geobox=georef_of(header, can_assume=False),
        indexes=indexes,
        bands=bands,
        alpha=next((at for at in range(1, count + 1) if at not in indexes), None),
        overviews=(),
        acquired=header.acquired,
        fingerprint=header.fingerprint,
    )


def _with_band(raster: Raster, band: int | None) -> Raster:
    if band is None and len(raster.bands) > 1:
        raise SceneError(
            f"{raster.name} has {len(raster.bands)} bands; say which holds the "
            f"classes: '{raster.name}|band={raster.indexes[0]}', or `band=1` to "
            f"{raster.indexes[-1]} where the command has it"
        )
    if band is not None and band not in raster.indexes:
        raise SceneError(
            f"{raster.name} has no band {band}; it has {raster.indexes[0]} to "
            f"{raster.indexes[-1]}"
        )
    position = 0 if band is None else raster.indexes.index(band)
    return replace(
        raster, indexes=(raster.indexes[position],), bands=(raster.bands[position],)
    )


def around(near: GeoBox | None, own: GeoBox) -> Window:
    """Find the part of a plane about another one; all of it where none is given."""
    whole = Window(0, 0, own.height, own.width)
    if near is None:
        return whole
    there = reproject_bounds(near.bounds, near.crs, own.crs)
    edges = np.array([there.left, there.bottom, there.right, there.top])
    if not np.isfinite(edges).all() or there.left > there.right:
        return whole
    back = ~own.transform
    corners = [back @ (x, y) for x in edges[::2] for y in edges[1::2]]
    cols, rows = zip(*corners, strict=True)
    spare = _SPARE * max(max(cols) - min(cols), max(rows) - min(rows)) + 2
    part = Window.between(
        (int(min(rows) - spare), int(max(rows) + spare) + 1),
        (int(min(cols) - spare), int(max(cols) + spare) + 1),
    )
    return part.intersection(whole) or whole
