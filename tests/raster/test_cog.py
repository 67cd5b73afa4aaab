"""Tiles that are compressed one by one make the file that GDAL makes of the whole."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from pyproj import CRS

from geoseg.errors import DiskError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import NODATA, LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster import (
    ClassLayer,
    ImageLayer,
    MeasureLayer,
    cog,
    growing,
    write_layers,
)
from geoseg.raster.growing import Front

LEGEND = Legend((LandClass(1, "lake", "#0000ff"), LandClass(4, "wood", "#008000")))
TAGS = {"MODEL": "test 1.0"}


def plane(height, width):
    return GeoBox(height, width, Affine(10, 0, 0, 0, -10, 0), CRS.from_epsg(32633))


def patches(shape, values, dtype="uint8"):
    """Make an image of patches with some noise, shape (band, y, x)."""
    rng = np.random.default_rng(0)
    coarse = rng.choice(values, (shape[0], -(-shape[1] // 9), -(-shape[2] // 9)))
    image = np.kron(coarse, np.ones((1, 9, 9)))[:, : shape[1], : shape[2]]
    image[rng.random(shape) < 0.1] = values[0]
    return image.astype(dtype)


def made_by_gdal(folder, layer, values, geobox):
    """Write a layer's pixels to a raster, and have GDAL make all of the product."""
    raster, target = folder / "raw.tif", folder / "gdal" / layer.path.name
    target.parent.mkdir()
    with rasterio.open(
        raster,
        "w",
        driver="GTiff",
        dtype=layer.dtype,
        count=layer.count,
        height=geobox.height,
        width=geobox.width,
        transform=geobox.transform,
        crs=geobox.crs.to_wkt(),
        nodata=layer.nodata,
    ) as dataset:
        dataset.write(values)
    rasterio.shutil.copy(
        layer.described(raster, TAGS),
        target,
        driver="COG",
        compress="DEFLATE",
        blocksize=512,
        bigtiff="IF_SAFER",
        overview_resampling=layer.overviews,
        **layer.compression.of_cog(),
    )
    layer.sign(target)
    return target


def classes(folder):
    return ClassLayer(folder / "map.tif", LEGEND), [NODATA, 1, 4]


def measures(folder):
    layer = MeasureLayer(folder / "map.tif", ["a", "b", "c"], "u", one=250)
    return layer, [NODATA, 0, 17, 99]


def fractions(folder):
    names, scales = ["a", "b"], [(0.5, 1.0), (2.0, 0.0)]
    layer = ImageLayer(folder / "map.tif", names, "float32", np.nan, scales=scales)
    return layer, [np.nan, 0.25, -3, 1e6]


def dates(folder):
    layer = ImageLayer(folder / "map.tif", ["d"], "uint32", 0, overviews="nearest")
    return layer, [0, 20_170_216, 20_170_301]


@pytest.mark.parametrize("size", [(1030, 1537), (2051, 520), (40, 513), (5, 7)])
@pytest.mark.parametrize("of", [classes, measures, fractions, dates])
def test_a_product_is_byte_for_byte_what_gdal_makes(size, of, tmp_path):
    """Lines of tiles and squares lie within these, and halves that are no halves."""
    layer, values = of(tmp_path)
    geobox, image = plane(*size), patches((layer.count, *size), values, layer.dtype)
    whole = [(Window(0, 0, *size), [image])]
    write_layers([layer], geobox, whole, tags=TAGS, scratch=tmp_path / "scratch")
    wanted = made_by_gdal(tmp_path, layer, image, geobox)
    assert layer.path.read_bytes() == wanted.read_bytes()
    for sidecar in wanted.parent.glob("*.xml"):
        assert Path(tmp_path, sidecar.name).read_bytes() == sidecar.read_bytes()


def rows_of(image, step):
    for top in range(0, image.shape[1], step):
        values = image[:, top : top + step]
        yield Window(top, 0, *values.shape[1:]), [values]


def test_rows_that_no_part_can_change_are_written_before_the_last_part(tmp_path):
    size, seen, said = (4096, 512), [], []
    image = patches((1, *size), [NODATA, 1, 4])
    layer = ClassLayer(tmp_path / "map.tif", LEGEND, lambda w, _: seen.append(w.row))

    def parts():
        for part in rows_of(image, 512):
            yield part
            said.append(len(seen))

    due = [window for window, _ in rows_of(image, 512)]
    scratch, geobox = tmp_path / "scratch", plane(*size)
    write_layers([layer], geobox, parts(), tags=TAGS, scratch=scratch, due=due)
    assert said == [0, 1, 1, 2, 2, 3, 3, 4]
    assert seen == [0, 1024, 2048, 3072]
    early = layer.path.read_bytes()
    late = reversed(list(rows_of(image, 500)))
    write_layers([layer], geobox, late, tags=TAGS, scratch=scratch)
    assert layer.path.read_bytes() == early


def test_a_front_knows_which_parts_are_missing():
    windows = [Window(0, 0, 1500, 9), Window(1500, 0, 1500, 9)]
    front = Front(5000, windows)
    assert front.rows == 0
    front.put(windows[1])
    assert front.rows == 0
    front.put(windows[0])
    assert front.rows == 5000  # of the rest nothing is due
    assert Front(5000, []).rows == 5000
    assert Front(5000, None).rows == 0


def test_tiles_that_do_not_read_back_are_refused(tmp_path, monkeypatch):
    """GDAL may fail in memory, too."""
    compressed = cog.compressed
    layer = MeasureLayer(tmp_path / "map.tif", ["a"])

    def damaged(values, compression):
        return [each._replace(checksum=0) for each in compressed(values, compression)]

    monkeypatch.setattr(growing, "compressed", damaged)
    whole = [(Window(0, 0, 5, 7), [np.ones((1, 5, 7), np.uint8)])]
    with pytest.raises(DiskError, match="does not read back"):
        write_layers([layer], plane(5, 7), whole, tags={}, scratch=tmp_path / "s")
    assert [each.name for each in tmp_path.iterdir()] == ["s"]
