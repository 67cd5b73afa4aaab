"""Networks of any framework, as ONNX files that ONNX Runtime computes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from geoseg.models.card import Card

_DTYPES: dict[str, type[np.floating[Any]]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
"""The types of inputs that can be given."""
_INEXACT = "ConvBNFusion"
"""Folding batch normalisation into convolutions: ONNX Runtime 1.32 loses digits there,
and 0.2 % of the labels of a cloud mask changed, for no gain in speed."""
_IMAGES = 4
"""Dimensions of a batch of images: tile, band, row and column, in some order."""
_BANDS_SECOND, _BANDS_LAST = 1, 3
"""Where an image's bands stand in PyTorch, and where in TensorFlow."""
_TO_LAST, _FROM_LAST = (0, 2, 3, 1), (0, 3, 1, 2)


class OnnxNetwork(nn.Module):
    """An ONNX file that is called like a network of torch.

    It takes normalised pixels, shape ``(tile, band, y, x)``, of any dtype and on any
    device, and gives what the file's first output is, float32, shape
    ``(tile, channel, y, x)``, on that device. ONNX Runtime computes it with as many
    threads as torch would use where it is first called; on a GPU if it is a build for
    GPUs, else on the CPU. It has no parameters of torch's: neither precision nor memory
    layout nor compilation change it.
    """

    def __init__(self, path: Path, card: Card) -> None:
        """Read the file and hold it against what is said of it.

        Args:
            path: The file. It is read whole, so that it cannot refer to others.
            card: What is said of it.

        Raises:
            ModelError: ONNX Runtime is not installed or cannot read the file; the
                file's inputs, bands, tile or channels are not what is said.

        """
        super().__init__()
        self._path, self._card = path, card
        self._content = path.read_bytes()
        self._sessions: dict[str, InferenceSession] = {}
        self._lock = threading.Lock()
        session = self._session(torch.device("cpu"))
        self._input = _only_input(session, path)
        self._dtype = _DTYPES[self._input.type]
        bands, outputs = len(card.bands), session.get_outputs()[0].shape
        self._bands_last = _last(self._input.shape, (bands,), "bands", path)
        self._classes_last = _last(outputs, card.outputs, "channels", path)
        _check_tile(self._input.shape, card.tile, path, last=self._bands_last)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch's own
    def forward(self, tiles: Tensor) -> Tensor:
        """Compute a batch of tiles.

        Raises:
            ModelError: ONNX Runtime refuses the tiles, or gives other sizes.

        """
        pixels = tiles.float().cpu().numpy().astype(self._dtype)
        if self._bands_last:
            pixels = np.ascontiguousarray(pixels.transpose(_TO_LAST))
        one_by_one = self._input.shape[0] == 1
        batches = np.split(pixels, len(pixels)) if one_by_one else [pixels]
        session = self._session(tiles.device)
        given = np.concatenate([self._run(session, batch) for batch in batches])
        if self._classes_last:
            given = given.transpose(_FROM_LAST)
        if given.shape[2:] != tuple(tiles.shape[2:]):
            raise ModelError(
                f"{self._path} gives {given.shape[2]} x {given.shape[3]} pixels for a "
                f"tile of {tiles.shape[2]} x {tiles.shape[3]}; geoseg needs a score "
                f"for every pixel"
            )
        return torch.from_numpy(np.ascontiguousarray(given)).to(tiles.device)

    def _run(
        self, session: InferenceSession, batch: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        try:
            given = session.run(None, {self._input.name: batch})[0]
        except Exception as error:  # ONNX Runtime's errors have no other parent
            raise ModelError(
                f"{self._path} does not take tiles of shape {batch.shape[1:]} "
                f"({_reason(error)})"
            ) from error
        return np.asarray(given, dtype=np.float32)

    def _session(self, device: torch.device) -> InferenceSession:
        """Open the file for a device, once."""
        with self._lock:
            if device.type not in self._sessions:
                self._sessions[device.type] = _open(self._content, self._path, device)
            return self._sessions[device.type]


def runtime_version() -> str:
    """Name the version of ONNX Runtime; a build for GPUs has the same."""
    import onnxruntime  # noqa: PLC0415  # it is an extra, and slow to import

    return str(onnxruntime.__version__)


def _open(content: bytes, path: Path, device: torch.device) -> InferenceSession:
    try:
        # It is an extra, and slow to import.
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            f"{path} needs ONNX Runtime, which is not installed: "
            f"pip install 'geoseg[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.use_deterministic_compute = True
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # its warnings are raised, in our words
    # Idle threads that spin would take the cores of those that decode and write.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    providers = [name for name in wanted if name in there] + ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=providers, disabled_optimizers=[_INEXACT]
        )
    except Exception as error:
        raise ModelError(
            f"{path} is no ONNX model that ONNX Runtime can load from one file "
            f"({_reason(error)})"
        ) from error


def _only_input(session: InferenceSession, path: Path) -> Any:  # noqa: ANN401  # its type has no name
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _DTYPES:
        found = ", ".join(f"{each.name}: {each.type}" for each in inputs)
        raise ModelError(
            f"{path} must take one array of real numbers, the tiles; it takes {found}"
        )
    if len(inputs[0].shape) != _IMAGES:
        raise ModelError(
            f"{path} must take tiles of {_IMAGES} dimensions, its input has shape "
            f"{inputs[0].shape}"
        )
    return inputs[0]


def _last(
    shape: list[int | str | None], wanted: tuple[int, ...], what: str, path: Path
) -> bool:
    """Tell whether bands or channels come last; where a file leaves it open, second."""
    if len(shape) != _IMAGES:
        raise ModelError(
            f"{path} must give scores of {_IMAGES} dimensions, a channel for each of "
            f"its {what}; it has shape {shape}"
        )
    second, last = shape[_BANDS_SECOND], shape[_BANDS_LAST]
    if second in wanted:
        return False
    if last in wanted:
        return True
    if not isinstance(second, int):
        return False
    raise ModelError(
        f"the files disagree on the number of {what}: "
        f"{' or '.join(map(str, wanted))} in mlm.json, shape {shape} in {path.name}"
    )


def _check_tile(
    shape: list[int | str | None], tile: int, path: Path, *, last: bool
) -> None:
    sides = shape[1:3] if last else shape[2:4]
    fixed = [side for side in sides if isinstance(side, int)]
    if any(side != tile for side in fixed):
        raise ModelError(
            f"{path} takes tiles of {' x '.join(map(str, fixed))} pixels, and mlm.json "
            f"says {tile}"
        )


def _reason(error: Exception) -> str:
    """The first line of what ONNX Runtime says."""
    text = str(error).strip()
    return text.splitlines()[0].strip().rstrip(".") if text else type(error).__name__
