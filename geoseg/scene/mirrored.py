"""Windows that reach beyond a scene, which is mirrored there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geoseg.geo.windows import Window, reflect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geoseg.scene.image import Scene


def read_mirrored(
    scene: Scene, view: Window, bands: Sequence[int]
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a window that may reach outside the scene.

    Args:
        scene: The scene.
        view: The window.
        bands: Which bands, counted from 0.

    Returns:
        Pixels, shape ``(band, y, x)``, and where they are valid, as `Scene.read` does.

    Raises:
        SceneError: A file cannot be read there.

    """
    rows = np.array(reflect(*view.rows, scene.geobox.height))
    cols = np.array(reflect(*view.cols, scene.geobox.width))
    inside = Window.between(
        (int(rows.min()), int(rows.max()) + 1), (int(cols.min()), int(cols.max()) + 1)
    )
    pixels, valid = scene.read(inside, bands)
    rows, cols = rows[:, np.newaxis] - inside.row, cols - inside.col
    return pixels[:, rows, cols], valid[rows, cols]
