"""The laws of the engine: once, partition and extent invariance, definition, nodata."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from definition import naive
from fakes import ArrayArea, ArraySource, ContextPredictor
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import IDS, NODATA, do, make_job, make_scene, whole

from geoseg.errors import BlockError, DeviceError, DiskError, RunError
from geoseg.predict import stitch
from geoseg.predict.layers import Layers
from geoseg.run.cluster import Workforce, open_client
from geoseg.run.engine import run
from geoseg.run.journal import disk
from geoseg.run.journal.journal import open_journal
from geoseg.run.parts import read_parts


@pytest.fixture(scope="module")
def client():
    with open_client() as opened:
        yield opened


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    overlap=st.sampled_from([0, 4, 8]),
    blend=st.sampled_from(["hann", "crop", "mean"]),
    nodata_share=st.sampled_from([0.0, 0.3]),
    block=st.integers(1, 4),
)
def test_the_map_is_the_definition(
    client, tmp_path_factory, seed, height, width, overlap, blend, nodata_share, block
):
    source = make_scene(seed, height, width, nodata_share)
    if not source.valid.any():
        source.valid[0, 0] = True
    predictor = ContextPredictor()
    job = make_job(
        source,
        whole(source),
        predictor,
        tmp_path_factory.mktemp("run"),
        overlap=overlap,
        block=block,
        blend=blend,
    )
    (classes, confidence), _ = do(job, client)

    scores = naive(source, predictor, tile=16, overlap=overlap, blend=blend)
    ranked = np.sort(scores, axis=0)
    clear = ranked[-1] - ranked[-2] > 2 / 256  # weights are quantised to 1/256 an axis
    expected = np.array(IDS)[scores.argmax(axis=0)]
    assert (classes == expected)[clear & source.valid].all()
    assert (classes[~source.valid] == NODATA).all()
    assert (confidence[~source.valid] == NODATA).all()
    error = np.abs(confidence / 100 - ranked[-1])[source.valid]
    assert error.max() < 0.005 + 2 / 256


@pytest.mark.parametrize("blend", ["hann", "crop", "mean"])
def test_block_size_never_shows(client, tmp_path, blend):
    source = make_scene(1, nodata_share=0.1)
    maps = [
        do(
            make_job(
                source,
                whole(source),
                ContextPredictor(),
                tmp_path / str(block),
                block=block,
                blend=blend,
                overlap=8,
            ),
            client,
        )[0]
        for block in (1, 2, 3, 7, 50)
    ]
    for other in maps[1:]:
        assert np.array_equal(maps[0], other)


def test_an_area_gives_the_crop_of_the_whole(client, tmp_path):
    source = make_scene(2, 90, 80, nodata_share=0.05)
    inside = np.zeros(source.valid.shape, bool)
    inside[31:60, 17:50] = True
    inside[40:50, 25:33] = False  # a hole
    area = ArrayArea(inside)
    everything, _ = do(
        make_job(source, whole(source), ContextPredictor(), tmp_path / "a"), client
    )
    crop, progress = do(
        make_job(source, area, ContextPredictor(), tmp_path / "b"), client
    )
    window = area.window.slices()
    expected = np.where(inside[window], everything[(slice(None), *window)], NODATA)
    assert np.array_equal(crop, expected)
    assert (
        progress.tiles
        < make_job(source, whole(source), ContextPredictor(), tmp_path / "c").plan.tiles
    )


def test_a_cut_of_an_aligned_scene_gives_the_same_map_inside(client, tmp_path):
    source = make_scene(3, 120, 110)
    aligned = replace(source, transform=Affine(10, 0, 300_010, 0, -10, 5_900_010))
    assert aligned.geobox.anchor != (0, 0)
    top, left = 23, 31
    part = ArraySource(
        aligned.values[:, top:, left:],
        aligned.valid[top:, left:],
        aligned.transform @ Affine.translation(left, top),
    )
    big, _ = do(
        make_job(aligned, whole(aligned), ContextPredictor(), tmp_path / "a"), client
    )
    small, _ = do(
        make_job(part, whole(part), ContextPredictor(), tmp_path / "b"), client
    )
    margin = 16  # a tile beyond the cut, every tile shows the same pixels
    assert np.array_equal(
        big[:, top + margin :, left + margin :], small[:, margin:, margin:]
    )


@pytest.mark.parametrize("poison", [np.nan, 1e6, -np.inf])
def test_invalid_pixels_never_leak(client, tmp_path, poison):
    source = make_scene(4, nodata_share=0.2)
    clean, _ = do(
        make_job(source, whole(source), ContextPredictor(), tmp_path / "a"), client
    )
    poisoned = replace(source, values=np.where(source.valid, source.values, poison))
    other, _ = do(
        make_job(poisoned, whole(source), ContextPredictor(), tmp_path / "b"), client
    )
    assert np.array_equal(clean, other)


class CountingPredictor(ContextPredictor):
    """Counts how often it has seen each tile, in a list that tasks share."""

    calls: list = []  # noqa: RUF012  # shared on purpose: dask may copy the predictor

    def __call__(self, pixels, valid):
        CountingPredictor.calls.extend(hash(tile.tobytes()) for tile in pixels)
        return super().__call__(pixels, valid)


def test_each_tile_goes_through_the_model_once(client, tmp_path):
    CountingPredictor.calls.clear()
    source = make_scene(5, 100, 90)
    job = make_job(source, whole(source), CountingPredictor(batch=1), tmp_path, block=2)
    _, progress = do(job, client)
    assert len(CountingPredictor.calls) == len(set(CountingPredictor.calls))
    assert len(CountingPredictor.calls) == progress.inferred == job.plan.tiles


def test_tiles_without_data_are_not_inferred(client, tmp_path):
    CountingPredictor.calls.clear()
    source = make_scene(6, 100, 90)
    source.valid[:, 40:] = False
    job = make_job(source, whole(source), CountingPredictor(batch=1), tmp_path)
    (classes, _), progress = do(job, client)
    assert progress.empty > 0
    assert progress.inferred == len(CountingPredictor.calls)
    assert progress.inferred + progress.empty == job.plan.tiles
    assert (classes[:, 40:] == NODATA).all()
    assert (classes[:, :40] != NODATA).all()


class FragileSource(ArraySource):
    """A scene with a block that cannot be read, until it is mended."""

    broken = True

    def read(self, window, bands):
        if FragileSource.broken and window.row <= 30 < window.row + window.height:
            raise OSError("line 30 is damaged")
        return super().read(window, bands)


def test_a_failed_block_is_named_the_rest_is_kept_and_resumed(client, tmp_path):
    clean = make_scene(7, 90, 80)
    expected, _ = do(
        make_job(clean, whole(clean), ContextPredictor(), tmp_path / "a"), client
    )
    fragile = FragileSource(clean.values, clean.valid)
    job = make_job(fragile, whole(clean), CountingPredictor(batch=1), tmp_path / "b")
    FragileSource.broken = True
    with pytest.raises(
        BlockError, match=r"block \d \d failed \(rows .* line 30"
    ) as failure:
        do(job, client)
    assert isinstance(failure.value.__cause__, OSError)

    FragileSource.broken = False
    CountingPredictor.calls.clear()
    resumed, progress = do(job, client)
    assert np.array_equal(expected, resumed)
    assert 0 < progress.resumed < progress.blocks
    assert 0 < len(CountingPredictor.calls) < job.plan.tiles


def test_a_missing_block_is_nodata_wherever_its_tiles_reach(client, tmp_path):
    source = make_scene(7, 90, 80)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path / "a")
    expected, _ = do(job, client)
    fragile = FragileSource(source.values, source.valid)
    job = make_job(fragile, whole(source), ContextPredictor(), tmp_path / "b")
    FragileSource.broken = True
    holed, progress = do(job, client, allow_missing=True)
    assert len(progress.failures) == progress.blocks_planned - progress.blocks > 0
    assert "line 30 is damaged" in progress.failures[0]
    missing = np.zeros(source.valid.shape, bool)
    for block in job.plan.blocks:
        view = job.plan.lattice.block_view(block)
        if view.row <= 30 < view.row + view.height:
            missing[view.slices()] = True
    assert np.array_equal(holed, np.where(missing, NODATA, expected))


def test_small_blocks_go_several_at_a_time_and_fail_one_by_one(
    client, tmp_path, monkeypatch
):
    sizes, submit = [], Workforce.submit

    def note(self, task, units, *others, **options):
        sizes.append(len(units))
        return submit(self, task, units, *others, **options)

    monkeypatch.setattr(Workforce, "submit", note)
    source = make_scene(7, 400, 28)
    source.values[:, 300] = np.nan  # what the predictor below does not take
    job = make_job(source, whole(source), StrictPredictor(), tmp_path, block=1)
    _, progress = do(job, client, allow_missing=True)
    lattice = job.plan.lattice
    views = [lattice.block_view(block) for block in job.plan.blocks]
    failing = [v for v in views if v.row <= 300 < v.row + v.height]
    assert len(progress.failures) == len(set(progress.failures)) == len(failing) > 1
    assert progress.blocks == len(views) - len(failing)
    assert max(sizes) > 1
    assert len(sizes) < len(views)


class StrictPredictor(ContextPredictor):
    """A model that fails where a pixel is not a number."""

    def __call__(self, pixels, valid):
        if np.isnan(pixels).any():
            raise ArithmeticError("a pixel is no number")
        return super().__call__(pixels, valid)


def test_without_a_single_block_nothing_is_allowed_to_be_missing(client, tmp_path):
    source = make_scene(7, 20, 80)
    fragile = FragileSource(source.values, source.valid)
    fragile.read = None
    job = make_job(fragile, whole(source), ContextPredictor(), tmp_path)
    with pytest.raises(BlockError):
        do(job, client, allow_missing=True)


def test_pixels_below_the_least_confidence_are_unknown(client, tmp_path):
    source = make_scene(13, nodata_share=0.1)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path / "a")
    classes, confidence = do(job, client)[0]
    strict = make_job(source, whole(source), ContextPredictor(), tmp_path / "b")
    strict = replace(strict, layers=Layers(IDS, min_confidence=60))
    found, same = do(strict, client)[0]
    assert np.array_equal(same, confidence)
    unsure = source.valid & (confidence < 60)
    assert unsure.any()
    assert np.array_equal(found, np.where(unsure, 254, classes))


@pytest.mark.parametrize("prefix", ["part", "partial"])
def test_a_file_that_was_damaged_is_made_again(client, tmp_path, prefix):
    source = make_scene(8, 90, 80)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path / "run")
    expected, _ = do(
        make_job(source, whole(source), ContextPredictor(), tmp_path / "a"), client
    )

    class StopError(Exception):
        pass

    def stop_late(progress):
        if progress.blocks == progress.blocks_planned // 2:
            raise StopError

    with (
        open_journal(job.store.directory, job.plan.identity) as journal,
        pytest.raises(StopError),
    ):
        run(job, journal, client, stop_late)
    files = (tmp_path / "run").glob(f"{prefix}-*")
    victim = min(file for file in files if file.suffix != ".tmp")
    victim.write_bytes(victim.read_bytes()[:-7])
    resumed, _ = do(job, client)
    assert np.array_equal(expected, resumed)


def test_partials_do_not_outlive_their_seams(client, tmp_path):
    source = make_scene(9)
    do(make_job(source, whole(source), ContextPredictor(), tmp_path, block=1), client)
    assert list(tmp_path.glob("part-*"))
    assert not list(tmp_path.glob("partial-*"))


def test_a_full_disk_is_one_clear_sentence(client, tmp_path, monkeypatch):
    source = make_scene(10)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path)

    write = disk.create_file

    def full(path, data):
        if Path(path).name.startswith("part"):
            raise OSError(28, "No space left on device")
        return write(path, data)

    with open_journal(tmp_path, job.plan.identity) as journal:
        monkeypatch.setattr(disk, "create_file", full)
        with pytest.raises(DiskError, match=r"is full.*make room and run the same"):
            run(job, journal, client, lambda _: None)


@pytest.mark.parametrize(
    ("error", "less"),
    [(torch.OutOfMemoryError, "`batch=1`"), (MemoryError, "and a smaller `block`")],
)
def test_scores_that_do_not_fit_the_device_are_one_clear_sentence(
    client, tmp_path, monkeypatch, error, less
):
    """The model had room; what its tiles are added up in has none."""

    def full(*_, **__):
        raise error("out of memory")

    source = make_scene(12)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path)
    monkeypatch.setattr(stitch, "_zeros", full)
    with pytest.raises(
        DeviceError, match=rf"^cpu ran out of memory with \d+ tiles in a.*{less}$"
    ):
        do(job, client)


def test_a_lost_part_is_noticed_when_it_is_read(client, tmp_path):
    source = make_scene(11)
    job = make_job(source, whole(source), ContextPredictor(), tmp_path)
    with open_journal(tmp_path, job.plan.identity) as journal:
        run(job, journal, client, lambda _: None)
        next(tmp_path.glob("part-*")).unlink()
        with pytest.raises(RunError, match="is gone"):
            list(read_parts(job.plan, journal))
