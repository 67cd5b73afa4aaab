"""Unfinished work is carried on where all that decides it is the same."""

import pytest

from geoseg.errors import ResumeError
from geoseg.storage import resume

IDENTITY = {"tile": "256", "model": "abc"}


def test_the_same_work_is_carried_on():
    kept = resume.read(resume.written(IDENTITY), "folder", "run")
    resume.check_same(kept, dict(reversed(IDENTITY.items())), "folder", "run")
    assert kept == IDENTITY


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (IDENTITY | {"tile": "512"}, "differs: tile was 256, is 512. Repeat"),
        ({"tile": "256"}, "differs: model was abc, is not set. Repeat"),
        (IDENTITY | {"seed": "1"}, "differs: seed was not set, is 1. Repeat"),
        (
            {"tile": "512", "model": "x" * 81},
            "differs: model is not what it was; tile was 256, is 512. Repeat",
        ),
    ],
)
def test_other_work_is_refused_by_what_differs_and_a_way_out(now, says):
    with pytest.raises(ResumeError, match=says) as caught:
        resume.check_same(IDENTITY, now, "there", "training")
    assert str(caught.value).startswith("there holds an unfinished training that")
    assert str(caught.value).endswith("use `restart` to begin again")


@pytest.mark.parametrize("damaged", [b"", b"[]", b'{"tile": 256}', b"\xff\xfe{"])
def test_an_identity_that_is_damaged_is_said_to_be(damaged):
    with pytest.raises(ResumeError, match="unfinished run whose identity is damaged"):
        resume.read(damaged, "there", "run")
