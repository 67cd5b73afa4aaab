"""The page of a training: what it learned, and how well it does elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geoseg.report.html import picture_uri, render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from geoseg.geo.legend import Legend

PAGE = "report.html"
"""What the page is called in a package's folder."""
_DARKEST = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPage:
    """What a page shows and says."""

    title: str
    """The model's name."""
    subtitle: str
    """What it was trained on."""
    figures: Mapping[str, float]
    """Measures of held-out ground, by name."""
    legend: Legend
    """The classes."""
    confusion: NDArray[np.int64]
    """Held-out pixels by reference (rows) and model (columns), as in the legend."""
    by_class: Mapping[str, Sequence[float] | NDArray[np.float64]]
    """For each measure its value of each class."""
    pictures: Mapping[str, Path]
    """PNG files by what they show; those that are not there are left out."""
    epochs: Sequence[Sequence[float]] = ()
    """What each epoch showed, in the order of `epoch_heads`."""
    epoch_heads: Sequence[str] = ()
    """What the numbers of an epoch are."""
    warnings: Sequence[str] = ()
    """What a reader should know, a sentence each."""


def write_training_page(path: Path, page: TrainingPage) -> None:
    """Write a page that needs no other file."""
    text = render(
        "training.html",
        title=page.title,
        subtitle=page.subtitle,
        figures=[(name, f"{value:.3f}") for name, value in page.figures.items()],
        heads=["held-out pixels", *page.by_class],
        classes=_classes(page),
        pictures=[
            (caption, picture_uri(file.read_bytes()))
            for caption, file in page.pictures.items()
            if file.is_file()
        ],
        epochs=[[_number(value) for value in each] for each in page.epochs],
        epoch_heads=page.epoch_heads,
        warnings=page.warnings,
    )
    path.write_text(text, encoding="utf-8")


def _classes(page: TrainingPage) -> list[dict[str, object]]:
    """List each class's figures, and what its pixels were taken for."""
    rows: list[dict[str, object]] = []
    for channel, each in enumerate(page.legend):
        counts = page.confusion[channel].tolist()
        whole = max(sum(counts), 1)
        values = [_number(column[channel]) for column in page.by_class.values()]
        rows.append(
            {
                "name": each.name,
                "colour": each.colour,
                "cells": [f"{sum(counts):,}", *values],
                "confusion": [
                    {"pixels": f"{n:,}", "share": f"{_DARKEST * n / whole:.3f}"}
                    for n in counts
                ],
            }
        )
    return rows


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:,}" if float(value).is_integer() else f"{value:.4g}"
