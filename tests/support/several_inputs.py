"""A model of two inputs whose map is known, and files for it.

Its scores are the three bands that it takes, s2 of spring, s2 of summer and a DEM, each
as its package scales it, so that numpy's argmax says what a map must be.
"""

from __future__ import annotations

import json

import numpy as np
import onnx
import rasterio
from affine import Affine
from onnx import TensorProto, helper

from geoseg.models.package.make import make_package
from geoseg.options import NewPackage

HEIGHT, WIDTH = 150, 200
CORNER = Affine(10, 0, 399_960, 0, -10, 5_800_020)
CLASSES = np.array([1, 3, 4], np.uint8)
"""The class of spring, of summer, and of high ground."""
INPUTS = (
    {
        "name": "s2",
        "bands": ["B04=red"],
        "gsd": 10,
        "scale": 0.0001,
        "mean": [0.1],
        "std": [0.5],
        "dates": {"spring": "03-01/05-15", "summer": "06-15/08-31"},
        "mosaic": "median",
    },
    {
        "name": "dem",
        "bands": ["elevation"],
        "gsd": 20,
        "dtype": "float32",
        "mean": [100],
        "std": [1000],
        "resampling": "nearest",
    },
)


def save_model(folder, *, timed=True, inputs=INPUTS, name="seasons"):
    """Make the package, with a dimension of time or without; give its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    s2 = ["n", 2, 1, "h", "w"] if timed else ["n", 2, "h", "w"]
    steps = [helper.make_node("Concat", ["both", "dem"], ["out"], axis=1)]
    constants = [helper.make_tensor("axis", TensorProto.INT64, [1], [2])]
    if timed:
        steps.insert(0, helper.make_node("Squeeze", ["s2", "axis"], ["both"]))
    else:
        steps.insert(0, helper.make_node("Identity", ["s2"], ["both"]))
    taken = [("dem", ["n", 1, "h", "w"]), ("s2", s2)]  # not in the package's order
    graph = helper.make_graph(
        steps,
        name,
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in taken],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    weights = folder / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), weights)
    said = folder / f"{name}.json"
    said.write_text(json.dumps(inputs), encoding="utf-8")
    new = NewPackage(
        name=name,
        inputs=said,
        classes=("spring:1", "summer:3", "high:4"),
        gsd_m=10,
        gsd_tolerance=0.4,
        tile=64,
        overlap=16,
        stride=16,
    )
    return make_package(weights, folder / name, new).path


def write(path, values, *, taken=None, size=10, offset=0.0, scale=1.0, **profile):
    """Write one band on pixels of a size, with what a file says of it."""
    settings = {
        "driver": "GTiff",
        "dtype": values.dtype.name,
        "count": 1,
        "height": values.shape[0],
        "width": values.shape[1],
        "crs": "EPSG:32633",
        "transform": CORNER @ Affine.scale(size / 10),
        "nodata": 0,
        **profile,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **settings) as dataset:
        dataset.write(values, 1)
        dataset.set_band_description(1, "B04" if size == 10 else "elevation")
        dataset.scales, dataset.offsets = (scale,), (offset,)
        if taken:
            dataset.update_tags(TIFFTAG_DATETIME=f"{taken} 10:30:00")
    return path


def make_files(folder):
    """Write four dates and a DEM; give the flags of all, and the model's three bands.

    Spring was seen in two years, once with numbers raised by 1000, and its first rows
    once only. The DEM declares no scale, and has no data in a corner.
    """
    rng = np.random.default_rng(5)

    def numbers(shape, low, high):
        return rng.integers(low, high, shape).astype(np.uint16)

    shape = HEIGHT, WIDTH
    spring = [numbers(shape, 1100, 9000) for _ in range(2)]
    spring[0][:20] = 0
    summer, winter = numbers(shape, 1, 9000), numbers(shape, 1, 9000)
    dem = rng.uniform(1, 2000, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    dem[-10:, -20:] = 0
    scaled = {"scale": 0.0001}
    files = [
        write(folder / "a.tif", spring[0], taken="2023:03:20", **scaled),
        write(
            folder / "b.tif", spring[1], taken="2024:05:15", offset=-0.1, scale=0.0001
        ),
        write(folder / "c.tif", summer, taken="2024:07:01", **scaled),
        write(folder / "d.tif", winter, taken="2024:01:01", **scaled),
    ]
    high = write(folder / "dem.tif", dem, size=20)
    flags = [f"--input=s2={each}" for each in files] + [f"--input=dem={high}"]
    seen = np.stack([spring[0] * 0.0001, spring[1] * 0.0001 - 0.1])
    both = np.where(spring[0] > 0, seen.mean(axis=0), seen[1])
    fine = dem.repeat(2, axis=0).repeat(2, axis=1)
    bands = np.stack([both, summer * 0.0001, fine])
    return flags, bands, fine > 0


def expected(bands, valid):
    """Say what the map of the model's bands is."""
    mean, std = np.array([0.1, 0.1, 100]), np.array([0.5, 0.5, 1000])
    normal = (bands - mean[:, None, None]) / std[:, None, None]
    best = np.sort(normal, axis=0)
    sure = best[-1] - best[-2] > 1e-3  # scores are kept in steps of 2**-14
    return np.where(valid, CLASSES[normal.argmax(axis=0)], 255), sure
