"""What is kept of scores beside class and confidence: entropy and probabilities."""

import numpy as np
import pytest
import torch
from definition import naive
from fakes import ContextPredictor
from jobs import IDS, NODATA, do, make_job, make_scene, whole

from geoseg.predict.fixed_point import SCORE_ONE
from geoseg.predict.layers import SHARE_ONE, Layers, entropy, probabilities
from geoseg.run.cluster import open_client

ALL = Layers(IDS, entropy=True, probabilities=True)


@pytest.fixture(scope="module")
def client():
    with open_client() as opened:
        yield opened


def scores_of(*shares):
    """Complete scores of one pixel a share: shape (class, 1, pixel)."""
    exact = np.array(shares, np.float64).T[:, None]
    return torch.from_numpy(np.round(exact * SCORE_ONE).astype(np.int32))


def test_entropy_is_shannons_and_one_where_all_classes_are_as_likely():
    scores = scores_of(
        (1, 0, 0, 0), (0.25,) * 4, (0.5, 0.5, 0, 0), (0.7, 0.1, 0.1, 0.1)
    )
    bits = -(0.7 * np.log2(0.7) + 0.3 * np.log2(0.1))
    expected = np.round(np.array([0, 1, 0.5, bits / 2]) * SHARE_ONE)
    assert entropy(scores)[0].tolist() == expected.tolist()


def test_a_single_class_is_certain():
    assert entropy(scores_of((1,)))[0].tolist() == [0]


def test_probabilities_are_rounded_half_up():
    share = 1 / SHARE_ONE
    scores = scores_of((0, 1), (0.499 * share, 1 - share), (1.5 * share, 0.5 * share))
    assert probabilities(scores)[:, 0].T.tolist() == [[0, 250], [0, 249], [2, 1]]


def test_layers_say_where_their_bands_are():
    assert ALL.count == 2 + 1 + len(IDS)
    assert ALL.bands["probabilities"] == slice(3, 6)
    assert list(Layers(IDS, probabilities=True).bands) == [
        "landcover",
        "confidence",
        "probabilities",
    ]


def test_layers_are_the_definition(client, tmp_path):
    source = make_scene(21, nodata_share=0.2)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path, layers=ALL)
    (_, _, spread, *shares), _ = do(job, client)
    scores = naive(source, ContextPredictor(), tile=16, overlap=4, blend="hann")
    valid = source.valid
    error = np.abs(np.stack(shares)[:, valid] / SHARE_ONE - scores[:, valid])
    assert error.max() < 0.002 + 2 / 256
    bits = -(scores * np.log2(np.maximum(scores, 1e-12))).sum(axis=0) / np.log2(3)
    assert np.abs(spread[valid] / SHARE_ONE - bits[valid]).max() < 0.03
    assert (np.stack([spread, *shares])[:, ~valid] == NODATA).all()


def test_more_layers_leave_the_others_alone_and_block_size_never_shows(
    client, tmp_path
):
    source = make_scene(22, nodata_share=0.1)

    def painted(name, **options):
        job = make_job(
            source, whole(source), ContextPredictor(), tmp_path / name, **options
        )
        return do(job, client)[0]

    maps = [
        painted(str(block), block=block, layers=ALL, overlap=8) for block in (1, 2, 50)
    ]
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])
    assert np.array_equal(maps[0][:2], painted("plain", overlap=8))
