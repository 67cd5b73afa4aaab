"""STAC items and Sentinel-2 products cut from the sample, a file for each band."""

from __future__ import annotations

import json

import numpy as np
import rasterio
from members import SCENE, write_raster

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
COMMON = dict(
    zip(
        BANDS,
        (
            *("blue", "green", "red", "rededge", "rededge", "rededge", "nir"),
            *("nir08", "swir16", "swir22"),
        ),
        strict=True,
    )
)
SIZES = {"B02": 10, "B03": 10, "B04": 10, "B08": 10}
"""Of the bands that have not 20 m."""
HEIGHT, WIDTH = 160, 224


def sample_bands(names=BANDS, rows=(0, HEIGHT), cols=(0, WIDTH)):
    """Read bands of a corner of the sample: pixels by name, and the transform."""
    with rasterio.open(SCENE) as dataset:
        window = rasterio.windows.Window.from_slices(rows, cols)
        indexes = [dataset.descriptions.index(name) + 1 for name in names]
        pixels = dataset.read(indexes, window=window)
        return dict(zip(names, pixels, strict=True)), dataset.window_transform(window)


def half(pixels):
    """Make pixels twice as large."""
    return pixels[::2, ::2]


def write_band(path, pixels, transform, *, size=10, **profile):
    """Write a band on pixels of 10, or of 20 m."""
    scaled = transform @ rasterio.Affine.scale(size / 10)
    path.parent.mkdir(parents=True, exist_ok=True)
    small = pixels if size == 10 else half(pixels)
    write_raster(
        path, small[None], scaled, nodata=profile.pop("nodata", None), **profile
    )


def described(name, *, version, scale=None, offset=None, nodata=0, size=10):
    """Describe a band as an asset of an item of either version does."""
    numbers = {"scale": scale, "offset": offset}
    numbers = {key: value for key, value in numbers.items() if value is not None}
    if version == "1.0.0":
        return {
            "eo:bands": [{"name": name, "common_name": COMMON[name]}],
            "raster:bands": [{"nodata": nodata, "spatial_resolution": size, **numbers}],
        }
    band = {"name": name, "eo:common_name": COMMON[name], "nodata": nodata, "gsd": size}
    return {"bands": [band | {f"raster:{key}": n for key, n in numbers.items()}]}


def make_item(folder, *, version="1.0.0", added=0, bands=BANDS, **says):
    """Write an item and its files: each band at its own size, and a thumbnail.

    Args:
        folder: Where to.
        version: Of STAC.
        added: To each pixel, as Sentinel-2 does since baseline 04.00.
        bands: Which.
        says: Of what `described` takes; ``sizes``, the bands' sizes; ``properties``,
            more of them; ``rows`` and ``cols``, the part of the sample; ``when``.

    """
    folder.mkdir(parents=True, exist_ok=True)
    sizes = says.pop("sizes", dict.fromkeys(bands, 10))
    properties = {"datetime": says.pop("when", "2017-02-16T10:21:01Z")}
    properties |= says.pop("properties", {})
    part = {key: says.pop(key) for key in ("rows", "cols") if key in says}
    pixels, transform = sample_bands(bands, **part)
    assets = {"thumbnail": asset("gone.png", kind="image/png", roles=["thumbnail"])}
    for name in bands:
        size = sizes.get(name, 20)
        raised = np.where(pixels[name] > 0, pixels[name] + np.uint16(added), 0)
        write_band(folder / f"{name}.tif", raised, transform, size=size)
        about = described(name, version=version, size=size, **says)
        assets[name] = asset(f"./{name}.tif", **about)
    assets["metadata"] = asset("../../gone.xml", kind="application/xml")
    return save(folder / "item.json", item(assets, properties, version))


def asset(href, *, kind="image/tiff; application=geotiff", roles=("data",), **fields):
    """Write an asset."""
    return {"href": href, "type": kind, "roles": list(roles), **fields}


def item(assets, properties=None, version="1.0.0", name="S2A_sample"):
    """Write an item."""
    return {
        "type": "Feature",
        "stac_version": version,
        "stac_extensions": [],
        "id": name,
        "geometry": None,
        "properties": {"datetime": "2017-02-16T10:21:01Z", **(properties or {})},
        "links": [],
        "assets": assets,
    }


def save(path, content):
    """Write JSON."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def change(path, edit):
    """Edit a document in place."""
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    return save(path, content)


def make_product(folder, *, level="2A", added=1000, bands=("B02", "B03", "B04", "B08")):
    """Write a Sentinel-2 product of the sample: a .SAFE folder with JPEG 2000 files."""
    safe = folder / f"S2A_MSIL{level}_20230216T102101_N0509_R065_T33UUU.SAFE"
    images = safe / "GRANULE" / f"L{level}_T33UUU_A008643" / "IMG_DATA"
    pixels, transform = sample_bands(BANDS)
    listed = []
    for name in bands:
        size = SIZES.get(name, 20)
        where = images / f"R{size}m" if level == "2A" else images
        end = f"_{size}m" if level == "2A" else ""
        raised = np.where(pixels[name] > 0, pixels[name] + np.uint16(added), 0)
        path = where / f"T33UUU_20230216T102101_{name}{end}.jp2"
        write_jp2(path, raised, transform, size=size)
        listed.append(path.relative_to(safe).with_suffix("").as_posix())
    (safe / f"MTD_MSIL{level}.xml").write_text(
        product_metadata(listed, level=level, added=added), encoding="utf-8"
    )
    return safe


def write_jp2(path, pixels, transform, *, size):
    """Write a band as JPEG 2000 without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scaled = transform @ rasterio.Affine.scale(size / 10)
    small = pixels if size == 10 else half(pixels)
    shape = {"count": 1, "height": small.shape[0], "width": small.shape[1]}
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        crs="EPSG:32633",
        transform=scaled,
        dtype="uint16",
        QUALITY="100",
        REVERSIBLE="YES",
        **shape,
    ) as dataset:
        dataset.write(small[None])


def product_metadata(images, *, level, added):
    """Write what is of use of a product's metadata."""
    kind = "BOA" if level == "2A" else "RADIO"
    offsets = "".join(
        f'<{kind}_ADD_OFFSET band_id="{band}">{-added}</{kind}_ADD_OFFSET>'
        for band in range(13)
    )
    prefix = "BOA_" if level == "2A" else ""
    listed = "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<n1:Level-{level}_User_Product xmlns:n1="https://example.com/product">'
        f"<PRODUCT_START_TIME>2023-02-16T10:21:01.026Z</PRODUCT_START_TIME>"
        f"<Granule>{listed}</Granule>"
        f'<{prefix}QUANTIFICATION_VALUE unit="none">10000'
        f"</{prefix}QUANTIFICATION_VALUE>"
        f"{offsets if added else ''}"
        f"</n1:Level-{level}_User_Product>"
    )
