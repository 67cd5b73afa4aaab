"""The picture of a confusion matrix: there, the same each time, whatever the names."""

import numpy as np
import pytest
from matplotlib.image import imread

from geoseg.errors import DiskError
from geoseg.evaluate.confusion_plot import Confusion, write_confusion
from geoseg.geo.legend import LandClass, Legend

BINS = [(0.35, 0.2, 10), (0.95, 0.9, 400)]


def confusion_of(count, *, bins=(), name="class"):
    legend = Legend(
        tuple(LandClass(i, f"{name} {i}", "#2d7a3a") for i in range(count + 1))
    )
    matrix = np.random.default_rng(0).integers(0, 9_000, (count + 1, count + 1))
    matrix[count] = matrix[:, count] = 0  # a class that is nowhere
    shares = np.linspace(0, 1, count + 1)
    shares[count] = np.nan
    return Confusion(
        "a against b", "accuracy 50 %", "pixels", legend, matrix, shares, shares, bins
    )


@pytest.mark.parametrize(
    ("count", "name"),
    [
        (1, "$\\frac{$ & <b>"),  # what a formula or markup would choke on
        (3, "a name that is far longer than a column is wide"),
        (25, "class"),
    ],
)
def test_any_number_of_classes_with_any_names(tmp_path, count, name):
    sizes = []
    for bins in ((), BINS):
        path = tmp_path / "confusion.png"
        write_confusion(path, confusion_of(count, bins=bins, name=name))
        pixels = imread(path)[:, :, :3]
        sizes.append(pixels.shape)
        coloured = np.ptp(pixels, axis=2) > 0.15
        assert 0.001 < coloured.mean() < 0.5
    assert sizes[1][1] > sizes[0][1]


def test_the_same_figures_give_the_same_bytes(tmp_path):
    pictures = []
    for name in ("one.png", "other.png"):
        write_confusion(tmp_path / name, confusion_of(4, bins=BINS))
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DiskError, match="cannot write"):
        write_confusion(tmp_path / "file" / "confusion.png", confusion_of(2))
