"""Compose the rooms into one job: segment()."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from geoseg.classes import NODATA
from geoseg.cluster import dashboard_of, default_workers, map_on, open_client
from geoseg.engine import Progress, parts, run
from geoseg.journal.journal import Journal, open_journal
from geoseg.layers import SHARE_ONE
from geoseg.mosaic import ClassMap, class_extents, write_class_map, write_measures
from geoseg.prepare import RUN_DIRECTORY, SegmentOptions, Setup, prepare
from geoseg.products.preview import write_preview
from geoseg.products.report import Report, class_areas, write_report
from geoseg.steps import OnStep, Step, ignore_step
from geoseg.tasks import Job
from geoseg.vectorize.clip import clip
from geoseg.vectorize.polygons import polygons, will_compile
from geoseg.vectorize.writers import write_polygons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from distributed import Client

    from geoseg.mosaic import Extent
    from geoseg.scene import Inputs


def segment(
    scene: Inputs,
    output: Path | str,
    *,
    aoi: Path | str | None = None,
    options: SegmentOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Report:
    """Turn a scene into a land-cover map: rasters, polygons, preview and report.

    The output directory gets ``landcover.tif`` (class ids, nodata 255),
    ``confidence.tif`` (percent, nodata 255), ``landcover.<format>``,
    ``preview.png`` and ``run.json``. An unfinished run is taken up where it
    stopped when the same call is made again.

    Args:
        scene: Rasters with the bands that the model needs: files, folders, patterns,
            lists, URLs; several become one mosaic.
        output: The directory for the products; made where it does not exist.
        aoi: What to map no more than: a vector file of polygons in any CRS, one
            of its layers (``file.gpkg|layer=name``), WKT, or a bounding box
            ``west,south,east,north``; the last two in WGS 84, or in the CRS before
            a semicolon (``EPSG:32633;...``). The whole scene where None.
        options: Model, formats, tiles, device and so on.
        on_step: Called as the job gets on, from the calling thread.

    Returns:
        What ``run.json`` holds.

    Raises:
        InputError: Something given cannot be used; nothing was written.
        RunError: Something failed on the way; the same call resumes.

    Example:
        >>> import geoseg
        >>> report = geoseg.segment(
        ...     "scene.tif", "out", aoi="aoi.geojson"
        ... )  # doctest: +SKIP

    """
    options = options or SegmentOptions()
    clock = _Clock()
    with clock("prepare"):
        area = None if aoi is None else str(aoi)
        setup = prepare(scene, Path(output), area, options, on_step)
    on_step(Step("prepare", warnings=setup.warnings))
    directory = setup.output / RUN_DIRECTORY
    identity = setup.plan.identity
    device = setup.predictor.compute.device
    workers = default_workers(device) if options.workers is None else options.workers
    with (
        open_client(workers, options.scheduler, device=device) as client,
        open_journal(directory, identity, restart=options.restart) as journal,
    ):
        on_step(Step("prepare", dashboard=dashboard_of(client)))
        with clock("infer"):
            counts = _infer(setup, journal, client, on_step)
        with clock("raster"):
            on_step(Step("raster"))
            _write_rasters(setup, journal)
        with clock("vectorize"):
            on_step(Step("vectorize", compiles=will_compile()))
            _write_vectors(setup, client)
        with clock("preview"):
            on_step(Step("preview"))
            _write_preview(setup)
        report = _report(setup, counts, clock.seconds)
        write_report(setup.products["report"], report)
        if not options.keep_parts:
            journal.discard()
    return report


def _infer(setup: Setup, journal: Journal, client: Client, on_step: OnStep) -> Progress:
    job = Job(
        plan=setup.plan,
        source=setup.scene,
        predictor=setup.predictor,
        area=setup.aoi,
        blend=setup.options.blend,
        layers=setup.layers,
        store=journal.store,
    )

    def tell(progress: Progress) -> None:
        on_step(
            Step(
                "infer",
                done=progress.tiles,
                total=progress.tiles_planned,
                resumed_blocks=progress.resumed,
                blocks=progress.blocks_planned,
            )
        )

    allow = setup.options.allow_missing
    return run(job, journal, client, tell, allow_missing=allow)


def _write_rasters(setup: Setup, journal: Journal) -> None:
    georef = setup.scene.georef.crop(setup.plan.area)
    about: _About = {
        "tags": {
            "GEOSEG_VERSION": version("geoseg"),
            "GEOSEG_MODEL": _named(setup),
            "GEOSEG_MODEL_FINGERPRINT": " ".join(p.fingerprint for p in setup.packages),
        },
        "scratch": setup.output / RUN_DIRECTORY,
    }
    for name, bands in setup.layers.bands.items():
        path, found = setup.products[name], parts(setup.plan, journal, bands)
        if name == "landcover":
            write_class_map(path, georef, found, legend=setup.legend, **about)
        elif name == "confidence":
            write_measures(path, georef, found, names=[name], unit="percent", **about)
        else:
            classes = [one.name for one in setup.package.legend.classes]
            names = classes if name == "probabilities" else [name]
            write_measures(path, georef, found, names=names, one=SHARE_ONE, **about)


class _About(TypedDict):
    """What all rasters of a run are written with."""

    tags: dict[str, str]
    scratch: Path


def _write_vectors(setup: Setup, client: Client) -> None:
    class_map, legend = ClassMap.open(setup.products["landcover"]), setup.legend
    frame = polygons(
        class_map,
        legend=legend,
        confidence=ClassMap.open(setup.products["confidence"]),
        drawing=setup.options.polygons.drawing(class_map.georef, legend),
        map_blocks=map_on(client),
    )
    if setup.options.clip:
        frame = clip(frame, setup.aoi.geometry)
    for name in setup.options.formats:
        write_polygons(frame, setup.products[name], legend=setup.legend)


def _write_preview(setup: Setup) -> None:
    names = [band.common_name for band in setup.package.bands]
    known = all(colour in names for colour in ("red", "green", "blue"))
    chosen = [names.index(c) for c in ("red", "green", "blue")] if known else [0, 0, 0]
    red, green, blue = (setup.predictor.bands[index] for index in chosen)
    write_preview(
        setup.products["preview"],
        scene=setup.scene,
        rgb=(red, green, blue),
        map_path=setup.products["landcover"],
        legend=setup.legend,
        title=f"Land cover of {setup.scene.name}",
        attribution=f"geoseg {version('geoseg')}, model {_named(setup)}",
    )


def _named(setup: Setup) -> str:
    return ", ".join(f"{each.name} {each.version}" for each in setup.packages)


def _report(setup: Setup, counts: Progress, seconds: dict[str, float]) -> Report:
    found = class_extents(setup.products["landcover"])
    return Report(
        geoseg=version("geoseg"),
        settings={
            **asdict(setup.options),
            "model": [str(model) for model in setup.options.models],
        },
        scene={
            "path": setup.scene.place,
            "size": sum(raster.seen.size for raster in setup.scene.rasters),
            "files": len(setup.scene.rasters),
            "crs": setup.scene.georef.crs.to_string(),
            "width": setup.scene.georef.width,
            "height": setup.scene.georef.height,
            "bands": list(setup.scene.bands),
        },
        aoi={"given": setup.aoi_given} if setup.aoi_given else None,
        models=[
            {
                "name": package.name,
                "version": package.version,
                "fingerprint": package.fingerprint,
            }
            for package in setup.packages
        ],
        compute=asdict(setup.predictor.compute),
        tiles={
            "inferred": counts.inferred,
            "empty": counts.empty,
            "outside": setup.plan.skipped,
        },
        timings_s=seconds,
        class_areas=class_areas(found, setup.legend),
        nodata_pixels=found[NODATA].pixels if NODATA in found else 0,
        products={name: str(path) for name, path in setup.products.items()},
        versions={name: version(name) for name in _TOLD},
        warnings=[*setup.warnings, *counts.failures, *_emptiness(found)],
    )


def _emptiness(found: Mapping[int, Extent]) -> Iterator[str]:
    if set(found) <= {NODATA}:
        yield "the map has no class anywhere: the area holds no valid pixel"


_TOLD = ("torch", "rasterio", "dask", "numpy", "shapely", "geopandas")
"""The libraries whose versions a report names."""


@dataclass(slots=True)
class _Clock:
    """Wall-clock seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)
