"""Make the plugin for QGIS: geoseg_processing.zip, to install from a file.

What the algorithms take is made of geoseg's own declarations, so that a new option of
geoseg is a new parameter in QGIS:

    python workflows/qgis/build_plugin.py -o geoseg_processing.zip

In QGIS: Plugins > Manage and Install Plugins > Install from ZIP.
"""

from __future__ import annotations

import argparse
import json
import re
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = Path(__file__).parent / "geoseg_processing"
LICENSE = Path(__file__).parents[2] / "LICENSE"
WANTED = "segment", "train", "vectorize", "evaluate", "areas", "change", "search"
"""Commands that are algorithms."""
_CALLS = ("driver", "quiet", "verbose", "as_json", "json_progress", "debug", "help")
"""Flags of how geoseg is called, which the plugin decides."""
_LEFT_OUT = (*_CALLS, "bbox_crs")  # the CRS is the extent's
_HOLDS = {
    **dict.fromkeys(("scene", "scenes"), "rasters"),
    **dict.fromkeys(("class_map", "before", "after"), "raster"),
    **dict.fromkeys(("confidence", "like", "strata"), "raster"),
    **dict.fromkeys(("labels", "reference"), "layer"),
    **dict.fromkeys(("aoi", "zones", "within", "clip_to"), "polygons"),
    "bbox": "extent",
    "raster": "raster out",
    "plot": "picture out",
    "tensorboard": "folder out",
}
"""What options hold that name a place, by their names in Python."""
_WRITES = {"vectorize": "vector out", "areas": "table out", "search": "items out"}
"""What commands write that do not write a folder."""
_COLUMNS = {"field": "AOI", "by": "ZONES", "column": "REFERENCE"}
"""Options that name a column, and whose."""
_COLUMNS_OF_LABELS = {"class_field": "LABELS"}
_CHOSEN = ("formats",)
"""Options whose values are those that a shell completes."""
_FIRST = (
    *("model", "formats", "min_area", "simplify", "architecture", "stratified"),
    *("mapping", "min_confidence", "collection", "datetime", "max_cloud"),
    *("class_field", "column", "by"),
)
"""What is shown at first sight besides what is required, and places."""
_PLACES = ("scene", "aoi", "bbox", "zones", "output")
_LABELS = {"bbox": "Extent"}
"""What QGIS calls what geoseg calls otherwise."""
_ACRONYMS = ("aoi", "crf", "crs", "tta")
_OF_FILES = {
    "name": "SCENE_FILE",
    "flag": "",
    "kind": "file",
    "label": "... or a scene that is no layer",
    "text": "A STAC item, items of search, a product, or a list of files.",
    "basic": True,
}
"""What stands beside scenes, which are layers in QGIS."""


def describe() -> dict[str, Any]:
    """Say what the commands take, as `commands.json` has it."""
    with click.Context(main) as context:
        commands = [main.get_command(context, name) for name in WANTED]
        found = [_command(context, each) for each in commands if each is not None]
    return {"geoseg": version("geoseg"), "commands": found}


def _command(context: click.Context, command: click.Command) -> dict[str, Any]:
    name = str(command.name)
    options = []
    for each in command.params:
        if each.name not in _LEFT_OUT:
            options.append(_option(context, name, each))
        if options and options[-1]["kind"] == "rasters":
            options += [_OF_FILES]
    # What is written is asked for last, as everywhere in QGIS.
    options.sort(key=lambda option: option["kind"].endswith(" out"))
    return {
        "name": name,
        "text": command.short_help,
        "about": _prose(command.help or ""),
        "options": options,
    }


def _prose(text: str) -> str:
    """Take the example of a command line out of a command's help."""
    without = re.sub(r"\x08\n.*?(\n\n|$)", "", text, flags=re.DOTALL)
    return " ".join(without.split())


def _option(context: click.Context, name: str, each: click.Parameter) -> dict[str, Any]:
    flag = each.opts[0] if isinstance(each, click.Option) else ""
    shown = flag.lstrip("-") or str(each.name)
    words = _LABELS.get(str(each.name)) or " ".join(
        word.upper() if word in _ACRONYMS else word for word in re.split("[-_]", shown)
    )
    parent = {**_COLUMNS, **_COLUMNS_OF_LABELS}.get(str(each.name), "")
    found = {
        "name": re.sub(r"\W", "_", shown).upper(),
        "flag": flag,
        "kind": _kind(name, each),
        "label": words[:1].upper() + words[1:],
        "text": getattr(each, "help", "") or "",
        "default": _default(context, each),
        "parent": parent,
        "required": each.required and each.name != "scenes",
        "basic": each.required or each.name in (*_FIRST, *_PLACES),
    }
    return found | dict(_range(context, each))


def _kind(name: str, each: click.Parameter) -> str:
    own = str(each.name)
    if own == "output":
        return _WRITES.get(name, "folder out")
    if own in {**_COLUMNS, **_COLUMNS_OF_LABELS}:
        return "field"
    if own in _HOLDS:
        return _HOLDS[own]
    return "choices" if own in _CHOSEN else _plain_kind(each)


def _plain_kind(each: click.Parameter) -> str:
    """Say what an option holds that names no place, by its type."""
    if getattr(each, "is_flag", False):
        return "flag"
    kinds = (
        (click.Choice, "choice"),
        (click.types.IntParamType, "integer"),
        (click.types.FloatParamType, "number"),
        (click.Path, "file"),
    )
    found = next((kind for of, kind in kinds if isinstance(each.type, of)), "text")
    return "texts" if each.multiple else found


def _default(context: click.Context, each: click.Parameter) -> Any:  # noqa: ANN401  # as it is
    default = each.get_default(context)
    if getattr(each, "is_flag", False):
        return bool(default)
    if isinstance(default, tuple):
        return [str(one) for one in default] or None
    if not isinstance(default, str | int | float):
        return None  # click's word for nothing, too
    return str(default) if isinstance(each.type, click.Choice) else default


def _range(
    context: click.Context, each: click.Parameter
) -> Iterator[tuple[str, list[str] | float]]:
    """Give what can be chosen, and the least and the greatest number."""
    if each.name in _CHOSEN:
        yield "choices", [one.value for one in each.shell_complete(context, "")]
    elif isinstance(each.type, click.Choice):
        yield "choices", [str(one) for one in each.type.choices]
    for key, bound in (("least", "min"), ("most", "max")):
        value = getattr(each.type, bound, None)
        if value is not None:
            yield key, value


def build(output: Path) -> None:
    """Write the plugin, whose bytes are the same for the same geoseg."""
    files = {
        each.relative_to(PLUGIN.parent).as_posix(): each.read_bytes()
        for each in PLUGIN.iterdir()
        if each.suffix in {".py", ".txt"}
    }
    files[f"{PLUGIN.name}/LICENSE"] = LICENSE.read_bytes()
    found = json.dumps(describe(), indent=1)
    files[f"{PLUGIN.name}/commands.json"] = found.encode()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("geoseg_processing.zip")
    )
    build(parser.parse_args().output)
