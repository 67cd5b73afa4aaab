"""What a finished run leaves of an area: rasters, polygons, preview and report."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from geoseg.geo.band_names import find_rgb
from geoseg.geo.legend import NODATA
from geoseg.predict.layers import SHARE_ONE
from geoseg.predict.normalise import tell
from geoseg.progress import OnStep, Step
from geoseg.raster import (
    ClassMap,
    class_extents,
    class_means,
    write_class_map,
    write_measures,
)
from geoseg.report.preview import write_preview
from geoseg.report.report import (
    Report,
    class_areas,
    doubts,
    mean_confidence,
    read_report,
    write_report,
)
from geoseg.run.cluster import map_on
from geoseg.run.engine import parts
from geoseg.storage.remote import without_secrets
from geoseg.storage.staging import (
    atomic_file,
    checksums,
    left_over,
    scratch_folder,
    staged,
)
from geoseg.storage.vectors.write import write_polygons
from geoseg.vectorize.clip import clip
from geoseg.vectorize.polygons import polygons, will_compile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from distributed import Client
    from numpy.typing import NDArray

    from geoseg.geo.windows import Window
    from geoseg.predict import TilePredictor
    from geoseg.progress import Clock
    from geoseg.raster import Extent
    from geoseg.run.configuration import Setup
    from geoseg.run.engine import Progress
    from geoseg.run.journal.journal import Journal
    from geoseg.scene import Scene


def deliver(  # all that a report tells of
    setup: Setup,
    journal: Journal,
    client: Client,
    counts: Progress,
    clock: Clock,
    on_step: OnStep,
) -> Report:
    """Write all products of an area from a run's finished parts; the report is last.

    They are made beside what an earlier run left, and replace all of it at once.

    Raises:
        DiskError: The disk is full or cannot be written.

    """
    with staged(setup.output.folder) as folder:
        made = setup.made_in(folder)
        with clock("raster"):
            on_step(Step("raster"))
            _write_rasters(made, journal)
            if setup.feature is None:
                deliver_mask(setup, folder)
        with clock("vectorize"):
            on_step(Step("vectorize", compiles=will_compile()))
            _write_vectors(made, client)
        with clock("preview"):
            on_step(Step("preview"))
            _write_preview(made)
        report = _report(setup, made, counts, clock.seconds)
        write_report(made.products["report"], report)
    setup.output.publish()
    return report


def deliver_mask(setup: Setup, folder: Path) -> None:
    """Copy the mask of a run, where there is one, to where it is a product."""
    for path in () if setup.mask_run is None else setup.mask_run.mask_files:
        with atomic_file(folder / path.name) as whole:
            for each in path.parent.glob(f"{path.name}*"):
                shutil.copyfile(each, whole.with_name(each.name))


def finished_report(setup: Setup) -> Report | None:
    """Read the report of a run that is done; None unless it is the very same run."""
    setup.output.fetch_report()
    report = read_report(setup.products["report"])
    same = (
        report is not None
        and not setup.options.restart
        and report.identity == setup.plan.identity
        and report.settings == _settings(setup)
        and setup.output.holds(report.checksums)
    )
    return report if same else None


def _settings(setup: Setup) -> dict[str, Any]:
    """Write the settings as JSON reads them back."""
    models = [str(model) for model in setup.options.models]
    place = setup.options.run_dir and without_secrets(setup.options.run_dir)
    settings = {**asdict(setup.options), "model": models, "run_dir": place}
    del settings["overwrite"]  # what was lost before does not change the map
    written: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return written


def write_mask(setup: Setup, journal: Journal) -> None:
    """Write what a finished run that makes a mask found: classes and confidence."""
    georef = setup.scene.georef.crop(setup.aoi.window)
    bands, (classes, confidence) = setup.layers.bands, setup.mask_files
    with scratch_folder(setup.output.folder) as scratch:
        about: _About = {"tags": _tags(setup), "scratch": scratch}
        found = _found(setup, journal, "landcover", bands["landcover"])
        write_class_map(classes, georef, found, legend=setup.legend, **about)
        found = _found(setup, journal, "confidence", bands["confidence"])
        names = ["confidence"]
        write_measures(confidence, georef, found, names=names, unit="percent", **about)


def _tags(setup: Setup) -> dict[str, str]:
    return {
        "GEOSEG_VERSION": version("geoseg"),
        "GEOSEG_MODEL": _named(setup),
        "GEOSEG_MODEL_FINGERPRINT": " ".join(p.fingerprint for p in setup.packages),
    }


def _write_rasters(setup: Setup, journal: Journal) -> None:
    georef = setup.scene.georef.crop(setup.aoi.window)
    classes = [one.name for one in setup.package.legend.classes]
    with scratch_folder(setup.output.folder) as scratch:
        about: _About = {"tags": _tags(setup), "scratch": scratch}
        for name, bands in setup.layers.bands.items():
            path, found = setup.products[name], _found(setup, journal, name, bands)
            names = classes if name == "probabilities" else [name]
            if name == "landcover":
                write_class_map(path, georef, found, legend=setup.legend, **about)
            elif name == "confidence":
                write_measures(
                    path, georef, found, names=names, unit="percent", **about
                )
            else:
                write_measures(path, georef, found, names=names, one=SHARE_ONE, **about)


def _found(
    setup: Setup, journal: Journal, layer: str, bands: slice
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """Give what a run found in an area, counted from the area's first pixel.

    The parts of a run are masked by its own area; those of one feature of many are
    cut to the feature. Where there is a mask, it is put on top.
    """
    area = setup.aoi.window
    for window, values in parts(setup.plan, journal, bands, within=area):
        seen = window.intersection(area)
        if seen is None:
            continue
        cut = values[(slice(None), *seen.relative_to(window).slices())]
        if setup.feature is not None:
            cut = np.where(setup.aoi.mask(seen), cut, np.uint8(NODATA))
        yield seen.relative_to(area), _put_mask(setup, layer, seen, cut)


def _put_mask(
    setup: Setup, layer: str, seen: Window, found: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Put what the mask says of a window of the scene into a layer, (band, y, x)."""
    if setup.masking is None or setup.mask_run is None:
        return found
    window = seen.relative_to(setup.mask_run.aoi.window)
    classes, confidence = setup.mask_run.mask_files
    mask = ClassMap.open(classes).read(window)
    if layer == "landcover":
        return setup.masking.classes(mask, found)
    own = layer == "confidence" and setup.masking.keep
    instead = ClassMap.measures(confidence).read(window) if own else None
    return setup.masking.measures(mask, found, instead)


