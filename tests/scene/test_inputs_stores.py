"""Scenes from an object store, and maps brought to one: whole, or not at all."""

import json
import shutil
from pathlib import Path

import boto3
import geopandas
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from brightest import expected, mapped, refused, segment
from object_store import keys_refused, make_bucket, object_store
from shapely import box

import geoseg
from geoseg.errors import DiskError
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
def test_what_is_done_in_a_store_is_not_done_again(scene, brightest, monkeypatch):
    options = geoseg.SegmentOptions(model=brightest)
    geoseg.segment_each([scene], "s3://maps/done", options=options)

    def fail(*_, **__):
        raise AssertionError("inferred again")

    monkeypatch.setattr("geoseg.run.segment.run", fail)
    geoseg.segment_each([scene], "s3://maps/done", options=options)


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
    from click.testing import CliRunner  # noqa: PLC0415  # beside its use

    from geoseg.cli import main  # noqa: PLC0415  # the same

    command = ["vectorize", str(scene), "-o", "s3://maps/a.gpkg"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "s3://maps/a.gpkg is no path on a disk" in result.stderr
    output = Output.of(f"file://{tmp_path}")
    assert output == Output(tmp_path)
    assert output.destination(tmp_path / "a.tif") == str(tmp_path / "a.tif")
    assert not (tmp_path / "s3:").exists()
