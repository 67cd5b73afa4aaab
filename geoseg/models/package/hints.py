"""What a checkpoint says of its network beside the weights: its hyperparameters.

Lightning keeps them under ``hyper_parameters``, other training scripts under ``config``
or ``args``; torchgeo and ftw-baselines call an encoder ``backbone``, smp
``encoder_name``, FLAIR both parts together ``resnet34_unet``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geoseg.models.networks.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTIONS = (
    "hyper_parameters",
    "hparams",
    "config",
    "args",
    "model_config",
    "settings",
)
_ARCHITECTURE = ("_model_class", "architecture", "arch", "model_name", "model")
_ENCODER = ("encoder_name", "backbone", "encoder")
_BOTH = "encoder_decoder"
"""FLAIR's name for an encoder and an architecture with an underscore between them."""
_CLASSES = ("class_names", "labels", "classes")
_BANDS = ("bands", "band_names", "channels")
_SPELLED = {
    **{name.lower(): name for name in ARCHITECTURES},
    "deeplabv3+": "DeepLabV3Plus",
    "unet++": "UnetPlusPlus",
}
"""What others call architectures, in small letters."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a file says; empty where it says nothing that geoseg understands."""

    architecture: str = ""
    """One of `ARCHITECTURES`."""
    encoder: str = ""
    """One of smp's encoders, as far as the file knows."""
    bands: tuple[str, ...] = ()
    """The names of bands, in the network's order."""
    classes: tuple[str, ...] = ()
    """The names of classes, in the order of channels."""


def read_hints(content: object) -> Hints:
    """Collect what the content of a checkpoint, or of a ``config.json``, says."""
    found: dict[str, Any] = {}
    for settings in _settings(content):
        for name, value in settings.items():
            found.setdefault(str(name), value)
    encoder, _, architecture = str(found.get(_BOTH, "")).rpartition("_")
    return Hints(
        architecture=_spelled(found) or _SPELLED.get(architecture.lower(), ""),
        encoder=_text(found, _ENCODER) or encoder,
        bands=_names(found, _BANDS),
        classes=_names(found, _CLASSES),
    )


def _settings(content: object) -> Iterator[Mapping[Any, Any]]:
    if not isinstance(content, Mapping):
        return
    yield content
    for section in _SECTIONS:
        yield from _settings(content.get(section))


def _spelled(found: dict[str, Any]) -> str:
    said = (str(found.get(name, "")).lower() for name in _ARCHITECTURE)
    return next((_SPELLED[each] for each in said if each in _SPELLED), "")


def _text(found: dict[str, Any], names: tuple[str, ...]) -> str:
    said = (found.get(name) for name in names)
    return next((each for each in said if isinstance(each, str)), "")


def _names(found: dict[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the first list of texts."""
    for value in map(found.get, names):
        if not isinstance(value, list | tuple) or not value:
            continue
        if all(isinstance(each, str) for each in value):
            return tuple(value)
    return ()
