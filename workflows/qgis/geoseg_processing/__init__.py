"""geoseg in QGIS: Processing algorithms that call it in an environment of its own.

* `commands` is what geoseg's commands take, and how one is written
* `environment` finds the program
* `call` runs it, tells how far it is and stops it
* `parameters`, `algorithm` and `plugin` are what QGIS sees of that

The first three know nothing of QGIS, and none imports geoseg: what commands take is in
`commands.json`, which `build_plugin.py` makes of geoseg's own declarations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geoseg_processing.plugin import GeosegPlugin


def classFactory(_iface: object) -> GeosegPlugin:
    """Give QGIS the plugin."""
    from .plugin import GeosegPlugin  # noqa: PLC0415  # only QGIS has what it needs

    return GeosegPlugin()
