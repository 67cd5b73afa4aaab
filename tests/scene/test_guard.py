"""No file makes geoseg read what nobody named: each way that is known is shut.

Each hostile file is opened by GDAL alone first, where that is possible, so that a test
whose file has lost its sting fails.
"""

import os
import shutil
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import geopandas
import h5py
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from members import sample, write_raster
from web import served

from geoseg.cli import main
from geoseg.errors import InputError, LabelsError, SceneError
from geoseg.raster.read import ClassMap
from geoseg.scene import open_scene
from geoseg.scene.files.header import read_header
from geoseg.scene.files.redirects import stay_with
from geoseg.storage.allowed_drivers import allow_drivers, allowed_drivers
from geoseg.storage.fingerprint import take_fingerprint
from geoseg.storage.vectors.read import Role, read_layer

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")

SECRET = 4242
SHAPE = 64, 64
ROLE = Role("labels", "polygons", LabelsError)


@pytest.fixture
def named(tmp_path):
    """Give the folder that the user names, beside what the user did not name."""
    folder = tmp_path / "named"
    folder.mkdir()
    np.full(SHAPE, SECRET, "<u2").tofile(tmp_path / "secret.raw")
    pixels, transform, _ = sample((0, 32), (0, 32), bands=(1,))
    write_raster(tmp_path / "secret.tif", np.full_like(pixels, SECRET), transform)
    return folder


@pytest.fixture
def trap(tmp_path):
    """Serve what nobody named: a server that must see no request."""
    with served(tmp_path) as (address, server):
        yield address
        assert not server.requests, "a server was asked that nobody named"


def picture(path, **overviews):
    pixels, transform, _ = sample((0, 64), (0, 64), bands=(1,))
    write_raster(path, pixels, transform)
    if overviews:
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(ns="OVERVIEWS", **overviews)
    return path


def vrt_of(path, source):
    path.write_text(
        '<VRTDataset rasterXSize="32" rasterYSize="32">'
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def aux_of(path, source):
    path.with_name(f"{path.name}.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS">'
        f'<MDI key="OVERVIEW_FILE">{source}</MDI></Metadata></PAMDataset>'
    )
    return path


def isis(path, core):
    path.write_text(
        f"Object = IsisCube\n  Object = Core\n    ^Core = {core}\n"
        "    StartByte = 1\n    Format = BandSequential\n"
        "    Group = Dimensions\n      Samples = 64\n      Lines = 64\n"
        "      Bands = 1\n    End_Group\n    Group = Pixels\n"
        "      Type = UnsignedWord\n      ByteOrder = Lsb\n      Base = 0.0\n"
        "      Multiplier = 1.0\n    End_Group\n  End_Object\nEnd_Object\nEnd\n"
    )
    return path


def ers(path, core):
    path.write_text(
        'DatasetHeader Begin\n  Version = "6.0"\n'
        f'  DataFile = "{core}"\n  DataSetType = ERStorage\n'
        "  DataType = Raster\n  ByteOrder = LSBFirst\n  RasterInfo Begin\n"
        "    CellType = Unsigned16BitInteger\n    NrOfLines = 64\n"
        "    NrOfCellsPerLine = 64\n    NrOfBands = 1\n  RasterInfo End\n"
        "DatasetHeader End\n"
    )
    return path


def external_storage(path, raw):
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "a", SHAPE, "<u2", external=[(str(raw), 0, h5py.h5f.UNLIMITED)]
        )


def external_link(path, raw):
    with h5py.File(raw.with_suffix(".h5"), "w") as file:
        file["a"] = np.full(SHAPE, SECRET, "u2")
    with h5py.File(path, "w") as file:
        file["deep/a"] = h5py.ExternalLink(str(raw.with_suffix(".h5")), "/a")


def virtual_dataset(path, raw):
    with h5py.File(raw.with_suffix(".h5"), "w") as file:
        file["a"] = np.full(SHAPE, SECRET, "u2")
    layout = h5py.VirtualLayout(SHAPE, "u2")
    layout[:] = h5py.VirtualSource(str(raw.with_suffix(".h5")), "a", SHAPE)
    with h5py.File(path, "w", userblock_size=1024) as file:
        file.create_virtual_dataset("deep/a", layout)


