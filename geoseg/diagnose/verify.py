"""What tiling changes: verify().

For a model with a finite receptive field, a window in one piece with that much around
it is what the model says of an endless image, and tiles can be held against it. For
one with a global field there is no such thing: then the comparison shows how much the
answer depends on what a tile happens to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from geoseg.diagnose.comparison import Comparison
from geoseg.errors import InputError, json_text
from geoseg.geo.tiling import check_tile
from geoseg.geo.windows import Window
from geoseg.models.compatibility import bands_needed, find_bands, in_models_unit
from geoseg.models.find import load_package
from geoseg.models.networks.receptive_field import ReceptiveField, package_field
from geoseg.models.open_inputs import open_for
from geoseg.options import VerifyOptions
from geoseg.overlay.aoi import Aoi, Area, read_aoi, whole_scene
from geoseg.predict import TilePredictor, probe, resolve_compute
from geoseg.predict.normalise import by_scene
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.run.arrays import as_files
from geoseg.scene import Scene, SceneOptions, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geoseg.models.package.package import ModelPackage
    from geoseg.options import Blend
    from geoseg.run.arrays import Image
_SIDE = 1024
"""The side of the window in the scene's middle that is taken where none is given."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far tiles agree with the window in one piece."""

    tile: int
    """Tile side in pixels."""
    overlap: int
    """Pixels shared by adjacent tiles."""
    blend: Blend
    """How overlapping tiles share a pixel."""
    exact: bool
    """Whether the receptive field promises that nothing differs."""
    largest_difference: float
    """The largest difference of any class's probability at any pixel."""
    changed_pixels: int
    """Pixels that get another class."""
    changed_share: float
    """Their share of the pixels compared."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What tiling changes in a window."""

    model: str
    """The model's name and version."""
    scene: str
    """The scene's path."""
    window: tuple[int, int, int, int]
    """Row, column, height and width in pixels of the scene."""
    pixels: int
    """Pixels compared: those of the AOI that have data."""
    device: str
    """What computed."""
    precision: str
    """What it computed in."""
    receptive_field: ReceptiveField | None
    """How far the model looks; None where that cannot be measured (ONNX)."""
    agreements: tuple[Agreement, ...]
    """First with the tile and overlap asked for; then, where there is an overlap that
    the receptive field calls exact, with that."""

    def to_json(self) -> str:
        """Write it as one JSON object."""
        return json_text(asdict(self))


def verify(
    model: Path | str,
    scene: Image,
    *,
    aoi: Area | None = None,
    options: VerifyOptions | None = None,
    on_step: OnStep = ignore_step,
) -> Verification:
    """Infer a window of a scene in tiles and in one piece, and compare.

    Args:
        model: The name of a model that ships, or the directory of a package.
        scene: An image with the bands that the model needs, as `geoseg.segment` takes
            one.
        aoi: Polygons to compare in, instead of a window.
        options: Where, and with which tiles, blends, device and precision.
        on_step: Called as the job gets on, from the calling thread.

    Raises:
        InputError: Something given cannot be used, or the window does not fit the
            memory in one piece; the message says which one does.

    """
    on_step(Step("measure"))
    package = load_package(model)
    with as_files(scene, SceneOptions()) as (inputs, how):
        if isinstance(inputs, Mapping):
            source, _ = open_for([model], inputs, how)
        else:
            source = open_scene(inputs, how, needs=bands_needed([package]))
        return _verify(package, source, aoi, options or VerifyOptions(), on_step)


def _verify(
    package: ModelPackage,
    source: Scene,
    aoi: Area | None,
    options: VerifyOptions,
    on_step: OnStep,
) -> Verification:
    scene = source.path
    match = find_bands(package, source)
    source = in_models_unit([(package, match)], source)
    tile, overlap = _asked(package, options)
    check_tile(tile, overlap, package.stride)
    window, area = _chosen(source, options.window, aoi)
    wanted = source.read(window, match.indices)[1] & area.mask(window)
    if not wanted.any():
        raise InputError(f"{scene} has no valid pixel in that area; take another one")
    precision = "float32" if package.is_fitted else options.precision
    compute = resolve_compute(options.device, precision, batch=1)
    predictor = TilePredictor.of([(package, match.indices)], compute)
    predictor = by_scene(predictor, source, on_step)
    field = None if package.is_onnx else package_field(package)
    comparison = Comparison(
        source,
        window,
        wanted,
        probe(predictor, tile),
        stride=package.stride,
        margin=tile if field is None or field.radius is None else field.radius,
        blends=options.blends,
    )
    tilings = list(_tilings(tile, overlap, field))
    comparison.check_memory(tile, max(side for side, _ in tilings))
    return Verification(
        model=f"{package.name} {package.version}",
        scene=str(scene),
        window=(window.row, window.col, window.height, window.width),
        pixels=int(wanted.sum()),
        device=compute.device,
        precision=compute.precision,
        receptive_field=field,
        agreements=tuple(
            agreement
            for sides in tilings
            for agreement in _agreements(comparison, sides, field, on_step)
        ),
    )


def _asked(package: ModelPackage, options: VerifyOptions) -> tuple[int, int]:
    tile = package.tile if options.tile is None else options.tile
    return tile, package.overlap if options.overlap is None else options.overlap


def _tilings(
    tile: int, overlap: int, field: ReceptiveField | None
) -> Iterator[tuple[int, int]]:
    """The tile and overlap asked for, then those that are exact."""
    yield tile, overlap
    if field is not None and field.overlap is not None and overlap < field.overlap:
        yield max(tile, 2 * field.overlap), field.overlap


def _agreements(
    comparison: Comparison,
    sides: tuple[int, int],
    field: ReceptiveField | None,
    on_step: OnStep,
) -> Iterator[Agreement]:
    tile, overlap = sides
    promised = None if field is None else field.overlap
    enough = promised is not None and overlap >= promised
    for difference in comparison.run(tile, overlap, on_step):
        yield Agreement(
            tile=tile,
            overlap=overlap,
            blend=difference.blend,
            exact=enough and difference.blend == "crop",
            largest_difference=difference.largest,
            changed_pixels=difference.changed,
            changed_share=difference.changed / int(comparison.wanted.sum()),
        )


def _chosen(
    scene: Scene, sides: tuple[int, int, int, int] | None, aoi: Area | None
) -> tuple[Window, Aoi]:
    """The window to compare, and the area in which its pixels count."""
    geobox = scene.geobox
    if aoi is not None:
        if sides is not None:
            raise InputError("give a window or an AOI, not both")
        area = read_aoi(aoi, geobox)
        return area.window, area
    if sides is None:
        height, width = min(geobox.height, _SIDE), min(geobox.width, _SIDE)
        top, left = (geobox.height - height) // 2, (geobox.width - width) // 2
        return Window(top, left, height, width), whole_scene(geobox)
    window, plane = Window(*sides), Window(0, 0, geobox.height, geobox.width)
    if not plane.contains(window):
        raise InputError(
            f"the window's rows {window.rows[0]}-{window.rows[1]} and columns "
            f"{window.cols[0]}-{window.cols[1]} are not all in the scene, which has "
            f"{geobox.height} rows and {geobox.width} columns; take one inside it"
        )
    return window, whole_scene(geobox)
