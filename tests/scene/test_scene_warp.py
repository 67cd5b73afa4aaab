"""Reading on another grid: where pixels are, what is there, and no trace of windows."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from members import cut_members, sample, write_raster
from pyproj import CRS, Transformer

from geoseg.errors import SceneError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.scene import SceneOptions, open_scene
from geoseg.scene.warp.coordinates import pixel_coordinates

UTM33, UTM32, EUROPE, DEGREES = (CRS.from_epsg(n) for n in (32633, 32632, 3035, 4326))
PLANE = GeoBox(768, 1536, Affine(10, 0, 330_000, 0, -10, 5_822_040), UTM33)


def exact_coordinates(grid, window, plane):
    """Ask PROJ for every pixel."""
    rows, cols = np.meshgrid(
        np.arange(*window.rows) + 0.5, np.arange(*window.cols) + 0.5, indexing="ij"
    )
    t, back = grid.transform, ~plane.transform
    xs, ys = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    xs, ys = Transformer.from_crs(grid.crs, plane.crs, always_xy=True).transform(xs, ys)
    return back.d * xs + back.e * ys + back.f, back.a * xs + back.b * ys + back.c


GRIDS = {
    "next zone": GeoBox(700, 1400, Affine(10, 0, 738_000, 0, -10, 5_830_000), UTM32),
    "off its own lattice": GeoBox(
        700, 1400, Affine(10, 0, 738_003, 0, -10, 5_830_007), UTM32
    ),
    "equal area": GeoBox(
        700, 1400, Affine(10, 0, 4_490_000, 0, -10, 3_270_000), EUROPE
    ),
    "degrees": GeoBox(700, 1400, Affine(1.5e-4, 0, 12.5, 0, -9e-5, 52.52), DEGREES),
    "turned": GeoBox(
        700,
        1400,
        Affine.translation(738_000, 5_830_000)
        @ Affine.rotation(33)
        @ Affine.scale(10, -10),
        UTM32,
    ),
    "a continent in pixels of 5 km": GeoBox(
        900, 1000, Affine(0.05, 0, -25, 0, -0.05, 75), DEGREES
    ),
    "the world": GeoBox(720, 1440, Affine(0.25, 0, -180, 0, -0.25, 90), DEGREES),
}


@pytest.mark.parametrize("name", GRIDS)
def test_coordinates_are_off_by_a_twentieth_of_a_pixel_at_most(name):
    grid = GRIDS[name]
    plane = PLANE
    if name in {"a continent in pixels of 5 km", "the world"}:
        plane = GeoBox(2000, 2000, Affine(5000, 0, 2e6, 0, -5000, 6e6), EUROPE)
    window = Window(37, 101, 640, 1200)
    rows, cols = pixel_coordinates(grid, window, plane)
    known_rows, known_cols = exact_coordinates(grid, window, plane)
    known = np.isfinite(known_rows) & np.isfinite(known_cols)
    assert (np.isfinite(rows) & np.isfinite(cols) == known).all()
    assert known.mean() > 0.5
    # Where the file is: far off it, nobody asks.
    near = known & (np.abs(known_rows) < 1e4) & (np.abs(known_cols) < 1e4)
    assert np.abs(rows - known_rows)[near].max() <= 0.05
    assert np.abs(cols - known_cols)[near].max() <= 0.05


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_pixel_is_at_the_same_position_in_every_window(data):
    grid = GRIDS[
        data.draw(st.sampled_from(["off its own lattice", "degrees", "turned"]))
    ]
    row, col = data.draw(st.integers(0, 600)), data.draw(st.integers(0, 1300))
    window = Window(
        row, col, data.draw(st.integers(1, 99)), data.draw(st.integers(1, 99))
    )
    outer = Window(max(row - 45, 0), max(col - 31, 0), 190, 190)
    inside = pixel_coordinates(grid, window, PLANE)
    around = pixel_coordinates(grid, outer, PLANE)
    part = window.relative_to(outer).slices()
    for found, known in zip(inside, around, strict=True):
        assert found.tobytes() == known[part].tobytes()


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """Give members in two UTM zones, that overlap and have gaps."""
    folder = tmp_path_factory.mktemp("zones") / "members"
    cut_members(folder, rows=2, cols=4, side=90)
    pixels, transform, names = sample((0, 200), (300, 700))
    scene = open_scene(
        write_raster(folder.parent / "east.tif", pixels, transform, names=names),
        SceneOptions(crs="EPSG:32632", resolution=10),
    )
    warped, valid = scene.read(scene.window, (0, 1, 2))
    write_raster(
        folder / "zone_32.tif",
        np.where(valid, warped, 0),
        scene.geobox.transform,
        crs="EPSG:32632",
        names=names,
    )
    return folder


CHOICES = (
    {"crs": "EPSG:32632"},
    {"crs": "EPSG:3035", "resolution": 25, "resampling": "cubic"},
    {"crs": "EPSG:4326", "resolution": (0.0002, 0.0001), "resampling": "nearest"},
    {"crs": "EPSG:32633", "resolution": 4, "valid": "any"},
)


@pytest.fixture(scope="module", params=CHOICES, ids=str)
def warped(request, zones):
    """Give members of two zones on a grid that was chosen, and all of its pixels."""
    scene = open_scene(zones, SceneOptions(**request.param))
    return scene, *scene.read(scene.window, (2, 0))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_however_windows_are_cut_the_bytes_are_the_same(warped, data):
    scene, whole, valid = warped
    height, width = valid.shape
    assert valid.mean() > 0.2
    row, col = (
        data.draw(st.integers(0, height - 1)),
        data.draw(st.integers(0, width - 1)),
    )
    window = Window(
        row,
        col,
        data.draw(st.integers(1, min(height - row, 150))),
        data.draw(st.integers(1, min(width - col, 150))),
    )
    pixels, part = scene.read(window, (2, 0))
    assert np.array_equal(part, valid[window.slices()])
    assert pixels.tobytes() == whole[(slice(None), *window.slices())].tobytes()


@pytest.mark.parametrize("side", [(900, 90), (90, 900)])
def test_what_is_held_at_a_time_never_shows(zones, monkeypatch, side):
    scene = open_scene(zones, SceneOptions(crs="EPSG:32632", resampling="cubic"))
    window = Window(0, 0, *side).intersection(scene.window)
    whole, valid = scene.read(window, (0, 1, 2))
    monkeypatch.setattr("geoseg.scene.warp.warped._MOST", 500)
    pixels, part = scene.read(window, (0, 1, 2))
    assert valid.any()
    assert np.array_equal(part, valid)
    assert pixels.tobytes() == whole.tobytes()


def test_bounds_crop_and_move_nothing(zones):
    chosen = {"crs": "EPSG:3035", "resolution": 10}
    whole = open_scene(zones, SceneOptions(**chosen))
    bounds = whole.geobox.bounds
    part = open_scene(
        zones,
        SceneOptions(
            **chosen,
            bounds=(
                bounds.left + 1003,
                bounds.bottom + 707,
                bounds.right,
                bounds.top - 9,
            ),
        ),
    )
    assert part.geobox == whole.geobox
    assert part.area == Window(
        1, 100, whole.geobox.height - 72, whole.geobox.width - 100
    )
    with pytest.raises(SceneError, match="hold no pixel of the scene, which covers"):
        open_scene(zones, SceneOptions(**chosen, bounds=(0, 0, 1, 1)))
    with pytest.raises(SceneError, match="`bounds` are left, bottom, right, top"):
        open_scene(zones, SceneOptions(**chosen, bounds=(5, 5, 1, 1)))


def cubic(x):
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def triangle(x):
    return max(0.0, 1 - abs(x))


def weigh(pixels, data, row, col, kernel):
    """Weigh the pixels with data around a point: their mean, and whether all had it."""
    total = weights = 0.0
    complete = True
    middle = np.array([math.floor(row), math.floor(col)])
    around = np.indices((7, 7)).reshape(2, -1).T + middle
    for i, j in around - 3:
        weight = kernel(i + 0.5 - row) * kernel(j + 0.5 - col)
        there = 0 <= i < pixels.shape[0] and 0 <= j < pixels.shape[1] and data[i, j]
        if there:
            total, weights = total + weight * pixels[i, j], weights + weight
        complete = complete and (there or weight == 0)
    return total / weights if weights else None, complete


def naive(pixels, data, row, col, method):
    """Read one point of one band as the definition says, in plain Python."""
    if not (0 <= row < pixels.shape[0] and 0 <= col < pixels.shape[1]):
        return None
    if not data[math.floor(row), math.floor(col)]:
        return None
    if method == "nearest":
        return pixels[math.floor(row), math.floor(col)]
    value, complete = weigh(
        pixels, data, row, col, cubic if method == "cubic" else triangle
    )
    return value if complete else weigh(pixels, data, row, col, triangle)[0]


@pytest.mark.parametrize("method", ["nearest", "bilinear", "cubic"])
def test_values_are_those_of_the_definition(tmp_path, method):
    pixels, transform, _ = sample((0, 60), (0, 70), bands=(1,))
    pixels[0, 20:30, 5:40] = 0
    path = write_raster(tmp_path / "a.tif", pixels, transform)
    scene = open_scene(path, SceneOptions(crs="EPSG:32632", resampling=method))
    found, valid = scene.read(scene.window, (0,))
    rows, cols = pixel_coordinates(scene.geobox, scene.window, open_scene(path).geobox)
    for row, col in np.random.default_rng(0).integers(0, scene.geobox.height, (300, 2)):
        known = naive(
            pixels[0].astype(float),
            pixels[0] > 0,
            rows[row, col],
            cols[row, col],
            method,
        )
        assert valid[row, col] == (known is not None)
        if known is not None:
            assert found[0, row, col] == pytest.approx(
                min(max(known, 0), 65535), abs=0.51
            )


def test_invalid_pixels_never_leak(tmp_path):
    pixels, transform, _ = sample((0, 60), (0, 70))
    values = pixels.astype(np.float32)
    read = []
    for number, fill in enumerate((np.nan, 1e6, -1e30)):
        values[:, 20:30, 5:40] = fill
        nodata = None if np.isnan(fill) else fill
        path = write_raster(
            tmp_path / f"{number}.tif", values, transform, nodata=nodata
        )
        scene = open_scene(path, SceneOptions(crs="EPSG:3035", resampling="cubic"))
        found, valid = scene.read(scene.window, (0, 1, 2))
        read.append((np.where(valid, found, 0), valid))
    for found, valid in read[1:]:
        assert np.array_equal(valid, read[0][1])
        assert np.array_equal(found, read[0][0])


def test_a_pixel_that_covers_many_is_their_mean(tmp_path):
    pixels, transform, _ = sample((0, 320), (0, 320))
    path = write_raster(tmp_path / "a.tif", pixels, transform)
    scene = open_scene(path, SceneOptions(resolution=80))
    found, valid = scene.read(scene.window, (0, 1, 2))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    left, top = scene.geobox.transform.c, scene.geobox.transform.f
    col, row = round((left - transform.c) / 10), round((transform.f - top) / 10)
    blocks = np.pad(pixels.astype(float), ((0, 0), (64, 64), (64, 64)))
    blocks = blocks[:, row + 64 :, col + 64 :]
    size = scene.geobox.height, scene.geobox.width
    blocks = np.pad(blocks, ((0, 0), (0, 999), (0, 999)))[
        :, : size[0] * 8, : size[1] * 8
    ]
    means = blocks.reshape(3, size[0], 8, size[1], 8).mean(axis=(2, 4))
    off = np.abs(found - means)[inner]
    assert valid[inner[1:]].all()
    assert np.median(off) < 0.15 * means[inner].std()


def test_the_grid_of_another_raster_is_taken_to_the_last_bit(zones, tmp_path):
    pixels, _, _ = sample((0, 50), (0, 90))
    odd = Affine(7, 0, 744_001.25, 0, -9, 5_824_003.5)
    like = write_raster(tmp_path / "like.tif", pixels, odd, crs="EPSG:32632")
    scene = open_scene(zones, SceneOptions(like=str(like)))
    assert scene.geobox == open_scene(like).geobox
    with pytest.raises(SceneError, match="leave out `crs` and `resolution`"):
        open_scene(zones, SceneOptions(like=str(like), crs="EPSG:3035"))
    far = write_raster(tmp_path / "far.tif", pixels, odd, crs="EPSG:32733")
    with pytest.raises(SceneError, match=r"no file lies on .*far\.tif"):
        open_scene(zones, SceneOptions(like=str(far)))


def test_the_files_own_grid_is_read_as_it_is_where_it_is_chosen(tmp_path):
    pixels, transform, names = sample((0, 60), (0, 70))
    path = write_raster(tmp_path / "a.tif", pixels, transform, names=names)
    scene = open_scene(path, SceneOptions(crs="EPSG:32633", resolution=10))
    assert scene.members[0].layers[0].warp is None
    assert np.array_equal(scene.read(scene.members[0].window, (0, 1, 2))[0], pixels)


@pytest.mark.parametrize("way", ["south-up", "turned", "sheared"])
def test_odd_geotransforms_stay_as_they_are_and_can_be_put_right(tmp_path, way):
    pixels, transform, names = sample((0, 60), (0, 70))
    odd = {
        "south-up": Affine.translation(0, 60) @ Affine.scale(1, -1),
        "turned": Affine.rotation(20),
        "sheared": Affine.shear(10, 5),
    }[way]
    path = write_raster(tmp_path / "a.tif", pixels, transform @ odd, names=names)
    scene = open_scene(path)
    assert scene.geobox.transform == transform @ odd
    assert np.array_equal(scene.read(scene.window, (0, 1, 2))[0], pixels)
    upright = open_scene(path, SceneOptions(resolution=10, resampling="nearest"))
    assert upright.geobox.is_north_up
    found, valid = upright.read(upright.window, (0,))
    ground = np.abs((transform @ odd).determinant) * (pixels[0] > 0).sum()
    assert valid.sum() * 100 == pytest.approx(ground, rel=0.05)
    assert set(np.unique(found[0][valid])) <= set(np.unique(pixels[0]))


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        ({"crs": "EPSG:nowhere"}, "`crs` is no coordinate reference system"),
        ({"resolution": 0}, "`resolution` is a pixel's side"),
        ({"crs": "EPSG:3035", "resolution": 1e-9}, "choose a larger `resolution`"),
    ],
)
def test_grids_that_cannot_be_are_refused(zones, chosen, match):
    if "crs" not in chosen:
        chosen = {**chosen, "crs": "EPSG:32633"}
    with pytest.raises(SceneError, match=match):
        open_scene(zones, SceneOptions(**chosen))


def test_a_picture_of_a_warped_scene_shows_its_ground(zones):
    scene = open_scene(zones, SceneOptions(crs="EPSG:3035", resolution=10))
    picture = scene.picture(scene.window, (0, 1), (50, 80))
    valid = scene.read(scene.window, (0, 1))[1]
    rows = (np.arange(50) + 0.5) * scene.geobox.height / 50
    cols = (np.arange(80) + 0.5) * scene.geobox.width / 80
    there = valid[rows.astype(int)[:, np.newaxis], cols.astype(int)]
    assert (there == ~picture.mask[0]).mean() > 0.95


def numbered(path, number, transform, crs, size=(100, 100)):
    """Write two bands of one number."""
    pixels = np.full((2, *size), number, np.uint16)
    return write_raster(path, pixels, transform, crs=crs)


def spot(scene, longitude, latitude):
    """Read one point of a scene: the number there, 0 where there is none."""
    move = Transformer.from_crs(4326, scene.geobox.crs, always_xy=True)
    x, y = move.transform(longitude, latitude)
    if scene.geobox.crs.is_geographic:  # a grid may go on beyond 180 degrees
        x += 360 * round((scene.geobox.bounds.left + 1 - x) / 360)
    col, row = map(math.floor, ~scene.geobox.transform * (x, y))
    window = Window(row, col, 1, 1)
    if not scene.window.contains(window):
        return 0
    found, valid = scene.read(window, (0,))
    return int(found[0, 0, 0]) * bool(valid[0, 0])


@pytest.mark.parametrize(
    "chosen",
    [
        {"crs": "EPSG:3832", "resolution": 1000},
        {"crs": "EPSG:32660", "resolution": 1000},
        {"crs": "EPSG:32601", "resolution": 1000},
        {"crs": "EPSG:4326", "resolution": 0.01},
    ],
    ids=str,
)
def test_the_180th_meridian_is_no_edge(tmp_path, chosen):
    west = Affine(1000, 0, 750_000, 0, -1000, 100_000)
    east = Affine(1000, 0, 150_000, 0, -1000, 100_000)
    numbered(tmp_path / "a.tif", 7, west, "EPSG:32660")
    numbered(tmp_path / "b.tif", 8, east, "EPSG:32601")
    scene = open_scene(tmp_path, SceneOptions(**chosen))
    assert max(scene.geobox.height, scene.geobox.width) < 250
    assert [spot(scene, x, 0.5) for x in (179.4, 179.9, -179.7, -179.4)] == [7, 7, 8, 8]
    assert spot(scene, 0, 0.5) == 0


@pytest.mark.parametrize("crs", ["EPSG:32660", "EPSG:32601", "EPSG:4326"])
def test_a_file_in_degrees_may_go_on_beyond_180(tmp_path, crs):
    path = numbered(
        tmp_path / "a.tif", 9, Affine(0.02, 0, 179, 0, -0.02, 1), "EPSG:4326"
    )
    size = 0.01 if crs == "EPSG:4326" else 1000
    scene = open_scene(path, SceneOptions(crs=crs, resolution=size))
    longitudes = (179.1, 179.9, -179.9, -179.1, -178.9, 178.9)
    assert [spot(scene, x, 0.5) for x in longitudes] == [9, 9, 9, 9, 0, 0]
    _, valid = scene.read(scene.window, (0,))
    assert valid.mean() > 0.9


def test_where_a_projection_ends_there_is_no_data(tmp_path, recwarn):
    lon, lat = np.meshgrid(np.arange(-179.5, 180), np.arange(89.5, -90, -1))
    world = np.stack((lon + 200, lat + 100)).astype(np.float32)
    path = write_raster(
        tmp_path / "world.tif", world, Affine(1, 0, -180, 0, -1, 90), crs="EPSG:4326"
    )
    disc = CRS.from_user_input("+proj=ortho +lat_0=0 +lon_0=20 +R=6371000")
    like = write_raster(
        tmp_path / "like.tif",
        np.ones((1, 140, 150), np.uint8),
        Affine(100_000, 0, -7_500_000, 0, -100_000, 7_000_000),
        crs=disc.to_wkt(),
    )
    scene = open_scene(path, SceneOptions(like=str(like)))
    found, valid = scene.read(scene.window, (0, 1))
    xs, ys = np.meshgrid(*(np.arange(n) + 0.5 for n in (150, 140)))
    xs, ys = xs * 1e5 - 7.5e6, 7e6 - ys * 1e5
    apart = np.hypot(xs, ys)
    assert valid[apart < 6.35e6].all()
    assert not valid[apart > 6.39e6].any()
    inner = apart < 6e6
    to = Transformer.from_crs(disc, 4326, always_xy=True)
    lon, lat = (axis[inner] for axis in to.transform(xs, ys))
    assert np.abs(found[0][inner] - 200 - lon).max() < 0.1
    assert np.abs(found[1][inner] - 100 - lat).max() < 0.1
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]
    with pytest.raises(SceneError, match="choose a larger `resolution`"):
        open_scene(path, SceneOptions(crs="EPSG:3413", resolution=1e5))
