"""Flags that several commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import geoseg
from geoseg.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., None])


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's signature
    ctx.meta["geoseg.debug"] = value


def debuggable(command: Command) -> Command:
    """Add --debug, which the group looks for when something fails."""
    return click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_remember_debug,
        help="Show the traceback when something fails.",
    )(command)


def reporting(command: Command) -> Command:
    """Add --quiet, --json and --debug."""
    for add in (
        debuggable,
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print one JSON object on standard output, all else on the error one.",
        ),
        click.option(
            "--quiet", "-q", is_flag=True, help="Print nothing but warnings and errors."
        ),
    ):
        command = add(command)
    return command


class _DiskPath(click.Path):
    """A path on a disk; of a URL, pathlib would make a folder named ``s3:``."""

    def convert(
        self,
        value: Any,  # noqa: ANN401  # click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401  # the same
        """Refuse a URL."""
        if "://" in str(value):
            raise InputError(
                f"{value} is no path on a disk, which is what is needed here; copy "
                f"the file, or name a place on a disk"
            )
        return super().convert(value, param, ctx)


# Paths are checked by the library, so that Python and the command line give one
# and the same sentence.
a_path = _DiskPath(path_type=Path)


def tiling(command: Command) -> Command:
    """Add --tile and --overlap."""
    for add in (
        click.option(
            "--overlap", type=int, help="Overlap in pixels [default: the model's]."
        ),
        click.option(
            "--tile", type=int, help="Tile side in pixels [default: the model's]."
        ),
    ):
        command = add(command)
    return command


def computing(*, precision: str) -> Callable[[Command], Command]:
    """Add --device and --precision, with what the latter is by default."""

    def add_both(command: Command) -> Command:
        for add in (
            click.option(
                "--precision",
                type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
                default=precision,
                show_default=True,
                help="What it computes in.",
            ),
            click.option(
                "--device",
                type=click.Choice(["auto", "cpu", "cuda", "mps"]),
                default="auto",
                show_default=True,
                help="What computes.",
            ),
        ):
            command = add(command)
        return command

    return add_both


def _numbers(*counts: int) -> Callable[..., float | tuple[float, ...] | None]:
    """Read numbers with commas between: one as itself, several as a tuple."""

    def read(
        _: click.Context, __: click.Parameter, value: str | None
    ) -> float | tuple[float, ...] | None:
        if value is None:
            return None
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in counts:
            wanted = " or ".join(map(str, counts))
            raise click.BadParameter(f"{value!r} is not {wanted} numbers with commas")
        return numbers[0] if len(numbers) == 1 else numbers

    return read


def scene_flags(command: Command) -> Command:
    """Add the flags of `geoseg.SceneOptions`."""
    for add in (
        click.option(
            "--valid",
            type=click.Choice(["all", "any"]),
            default="all",
            show_default=True,
            help="Map pixels where all bands needed have data, or where any has.",
        ),
        click.option(
            "--nodata",
            metavar="NUMBER|none",
            callback=_nodata,
            help="The value without data, whatever the files declare.",
        ),
        click.option("--assume-crs", metavar="CRS", help="The CRS of files without."),
        click.option(
            "--allow-external-references",
            is_flag=True,
            help="Open VRTs that read files outside the folders named.",
        ),
        click.option(
            "--skip-unreadable", is_flag=True, help="Leave out files that do not open."
        ),
        click.option(
            "--resampling",
            type=click.Choice(["bilinear", "nearest", "cubic"]),
            default="bilinear",
            show_default=True,
            help="How pixels are found on another grid; masks: the nearest.",
        ),
        click.option(
            "--bounds",
            metavar="LEFT,BOTTOM,RIGHT,TOP",
            callback=_numbers(4),
            help="Map no more than this, in the CRS of the grid.",
        ),
        click.option(
            "--like", metavar="RASTER", help="Read on the pixels of this raster."
        ),
        click.option(
            "--resolution",
            metavar="SIZE|WIDTH,HEIGHT",
            callback=_numbers(1, 2),
            help="Read with pixels of this size, in units of the CRS.",
        ),
        click.option(
            "--radiometry",
            type=click.Choice(["auto", "raw"]),
            default="auto",
            show_default=True,
            help="Use the scale and offset that files declare, or raw pixels.",
        ),
        click.option(
            "--mask",
            multiple=True,
            metavar="BAND:CLASS,CLASS",
            help="Pixels that do not count: scl:cloud,shadow; qa_pixel:cloud.",
        ),
        click.option(
            "--band",
            "bands",
            multiple=True,
            metavar="NAME=FILE",
            callback=_named_files,
            help="A band in a file of its own; repeatable.",
        ),
        click.option("--crs", metavar="CRS", help="Read in this CRS: EPSG:3035."),
        click.option(
            "--mosaic",
            type=click.Choice(["first", "last", "newest", "least-nodata"]),
            default="first",
            show_default=True,
            help="Which of several files counts where they overlap.",
        ),
    ):
        command = add(command)
    return command


def _named_files(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read NAME=FILE."""
    pairs = [value.partition("=") for value in values]
    if not all(name and file for name, _, file in pairs):
        raise click.BadParameter("write NAME=FILE, such as red=B04.tif")
    return tuple((name, file) for name, _, file in pairs)


