"""The rasters of a run, from its parts: while blocks are inferred, or afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.legend import NODATA
from geoseg.predict.layers import SHARE_ONE
from geoseg.raster import (
    ClassLayer,
    ClassMap,
    ClassMeans,
    Extents,
    MeasureLayer,
    write_layers,
)
from geoseg.report.report import ClassArea, class_areas
from geoseg.run.parts import read_parts
from geoseg.storage.staging import scratch_folder
from geoseg.storage.vectors.write import write_style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from geoseg.geo.windows import Window
    from geoseg.raster import Extent
    from geoseg.run.configuration import RunConfig
    from geoseg.run.journal.journal import Entry, Journal
    from geoseg.vectorize.arriving import ArrivingMap


def write_mask(config: RunConfig, journal: Journal) -> dict[int, int]:
    """Write what a finished run that makes a mask found: classes and confidence.

    Returns:
        How many pixels there are of each class.

    """
    classes, confidence = config.mask_files
    extents = Extents(config.scene.geobox.crop(config.aoi.window))
    layers: dict[str, ClassLayer | MeasureLayer] = {
        "landcover": ClassLayer(classes, config.legend, extents.add),
        "confidence": MeasureLayer(confidence, ["confidence"], "percent"),
    }
    _write(config, journal, layers)
    return {value: extent.pixels for value, extent in extents.found().items()}


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is on a map."""

    extents: dict[int, Extent]
    """Of each value that occurs, nodata too."""
    areas: tuple[ClassArea, ...]
    """A row a class of the legend."""


def write_rasters(
    config: RunConfig,
    journal: Journal,
    entries: Iterable[Sequence[Entry]] | None = None,
    arriving: ArrivingMap | None = None,
) -> Measured:
    """Write the rasters of all layers, and measure the classes meanwhile.

    Args:
        config: The run.
        journal: Its journal.
        entries: The finished tasks as they come, while the run goes on; those of the
            journal where it has ended.
        arriving: What traces the map meanwhile, if anything.

    """
    products = config.products
    extents = Extents(config.scene.geobox.crop(config.aoi.window))
    classes = [one.name for one in config.package.legend.classes]

    def on_classes(square: Window, values: NDArray[np.uint8]) -> None:
        extents.add(square, values)
        if arriving is not None:
            arriving.put_classes(square, values)

    layers: dict[str, ClassLayer | MeasureLayer] = {
        "landcover": ClassLayer(products["landcover"], config.legend, on_classes),
    }
    if config.knows_confidence:
        percent = MeasureLayer(products["confidence"], ["confidence"], "percent")
        if arriving is not None:
            percent = replace(percent, on_square=arriving.put_confidence)
        layers["confidence"] = percent
    for name, bands in (("entropy", ["entropy"]), ("probabilities", classes)):
        if name in config.layers.bands:
            layers[name] = MeasureLayer(products[name], bands, one=SHARE_ONE)
    means = _write(config, journal, layers, entries)
    write_style(products["landcover"], config.legend)
    found = extents.found()
    confidences = {value: mean / 100 for value, mean in means.items()}
    return Measured(found, class_areas(found, config.legend, confidences))


def _write(
    config: RunConfig,
    journal: Journal,
    layers: Mapping[str, ClassLayer | MeasureLayer],
    entries: Iterable[Sequence[Entry]] | None = None,
) -> dict[int, float]:
    """Write layers in one pass over the parts; give each class's mean confidence."""
    means = ClassMeans()

    def found() -> Iterator[tuple[Window, list[NDArray[np.uint8]]]]:
        for window, values in _found(config, journal, layers, entries):
            if "confidence" in values:
                means.add(values["landcover"], values["confidence"])
            yield window, [values[name] for name in layers]

    geobox = config.scene.geobox.crop(config.aoi.window)
    with scratch_folder(config.output.folder) as scratch:
        every, tags = list(layers.values()), _tags(config)
        due = None if entries is None else _due(config)
        write_layers(every, geobox, found(), tags=tags, scratch=scratch, due=due)
    return means.found()


def _due(config: RunConfig) -> Iterator[Window]:
    """Give the windows of all parts of a run, counted from its area's first pixel."""
    plan, area = config.plan, config.aoi.window
    windows = (plan.output(piece).intersection(area) for piece in plan.pieces())
    return (window.relative_to(area) for window in windows if window is not None)


def _found(
    config: RunConfig,
    journal: Journal,
    layers: Iterable[str],
    entries: Iterable[Sequence[Entry]] | None,
) -> Iterator[tuple[Window, dict[str, NDArray[np.uint8]]]]:
    """Give what a run found in an area, counted from the area's first pixel.

    The parts of a run are masked by its own area; those of one feature of many are
    cut to the feature. Where there is a mask, it is put on top.
    """
    area, bands = config.aoi.window, config.layers.bands
    for window, values in read_parts(
        config.plan, journal, within=area, entries=entries
    ):
        seen = window.intersection(area)
        if seen is None:
            continue
        cut = values[(slice(None), *seen.relative_to(window).slices())]
        if config.feature is not None:
            cut = np.where(config.aoi.mask(seen), cut, np.uint8(NODATA))
        found = {name: cut[bands[name]] for name in layers}
        found = _put_mask(config, seen, found)
        if config.relabelling is not None and "landcover" in found:
            found["landcover"] = config.relabelling.ids_of(found["landcover"])
        yield seen.relative_to(area), found


def _put_mask(
    config: RunConfig, seen: Window, found: dict[str, NDArray[np.uint8]]
) -> dict[str, NDArray[np.uint8]]:
    """Put what the mask says of a window of the scene into layers, (band, y, x)."""
    masking = config.masking
    if masking is None or config.mask_run is None:
        return found
    window = seen.relative_to(config.mask_run.aoi.window)
    classes, confidence = config.mask_run.mask_files
    mask = ClassMap.open(classes).read(window)
    own = ClassMap.measures(confidence).read(window) if masking.keep else None
    return {
        name: masking.classes(mask, values)
        if name == "landcover"
        else masking.measures(mask, values, own if name == "confidence" else None)
        for name, values in found.items()
    }


def _tags(config: RunConfig) -> dict[str, str]:
    return {
        "GEOSEG_VERSION": version("geoseg"),
        "GEOSEG_MODEL": config.models_named,
        "GEOSEG_MODEL_FINGERPRINT": " ".join(p.fingerprint for p in config.packages),
    }
