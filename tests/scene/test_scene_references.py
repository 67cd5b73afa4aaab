"""Inputs are data, not programs: what a file refers to is looked at before it is."""

import numpy as np
import pytest
from members import sample, write_raster

from geoseg.errors import SceneError
from geoseg.scene import SceneOptions, open_scene

VRT = """<VRTDataset rasterXSize="30" rasterYSize="20">
  <SRS>EPSG:32633</SRS>
  <GeoTransform>330000, 10, 0, 5822040, 0, -10</GeoTransform>
  <VRTRasterBand dataType="UInt16" band="1" {attributes}>
    {more}
    <SimpleSource>
      <SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>
      <SourceBand>1</SourceBand>
    </SimpleSource>
  </VRTRasterBand>
</VRTDataset>
"""


def write_vrt(path, source, *, relative=1, attributes="", more=""):
    text = VRT.format(
        source=source, relative=relative, attributes=attributes, more=more
    )
    path.write_text(text)
    return path


@pytest.fixture
def inside(tmp_path):
    """Give a folder with a raster, beside another raster that was not named."""
    pixels, transform, _ = sample((0, 20), (0, 30), bands=(1,))
    folder = tmp_path / "named"
    folder.mkdir()
    write_raster(folder / "in.tif", pixels, transform)
    write_raster(tmp_path / "secret.tif", pixels + 1, transform)
    return folder


def test_a_vrt_of_files_beside_it_is_read(inside):
    scene = open_scene(write_vrt(inside / "a.vrt", "in.tif"))
    expected = open_scene(inside / "in.tif")
    for read, known in zip(
        scene.read(scene.window, (0,)), expected.read(scene.window, (0,)), strict=True
    ):
        assert np.array_equal(read, known)


def test_a_vrt_of_files_elsewhere_wants_the_users_word(inside, tmp_path):
    secret = tmp_path / "secret.tif"
    vrt = write_vrt(inside / "a.vrt", secret, relative=0)
    with pytest.raises(
        SceneError, match=r"makes geoseg read '/.*secret\.tif' \(SourceFilename\)"
    ):
        open_scene(vrt)
    assert open_scene(vrt, SceneOptions(allow_external_references=True)).bands == ("",)
    assert open_scene([vrt, secret]).bands == ("",), "its folder is named as well"


@pytest.mark.parametrize(
    "source",
    [
        "../secret.tif",
        "inner.vrt",
        "link.tif",
        "http://127.0.0.1:9/a.tif",
        "/vsicurl/http://127.0.0.1:9/a.tif",
        "/etc/passwd",
        "&lt;VRTDataset&gt;&lt;/VRTDataset&gt;",
        "vrt://../secret.tif?bands=1",
        'NETCDF:"../x.nc":a',
    ],
)
def test_no_way_leads_outside(inside, tmp_path, source):
    write_vrt(inside / "inner.vrt", "../secret.tif")
    (inside / "link.tif").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(SceneError, match="`allow_external_references`"):
        open_scene(write_vrt(inside / "a.vrt", source))


@pytest.mark.parametrize(
    "more",
    [
        "<Metadata><MDI key='X_DATASET'>../secret.tif</MDI></Metadata>",
        "<GDALWarpOptions><SourceDataset>../secret.tif</SourceDataset></GDALWarpOptions>",
        "<Overview><SourceFilename>../secret.tif</SourceFilename></Overview>",
        "<Argument name='gain_dataset_filename_1'>../secret.tif</Argument>",
        "<Option key='RPC_DEM'>../secret.tif</Option>",
    ],
)
def test_other_attributes_with_a_name_are_looked_at_too(inside, more):
    with pytest.raises(SceneError, match=r"'\.\./secret\.tif'"):
        open_scene(write_vrt(inside / "a.vrt", "in.tif", more=more))


def test_python_in_a_vrt_is_refused(inside):
    more = (
        "<PixelFunctionType>f</PixelFunctionType>"
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    )
    vrt = write_vrt(
        inside / "a.vrt",
        "in.tif",
        attributes='subClass="VRTDerivedRasterBand"',
        more=more,
    )
    with pytest.raises(SceneError, match="in Python is refused"):
        open_scene(vrt)


def test_a_vrt_in_circles_is_refused(inside):
    with pytest.raises(SceneError, match="VRTs in VRTs without end"):
        open_scene(write_vrt(inside / "a.vrt", "a.vrt"))


def test_entities_are_not_expanded(inside):
    vrt = write_vrt(inside / "a.vrt", "in.tif")
    vrt.write_text('<!DOCTYPE x [<!ENTITY a "b">]>' + vrt.read_text())
    with pytest.raises(SceneError, match="declares XML entities"):
        open_scene(vrt)


@pytest.mark.parametrize(
    "text",
    ["<GDAL_WMS><Service/></GDAL_WMS>", "<GDALTileIndexDataset/>", "<MRF_META/>"],
)
def test_files_that_stand_for_services_want_the_users_word(inside, text):
    path = inside / "service.xml"
    path.write_text(text)
    with pytest.raises(SceneError, match=r"stands for .* `allow_external_references`"):
        open_scene(path)


def test_a_damaged_vrt_is_named(inside):
    path = inside / "a.vrt"
    path.write_text("<VRTDataset><oops>")
    with pytest.raises(SceneError, match=r"a\.vrt is a damaged VRT"):
        open_scene(path)
