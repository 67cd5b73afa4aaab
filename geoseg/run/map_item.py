"""A run's map as an item of a STAC catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.models.package.files import CARD
from geoseg.predict.layers import SHARE_ONE
from geoseg.report.stac_item import MapItem, RasterBands, UsedModel, write_item
from geoseg.run.applicability import PERCENT
from geoseg.run.arrays import is_temporary
from geoseg.scene import absolute
from geoseg.storage.remote import without_secrets
from geoseg.storage.staging import checksums

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.report.report import ClassArea
    from geoseg.run.configuration import RunConfig

_DOCUMENTS = (".json", ".geojson")
"""What documents with STAC items end in."""


def write_map_item(config: RunConfig, areas: Sequence[ClassArea]) -> None:
    """Write the STAC item of a map whose other products are made.

    Args:
        config: The run, with its products where they are being made.
        areas: How much of each class there is.

    Raises:
        DiskError: The file cannot be written.

    """
    scene, feature = config.scene, config.feature
    item = MapItem(
        title=scene.name if feature is None else f"{scene.name}, {feature}",
        geobox=scene.geobox.crop(config.aoi.window),
        rasters=_rasters(config),
        products=config.products,
        checksums=checksums(config.output.folder),
        models=[
            UsedModel(
                name=f"{each.name} {each.version}",
                card=absolute(each.path / CARD),
            )
            for each in config.packages
        ],
        inputs=list(_inputs(config)),
        areas=None if config.assessed is None else config.assessed.to_json(areas),
        acquired=[member.layers[0].raster.acquired for member in scene.members],
    )
    write_item(config.products["stac"], item)


def _rasters(config: RunConfig) -> dict[str, RasterBands]:
    """Say what the values of each raster mean."""
    classes = [each.name for each in config.package.legend]
    mask = None if config.mask_run is None else config.mask_run.legend
    percent = RasterBands(names=["confidence"], unit="percent")
    return {
        "landcover": RasterBands(names=["class"], legend=config.legend),
        "confidence": percent,
        "entropy": RasterBands(names=["entropy"], one=SHARE_ONE),
        "probabilities": RasterBands(names=classes, one=SHARE_ONE),
        "applicability": RasterBands(names=["dissimilarity"], one=PERCENT),
        "mask": RasterBands(names=["class"], legend=mask),
        "mask_confidence": percent,
    }


def _inputs(config: RunConfig) -> Iterator[tuple[str, bool]]:
    """Name what the scene was opened from, and say which are documents of items."""
    given = config.scene.inputs or [each.path for each in config.scene.rasters]
    for path in map(str, given):
        if not is_temporary(path):
            name = urlsplit(path).path.lower()
            yield without_secrets(absolute(path)), name.endswith(_DOCUMENTS)
