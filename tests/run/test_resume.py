"""A stopped run is taken up by the same command, and keeps what it began with."""

import pytest
from click.testing import CliRunner
from corner import write_corner

import geoseg
from geoseg.cli import main

OPTIONS = {"tile": 64, "overlap": 32, "block": 2}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give a corner of the sample."""
    return write_corner(tmp_path_factory.mktemp("small"), 100, 130)


def segment(*arguments):
    flags = ["--tile", "64", "--overlap", "32"]
    everything = ["segment", *map(str, arguments), *flags]
    return CliRunner().invoke(main, everything, catch_exceptions=False)


def begin(scene, output, **options):
    """Begin a run and stop it when some blocks are done."""

    def stop(step):
        if step.name == "infer" and step.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        geoseg.segment(
            scene,
            output,
            options=geoseg.SegmentOptions(**OPTIONS, **options),
            on_step=stop,
        )


@pytest.mark.parametrize("flags", [[], ["--block", "1"]])
def test_a_resumed_run_keeps_its_blocks_and_says_so(small, tmp_path, flags):
    begin(small, tmp_path / "out")
    done = segment(small, "-o", tmp_path / "out", *flags)
    assert done.exit_code == 0, done.stderr
    assert "keeps its blocks of 2 x 2 tiles instead of 1 x 1" in done.stderr
    assert "resuming: " in done.stderr
    whole = segment(small, "-o", tmp_path / "whole")
    assert "keeps" not in whole.stderr
    maps = [tmp_path / name / "landcover.tif" for name in ("out", "whole")]
    assert maps[0].read_bytes() == maps[1].read_bytes()


def test_restarting_takes_the_blocks_that_are_asked_for(small, tmp_path):
    begin(small, tmp_path / "out")
    done = segment(small, "-o", tmp_path / "out", "--block", "1", "--restart")
    assert done.exit_code == 0, done.stderr
    assert "keeps" not in done.stderr
    assert "resuming" not in done.stderr


def test_another_setting_is_still_refused_and_blocks_are_not_to_blame(small, tmp_path):
    begin(small, tmp_path / "out")
    done = segment(small, "-o", tmp_path / "out", "--blend", "mean", "--block", "1")
    assert done.exit_code == 2
    assert "differs: blend was hann, is mean. " in done.stderr
