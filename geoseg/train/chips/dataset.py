"""The chips of a folder as a dataset of torch: `ChipDataset`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import geopandas
import numpy as np
import rasterio
import torch
from torch.utils.data import Dataset

from geoseg.errors import LabelsError
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.options.arguments import check_kind
from geoseg.train.chips.export import INDEX, REPORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Sample = dict[str, torch.Tensor]
"""A chip as torchgeo gives one: ``image`` and, where there are labels, ``mask``."""


class ChipDataset(Dataset[Sample]):
    """The chips of a folder that `geoseg.tile` wrote, for any training loop of torch.

    A sample is a dict, as torchgeo's are: ``image``, float32 of shape ``(band, y, x)``,
    and where there are labels ``mask``, int64 of shape ``(y, x)``. Images hold the
    scene's own numbers; a pixel without data has each band's `mean`, as geoseg shows it
    to a model. Masks hold each pixel's index in `legend`, from 0, and 255 where nobody
    labelled it: ``torch.nn.CrossEntropyLoss(ignore_index=255)``.

    What is trained on ``(image - mean) / std`` becomes a model of geoseg by
    ``geoseg models package``, or `geoseg.make_package`, given the same mean and std.

    Example:
        >>> chips = geoseg.ChipDataset("chips/", "train")  # doctest: +SKIP
        >>> loader = torch.utils.data.DataLoader(chips, 8)  # doctest: +SKIP

    """

    def __init__(
        self,
        folder: Path | str,
        split: Literal["train", "validate", "test"] | None = None,
        transforms: Callable[[Sample], Sample] | None = None,
    ) -> None:
        """Read which chips there are; no pixel.

        Args:
            folder: The folder.
            split: The part that is wanted; all parts where None.
            transforms: Called with each sample, such as an augmentation.

        Raises:
            LabelsError: This is no such folder, or has no chip of that part.

        """
        check_kind(folder, "Path | str", "folder", "geoseg.ChipDataset")
        self.folder, self.split, self.transforms = Path(folder), split, transforms
        self.bands, self.mean, self.std, self.legend = _read_report(self.folder)
        self._names = _read_names(self.folder, split)

    def __len__(self) -> int:
        """Count the chips."""
        return len(self._names)

    def __repr__(self) -> str:
        """Say what is in it."""
        part = self.split or "all parts"
        return (
            f"ChipDataset({str(self.folder)!r}, {part}: {len(self)} chips, bands: "
            f"{', '.join(self.bands)}, classes: {', '.join(self.classes)})"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the mask's numbers."""
        return tuple(each.name for each in self.legend or ())

    def __getitem__(self, index: int) -> Sample:
        """Read a chip.

        Raises:
            LabelsError: A file of it is gone, or is no GeoTIFF.

        """
        name = f"{self._names[index]}.tif"
        pixels, valid = _read(self.folder / "images" / name)
        image = np.where(valid, pixels, self.mean[:, None, None]).astype(np.float32)
        sample = {"image": torch.from_numpy(image)}
        if self.legend is not None:
            ids, _ = _read(self.folder / "masks" / name)
            index_of = np.full(NODATA + 1, NODATA, np.int64)
            index_of[list(self.legend.ids)] = np.arange(len(self.legend))
            sample["mask"] = torch.from_numpy(index_of[ids[0]])
        return sample if self.transforms is None else self.transforms(sample)


def _read_report(
    folder: Path,
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64], Legend | None]:
    """Give bands, their means and deviations, and classes; None without labels."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        bands, classes = report["bands"], report["classes"]
        names = tuple(str(band["name"]) for band in bands)
        mean, std = (
            np.array([float(band[key]) for band in bands])
            for key in ("mean", "deviation")
        )
        known = [LandClass(c["id"], c["name"], c["colour"]) for c in classes]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelsError(
            f"{folder} is no folder of chips ({error}); make one with geoseg tile"
        ) from error
    return names, mean, std, Legend(tuple(known)) if known else None


def _read_names(folder: Path, split: str | None) -> list[str]:
    try:
        table = geopandas.read_parquet(folder / INDEX)
        parts = table["split"] if "split" in table else [""] * len(table)
        found = list(zip(map(str, table["id"]), parts, strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise LabelsError(
            f"{folder / INDEX} cannot be read ({error}); cut the chips again"
        ) from error
    names = [name for name, part in found if split in {None, part}]
    strange = [name for name in names if Path(name).name != name]
    if strange:
        raise LabelsError(f"{folder / INDEX} names chips elsewhere: {strange[0]!r}")
    if not names:
        there = ", ".join(sorted({part for _, part in found if part})) or "none"
        raise LabelsError(f"{folder} has no chip of the part {split!r}; it has {there}")
    return names


def _read(path: Path) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a chip's file, ``(band, y, x)``, and where it has data, ``(y, x)``.

    No driver but the one of GeoTIFF looks at it, and nothing beside it is read.
    """
    alone = rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
    try:
        with alone, rasterio.open(path, driver="GTiff") as dataset:
            return dataset.read(), (dataset.read_masks() > 0).all(axis=0)
    except rasterio.RasterioIOError as error:
        raise LabelsError(
            f"the chip {path} cannot be read ({error}); cut the chips again"
        ) from error
