"""A finished map in a browser, at full resolution: view()."""

from __future__ import annotations

import json
import re
from pathlib import Path

from geoseg.errors import InputError, counted
from geoseg.geo.windows import Window
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.report.imagery import Shown
from geoseg.report.view import PageServer, page_in, planes_in
from geoseg.scene import open_scene

_DATA = re.compile(
    r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL
)


def view(
    folder: Path | str,
    *,
    image: Path | str | None = None,
    port: int = 8642,
    on_step: OnStep = ignore_step,
) -> None:
    """Show a folder's page in a browser, its map at full resolution, until Ctrl-C.

    Args:
        folder: What `geoseg.segment` or `geoseg.change` left.
        image: The scene that was mapped, to show all of its pixels as well; as the
            folder may be somebody's, it is not looked for where that says it was.
        port: Where it is served, on 127.0.0.1 alone; another one where it is taken.
        on_step: Called with the address, and whether the port was taken.

    Raises:
        InputError: The folder has no page, or no map of the image.

    """
    shown = None if image is None else _shown(Path(folder), image)
    with PageServer(folder, port, shown) as server:
        if server.port != port:
            warning = f"port {port} is taken, so another one is used"
            on_step(Step("view", warnings=(warning,)))
        on_step(Step("view", note=f"{server.url} shows {folder}; Ctrl-C ends it"))
        try:
            server.serve()
        except KeyboardInterrupt:
            return


def _shown(folder: Path, path: Path | str) -> Shown:
    """Open the scene of a map, to be shown as the page shows it."""
    page, planes = _DATA.search(page_in(folder)), planes_in(folder)
    how = json.loads(page[1]).get("shown") if page else None
    if planes is None or how is None:
        raise InputError(
            f"{folder} has no map beside an image, so no `image` can be shown there; "
            f"leave it out, or name a folder that geoseg segment left"
        )
    scene = open_scene([path])
    col, row = (~scene.geobox.transform @ planes.geobox.transform) @ (0, 0)
    size = planes.geobox.height, planes.geobox.width
    if not scene.geobox.crop(Window(round(row), round(col), *size)).same_plane_as(
        planes.geobox
    ):
        raise InputError(
            f"{path} is not on the pixels of {planes.classes}; name as `image` the "
            f"scene that it was made of"
        )
    if max(how["bands"]) >= len(scene.bands):
        raise InputError(
            f"{path} has {counted(len(scene.bands), 'band')}, and the page shows band "
            f"{max(how['bands']) + 1} of the scene that was mapped; name that one"
        )
    return Shown.from_json(scene, how)
