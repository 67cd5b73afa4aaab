"""Networks of any framework, as ONNX files that ONNX Runtime computes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from geoseg.errors import ModelError, needs
from geoseg.models.networks.onnx_file import check_alone
from geoseg.models.networks.onnx_inputs import tile_inputs
from geoseg.models.networks.onnx_output import (
    LAST,
    ClassOutput,
    are_labels,
    label_output,
    misfit,
    names,
    possible_outputs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from geoseg.models.networks.onnx_output import ScoreOutput
    from geoseg.models.package.card import Card

_INEXACT = "ConvBNFusion"
"""Folding batch normalisation into convolutions: ONNX Runtime 1.32 loses digits there,
and 0.2 % of the labels of a cloud mask changed, for no gain in speed."""
_FROM_LAST = (0, 3, 1, 2)


class OnnxNetwork(nn.Module):
    """An ONNX file that is called like a network of torch.

    It takes normalised pixels, shape ``(tile, band, y, x)``, of any dtype and on any
    device, and gives the output of the file that is the scores, float32, shape
    ``(tile, channel, y, x)``, on that device. ONNX Runtime computes it with as many
    threads as torch would use where it is first called; on a GPU if it is a build for
    GPUs, else on the CPU. It has no parameters of torch's: neither precision nor memory
    layout nor compilation change it. Scores of a whole part of a tile's sides are
    enlarged bilinearly.
    """

    def __init__(self, content: bytes, card: Card, name: str) -> None:
        """Hold a file's content against what is said of it.

        Args:
            content: The file. It names no other, whatever ONNX Runtime would read.
            card: What is said of it.
            name: What people call the file, for messages.

        Raises:
            ModelError: ONNX Runtime is not installed or cannot read the file; it
                keeps tensors in other files; its inputs, bands, tile or channels are
                not what is said; several outputs may be the scores.

        """
        super().__init__()
        check_alone(content, name)
        self._content, self._card, self._name = content, card, name
        self._sessions: dict[str, InferenceSession] = {}
        self._lock = threading.Lock()
        session = self._session(torch.device("cpu"))
        self._inputs = tile_inputs(session, card, name)
        self._bands_last = self._inputs[0].bands_last
        self._output: ScoreOutput | ClassOutput = (
            self._choose_output(session)
            if card.gives_scores
            else label_output(session.get_outputs(), card.output_name, name)
        )

    @property
    def output(self) -> str:
        """The name of the output that is the scores."""
        return self._output.name

    def compile(self, *_: object, **__: object) -> None:
        """Leave it as it is: ONNX Runtime computes, not torch."""

    def forward(self, tiles: Tensor) -> Tensor:
        """Compute a batch of tiles.

        Raises:
            ModelError: ONNX Runtime refuses the tiles, or gives other sizes.

        """
        given = self._run(self._session(tiles.device), tiles, [self.output])[0]
        sides = (tiles.shape[2], tiles.shape[3])
        if isinstance(self._output, ClassOutput):
            return self._one_hot(self._output, given, sides).to(tiles.device)
        axis = self._output.axis(given.shape, sides, self._card)
        if axis is None:
            reason = misfit(given.shape, sides, self._card, bands_last=self._bands_last)
            raise ModelError(f"{self._name} {reason}")
        if axis == LAST:
            given = given.transpose(_FROM_LAST)
        scores = torch.from_numpy(np.ascontiguousarray(given)).to(tiles.device)
        if scores.shape[2:] == tiles.shape[2:]:
            return scores
        # Scores of squares stand in the middle of them, and between are in proportion.
        return interpolate(scores, size=sides, mode="bilinear", align_corners=False)

    def _one_hot(
        self, output: ClassOutput, given: NDArray[np.float32], sides: tuple[int, int]
    ) -> Tensor:
        classes = len(self._card.legend)
        scores = output.one_hot(given, sides, classes)
        if scores is None:
            raise ModelError(
                f"{self._name} must give each pixel's class as a number from 0 to "
                f"{classes - 1}, the index of one of {classes} declared, and gives "
                f"{given.min():g} to {given.max():g} of shape {given.shape} for tiles "
                f"of {sides[0]} x {sides[1]}; declare all classes in its order"
            )
        return torch.from_numpy(scores)

    def _choose_output(self, session: InferenceSession) -> ScoreOutput:
        """Find the scores among the outputs; where shapes leave it open, by a tile."""
        listed = session.get_outputs()
        last, card = self._bands_last, self._card
        found = possible_outputs(listed, card, self._name, bands_last=last)
        if len(found) > 1:
            tile = torch.zeros(1, len(card.bands), card.tile, card.tile)
            given = self._run(session, tile, [each.name for each in found])
            sides = (card.tile, card.tile)
            ranked = [
                (output.enlarged(scores.shape, sides, card), output)
                for output, scores in zip(found, given, strict=True)
            ]
            least = min((times for times, _ in ranked if times), default=0)
            found = [output for times, output in ranked if times == least] or found
        if len(found) > 1:
            raise ModelError(
                f"{self._name} has {len(found)} outputs that may be the scores, "
                f"{names(found)}; say which with `output_name`"
            )
        return found[0]

    def _run(
        self, session: InferenceSession, tiles: Tensor, outputs: list[str]
    ) -> list[NDArray[np.float32]]:
        """Run a batch, in pieces of the size that the file fixes, if it fixes one."""
        pixels: NDArray[np.float32] = tiles.float().cpu().numpy()
        count, fixed = len(pixels), max(each.batch for each in self._inputs)
        if not fixed:
            return self._run_batch(session, pixels, outputs)
        short = -count % fixed  # the last piece is filled with its own last tile
        pixels = np.concatenate([pixels, np.repeat(pixels[-1:], short, axis=0)])
        pieces = np.split(pixels, len(pixels) // fixed)
        given = [self._run_batch(session, piece, outputs) for piece in pieces]
        return [np.concatenate(each)[:count] for each in zip(*given, strict=True)]

    def _run_batch(
        self,
        session: InferenceSession,
        batch: NDArray[np.float32],
        outputs: list[str],
    ) -> list[NDArray[np.float32]]:
        taken = {each.name: each.of(batch) for each in self._inputs}
        try:
            given = session.run(outputs, taken)
        except Exception as error:  # ONNX Runtime's errors have no other parent
            shapes = ", ".join(str(each.shape[1:]) for each in taken.values())
            raise ModelError(
                f"{self._name} does not take tiles of shape {shapes} ({_reason(error)})"
            ) from error
        return [np.asarray(each, dtype=np.float32) for each in given]

    def _session(self, device: torch.device) -> InferenceSession:
        """Open the file for a device, once."""
        with self._lock:
            if device.type not in self._sessions:
                self._sessions[device.type] = _open(self._content, self._name, device)
            return self._sessions[device.type]


def gives_labels(content: bytes, name: str, output_name: str = "") -> bool:
    """Whether an ONNX file gives classes of pixels alone, and no scores.

    Raises:
        ModelError: ONNX Runtime cannot read it.

    """
    check_alone(content, name)
    session = _open(content, name, torch.device("cpu"))
    return are_labels(session.get_outputs(), output_name)


def runtime_version() -> str:
    """Name the version of ONNX Runtime; a build for GPUs has the same."""
    import onnxruntime  # noqa: PLC0415  # it is an extra, and slow to import

    return str(onnxruntime.__version__)


def _open(content: bytes, name: str, device: torch.device) -> InferenceSession:
    needs("onnxruntime", "onnx", name, ModelError)
    import onnxruntime  # noqa: PLC0415  # it is an extra, and slow to import

    options = onnxruntime.SessionOptions()
    options.use_deterministic_compute = True
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # its warnings are raised, in our words
    # Idle threads that spin would take the cores of those that decode and write.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [each for each in wanted if each in there] + ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=providers, disabled_optimizers=[_INEXACT]
        )
    except Exception as error:
        raise ModelError(
            f"{name} is no ONNX model that ONNX Runtime can load ({_reason(error)})"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what ONNX Runtime says."""
    text = str(error).strip()
    return text.splitlines()[0].strip().rstrip(".") if text else type(error).__name__
