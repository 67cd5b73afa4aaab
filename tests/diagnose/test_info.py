"""geoseg info: what is said of a scene is what is in it."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from PIL import Image

import geoseg
from geoseg.cli import main
from geoseg.scene import Scene

SCENE, AOI = "sample_aoi/scene.tif", "sample_aoi/aoi.geojson"


@pytest.fixture
def members(tmp_path):
    """Two members of 40 x 60 px that overlap by 20 columns, a third with a gap."""
    folder = tmp_path / "members"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, col in (("a", 0), ("b", 40), ("c", 110)):
        values = rng.integers(1, 1000, (2, 40, 60), np.uint16)
        values[:, :10] = 0
        profile = {"count": 2, "height": 40, "width": 60, "dtype": "uint16"}
        georeference = {"crs": "EPSG:32633", "nodata": 0}
        transform = Affine(10, 0, 400_000 + 10 * col, 0, -10, 5_800_000)
        with rasterio.open(
            folder / f"{name}.tif",
            "w",
            driver="GTiff",
            transform=transform,
            **profile,
            **georeference,
        ) as dataset:
            dataset.write(values)
            dataset.descriptions = ("B02", "B03")
    return folder


def test_a_mosaic_is_described(members):
    found = geoseg.info(members, exact=True)
    assert (found.width, found.height, found.files) == (170, 40, 3)
    assert found.crs == "EPSG:32633"
    assert found.gsd_m == pytest.approx(10, rel=1e-3)
    assert found.bounds == (400_000, 5_799_600, 401_700, 5_800_000)
    assert found.overlap_share == pytest.approx(20 / 170)
    assert found.gap_share == pytest.approx(10 / 170)
    assert found.nodata_share == pytest.approx(1 - 160 * 30 / (170 * 40))
    with rasterio.open(members / "c.tif") as dataset:
        largest = dataset.read(1).max()
    assert 1 <= found.bands[0].smallest < found.bands[0].largest
    assert found.bands[0].largest >= largest


def test_a_coarse_look_is_called_an_estimate():
    coarse, exact = (geoseg.info(SCENE, exact=exact) for exact in (False, True))
    assert (coarse.exact, exact.exact) == (False, True)
    for guess, band in zip(coarse.bands, exact.bands, strict=True):
        assert band.smallest <= guess.smallest < guess.largest <= band.largest
    with rasterio.open(SCENE) as dataset:
        assert exact.bands[3].largest == dataset.read(4).max()


def test_what_was_seen_of_files_is_kept_until_they_change(
    members, tmp_path, monkeypatch
):
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    looks = []
    look = Scene.picture
    monkeypatch.setattr(
        Scene, "picture", lambda *args: looks.append(args) or look(*args)
    )
    first, again = geoseg.info(members), geoseg.info(members)
    assert again == first
    assert len(looks) == 1
    with rasterio.open(members / "a.tif", "r+") as dataset:
        dataset.write(np.full((2, 40, 60), 5000, np.uint16))
    changed = geoseg.info(members)
    assert len(looks) == 2
    assert changed.bands[0].largest > first.bands[0].largest
    for path in (tmp_path / "cache" / "looks").iterdir():
        path.write_text("[[], 1")
    assert geoseg.info(members) == changed
    before = len(looks)
    (members / "a.tif.aux.xml").write_text("<PAMDataset></PAMDataset>")
    geoseg.info(members)
    assert len(looks) == before + 1, "what stands beside a file says more of it"


def test_a_model_fits_or_the_reason_is_reported(members):
    fits = geoseg.info(SCENE, model="sentinel2-landcover").model
    assert not fits.why_not
    assert fits.bands["B8A"] == "B8A"
    lacks = geoseg.info(members, model="sentinel2-landcover").model
    assert "lacks" in lacks.why_not
    assert "B11" in lacks.why_not


def run(*words):
    return CliRunner().invoke(main, ["info", *map(str, words)])


def test_info_on_the_command_line_with_a_picture(members, tmp_path):
    plot = tmp_path / "footprints.png"
    result = run(members, "--model", "sentinel2-landcover", "--plot", plot)
    assert result.exit_code == 2, result.stderr  # the model does not fit
    assert "or train one: geoseg train SCENE --labels" in result.stdout
    assert run(members).exit_code == 0
    assert "11.8% of the grid" in result.stdout
    assert "does not fit: the model needs the bands" in result.stdout
    with Image.open(plot) as picture:
        assert picture.width > picture.height > 300
        colours = picture.convert("RGB").getcolors(1 << 20)
    assert len(colours) > 10


def test_info_draws_an_area_and_tiles(tmp_path):
    plain, drawn = tmp_path / "a.png", tmp_path / "b.png"
    assert run(SCENE, "--plot", plain).exit_code == 0
    flags = ("--model", "sentinel2-landcover", "--aoi", AOI)
    assert run(SCENE, "--plot", drawn, *flags).exit_code == 0
    assert plain.read_bytes() != drawn.read_bytes()


def test_info_as_json():
    found = json.loads(run(SCENE, "--json").stdout)
    assert [band["name"] for band in found["bands"]][:2] == ["B02", "B03"]
    assert found["model"] is None


def test_info_refuses_what_segment_refuses(tmp_path):
    result = run(tmp_path / "none.tif")
    assert result.exit_code == 2
    assert "none.tif" in result.stderr
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = run(SCENE, "--plot", blocked / "plot.png")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
