"""Open damaged files, one after the other, and say what came of each.

    python tests/support/fuzzed.py KIND FOLDER FIRST LAST

A line for each case goes to standard output: its number before it is tried, and after
it ``ok``, ``refused``, or what went wrong. So whoever reads them knows the case that a
crash or an endless loop belongs to.
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
from affine import Affine
from items import asset
from items import item as make_item
from paths import ROOT
from pyproj import CRS

from geoseg.errors import GeosegError
from geoseg.geo.geobox import GeoBox
from geoseg.geo.windows import Window
from geoseg.models.find import load_package
from geoseg.overlay.aoi import read_aoi
from geoseg.raster.legend_file import read_class_mapping
from geoseg.run.journal.journal import Entry, open_journal
from geoseg.scene import open_scene

MEMORY = 8 << 30
"""Bytes that a process may address: a header's lie must not fill a machine."""
PLANE = GeoBox(64, 64, Affine(10, 0, 400_000, 0, -10, 5_800_000), CRS.from_epsg(32633))
SHIPPED = ROOT / "geoseg" / "models" / "shipped"
CLASSES = b"""classes:
  - name: water
    id: 1
    colour: "#2f78b7"
    merge: [lake, "80"]
  - {name: B\xc3\xa4ume, id: 2, merge: [forest, 10, 20]}
"""
PLANTED_EVERY = 8
"""Of so many cases one names a server instead of being damaged."""
RUN_FILES = ("journal.jsonl", "identity.json")
EXTREMES = ("-1", "0", "1e999", "NaN", "99999999999", "null", '""', "[]", "{}", "1e-9")


def seed(kind: str, folder: Path) -> bytes:  # noqa: PLR0911  # a return a kind
    """Make an undamaged file of a kind."""
    if kind == "tiff":
        return make_tiff(folder / "seed.tif", compress="deflate", tiled=True)
    if kind == "strips":
        return make_tiff(folder / "seed.tif", compress="lzw", tiled=False)
    if kind == "vrt":
        make_tiff(folder / "seed.tif", compress="deflate", tiled=True)
        import rasterio.shutil  # noqa: PLC0415  # of one kind alone

        rasterio.shutil.copy(folder / "seed.tif", folder / "seed.vrt", driver="VRT")
        return (folder / "seed.vrt").read_bytes()
    if kind == "geojson":
        ring = "[[13.53,52.33],[13.54,52.33],[13.54,52.34],[13.53,52.34],[13.53,52.33]]"
        geometry = f'{{"type":"Polygon","coordinates":[{ring}]}}'
        feature = f'{{"type":"Feature","properties":{{}},"geometry":{geometry}}}'
        return f'{{"type":"FeatureCollection","features":[{feature}]}}'.encode()
    if kind == "item":
        make_tiff(folder / "seed.tif", compress="deflate", tiled=True)
        return json.dumps(make_search()).encode()
    if kind == "classes":
        return CLASSES
    if kind in {*RUN_FILES, "gpkg"}:
        return seed_written(kind, folder)
    return (SHIPPED / kind).read_bytes()


def seed_written(kind: str, folder: Path) -> bytes:
    """Make a file that geoseg or GDAL writes in a folder."""
    if kind in RUN_FILES:
        with open_journal(folder / "run", {"model": "a"}) as journal:
            for col in range(4):
                (receipt,) = journal.store.write({f"part-0-{2 * col}": b"pixels"})
                journal.record(Entry(f"block 0 {col}", (receipt,), {"inferred": 1}))
        return (folder / "run" / kind).read_bytes()
    frame = geopandas.GeoDataFrame(
        {"class": ["tree", "water"]},
        geometry=shapely.box([4e5, 4.003e5], 5_799_500, [4.002e5, 4.005e5], 5.8e6),
        crs=32633,
    )
    frame.to_file(folder / "seed.gpkg", layer="labels")
    return (folder / "seed.gpkg").read_bytes()


def make_tiff(path: Path, *, compress: str, tiled: bool) -> bytes:
    """Write a small raster of three named bands."""
    values = np.random.default_rng(0).integers(1, 900, (3, 64, 64), np.uint16)
    blocks = {"tiled": True, "blockxsize": 32, "blockysize": 32} if tiled else {}
    shape = {"count": 3, "height": 64, "width": 64, "dtype": "uint16", "nodata": 0}
    georeference = {"crs": "EPSG:32633", "transform": PLANE.transform}
    with rasterio.open(
        path, "w", driver="GTiff", compress=compress, **shape, **georeference, **blocks
    ) as dataset:
        dataset.write(values)
        dataset.descriptions = ("B02", "B03", "B04")
    return path.read_bytes()


def make_search() -> dict[str, Any]:
    """Write items as a search finds them: one of STAC 1.0, one of 1.1."""
    numbers = {"scale": 0.0001, "offset": -0.1, "nodata": 0}
    names = [{"name": name, "common_name": "red"} for name in ("B02", "B03", "B04")]
    said = {"eo:bands": names, "raster:bands": [numbers] * 3}
    bands = [{"name": each["name"], "raster:scale": 0.0001} for each in names]
    sentinel2 = {"platform": "sentinel-2a", "s2:processing_baseline": "05.09"}
    return {
        "type": "FeatureCollection",
        "features": [
            make_item({"image": asset("./seed.tif", **each)}, sentinel2, version)
            for version, each in (
                ("1.0.0", said),
                ("1.1.0", {"bands": bands, "gsd": 10}),
            )
        ],
    }


