"""The architectures that a model package may name, and what each of them needs.

A table and nothing else: it needs no torch, so that packages are checked, and listed,
without it. `geoseg.models.networks.network` builds the networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoseg.errors import ModelError

_LIGHT = "resnet18"


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of networks, each over an encoder that one may choose."""

    name: str
    """What ``config.json`` calls it: its class in `segmentation_models_pytorch`, or
    in `geoseg.models.networks.fcn`."""
    paper: str
    """Authors and year of the paper that it comes from."""
    encoders: str = "any"
    """Which of smp's encoders it takes, timm's (``tu-...``) among them, in words."""
    example: str = _LIGHT
    """A light encoder that fits it."""
    example_settings: tuple[tuple[str, Any], ...] = ()
    """Further settings that it wants with that encoder."""
    smallest_tile: int = 32
    """The smallest side of a tile that it takes with its own settings, in pixels."""
    smallest_batch: int = 1
    """The fewest tiles that it can be trained on at a time: where it normalises what
    it pooled over a whole tile, one tile has no deviation."""
    radius: int | None = None
    """How far an input pixel can change the output with that encoder, in pixels; None
    where that is everywhere. `geoseg.list_architectures` measures
    it anew; that takes two minutes, so what it gave stands here."""
    classifier: str = "segmentation_head.0.weight"
    """The tensor whose first side is the number of classes."""


_DILATED = "those that dilate: not VGG, not most transformers"
"""Encoders whose last stages can trade their stride for dilation."""
_NO_GAPS = "any with features at half the side: not MiT"

ARCHITECTURES = {
    each.name: each
    for each in (
        *(
            Architecture(
                name,
                "Long, Shelhamer and Darrell 2015",
                example="vgg16",
                radius=radius,
                classifier="segmentation_head.scores.0.weight",
            )
            for name, radius in (("FCN32s", 137), ("FCN16s", 145), ("FCN8s", 149))
        ),
        Architecture("Unet", "Ronneberger, Fischer and Brox 2015", radius=311),
        Architecture("UnetPlusPlus", "Zhou et al. 2018", encoders=_NO_GAPS, radius=311),
        Architecture("MAnet", "Fan et al. 2020"),
        Architecture(
            "Linknet", "Chaurasia and Culurciello 2017", encoders=_NO_GAPS, radius=279
        ),
        Architecture("FPN", "Lin et al. 2017; Kirillov et al. 2019"),
        Architecture("PSPNet", "Zhao et al. 2017"),
        Architecture(
            "DeepLabV3", "Chen et al. 2017", encoders=_DILATED, smallest_batch=2
        ),
        Architecture(
            "DeepLabV3Plus", "Chen et al. 2018", encoders=_DILATED, smallest_batch=2
        ),
        Architecture(  # it halves its last features, at 1/16, three times
            "PAN",
            "Li et al. 2018",
            encoders=_DILATED,
            smallest_tile=128,
            smallest_batch=2,
        ),
        Architecture("UPerNet", "Xiao et al. 2018", smallest_batch=2),
        Architecture("Segformer", "Xie et al. 2021", example="mit_b0"),
        Architecture(
            "DPT",
            "Ranftl, Bochkovskiy and Koltun 2021",
            encoders="timm's vision transformers",
            example="tu-vit_tiny_patch16_224",
            # Else a vision transformer takes tiles of its own side and no other.
            example_settings=(("dynamic_img_size", True),),
            classifier="segmentation_head.head.4.weight",
        ),
    )
}
"""All of them, by name: oldest ideas first."""

PAIRED = {
    each.name: each
    for each in (
        Architecture(
            "FCSiamDiff",
            "Daudt, Le Saux and Boulch 2018",
            encoders=_NO_GAPS,
            radius=311,
        ),
    )
}
"""Networks of two dates, each of the same bands: what changed between them."""

PUBLISHED = {
    each.name: each
    for each in (
        Architecture(
            "DynamicWorld",
            "Brown et al. 2022",
            encoders="none but its own",
            example="",
            classifier="segmentation_head.weight",
        ),
    )
}
"""Networks that were published whole, each with weights and an encoder of its own: they
are imported, and neither chosen nor trained here."""


PIXELWISE = Architecture(
    "Pixelwise",
    "scikit-learn's classifiers of single pixels",
    encoders="pixel, context, probe",
    example="pixel",
    smallest_tile=1,
    radius=0,
    classifier="segmentation_head.classifier.weight",
)
"""What is fitted to a few labels: no encoder, nothing to go on training from."""


def find_architecture(config: dict[str, Any]) -> Architecture:
    """Find the architecture that the content of a ``config.json`` names.

    Raises:
        ModelError: It names none, or one that is unknown.

    """
    name = config.get("_model_class")
    known = {**ARCHITECTURES, **PAIRED, **PUBLISHED, PIXELWISE.name: PIXELWISE}
    if not isinstance(name, str) or name not in known:
        raise ModelError(f"the network is a {name!r}; geoseg loads {', '.join(known)}")
    return known[name]
