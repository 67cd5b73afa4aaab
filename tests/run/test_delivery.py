"""A folder that says it is whole holds one run, and nothing that it reads is lost."""

import json
import os
import shutil
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from corner import write_corner
from open_files import keep_open_files
from shapely.geometry import box

import geoseg
from geoseg.cli import main
from geoseg.errors import DiskError, OutputError, VectorError
from geoseg.run import vectors
from geoseg.run.journal.disk import DiskStore
from geoseg.scene.files.raster import Raster
from geoseg.storage import staging as atomic
from geoseg.storage.authorship import EARLIER, STAGING, Origin, checksum, origin_of
from geoseg.storage.lock import locked_folder
from geoseg.vectorize import arriving, network

FLAGS = ("--tile", "64", "--overlap", "32")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give a corner of the sample."""
    return write_corner(tmp_path_factory.mktemp("small"), 70, 90)


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """Give a folder with a finished run: never changed by a test."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    done = segment(small, "-o", folder, "--format", "geojson", "--format", "gpkg")
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def out(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "out")


def segment(*arguments):
    everything = ["segment", *map(str, arguments), *FLAGS]
    return CliRunner().invoke(main, everything)


def refuse(*arguments):
    result = segment(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_the_record_has_the_checksum_of_every_file(whole):
    report = json.loads((whole / "run.json").read_text())
    files = {p.name for p in whole.iterdir()} - {"run.json"}
    assert set(report["checksums"]) == files
    assert {name: checksum(whole / name) for name in files} == report["checksums"]
    assert all(origin_of(whole / name) is Origin.OURS for name in files)
    assert not any(name.startswith(".") for name in files)


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("landcover.gpkg", ["--format", "gpkg"]),
        ("landcover.qml", []),
        ("landcover.tif", []),
        ("run.json", []),
        ("preview.png", []),
        ("report.html", []),
    ],
)
def test_a_file_made_by_hand_stays_in_the_folder(small, tmp_path, name, flags):
    (tmp_path / name).write_bytes(b"somebody's")
    message = refuse(small, "-o", tmp_path, *flags)
    assert f"{name} would be replaced, and geoseg did not write it" in message
    assert content(tmp_path) == {name: b"somebody's"}


def test_a_product_that_somebody_changed_stays_unless_it_may_go(small, out):
    with (out / "landcover.geojson").open("a") as file:
        file.write(" ")
    assert "somebody has changed it since" in refuse(small, "-o", out)
    assert segment(small, "-o", out, "--overwrite").exit_code == 0
    assert origin_of(out / "landcover.geojson") is Origin.OURS


def test_what_an_earlier_run_left_goes_or_is_reported(small, out):
    (out / "landcover.gpkg").write_bytes(b"changed")
    mine = out / "notes.txt"
    mine.write_text("somebody's")
    assert segment(small, "-o", out, "--format", "fgb").exit_code == 0
    report = json.loads((out / "run.json").read_text())
    assert not (out / "landcover.geojson").exists()
    assert (out / "landcover.gpkg").read_bytes() == b"changed"
    assert mine.read_text() == "somebody's"
    (warning,) = (w for w in report["warnings"] if "landcover.gpkg" in w)
    assert "is of an earlier run" in warning
    assert "landcover.gpkg" not in report["checksums"]


@pytest.mark.parametrize("link", [False, True])
def test_a_scene_is_not_replaced_by_its_map(small, tmp_path, link):
    scene = tmp_path / "confidence.tif"
    if link:
        scene.symlink_to(shutil.copy(small, tmp_path / "scene.tif"))
        given = tmp_path / "scene.tif"
    else:
        given = shutil.copy(small, scene)
    before = given.read_bytes()
    message = refuse(given, "-o", tmp_path, "--overwrite")
    assert "confidence.tif is an input" in message
    assert given.read_bytes() == before
    assert refuse(tmp_path, "-o", tmp_path, "--overwrite")


def test_an_area_is_not_replaced_by_polygons(small, tmp_path):
    area = tmp_path / "landcover.geojson"
    area.write_text('{"type": "Polygon", "coordinates": []}')
    message = refuse(small, "--aoi", area, "-o", tmp_path, "--overwrite")
    assert "landcover.geojson is an input" in message


def test_a_map_of_a_map_is_refused_into_the_same_folder(out):
    assert "is an input" in refuse(out / "landcover.tif", "-o", out)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("", "--output of geoseg.segment is an empty text; give a path"),
        ("map.tif", "map.tif is the name of one; write map instead"),
        ("Map.GPKG", "Map.GPKG is the name of one; write Map instead"),
    ],
)
def test_an_output_that_is_no_folder_is_refused(
    small, tmp_path, monkeypatch, output, sentence
):
    monkeypatch.chdir(tmp_path)
    assert sentence in refuse(small, "-o", output)
    assert not list(tmp_path.iterdir())


