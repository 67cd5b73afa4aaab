"""Dynamic World as it is published, made a package: tensors, bands, classes.

The repository google/dynamicworld keeps the model as a TensorFlow SavedModel, in which
the tensors have numbers for names, in the order in which the network was built.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from geoseg.errors import ModelError
from geoseg.geo.band_names import SENTINEL2
from geoseg.geo.legend import LandClass, Legend
from geoseg.models.exchange.recipes import DYNAMIC_WORLD
from geoseg.models.networks.dynamic_world import DynamicWorld
from geoseg.models.networks.receptive_field import exact_overlap
from geoseg.models.package.card import Card, InputBand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_BANDS = {  # for each band the two figures of its squash
    "B02": (1.7417268007636313, 2.023298706048351),
    "B03": (1.7261204997060209, 2.038905204308012),
    "B04": (1.6798346251414997, 2.179592821212937),
    "B05": (1.7734969472909623, 2.2890068333026603),
    "B06": (2.289154079164943, 2.6171674549378166),
    "B07": (2.382939712192371, 2.773418590375327),
    "B08": (2.3828939530384052, 2.7578332604178284),
    "B11": (2.1952484264967844, 2.789092484314204),
    "B12": (1.554812948247501, 2.4140534947492487),
}
_COLOURS = (
    "#419bdf",
    "#397d49",
    "#88b053",
    "#7a87c6",
    "#e49635",
    "#dfc35a",
    "#c4281b",
    "#a59b8f",
    "#b39fe1",
)
"""The published colour of each class."""
_STEEP, _SHIFT, _RATE = 5.0, 1.0, 0.005
"""The squash of a digital number d: sigmoid(5 (ln(0.005 d + 1) - low) / spread - 1)."""
_REFLECTANCE = 10_000
"""The digital number of a reflectance of 1."""
_RADIUS = 22
"""How far the network looks, in pixels; a test measures it."""
_TILE = 512


def dynamic_world_network(tensors: Sequence[NDArray[np.float32]]) -> DynamicWorld:
    """Build the network and give it tensors in TensorFlow's order and layouts.

    Args:
        tensors: All of them, as they are numbered.

    Raises:
        ModelError: They are another network's.

    """
    network = DynamicWorld()
    give_tensors(network, tensors)
    for index, (_, spread) in enumerate(_BANDS.values()):
        network.squash.gain[0, index] = _STEEP / spread
    return network.eval()


def give_tensors(network: DynamicWorld, tensors: Sequence[NDArray[np.float32]]) -> None:
    """Fill a network of any widths, all but its squash.

    Raises:
        ModelError: There are more or fewer tensors, or some of other shapes.

    """
    slots = list(_slots(network))
    wanted = [_shape(slot, permuted) for slot, permuted in slots]
    found = [tensor.shape for tensor in tensors]
    if wanted != found:
        pairs = enumerate(zip(wanted, found, strict=False))
        differ = [f"{n}: {w} wanted, {f} found" for n, (w, f) in pairs if w != f]
        first = f", the first that differs is {differ[0]}" if differ else ""
        raise ModelError(
            f"these are not the weights of Dynamic World's forward model, which has "
            f"{len(wanted)} tensors: {len(found)} are here{first}; give the folder "
            f"model/forward of a copy of {DYNAMIC_WORLD.home}"
        )
    with torch.no_grad():
        for (slot, permuted), tensor in zip(slots, tensors, strict=True):
            slot.copy_(torch.from_numpy(tensor.copy()).permute(permuted))


def cut_tensors(content: bytes, network: DynamicWorld) -> list[NDArray[np.float32]]:
    """Cut the bytes of a shard into the tensors of a network, which begin it."""
    tensors, offset = [], 0
    for slot, permuted in _slots(network):
        shape = _shape(slot, permuted)
        count = math.prod(shape)
        tensors.append(np.frombuffer(content, "<f4", count, offset).reshape(shape))
        offset += 4 * count
    return tensors


def dynamic_world_card(network: DynamicWorld, source: str) -> Card:
    """Say all that there is to say of the model.

    Args:
        network: It.
        source: Where its weights came from.

    """
    recipe = DYNAMIC_WORLD
    return Card(
        name=recipe.name,
        version=recipe.version,
        description=f"Dynamic World: {recipe.purpose}.",
        architecture="DynamicWorld",
        parameters=sum(each.numel() for each in network.parameters()),
        pretrained_source="",
        bands=tuple(_band(name, *figures) for name, figures in _BANDS.items()),
        scale=1.0,
        dtype="uint16",
        legend=Legend(
            tuple(
                LandClass(value, name, colour)
                for value, (name, colour) in enumerate(
                    zip(recipe.classes, _COLOURS, strict=True)
                )
            )
        ),
        tile=_TILE,
        overlap=exact_overlap(_RADIUS, network.tile_stride),
        stride=network.tile_stride,
        gsd_m=10.0,
        license=recipe.license,
        precision="float32",
        attribution=recipe.attribution,
        source=source,
        trained_on=(
            "some 24,000 Sentinel-2 images of 510 x 510 px from all over the world, "
            "labelled by people (Brown et al. 2022)"
        ),
    )


def _band(name: str, low: float, spread: float) -> InputBand:
    """Normalise a band so that its squash is sigmoid(gain ln(1 + z)), as `Squash` says.

    The middle of the squash, where the sigmoid is a half, is at ``0.005 d + 1 = m``;
    with ``z = (0.005 d + 1) / m - 1``, ``ln(0.005 d + 1) = ln(1 + z) + ln m``.
    """
    middle = math.exp(low + spread * _SHIFT / _STEEP)
    return InputBand(
        name=name,
        common_name=SENTINEL2[name.lower().replace("b0", "b")],
        mean=(middle - 1) / _RATE,
        std=middle / _RATE,
        minimum=0,
        maximum=_REFLECTANCE,
    )


def _slots(network: DynamicWorld) -> Iterator[tuple[torch.Tensor, tuple[int, ...]]]:
    """Give the network's tensors in TensorFlow's order, and how each one's sides go.

    The second of a pair is the permutation that brings TensorFlow's sides to torch's.
    """
    for name in _layers():
        layer = network.get_submodule(name)
        if isinstance(layer, nn.Conv2d):
            # Convolutions are (y, x, in, out), depthwise ones (y, x, channel, 1).
            yield layer.weight, (2, 3, 0, 1) if layer.groups > 1 else (3, 2, 0, 1)
            if layer.bias is not None:
                yield layer.bias, (0,)
        elif isinstance(layer, nn.BatchNorm2d):
            kept = layer.weight, layer.bias, layer.running_mean, layer.running_var
            yield from ((each, (0,)) for each in kept if each is not None)


def _layers() -> Iterator[str]:
    """Name the layers in the order in which the published network was built.

    Keras builds what runs beside each other by depth: the way beside the blocks begins
    and ends within the second.
    """
    yield from _unit("stem")
    yield from _block("first")
    yield from _body("second")
    yield from _unit("beside.0")
    yield from _ends("second")
    yield from _unit("beside.1")
    yield from _block("third")
    yield "segmentation_head"


def _unit(name: str) -> Iterator[str]:
    yield f"{name}.0"
    yield f"{name}.1"


def _block(name: str) -> Iterator[str]:
    yield from _body(name)
    yield from _ends(name)


def _body(name: str) -> Iterator[str]:
    for index in range(5):
        yield from _unit(f"{name}.body.{index}")


def _ends(name: str) -> Iterator[str]:
    """The last depthwise convolution beside the projection: both, then both's norms."""
    for part in (0, 1):
        yield f"{name}.body.5.{part}"
        yield f"{name}.projection.{part}"


def _shape(slot: torch.Tensor, permuted: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in TensorFlow's layout of one of the network's tensors."""
    sides = [0] * slot.dim()
    for here, there in enumerate(permuted):
        sides[there] = slot.shape[here]
    return tuple(sides)
