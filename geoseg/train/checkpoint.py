"""What a training leaves on disk: its state, so that it can carry on; then a package.

All is in a hidden folder beside the output until the package is whole.
"""

from __future__ import annotations

import csv
import shutil
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import torch

from geoseg.errors import ResumeError, TrainingError
from geoseg.storage import resume
from geoseg.storage.full_disk import needing, written
from geoseg.storage.renames import rename
from geoseg.storage.staging import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from geoseg.train.options import TrainOptions
    from geoseg.train.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch showed."""

    number: int
    """Counted from 1."""
    step: int
    """Steps taken so far."""
    loss: float
    """The mean loss of its steps."""
    learning_rate: float
    """At its last step."""
    overall: float
    """Overall accuracy on the blocks that are validated."""
    mean_f1: float
    """Mean F1 there."""
    mean_iou: float
    """Mean IoU there."""

    def sentence(self) -> str:
        """Write it in a line."""
        return (
            f"epoch {self.number}: loss {self.loss:.3f}, held-out overall accuracy "
            f"{self.overall:.3f}, mean F1 {self.mean_f1:.3f}, mean IoU "
            f"{self.mean_iou:.3f}"
        )


class Checkpoint:
    """The folder of a training under way."""

    def __init__(self, output: Path, identity: dict[str, str], *, choose: bool) -> None:
        """Name the files; nothing is made yet.

        Args:
            output: Where the package is to appear.
            identity: What decides the weights.
            choose: Keep the best epoch, not the last.

        """
        self.output, self.identity, self.choose = output, identity, choose
        self.folder = output.with_name(f".{output.name}.training")
        self.package = self.folder / "package"
        self.tensorboard: Path | None = None
        self.epochs: tuple[Epoch, ...] = ()
        self._best: dict[str, Any] | None = None

    @classmethod
    @contextmanager
    def open(
        cls, output: Path, identity: dict[str, str], options: TrainOptions
    ) -> Iterator[Self]:
        """Open what an interrupted training left, or begin.

        Raises:
            ResumeError: What is there is of another training, or damaged.
            DiskError: The body could not write.

        """
        checkpoint = cls(output, identity, choose=options.patience > 0)
        checkpoint.tensorboard = options.tensorboard
        if options.restart:
            shutil.rmtree(checkpoint.folder, ignore_errors=True)
        checkpoint.check()
        try:
            with written(output, checkpoint.folder):
                checkpoint.folder.mkdir(parents=True, exist_ok=True)
                yield checkpoint
        except TrainingError:
            # It would come to the same end again: nothing is worth keeping.
            shutil.rmtree(checkpoint.folder, ignore_errors=True)
            raise

    def check(self) -> None:
        """Refuse to carry on another training.

        Raises:
            ResumeError: Something differs; the message says what.

        """
        path = self.folder / "identity.json"
        if path.exists():
            before = resume.read(path.read_bytes(), self.folder, "training")
            resume.check_same(before, self.identity, self.folder, "training")

    def restore(self, trainer: Trainer) -> list[Epoch]:
        """Bring a trainer to where the interrupted one was; give its epochs."""
        path = self.folder / "state.pt"
        if not path.exists():
            return []
        try:
            device = trainer.settings.device
            kept = torch.load(path, map_location=device, weights_only=True)
            trainer.restore(kept["trainer"])
            self._best = kept["best"]
            self.epochs = tuple(Epoch(**each) for each in kept["epochs"])
        except Exception as error:  # whatever a damaged file makes torch raise
            raise _damaged(path) from error
        return list(self.epochs)

    def keep(self, trainer: Trainer, epochs: list[Epoch]) -> None:
        """Keep where a trainer is, whole or not at all."""
        self.epochs = tuple(epochs)
        best = max(epochs, key=lambda each: each.mean_f1)
        if self.choose and best is epochs[-1]:
            self._best = deepcopy(trainer.averaged.state_dict())
        with atomic_file(self.folder / "identity.json") as path:
            path.write_bytes(resume.written(self.identity))
        history = [asdict(each) for each in epochs]
        kept = {"trainer": trainer.state(), "best": self._best, "epochs": history}
        with (
            needing("the state of the training", lambda: _bytes_of(kept)),
            atomic_file(self.folder / "state.pt") as path,
        ):
            torch.save(kept, path)
        if self.tensorboard:
            write_scalars(self.tensorboard, epochs[-1])

    def best(self, trainer: Trainer) -> torch.nn.Module:
        """Give the network that is kept: the best one's weights, or the last one's."""
        network = trainer.averaged
        if self._best is not None:
            network.load_state_dict(self._best)
        return network

    def deliver(self) -> None:
        """Let the package appear, and throw the rest away."""
        with (self.package / "training.csv").open(
            "w", newline="", encoding="utf-8"
        ) as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Epoch)])
            writer.writeheader()
            writer.writerows(asdict(each) for each in self.epochs)
        if self.output.exists():
            self.output.rmdir()
        rename(self.package, self.output)
        shutil.rmtree(self.folder, ignore_errors=True)


def _damaged(path: Path) -> ResumeError:
    return ResumeError(
        f"{path} is of an interrupted training and cannot be read; begin again with "
        f"`restart`"
    )


def write_scalars(folder: Path, epoch: Epoch) -> None:
    """Write an epoch's figures for TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # an extra

    with SummaryWriter(str(folder)) as writer:
        for name in ("loss", "learning_rate", "overall", "mean_f1", "mean_iou"):
            writer.add_scalar(name, getattr(epoch, name), epoch.step)


def _bytes_of(state: object) -> int:
    """Sum the bytes of the tensors of a state."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, dict):
        return sum(map(_bytes_of, state.values()))
    return sum(map(_bytes_of, state)) if isinstance(state, list | tuple) else 0