def _nodata(
    _: click.Context, __: click.Parameter, value: str | None
) -> float | str | None:
    if value in {None, "none"}:
        return value
    try:
        return float(str(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor none") from error


def scene_options(flags: dict[str, Any]) -> geoseg.SceneOptions:
    """Take the flags that `scene_flags` added out of a command's."""
    fields = [
        *("assume_crs", "nodata", "valid", "mosaic", "skip_unreadable"),
        *("allow_external_references", "crs", "resolution", "bounds", "like"),
        *("resampling", "bands", "mask", "radiometry"),
    ]
    return geoseg.SceneOptions(**{field: flags.pop(field) for field in fields})


def names(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Read NAME,NAME."""
    return tuple(name for name in value.split(",") if name)


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
        metavar="DIR|s3://...",
        required=required,
        help="Where the map goes: a directory, or a place in an object store.",
    )


def segmenting(command: Command) -> Command:
    """Add a scene and the flags of `geoseg.SegmentOptions`."""
    for add in (
        click.option(
            "--keep-parts", is_flag=True, help="Keep the run directory at the end."
        ),
        click.option(
            "--restart", is_flag=True, help="Throw away an unfinished run's work."
        ),
        click.option(
            "--run-dir",
            metavar="DIR|s3://...",
            help="Where unfinished work is kept [default: .geoseg in the output].",
        ),
        click.option(
            "--clip", is_flag=True, help="Cut polygons to the AOI's exact outline."
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
            "--mask-classes",
            default="cloud,shadow",
            show_default=True,
            metavar="NAME,NAME",
            callback=names,
            help="Classes of the mask model that count.",
        ),
        click.option(
            "--mask-model",
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
            multiple=True,
            default=("geojson",),
            show_default=True,
            help="geojson, geojsonl, gpkg, fgb, parquet, shp, pmtiles; repeatable.",
        ),
        click.option(
            "--crf",
            is_flag=True,
            callback=_crf_options,
            help="Refine probabilities along the image's edges: a fully connected CRF.",
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
            metavar="AREA",
            help="Map no more than this: a vector file of polygons in any CRS, "
            "FILE|layer=NAME, or WKT.",
        ),
        click.argument("scene", nargs=-1),
    ):
        command = add(command)
    return command


def take_area(flags: dict[str, Any]) -> str | None:
    """Take the area of interest out of a command's flags; None for all there is."""
    aoi, box, crs = (flags.pop(name) for name in ("aoi", "bbox", "bbox_crs"))
    if aoi is not None and box is not None:
        raise InputError("--aoi and --bbox both say what to map; give one of them")
    return aoi if box is None else f"{crs};{box}"


def pairs(
    _: click.Context, parameter: click.Parameter, value: str | None
) -> dict[str, str]:
    """Read ``this=that,this=that``; what is behind a ``=`` may be empty."""
    found: dict[str, str] = {}
    for pair in filter(None, (value or "").split(",")):
        name, equals, target = (part.strip() for part in pair.partition("="))
        if not equals or not name or name in found:
            raise click.BadParameter(
                f"{pair!r} is not written {parameter.metavar}, each name once"
            )
        found[name] = target
    return found


def spreading(command: Command) -> Command:
    """Add --workers and --scheduler to a command that reads a map block by block."""
    for add in (
        click.option(
            "--scheduler", metavar="ADDRESS", help="Read on this dask cluster."
        ),
        click.option(
            "--workers",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Worker processes to start here; 0 for none but this one.",
        ),
    ):
        command = add(command)
    return command


def drawing(command: Command) -> Command:
    """Add the flags of `geoseg.PolygonOptions`."""
    for add in (
        click.option(
            "--classes",
            default="",
            metavar="NAME,NAME",
            callback=names,
            help="Draw these classes only [default: all].",
        ),
        click.option(
            "--dissolve", is_flag=True, help="One multipolygon for each class."
        ),
        click.option(
            "--connectivity",
            type=click.Choice([4, 8]),
            default=4,
            show_default=True,
            help="Whether pixels that touch at a corner are one region (8).",
        ),
        click.option(
            "--smooth",
            type=int,
            default=0,
            show_default=True,
            help="How often corners are cut (Chaikin), 0 to 4.",
        ),
        click.option(
            "--simplify",
            default="0px",
            show_default=True,
            help="How far lines may move to become straighter: 1.5px, 15m.",
        ),
        click.option(
            "--min-area",
            default="0px",
            show_default=True,
            help="Patches below this go to a neighbour: 0.5ha, 400m2, 12px.",
        ),
    ):
        command = add(command)
    return command


def polygon_options(flags: dict[str, Any]) -> geoseg.PolygonOptions:
    """Take the flags that `drawing` added out of a command's."""
    fields = ("min_area", "simplify", "smooth", "connectivity", "dissolve")
    chosen = {field: flags.pop(field) for field in fields}
    return geoseg.PolygonOptions(**chosen, classes=flags.pop("classes"))
