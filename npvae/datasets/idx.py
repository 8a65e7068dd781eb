"""The IDX format: a magic number, one size per dimension, and the entries, nothing else.

All integers are big-endian. The magic number is 0x0000TTNN, with entry type TT (0x08:
unsigned bytes, the only one read here) and NN dimensions. The file may be gzipped.
"""

import gzip
import math
import zlib

import numpy as np

GZIP_MAGIC = b"\x1f\x8b"
PIECE = 1 << 20


def read_idx(path, ndim):
    """The array of unsigned bytes in the IDX file at path, plain or gzipped.

    path -> array of ndim dimensions, uint8
    Raises ValueError, naming the file, unless it holds exactly what its header says.
    """
    with open(path, "rb") as file:
        # By content, not by name: browsers unzip a download and keep the .gz.
        gzipped = file.peek(2)[:2] == GZIP_MAGIC
        try:
            return _parse(gzip.GzipFile(fileobj=file) if gzipped else file, ndim)
        except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is not a valid IDX file: {error}") from error


def _parse(stream, ndim):
    shape = _parse_header(stream, ndim)
    size = math.prod(shape)
    # One byte more than there should be, to see that nothing follows and, in a gzipped
    # file, to reach the checksum at its end.
    entries = _read(stream, size + 1)
    if len(entries) != size:
        came = "more" if len(entries) > size else f"{len(entries)} bytes"
        raise ValueError(f"{came} after a header that says {_times(shape)} = {size} bytes")
    return np.frombuffer(entries, np.uint8).reshape(shape)


def _parse_header(stream, ndim):
    magic, expected = _read(stream, 4).hex(), f"{0x0800 + ndim:08x}"
    if magic != expected:
        raise ValueError(
            f"magic number '{magic}'; expected '{expected}', unsigned bytes of {ndim} dimension(s)"
        )
    sizes = _read(stream, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{len(sizes)} bytes of sizes; expected {4 * ndim}")
    shape = np.frombuffer(sizes, ">u4").tolist()
    if 0 in shape:
        raise ValueError(f"sizes {_times(shape)}; expected sizes >= 1")
    return shape


def _read(stream, size):
    """Up to size bytes, piece by piece: a header may claim more than there is memory."""
    data = bytearray()
    while len(data) < size and (piece := stream.read(min(PIECE, size - len(data)))):
        data += piece
    return data


def _times(shape):
    return " x ".join(map(str, shape))