class _About(TypedDict):
    """What all rasters of a run are written with."""

    tags: dict[str, str]
    scratch: Path


def _write_vectors(setup: Setup, client: Client) -> None:
    class_map, legend = ClassMap.open(setup.products["landcover"]), setup.legend
    frame = polygons(
        class_map,
        legend=legend,
        confidence=ClassMap.measures(setup.products["confidence"]),
        drawing=setup.options.polygons.drawing(legend),
        map_blocks=map_on(client),
    )
    if setup.options.clip:
        frame = clip(frame, setup.aoi.geometry)
    for name in setup.options.formats:
        write_polygons(frame, setup.products[name], legend=setup.legend)


def _write_preview(setup: Setup) -> None:
    write_preview(
        setup.products["preview"],
        scene=setup.scene,
        rgb=shown_bands(setup.scene, setup.predictor),
        map_path=setup.products["landcover"],
        legend=setup.legend,
        title=f"Land cover of {setup.scene.name}",
        attribution=f"geoseg {version('geoseg')}, model {_named(setup)}",
    )


def shown_bands(scene: Scene, predictor: TilePredictor) -> tuple[int, int, int]:
    """Choose the bands of a scene that a picture shows red, green and blue.

    By the scene's own names and colours, else by those of the first model's bands, else
    the first three; one alone is shown grey.
    """
    found = find_rgb(scene.bands, scene.common_names)
    if found is not None:
        return found
    member = predictor.members[0]
    bands = member.package.bands
    of_model = find_rgb([b.name for b in bands], [b.common_name for b in bands])
    if of_model is not None:
        red, green, blue = (predictor.bands[member.places[i]] for i in of_model)
        return red, green, blue
    return (0, 1, 2) if len(scene.bands) > 2 else (0, 0, 0)  # noqa: PLR2004  # of RGB


