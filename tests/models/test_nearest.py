"""The nearest of some vectors, held against distances to all of them."""

import numpy as np
import pytest

from geoseg.models.package.nearest import Nearest


def to_all(others, vectors):
    apart = others[:, None] - vectors.astype(np.float64)[None]
    return np.sqrt((apart**2).sum(axis=2)).min(axis=1)


@pytest.mark.parametrize(
    ("count", "axes"), [(1, 1), (2, 3), (63, 5), (65, 1), (300, 10), (300, 64)]
)
@pytest.mark.parametrize("scale", [1, 30, 1e6], ids="about {} times as far".format)
def test_distances_are_those_to_the_nearest_of_all(count, axes, scale):
    rng = np.random.default_rng(count)
    mixed = rng.normal(size=(axes, axes)) ** 3
    vectors = (rng.normal(size=(count, axes)) @ mixed).astype(np.float32)
    others = rng.normal(size=(200, axes)) @ mixed * scale
    others[:20] = vectors[rng.integers(0, count, 20)]
    found = Nearest(vectors).distances(others)
    assert (found[:20] == 0).all()
    np.testing.assert_allclose(found, to_all(others, vectors), rtol=1e-6)


def test_vectors_that_are_alike_and_axes_that_never_vary_are_no_matter():
    rng = np.random.default_rng(3)
    vectors = np.repeat(rng.integers(0, 3, (70, 6)), 3, axis=0).astype(np.float32)
    vectors[:, 2] = 5
    others = rng.normal(size=(50, 6))
    found = Nearest(vectors).distances(others)
    np.testing.assert_allclose(found, to_all(others, vectors), rtol=1e-6)


def test_a_vector_s_distance_is_the_same_to_the_last_bit_whatever_stands_beside_it():
    rng = np.random.default_rng(5)
    known = Nearest(rng.normal(size=(500, 10)).astype(np.float32))
    others = rng.normal(size=(400, 10))
    whole = known.distances(others)
    parts = [known.distances(each) for each in np.array_split(others, 37)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(known.distances(others[::-1]), whole[::-1])


def test_what_is_too_far_for_float32_is_far_all_the_same():
    found = Nearest(np.eye(3, dtype=np.float32)).distances(np.full((2, 3), 1e30))
    assert (found > 1e29).all()
