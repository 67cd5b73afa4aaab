"""Whatever format a scene comes in, its map is the same: that of its pixels."""

import shutil

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from brightest import BANDS, expected, mapped, refused

from geoseg.scene.files import formats

VALUES = np.random.default_rng(7).integers(1, 4000, (3, 37, 53), np.uint16)
VALUES[:, :5, :7] = 0
TRUTH = expected(VALUES, (VALUES > 0).all(axis=0))
PIXELS = {"transform": rasterio.Affine(10, 0, 399_960, 0, -10, 5_800_020)}


def copy(source, target, driver, **options):
    rasterio.shutil.copy(source, target, driver=driver, **options)
    return target


def cog(scene, folder):
    return [copy(scene, folder / "cog.tif", "COG", blocksize=64)]


def jpeg_2000(scene, folder):
    lossless = {"quality": 100, "reversible": "YES"}
    return [copy(scene, folder / "scene.jp2", "JP2OpenJPEG", **lossless)]


def vrt(scene, folder):
    return [copy(scene, folder / "scene.vrt", "VRT")]


def imagine(scene, folder):
    return [copy(scene, folder / "scene.img", "HFA")]


def netcdf(scene, folder):
    """Give each variable of a NetCDF file as a band, in the ways that GDAL knows."""
    path = copy(scene, folder / "scene.nc", "netCDF")
    parts = (f'NETCDF:"{path}":Band1', f"NETCDF:{path}:Band2", f"netcdf:{path}:Band3")
    named = zip(BANDS, parts, strict=True)
    return [word for name, part in named for word in ("--band", f"{name}={part}")]


def zarr(scene, folder):
    return [make_zarr(scene, folder), "--assume-crs", "EPSG:32633", "--nodata", 0]


def part_of_zarr(scene, folder):
    path = make_zarr(scene, folder)
    assume = "--assume-crs", "EPSG:32633", "--nodata", 0
    return [f'ZARR:"{path}":/{path.stem}', *assume]


def make_zarr(scene, folder):
    """Write a Zarr store, in which GDAL keeps neither nodata nor the CRS."""
    bare = copy(scene, folder / "bare.tif", "GTiff")
    with rasterio.open(bare, "r+") as dataset:
        dataset.nodata = None
    path = copy(bare, folder / "scene.zarr", "Zarr", compress="ZLIB")
    bare.unlink()
    return path


def of_a_list(scene, folder):
    (folder / "names.txt").write_text(f"# one scene\n\n{scene.name}\n")
    return [folder / "names.txt"]


def of_a_folder(scene, folder):
    inner = folder / "members"
    inner.mkdir()
    return [inner, shutil.copy(scene, inner)][:1]


def of_a_pattern(_, folder):
    return [folder / "s?ene.*f"]


def zipped(scene, folder):
    shutil.make_archive(folder / "archive", "zip", folder, scene.name)
    return [f"/vsizip/{folder}/archive.zip/{scene.name}"]


WAYS = (cog, jpeg_2000, vrt, imagine, netcdf, zarr, part_of_zarr)
SEVERAL = (of_a_list, of_a_folder, of_a_pattern, zipped)


@pytest.fixture
def scene(make_raster):
    return make_raster(values=VALUES, **PIXELS)


@pytest.mark.parametrize("way", [*WAYS, *SEVERAL], ids=lambda way: way.__name__)
def test_the_map_is_that_of_the_pixels(way, scene, tmp_path, brightest):
    given = way(scene, tmp_path)
    classes, georeference, _ = mapped(brightest, tmp_path / "out", *given)
    assert np.array_equal(classes, TRUTH)
    assert georeference == (PIXELS["transform"], 32633)


def test_a_store_that_changes_is_another_scene(scene, tmp_path):
    from geoseg.storage.fingerprint import take_fingerprint  # noqa: PLC0415  # beside its use

    path = make_zarr(scene, tmp_path)
    before = take_fingerprint(path)
    assert take_fingerprint(path) == before
    assert before.size == sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    chunk = next(p for p in path.rglob("0.0.0"))
    chunk.write_bytes(chunk.read_bytes() + b"!")
    assert take_fingerprint(path).header != before.header


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_of_several_rasters_wants_one_to_be_named(scene, tmp_path, brightest):
    path = copy(scene, tmp_path / "scene.nc", "netCDF")
    words = refused(brightest, tmp_path / "out", path)
    part = f"netcdf:{path}:Band1"
    assert words.startswith(f"{path} holds 3 rasters: {part}, netcdf:")
    assert words.endswith(
        f"name the one to read, or several as bands: --band red='{part}'"
    )
    words = refused(brightest, tmp_path / "out", f'NETCDF:"{path}":none')
    assert "none cannot be opened as a raster" in words
    words = refused(brightest, tmp_path / "out", f'HDF5:"{path}"://Band1')
    assert "no geotransform" in words, "it is a file of this disk, not an address"


@pytest.mark.parametrize(
    ("name", "driver"), [("scene.ecw", "ECW"), ("a.sid", "MrSID"), ("b.HDF", "HDF4")]
)
def test_a_format_that_gdal_lacks_here_is_said(
    name, driver, tmp_path, brightest, monkeypatch
):
    (tmp_path / name).write_bytes(b"made by others" * 99)
    if formats.lacking(name) is None:  # a GDAL that has it
        monkeypatch.setattr(formats, "_DRIVERS", {f".{name[-3:].lower()}": "Nobodys"})
        driver = "Nobodys"
    words = refused(brightest, tmp_path / "out", tmp_path / name)
    assert words.startswith(f"{tmp_path / name} wants GDAL's driver {driver}, which")
    assert "convert it to GeoTIFF" in words


def test_a_compression_that_gdal_lacks_is_said(make_raster, tmp_path, brightest):
    path = make_raster(values=VALUES, compress="deflate", **PIXELS)
    tag = (259).to_bytes(2, "little") + b"\3\0\1\0\0\0"
    deflate, jxl = tag + (8).to_bytes(2, "little"), tag + (50002).to_bytes(2, "little")
    content = path.read_bytes()
    assert deflate in content
    path.write_bytes(content.replace(deflate, jxl))
    assert "missing codec" in refused(brightest, tmp_path / "out", path)
