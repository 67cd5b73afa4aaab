"""Make the README's picture of report.html: a page of the sample in a real browser.

    pip install 'geoseg[test]'   # and Debian's packages chromium and chromium-driver
    python workflows/make_report_picture.py [--output docs/report.png]

It maps the sample, opens the page that the run leaves, moves the swipe line, points at
a pixel and takes a picture of the window. You learn how to drive a page by a script.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import geoseg

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_aoi"
SIZE = 1200, 720
FLAGS = ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu")
READY = "return 'ready' in document.documentElement.dataset"
POINT = 0.84, 0.33
"""Where the mouse is, in shares of the map."""


def main() -> None:
    """Map the sample, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "report.png")
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "out", "report.html")
        geoseg.segment(SAMPLE / "scene.tif", page.parent, aoi=SAMPLE / "aoi.geojson")
        take_picture(page, output)
    print(f"{output}: {output.stat().st_size / 1e3:,.0f} kB")


def take_picture(page: Path, output: Path) -> None:
    """Save what a window of the page shows as PNG, with few colours."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--window-size={SIZE[0]},{SIZE[1]}"):
        options.add_argument(flag)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    with webdriver.Chrome(options=options, service=service) as browser:
        width, height = SIZE
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(page.as_uri())
        wait = WebDriverWait(browser, 60)
        wait.until(lambda it: it.execute_script(READY))
        frame = browser.find_element("id", "map").rect
        mouse = webdriver.ActionChains(browser)
        swipe = browser.find_element("id", "swipe")
        mouse.drag_and_drop_by_offset(swipe, -round(0.12 * frame["width"]), 0).perform()
        position = (
            frame[side] + share * frame[length]
            for side, length, share in (
                ("x", "width", POINT[0]),
                ("y", "height", POINT[1]),
            )
        )
        x, y = (round(each) for each in position)
        mouse.w3c_actions.pointer_action.move_to_location(x, y)
        mouse.w3c_actions.perform()
        wait.until(lambda it: it.find_element("id", "label").text)
        picture = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
    picture.convert("RGB").quantize(256).save(output, optimize=True)


if __name__ == "__main__":
    main()
