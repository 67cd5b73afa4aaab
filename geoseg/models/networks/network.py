"""The networks of model packages: built from their configuration, loaded, saved."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from geoseg.errors import ModelError
from geoseg.models.networks.activations import give_logits
from geoseg.models.networks.architectures import (
    PIXELWISE,
    PUBLISHED,
    find_architecture,
)
from geoseg.models.networks.dynamic_world import DynamicWorld
from geoseg.models.networks.onnx import OnnxNetwork
from geoseg.models.networks.penultimate import Penultimate
from geoseg.models.networks.pixelwise import Pixelwise
from geoseg.models.package.card import Artifact
from geoseg.models.package.files import CARD, CONFIG, WEIGHTS
from geoseg.models.package.mlm_write import write_card
from geoseg.models.package.package import read_json, sha256

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from geoseg.models.package.card import Card, Training
    from geoseg.models.package.package import ModelPackage

_ALONE: dict[str, type[torch.nn.Module]] = {
    "DynamicWorld": DynamicWorld,
    PIXELWISE.name: Pixelwise,
}
"""The classes of networks without an encoder of another library, by their names."""

_FETCHING = (
    "cache_dir",
    "checkpoint_path",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
)
"""Settings by which timm would take weights from elsewhere."""


_AT_RANDOM = ("normal_", "trunc_normal_", "uniform_")
"""What fills a tensor at random: `torch.nn.init` and tensors call it alike."""
_REFUSALS = (
    # What smp and timm raise on settings that they do not take has no one parent.
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def network_class(name: str) -> type[torch.nn.Module]:
    """Give the class of an architecture that `find_architecture` knows.

    Most come with smp, which takes half a second to import: only once one is wanted.
    """
    if name in _ALONE:
        return _ALONE[name]
    from geoseg.models.networks import fcn, siamese  # noqa: PLC0415  # as said
    from geoseg.models.networks.lean_import import smp  # noqa: PLC0415

    of_name: type[torch.nn.Module] = next(
        getattr(each, name) for each in (fcn, siamese, smp) if hasattr(each, name)
    )
    return of_name


def build_network(config: dict[str, Any]) -> torch.nn.Module:
    """Build an untrained network from the content of a ``config.json``.

    No weights are fetched from anywhere: the encoder begins at random.

    Raises:
        ModelError: The architecture is unknown, or does not take these settings.

    """
    name = find_architecture(config).name
    settings = {key: value for key, value in config.items() if not key.startswith("_")}
    if name not in PUBLISHED:
        settings["encoder_weights"] = None
    _check_settings(settings)
    if isinstance(settings.get("frozen"), dict):
        settings["network"] = build_network(settings["frozen"])
    try:
        return network_class(name)(**settings)
    except _REFUSALS as error:
        maker = "geoseg" if name in PUBLISHED else "segmentation_models_pytorch"
        raise ModelError(
            f"{maker} cannot build the {name} that {CONFIG} "
            f"describes ({str(error) or 'it does not take these settings'})"
        ) from error


def _check_settings(settings: dict[str, Any]) -> None:
    """Refuse what would fetch weights, or give something else than scores."""
    if ":" in str(settings.get("encoder_name")):
        raise ModelError(
            f"the encoder {settings['encoder_name']!r} would be fetched from a hub; "
            f"geoseg builds encoders that are installed, without network access"
        )
    fetching = [name for name in _FETCHING if settings.get(name)]
    if fetching:
        raise ModelError(
            f"{CONFIG} has {fetching[0]}, which takes weights from elsewhere; geoseg "
            f"loads those in {WEIGHTS} and no other: take it out"
        )
    if settings.get("aux_params"):
        raise ModelError(
            f"{CONFIG} gives the network a second head by aux_params; geoseg takes "
            f"scores alone: take it out, and its tensors"
        )


def tile_stride(network: torch.nn.Module) -> int:
    """Find what sides of tiles, and steps from tile to tile, are multiples of.

    It is the factor by which the coarsest features of the network are smaller than
    its input: 32 for most, less where the encoder is shallower or dilated. Some
    networks take other sides, too, but would see neighbouring tiles on other grids.
    """
    if isinstance(network, Pixelwise):
        frozen = getattr(network.features, "frozen", None)
        return 1 if frozen is None else tile_stride(frozen)
    if isinstance(network, Penultimate):
        return tile_stride(network.network)
    encoder = getattr(network, "encoder", None)
    stride = int(getattr(encoder, "output_stride", 1))
    if isinstance(network, DynamicWorld):
        return network.tile_stride
    if type(network).__name__ == "DPT":
        # All features of a vision transformer have the size of its patches; the
        # decoder makes a pyramid of them, from 1/4 on, each half the one before.
        depth = len(cast("list[int]", encoder.output_strides))  # type: ignore[union-attr]  # smp has no types
        return math.lcm(stride, 2 ** (depth + 1))
    return stride


def load_network(package: ModelPackage) -> torch.nn.Module:
    """Load a package's network, ready to predict.

    Returns:
        A module in eval mode, float32, on the CPU. It takes normalised pixels,
        shape ``(tile, band, y, x)``, and gives logits, ``(tile, class, y, x)``, in
        the order of the legend, whatever the network's own activation is.

    Raises:
        ModelError: The weights cannot be read, or do not fit the configuration
            tensor by tensor; or the package's stride is not the network's.

    """
    return give_logits(load_bare(package), package)


def load_bare(package: ModelPackage) -> torch.nn.Module:
    """Load a package's network as `load_network` does, with its output as it is.

    Raises:
        ModelError: As there.

    """
    if package.is_onnx:
        content = package.weights.read_bytes()
        return OnnxNetwork(content, package, str(package.weights)).eval()
    config = read_json(package.path / CONFIG)
    check_activation(package, config, package.path)
    with _NoRandomWeights():
        network = build_network(config)
    check_stride(package, network, package.path)
    load_weights(network, package.weights)
    return network.eval()


class _NoRandomWeights(TorchFunctionMode):
    """Build networks without random numbers, where weights are read anyway.

    For encoders that smp builds without memory first, torch would fetch its compiler.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Leave a tensor as it is that would be filled at random."""
        if getattr(func, "__name__", "") in _AT_RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Give a network the tensors of a safetensors file.

    Raises:
        ModelError: The file cannot be read, or does not fit tensor by tensor.

    """
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read ({error})") from error
    wanted = network.state_dict()
    misfits = sorted(
        name
        for name in wanted.keys() | tensors.keys()
        if name not in wanted
        or name not in tensors
        or wanted[name].shape != tensors[name].shape
    )
    if misfits:
        raise ModelError(
            f"{path} does not fit the {type(network).__name__} of {CONFIG}: "
            f"{len(misfits)} tensors are missing, unexpected or of another shape, the "
            f"first is {misfits[0]}{_shapes(misfits[0], wanted, tensors)}"
        )
    try:
        network.load_state_dict(tensors)  # casts float16 to the network's float32
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{path} is damaged: {reason}") from error