def test_a_second_run_into_one_folder_is_refused_with_who_writes_there(small, tmp_path):
    with locked_folder(tmp_path / "out"):
        message = refuse(small, "-o", tmp_path / "out", "--run-dir", tmp_path / "run")
    assert f"is being written by process {os.getpid()}" in message
    assert not list(tmp_path.iterdir())


def test_done_already_means_the_same_files(small, tmp_path, no_more_inference):
    geoseg.segment_each([small], tmp_path)
    no_more_inference()
    geoseg.segment_each([small], tmp_path)
    path = tmp_path / "small" / "landcover.tif"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    options = geoseg.SegmentOptions(overwrite=True)
    with pytest.raises(AssertionError, match="inferred again"):
        geoseg.segment_each([small], tmp_path, options=options)


class Killed(BaseException):
    """Stands for SIGKILL: nothing is tidied."""


@pytest.mark.parametrize("moves", range(1, 8))
def test_a_kill_between_products_leaves_no_record_and_the_next_run_ends_well(
    small, out, monkeypatch, moves
):
    replace, done = os.replace, []

    def counted(path, target):
        if STAGING in Path(path).parts and Path(target).parent == out:
            done.append(target)
            if len(done) == moves:
                raise Killed
        return replace(path, target)

    monkeypatch.setattr(os, "replace", counted)
    options = geoseg.SegmentOptions(tile=64, overlap=32, formats=("geojson",))
    with pytest.raises(Killed):
        geoseg.segment(small, out, options=options)
    assert not (out / "run.json").exists()
    monkeypatch.setattr(os, "replace", replace)
    report = geoseg.segment(small, out, options=options)
    assert {p.name for p in out.iterdir()} == {*report.checksums, "run.json"}
    assert not (out / "landcover.gpkg").exists()
    assert {n: checksum(out / n) for n in report.checksums} == dict(report.checksums)


def test_a_full_disk_leaves_the_earlier_run_as_it_was(small, out, monkeypatch):
    before = content(out)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("geoseg.run.deliver.write_preview", full)
    options = geoseg.SegmentOptions(tile=64, overlap=32, min_confidence=30)
    takes = r"is full.*; the whole run, polygons .* aside, takes [\d.]+ MB at most"
    with pytest.raises(DiskError, match=takes):
        geoseg.segment(small, out, options=options)
    assert content(out) == before
    assert not (out / STAGING).exists()


def test_each_part_is_read_once_and_each_raster_once_after_it_was_written(
    small, tmp_path, monkeypatch
):
    parts, squares = Counter(), Counter()
    read_part, read_raster = DiskStore.read, Raster.read

    def part(store, receipts):
        parts.update(r.name for r in receipts if r.name.startswith("part-"))
        return read_part(store, receipts)

    def raster(file, window, *args, **options):
        squares[Path(file.path).name] += 1
        return read_raster(file, window, *args, **options)

    monkeypatch.setattr(DiskStore, "read", part)
    monkeypatch.setattr(Raster, "read", raster)
    options = geoseg.SegmentOptions(
        tile=64, overlap=32, block=1, entropy=True, probabilities=True, formats="fgb"
    )
    report = geoseg.segment(small, tmp_path / "out", options=options)
    assert len(parts) > 4
    assert set(parts.values()) == {1}
    assert not {"landcover.tif", "confidence.tif"} & squares.keys()  # nor for polygons
    with (
        rasterio.open(tmp_path / "out" / "landcover.tif") as landcover,
        rasterio.open(tmp_path / "out" / "confidence.tif") as confidence,
    ):
        classes, percent = landcover.read(1), confidence.read(1)
    for area in report.class_areas:
        there = classes == area.id
        assert area.pixels == there.sum()
        if area.pixels:
            assert area.confidence == pytest.approx(percent[there].mean() / 100)


def test_parts_go_into_the_rasters_while_blocks_are_inferred(
    small, tmp_path, monkeypatch
):
    read, taken, waited = DiskStore.read, threading.Event(), []

    def part(store, receipts):
        if any(receipt.name.startswith("part-") for receipt in receipts):
            taken.set()
        return read(store, receipts)

    def watch(step):
        if step.name == "infer" and 0 < step.done < step.total:
            waited.append(taken.wait(60))

    monkeypatch.setattr(DiskStore, "read", part)
    options = geoseg.SegmentOptions(tile=64, overlap=32, block=1, formats=())
    whole = tmp_path / "whole"
    geoseg.segment(small, whole, options=options, on_step=watch)
    assert any(waited)

    def stop(step):
        if step.name == "infer" and taken.is_set():
            raise KeyboardInterrupt

    taken.clear()
    again = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        geoseg.segment(small, again, options=options, on_step=stop)
    assert not (again / STAGING).exists()
    geoseg.segment(small, again, options=options)
    for name in ("landcover.tif", "confidence.tif", "preview.png"):
        assert (again / name).read_bytes() == (whole / name).read_bytes()


