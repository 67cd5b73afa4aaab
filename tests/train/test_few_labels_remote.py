"""A training on points reads the chunks that hold them, also from a server."""

from __future__ import annotations

import geopandas
import numpy as np
import rasterio
from affine import Affine
from shapely import points
from web import served

import geoseg

LEFT, TOP, SIDE, CHUNK = 400_000, 5_800_000, 2048, 256
HELD = ((0, 1), (1, 6), (2, 3), (4, 4), (5, 0), (6, 7), (7, 2), (7, 5))
"""The chunks of 64 that hold points."""


def write_scene(path):
    """Two bands of three classes in squares, 16 MB in tiles of 256 px."""
    rng = np.random.default_rng(0)
    row, col = np.ogrid[:SIDE, :SIDE]
    truth = (row // 32 + col // 32) % 3
    values = np.array([[100, 300, 500], [500, 200, 100]])[:, truth]
    values = values + rng.integers(-20, 20, values.shape)
    with rasterio.open(
        path, "w", driver="GTiff", count=2, height=SIDE, width=SIDE, dtype="uint16",
        crs=32633, transform=Affine(10, 0, LEFT, 0, -10, TOP), tiled=True,
        blockxsize=CHUNK, blockysize=CHUNK, interleave="pixel",
    ) as dataset:  # fmt: skip
        dataset.write(values.astype(np.uint16))
    return truth


def test_a_thousand_points_cost_as_many_chunks_as_hold_them(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    truth = write_scene(folder / "scene.tif")
    rng = np.random.default_rng(1)
    positions = np.concatenate(
        [
            rng.integers(12, CHUNK - 12, (125, 2)) + np.array(chunk) * CHUNK
            for chunk in HELD
        ]
    )
    rows, cols = positions.T
    labels = tmp_path / "points.gpkg"
    geopandas.GeoDataFrame(
        {"class": np.array(["a", "b", "c"])[truth[rows, cols]]},
        geometry=points(LEFT + 10 * cols + 5, TOP - 10 * rows - 5),
        crs=32633,
    ).to_file(labels)
    options = geoseg.TrainOptions(architecture="context", head="discriminant")
    with served(folder) as (address, server):
        remote = f"{address}/scene.tif"
        trained = geoseg.train([remote], labels, tmp_path / "a", options=options)
        requests, sent = server.requests, server.sent
    size = (folder / "scene.tif").stat().st_size
    held = len(HELD) * CHUNK * CHUNK * 2 * 2
    assert trained.accuracy.pixels > 900
    assert requests <= 2 * len(HELD) + 8  # and the header, and looks at the file
    assert held <= sent < held + 600_000
    assert sent < 0.2 * size
    local = geoseg.train(
        [folder / "scene.tif"], labels, tmp_path / "b", options=options
    )
    assert local.accuracy.matrix.tolist() == trained.accuracy.matrix.tolist()
