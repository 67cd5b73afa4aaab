"""Small files that stand for a great deal of work: bounded, or refused at once."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

import geoseg
from geoseg.diagnose import info as diagnose_info
from geoseg.errors import SceneError
from geoseg.scene.files import blocks


def sparse(path, side, block, **profile):
    """Write a file of which nothing is stored, in a few kilobytes."""
    georeference = {"crs": 32633, "transform": from_origin(0, 9e6, 10, 10)}
    shape = {"height": side, "width": side, "count": 2, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": block, "blockysize": block}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        compress="deflate",
        SPARSE_OK=True,
        **{**georeference, **shape, **tiles, **profile},
    ):
        return path


def test_a_look_at_a_giant_file_decodes_a_bounded_number_of_bytes(
    tmp_path, monkeypatch
):
    path = sparse(tmp_path / "giant.tif", 40_960, 4096)
    monkeypatch.setattr(diagnose_info, "_MOST_BYTES", 9 * 2 * 4096**2)
    read, windows = geoseg.Scene.read, []

    def note(scene, window, *rest):
        windows.append(window)
        return read(scene, window, *rest)

    monkeypatch.setattr(geoseg.Scene, "read", note)
    geoseg.info(path)
    assert len(windows) == 9


@pytest.mark.parametrize(("interleave", "is_taken"), [("band", True), ("pixel", False)])
def test_one_block_that_holds_too_much_is_refused_before_it_is_decoded(
    interleave, is_taken, tmp_path, monkeypatch
):
    path = sparse(tmp_path / "strip.tif", 512, 512, interleave=interleave)
    monkeypatch.setattr(blocks, "MOST_BLOCK_BYTES", 512 * 512)
    if is_taken:
        geoseg.info(path)
        return
    with pytest.raises(SceneError, match=r"blocks of 512 x 512 pixels.*gdal_translate"):
        geoseg.info(path)


def test_a_vrt_of_a_file_with_such_blocks_is_refused_with_the_file(
    tmp_path, monkeypatch
):
    whole = sparse(tmp_path / "strip.tif", 512, 512, interleave="pixel")
    rasterio.shutil.copy(whole, tmp_path / "a.vrt", driver="VRT")
    assert geoseg.info(tmp_path / "a.vrt")
    monkeypatch.setattr(blocks, "MOST_BLOCK_BYTES", 512 * 512)
    with pytest.raises(SceneError, match=r"strip\.tif is compressed in blocks of 512"):
        geoseg.info(tmp_path / "a.vrt")


def test_overviews_that_were_there_and_cannot_be_read_are_an_error(tmp_path):
    raster = geoseg.open_scene(sparse(tmp_path / "a.tif", 512, 256)).rasters[0]
    window = geoseg.Window(0, 0, 512, 512)
    assert raster.picture(window, (0,), (8, 8)).shape == (1, 8, 8)
    lost = replace(raster, overviews=(2,))
    for look in (lambda: lost.picture(window, (0,), (8, 8)), lost.share_of_data):
        with pytest.raises(SceneError, match="overviews that it has cannot be read"):
            look()


def test_what_is_not_compressed_is_read_in_pieces_and_taken(tmp_path, monkeypatch):
    path = tmp_path / "plain.tif"
    profile = {"count": 1, "dtype": "uint8", "crs": 32633, "blockysize": 64}
    with rasterio.open(
        path, "w", "GTiff", 64, 64, transform=from_origin(0, 9e6, 10, 10), **profile
    ) as file:
        file.write(np.ones((1, 64, 64), np.uint8))
    monkeypatch.setattr(blocks, "MOST_BLOCK_BYTES", 100)
    assert geoseg.info(path)


def test_what_a_vrt_says_of_its_interleaving_is_no_matter(tmp_path):
    whole = sparse(tmp_path / "a.tif", 64, 64)
    rasterio.shutil.copy(whole, tmp_path / "a.vrt", driver="VRT")
    text = (tmp_path / "a.vrt").read_text()
    metadata = '<Metadata domain="IMAGE_STRUCTURE"><MDI key="INTERLEAVE">{}</MDI>'
    for wrong in ("sideways", "https://host/a.tif"):
        head, end = text.split("<VRTRasterBand", 1)
        (tmp_path / "a.vrt").write_text(
            f"{head}{metadata.format(wrong)}</Metadata><VRTRasterBand{end}"
        )
        with rasterio.open(tmp_path / "a.vrt") as dataset:
            assert dataset.tags(ns="IMAGE_STRUCTURE")["INTERLEAVE"] == wrong
        assert len(geoseg.open_scene(tmp_path / "a.vrt").bands) == 2
