"""Flags of commands that map: scene, output, and those of `geoseg.SegmentOptions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

import geoseg
from geoseg.cli.completion import any_place, formats, models
from geoseg.cli.options import computing, names, overwriting, tiling
from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


def _crf_options(
    _: click.Context,
    __: click.Parameter,
    value: bool,  # noqa: FBT001  # click's signature
) -> geoseg.CrfOptions | None:
    return geoseg.CrfOptions() if value else None


def mapping_into(*, required: bool) -> Callable[[Command], Command]:
    """Add --output, where a map goes."""
    return click.option(
        "--output",
        "-o",
        type=any_place,
        metavar="DIR|s3://...",
        required=required,
        help="Where the map goes: a directory, or a place in an object store.",
    )


def segmenting(command: Command) -> Command:
    """Add a scene and the flags of `geoseg.SegmentOptions`."""
    for add in (
        overwriting,
        click.option(
            "--keep-parts", is_flag=True, help="Keep the run directory at the end."
        ),
        click.option(
            "--restart", is_flag=True, help="Throw away an unfinished run's work."
        ),
        click.option(
            "--run-dir",
            type=any_place,
            metavar="DIR|s3://...",
            help="Where unfinished work is kept [default: .geoseg in the output].",
        ),
        click.option(
            "--clip", is_flag=True, help="Cut polygons to the AOI's exact outline."
        ),
        click.option(
            "--wait-for-workers",
            type=click.FloatRange(0),
            default=0,
            metavar="SECONDS",
            help="Where the cluster has no worker (left), wait so long for one.",
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Work on this dask cluster."
        ),
        click.option(
            "--allow-missing",
            is_flag=True,
            help="Leave nodata where blocks fail; the report lists them.",
        ),
        click.option(
            "--probabilities",
            is_flag=True,
            help="Write the probability of each class, too: a band each.",
        ),
        click.option(
            "--entropy",
            is_flag=True,
            help="Write how evenly the probability is spread over the classes, too.",
        ),
        click.option(
            "--mask-keep",
            is_flag=True,
            help="Give masked pixels a class of their own instead of nodata.",
        ),
        click.option(
            "--force",
            is_flag=True,
            help="Mask although the scene's values are not the mask model's.",
        ),
        click.option(
            "--mask-classes",
            default="cloud,shadow",
            show_default=True,
            metavar="NAME,NAME",
            callback=names,
            help="Classes of the mask model that count.",
        ),
        click.option(
            "--mask-model",
            shell_complete=models,
            help="A model for clouds and shadows: where it sees them, nodata.",
        ),
        click.option(
            "--resample",
            is_flag=True,
            help="Read a scene whose pixels do not fit the model on the model's.",
        ),
        click.option(
            "--min-confidence",
            type=click.IntRange(0, 100),
            default=0,
            show_default=True,
            help="Percent; pixels below become a class 'unknown'.",
        ),
        click.option("--compile", is_flag=True, help="Let torch compile the model."),
        click.option(
            "--batch",
            type=click.IntRange(1),
            help="Tiles in a batch [default: what suits the device].",
        ),
        click.option(
            "--workers",
            type=click.IntRange(0),
            help="Worker processes to start here; 0 for none but this one "
            "[default: one a GPU where there are several, else 0].",
        ),
        computing(precision="auto"),
        click.option(
            "--blend",
            type=click.Choice(["hann", "crop", "mean"]),
            default="hann",
            show_default=True,
            help="How overlapping tiles share a pixel.",
        ),
        click.option(
            "--block",
            type=int,
            help="Tiles a side of a block: memory, never the result.",
        ),
        tiling,
        click.option(
            "--format",
            "formats",
            shell_complete=formats,
            multiple=True,
            default=("geojson",),
            show_default=True,
            help="geojson, geojsonl, gpkg, fgb, parquet, shp, pmtiles, none; "
            "repeatable.",
        ),
        click.option(
            "--crf",
            is_flag=True,
            callback=_crf_options,
            help="Let classes follow the image's edges: a fully connected CRF.",
        ),
        click.option(
            "--tta",
            type=click.Choice(["none", "flips", "d4"]),
            default="none",
            show_default=True,
            help="Average over mirrored (4) and turned (8) views of each tile.",
        ),
        click.option(
            "--model",
            shell_complete=models,
            multiple=True,
            default=("sentinel2-landcover",),
            show_default=True,
            help="A model's name (see geoseg models) or its directory; repeatable: "
            "probabilities are averaged.",
        ),
        click.option(
            "--bbox-crs",
            default="EPSG:4326",
            show_default=True,
            metavar="CRS",
            help="What the numbers of --bbox mean.",
        ),
        click.option(
            "--bbox",
            metavar="W,S,E,N",
            help="Map this box instead of an AOI.",
        ),
        click.option(
            "--aoi",
            type=any_place,
            metavar="AREA",
            help="Map no more than this: a vector file of polygons in any CRS, "
            "FILE|layer=NAME, or WKT.",
        ),
        click.argument("scene", nargs=-1, type=any_place),
    ):
        command = add(command)
    return command


def take_area(flags: dict[str, Any]) -> str | None:
    """Take the area of interest out of a command's flags; None for all there is."""
    aoi, box, crs = (flags.pop(name) for name in ("aoi", "bbox", "bbox_crs"))
    if aoi is not None and box is not None:
        raise InputError("--aoi and --bbox both say what to map; give one of them")
    return aoi if box is None else f"{crs};{box}"
