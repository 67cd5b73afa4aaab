"""The drawing of docs/overlap.md: tiles, their weights and seams, on the sample.

    python workflows/make_tiling_drawing.py

writes docs/tiling.png: the sample's scene with the tiles of the model that
ships, blocks of two by two of them and their seams; the weights of the tiles across a
row of pixels, and that they sum to one; and how far inside a tile a network of a finite
receptive field gives what it would give for the whole image.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import rasterio
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from geoseg import load_package

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
SCENE = ROOT / "sample_aoi" / "scene.tif"
PICTURE = ROOT / "docs" / "tiling.png"
COLOURS = ("B04", "B03", "B02")
BRIGHTEST = 2200
COLOURS_KEPT = 128
TILE_COLOUR, SEAM_COLOUR = "#ffd166", "#ef476f"
RADIUS = 22
"""How far Dynamic World's network looks, in pixels."""


def main() -> None:
    """Draw the three panels."""
    package = load_package("sentinel2-landcover")
    image = read_image()
    figure = Figure(figsize=(9, 10.5), layout="constrained")
    above, middle, below = figure.subplots(3, 1, height_ratios=(5, 2, 2.6))
    draw_tiles(above, image, package.tile, package.overlap)
    draw_weights(middle, image.shape[1], package.tile, package.overlap)
    draw_exactness(below, image, package.tile)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    Image.open(drawn).convert("RGB").quantize(COLOURS_KEPT).save(PICTURE, optimize=True)
    print(PICTURE.relative_to(ROOT))


def read_image() -> NDArray[np.float64]:
    """Read the sample's colours, ``(y, x, 3)``, 0 to 1."""
    with rasterio.open(SCENE) as scene:
        indexes = [scene.descriptions.index(name) + 1 for name in COLOURS]
        pixels = scene.read(indexes)
    bright: NDArray[np.float64] = (pixels / BRIGHTEST).clip(0, 1).transpose(1, 2, 0)
    return bright


def corners(length: int, tile: int, overlap: int) -> list[int]:
    """List where tiles begin along an axis, until its end is covered."""
    step = tile - overlap
    return list(range(0, max(length - overlap, 1), step))


def draw_tiles(axes: Axes, image: NDArray[np.float64], tile: int, overlap: int) -> None:
    """Draw tiles on the scene, and the seam between blocks of two by two of them."""
    height, width = image.shape[:2]
    axes.imshow(image)
    rows, cols = (corners(n, tile, overlap) for n in (height, width))
    for row in rows:
        for col in cols:
            axes.add_patch(
                Rectangle((col, row), tile, tile, fill=False, ec=TILE_COLOUR, lw=1.5)
            )
    for starts, across in ((cols, True), (rows, False)):
        for first in starts[2::2]:  # a block begins with every other tile
            place = (first, 0) if across else (0, first)
            size = (overlap, height) if across else (width, overlap)
            axes.add_patch(
                Rectangle(place, *size, fc=SEAM_COLOUR, alpha=0.45, ec="none")
            )
    axes.set_xlim(-0.5, max(width, cols[-1] + tile) + 5)
    axes.set_ylim(max(height, rows[-1] + tile) + 5, -0.5)
    axes.set_title(
        f"Tiles of {tile} px that overlap by {overlap} px; where blocks of two by two "
        f"tiles meet, a seam",
        loc="left",
        fontsize=10,
    )


def draw_weights(axes: Axes, width: int, tile: int, overlap: int) -> None:
    """Draw how much each tile counts across a row of pixels, and the sum."""
    starts = corners(width, tile, overlap)
    end = starts[-1] + tile
    hann = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    raw = np.zeros((len(starts), end))
    for weight, first in zip(raw, starts, strict=True):
        weight[first : first + tile] = hann
    shares = raw / raw.sum(0)
    for share, first in zip(shares, starts, strict=True):
        axes.plot(np.arange(first, first + tile), share[first : first + tile], lw=1.5)
    axes.plot(shares.sum(0), color="black", lw=1, ls=":")
    axes.set_xlim(-0.5, end + 5)
    axes.set_ylim(0, 1.1)
    axes.set_title(
        "How much each tile counts across a row of pixels (hann); dotted, their sum",
        loc="left",
        fontsize=10,
    )


def draw_exactness(axes: Axes, image: NDArray[np.float64], tile: int) -> None:
    """Draw two adjacent tiles cut to what is exact in each."""
    step = tile - 2 * RADIUS
    axes.imshow(image[:tile, : tile + step])
    for col, colour in ((0, TILE_COLOUR), (step, "#06d6a0")):
        axes.add_patch(
            Rectangle((col, 0), tile - 1, tile - 1, fill=False, ec=colour, lw=1.5)
        )
        inner = tile - 2 * RADIUS
        place = (col + RADIUS, RADIUS)
        axes.add_patch(
            Rectangle(place, inner, inner, fc=colour, alpha=0.25, ec=colour, ls="--")
        )
    axes.set_xlim(-3, tile + step + 3)
    axes.set_ylim(tile + 3, -3)
    axes.set_title(
        f"A network that looks {RADIUS} px far: filled is what a tile gives as the "
        f"whole image would;\n{2 * RADIUS} px of overlap leave no gap: cut to their "
        f"middles (crop) tiles are exact",
        loc="left",
        fontsize=10,
    )


if __name__ == "__main__":
    mpl.use("agg")
    main()
