"""Arrays by name in the safetensors format, written and read by hand.

A file is the header's length, 8 bytes, little-endian; the header, JSON that says each array's
dtype, shape and place; and the numbers, one array after another. A special entry of the header,
`__metadata__`, holds text by name. There is no code in such a file, and no pickle.

https://github.com/huggingface/safetensors has the specification.
"""

import json
import math
import os

import numpy as np

from . import archive

LENGTH = 8  # bytes of the header's length, and what numbers are aligned to
MOST_AXES = 32
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # BF16: F32's upper half
FIELDS = {"dtype", "shape", "data_offsets"}


def write(path, metadata, arrays):
    """Write metadata {name: text} and arrays of floats. Raises as `archive.write` does."""
    archive.check_finite(f"cannot save to {path}", arrays)
    arrays = {name: _little_endian(array) for name, array in arrays.items()}
    # The widest first, so that each begins at a multiple of its own width.
    arrays = dict(sorted(arrays.items(), key=lambda item: -item[1].itemsize))
    entries, end = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        place = {"shape": array.shape, "data_offsets": (begin, end)}
        entries[name] = {"dtype": f"F{8 * array.itemsize}", **place}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % LENGTH)
    with archive.whole(path) as file:
        file.write(len(header).to_bytes(LENGTH, "little") + header)
        for array in arrays.values():
            file.write(array.tobytes())


def read(path):
    """-> metadata {name: text}, arrays by name; BF16 as float32, which holds it exactly

    Raises FileNotFoundError if there is no such file; ValueError if it is not a safetensors file,
    claims more than it holds, or has an array that is not of floats.
    """
    with archive.open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            header = _read_header(file, size)
            metadata = _checked_metadata(header.pop("__metadata__", {}))
            entries = _checked_entries(header, size - file.tell())
            return metadata, {name: _read_array(file, *entry) for name, entry in entries.items()}
        except (ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{path} is truncated or not a safetensors file ({error})") from error


def _little_endian(array):
    if array.dtype.kind != "f" or array.itemsize > 8:
        raise TypeError(f"an array of {array.dtype}; expected float16, float32 or float64")
    return array.astype(array.dtype.newbyteorder("<"))


def _read_header(file, size):
    length = int.from_bytes(file.read(LENGTH), "little")
    if not 2 <= length <= min(size - LENGTH, archive.LONGEST_HEADER):
        raise ValueError(f"a header of {length} bytes in a file of {size}")
    text = file.read(length).decode()
    if not text.startswith("{"):
        raise ValueError("its header does not begin with {")
    return json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)


def _without_doubles(pairs):
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("two of its entries have one name")
    return entries


def _no_number(text):
    raise ValueError(f"{text} in its header")


def _checked_metadata(metadata):
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its __metadata__ holds more than text by name")
    return metadata


def _checked_entries(header, size):
    """{name: (dtype, shape)} in the order of the numbers, which fill the file without a hole."""
    entries = [(_checked_place(name, entry), name) for name, entry in header.items()]
    checked, end = {}, 0
    for (begin, next_end), name in sorted(entries):
        if begin != end:
            what = "a hole before" if begin > end else "an overlap at"
            raise ValueError(f"{what} {name}, which begins at {begin} and not at {end}")
        checked[name], end = (header[name]["dtype"], tuple(header[name]["shape"])), next_end
    if end != size:
        raise ValueError(f"{size} bytes of numbers; its header says {end}")
    return checked


def _checked_place(name, entry):
    """An entry's offsets (begin, end), if its dtype and shape need as many bytes."""
    if not isinstance(entry, dict) or entry.keys() != FIELDS:
        raise ValueError(f"{name} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name} holds {dtype}; expected one of {', '.join(DTYPES)}")
    if not (_are_sizes(shape) and _are_sizes(offsets) and len(offsets) == 2):
        raise ValueError(f"{name} has a shape or data_offsets that are no sizes")
    need = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != need:
        raise ValueError(f"{name} needs {need} bytes; its data_offsets are {offsets}")
    return offsets


def _are_sizes(values):
    return (
        isinstance(values, list)
        and len(values) <= MOST_AXES
        and all(type(value) is int and value >= 0 for value in values)  # True is an int as well
    )


def _read_array(file, dtype, shape):
    stored = np.dtype(DTYPES[dtype])
    numbers = np.frombuffer(file.read(math.prod(shape) * stored.itemsize), stored)
    if dtype == "BF16":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(numbers.dtype.newbyteorder("=")).reshape(shape)
