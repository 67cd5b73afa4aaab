"""The preview shows the image and the map on the same ground, to scale."""

import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from matplotlib.image import imread
from pyproj import CRS

from geoseg.geo.geobox import GeoBox
from geoseg.geo.legend import LandClass, Legend
from geoseg.geo.windows import Window
from geoseg.raster import ClassMap, write_class_map
from geoseg.report.preview import write_preview
from geoseg.report.report import class_areas
from geoseg.report.slide import Page
from geoseg.scene import open_scene

UTM33 = CRS.from_epsg(32633)
GRID = Affine(10, 0, 499_960, 0, -10, 5_800_020)


@pytest.fixture
def painted(make_raster, tmp_path, legend):
    """Give a scene, bright in an odd shape, and a map of a part of it.

    The map is class 1 where the image is bright, else 4, and nodata in a strip.
    """

    def make(transform=GRID):
        bright = np.zeros((137, 251), np.bool_)
        bright[40:95, 60:90] = bright[80:95, 60:171] = True
        noise = np.random.default_rng(0).integers(1, 50, (3, *bright.shape), np.uint16)
        scene = make_raster(values=noise + 1000 * bright, transform=transform)
        window = Window(20, 31, 101, 199)
        classes = np.where(bright, 1, 4).astype(np.uint8)[window.slices()]
        classes[:7] = 255
        plane = GeoBox(137, 251, transform, UTM33).crop(window)
        path = tmp_path / "landcover.tif"
        parts = [(Window(0, 0, 101, 199), classes)]
        write_class_map(path, plane, parts, legend=legend, tags={}, scratch=tmp_path)
        return scene, path, classes

    return make


def draw(tmp_path, scene, map_path, legend, title="A title"):
    path = tmp_path / "preview.png"
    write_preview(
        path,
        scene=open_scene(scene),
        rgb=(2, 1, 0),
        map_path=map_path,
        legend=legend,
        areas=class_areas(ClassMap.open(map_path).extents(), legend),
        title=title,
        attribution="© somebody",
    )
    return path


def panels(path, aspect, rows):
    """Cut both panels out of a preview, without their frames: (y, x, rgb)."""
    page = Page.around(aspect, rows)
    picture = np.round(imread(path)[..., :3] * 255).astype(np.uint8)
    dots = picture.shape[0] / page.height
    for x, y in page.corners:
        left, top = round(x * dots) + 3, round(y * dots) + 3
        wide, high = (round(side * dots) - 6 for side in page.panel)
        yield picture[top : top + high, left : left + wide]


def test_both_panels_show_the_same_ground(painted, tmp_path, legend):
    scene, map_path, classes = painted()
    picture = draw(tmp_path, scene, map_path, legend)
    image, land_cover = panels(picture, 199 / 101, 2)
    water = (land_cover == legend.by_id(1).rgb).all(axis=-1)
    bright = image.min(axis=-1) > 200
    assert water.mean() == pytest.approx((classes == 1).mean(), abs=0.01)
    nodata = (land_cover == 255).all(axis=-1)
    assert nodata.mean() == pytest.approx(7 / 101, abs=0.02)
    assert (water != bright).mean() < 0.01


def test_the_same_inputs_give_the_same_bytes(painted, tmp_path, legend):
    scene, map_path, _ = painted()
    first = draw(tmp_path, scene, map_path, legend).read_bytes()
    assert draw(tmp_path, scene, map_path, legend).read_bytes() == first
    assert b"Software\0geoseg" in first  # so that it may be replaced
    assert b"Matplotlib" not in first  # no version of what drew it


def test_a_scene_on_a_rotated_grid_can_be_drawn(painted, tmp_path, legend):
    turned = Affine.translation(499_960, 5_800_020) @ Affine.rotation(30)
    scene, map_path, _ = painted(turned @ Affine.scale(10, -10))
    image, _ = panels(draw(tmp_path, scene, map_path, legend), 199 / 101, 2)
    assert (image.min(axis=-1) > 200).any()


def test_dollars_in_a_title_are_dollars(painted, tmp_path, legend):
    scene, map_path, _ = painted()
    assert draw(tmp_path, scene, map_path, legend, title=r"$1 and $\nonsense").exists()