def _named(setup: Setup) -> str:
    return ", ".join(f"{each.name} {each.version}" for each in setup.packages)


def _report(
    setup: Setup, made: Setup, counts: Progress, seconds: dict[str, float]
) -> Report:
    """Tell of a run whose products are made, and not yet in place."""
    found = class_extents(made.products["landcover"])
    _, kept = left_over(setup.output.folder, made.output.folder)
    percent = class_means(made.products["landcover"], made.products["confidence"])
    confidences = {value: mean / 100 for value, mean in percent.items()}
    areas = class_areas(found, setup.legend, confidences)
    return Report(
        geoseg=version("geoseg"),
        settings=_settings(setup),
        scene={
            "path": setup.scene.place,
            "size": sum(raster.seen.size for raster in setup.scene.rasters),
            "files": len(setup.scene.rasters),
            "crs": setup.scene.georef.crs.to_string(),
            "width": setup.scene.georef.width,
            "height": setup.scene.georef.height,
            "bands": list(setup.scene.bands),
        },
        aoi=_area(setup),
        models=[
            {
                "name": member.package.name,
                "version": member.package.version,
                "fingerprint": member.package.fingerprint,
                **tell(member),
            }
            for member in setup.predictor.members
        ],
        compute=asdict(setup.predictor.compute),
        tiles={
            "inferred": counts.inferred,
            "empty": counts.empty,
            "outside": setup.plan.skipped,
        },
        timings_s=seconds,
        class_areas=areas,
        nodata_pixels=found[NODATA].pixels if NODATA in found else 0,
        products={
            name: setup.output.place(path) for name, path in setup.products.items()
        },
        versions={name: version(name) for name in _TOLD},
        mask=_mask_told(setup),
        identity=dict(setup.plan.identity),
        checksums=checksums(made.output.folder),
        confidence=mean_confidence(areas),
        warnings=[
            *setup.warnings,
            *counts.failures,
            *_emptiness(found),
            *doubts(areas),
            *(
                f"{name} is of an earlier run, and stays because somebody has changed "
                f"it since"
                for name in kept
            ),
        ],
    )


def _mask_told(setup: Setup) -> dict[str, Any] | None:
    if setup.masking is None or setup.mask_run is None:
        return None
    package, found = setup.mask_run.package, class_extents(setup.mask_run.mask_files[0])
    wanted = [(package.legend.by_id(seen), seen) for seen, _ in setup.masking.values]
    return {
        "name": package.name,
        "version": package.version,
        "fingerprint": package.fingerprint,
        "kept_as_classes": setup.masking.keep,
        "pixels": {
            land_class.name: found[seen].pixels if seen in found else 0
            for land_class, seen in wanted
        },
    }


def _area(setup: Setup) -> dict[str, str] | None:
    if setup.aoi_given is None:
        return None
    feature = {} if setup.feature is None else {"feature": setup.feature}
    return {"given": setup.aoi_given, **feature}


def _emptiness(found: Mapping[int, Extent]) -> Iterator[str]:
    if set(found) <= {NODATA}:
        yield "the map has no class anywhere: the area holds no valid pixel"


_TOLD = ("torch", "rasterio", "dask", "numpy", "shapely", "geopandas")
"""The libraries whose versions a report names."""
