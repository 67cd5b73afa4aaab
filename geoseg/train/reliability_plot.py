"""A picture of confidences beside what came true: the reliability diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from geoseg.models.package.reliability import Bin, Reliability

DIAGRAM = "reliability.png"
"""What the picture is called in a package's folder."""
_WIDTH = 0.09
"""Of a bar, of bins a tenth wide."""


def draw_reliability(path: Path, found: Reliability, temperature: float) -> None:
    """Draw the diagrams before and after a temperature side by side, as a PNG.

    Where none was kept there is one diagram.
    """
    count = 1 if found.is_as_before else 2
    figure = Figure(figsize=(3.7 * count, 3.7), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    _diagram(axes[0], found.before, "as the model says", found.error_before)
    if count > 1:
        title = f"divided by the temperature {temperature:g}"
        _diagram(axes[1], found.after, title, found.error_after)
    axes[0].set_ylabel("share of the pixels that is right")
    figure.suptitle(f"{found.pixels:,} pixels: {found.ground}", fontsize=9)
    figure.savefig(path, metadata={"Software": "geoseg"})


def _diagram(axes: Axes, bins: tuple[Bin, ...], title: str, error: float) -> None:
    most = max((each.pixels for each in bins), default=1)
    for each in bins:
        axes.bar(
            each.confidence,
            each.accuracy,
            width=_WIDTH,
            color="#2f78b7",
            # Bins that few pixels are in say little, and are pale.
            alpha=0.25 + 0.75 * each.pixels / most,
        )
    axes.plot([0, 1], [0, 1], color="#444444", linewidth=1, linestyle="--")
    axes.set_title(f"{title}\nexpected calibration error {error:.3f}", fontsize=9)
    axes.set_xlabel("confidence")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
