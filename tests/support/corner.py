"""The upper left corner of the sample, as a file of its own."""

import rasterio
from paths import SAMPLE
from rasterio.windows import Window


def write_corner(folder, height, width):
    """Write so many pixels of the sample's scene as ``small.tif`` and give its path."""
    path = folder / "small.tif"
    with rasterio.open(SAMPLE / "scene.tif") as dataset:
        profile = {**dataset.profile, "height": height, "width": width}
        with rasterio.open(path, "w", **profile) as copy:
            copy.write(dataset.read(window=Window(0, 0, width, height)))
            copy.descriptions = dataset.descriptions
    return path