@pytest.fixture(scope="module")
def tall(small, tmp_path_factory):
    """Give a scene of three rows of squares, the corner again and again."""
    path = tmp_path_factory.mktemp("tall") / "tall.tif"
    with rasterio.open(small) as corner:
        profile, pixels = corner.profile, np.tile(corner.read(), (1, 30, 1))[:, :, :48]
        described = corner.descriptions
    shape = {"height": pixels.shape[1], "width": pixels.shape[2]}
    with rasterio.open(path, "w", **{**profile, **shape}) as scene:
        scene.write(pixels)
        scene.descriptions = described
    return path


def test_lines_are_traced_while_blocks_are_inferred(tall, tmp_path, monkeypatch):
    traced, waited = threading.Event(), []
    trace = arriving.trace_pixels

    def trace_noted(*arguments, **options):
        traced.set()
        return trace(*arguments, **options)

    def watch(step):
        if step.name == "infer" and step.done and step.total - step.done < 3:
            waited.append(traced.wait(60))

    monkeypatch.setattr(arriving, "trace_pixels", trace_noted)
    options = geoseg.SegmentOptions(tile=64, overlap=32, block=4, formats="fgb")
    geoseg.segment(tall, tmp_path / "out", options=options, on_step=watch)
    assert any(waited)
    folder, again = tmp_path / "out", tmp_path / "again" / "landcover.fgb"
    again.parent.mkdir()
    geoseg.vectorize(
        folder / "landcover.tif", again, confidence=folder / "confidence.tif"
    )
    assert (folder / "landcover.fgb").read_bytes() == again.read_bytes()


def test_a_warning_of_who_traces_is_said_once(tall, tmp_path, monkeypatch):
    begun, said, draw = threading.Event(), [], vectors.draw_polygons

    def draw_and_warn(*arguments, warn, **options):
        assert begun.wait(60)  # a step has been said: it was asked for warnings
        warn("the disk is small")
        return draw(*arguments, warn=warn, **options)

    def watch(step):
        said.extend(step.warnings)
        if step.name == "infer":
            begun.set()

    monkeypatch.setattr(vectors, "draw_polygons", draw_and_warn)
    options = geoseg.SegmentOptions(tile=64, overlap=32, block=4, formats="fgb")
    geoseg.segment(tall, tmp_path / "out", options=options, on_step=watch)
    assert said.count("the disk is small") == 1


def test_a_map_that_cannot_be_traced_ends_in_a_sentence_and_goes_on(
    tall, tmp_path, monkeypatch
):
    options = geoseg.SegmentOptions(tile=64, overlap=32, block=4, formats="fgb")
    monkeypatch.setattr(arriving, "_MOST", 0)
    with monkeypatch.context() as few:
        few.setattr(network, "_MOST", 9)
        with pytest.raises(VectorError, match=r"can be numbered.*min_area"):
            geoseg.segment(tall, tmp_path / "out", options=options)
    assert [each.name for each in (tmp_path / "out").iterdir()] == [".geoseg"]
    report = geoseg.segment(tall, tmp_path / "out", options=options)
    assert len(report.polygons())


def test_staged_files_come_together_and_their_record_last(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    record = {"geoseg": "1", "checksums": {"old.txt": checksum(tmp_path / "old.txt")}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with atomic.staged(tmp_path) as folder:
        (folder / "new.txt").write_text("new")
        (folder / "run.json").write_text("{}")
        assert {p.name for p in tmp_path.iterdir()} == {"old.txt", "run.json", STAGING}
    assert {p.name for p in tmp_path.iterdir()} == {"new.txt", "run.json"}
    assert EARLIER not in str(list(tmp_path.iterdir()))


def test_features_with_a_folder_of_somebody_are_refused(small, tmp_path):
    with rasterio.open(small) as dataset:
        left, bottom, right, top = dataset.bounds
        crs = dataset.crs
    import geopandas  # noqa: PLC0415  # one test needs it

    area = tmp_path / "fields.gpkg"
    geopandas.GeoDataFrame(
        {"name": ["a"]}, geometry=[box(left, bottom, right, top)], crs=crs
    ).to_file(area)
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "landcover.tif").write_text("somebody's")
    with pytest.raises(OutputError, match="geoseg did not write it"):
        geoseg.segment_features(small, tmp_path / "out", aoi=area, field="name")


def test_products_come_where_what_is_open_stays_and_paths_are_long(
    small, tmp_path, monkeypatch
):
    """A disk as Windows has it, and a path longer than it takes by itself."""
    out = tmp_path.joinpath(*(letter * 90 for letter in "xyz"))
    keep_open_files(monkeypatch.setattr)
    options = geoseg.SegmentOptions(tile=64, overlap=32, formats=("gpkg", "shp"))
    for _ in range(2):  # new, and in place of itself
        report = geoseg.segment(small, out, options=replace(options, restart=True))
        assert {p.name for p in out.iterdir()} == {*report.checksums, "run.json"}
    assert len(str(out)) > 260
