"""A model as an ONNX file, proven on a scene before it is written: export_model()."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from geoseg.errors import InputError, ModelError, OutputError, json_text, needs
from geoseg.geo.windows import Window
from geoseg.models.compatibility import check_scale, in_models_unit
from geoseg.models.exchange.export_onnx import (
    about,
    for_deepness,
    to_int8,
    to_onnx,
    with_metadata,
)
from geoseg.models.networks.onnx import OnnxNetwork
from geoseg.models.open_inputs import open_for
from geoseg.options import ExportOptions, SceneOptions
from geoseg.predict import TilePredictor, resolve_compute
from geoseg.predict.normalise import by_scene
from geoseg.progress import OnStep, Step, ignore_step
from geoseg.scene.mirrored import read_mirrored
from geoseg.storage.full_disk import needing
from geoseg.storage.lock import locked_file
from geoseg.storage.sample_area import sample_file
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from geoseg.models.package.package import ModelPackage
    from geoseg.scene import Scene

_NEEDED = {False: 0.9999, True: 0.99}
"""The share of pixels whose class must be the same: of float32, of int8."""
_TILES = 49
"""Tiles that are compared at most."""
_LEARNED = 8
"""Tiles that say what values flow through a network that is quantised; they are not
compared."""


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An ONNX file, and how far it is from the model."""

    path: str
    """The file."""
    size: int
    """Its bytes."""
    scene: str
    """What it was compared on."""
    pixels: int
    """Valid pixels compared."""
    equal: float
    """The share of them that gets the same class."""
    largest_difference: float
    """The largest difference of any class's probability at any of them."""
    faster: float | None
    """How many times as fast int8 was as float32, both by ONNX Runtime here; None
    without."""

    def to_json(self) -> str:
        """Write it as one JSON object."""
        return json_text(asdict(self))


@dataclass(frozen=True, slots=True)
class _Tile:
    """A tile of the scene, and what the model makes of it."""

    normal: NDArray[np.float32]
    """Normalised pixels, shape ``(1, band, y, x)``."""
    valid: NDArray[np.bool_]
    """Shape ``(y, x)``."""
    expected: NDArray[np.float32]
    """The model's probabilities, shape ``(class, y, x)``."""


def export_model(
    model: Path | str,
    output: Path,
    *,
    options: ExportOptions | None = None,
    on_step: OnStep = ignore_step,
) -> ExportedModel:
    """Write a model as an ONNX file, if ONNX Runtime gives the classes that it gives.

    Args:
        model: A package's folder or name.
        output: The file to write.
        options: For whom, in which precision, and where it is compared.
        on_step: Called as tiles are compared, from the calling thread.

    Raises:
        InputError: The model cannot be written as ONNX, does not fit the scene, or
            classes agree on too small a share of it; nothing was written.

    """
    options = options or ExportOptions()
    with locked_file(output):
        _check(output)
        return _export(model, output, options, on_step)


