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

    from geoseg.models.package.package import ModelPackage
    from geoseg.options import SegmentOptions
    from geoseg.overlay.aoi import Aoi
    from geoseg.predict import Compute, TilePredictor
    from geoseg.run.configuration import RunConfig
    from geoseg.run.masking import Masking
    from geoseg.scene import Scene


def identify_input(scene: Scene, aoi: Aoi) -> dict[str, str]:
    """Return what is mapped, and where."""
    area = hashlib.blake2b(aoi.geometry.wkb, digest_size=16)
    return {**scene.identity(), "area of interest": area.hexdigest()}


def identify_models(predictor: TilePredictor) -> dict[str, str]:
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


def identify_statistics(predictor: TilePredictor) -> dict[str, str]:
    """Say by what a scene's own statistics normalise; nothing where they do not."""
    measured = [model.measured for model in predictor.models]
    return {"statistics": repr(measured)} if any(measured) else {}


def identify_applicability(
    predictor: TilePredictor, options: SegmentOptions
) -> dict[str, str]:
    """Return which training pixels a map is held against; nothing where it is not.

    Raises:
        ModelError: The first model does not say what it learned from.

    """
    if not options.applicability:
        return {}
    package = predictor.models[0].package
    load_vectors(package)
    return {"applicability": sha256(package.path / VECTORS)}


def identify_settings(
    tile: int, overlap: int, block: int, options: SegmentOptions
) -> dict[str, str]:
    """Return how the scene is cut, and what is made of scores."""
    return {
        "tile": str(tile),
        "overlap": str(overlap),
        "blend": options.blend,
        "block": str(block),
        "minimum confidence": str(options.min_confidence),
        "entropy": str(options.entropy),
        "probabilities": str(options.probabilities),
    }


def identify_compute(compute: Compute) -> dict[str, str]:
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


def identify_mask(
    masking: Masking | None, mask_run: RunConfig | None
) -> dict[str, str]:
    """Return what masks the map; nothing without a mask."""
    if masking is None or mask_run is None:
        return {}
    package = mask_run.package
    mask = f"{package.name} {package.fingerprint} {masking.values}"
    temperature = mask_run.predictor.models[0].package.temperature
    return {"mask": mask if temperature == 1 else f"{mask}, {temperature:g}"}
