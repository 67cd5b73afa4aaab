"""The identity of a run: every input and setting that changes pixels, in words.

A resume compares it, and names what differs.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from geoseg.models.package.package import sha256
from geoseg.models.package.training_vectors import VECTORS, load_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geoseg.geo.tiling import Axis, Lattice
    from geoseg.models.package.package import ModelPackage
    from geoseg.options import SegmentOptions
    from geoseg.overlay.aoi import Aoi
    from geoseg.predict import Compute, TilePredictor
    from geoseg.run.configuration import RunConfig
    from geoseg.run.masking import Masking
    from geoseg.scene import Scene


def identify(
    scene: Scene,
    aoi: Aoi,
    predictor: TilePredictor,
    lattice: Lattice,
    options: SegmentOptions,
    masked: tuple[Masking, RunConfig] | None,
) -> dict[str, str]:
    """Return every input and setting that changes pixels of a map.

    Args:
        scene: What is mapped.
        aoi: Where.
        predictor: What predicts, and how it computes.
        lattice: How the scene is cut.
        options: What is made of scores.
        masked: What becomes of the pixels that a mask hides, and the mask's run; None
            without one.

    Raises:
        ModelError: The first model does not say what it learned from, where a map is
            to be held against that.

    """
    return {
        **identify_input(scene, aoi),
        **_models(predictor),
        **_statistics(predictor),
        **({} if masked is None else _mask(*masked)),
        **_settings(lattice.rows, options),
        **_compute(predictor.compute),
        **_applicability(predictor, options),
    }


def identify_input(scene: Scene, aoi: Aoi) -> dict[str, str]:
    """Return what is mapped, and where."""
    area = hashlib.blake2b(aoi.geometry.wkb, digest_size=16)
    return {**scene.identity(), "area of interest": area.hexdigest()}


def _models(predictor: TilePredictor) -> dict[str, str]:
    """Return what predicts."""
    from geoseg.models.networks.onnx import runtime_version  # noqa: PLC0415  # torch

    packages = [model.package for model in predictor.models]
    return {
        "model": ", ".join(f"{each.name} {each.fingerprint}" for each in packages),
        **_temperatures(packages),
        "test-time augmentation": predictor.augmentation,
        "CRF": f"{predictor.crf}, which decides alone" if predictor.crf else "none",
        **(
            {"onnxruntime": runtime_version()}
            if any(each.is_onnx for each in packages)
            else {}
        ),
    }


def _temperatures(packages: Sequence[ModelPackage]) -> dict[str, str]:
    """Give what scores are divided by; nothing where they are as they are."""
    listed = [f"{each.temperature:g}" for each in packages]
    return {"temperature": ", ".join(listed)} if set(listed) != {"1"} else {}


def _statistics(predictor: TilePredictor) -> dict[str, str]:
    """Say by what a scene's own statistics normalise; nothing where they do not."""
    measured = [model.measured for model in predictor.models]
    return {"statistics": repr(measured)} if any(measured) else {}


def _applicability(predictor: TilePredictor, options: SegmentOptions) -> dict[str, str]:
    """Return which training pixels a map is held against; nothing where it is not.

    Raises:
        ModelError: The first model does not say what it learned from.

    """
    if not options.applicability:
        return {}
    package = predictor.models[0].package
    load_vectors(package)
    return {"applicability": sha256(package.path / VECTORS)}


def _settings(lattice: Axis, options: SegmentOptions) -> dict[str, str]:
    """Return how the scene is cut, and what is made of scores."""
    return {
        "tile": str(lattice.tile),
        "overlap": str(lattice.overlap),
        "blend": options.blend,
        "block": str(lattice.block),
        "minimum confidence": str(options.min_confidence),
        "entropy": str(options.entropy),
        "probabilities": str(options.probabilities),
    }


def _compute(compute: Compute) -> dict[str, str]:
    """Return how numbers are computed."""
    return {
        "device": compute.device,
        "precision": compute.precision,
        "batch": str(compute.batch),
        "threads": str(compute.threads),
        "compiled": str(compute.compiled),
        "geoseg": version("geoseg"),
        "torch": version("torch"),
    }


def _mask(masking: Masking, mask_run: RunConfig) -> dict[str, str]:
    """Return what masks the map."""
    package = mask_run.package
    mask = f"{package.name} {package.fingerprint} {masking.values}"
    temperature = mask_run.predictor.models[0].package.temperature
    return {"mask": mask if temperature == 1 else f"{mask}, {temperature:g}"}