HDF5 = (external_storage, external_link, virtual_dataset)


@pytest.mark.parametrize("inside", [True, False], ids=["internal", "aux.xml"])
@pytest.mark.parametrize("of_a_server", [True, False])
def test_overviews_of_another_file_are_not_read(
    named, trap, tmp_path, inside, of_a_server
):
    other = f"/vsicurl/{trap}/secret.tif" if of_a_server else tmp_path / "secret.tif"
    path = named / "a.tif"
    if inside:
        picture(path, OVERVIEW_FILE=other)
    else:
        aux_of(picture(path), other)
    if not of_a_server:
        with rasterio.open(path, overview_level=0) as dataset:
            assert (dataset.read(1) == SECRET).all(), "GDAL reads it"
    with pytest.raises(SceneError, match="overviews are another file"):
        open_scene(path)
    with pytest.raises(SceneError, match="overviews are another file"):
        ClassMap.open(path)


@pytest.mark.parametrize("suffix", [".ovr", ".msk", ".OVR", ".ovr.msk"])
def test_what_stands_beside_a_raster_is_a_tiff(named, trap, suffix):
    path = picture(named / "a.tif")
    if suffix.startswith(".ovr."):
        shutil.copy(path, named / "a.tif.ovr")
    vrt_of(named / f"a.tif{suffix}", f"/vsicurl/{trap}/secret.tif")
    with pytest.raises(SceneError, match=r"is no TIFF.* `allow_external_references`"):
        open_scene(path)


def test_overviews_beside_a_raster_name_no_other_file(named, trap):
    path = picture(named / "a.tif")
    picture(named / "a.tif.ovr", OVERVIEW_FILE=f"/vsicurl/{trap}/secret.tif")
    with pytest.raises(SceneError, match=r"a\.tif\.ovr says that its overviews"):
        open_scene(path)


def test_a_link_beside_a_raster_leads_to_nothing_elsewhere(named, tmp_path):
    path = picture(named / "a.tif")
    (named / "a.tif.ovr").symlink_to(tmp_path / "secret.tif")
    with pytest.raises(SceneError, match="in no folder that you named"):
        open_scene(path)


def test_overviews_and_masks_that_gdal_wrote_are_read(named):
    path = picture(named / "a.tif")
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2])
    hidden = np.zeros((1, *SHAPE), np.uint8)
    beside = write_raster(named / "a.tif.msk", hidden, rasterio.Affine.scale(2))
    with rasterio.open(beside, "r+") as mask:
        mask.update_tags(INTERNAL_MASK_FLAGS_1="2")
    assert (named / "a.tif.ovr").exists()
    scene = open_scene(path)
    assert scene.rasters[0].overviews == (2,)
    assert not scene.read(scene.window, (0,))[1].any(), "its mask hides all of it"


