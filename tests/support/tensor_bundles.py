"""TensorFlow's files of variables, written by the description of their format."""

import pyarrow as pa

from geoseg.models.exchange.tensor_bundle import INDEX, SHARD

HEADER = bytes.fromhex("08011a020801")  # one shard, version 1
MARK = bytes.fromhex("57fb808b247547db")


def write_bundle(folder, tensors, *, snappy=True):
    """Write tensors as variables/0, variables/1 ... of a SavedModel."""
    folder.mkdir(parents=True, exist_ok=True)
    shard = b"".join(tensor.tobytes() for tensor in tensors)
    entries, offset = {b"": HEADER}, 0
    for number, tensor in enumerate(tensors):
        name = f"variables/{number}/.ATTRIBUTES/VARIABLE_VALUE"
        entries[name.encode()] = entry(tensor, offset)
        offset += tensor.nbytes
    graph = b"an object graph, whose bytes are no tensor's"
    entries[b"_CHECKPOINTABLE_OBJECT_GRAPH"] = field(1, 7) + field(4, offset)
    (folder / SHARD).write_bytes(shard + graph)
    (folder / INDEX).write_bytes(table(dict(sorted(entries.items())), snappy=snappy))


def entry(tensor, offset):
    """What the index says of a tensor: float32, shape, offset, size, checksum."""
    shape = b"".join(text(2, field(1, side)) for side in tensor.shape)
    extent = field(4, offset) + field(5, tensor.nbytes)
    checksum = masked_crc32c(tensor.tobytes()).to_bytes(4, "little")
    return field(1, 1) + text(2, shape) + extent + varint(6 << 3 | 5) + checksum


def table(entries, *, snappy):
    """A sorted table: a block of entries, one of notes, one of handles, a footer."""
    block, before, content = b"", b"", b""
    for key, value in entries.items():
        shared = next(
            (
                n
                for n, pair in enumerate(zip(key, before, strict=False))
                if len({*pair}) > 1
            ),
            min(len(key), len(before)),
        )
        block += varint(shared) + varint(len(key) - shared) + varint(len(value))
        block += key[shared:] + value
        before = key
    content, entries_at = stored(content, closed(block), snappy=snappy)
    content, notes_at = stored(content, closed(b""), snappy=snappy)
    last = varint(0) + varint(len(before)) + varint(len(entries_at))
    last += before + entries_at
    content, index = stored(content, closed(last), snappy=False)
    return content + (notes_at + index).ljust(40, b"\0") + MARK


def closed(block):
    """End a block: one offset where a key is written whole, its beginning."""
    return block + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def stored(content, block, *, snappy):
    """Append a block with its kind and their checksum; give its handle, too."""
    if snappy:
        block = pa.compress(block, codec="snappy", asbytes=True)
    handle = varint(len(content)) + varint(len(block))
    block += bytes([snappy])  # then the checksum of both
    return content + block + masked_crc32c(block).to_bytes(4, "little"), handle


def field(number, value):
    return varint(number << 3) + varint(value)


def text(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def masked_crc32c(content):
    """Castagnoli's checksum, bit by bit for a byte's remainder, as bundles mask it."""
    value = 0xFFFFFFFF
    remainders = [remainder(byte) for byte in range(256)]
    for byte in content:
        value = value >> 8 ^ remainders[(value ^ byte) & 0xFF]
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def remainder(byte):
    for _ in range(8):
        byte = byte >> 1 ^ 0x82F63B78 * (byte & 1)
    return byte
