"""Why a file cannot be read: where it is damaged, or what its server says."""

from __future__ import annotations

import re

from geoseg.errors import SceneError
from geoseg.scene.files.datasets import GDAL_ERRORS, is_remote, opened, reason
from geoseg.scene.files.header import shown
from geoseg.scene.files.servers import check_answers

_BLOCK = re.compile(r"band (\d+): IReadBlock failed at X offset (\d+), Y offset (\d+)")
"""How GDAL names a block that it cannot decode."""


def failure(path: str, driver: str, error: BaseException, where: str) -> SceneError:
    """Make the error for a file that could be opened once and cannot be read now.

    Args:
        path: The file in GDAL's words.
        driver: The driver of GDAL that opened it first.
        error: What GDAL raised.
        where: What was to be read of it.

    """
    if not is_remote(path):
        return SceneError(
            f"{shown(path)} cannot be read{where} "
            f"({reason(error)}{_offset(path, driver, error)}); "
            f"the file is damaged or gone"
        )
    try:
        check_answers(path)
    except SceneError as seen:
        return type(seen)(f"{seen}; wanted was its image{where}")
    return SceneError(
        f"{shown(path)} cannot be read{where} ({reason(error)}); the file is damaged, "
        f"or its server answers badly"
    )


def _offset(path: str, driver: str, error: BaseException) -> str:
    """Say at which byte of the file the block begins that GDAL cannot decode.

    TIFF's driver alone reports; an empty text where it is not known.
    """
    block = _BLOCK.search(reason(error))
    if block is None:
        return ""
    band, col, row = block.groups()
    try:
        with opened(path, driver) as dataset:
            name = f"BLOCK_OFFSET_{col}_{row}"
            offset = dataset.get_tag_item(name, "TIFF", bidx=int(band))
    except GDAL_ERRORS:
        return ""
    return f", which begins at byte {offset}" if offset else ""
