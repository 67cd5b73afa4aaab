"""A picture of a training: its curves, and predictions of held-out ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from geoseg.geo.legend import NODATA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend
    from geoseg.geo.splits import Split
    from geoseg.models.package.card import InputBand
    from geoseg.train.checkpoint import Epoch
    from geoseg.train.labelled_scenes import LabelledGround

_SHOWN = 3
"""Held-out blocks that are shown."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A held-out block that is shown."""

    scene: int
    """Which scene it is of, counted from 0."""
    part: tuple[slice, slice]
    """Its rows and columns."""
    found: NDArray[np.uint8]
    """The channels that were predicted there, shape ``(y, x)``."""


def draw_training(  # what is shown, each by keyword
    path: Path,
    *,
    epochs: Sequence[Epoch],
    grounds: Sequence[LabelledGround],
    pictures: Sequence[Picture],
    legend: Legend,
    bands: tuple[InputBand, ...],
) -> None:
    """Draw curves above, and below blocks: image, labels and prediction.

    Args:
        path: The PNG to write.
        epochs: What each epoch showed.
        grounds: The scenes.
        pictures: The held-out blocks that are shown.
        legend: The classes.
        bands: The bands of the scenes.

    """
    figure = Figure(
        figsize=(9, 3.4 + 2.9 * len(pictures)), dpi=110, layout="constrained"
    )
    FigureCanvasAgg(figure)
    heights = [3.0, *[2.7] * len(pictures)]
    rows = figure.add_gridspec(len(heights), 6, height_ratios=heights)
    _curves(figure.add_subplot(rows[0, :3]), epochs, {"loss": "loss"})
    measures = {
        "overall": "overall accuracy",
        "mean_f1": "mean F1",
        "mean_iou": "mean IoU",
    }
    _curves(figure.add_subplot(rows[0, 3:]), epochs, measures)
    for row, picture in enumerate(pictures, start=1):
        ground, part = grounds[picture.scene], picture.part
        seen = np.where(ground.valid[part], picture.found, NODATA)
        shown = {
            "image": _picture(ground, part, bands),
            "labels": _coloured(ground.labels[part], legend),
            "prediction": _coloured(seen, legend),
        }
        for column, (title, image) in enumerate(shown.items()):
            axes = figure.add_subplot(rows[row, 2 * column : 2 * column + 2])
            axes.imshow(image, interpolation="nearest")
            axes.set_axis_off()
            if row == 1:
                axes.set_title(f"held-out {title}", fontsize=10)
    patches = [Patch(color=each.colour, label=each.name) for each in legend]
    figure.legend(
        handles=patches, loc="outside lower center", ncols=min(len(patches), 7)
    )
    figure.savefig(path, metadata={"Software": "geoseg"})


def _curves(axes: Axes, epochs: Sequence[Epoch], names: dict[str, str]) -> None:
    numbers = [epoch.number for epoch in epochs]
    for field, name in names.items():
        axes.plot(numbers, [getattr(e, field) for e in epochs], ".-", label=name)
    axes.set_xlabel("epoch")
    axes.legend(frameon=False, fontsize=9)
    axes.grid(alpha=0.3)
    if "loss" not in names:
        axes.set_ylim(0, 1)


def best_labelled(
    grounds: Sequence[LabelledGround], splits: Sequence[Split]
) -> list[tuple[int, tuple[slice, slice]]]:
    """Choose held-out blocks that have most labels: (scene, rows and columns)."""
    blocks = [
        (int((grounds[scene].labels[part] != NODATA).sum()), scene, part)
        for scene, split in enumerate(splits)
        for part in split.test_blocks()
    ]
    blocks.sort(key=lambda block: -block[0])
    return [(scene, part) for _, scene, part in blocks[:_SHOWN]]


def _picture(
    ground: LabelledGround, part: tuple[slice, slice], bands: tuple[InputBand, ...]
) -> NDArray[np.uint8]:
    """Show red, green and blue, or else the first bands, stretched."""
    names = [band.common_name for band in bands]
    chosen = [names.index(c) for c in ("red", "green", "blue") if c in names]
    if len(chosen) < 3:  # noqa: PLR2004  the colours of a picture
        chosen = [min(index, len(names) - 1) for index in range(3)]
    image = ground.pixels[(chosen, *part)].astype(np.float64)
    valid = ground.valid[part]
    for band in image:
        low, high = np.percentile(band[valid], (2, 98)) if valid.any() else (0, 1)
        band[:] = np.clip((band - low) / max(high - low, 1e-9), 0, 1)
        band[~valid] = 1
    return (image.transpose(1, 2, 0) * 255).astype(np.uint8)


def _coloured(channels: NDArray[np.uint8], legend: Legend) -> NDArray[np.uint8]:
    table = np.full((NODATA + 1, 3), 255, np.uint8)
    table[: len(legend)] = [each.rgb for each in legend]
    coloured: NDArray[np.uint8] = table[channels]
    return coloured
