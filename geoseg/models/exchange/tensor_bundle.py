"""The tensors of a TensorFlow checkpoint or SavedModel, read without TensorFlow.

A bundle is two files. ``variables.index`` is a sorted table as LevelDB writes it:
blocks of entries, each key written as what differs from the one before, and a footer
that leads to the block of blocks. An entry says in a protocol buffer which kind of
numbers a tensor holds, its shape, and where its bytes stand in
``variables.data-00000-of-00001``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from geoseg.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

INDEX, SHARD = "variables.index", "variables.data-00000-of-00001"
_LARGEST = 2**26
"""Bytes of a bundle's file that are read."""
_FOOTER = 48
"""Bytes that end a table: two handles, room, and the mark."""
_MARK = bytes.fromhex("57fb808b247547db")
_SNAPPY = 1
"""What says after a block that it is compressed so."""
_FLOAT32 = 1
"""What a bundle calls numbers of 32 bits."""
_VARINT, _BYTES = 0, 2
"""How a protocol buffer says that a whole number comes, or bytes after their count."""
_FIXED = {1: 8, 5: 4}
"""The bytes of other kinds."""
_SHAPE, _SIDE = 2, 2
"""The number of the field that is a tensor's shape, and of each side in it."""
_MORE = 0x80
"""The bit of a byte after which a whole number goes on."""
_MASK = 0xA282EAD8
"""What is added to checksums that are stored beside what they sum up."""
_WORD = 0xFFFFFFFF

Fields = dict[int, list[bytes]]
"""Of each field's number the values; whole numbers as they were written."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the index says of a tensor."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int


def read_bundle(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Read all tensors of float32 in a bundle of one shard, each held to its checksum.

    Args:
        folder: Where both files are.

    Returns:
        The tensors by name, in the order in which their bytes stand.

    Raises:
        ModelError: A file is missing or damaged.

    """
    index, shard = (read_small(folder / name) for name in (INDEX, SHARD))
    try:
        entries = sorted(_entries(index), key=lambda each: each.offset)
        return {each.name: _tensor(each, shard) for each in entries}
    except (IndexError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ModelError(
            f"{folder} is damaged: {INDEX} and {SHARD} are no TensorFlow variables "
            f"({error}); copy the folder again"
        ) from error


def read_small(path: Path) -> bytes:
    """Read a file that is small for what it should be.

    Raises:
        ModelError: It is missing, cannot be read, or is large.

    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"{path} cannot be read ({reason}); check the path") from error
    if len(content) > _LARGEST:
        raise ModelError(f"{path} has more than {_LARGEST:,} bytes: it is another file")
    return content


def _tensor(entry: _Entry, shard: bytes) -> NDArray[np.float32]:
    content = shard[entry.offset : entry.offset + entry.size]
    if crc32c(content) != entry.checksum:
        raise ValueError(f"the bytes of {entry.name} are not those it was saved with")
    return np.frombuffer(content, "<f4").reshape(entry.shape)


def _entries(table: bytes) -> Iterator[_Entry]:
    """Read what the index says of each tensor of float32; others are not weights."""
    if table[-len(_MARK) :] != _MARK:
        raise ValueError("it does not end as an index does")
    position = len(table) - _FOOTER
    for _ in range(2):  # of the table's notes, which nobody writes, then of its blocks
        begin, position = _varint(table, position)
        size, position = _varint(table, position)
    for _, handle in _pairs(_block(table, begin, size)):
        start, after = _varint(handle, 0)
        for key, value in _pairs(_block(table, start, _varint(handle, after)[0])):
            fields = _message(value)
            if key and fields.get(1) and _number(fields, 1) == _FLOAT32:
                yield _entry(key.decode(), fields)


def _entry(name: str, fields: Fields) -> _Entry:
    shape = _message(b"".join(fields.get(_SHAPE, [])))
    return _Entry(
        name,
        tuple(_number(_message(side), 1) for side in shape.get(_SIDE, [])),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        checksum=int.from_bytes(fields[6][0], "little"),
    )


def _number(fields: Fields, which: int) -> int:
    """Give a whole number; 0 where it is left out, as protocol buffers do."""
    return _varint(fields[which][0], 0)[0] if which in fields else 0


def _block(table: bytes, begin: int, size: int) -> bytes:
    content, kind = table[begin : begin + size], table[begin + size]
    checksum = table[begin + size + 1 : begin + size + 5]
    if crc32c(table[begin : begin + size + 1]).to_bytes(4, "little") != checksum:
        raise ValueError("the bytes of its index are not those it was saved with")
    if kind != _SNAPPY:
        return content
    length = _varint(content, 0)[0]
    if length > _LARGEST:
        raise ValueError("a block of it unpacks to more than any index has")
    return bytes(pa.decompress(content, length, codec="snappy", asbytes=True))


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Read the entries of a block, before the offsets where keys are written whole."""
    end = len(block) - 4 * (int.from_bytes(block[-4:], "little") + 1)
    offset, key = 0, b""
    while offset < end:
        shared, offset = _varint(block, offset)
        fresh, offset = _varint(block, offset)
        size, offset = _varint(block, offset)
        key = key[:shared] + block[offset : offset + fresh]
        offset += fresh
        yield key, block[offset : offset + size]
        offset += size


def _message(content: bytes) -> Fields:
    """Read a protocol buffer: for each field's number its values."""
    fields: Fields = {}
    offset = 0
    while offset < len(content):
        tag, offset = _varint(content, offset)
        kind = tag & 7
        end = offset + _FIXED.get(kind, 0)
        if kind == _VARINT:
            end = _varint(content, offset)[1]
        elif kind == _BYTES:
            size, offset = _varint(content, offset)
            end = offset + size
        fields.setdefault(tag >> 3, []).append(content[offset:end])
        offset = end
    return fields


def _varint(content: bytes, offset: int) -> tuple[int, int]:
    """Read a whole number, seven bits a byte; give it, and the offset after it."""
    value = shift = 0
    while True:
        byte = content[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if byte < _MORE:
            return value, offset


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def crc32c(content: bytes) -> int:
    """Give the checksum (Castagnoli's) that bundles store, masked as they do."""
    value = _WORD
    for byte in content:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    value ^= _WORD
    return ((value >> 15 | value << 17) + _MASK) & _WORD
