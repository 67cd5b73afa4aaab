"""Workers find what was named by relative paths, and say where they do not."""

import os
import shutil
import socket
import zipfile
from pathlib import Path

import pytest
import rasterio
from distributed import LocalCluster

import geoseg
from geoseg.errors import ClusterError
from geoseg.scene import absolute

pytestmark = pytest.mark.slow  # worker processes take seconds to start

OPTIONS = {"tile": 64, "overlap": 32, "device": "cpu", "formats": "none"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A worker process that began in another folder."""
    here = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    try:
        with LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=":0"
        ) as opened:
            yield opened.scheduler_address
    finally:
        os.chdir(here)


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    folder = tmp_path / "work" / "scenes"
    folder.mkdir(parents=True)
    with rasterio.open(Path.cwd() / "sample_aoi/scene.tif") as sample:
        window = rasterio.windows.Window(0, 0, 90, 70)
        profile = {**sample.profile, "height": 70, "width": 90}
        with rasterio.open(folder / "small.tif", "w", **profile) as cut:
            cut.write(sample.read(window=window))
            cut.descriptions = sample.descriptions
    monkeypatch.chdir(tmp_path / "work")
    return folder


@pytest.fixture(autouse=True)
def _at_home(request):
    os.chdir(request.config.rootpath)


@pytest.mark.usefixtures("scenes")
def test_relative_paths_are_those_of_whoever_gives_the_command(cluster):
    options = geoseg.SegmentOptions(scheduler=cluster, run_dir="parts", **OPTIONS)
    there = geoseg.segment("scenes/small.tif", "out", options=options)
    alone = geoseg.SegmentOptions(**OPTIONS)
    geoseg.segment("scenes/small.tif", "alone", options=alone)
    first, second = (Path(name, "landcover.tif") for name in ("out", "alone"))
    assert first.read_bytes() == second.read_bytes()
    assert Path(there.products["landcover"]).is_absolute()
    each = geoseg.segment_each(["scenes/small.tif"], "each", options=options)
    assert list(each) == ["small"]


@pytest.mark.usefixtures("scenes")
def test_maps_of_relative_paths_are_read_on_workers_too(cluster):
    alone = geoseg.SegmentOptions(**OPTIONS)
    geoseg.segment("scenes/small.tif", "out", options=alone)
    shutil.copy("out/landcover.tif", "reference.tif")
    found = geoseg.evaluate(
        "out/landcover.tif",
        "reference.tif",
        options=geoseg.EvaluateOptions(scheduler=cluster),
    )
    assert found.evaluation.accuracy.overall == 1
    options = geoseg.SampleOptions(scheduler=cluster, points=30, minimum=2)
    assert geoseg.sample_points("out/landcover.tif", "points.gpkg", options=options)


@pytest.mark.usefixtures("scenes")
def test_what_a_worker_does_not_see_is_reported_with_its_host(cluster, monkeypatch):
    monkeypatch.setattr("geoseg.run.segment.absolute", str)  # as it was before
    options = geoseg.SegmentOptions(scheduler=cluster, **OPTIONS)
    with pytest.raises(ClusterError) as caught:
        geoseg.segment("scenes/small.tif", "out", options=options)
    assert f"(seen from {socket.gethostname()}, tcp://" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("a.tif", "{here}/a.tif"),
        ("file://b/a.tif", "{here}/b/a.tif"),
        ("b/*.tif", "{here}/b/*.tif"),
        ("/abs/a.tif", "/abs/a.tif"),
        ("s3://bucket/a.tif", "s3://bucket/a.tif"),
        ("/vsicurl/https://host/a.tif", "/vsicurl/https://host/a.tif"),
        ('NETCDF:"b/a.nc":red', 'NETCDF:"{here}/b/a.nc":red'),
        ("/vsizip/b.zip/a.tif", "/vsizip/{here}/b.zip/a.tif"),
    ],
)
def test_a_path_is_named_whatever_folder_one_is_in(given, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("b.zip", "w") as archive:
        archive.writestr("a.tif", b"")
    assert absolute(given) == named.format(here=tmp_path)
