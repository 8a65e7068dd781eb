"""Named arrays and a JSON header in one .npz: what `VAE.save` writes and `VAE.load` reads.

Nothing is pickled, so a file from a stranger can hold wrong numbers but no code.
"""

import json
import os
from pathlib import Path

import numpy as np

FORMAT_VERSION = 1


def write(path, header, arrays):
    """Write header and arrays beside path, then rename: path never holds half a file.

    Raises FileNotFoundError if path's folder does not exist, IsADirectoryError if path is one,
    ValueError, naming the array, if one is not finite: `read` would refuse it.
    """
    path = Path(path)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"cannot save to {path}: {name} holds NaN or inf")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"cannot save to {path}: it is a folder")
    header = json.dumps({"format": "npvae", "version": FORMAT_VERSION} | header)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "xb") as file:
            np.savez(file, header=np.array(header), **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read(path):
    """-> header (without format and version), arrays by name.

    Raises FileNotFoundError if there is no such file; ValueError if it is truncated, not an
    npz, has no header of this format, or is of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds on damaged bytes
        raise ValueError(f"{path} is truncated or not an npz file ({error})") from error
    return _read_header(path, arrays.pop("header", None)), arrays


def fill(path, destination, arrays):
    """Copy arrays into destination's arrays of the same names.

    Raises ValueError, naming the array, if one is missing, misshapen, of another dtype, not
    finite, or unknown.
    """
    for name, target in destination.items():
        if name not in arrays:
            raise ValueError(f"{path} has no array {name!r}")
        array = arrays[name]
        if array.shape != target.shape or array.dtype != target.dtype:
            raise ValueError(
                f"{path}: {name} is {array.dtype} {array.shape}; "
                f"its header says {target.dtype} {target.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds NaN or inf")
        target[...] = array
    if unknown := sorted(arrays.keys() - destination.keys()):
        raise ValueError(f"{path} has unknown arrays: {', '.join(unknown)}")


def _read_header(path, header):
    try:
        header = json.loads(str(header[()]))
        format_, version = header.pop("format"), header.pop("version")
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        format_ = version = None
    if format_ != "npvae":
        raise ValueError(f"{path} has no npvae header: it was not written by VAE.save")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}; this npvae reads version {FORMAT_VERSION}"
        )
    return header
