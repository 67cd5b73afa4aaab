"""An ONNX file as one piece: whatever it keeps in other files is brought into it.

ONNX Runtime reads what a graph names, relative to the current folder: other weights
than those that were meant, or a file that nobody named. So it is only ever given graphs
that name no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoseg.errors import ModelError, needs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message
    from onnx import ModelProto, TensorProto

_LARGEST = 2**31 - 1
"""Bytes of a protobuf message, which an ONNX file is, at most."""
_ORT = b"ORTM"
"""What marks, from the fifth byte on, ONNX Runtime's own format, which is no ONNX."""


def read_whole(path: Path) -> bytes:
    """Read an ONNX file with all tensors in it, those of its data files too.

    Data files lie beside the graph, where PyTorch's exporter puts them.

    Raises:
        ModelError: It is no ONNX file; a data file is missing, or lies outside the
            file's folder; all of it is more than one file can hold.

    """
    content = _read(path)
    graph = _parse(content, str(path))
    outside = [tensor for tensor in _tensors(graph) if _is_outside(tensor)]
    if not outside:
        return content
    files = [_data_file(tensor, path) for tensor in outside]
    size = len(content) + sum(map(_length, outside, files))
    if size > _LARGEST:
        raise ModelError(
            f"{path} and its data are {size:,} bytes, and one ONNX file holds "
            f"{_LARGEST:,} at most; export it in float16, which is half the size, or "
            f"package its weights as safetensors with `architecture` and `encoder`"
        )
    from onnx.external_data_helper import load_external_data_for_tensor  # noqa: PLC0415  # an extra

    for tensor in outside:
        try:
            load_external_data_for_tensor(tensor, str(path.parent))
        except Exception as error:  # onnx's errors have no other parent
            raise ModelError(
                f"{path}: the data of its tensor {tensor.name!r} cannot be read "
                f"({str(error).splitlines()[0]}); export the model again"
            ) from error
    whole: bytes = graph.SerializeToString()
    return whole


def metadata(content: bytes, name: str) -> dict[str, str]:
    """Give what an ONNX file says of itself, by key.

    Raises:
        ModelError: It is no ONNX.

    """
    return {each.key: each.value for each in _parse(content, name).metadata_props}


def check_alone(content: bytes, name: str) -> None:
    """Refuse a graph that would have ONNX Runtime read other files.

    Raises:
        ModelError: It names other files, or is no ONNX.

    """
    outside = [
        tensor for tensor in _tensors(_parse(content, name)) if _is_outside(tensor)
    ]
    if outside:
        raise ModelError(
            f"{name} keeps {len(outside)} of its tensors in other files, such as "
            f"{_location(outside[0])!r}, which geoseg does not read there; make the "
            f"package again of the exported file, with its data beside it: geoseg "
            f"models package model.onnx -o my_model/"
        )


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _LARGEST:
        raise ModelError(
            f"{path} has {size:,} bytes, and an ONNX file {_LARGEST:,} at most; "
            f"export the model again"
        )
    return path.read_bytes()


def _parse(content: bytes, name: str) -> ModelProto:
    needs("onnx", "onnx", name, ModelError)
    from google.protobuf.message import DecodeError  # noqa: PLC0415  # an extra
    from onnx import ModelProto  # noqa: PLC0415  # the same

    graph = ModelProto()
    try:
        graph.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(f"{name} is no ONNX model: it cannot be parsed") from error
    if content[4:8] == _ORT or not graph.HasField("graph"):
        raise ModelError(
            f"{name} is no ONNX model; geoseg takes those that torch.onnx.export or "
            f"tf2onnx write, and not ONNX Runtime's own format"
        )
    return graph


def _tensors(graph: ModelProto) -> Iterator[TensorProto]:
    """Find every tensor, wherever in the file it is: functions and branches, too."""
    from onnx import TensorProto  # noqa: PLC0415  # an extra

    waiting: list[Message] = [graph]
    while waiting:
        message = waiting.pop()
        if isinstance(message, TensorProto):
            yield message
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                waiting.extend(value if field.is_repeated else [value])


def _is_outside(tensor: TensorProto) -> bool:
    return bool(tensor.external_data) or tensor.data_location == tensor.EXTERNAL


def _location(tensor: TensorProto) -> str:
    return next((e.value for e in tensor.external_data if e.key == "location"), "")


def _data_file(tensor: TensorProto, path: Path) -> Path:
    """Find the file with a tensor's data, which must lie in the graph's folder."""
    location, folder = _location(tensor), path.parent.resolve()
    file = (folder / location).resolve()
    if not file.is_relative_to(folder):
        raise ModelError(
            f"{path} keeps its tensor {tensor.name!r} in {location!r}, which is "
            f"outside its own folder; geoseg reads no such file: export the model "
            f"again, or trust it and copy the data beside it"
        )
    if not file.is_file():
        raise ModelError(
            f"{path} keeps its weights in {location!r}, which is not there: copy that "
            f"file beside it, or export the model as one file "
            f"(torch.onnx.export(..., external_data=False))"
        )
    return file


def _length(tensor: TensorProto, file: Path) -> int:
    """Say how many bytes of a file are a tensor's."""
    external = {entry.key: entry.value for entry in tensor.external_data}
    try:
        rest = file.stat().st_size - int(external.get("offset", 0))
        length = int(external.get("length", rest))
    except ValueError as error:
        raise ModelError(
            f"{file}: offset or length of {tensor.name!r} is no number"
        ) from error
    return max(length, 0)
