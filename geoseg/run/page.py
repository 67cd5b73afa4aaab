"""What a run's page says of it: report.html."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from geoseg.errors import counted
from geoseg.geo.embeddings import credited, listed
from geoseg.report.map_page import MapPage, write_map_page
from geoseg.report.pyramid import ClassPlanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geoseg.models.package.package import ModelPackage
    from geoseg.report.imagery import Shown
    from geoseg.report.report import ClassArea
    from geoseg.run.configuration import RunConfig

_DIGITS = 12
"""Of a fingerprint, which are enough to compare."""


def write_page(
    made: RunConfig,
    image: Shown,
    areas: Sequence[ClassArea],
    warnings: Sequence[str],
    outside: float | None,
) -> None:
    """Write the page of a run whose maps are made.

    It goes to other people, and is the same for the same map: no folders of this
    machine stand in it, no times, and nothing of how the work was shared out.

    Args:
        made: The run, with its products where they are made.
        image: The scene as the preview shows it.
        areas: How much of each class there is.
        warnings: What a reader should know, a sentence each.
        outside: The share of the map that is unlike all that the model learned from, 0
            to 1; None where that is not known.

    """
    products = made.products
    plane = made.scene.geobox.crop(made.aoi.window)
    page = MapPage(
        title=f"Land cover of {made.scene.name}",
        subtitle=_subtitle(made, areas),
        planes=ClassPlanes(plane, products["landcover"], products.get("confidence")),
        legend=made.legend,
        areas=areas,
        image=image,
        intervals={} if made.assessed is None else made.assessed.of(areas),
        facts=tuple(_facts(made, outside)),
        warnings=warnings,
    )
    write_map_page(products["page"], page, made.options.report_size)


def _subtitle(made: RunConfig, areas: Sequence[ClassArea]) -> str:
    plane = made.scene.geobox.crop(made.aoi.window)
    hectares = sum(each.area_ha for each in areas)
    return (
        f"{hectares / 100:,.1f} km² in "
        f"{counted(len(made.legend), 'class', 'classes')} · {plane.width:,} x "
        f"{plane.height:,} pixels of {plane.gsd_m():.3g} m · "
        f"{', '.join(package.name for package in made.packages)}"
    )


def _facts(made: RunConfig, outside: float | None) -> Iterator[tuple[str, str]]:
    """Pair names with what ran on what."""
    yield from _scene_facts(made)
    for package in made.packages:
        yield from _model_facts(package)
    if outside is not None:
        yield "Unlike it", f"{outside:.1%} of the map is unlike what was learned from"
    if made.mask_run is not None:
        yield "Mask", f"{made.mask_run.package.name} {made.mask_run.package.version}"
    yield "Settings", ", ".join(_settings(made))
    if made.options.defaults_file:
        yield "Defaults", f"flags from {_name_of(made.options.defaults_file)}"
    compute = made.predictor.compute
    yield "Computed", f"{compute.device}, {compute.precision}"
    packages = ("geoseg", "torch", "rasterio", "numpy")
    yield "Software", ", ".join(f"{name} {version(name)}" for name in packages)


def _scene_facts(made: RunConfig) -> Iterator[tuple[str, str]]:
    scene = made.scene
    yield "Image", _name_of(scene.path)
    yield "Bands", listed(scene.bands)
    yield "Grid", f"{scene.geobox.crs.name}, {scene.geobox.gsd_m():.4g} m"
    features, credit = credited(scene.embeddings)
    if features:
        yield "Features", features
    if credit:
        yield "Credit", credit
    if made.feature is not None:
        yield "Area", made.feature
    elif made.aoi_given is not None:
        yield "Area", "an area of interest of the image"


def _model_facts(package: ModelPackage) -> Iterator[tuple[str, str]]:
    yield "Model", f"{package.name} {package.version}"
    if package.description:
        yield "About it", package.description
    if package.trained_on:
        yield "Trained on", package.trained_on
    if package.metrics:
        measured = (f"{name} {value:.3g}" for name, value in package.metrics)
        yield "Measured", ", ".join(measured)
    yield "Licence", package.license
    if package.attribution:
        yield "Credit", package.attribution
    yield "Fingerprint", package.fingerprint[:_DIGITS]


def _settings(made: RunConfig) -> Iterator[str]:
    """Say what shaped the map, and was chosen."""
    options, tiles = made.options, made.plan.lattice.rows
    yield f"tiles of {tiles.tile} px that share {tiles.overlap}"
    yield f"blended by {options.blend}"
    if options.tta != "none":
        yield f"averaged over views ({options.tta})"
    if options.crf is not None:
        yield "refined by a CRF"
    if options.min_confidence:
        yield f"unknown below {options.min_confidence} % confidence"


def _name_of(path: str) -> str:
    """Name a path without the folders above it, and without a server's secrets."""
    return PurePath(urlsplit(path).path or path).name or path