def test_what_is_kept_of_a_file_opens_no_door(named, trap, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOSEG_CACHE", str(tmp_path / "cache"))
    files = [picture(named / f"{number}.tif") for number in range(20)]
    assert len(open_scene(files).rasters) == 20
    assert list((tmp_path / "cache" / "headers").iterdir()), "headers are kept"
    vrt_of(named / "7.tif.ovr", f"/vsicurl/{trap}/secret.tif")
    with pytest.raises(SceneError, match=r"7\.tif\.ovr is no TIFF"):
        open_scene(files)


@pytest.mark.parametrize("name", ["a.cub", "a.tif"])
@pytest.mark.parametrize("write", [isis, ers])
def test_headers_that_name_their_data_are_refused(named, write, name):
    path = write(named / name, "../secret.raw")
    if write is isis:  # ERS goes by the name
        with rasterio.open(path) as dataset:
            assert (dataset.read(1) == SECRET).all(), "GDAL reads it"
    with pytest.raises(SceneError, match="`allow_external_references`"):
        open_scene(path)
    with pytest.raises(SceneError, match="cannot be opened as a raster"):
        ClassMap.open(path)


def test_a_vrt_of_a_header_that_names_its_data_is_refused(named):
    path = vrt_of(named / "a.vrt", isis(named / "b.tif", "../secret.raw"))
    with rasterio.open(path) as dataset:
        assert (dataset.read(1) == SECRET).all(), "GDAL reads it"
    with pytest.raises(SceneError, match="trusted to hold its own pixels"):
        open_scene(path)


@pytest.mark.parametrize("name", ["a.h5", "a.nc", "a.tif"])
@pytest.mark.parametrize("write", HDF5)
def test_hdf5_that_keeps_its_pixels_elsewhere_is_refused(named, tmp_path, write, name):
    path = named / name
    write(path, tmp_path / "secret.raw")
    with pytest.raises(SceneError, match=r"makes geoseg read other files \(the"):
        open_scene(path)
    dataset = "a" if write is external_storage else "deep/a"
    part = f'HDF5:"{path}"://{dataset}'
    with pytest.raises(SceneError, match=r"makes geoseg read other files \(the"):
        open_scene(part)
    if write is external_link:  # which depends on GDAL's release
        return
    with rasterio.open(part, driver="HDF5Image") as opened:
        assert (opened.read(1) == SECRET).all(), "GDAL reads it"


def test_hdf5_that_keeps_its_pixels_itself_is_admitted(named):
    path = named / "a.h5"
    with h5py.File(path, "w") as file:
        file["deep/a"] = np.ones(SHAPE, "u2")
        file["deep/again"] = file["deep"]  # a circle
        file["soft"] = h5py.SoftLink("/deep/a")
    with pytest.raises(SceneError, match=r"georeference|CRS|nowhere"):
        open_scene(f'HDF5:"{path}"://deep/a')


@pytest.mark.parametrize("name", ["a.h5", "a.nc", "a.tif"])
def test_hdf5_on_a_server_or_in_an_archive_is_refused(named, tmp_path, name):
    external_storage(named / name, tmp_path / "secret.raw")
    with served(named) as (address, _), pytest.raises(SceneError):
        open_scene(f"{address}/{name}")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(named / name, name)
    with pytest.raises(SceneError):
        open_scene(f"/vsizip/{tmp_path}/a.zip/{name}")


@pytest.mark.parametrize("suffix", ["", ".aux.xml", ".ovr", ".msk"])
def test_on_a_server_no_file_leads_elsewhere(named, trap, suffix, monkeypatch):
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "FALSE")
    other = f"/vsicurl/{trap}/secret.tif"
    path = named / "a.tif"
    picture(path, **({} if suffix else {"OVERVIEW_FILE": other}))
    if suffix == ".aux.xml":
        aux_of(path, other)
    elif suffix:
        vrt_of(named / f"a.tif{suffix}", other)
    with served(named) as (address, _):
        if not suffix:
            with pytest.raises(SceneError, match="overviews are another file"):
                open_scene(f"{address}/a.tif")
            return
        scene = open_scene(f"{address}/a.tif")
        assert not scene.rasters[0].overviews
        pixels, valid = scene.read(scene.window, (0,))
    assert valid.any()
    assert not (pixels == SECRET).any()


@pytest.mark.parametrize("suffix", [".ovr", ".msk"])
def test_in_an_archive_no_file_leads_elsewhere(named, trap, tmp_path, suffix):
    picture(named / "a.tif")
    vrt_of(named / f"a.tif{suffix}", f"/vsicurl/{trap}/secret.tif")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for each in named.iterdir():
            archive.write(each, each.name)
    with pytest.raises(SceneError, match="is no TIFF"):
        open_scene(f"/vsizip/{tmp_path}/a.zip/a.tif")


@pytest.mark.parametrize("name", ["a.cub", "a.tif"])
def test_on_a_server_headers_that_name_their_data_are_refused(named, trap, name):
    isis(named / name, f"/vsicurl/{trap}/secret.raw")
    with (
        served(named) as (address, _),
        pytest.raises(SceneError, match="cannot be opened as a raster"),
    ):
        open_scene(f"{address}/{name}")


