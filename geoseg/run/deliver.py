"""What a finished run leaves of an area: rasters, polygons, preview and report."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from geoseg.errors import json_text
from geoseg.geo.embeddings import credited
from geoseg.geo.legend import NODATA
from geoseg.overlay.aoi import described
from geoseg.predict.normalise import statistics_record
from geoseg.progress import OnStep, Step
from geoseg.report.preview import write_preview
from geoseg.report.report import (
    ClassArea,
    Report,
    doubts,
    foreign,
    mean_confidence,
    read_report,
    write_report,
)
from geoseg.run.applicability import write_applicability
from geoseg.run.beside import shown_bands
from geoseg.run.map_item import write_map_item
from geoseg.run.page import write_page
from geoseg.storage.remote import without_secrets
from geoseg.storage.staging import (
    atomic_file,
    checksums,
    left_over,
)
from geoseg.vectorize.polygons import will_compile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from geoseg.geo.embeddings import Embedding
    from geoseg.predict import LoadedModel
    from geoseg.progress import Clock
    from geoseg.raster import Extent
    from geoseg.report.imagery import Shown
    from geoseg.report.overview import Overview
    from geoseg.run.beside import Beside
    from geoseg.run.configuration import RunConfig
    from geoseg.run.engine import Progress
    from geoseg.run.rasters import Measured
    from geoseg.scene import Scene


def deliver(  # all that a report says
    config: RunConfig,
    beside: Beside,
    counts: Progress,
    clock: Clock,
    on_step: OnStep,
) -> Report:
    """Write all products of an area from a run's finished parts; the report is last.

    They are made beside what an earlier run left, and replace all of it at once, when
    the block of `made_beside` ends.

    Raises:
        DiskError: The disk is full or cannot be written.
        ChangedError: A file of the scene is not what it was when the run began.

    """
    made = beside.made
    with clock("raster"):
        on_step(Step("raster"))
        found = beside.rasters()
        outside = write_applicability(made) if made.options.applicability else None
        if config.feature is None:
            deliver_mask(config, made.output.folder)
    with clock("vectorize"):
        on_step(Step("vectorize", compiles=will_compile(), warnings=beside.warnings()))
        beside.write_vectors()
    with clock("preview"):
        on_step(Step("preview"))
        image = draw_preview(made, found.areas, beside.draft())
    if made.options.report_size:
        with clock("page"):
            on_step(Step("page"))
            summary = _map_record(config, counts, found, outside)
            write_page(made, image, found.areas, summary, outside)
    config.scene.check_unchanged(config.aoi.window)
    write_map_item(made, found.areas)
    report = _report(config, made, found, counts, clock.seconds, outside)
    write_report(made.products["report"], report)
    return report


def deliver_mask(config: RunConfig, folder: Path) -> None:
    """Copy the mask of a run, where there is one, to where it is a product."""
    for path in () if config.mask_run is None else config.mask_run.mask_files:
        with atomic_file(folder / path.name) as whole:
            for each in path.parent.glob(f"{path.name}*"):
                shutil.copyfile(each, whole.with_name(each.name))


def finished_report(config: RunConfig) -> Report | None:
    """Read the report of a run that is done; None unless it is the very same run."""
    config.output.fetch_record()
    report = read_report(config.products["report"])
    same = (
        report is not None
        and not config.options.restart
        and report.identity == config.plan.identity
        and report.settings == _settings(config)
        and config.output.holds(report.checksums)
    )
    return report if same else None


def _settings(config: RunConfig) -> dict[str, Any]:
    """Write the settings as JSON reads them back."""
    models = [str(model) for model in config.options.models]
    run_directory = config.options.run_dir and without_secrets(config.options.run_dir)
    legend = config.relabelling and config.relabelling.in_json()
    own = {"model": models, "run_dir": run_directory, "legend": legend}
    settings = {**asdict(config.options), **own}
    del settings["overwrite"]  # what was lost before does not change the map
    del settings["defaults_file"]  # wherever they were said
    del settings["assessment"]  # what it says stands by itself
    for each in (
        "trace",
        "tls_ca",
        "tls_cert",
        "tls_key",
    ):  # how it was watched, reached
        del settings[each]
    written: dict[str, Any] = json.loads(json_text(settings))
    return written


def draw_preview(
    config: RunConfig, areas: Sequence[ClassArea], draft: Overview | None = None
) -> Shown:
    """Draw the slide of a run whose maps are made; give how its scene is shown."""
    return write_preview(
        config.products["preview"],
        scene=config.scene,
        rgb=shown_bands(config.scene, config.predictor),
        map_path=config.products["landcover"],
        legend=config.legend,
        areas=areas,
        title=f"Land cover of {config.scene.name}",
        attribution=" · ".join(
            (
                f"geoseg {version('geoseg')}, model {config.models_named}",
                *_attributions(config),
            )
        ),
        megabytes=config.options.report_size,
        draft=draft,
    )


def embedding_record(made: Sequence[Embedding]) -> dict[str, str]:
    """Name whose learned features a scene has, and what their licences ask to say."""
    features, attribution = credited(made)
    said = {"features": features, "attribution": attribution}
    return {name: text for name, text in said.items() if text}


def _attributions(config: RunConfig) -> list[str]:
    """List what licences of learned features ask to say, each once."""
    _, attribution = credited(config.scene.embeddings)
    return [attribution] if attribution else []


def _report(
    config: RunConfig,
    made: RunConfig,
    found: Measured,
    counts: Progress,
    seconds: dict[str, float],
    outside: float | None,
) -> Report:
    """Describe a run whose products are made, and not yet delivered."""
    _, kept = left_over(config.output.folder, made.output.folder)
    extents, areas = found.extents, found.areas
    return Report(
        geoseg=version("geoseg"),
        settings=_settings(config),
        scene=_scene_record(config.scene),
        aoi=_area(config),
        models=[_model_record(model) for model in config.predictor.models],
        compute=asdict(config.predictor.compute),
        tiles={
            "inferred": counts.inferred,
            "empty": counts.empty,
            "outside": config.plan.skipped,
        },
        timings_s=seconds,
        class_areas=areas,
        nodata_pixels=extents[NODATA].pixels if NODATA in extents else 0,
        products={
            name: config.output.destination(path)
            for name, path in config.products.items()
        },
        versions={name: version(name) for name in _VERSIONS_OF},
        mask=_mask_record(config),
        identity=dict(config.plan.identity),
        checksums=checksums(made.output.folder),
        confidence=mean_confidence(areas),
        outside=outside,
        assessment=assessment_of(config, areas),
        defaults_file=config.options.defaults_file,
        warnings=[
            *_map_record(config, counts, found, outside),
            *counts.lost,
            *(
                f"{name} is of an earlier run, and stays because somebody has changed "
                f"it since"
                for name in kept
            ),
        ],
    )


def _scene_record(scene: Scene) -> dict[str, Any]:
    """Describe what was mapped."""
    return {
        "path": scene.path,
        "size": sum(raster.fingerprint.size for raster in scene.rasters),
        "files": len(scene.rasters),
        "crs": scene.geobox.crs.to_string(),
        "width": scene.geobox.width,
        "height": scene.geobox.height,
        "bands": list(scene.bands),
        **embedding_record(scene.embeddings),
    }


def _model_record(model: LoadedModel) -> dict[str, Any]:
    """Describe a model that predicted."""
    package = model.package
    attributed = {"attribution": package.attribution} if package.attribution else {}
    return {
        "name": package.name,
        "version": package.version,
        "fingerprint": package.fingerprint,
        "temperature": package.temperature,
        **attributed,
        **statistics_record(model),
    }


def _map_record(
    config: RunConfig, counts: Progress, found: Measured, outside: float | None
) -> list[str]:
    """Say what a reader of the map should know, a sentence each."""
    return [
        *config.warnings,
        *counts.failures,
        *_emptiness(found.extents),
        *doubts(found.areas, _sure_where_held_out(config)),
        *assessment_doubts(config, found.areas),
        *foreign(outside),
    ]


def _sure_where_held_out(config: RunConfig) -> float | None:
    """Say how sure the least sure of the models was of ground that it was measured on.

    None where one of them was not measured.
    """
    models = config.predictor.models
    measured = [each for m in models if (each := m.package.reliability) is not None]
    if len(measured) < len(models):
        return None
    return min(each.confidence for each in measured)


def _mask_record(config: RunConfig) -> dict[str, Any] | None:
    if config.masking is None or config.mask_run is None:
        return None
    package = config.mask_run.package
    wanted = [(package.legend.by_id(seen), seen) for seen, _ in config.masking.values]
    return {
        "name": package.name,
        "version": package.version,
        "fingerprint": package.fingerprint,
        "kept_as_classes": config.masking.keep,
        "pixels": {
            land_class.name: config.mask_pixels.get(seen, 0)
            for land_class, seen in wanted
        },
    }


def assessment_of(
    config: RunConfig, areas: Sequence[ClassArea]
) -> dict[str, Any] | None:
    """Give what a sample says of a map's areas, where it is of this map."""
    return None if config.assessed is None else config.assessed.to_json(areas)


def assessment_doubts(config: RunConfig, areas: Sequence[ClassArea]) -> Iterable[str]:
    """Say so where an assessment is of another map."""
    return () if config.assessed is None else config.assessed.doubts(areas)


def _area(config: RunConfig) -> dict[str, str] | None:
    if config.aoi_given is None:
        return None
    feature = {} if config.feature is None else {"feature": config.feature}
    return {"given": described(config.aoi_given), **feature}


def _emptiness(found: Mapping[int, Extent]) -> Iterator[str]:
    if set(found) <= {NODATA}:
        yield "the map has no class anywhere: the area holds no valid pixel"


_VERSIONS_OF = ("torch", "rasterio", "dask", "numpy", "shapely", "geopandas")
"""The libraries whose versions a report names."""
