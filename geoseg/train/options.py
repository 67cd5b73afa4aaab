"""What a user may say about labelled ground, and about a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geoseg.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_FOLDS = 5
_OF_NETWORKS = (
    *("start", "encoder", "encoder_weights", "tile", "epochs", "steps", "batch"),
    *("learning_rate", "weight_decay", "loss", "schedule", "jitter", "patience"),
    *("precision", "tensorboard", "fold", "block", "gap", "chip", "restart"),
)
"""Options of trainings that a fit to pixels does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundOptions:
    """Which labels and classes there are, and how ground is split into chips."""

    class_field: str | None = None
    """The column of the labels that holds class names; ``class``, ``reference`` or
    ``class_name`` where none is given."""
    classes: Path | None = None
    """A YAML file with ids, names, colours and merges of classes."""
    line_width: float = 0.0
    """How wide lines among the labels are, in metres; 0 for one pixel."""
    bands: tuple[str, ...] = ()
    """Bands by name, or ``3`` for the third; all of the first scene's if empty."""
    fold: str = "0/5"
    """Which fifth of the blocks is held out to measure on."""
    block: int = 0
    """The side of a block in pixels; 0 for 256, or less where scenes are small."""
    gap: int = 16
    """Pixels that lie, at least, between a chip and a held-out block."""
    chip: int = 0
    """Side of a training sample in pixels; 0 for half a block's."""
    restart: bool = False
    """Throw away what an interrupted call left."""

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

    start: str | None = None
    """The package to begin from: a name, a folder or ``hf://owner/name``."""
    architecture: str | None = None
    """The network's family, where it begins anew; or ``context`` or ``pixel``, which
    are fitted to labelled pixels. Where None, the better of those two for few labels,
    unless something else is said that only networks have; else ``Unet``."""
    head: str | None = None
    """The classifier of pixels: ``discriminant``, ``logistic``, ``mlp`` or ``forest``;
    the one that does best on held-out ground where None."""
    encoder: str = "tu-tf_efficientnet_lite0"
    """The encoder of that family."""
    encoder_weights: str = "auto"
    """Weights that the encoder begins with: a file, an installed package, or
    ``hf://owner/name``; ``none`` for none, ``auto`` for a package that is known to
    have this encoder's, where it is installed."""
    tile: int = 256
    """Side of the tiles that the package asks for when it is used."""
    epochs: int = 20
    """How often the network is looked at."""
    steps: int | None = None
    """Batches an epoch; as many as show each labelled pixel about once where None,
    25 to 200."""
    batch: int = 8
    """Chips a batch."""
    learning_rate: float = 2.5e-3
    """At its highest."""
    weight_decay: float = 0.05
    """AdamW's pull towards small weights."""
    loss: Literal["dice+cross-entropy", "cross-entropy", "focal", "lovasz"] = (
        "dice+cross-entropy"
    )
    """What is made small."""
    schedule: Literal["cosine", "one-cycle"] = "cosine"
    """How the learning rate rises and falls."""
    jitter: float = 0.1
    """Standard deviation of changes of brightness, in those of a band; 0 for none."""
    patience: int = 0
    """Stop after so many epochs without a better mean F1 on another held-out fold, and
    keep the best; 0 to train to the end and keep the last."""
    seed: int = 0
    """Decides first weights and samples."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """What computes."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What it computes in: what is fast and safe on the device where ``auto``."""
    tensorboard: Path | None = None
    """A folder for TensorBoard's files."""

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
