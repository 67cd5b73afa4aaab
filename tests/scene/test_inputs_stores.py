"""Scenes from an object store, and maps brought to one: whole, or not at all."""

import json
import shutil
import time
from pathlib import Path

import boto3
import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from brightest import expected, mapped, refused, segment
from click.testing import CliRunner
from members import write_raster
from object_store import keys_refused, make_bucket, object_store
from shapely import box

import geoseg
from geoseg.cli import main
from geoseg.errors import DiskError
from geoseg.run.composite.job import CompositeJob
from geoseg.storage.bucket import Bucket
from geoseg.storage.output import Output

VALUES = np.random.default_rng(7).integers(1, 4000, (3, 37, 53), np.uint16)
VALUES[:, :5, :7] = 0
TRUTH = expected(VALUES, (VALUES > 0).all(axis=0))
PIXELS = {"transform": rasterio.Affine(10, 0, 399_960, 0, -10, 5_800_020)}
GDALS = ("AWS_S3_ENDPOINT", "AWS_HTTPS", "AWS_VIRTUAL_HOSTING")


@pytest.fixture(scope="module")
def server():
    with object_store() as settings, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        for name in GDALS:
            patch.delenv(name, raising=False)
        make_bucket(settings, "imagery")
        make_bucket(settings, "maps")
        yield settings


@pytest.fixture
def scene(make_raster):
    return make_raster(values=VALUES, **PIXELS)


@pytest.fixture
def client(server):
    return boto3.client("s3", endpoint_url=server["AWS_ENDPOINT_URL"])


@pytest.fixture
def store(scene, client, tmp_path):
    """Give a bucket with two members, lists of them, and a Zarr store."""
    put = client.put_object
    for name in ("left.tif", "right.tif"):
        put(Bucket="imagery", Key=f"members/{name}", Body=scene.read_bytes())
    put(Bucket="imagery", Key="list.txt", Body=b"# members\nmembers/left.tif\n")
    whole = b"s3://imagery/members/left.tif\ns3://imagery/members/right.tif"
    put(Bucket="imagery", Key="whole.lst", Body=whole)
    put(Bucket="imagery", Key="members/a.vrt", Body=b"<VRTDataset/>")
    rasterio.shutil.copy(scene, tmp_path / "bare.tif")
    with rasterio.open(tmp_path / "bare.tif", "r+") as dataset:
        dataset.nodata = None
    rasterio.shutil.copy(tmp_path / "bare.tif", tmp_path / "a.zarr", driver="Zarr")
    for path in (tmp_path / "a.zarr").rglob("*"):
        if path.is_file():
            key = str(path.relative_to(tmp_path))
            put(Bucket="imagery", Key=key, Body=path.read_bytes())
    return "s3://imagery"


@pytest.mark.parametrize(
    "named",
    [
        "s3://imagery/members/left.tif",
        "/vsis3/imagery/members/left.tif",
        "s3://imagery/members/",
        "s3://imagery/members/*.tif",
        "s3://imagery/list.txt",
        "s3://imagery/whole.lst",
        "s3://imagery/a.zarr --assume-crs EPSG:32633 --nodata 0",
    ],
)
@pytest.mark.usefixtures("store")
def test_a_scene_in_a_store_has_the_map_of_its_pixels(named, tmp_path, brightest):
    classes, georeference, _ = mapped(brightest, tmp_path / "out", *named.split())
    assert np.array_equal(classes, TRUTH)
    assert georeference == (PIXELS["transform"], 32633)


