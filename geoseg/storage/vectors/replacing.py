"""What is lost when polygons are written to a file that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.errors import OutputError, VectorError
from geoseg.storage.authorship import (
    Origin,
    check_idle,
    check_replaceable,
    layer_origins,
    origin_of,
)
from geoseg.storage.gdal_paths import layer_name
from geoseg.storage.vectors.formats import suffix_of

if TYPE_CHECKING:
    from pathlib import Path


def check_writable(path: Path, *, layer: str | None, overwrite: bool) -> None:
    """Refuse to write polygons where something of somebody's would be lost.

    Args:
        path: The file.
        layer: The layer of a GeoPackage that is to be written; the file where None.
        overwrite: Whether what is there may be lost.

    Raises:
        VectorError: The suffix is unknown, or a layer is named and the format has none.
        OutputError: Somebody made or changed what is there, or has it open.

    """
    if layer is not None and suffix_of(path) != ".gpkg":
        raise VectorError(
            f"{path.name} has no layers to choose from; give a .gpkg, or no layer"
        )
    if layer is not None and layer_name(layer) != layer:
        raise VectorError(f"a layer is named by a letter first, got {layer!r}")
    if layer is not None:
        check_idle(path)
        _check_layer(path, layer, overwrite=overwrite)
        return
    if not overwrite:
        _check_others(path)
    for each in replaced(path):
        check_replaceable(each, overwrite=overwrite)


def replaced(path: Path) -> list[Path]:
    """Name the files that writing polygons to a file makes or replaces.

    What is derived from them alone, such as a spatial index, is not among these.

    Example:
        >>> from pathlib import Path
        >>> [each.name for each in replaced(Path("map.shp"))]
        ['map.shp', 'map.qml', 'map.shx', 'map.dbf', 'map.prj', 'map.cpg']

    """
    suffix = suffix_of(path)
    if suffix == ".gpkg":
        return [path]
    parts = (".shx", ".dbf", ".prj", ".cpg") if suffix == ".shp" else ()
    return [path, *(path.with_suffix(each) for each in (".qml", *parts))]


def _check_others(path: Path) -> None:
    """Refuse to take away other layers of a GeoPackage."""
    others = sorted(set(layer_origins(path)) - {layer_name(path.stem)})
    if others:
        raise OutputError(
            f"{path} would be replaced, and holds the layers {', '.join(others)}; keep "
            f"them by `layer=NAME`, give another name, or let the file go with "
            f"`overwrite`"
        )


def _check_layer(path: Path, layer: str, *, overwrite: bool) -> None:
    """Refuse to write over a layer that somebody made or changed."""
    found = layer_origins(path)
    if not found and origin_of(path) is not Origin.NOBODY:
        raise OutputError(f"{path} is no GeoPackage with layers; give another name")
    if found.get(layer, Origin.OURS) is not Origin.OURS and not overwrite:
        raise OutputError(
            f"the layer {layer!r} of {path} would be replaced, and somebody made or "
            f"changed it; give another layer, or let it go with `overwrite`"
        )
