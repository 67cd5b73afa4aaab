"""An encoder's first weights: found, read in the forms that others keep them, fitted.

Encoders of photographs take three colours; those of torchgeo that learned from
Sentinel-2 take all of its bands, in its order. What a file has for the bands of a scene
is taken, whatever else it holds is left out, and both are said.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from geoseg.errors import ModelError, counted
from geoseg.geo.band_names import SENTINEL2, plain
from geoseg.models.package.hub import SCHEME, fetch
from geoseg.models.package.layouts import Tensors, named_alike, plain_tensors
from geoseg.models.package.pickled import read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from geoseg.models.package.card import InputBand

_WEIGHTS = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")
_CONVOLUTION = 4  # sides of a convolution's tensor: filter, band, y, x
_COLOURS = {"red": 0, "green": 1, "blue": 2}
"""The order in which encoders of photographs take colours."""
_ALL = (
    "b1",
    "b2",
    "b3",
    "b4",
    "b5",
    "b6",
    "b7",
    "b8",
    "b8a",
    "b9",
    "b10",
    "b11",
    "b12",
)
_SENTINEL2 = {
    13: _ALL,
    12: tuple(name for name in _ALL if name != "b10"),
    10: tuple(name for name in _ALL if name not in {"b1", "b9", "b10"}),
}
"""The bands of Sentinel-2 in the order of encoders that take so many: all, those of
surface reflectance, those of 10 and 20 m."""
_HEADS = re.compile(r"(^|\.)(fc|classifier|head|last_linear|conv_head)\.")
"""What comes after an encoder in networks that classify whole images."""
_COUNTER = "num_batches_tracked"
"""What batch normalisation counts; it changes no output, and old files lack it."""
_NAMED = 3
"""How many names a sentence lists."""


def find_encoder(source: str) -> Path:
    """Find a file of an encoder's weights.

    Args:
        source: A file, the name of an installed Python package with one weights file
            in it, or ``hf://owner/name`` on the Hub or in its cache.

    Raises:
        ModelError: There is none, or more than one.

    """
    path = Path(source)
    if path.is_file():
        return path
    if source.startswith(SCHEME):
        folder = fetch(source)
    else:
        spec = find_spec(source) if source.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise ModelError(
                f"{source!r} is no file of weights, no installed package and no "
                f"hf://owner/name; give one of them to `encoder_weights`"
            )
        folder = Path(next(iter(spec.submodule_search_locations)))
    files = sorted(f for f in folder.rglob("*") if f.suffix in _WEIGHTS)
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ModelError(f"{source} needs one file of weights, got {names}")
    return files[0]


def load_encoder(
    network: torch.nn.Module,
    path: Path,
    bands: Sequence[InputBand],
    colours: Sequence[int] | None = None,
) -> tuple[str, ...]:
    """Give a network's encoder the weights of one that has learned before.

    Tensors are matched by name, whatever stands before all of them; or, where another
    implementation names them otherwise, by their order.

    Args:
        network: Of a class of `geoseg.models.networks.network`; it is changed.
        path: A safetensors file, or a checkpoint that is read as tensors alone.
        bands: What the network takes.
        colours: For each band which colour's filters it begins with, 0 red, 1 green,
            2 blue, where the file knows photographs; by the bands' names where None.

    Returns:
        What of the file, and of the bands, did not fit, a sentence each.

    Raises:
        ModelError: The file cannot be read, is of another encoder, or takes bands
            that nobody can know.

    """
    encoder: Any = network.encoder
    part: torch.nn.Module = getattr(encoder, "model", encoder)
    wanted = part.state_dict()
    held = _read(path)
    weights = named_alike(held, wanted)
    if len(weights) < len(wanted) // 2:
        weights = dict(zip(wanted, held.values(), strict=False))
        held = {}
    first = next(n for n, t in wanted.items() if t.dim() == _CONVOLUTION)
    notes: tuple[str, ...] = ()
    if first in weights and _are_filters(weights[first], wanted[first]):
        weights[first], notes = _fitted(weights[first], bands, colours, path)
    misfits = [
        name
        for name, tensor in wanted.items()
        if weights.get(name, tensor).shape != tensor.shape
        or (name not in weights and not name.endswith(_COUNTER))
    ]
    if misfits:
        raise ModelError(
            f"{path} is of another encoder: {len(misfits)} of {len(wanted)} tensors "
            f"are missing or of another shape, the first is {misfits[0]}"
        )
    part.load_state_dict(wanted | weights)
    return (*notes, *_left_out(held, weights, path))


def filters_of(bands: Sequence[InputBand]) -> list[int]:
    """Choose which colour's filters each band begins with, in turn where it is none."""
    return [
        _COLOURS.get(band.common_name, index % len(_COLOURS))
        for index, band in enumerate(bands)
    ]


