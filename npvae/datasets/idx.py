"""The IDX format: a magic number, one size per dimension, and the entries, nothing else.

All numbers are big-endian. The magic number is 0x0000TTNN, with entry type TT and NN dimensions.
The file may be gzipped.
"""

import gzip
import math
import os
import sys
import zlib

import numpy as np
from numpy.typing import DTypeLike

GZIP_MAGIC = b"\x1f\x8b"
PIECE = 1 << 20
MOST_INFLATED = 1032  # bytes out of one: the densest that deflate can be
MOST_DIMENSIONS = 64  # of an array
TYPES = {  # TT, and what it stands for
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}


def read_idx(
    path: str | os.PathLike, ndim: int | None = None, dtype: DTypeLike | None = None
) -> np.ndarray:
    """The array in the IDX file at path, plain or gzipped.

    ndim, dtype     what the file must hold: one of uint8, int8, int16, int32, float32, float64;
                    None allows any
    Raises ValueError, naming the file, unless it holds exactly what its header says, and if
    no IDX file can hold that ndim or dtype.
    """
    types = {code: kind for code, kind in TYPES.items() if dtype is None or kind == dtype}
    if not types:
        raise ValueError(f"dtype is {dtype}; expected one of {', '.join(map(str, TYPES.values()))}")
    if ndim is not None and ndim not in range(1, MOST_DIMENSIONS + 1):
        raise ValueError(f"ndim is {ndim}; expected an integer in 1 … {MOST_DIMENSIONS}")
    with open(path, "rb") as file:
        # By content, not by name: browsers unzip a download and keep the .gz.
        gzipped = file.peek(2)[:2] == GZIP_MAGIC
        try:
            stream = gzip.GzipFile(fileobj=file) if gzipped else file
            most = os.fstat(file.fileno()).st_size * (MOST_INFLATED if gzipped else 1)
            return _parse(stream, ndim, types, most)
        except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is not a valid IDX file: {error}") from error


def _parse(stream, ndim, types, most):
    """The array; nothing is read if its header claims more than the `most` bytes there can be."""
    dtype, shape = _parse_header(stream, ndim, types)
    size = math.prod(shape) * dtype.itemsize
    claim = f"{times(shape)}{f' of {dtype}' if dtype.itemsize > 1 else ''} = {size} bytes"
    if size > most:
        raise ValueError(f"a header that says {claim}, in a file that holds at most {most}")
    # One byte more than there should be, to see that nothing follows and, in a gzipped
    # file, to reach the checksum at its end.
    entries = _read(stream, size + 1)
    if len(entries) != size:
        came = "more" if len(entries) > size else f"{len(entries)} bytes"
        raise ValueError(f"{came} after a header that says {claim}")
    array = np.frombuffer(entries, dtype)
    if sys.byteorder == "little":
        array.byteswap(inplace=True)  # where it is: a copy would double the memory
    return array.reshape(shape)


def _parse_header(stream, ndim, types):
    magic = _read(stream, 4)
    known = len(magic) == 4 and magic[:2] == bytes(2) and magic[2] in types and magic[3] > 0
    if not known or (ndim is not None and magic[3] != ndim):
        count = "NN" if ndim is None else f"{ndim:02x}"
        expected = " or ".join(f"'0000{code:02x}{count}'" for code in types)
        raise ValueError(f"magic number '{magic.hex()}'; expected {expected}")
    sizes = _read(stream, 4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise ValueError(f"{len(sizes)} bytes of sizes; expected {4 * magic[3]}")
    shape = np.frombuffer(sizes, ">u4").tolist()
    if 0 in shape:
        raise ValueError(f"sizes {times(shape)}; expected sizes >= 1")
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"{len(shape)} dimensions; NumPy has at most {MOST_DIMENSIONS}")
    return types[magic[2]], shape


def _read(stream, size):
    """Up to size bytes, piece by piece: a header may claim more than there is memory."""
    data = bytearray()
    while len(data) < size and (piece := stream.read(min(PIECE, size - len(data)))):
        data += piece
    return data


def times(shape):
    """Such as 28 x 28."""
    return " x ".join(map(str, shape))