def test_gdals_names_for_an_endpoint_serve_both(
    store, server, tmp_path, brightest, monkeypatch
):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    host = server["AWS_ENDPOINT_URL"].removeprefix("http://")
    for name, value in zip(GDALS, (host, "NO", "FALSE"), strict=True):
        monkeypatch.setenv(name, value)
    classes, *_ = mapped(brightest, tmp_path / "out", f"{store}/members/left.tif")
    assert np.array_equal(classes, TRUTH)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("s3://imagery/none.tif", "there is nothing at s3://imagery/none.tif"),
        ("s3://imagery/none/", "there is nothing at s3://imagery/none/"),
        ("s3://imagery/a.zarr/*.tif", r"nothing is found at s3://imagery/a.zarr/*.tif"),
        (
            "s3://nowhere/a.tif",
            "there is nothing at s3://nowhere/a.tif (The specified bucket",
        ),
        ("s3://imagery/members/a.vrt", "a.vrt is a VRT on a server or in an archive"),
        ("http://127.0.0.1:9/members/", "is a folder on a web server, which cannot be"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_is_not_in_a_store_is_said(named, words, tmp_path, brightest):
    assert words in refused(brightest, tmp_path / "out", named)


def test_a_store_that_refuses_is_one_sentence(store, server, tmp_path, brightest):
    with keys_refused(server):
        words = refused(brightest, tmp_path / "out", f"{store}/members/left.tif")
    assert "s3://imagery/members/left.tif cannot be read (Forbidden)" in words
    assert server["AWS_SECRET_ACCESS_KEY"] not in words


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Give the folder in which temporary ones are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def fetched(url):
    """Give all objects of a folder by their names."""
    bucket = Bucket(url)
    return {name: bucket.get(name) for name, _ in bucket.list()}


@pytest.mark.usefixtures("server")
def test_a_map_in_a_store_is_the_map_on_a_disk(scene, tmp_path, brightest, temporary):
    url = "s3://maps/one"
    result = segment(brightest, url, scene)
    assert result.exit_code == 0, result.stderr
    mapped(brightest, tmp_path / "out", scene)
    there = fetched(url)
    here = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert there.keys() == here.keys(), "and neither a run directory nor a probe"
    report = json.loads(there.pop("run.json"))
    assert report["products"]["landcover"] == f"{url}/landcover.tif"
    del here["run.json"]
    assert there == here
    assert not list(temporary.glob("geoseg-*"))


@pytest.mark.usefixtures("server")
def test_maps_of_features_and_of_scenes_have_folders_in_a_store(
    scene, tmp_path, brightest, temporary
):
    left, top = PIXELS["transform"].c, PIXELS["transform"].f
    boxes = [
        box(left, top - 200, left + 150, top),
        box(left, top - 300, left + 99, top),
    ]
    frame = geopandas.GeoDataFrame({"name": ["a", "b"]}, geometry=boxes, crs=32633)
    frame.to_file(tmp_path / "parks.gpkg")
    flags = ("--aoi", tmp_path / "parks.gpkg", "--per-feature", "name")
    result = segment(brightest, "s3://maps/parks", scene, *flags)
    assert result.exit_code == 0, result.stderr
    assert {f"{name}/run.json" for name in "ab"} < fetched("s3://maps/parks").keys()
    shutil.copy(scene, tmp_path / "again.tif")
    both = scene, tmp_path / "again.tif"
    each = segment(brightest, "s3://maps/each", *both, "--each")
    assert each.exit_code == 0, each.stderr
    there = fetched("s3://maps/each")
    assert there["scene/landcover.tif"] == there["again/landcover.tif"]
    assert not list(temporary.glob("geoseg-*"))


@pytest.mark.usefixtures("server")
def test_what_is_done_in_a_store_is_not_done_again(scene, brightest, no_more_inference):
    options = geoseg.SegmentOptions(model=brightest)
    geoseg.segment_each([scene], "s3://maps/done", options=options)
    no_more_inference()
    geoseg.segment_each([scene], "s3://maps/done", options=options)


def test_a_map_in_a_store_is_restated_with_what_assesses_it(
    scene, tmp_path, client, brightest, monkeypatch
):
    url = "s3://maps/assessed"
    assert segment(brightest, url, scene).exit_code == 0
    before = fetched(url)
    areas = json.loads(before["run.json"])["class_areas"]
    rows = [
        {
            "name": each["name"],
            "mapped_pixels": each["pixels"],
            "area_ha": 1.5 * each["area_ha"],
            "area_ha_interval": [each["area_ha"], 2 * each["area_ha"]],
        }
        for each in areas
    ]
    found = tmp_path / "accuracy.json"
    found.write_text(json.dumps({"stratified": {"classes": rows}}))
    sent, upload = [], Bucket.upload

    def note(self, path, name):
        sent.append(name)
        upload(self, path, name)

    monkeypatch.setattr(Bucket, "upload", note)
    done = segment(brightest, url, scene, "--assessment", found)
    assert done.exit_code == 0, done.stderr
    assert sent == ["landcover.stac.json", "report.html", "run.json"], "and no map"
    after = fetched(url)
    assert {n for n in before if before[n] != after[n]} == set(sent)
    assert json.loads(after["run.json"])["assessment"]["classes"].keys() == {
        each["name"] for each in areas
    }
    client.put_object(Bucket="maps", Key="assessed/landcover.tif", Body=b"another's")
    refused = segment(brightest, url, scene)
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "landcover.tif is not what run.json beside it says; set --res" in (
        refused.stderr
    )
    assert fetched(url)["report.html"] == after["report.html"]


@pytest.mark.usefixtures("temporary")
def test_a_store_that_fails_half_way_has_nothing_and_the_run_goes_on(
    scene, client, brightest, monkeypatch
):
    url, upload, left = "s3://maps/half", Bucket.upload, [3]

    def fail_later(self, path, name):
        left[0] -= 1
        if not left[0]:
            raise DiskError(f"{self} cannot be used (it went away)")
        upload(self, path, name)

    client.put_object(Bucket="maps", Key="half/run.json", Body=b"of an earlier run")
    monkeypatch.setattr(Bucket, "upload", fail_later)
    failed = segment(brightest, url, scene)
    assert failed.exit_code == 1
    assert failed.stderr == f"geoseg: {url} cannot be used (it went away)\n"
    left_over = fetched(url)
    assert {name.split("/")[0] for name in left_over} == {".geoseg"}
    monkeypatch.setattr(Bucket, "upload", upload)
    assert segment(brightest, url, scene).exit_code == 0
    assert {"landcover.tif", "run.json"} < fetched(url).keys()


@pytest.mark.parametrize("where", [".geoseg", "elsewhere"])
def test_a_store_that_cannot_be_written_is_said_before_inference(
    where, scene, server, tmp_path, brightest, temporary
):
    flags = () if where == ".geoseg" else ("--run-dir", tmp_path / where)
    for url, words in (
        ("s3://nowhere/map", "bucket"),
        ("s3://maps/shut", "AWS_PROFILE"),
    ):
        if words == "bucket":
            result = segment(brightest, url, scene, *flags)
        else:
            with keys_refused(server):
                result = segment(brightest, url, scene, *flags)
        assert result.exit_code == 2, result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith(f"geoseg: {url}")
        assert words in result.stderr
    assert not (tmp_path / where).exists()
    assert not list(temporary.glob("geoseg-*"))
    assert not Path("s3:").exists()


def test_addresses_that_are_no_output_are_said(scene, tmp_path, brightest):
    words = segment(brightest, "https://host/map", scene).stderr
    assert "s3://bucket/folder, and not to https://host/map" in words
    command = ["vectorize", str(scene), "-o", "s3://maps/a.gpkg"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "s3://maps/a.gpkg is no path on a disk" in result.stderr
    output = Output.of(f"file://{tmp_path}")
    assert output == Output(tmp_path)
    assert output.destination(tmp_path / "a.tif") == str(tmp_path / "a.tif")
    assert not (tmp_path / "s3:").exists()


@pytest.fixture
def dates(tmp_path, client):
    """Give a folder of a store with three dates, and the same ones on a disk."""
    folder = tmp_path / "dates"
    folder.mkdir()
    for month in range(3):
        pixels = np.roll(VALUES, 7 * month, axis=2)
        path = write_raster(folder / f"{month}.tif", pixels, PIXELS["transform"])
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(TIFFTAG_DATETIME=f"2024:{month + 5:02}:15 10:20:30")
        key = f"dates/{path.name}"
        client.put_object(Bucket="imagery", Key=key, Body=path.read_bytes())
    return "s3://imagery/dates/", folder


def composite(output, *arguments):
    """Make a composite through the command line; give click's result."""
    command = ["composite", "-o", output, "--block", "32", *arguments]
    return CliRunner().invoke(main, list(map(str, command)), env={"COLUMNS": "200"})


def test_composites_in_a_store_are_those_on_a_disk(dates, tmp_path, temporary):
    (there, here), url = dates, "s3://maps/composites"
    flags = ("--mosaic", "medoid", "--period", "quarter")
    result = composite(f"{url}/c.tif", there, *flags)
    assert result.exit_code == 0, result.stderr
    assert f"{url}/c-2024-Q2.tif" in result.stdout
    assert not list(temporary.glob("geoseg-*"))
    made = composite(tmp_path / "out" / "c.tif", here, *flags)
    assert made.exit_code == 0, made.stderr
    found = fetched(url)
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert found.keys() == wanted.keys(), "and no run directory"
    assert len(found) == 2 * 4
    assert all(found[n] == wanted[n] for n in wanted if n.endswith(".tif"))
    again = composite(f"{url}/c.tif", there, *flags)
    assert "2 composites are there already" in again.stderr


def test_a_composite_that_stops_half_way_to_a_store_goes_on(dates, monkeypatch):
    (there, _), url, upload = dates, "s3://maps/stopped", Bucket.upload
    do, done, of_a_row = CompositeJob.do_block, [], 2

    def stop(job, block):
        if block.row:
            while len(done) < of_a_row:
                time.sleep(0.05)
            time.sleep(1)  # what is done is written down by another thread
            raise DiskError("the lights went out")
        made = do(job, block)
        done.append(block)
        return made

    def fail(self, path, name):
        upload(self, path, name)
        raise DiskError(f"{self} cannot be used (it went away)")

    monkeypatch.setattr(CompositeJob, "do_block", stop)
    assert composite(f"{url}/c.tif", there).exit_code == 1
    monkeypatch.setattr(CompositeJob, "do_block", do)
    monkeypatch.setattr(Bucket, "upload", fail)
    failed = composite(f"{url}/c.tif", there)
    assert failed.exit_code == 1
    assert f"resuming: {len(done)} of" in failed.stderr
    assert {name.split("/")[0] for name in fetched(url)} == {".c.tif.geoseg"}
    monkeypatch.setattr(Bucket, "upload", upload)
    assert composite(f"{url}/c.tif", there).exit_code == 0
    assert fetched(url).keys() == {"c.tif", "c_count.tif", "c.tif.json"}
    Bucket(url).remove(["c_count.tif"])
    assert composite(f"{url}/c.tif", there).exit_code == 0
    assert Bucket(url).has("c_count.tif"), "what lacks a file is made again"


def test_a_map_of_many_dates_keeps_its_work_in_a_store(dates, tmp_path, brightest):
    (there, here), work = dates, "s3://maps/work"
    flags = ("--mosaic", "mean", "--run-dir", work, "--keep-parts")
    found, *_ = mapped(brightest, tmp_path / "out", there, *flags)
    stack = np.array([rasterio.open(path).read() for path in here.iterdir()])
    clear = (stack > 0).all(axis=1, keepdims=True)
    mean = np.rint((stack * clear).sum(axis=0) / np.maximum(clear.sum(axis=0), 1))
    assert np.array_equal(found, expected(mean, clear.any(axis=(0, 1))))
    assert any(name.startswith("journal") for name in fetched(work))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("output", "more", "words"),
    [
        ("s3://imagery/dates/0.tif", (), "0.tif is an input, and would be replaced"),
        ("s3://nowhere/c.tif", (), "s3://nowhere cannot be written"),
        ("s3://maps/c.png", (), "s3://maps/c.png is no name of one; write c.tif"),
        ("s3://maps/c.tif", ("--mask-model", "any"), "leave out --mask-model"),
        ("https://host/c.tif", (), "and not to https://host"),
    ],
)
def test_a_composite_that_cannot_go_to_a_store_is_said(dates, output, more, words):
    result = composite(output, dates[0], *more)
    assert result.exit_code == 2, result.stderr
    (sentence,) = result.stderr.splitlines()
    assert words in sentence
