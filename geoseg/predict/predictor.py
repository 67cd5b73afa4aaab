"""The predictor of a run: one model or several, one answer for each tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geoseg.errors import ModelError
from geoseg.geo.embeddings import ALPHAEARTH_ONE
from geoseg.models.networks.crf import fully_connected_crf
from geoseg.models.package.package import read_package
from geoseg.predict.compute import Compute, explaining_memory
from geoseg.predict.loaded_model import LoadedModel, load_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.models.package.package import ModelPackage
    from geoseg.options import Augmentation, CrfOptions


@dataclass(frozen=True, slots=True)
class TilePredictor:
    """Models on a device; cheap to send to a worker.

    Networks are loaded where and when the first batch comes, once a process.
    """

    models: tuple[LoadedModel, ...]
    """The models, at least one, whose probabilities are averaged."""
    bands: tuple[int, ...]
    """The scene's bands, counted from 0, that are read: all that some model needs."""
    compute: Compute
    """Device, precision and batch size."""
    augmentation: Augmentation = "none"
    """Which views of a tile each model predicts."""
    crf: CrfOptions | None = None
    """How the mean is refined by what the first model sees; None for not at all.

    What a CRF has refined decides the class, but is far too sure of it: messages add up
    as if each were evidence of its own. So the mean is kept with it, of which
    confidences are made.
    """

    takes_stored: bool = False
    """Whether pixels are AlphaEarth's numbers as files hold them: see
    `geoseg.scene.Scene.as_stored`."""

    @classmethod
    def of(
        cls,
        models: Sequence[tuple[ModelPackage, tuple[int, ...]]],
        compute: Compute,
        augmentation: Augmentation = "none",
        crf: CrfOptions | None = None,
    ) -> TilePredictor:
        """Make a predictor of models and, for each, its bands in the scene.

        Args:
            models: Each model with the scene's band, counted from 0, for each of its
                bands.
            compute: Device, precision and batch size.
            augmentation: Which views of a tile each model predicts.
            crf: How the mean of their probabilities is refined; None for not at all.

        Raises:
            ModelError: The models do not have the same classes.

        """
        _check_classes([package for package, _ in models])
        read = tuple(dict.fromkeys(band for _, bands in models for band in bands))
        loaded = tuple(
            LoadedModel(package, tuple(read.index(band) for band in bands))
            for package, bands in models
        )
        return cls(loaded, read, compute, augmentation, crf)

    @property
    def legend(self) -> Legend:
        """The classes, in the order of the probabilities."""
        return self.models[0].package.legend

    @property
    def planes(self) -> int:
        """How many probabilities a pixel has: a class one, or two where refined."""
        return len(self.legend) * (1 if self.crf is None else 2)

    @property
    def batch(self) -> int:
        """The number of tiles in a batch."""
        return self.compute.batch

    @property
    def device(self) -> torch.device:
        """Where the probabilities are."""
        return torch.device(self.compute.device)

    @property
    def streams(self) -> int:
        """How many batches a process computes side by side."""
        return self.compute.streams

    @property
    def threads(self) -> int:
        """The threads that an operation of a stream uses on a CPU."""
        return self.compute.threads

    def check(self) -> None:
        """Prove that this process reads the same models, whose networks come later.

        Raises:
            ModelError: A package is not there, is damaged, or is another one.

        """
        for model in self.models:
            known = model.package
            if read_package(known.path).fingerprint != known.fingerprint:
                raise ModelError(
                    f"{known.path} is not the model that the run began with; give all "
                    f"processes the same one"
                )

    def __call__(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Tensor:
        """Predict a batch of tiles.

        Invalid pixels are shown to the networks as each band's mean.

        Args:
            pixels: As the scene gives them, shape ``(tile, band, y, x)``.
            valid: True where a pixel has data, shape ``(tile, y, x)``.

        Returns:
            Probabilities, float32, shape ``(tile, plane, y, x)``, on the device: a
            plane a class; with a CRF first those that it refined, then the mean.

        Raises:
            RunError: A network gives values that are not numbers.
            DeviceError: The device ran out of memory.

        """
        with explaining_memory(self.device, self.batch):
            return self._predict(pixels, valid)

    def _predict(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> Tensor:
        if self.device.type == "cpu" and self.crf is None and len(self.models) == 1:
            direct = self.models[0].predict_pixels(
                pixels, valid, self.compute, stored=self.takes_stored
            )
            if direct is not None:
                return direct
        with torch.inference_mode():
            # All are loaded before one is used: while torch follows a network to fold
            # it, those that other threads call fail.
            for model in self.models:
                load_model(model.package, self.compute)
            first, *others = self.models
            normal = self._normalised(pixels, valid)
            seen = next(normal)
            total = first.predict(seen, self.augmentation, self.compute)
            for model, tiles in zip(others, normal, strict=True):
                total += model.predict(tiles, self.augmentation, self.compute)
            if others:
                total /= len(self.models)
            if self.crf is None:
                return total
            data = _upload(valid, self.device)
            refined = fully_connected_crf(total, seen, data, self.crf)
            return torch.cat([refined, total], dim=1)

    def _normalised(
        self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]
    ) -> Iterator[Tensor]:
        """Give the tiles as each model takes them; a CRF sees them in float32."""
        plain = not self.takes_stored and pixels.dtype != "f2"
        if self.device.type == "cpu" and self.crf is None and plain:
            for model in self.models:
                yield model.take(pixels, valid, self.compute)
            return
        raw = _upload(pixels, self.device).to(torch.float32)
        if self.takes_stored:
            raw = raw * raw.abs() / ALPHAEARTH_ONE
        unseen = None if valid.all() else _upload(~valid, self.device)
        for model in self.models:
            yield model.normalise(raw, unseen)


def _check_classes(packages: Sequence[ModelPackage]) -> None:
    """Hold ids and names of the classes, which are in order, against each other."""
    first, *others = (_list(package.legend) for package in packages)
    for package, classes in zip(packages[1:], others, strict=True):
        if classes != first:
            raise ModelError(
                f"models whose probabilities are averaged need the same classes: "
                f"{packages[0].name} has {first}; {package.name} has {classes}"
            )


def _list(legend: Legend) -> str:
    return ", ".join(f"{each.id} {each.name}" for each in legend)


def _upload(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """Bring an array to a device as it is, which moves the fewest bytes."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":  # from pinned memory a copy does not stop the stream
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