def damage(content: bytes, case: int) -> bytes:
    """Damage bytes in one of the ways that disks, networks and people do."""
    rng = random.Random(case)  # noqa: S311  # not for secrets
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 1, 2, 5])):
        at = rng.randrange(max(len(data), 1))
        size = rng.choice([1, 1, 2, 4, 16, 200])
        way = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])
        if way == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            data[at : at + size] = rng.randbytes(size)
        elif way == 2:
            del data[at : at + size]
        elif way == 3:
            data[at:at] = data[at : at + size] * rng.choice([1, 3])
        elif way == 4:
            data[at : at + size] = bytes(size) if rng.random() < 0.5 else b"\xff" * size
        elif way == 5:
            del data[at:]
        else:
            data = swap_number(data, rng)
    return bytes(data)


def swap_number(data: bytearray, rng: random.Random) -> bytearray:
    """Put an extreme where a number stands in a text."""
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not numbers:
        return data
    found = rng.choice(numbers)
    extreme = rng.choice(EXTREMES).encode()
    return data[: found.start()] + bytearray(extreme) + data[found.end() :]


def plant(content: bytes, case: int, address: str) -> bytes:
    """Name a server where a text stands, or a driver of GDAL would look for a name."""
    rng = random.Random(case)  # noqa: S311  # not for secrets
    url = rng.choice(("{}/a.tif", "/vsicurl/{}/a.tif", "HDF5:{}/a.h5", "WMS:{}"))
    named = url.format(address).encode()
    texts = list(re.finditer(rb"(?<=[\">'=])[^\"<>'\0-\x1f]{2,}(?=[\"<'])", content))
    if not texts:
        at = rng.randrange(len(content))
        return content[:at] + named + b"\0" + content[at + len(named) + 1 :]
    found = rng.choice(texts)
    return content[: found.start()] + named + content[found.end() :]


def hidden_server() -> socket.socket:
    """Listen where nobody may ask."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0)
    return server


def was_asked(server: socket.socket) -> bool:
    """Return whether somebody connected."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def try_open(kind: str, folder: Path, content: bytes) -> None:
    """Open and validate a damaged file as geoseg would."""
    if kind in {"tiff", "strips", "vrt"}:
        path = folder / ("case.vrt" if kind == "vrt" else "case.tif")
        path.write_bytes(content)
        scene = open_scene(path)
        scene.picture(scene.window, range(len(scene.bands)), (8, 8))
        side = Window(0, 0, min(scene.geobox.height, 64), min(scene.geobox.width, 64))
        scene.read(side, range(len(scene.bands)))
    elif kind == "item":
        path = folder / "case.json"
        path.write_bytes(content)
        scene = open_scene(path)
        scene.in_unit(0.0001).read(Window(0, 0, 8, 8), range(len(scene.bands)))
    elif kind in RUN_FILES:
        run = folder / "case"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(folder / "run", run)
        (run / kind).write_bytes(content)
        with open_journal(run, {"model": "a"}) as journal:
            lasts = journal.store.survey()
            for entry in journal.entries():
                list(map(lasts, entry.receipts))
    elif kind == "classes":
        path = folder / "case.yaml"
        path.write_bytes(content)
        read_class_mapping(path)
    elif kind in {"geojson", "gpkg"}:
        path = folder / f"case.{kind}"
        path.write_bytes(content)
        read_aoi(path, PLANE).mask(Window(0, 0, 64, 64))
    else:
        package = folder / "package"
        if not package.exists():
            shutil.copytree(SHIPPED, package)
        (package / kind).write_bytes(content)
        load_package(package)


def say(words: str) -> None:
    """Write a line at once: the process may not live to write another."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def main() -> None:
    """Try the cases of a range."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    first, last = int(sys.argv[3]), int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    folder.mkdir(parents=True, exist_ok=True)
    content = seed(kind, folder)
    try_open(kind, folder, content)  # undamaged, it must open
    with hidden_server() as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for case in range(first, last):
            say(f"case {case}")
            planted = case % PLANTED_EVERY == PLANTED_EVERY - 1
            wrong = plant(content, case, address) if planted else damage(content, case)
            outcome = outcome_of(kind, folder, wrong)
            say("asked a server that nobody named" if was_asked(server) else outcome)


def outcome_of(kind: str, folder: Path, content: bytes) -> str:
    """Try a case, and say what came of it in a line."""
    try:
        try_open(kind, folder, content)
    except GeosegError as error:
        return "refused" if "\n" not in str(error) else f"many lines: {error!r}"
    except BaseException:  # noqa: BLE001  # whatever it is, it is said
        return traceback.format_exc().replace("\n", " | ")
    return "ok"


if __name__ == "__main__":
    main()
