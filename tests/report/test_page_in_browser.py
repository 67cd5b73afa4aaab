"""A page does in a browser what it is for: Debian's Chromium, without a network."""

import base64
import io
import json
import re
import shutil
import threading
from itertools import combinations

import numpy as np
import pytest
from pages import ATTACK, CORNER, LEGEND, write_page_of_noise
from PIL import Image
from pyproj import CRS

import geoseg
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.raster import ClassMap, write_class_map
from geoseg.report.imagery import Shown, Stretch
from geoseg.report.map_page import MapPage, write_map_page
from geoseg.report.pyramid import ClassPlanes
from geoseg.report.report import class_areas
from geoseg.report.view import PageServer
from geoseg.scene import open_scene

webdriver = pytest.importorskip("selenium.webdriver")
actions = pytest.importorskip("selenium.webdriver.common.actions.action_builder")
support = pytest.importorskip("selenium.webdriver.support.ui")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,  # a browser takes seconds to start
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium here"),
]
SIZE = 1440, 900
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --force-device-scale-factor=1 --hide-scrollbars "
    "--host-resolver-rules=MAP&*&~NOTFOUND&,&EXCLUDE&127.0.0.1"
)
READY = "return 'ready' in document.documentElement.dataset"
SHOW_PIXEL = """
const [col, row] = arguments, { map, view, toPlace } = geosegMap;
view.setResolution(10 / 8);  // eight screen pixels a pixel
view.setCenter(toPlace(col - 19.5, row + 0.5));  // beside the swipe line
map.renderSync();
const box = document.getElementById("map").getBoundingClientRect();
const at = map.getPixelFromCoordinate(toPlace(col + 0.5, row + 0.5));
return [box.left + at[0], box.top + at[1]];
"""
ROW, COL = 123, 345


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in QUIET.split():
        options.add_argument(flag.replace("&", " "))
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_page_of_noise(tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(browser, made):
    """Open the page at the size of a desk, and give the browser."""
    resize(browser, *SIZE)
    browser.get(made[0].as_uri())
    wait(browser, lambda: browser.execute_script(READY))
    return browser


def resize(browser, width, height):
    metrics = {
        "width": width,
        "height": height,
        "deviceScaleFactor": 1,
        "mobile": False,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def wait(browser, until):
    support.WebDriverWait(browser, 60).until(lambda _: until())


def element(browser, name):
    return browser.find_element("id", name)


def point_at(browser, row, col):
    """Put the mouse on a pixel of the map, and give where that is."""
    x, y = browser.execute_script(SHOW_PIXEL, col, row)
    mouse = actions.ActionBuilder(browser)
    mouse.pointer_action.move_to_location(round(x), round(y))
    mouse.perform()
    return round(x), round(y)


def colour(browser, point):
    """Look at the screen."""
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    return picture.getpixel((point[0] - 2, point[1] + 2))


def drag_swipe(browser, x):
    handle = element(browser, "swipe")
    left = handle.rect["x"] + handle.rect["width"] / 2
    mouse = webdriver.ActionChains(browser, duration=0)
    mouse.click_and_hold(handle).move_by_offset(round(x - left), 0).release().perform()


def class_at(made, row, col):
    return next(each for each in LEGEND if each.id == made[1][row, col])


def test_it_loads_without_an_error_and_asks_nobody(page):
    assert page.get_log("browser") == []
    sent = [
        json.loads(each["message"])["message"] for each in page.get_log("performance")
    ]
    asked = [
        each["params"]["request"]["url"]
        for each in sent
        if each["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
    assert not page.find_elements("tag name", "img")
    assert page.find_element("tag name", "h1").text == ATTACK


def test_the_class_under_the_cursor_is_that_of_the_map(page, made):
    label = element(page, "label")
    for row, col in ((ROW, COL), (0, 20), (299, 530), (255, 256)):
        point_at(page, row, col)
        sure = made[2][row, col]
        expected = f"{class_at(made, row, col).name} · {sure} %"
        wait(page, lambda expected=expected: label.text == expected)
    point_at(page, 150, 10)
    wait(page, lambda: label.text == "no data")
    x, y = re.search(r"x, y (\d+), (\d+)", element(page, "readout").text).groups()
    assert (int(x), int(y)) == pytest.approx((400_065, 5_798_515), abs=1.5)


def test_the_swipe_line_parts_image_and_map(page, made):
    point = point_at(page, ROW, COL)
    drag_swipe(page, point[0] - 100)
    wait(page, lambda: colour(page, point) == class_at(made, ROW, COL).rgb)
    drag_swipe(page, point[0] + 100)
    wait(page, lambda: colour(page, point)[0] > 150)  # the image is red
    element(page, "swipe").send_keys("\ue011")  # Home
    wait(page, lambda: colour(page, point) == class_at(made, ROW, COL).rgb)


def test_the_legend_hides_a_class_and_the_slider_fades_the_map(page, made):
    point = point_at(page, ROW, COL)
    drag_swipe(page, point[0] - 100)
    shown = class_at(made, ROW, COL)
    wait(page, lambda: colour(page, point) == shown.rgb)
    box = page.find_element("css selector", f"input[data-class='{shown.id}']")
    box.click()
    wait(page, lambda: colour(page, point)[0] > 150)
    box.click()
    wait(page, lambda: colour(page, point) == shown.rgb)
    page.execute_script(
        "const it = document.getElementById('opacity'); it.value = 50;"
        "it.dispatchEvent(new Event('input'))"
    )

    def is_half():
        seen, image = np.array(colour(page, point)), np.array([225, 25, 25])
        return np.abs(seen - (np.array(shown.rgb) + image) / 2).max() < 40

    wait(page, is_half)


# Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation
# of color vision deficiency, IEEE TVCG 15: deuteranopia, of linear red, green and blue.
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)


def without_red_and_green(picture):
    """Show a picture, shape (y, x, rgb), as who takes red for green sees it."""
    share = np.asarray(picture) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(DEUTERANOPIA).T, 0, 1)
    return 255 * np.where(
        seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055
    )


def test_patterns_tell_classes_apart_for_who_does_not_see_red_and_green(
    browser, tmp_path
):
    legend = geoseg.load_package("sentinel2-landcover").legend
    ids = np.array(legend.ids, np.uint8)
    path, plane = tmp_path / "map.tif", GeoBox(40, 90, CORNER, CRS.from_epsg(32633))
    classes = np.broadcast_to(np.repeat(ids, 90 // len(ids) + 1)[:90], (40, 90))
    parts = [(Window(0, 0, 40, 90), classes)]
    write_class_map(path, plane, parts, legend=legend, tags={}, scratch=tmp_path)
    page = MapPage(
        title="Stripes",
        subtitle="of all classes",
        planes=ClassPlanes(plane, path, None),
        legend=legend,
        areas=class_areas(ClassMap.open(path).extents(), legend),
    )
    write_map_page(tmp_path / "page.html", page, 10)
    browser.get((tmp_path / "page.html").as_uri())
    wait(browser, lambda: browser.execute_script(READY))
    swatches = browser.find_elements("css selector", "canvas[data-swatch]")
    assert len(swatches) == len(legend)

    def nearest():
        """Measure how far the two classes differ that look most alike."""
        pictures = (Image.open(io.BytesIO(each.screenshot_as_png)) for each in swatches)
        seen = [without_red_and_green(each.convert("RGB")) for each in pictures]
        return min(np.abs(a - b).mean() for a, b in combinations(seen, 2))

    assert nearest() < 12, "cropland and grassland, of 256 steps"
    element(browser, "patterns").click()
    wait(browser, lambda: nearest() > 20)


def test_a_doubtful_place_is_one_click_away(page):
    page.find_element("css selector", "button[data-place='0']").click()
    data = json.loads(element(page, "data").get_attribute("textContent"))
    metres, point = data["plane"]["row_m"], data["places"][0]
    there = [point["col"] * metres, -point["row"] * metres]
    middle = "return geosegMap.view.getCenter()"
    wait(page, lambda: page.execute_script(middle) == pytest.approx(there, abs=0.1))


@pytest.mark.parametrize("width", [375, 1440])
def test_nothing_is_wider_than_the_window(page, width):
    resize(page, width, 812)
    wide = "return document.documentElement.scrollWidth"
    wait(page, lambda: page.execute_script(wide) == width)


def test_it_prints_to_one_page_with_both_pictures(page):
    painted = "return document.getElementById('paper-first').width"
    assert page.execute_script(painted) == 531
    settings = {"preferCSSPageSize": True, "printBackground": True}
    pdf = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", settings)["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    assert len(re.findall(rb"/Subtype\s*/Image", pdf)) >= 2


def test_a_served_page_knows_every_pixel(browser, tmp_path):
    made = write_page_of_noise(tmp_path, (900, 1300), megabytes=0.01)
    resize(browser, *SIZE)
    scene = open_scene([tmp_path / "image.tif"])
    image = Shown(scene, (0, 1, 2), Stretch(((0, 255),) * 3))
    with PageServer(tmp_path, 0, image) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            browser.get(server.url)
            wait(browser, lambda: browser.execute_script(READY))
            point_at(browser, 777, 1001)
            shown = class_at(made, 777, 1001)
            expected = f"{shown.name} · {made[2][777, 1001]} %"
            wait(browser, lambda: element(browser, "label").text == expected)
            # The finest tiles of the image are asked for, and come.
            script = "return performance.getEntriesByType('resource').map(e => e.name)"
            finest = f"{server.url}tiles/image/2/"
            wait(
                browser,
                lambda: any(
                    url.startswith(finest) for url in browser.execute_script(script)
                ),
            )
            assert browser.get_log("browser") == []
        finally:
            server.close()
            thread.join()
