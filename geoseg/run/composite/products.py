"""The files of a composite, and their record."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from geoseg.errors import json_text
from geoseg.raster import ImageLayer, write_layers
from geoseg.run.composite.job import unpack
from geoseg.run.parts import read_parts
from geoseg.scene.composite.observations import cloudiness
from geoseg.storage.authorship import checksum
from geoseg.storage.gdal_cache import ONCE, small_cache
from geoseg.storage.staging import atomic_file, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.geo.windows import Window
    from geoseg.run.composite.config import CompositeConfig
    from geoseg.run.engine import Progress
    from geoseg.run.journal.journal import Journal
    from geoseg.scene.composite.observations import Observation

_MOST = 1 << 16
"""Counts are below this: they are uint16."""


@dataclass(frozen=True, slots=True)
class CompositeReport:
    """What a composite is, and what it was made of."""

    geoseg: str
    """The version that made it."""
    composite: str
    """The GeoTIFF."""
    counts: str
    """How many dates are clear at each pixel, a GeoTIFF."""
    dates: str | None
    """Which date each pixel is of (20240715), a GeoTIFF; None where it is of many."""
    rule: str
    """How dates were put together."""
    bands: tuple[str, ...]
    """Its bands."""
    looks: tuple[Mapping[str, Any], ...]
    """What it was made of, the first in order first: each date with its files, and how
    cloudy they are said to be, in percent."""
    pixels: int
    """How many pixels it has, those outside the area not counted."""
    clear_share: float
    """The share of them that are clear on one date or more, 0 to 1."""
    clear_counts: tuple[int, ...]
    """How many pixels are clear on no date, on one, on two, and so on."""
    sha256: str
    """The checksum of the GeoTIFF."""
    checksums: Mapping[str, str]
    """The SHA-256 of each of the files, by its name."""
    settings: Mapping[str, Any]
    """What was asked for."""
    identity: Mapping[str, str]
    """All that changes pixels."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each stage took."""
    warnings: tuple[str, ...] = ()
    """What was put right or taken for granted, a sentence each."""

    def to_json(self) -> str:
        """Write it as JSON."""
        return json_text(asdict(self))


def finished_composite(config: CompositeConfig) -> CompositeReport | None:
    """Read the record of a composite that is made; None unless it is the very same."""
    output = config.output
    output.fetch_record()
    try:
        record = json.loads(config.record.read_text(encoding="utf-8"))
        for name in ("bands", "looks", "clear_counts", "warnings"):
            record[name] = tuple(record[name])
        found = CompositeReport(**record)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = (
        not config.options.restart
        and _of_pixels(found.identity) == _of_pixels(config.plan.identity)
        and output.holds(found.checksums)
    )
    return found if same else None


def _of_pixels(identity: Mapping[str, str]) -> dict[str, str]:
    """Leave out what only the record of an unfinished composite has."""
    return {name: value for name, value in identity.items() if name != "block"}


def write_composite(
    config: CompositeConfig,
    journal: Journal,
    progress: Progress,
    seconds: Mapping[str, float],
) -> CompositeReport:
    """Write all files of a composite from its finished parts; its record comes last.

    Raises:
        DiskError: The disk is full or cannot be written.

    """
    tally = np.zeros(_MOST, np.int64)
    tags = {
        "GEOSEG_VERSION": version("geoseg"),
        "GEOSEG_COMPOSITE": config.scene.options.mosaic,
        "GEOSEG_DATES": " ".join(_days(config.scene.observations)),
    }
    # Without its record the composite is known by its own mark, whatever stops this.
    config.record.unlink(missing_ok=True)
    with _scratch(config) as scratch, small_cache(ONCE):
        write_layers(
            _layers(config),
            config.geobox,
            _values(config, journal, tally),
            tags=tags,
            scratch=scratch,
        )
    report = _report(config, tally, seconds, progress.failures)
    with atomic_file(config.record) as path:
        path.write_text(report.to_json() + "\n", encoding="utf-8")
    return report


@contextmanager
def _scratch(config: CompositeConfig) -> Iterator[Path]:
    """Give a folder of this composite's own: others may be made beside it."""
    own = config.path.with_name(f".{config.path.name}.scratch")
    try:
        with scratch_folder(own) as scratch:
            yield scratch
    finally:
        own.rmdir()


def _layers(config: CompositeConfig) -> list[ImageLayer]:
    dtype, nodata = config.stored
    pixels = ImageLayer(config.path, config.names, dtype, nodata, scales=config.scales)
    counts = ImageLayer(
        config.counts, ["clear dates"], "uint16", 0, overviews="nearest"
    )
    if config.dates is None:
        return [pixels, counts]
    dates = ImageLayer(config.dates, ["date"], "uint32", 0, overviews="nearest")
    return [pixels, counts, dates]


def _values(
    config: CompositeConfig, journal: Journal, tally: NDArray[np.int64]
) -> Iterator[tuple[Window, list[NDArray[Any]]]]:
    """Give the values of all layers part by part, and count the clear dates."""
    dtype, nodata = config.stored
    days = [each.day for each in config.scene.observations]
    # The last is that of pixels of no date, whose number is -1.
    table = np.array([_number(day) for day in days] + [0], np.uint32)
    for window, data in read_parts(config.plan, journal):
        found = unpack(data, len(config.bands), config.scene.dtype)
        inside = config.area.mask(window)
        tally += np.bincount(found.counts[inside], minlength=_MOST)
        pixels = found.pixels.astype(dtype)
        pixels[:, ~found.valid] = nodata
        values: list[NDArray[Any]] = [pixels, found.counts]
        if config.dates is not None:
            values.append(table[found.chosen])
        yield window.relative_to(config.area.window), values


def _number(day: Any) -> int:  # noqa: ANN401  # a date, or None
    """Write a day as a number that people can read: 20240715."""
    return 0 if day is None else int(f"{day:%Y%m%d}")


def _days(looks: Sequence[Observation]) -> list[str]:
    return sorted({look.day.isoformat() for look in looks if look.day is not None})


def _report(
    config: CompositeConfig,
    tally: NDArray[np.int64],
    seconds: Mapping[str, float],
    warnings: Sequence[str],
) -> CompositeReport:
    pixels, clear = int(tally.sum()), int(tally[1:].sum())
    most = int(np.flatnonzero(tally)[-1]) if pixels else 0
    settings: Mapping[str, Any] = json.loads(json_text(config.settings))
    sums = {p.name: checksum(p) for p in config.files}
    address = config.output.destination
    return CompositeReport(
        geoseg=version("geoseg"),
        composite=address(config.path),
        counts=address(config.counts),
        dates=None if config.dates is None else address(config.dates),
        rule=config.scene.options.mosaic,
        bands=config.names,
        looks=tuple(_look_record(look) for look in config.scene.observations),
        pixels=pixels,
        clear_share=clear / pixels if pixels else 0.0,
        clear_counts=tuple(tally[: most + 1].tolist()),
        sha256=sums[config.path.name],
        checksums=sums,
        settings=settings,
        identity=dict(config.plan.identity),
        seconds=dict(seconds),
        warnings=tuple(dict.fromkeys((*config.scene.warnings, *warnings))),
    )


def _look_record(look: Observation) -> dict[str, Any]:
    """Say what a look is: its day, its files, its clouds."""
    known = [c for c in map(cloudiness, look.members) if c is not None]
    return {
        "day": None if look.day is None else look.day.isoformat(),
        "files": [
            layer.raster.name for member in look.members for layer in member.layers
        ],
        "cloud": max(known) if known else None,
    }