def _export(
    model: Path | str, output: Path, options: ExportOptions, on_step: OnStep
) -> ExportedModel:
    """Write a file that nobody else writes."""
    on_step(Step("prepare"))
    source = options.scene or sample_file("scene.tif")
    scene, models = open_for([model], source, SceneOptions(), on_step)
    check_scale(models, scene)
    ((package, match),) = models
    scene = in_models_unit(models, scene)
    said = about(package)
    if options.target == "deepness":
        said |= for_deepness(package)
    content = to_onnx(package)
    compute = resolve_compute("cpu", "float32", batch=1)
    predictor = by_scene(
        TilePredictor.of([(package, match.indices)], compute), scene, on_step
    )
    tiles = [
        _look(predictor, scene, view) for view in _views(scene, package, options.int8)
    ]
    tiles = [tile for tile in tiles if tile.valid.any()]
    plain = _run(content, package, output)
    faster = None
    if options.int8:
        learned = tiles[:: max(len(tiles) // _LEARNED, 1)][:_LEARNED]
        content = to_int8(content, [tile.normal for tile in learned])
        small = _run(content, package, output)
        faster = _seconds(plain, tiles[0]) / _seconds(small, tiles[0])
        plain, own = small, {id(tile) for tile in learned}
        tiles = [tile for tile in tiles if id(tile) not in own] or tiles
    pixels, equal, largest = _compare(plain, tiles, on_step)
    if equal < _NEEDED[options.int8] and not options.force:
        raise ModelError(
            f"ONNX Runtime gives the class of {package.name} on {equal:.4%} of "
            f"{pixels:,} pixels of {scene.name}, and {_NEEDED[options.int8]:.2%} are "
            f"needed; `force` writes it all the same"
        )
    content = with_metadata(content, said)
    with needing("the model", lambda: len(content)), atomic_file(output) as path:
        path.write_bytes(content)
    size = output.stat().st_size
    return ExportedModel(str(output), size, scene.path, pixels, equal, largest, faster)


def _check(output: Path) -> None:
    """Refuse a path, or an installation, that no file can come of."""
    if output.suffix.lower() != ".onnx":
        raise OutputError(f"{output} is to be an ONNX file; let its name end in .onnx")
    if output.exists():
        raise OutputError(f"{output} exists; choose another name, or remove it first")
    for module in ("onnx", "onnxruntime"):
        needs(module, "onnx", "an ONNX file")


def _views(scene: Scene, package: ModelPackage, more: bool) -> list[Window]:  # noqa: FBT001  # private
    """Lay tiles over the scene, evenly, as many as are compared."""
    step, side = package.tile - package.overlap, package.tile
    rows = range(0, scene.geobox.height, step)
    cols = range(0, scene.geobox.width, step)
    views = [Window(row, col, side, side) for row, col in product(rows, cols)]
    most = _TILES + _LEARNED * more
    return views[:: -(-len(views) // most)]


def _look(predictor: TilePredictor, scene: Scene, view: Window) -> _Tile:
    pixels, valid = read_mirrored(scene, view, predictor.bands)
    (model,) = predictor.models
    unseen = torch.from_numpy(~valid[np.newaxis])
    raw = torch.from_numpy(pixels[np.newaxis].astype(np.float32))
    normal = model.normalise(raw, unseen).numpy()
    given = predictor(pixels[np.newaxis], valid[np.newaxis])[0].numpy()
    return _Tile(normal, valid, given)


def _run(
    content: bytes, package: ModelPackage, output: Path
) -> Callable[[_Tile], NDArray[np.float32]]:
    """Give what ONNX Runtime makes of a tile, as geoseg uses such files."""
    card = replace(package, activation="none", channels=(), temperature=1.0)
    network = OnnxNetwork(content, card, output.name)

    def run(tile: _Tile) -> NDArray[np.float32]:
        found: NDArray[np.float32] = network(torch.from_numpy(tile.normal))[0].numpy()
        return found

    return run


def _seconds(run: Callable[[_Tile], NDArray[np.float32]], tile: _Tile) -> float:
    """Take the best of five: whatever else the machine does only adds to it."""
    times = []
    for _ in range(5):
        begun = perf_counter()
        run(tile)
        times.append(perf_counter() - begun)
    return min(times)


def _compare(
    run: Callable[[_Tile], NDArray[np.float32]], tiles: list[_Tile], on_step: OnStep
) -> tuple[int, float, float]:
    """Count pixels; give the share of equal classes and the largest difference."""
    if not tiles:
        raise InputError("the scene has no valid pixel to compare on; give another one")
    pixels, equal, largest = 0, 0, 0.0
    for done, tile in enumerate(tiles):
        on_step(Step("infer", done=done, total=len(tiles)))
        given = run(tile)
        same = given.argmax(axis=0) == tile.expected.argmax(axis=0)
        pixels += int(tile.valid.sum())
        equal += int(same[tile.valid].sum())
        away = np.abs(given - tile.expected)[:, tile.valid]
        largest = max(largest, float(away.max()))
    return pixels, equal / pixels, largest
