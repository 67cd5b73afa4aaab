"""A plane's algebra: that of arrays of its pixels' corners, and odc-geo's."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from geoseg import GeoBox
from geoseg.errors import GridError

PLANES = {
    "utm": Affine(10, 0, 399_960, 0, -10, 5_800_020),
    "degrees": Affine(1 / 120, 0, -180, 0, -1 / 120, 84),
    "rotated": Affine(10, 0, 4e5, 0, -10, 5.8e6) @ Affine.rotation(33),
}


def plane(name="utm", height=40, width=60):
    return GeoBox(height, width, PLANES[name], CRS.from_epsg(32633))


def centres(geobox):
    """Give the positions of all pixels, shape (y, x, 2)."""
    col, row = np.meshgrid(
        np.arange(geobox.width) + 0.5, np.arange(geobox.height) + 0.5
    )
    return np.stack(geobox.transform @ (col, row), axis=-1)


def as_set(geobox, base):
    """Give the pixels as columns and rows of another plane."""
    x, y = np.moveaxis(centres(geobox), -1, 0)
    cols, rows = ~base.transform @ (x, y)
    return set(zip(np.floor(cols).ravel(), np.floor(rows).ravel(), strict=True))


@pytest.mark.parametrize("name", PLANES)
def test_a_slice_is_that_of_an_array_of_the_pixels(name):
    geobox = plane(name)
    for roi in (np.s_[3:17, 5:], np.s_[-10:, :-1], np.s_[:, 59:60]):
        cut = geobox[roi]
        assert np.allclose(centres(cut), centres(geobox)[roi], rtol=1e-14, atol=0)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(PLANES)),
    st.lists(st.integers(-30, 30), min_size=2, max_size=2),
    st.lists(st.integers(1, 50), min_size=2, max_size=2),
)
def test_intersection_and_union_are_those_of_the_sets_of_pixels(name, shift, size):
    one = plane(name, 12, 17)
    other = GeoBox(*size, one.transform @ Affine.translation(*shift), one.crs)
    common = as_set(one, one) & as_set(other, one)
    if common:
        assert as_set(one & other, one) == common
    else:
        with pytest.raises(GridError, match="no pixel"):
            one & other
    union = as_set(one | other, one)
    assert union >= as_set(one, one) | as_set(other, one)
    rows = {one.height, size[0], abs(shift[1]) + max(one.height, size[0])}
    assert (one | other).height <= max(rows) + min(one.height, size[0])
    assert (one | one).same_plane_as(one)
    assert (one & one).same_plane_as(one)


def test_planes_of_other_pixels_have_no_intersection():
    one = plane()
    half = GeoBox(5, 5, one.transform @ Affine.translation(0.5, 0), one.crs)
    other = GeoBox(5, 5, one.transform, CRS.from_epsg(32632))
    for each in (half, other, one.zoom_out(2)):
        with pytest.raises(GridError, match="grid of the other"):
            one | each


@pytest.mark.parametrize("name", PLANES)
def test_the_algebra_is_that_of_odc_geo(name):
    geobox = plane(name)
    theirs = geobox.to_odc()
    assert GeoBox.from_odc(theirs).same_plane_as(geobox)
    for ours, other in (
        (geobox.pad(3), theirs.pad(3)),
        (geobox.pad(3, 1), theirs.pad(3, 1)),
        (geobox[2:30, 7:9], theirs[2:30, 7:9]),
        (geobox.zoom_out(4), theirs.zoom_out(4)),
        (geobox[:10, :10] | geobox[5:20, 8:], theirs[:10, :10] | theirs[5:20, 8:]),
        (geobox[:10, :10] & geobox[5:20, 8:], theirs[:10, :10] & theirs[5:20, 8:]),
    ):
        assert tuple(other.shape) == (ours.height, ours.width)
        assert tuple(other.affine)[:6] == tuple(ours.transform)[:6]


def test_what_is_no_plane_is_refused():
    for make in (
        lambda: plane()[5:5, :],
        lambda: plane()[::2, :],
        lambda: plane().pad(-20),
        lambda: plane().zoom_out(0),
    ):
        with pytest.raises(GridError):
            make()
