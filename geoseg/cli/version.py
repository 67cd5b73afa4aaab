"""Which geoseg this is, and on which libraries it stands."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version

import click

_PACKAGES = (
    *("dask", "geopandas", "numpy", "onnxruntime", "pyproj", "rasterio"),
    *("shapely", "torch", "xarray"),
)
"""Libraries that shape results."""
OF_VERSION: list[click.Parameter] = [
    click.Option(["--json", "as_json"], is_flag=True, hidden=True),
    click.Option(
        ["--version"],
        is_flag=True,
        help="Show the version and exit; with --json, those of the libraries, too.",
    ),
]
"""Flags of the program itself, and not of a command."""


def show_version(*, as_json: bool) -> None:
    """Print the version; with those of Python and libraries as one JSON object."""
    own = version("geoseg")
    if not as_json:
        click.echo(f"geoseg, version {own}")
        return
    versions = {
        "geoseg": own,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in _PACKAGES},
    }
    click.echo(json.dumps(versions, indent=2))


def _version(name: str) -> str | None:
    """Give a library's version; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
