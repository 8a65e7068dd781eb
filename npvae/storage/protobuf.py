"""Protocol buffers, as much of them as ONNX needs: a message is fields, one after another.

A field is its number and kind in a varint, then a varint (kind 0), or a length and so many bytes
(kind 2): text, bytes, or another message. A float has four bytes (kind 5).
https://protobuf.dev/programming-guides/encoding
"""

import struct


def message(fields) -> bytes:
    """The bytes of {number: value}; a list's values are fields of the same number.

    int, float, str, and bytes, which are bytes or another message
    """
    return b"".join(
        _field(number, value)
        for number, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    )


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value):
    """Seven bits a byte, the lowest first; the eighth says that more come. int64 has 64 bits."""
    value %= 1 << 64
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