def chosen_filters(
    filters: torch.Tensor, indices: Sequence[int | None]
) -> torch.Tensor:
    """Take the filters of bands that are known, and the mean of all for others.

    Args:
        filters: Shape ``(filter, band, y, x)``.
        indices: For each band that is wanted the one that it is; None for another.

    Returns:
        Shape ``(filter, band, y, x)``, scaled so that their sum stays as strong.

    """
    taken = filters.new_empty((len(filters), len(indices), *filters.shape[2:]))
    for column, index in enumerate(indices):
        taken[:, column] = filters.mean(dim=1) if index is None else filters[:, index]
    return taken * filters.shape[1] / len(indices)


def _read(path: Path) -> Tensors:
    """Read the tensors of a file as its suffix says."""
    if path.suffix != ".safetensors":
        return plain_tensors(read_checkpoint(path))
    try:
        tensors: Tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is no safetensors file ({error})") from error
    return tensors


def _are_filters(held: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether two convolutions differ in their bands, if in anything."""
    return held.dim() == _CONVOLUTION and (
        held.shape[:1] + held.shape[2:] == wanted.shape[:1] + wanted.shape[2:]
    )


def _fitted(
    filters: torch.Tensor,
    bands: Sequence[InputBand],
    colours: Sequence[int] | None,
    path: Path,
) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Bring the filters of a file's bands to those that are wanted."""
    known = filters.shape[1]
    if known == len(_COLOURS):
        if known == len(bands):
            return filters, ()
        return chosen_filters(filters, list(colours or filters_of(bands))), ()
    if known not in _SENTINEL2:
        if known == len(bands):
            note = f"{path}: its {known} bands were taken to be the scene's, in order"
            return filters, (note,)
        counts = ", ".join(map(str, sorted(_SENTINEL2)))
        raise ModelError(
            f"{path} takes {known} bands, of which nothing says what they are; geoseg "
            f"knows the order of 3 (red, green, blue) and of Sentinel-2's {counts}; "
            f"give weights of one of these, or of {len(bands)} bands like the scene's"
        )
    order = _SENTINEL2[known]
    indices = [_index(band, order) for band in bands]
    if all(index is None for index in indices):
        names = ", ".join(band.name for band in bands)
        raise ModelError(
            f"{path} takes {known} bands of Sentinel-2, and the scene's, {names}, are "
            f"none of them; name them with `bands`, or give other weights"
        )
    return chosen_filters(filters, indices), tuple(_picked(bands, indices, order, path))


def _index(band: InputBand, order: Sequence[str]) -> int | None:
    """Find a band among those of an encoder, by its name or its common name."""
    name = plain(band.name)
    if name in order:
        return order.index(name)
    alike = [at for at, each in enumerate(order) if SENTINEL2[each] == band.common_name]
    return alike[0] if alike else None


def _picked(
    bands: Sequence[InputBand],
    indices: Sequence[int | None],
    order: Sequence[str],
    path: Path,
) -> list[str]:
    """Say which bands of an encoder were taken, and which of the scene it lacks."""
    taken = [order[index].upper() for index in indices if index is not None]
    others = [each.upper() for at, each in enumerate(order) if at not in indices]
    without = f", without {', '.join(others)}" if others else ""
    notes = [f"{path}: of its {len(order)} bands {', '.join(taken)} are used{without}"]
    fresh = [band.name for band, at in zip(bands, indices, strict=True) if at is None]
    if fresh:
        notes.append(
            f"{path} does not know {', '.join(fresh)}: begun with the mean of all bands"
        )
    return notes


def _left_out(held: Tensors, used: Tensors, path: Path) -> tuple[str, ...]:
    """Say what of a file is no encoder's, but for what classifies whole images."""
    count = len(held) - len(used)
    over = [name for name in held if not any(name.endswith(each) for each in used)]
    listed = [name for name in over if not name.endswith(_COUNTER)]
    if count <= 0 or not listed:
        return ()
    kind = "of a classifier" if all(map(_HEADS.search, listed)) else "not the encoder's"
    named = ", ".join(listed[:_NAMED]) + ", ..." * (len(listed) > _NAMED)
    return (f"{path}: left out {counted(len(listed), 'tensor')} {kind}: {named}",)