class _Leading(BaseHTTPRequestHandler):
    """Lead to another address, and keep what was shown."""

    def do_GET(self):  # the library's name
        self.server.shown.append(self.headers.get("Authorization"))
        self.send_response(302)
        self.send_header("Location", self.server.to + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):  # the same
        self.do_GET()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def leading():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Leading)
    server.shown = []
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["secret.tif", "item.json"])
def test_a_server_leads_to_no_other_and_its_token_stays(
    trap, leading, name, monkeypatch
):
    monkeypatch.setenv("GDAL_HTTP_BEARER", "token")
    address, server = leading
    server.to = trap
    with pytest.raises(SceneError, match="on a server that you did not name"):
        open_scene(f"{address}/{name}")
    with pytest.raises(SceneError, match="on a server that you did not name"):
        take_fingerprint(f"{address}/{name}")
    assert set(server.shown) == {"Bearer token"}


@pytest.mark.parametrize("turns", ["when it is opened", "when it is read"])
def test_a_server_that_leads_gdal_alone_elsewhere_is_not_followed(
    named, tmp_path, turns
):
    noise = np.random.default_rng(0).integers(1, 4000, (1, 512, 512)).astype("u2")
    write_raster(named / "a.tif", noise, rasterio.Affine(10, 0, 4e5, 0, -10, 5.8e6))
    with served(tmp_path) as (elsewhere, other), served(named) as (address, server):
        answer = server.RequestHandlerClass
        server.leads = False

        class TwoFaced(answer):
            def _respond(self, server, number, *, body):
                asks = self.headers.get("User-Agent", "")
                if server.leads and "urllib" not in asks:
                    there = elsewhere.replace("127.0.0.1", "localhost")
                    self._send(302, b"", {"Location": f"{there}/named{self.path}"})
                else:
                    super()._respond(server, number, body=body)

        server.RequestHandlerClass = TwoFaced
        server.leads = True
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(f"/vsicurl/{address}/a.tif?sting") as dataset,
        ):
            assert dataset.read(1).any(), "GDAL follows"
        assert other.requests
        other.requests = 0
        if turns == "when it is opened":
            with pytest.raises(SceneError, match="leads to a server that you did not"):
                open_scene(f"{address}/a.tif")
        else:
            server.leads = False
            scene = open_scene(f"{address}/a.tif")
            server.leads = True
            with pytest.raises(SceneError, match="leads to a server that you did not"):
                scene.read(scene.window, (0,))
        assert not other.requests, "a server was asked that nobody named"


def test_a_proxy_of_the_network_is_left_alone(monkeypatch):
    path = "/vsicurl/https://me:word@data.example/a.tif"
    monkeypatch.setenv("no_proxy", "inner.example")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    assert not stay_with(path)
    monkeypatch.delenv("https_proxy")
    assert stay_with(path)
    assert stay_with("/vsizip//vsicurl/http://zips.example:81/a.zip/a.tif")
    assert stay_with("/vsicurl?max_retry=2&url=https%3A%2F%2Flong.example%2Fa.tif")
    hosts = "inner.example,data.example,zips.example,long.example"
    assert os.environ["no_proxy"] == hosts
    assert not stay_with("/vsis3/bucket/a.tif")
    assert not stay_with("a/vsicurl/a.tif")


def test_a_server_may_lead_to_addresses_of_its_own(named):
    picture(named / "a.tif")

    with served(named) as (address, server):
        answer = server.RequestHandlerClass

        class Moved(answer):
            def _respond(self, server, number, *, body):
                if self.path == "/old.tif":
                    self._send(302, b"", {"Location": "/a.tif"})
                else:
                    super()._respond(server, number, body=body)

        server.RequestHandlerClass = Moved
        scene = open_scene(f"{address}/old.tif")
        assert scene.read(scene.window, (0,))[1].any()


