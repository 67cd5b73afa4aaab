"""What a user may say about labelled ground, and about a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from geoseg.errors import InputError
from geoseg.options import (
    Device,
    GridOptions,
    Precision,
    Radiometry,
    Rule,
    SceneOptions,
    Signer,
    as_in,
    counted_up,
    option,
)

_FOLDS = 5
_OF_NETWORKS = (
    *("start", "encoder", "encoder_weights", "tile", "epochs", "steps", "batch"),
    *("learning_rate", "weight_decay", "loss", "schedule", "jitter", "patience"),
    *("precision", "tensorboard", "fold", "block", "gap", "chip", "restart"),
)
"""Options of trainings that a fit to pixels does not have."""

HeadName = Literal["discriminant", "logistic", "mlp", "forest", "pool", "voting"]
"""The classifiers of pixels; the last two are averages of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundOptions(GridOptions):
    """Which labels and classes there are, and how ground is split into chips."""

    HEADING: ClassVar[str] = "Labels and chips"

    class_field: str | None = option(
        None,
        "The labels' column of classes.",
        otherwise="class, reference or class_name",
        holds="field",
    )
    classes: Path | None = option(
        None, "YAML with ids, names, colours and merges.", holds="path"
    )
    line_width: float = option(
        0.0, "Metres that lines among the labels are wide.", otherwise="one pixel"
    )
    bands: tuple[str, ...] = option(
        (),
        "B02, B02=blue, 3 for a file's third, 1-64; or whose learned features they "
        "are.",
        otherwise="all of the first scene's",
        metavar="NAME,NAME|alphaearth|tessera",
    )
    dates: tuple[str, ...] = option(
        (),
        "A window of dates of an input by name, whose files acquired then are an image "
        "by themselves: days of every year, or of one.",
        repeats=True,
        metavar="INPUT:NAME=FROM/TO",
    )
    mosaic: Rule = as_in(SceneOptions, "mosaic")
    near: str | None = as_in(SceneOptions, "near")
    datetime: str | None = as_in(SceneOptions, "datetime")
    mask: tuple[str, ...] = as_in(SceneOptions, "mask")
    radiometry: Radiometry = as_in(SceneOptions, "radiometry")
    sign: Signer | None = as_in(SceneOptions, "sign")
    allow_external_references: bool = as_in(SceneOptions, "allow_external_references")
    fold: str = option("0/5", "The fifth of the blocks that is held out to measure on.")
    block: int = option(
        0, "Side of blocks, pixels.", otherwise="256, or less in small scenes"
    )
    gap: int = option(
        16, "Pixels between training chips and held-out blocks, at least."
    )
    chip: int = option(0, "Side of samples, pixels.", otherwise="half a block's")
    restart: bool = option(False, "Throw away what an interrupted call left.")

    def __post_init__(self) -> None:
        """Refuse numbers that no split can have."""
        self.check_least(block=0, gap=0, chip=0)
        self.held_out_fold()

    def check_least(self, **least: int) -> None:
        """Refuse fields that are below the least that they may be.

        Raises:
            InputError: One is.

        """
        for name, low in least.items():
            if getattr(self, name) < low:
                raise InputError(f"{name} is {getattr(self, name)}; give {low} or more")

    def imagery(self) -> dict[str, Any]:
        """Give what is said of reading files, for `SceneOptions`."""
        own = (
            *("mosaic", "near", "datetime", "mask", "radiometry", "sign"),
            "allow_external_references",
        )
        return {**self.grid(), **{name: getattr(self, name) for name in own}}

    def band_names(self) -> tuple[str, ...]:
        """Name each band, as `NewPackage.bands` takes them; none for all."""
        if self.features() is not None:
            return ()
        return tuple(name for each in self.bands for name in counted_up(each))

    def features(self) -> Literal["alphaearth", "tessera"] | None:
        """Say whose learned features bands are said to be."""
        if self.bands == ("alphaearth",):
            return "alphaearth"
        return "tessera" if self.bands == ("tessera",) else None

    def held_out_fold(self) -> int:
        """Give the number of the fold that is held out.

        Raises:
            InputError: The text is no fold.

        """
        number, _, count = self.fold.partition("/")
        if not number.isdecimal() or count != str(_FOLDS) or int(number) >= _FOLDS:
            raise InputError(
                f"the fold is {self.fold!r}; write 0/{_FOLDS} to {_FOLDS - 1}/{_FOLDS}"
            )
        return int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions(GroundOptions):
    """How to train; every field has a default that suits most."""

    HEADING: ClassVar[str] = "Training"

    start: str | None = option(
        None,
        "Go on from this model, a name, a folder or hf://owner/name: fine-tuning.",
        flag="from",
        metavar="PACKAGE",
        holds="model",
    )
    architecture: str | None = option(
        None,
        "context, pixel or probe, fitted to labelled pixels in seconds; Unet or "
        "another network.",
        otherwise="what few labels fit best; Unet for many",
        metavar="NAME",
    )
    head: HeadName | None = option(
        None,
        "Which classifier context, pixel and probe fit; networks have none.",
        otherwise="the best on held-out ground",
    )
    encoder: str = option("tu-tf_efficientnet_lite0", "The encoder of that family.")
    encoder_weights: str = option(
        "auto",
        "What the encoder begins with: a file, an installed package, hf://owner/name, "
        "or none.",
        otherwise="ImageNet, where installed",
        metavar="FILE|PACKAGE|hf://OWNER/NAME|none",
    )
    tile: int = option(
        256, "Side of the tiles that the package asks for when it is used."
    )
    epochs: int = option(20, "How often the network is looked at.")
    steps: int | None = option(
        None,
        "Batches an epoch.",
        otherwise="as many as show each labelled pixel about once, 25 to 200",
    )
    batch: int = option(8, "Chips a batch.")
    learning_rate: float = option(2.5e-3, "At its highest.")
    weight_decay: float = option(0.05, "AdamW's pull towards small weights.")
    loss: Literal["dice+cross-entropy", "cross-entropy", "focal", "lovasz"] = option(
        "dice+cross-entropy", "What is made small."
    )
    schedule: Literal["cosine", "one-cycle"] = option(
        "cosine", "How the learning rate rises and falls."
    )
    jitter: float = option(
        0.1, "How far brightness varies, in standard deviations of a band; 0 for none."
    )
    patience: int = option(
        0,
        "Epochs without a better mean F1 on another held-out fold before it stops, "
        "keeping the best; 0: never.",
    )
    seed: int = option(0, "Decides first weights and samples.")
    device: Device = option("auto", "What computes.")
    precision: Precision = option("auto", "What it computes in.")
    tensorboard: Path | None = option(
        None, "Folder for TensorBoard's files.", holds="path"
    )

    def of_networks(self) -> list[str]:
        """Name what was said that only networks have."""
        fields = type(self).__dataclass_fields__
        return [n for n in _OF_NETWORKS if getattr(self, n) != fields[n].default]

    def __post_init__(self) -> None:
        """Refuse numbers that no training can have."""
        GroundOptions.__post_init__(self)  # super() does not work with slots here
        self.check_least(tile=1, epochs=1, batch=1, patience=0, seed=0)
        if self.steps is not None and self.steps < 1:
            raise InputError(f"an epoch has {self.steps} steps; give 1 or more")
        if not self.learning_rate > 0:
            raise InputError(f"the learning rate is {self.learning_rate}, not above 0")
        if not self.jitter >= 0:
            raise InputError(f"the jitter is {self.jitter}; give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """On which ground the confidences of a model are brought to what comes true."""

    HEADING: ClassVar[str] = "Ground"

    class_field: str | None = option(
        None,
        "The labels' column of classes.",
        otherwise="class, reference or class_name",
        holds="field",
    )
    held_out: str | None = option(
        None,
        "Look at a training's held-out blocks only, such as 0/5: what the model "
        "learned from makes it too sure.",
        otherwise="all labelled ground",
        metavar="FOLD/5",
    )
    held_out_block: int = option(256, "Side of blocks in pixels.", least=1)
    device: Device = option("auto", "What computes.")