def test_a_long_title_stays_on_the_page(painted, tmp_path, legend):
    scene, map_path, _ = painted()
    picture = imread(draw(tmp_path, scene, map_path, legend, title="wide " * 40))
    right_margin = picture[:, -30:, :3]
    assert right_margin.min() == 1.0


def test_a_map_without_any_class_can_be_drawn(make_raster, tmp_path, legend):
    scene = make_raster()
    with rasterio.open(scene) as dataset:
        plane = GeoBox(37, 53, dataset.transform, UTM33)
    path = tmp_path / "landcover.tif"
    write_class_map(path, plane, [], legend=legend, tags={}, scratch=tmp_path)
    assert draw(tmp_path, scene, path, legend).exists()


def test_thirty_classes_fit_a_slide(make_raster, tmp_path):
    many = Legend(tuple(LandClass(i, f"class {i}", f"#0000{i:02x}") for i in range(30)))
    scene = make_raster(transform=GRID)
    plane = GeoBox(37, 53, GRID, UTM33)
    classes = np.resize(np.arange(30, dtype=np.uint8), (37, 53))
    path = tmp_path / "landcover.tif"
    parts = [(Window(0, 0, 37, 53), classes)]
    write_class_map(path, plane, parts, legend=many, tags={}, scratch=tmp_path)
    height, width, _ = imread(draw(tmp_path, scene, path, many)).shape
    assert (height, width) <= (1125, 2000)


@pytest.mark.parametrize("aspect", [0.1, 0.7, 1.0, 1.6, 2.3, 9.0])
@pytest.mark.parametrize("rows", [0, 7, 15])
def test_a_page_holds_its_panels_and_its_legend_on_a_slide(aspect, rows):
    page = Page.around(aspect, rows)
    wide, high = page.panel
    assert wide / high == pytest.approx(aspect)
    assert page.width <= 13.34
    assert page.height <= 7.5
    for x, y in page.corners:
        assert x + wide < page.column
        assert y + high < page.height
    (x0, y0), (x1, y1) = page.corners
    assert x1 >= x0 + wide or y1 >= y0 + high


ON_THE_MERIDIAN = Affine(10, 0, 499_900, 0, -10, 5_800_100)

TURNED_LEFT = Affine.translation(499_900, 5_800_100) @ Affine.rotation(30)
TURNED_LEFT = TURNED_LEFT @ Affine.scale(10, -10)


@pytest.mark.parametrize(
    ("geobox", "degrees"),
    [
        (GeoBox(20, 20, ON_THE_MERIDIAN, UTM33), 0),
        (GeoBox(20, 20, TURNED_LEFT, UTM33), 30),
        (GeoBox(20, 20, Affine(10, 0, 499_900, 0, 10, 5_799_900), UTM33), 180),
        # Convergence of the meridians: (12.64 - 15) degrees x sin(52.5)
        (GeoBox(20, 20, Affine(10, 0, 340_000, 0, -10, 5_820_000), UTM33), 1.87),
        (GeoBox(20, 20, Affine(1e-4, 0, 20, 0, -1e-4, -30), CRS.from_epsg(4326)), 0),
    ],
    ids=["north-up", "turned", "south-up", "off the meridian", "degrees, south"],
)
def test_north_is_where_the_meridian_goes(geobox, degrees):
    """Angles are clockwise from the top of the picture."""
    right, up = geobox.ground().north
    angle = math.degrees(math.atan2(right, up))
    assert (angle - degrees + 180) % 360 - 180 == pytest.approx(0, abs=0.05)
    assert math.hypot(right, up) == pytest.approx(1)


def test_pixels_are_measured_on_the_ground():
    ground = GeoBox(20, 30, Affine(10, 0, 499_900, 0, -20, 5_800_100), UTM33).ground()
    assert ground.column_m == pytest.approx(10, rel=1e-3)
    assert ground.row_m == pytest.approx(20, rel=1e-3)
    degrees = GeoBox(20, 30, Affine(0.01, 0, 20, 0, -0.01, 60.1), CRS.from_epsg(4326))
    at_sixty = degrees.ground()
    assert at_sixty.column_m == pytest.approx(558.0, rel=1e-3)  # half of the equator's
    assert at_sixty.row_m == pytest.approx(1114.1, rel=1e-3)