def test_the_schema_of_a_gml_file_is_not_fetched(named, trap):
    path = named / "a.gml"
    path.write_text(
        '<ogr:FeatureCollection xmlns:ogr="http://ogr.maptools.org/" '
        'xmlns:gml="http://www.opengis.net/gml" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="http://ogr.maptools.org/ {trap}/a.xsd">'
        '<gml:featureMember><ogr:a fid="1"><ogr:geometryProperty>'
        '<gml:Point srsName="EPSG:4326"><gml:coordinates>1,2</gml:coordinates>'
        "</gml:Point></ogr:geometryProperty><ogr:class>water</ogr:class></ogr:a>"
        "</gml:featureMember></ogr:FeatureCollection>"
    )
    assert len(read_layer(path, ROLE).shapes) == 1


def test_vectors_of_formats_that_are_not_known_are_refused(named):
    path = named / "a.gmt"
    points = geopandas.points_from_xy([1], [2])
    geopandas.GeoDataFrame({"class": ["a"]}, geometry=points, crs=4326).to_file(
        path, driver="OGR_GMT"
    )
    with pytest.raises(LabelsError, match=r"\(OGR_GMT\) that may make geoseg read"):
        read_layer(path, ROLE)


def test_a_seamless_map_of_other_maps_is_refused(named):
    path = named / "a.tab"
    path.write_text(
        "!table\n!version 300\n!charset Neutral\n\nDefinition Table\n"
        '  Type NATIVE Charset "Neutral"\n  Fields 1\n    Table Char (100) ;\n'
        'begin_metadata\n"\\IsSeamless" = "TRUE"\nend_metadata\n'
    )
    with pytest.raises(LabelsError, match="stands for other files"):
        read_layer(path, ROLE)


def test_a_driver_that_is_named_opens_files_whose_data_lie_beside_them(named):
    isis(named / "a.lbl", "pixels.raw")
    shutil.copy(named.parent / "secret.raw", named / "pixels.raw")
    with pytest.raises(SceneError, match=r"`driver='ISIS3'`, or .*`allow_external"):
        read_header(str(named / "a.lbl"), [named])
    with allow_drivers("isis3"):
        assert read_header(str(named / "a.lbl"), [named]).driver == "ISIS3"
    with pytest.raises(SceneError):
        read_header(str(named / "a.lbl"), [named])


def test_a_driver_that_is_named_opens_no_way_elsewhere(named):
    isis(named / "a.lbl", "../secret.raw")
    with (
        allow_drivers("ISIS3"),
        pytest.raises(SceneError, match=r"secret\.raw, which is in no folder"),
    ):
        read_header(str(named / "a.lbl"), [named])


def test_vectors_of_a_driver_that_is_named_are_read(named):
    path = named / "a.gmt"
    points = geopandas.points_from_xy([1], [2])
    geopandas.GeoDataFrame({"class": ["a"]}, geometry=points, crs=4326).to_file(
        path, driver="OGR_GMT"
    )
    with pytest.raises(LabelsError, match=r"allow that by `driver='OGR_GMT'`"):
        read_layer(path, ROLE)
    with allow_drivers("OGR_GMT"):
        assert len(read_layer(path, ROLE).shapes) == 1


def test_the_command_line_takes_a_driver_and_refuses_one_that_is_none(named):
    isis(named / "a.lbl", "../secret.raw")
    path = str(named / "a.lbl")
    result = CliRunner().invoke(main, ["vectorize", path, "-o", f"{named}/a.gpkg"])
    assert "--driver ISIS3" in result.stderr
    for driver, sentence in (
        ("ISIS3", "which is in no folder"),
        ("NONE", "no driver 'NONE'; --driver"),
    ):
        result = CliRunner().invoke(main, ["info", path, "--driver", driver])
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert not allowed_drivers()


@pytest.mark.parametrize("door", [open_scene, ClassMap.open], ids=["scene", "map"])
def test_names_that_are_no_text_are_refused(tmp_path, door):
    path = write_raster(
        tmp_path / "a.tif",
        np.ones((1, 8, 8), np.uint8),
        rasterio.Affine.scale(10),
        names=["NAME"],
    )
    path.write_bytes(path.read_bytes().replace(b"NAME", b"\xff\x98ME"))
    with pytest.raises(InputError, match=r"a\.tif holds names or tags .*not in UTF-8"):
        door(path)