def _shapes(name: str, wanted: dict[str, Any], found: dict[str, Any]) -> str:
    if name not in wanted:
        return ", which the network lacks"
    if name not in found:
        return ", which the file lacks"
    return f": {tuple(wanted[name].shape)} wanted, {tuple(found[name].shape)} found"


def check_stride(card: Card, network: torch.nn.Module, path: Path) -> None:
    """Refuse a stride that is not the network's.

    Raises:
        ModelError: It is not a multiple of that; the message names the path.

    """
    needed = tile_stride(network)
    if card.stride % needed:
        raise ModelError(
            f"{path}: the stride is said to be {card.stride}, but the network needs "
            f"tiles, and steps between them, that are multiples of {needed}"
        )


def check_activation(card: Card, config: dict[str, Any], path: Path) -> None:
    """Refuse a network that squashes its scores where they would be once more.

    Raises:
        ModelError: They would; the message names the path.

    """
    if not card.gives_scores:
        raise ModelError(
            f"{path}: the activation {card.activation!r} is of ONNX files that give "
            f"the class of each pixel, and a {find_architecture(config).name} gives "
            f"scores; declare softmax, sigmoid or none"
        )
    own = config.get("activation")
    if own is not None and card.activation != "none":
        raise ModelError(
            f"{path}: {CONFIG} gives the network the activation {own!r}, and "
            f"{card.activation!r} is declared on top of it; take out one of the two"
        )


def save_package(
    path: Path,
    network: torch.nn.Module,
    card: Card,
    training: Training | None = None,
    *,
    half: bool = True,
) -> None:
    """Write a model package: weights, configuration and metadata.

    Args:
        path: The package's folder; made if missing, files in it are replaced.
        network: One of a `network_class`, made with keyword arguments or not.
        card: What the package says of the model.
        training: Where and when it was trained, if known.
        half: Store float16, which is half the size, rather than what the network has.

    Raises:
        ModelError: The card says what no model can have.

    """
    path.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: _stored(tensor, half=half).contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(tensors, path / WEIGHTS, metadata={"format": "pt"})
    write_json(path / CONFIG, describe_network(network))
    # safetensors lets its user alone read what it writes, whatever the umask.
    (path / WEIGHTS).chmod((path / CONFIG).stat().st_mode)
    artifact = Artifact(WEIGHTS, sha256(path / WEIGHTS))
    write_json(path / CARD, write_card(card, training, artifact))


def _stored(tensor: torch.Tensor, *, half: bool) -> torch.Tensor:
    return tensor.half() if half and tensor.is_floating_point() else tensor


def describe_network(network: torch.nn.Module) -> dict[str, Any]:
    """Give the ``config.json`` from which `build_network` makes such a network."""
    # smp keeps the arguments a network was made with, and writes them this way.
    config = dict(cast("dict[str, Any]", network.config))
    config["_model_class"] = type(network).__name__
    if config["_model_class"] not in PUBLISHED:
        config["encoder_weights"] = None
    return dict(sorted(config.items()))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object as a file that people can read."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
