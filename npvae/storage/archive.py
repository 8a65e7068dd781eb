"""Named arrays and a JSON header in one .npz: what `VAE.save` writes and `VAE.load` reads.

Nothing is pickled, so a file from a stranger can hold wrong numbers but no code; and nothing is
read that is larger than the file, so it cannot fill the memory either.
"""

import contextlib
import json
import math
import os
import tempfile
import time
import uuid
import warnings
import zipfile
from pathlib import Path

import numpy as np

FORMAT_VERSION = 1
LONGEST_HEADER = 1 << 20  # bytes: a thousand times a usual one
LETTER = 4  # bytes, as NumPy has a character
DAY = 86_400  # seconds
PIECE = 1 << 20  # bytes, of a trial of how many fit


def write(path, header, arrays):
    """Write header and arrays to path, which never holds half a file.

    Raises ValueError, naming the array, if one is not finite, or if the header is too long: `read`
    would refuse it; and as `whole` does.
    """
    check_finite(f"cannot save to {path}", arrays)
    text = to_json(header)
    if LETTER * len(text) > LONGEST_HEADER:
        raise ValueError(
            f"cannot save to {path}: what it says of the model, such as the scales of its columns, "
            f"takes {len(text):,} letters; at most {LONGEST_HEADER // LETTER:,} are read"
        )
    with whole(path) as file:
        np.savez(file, header=np.array(text), **arrays)


@contextlib.contextmanager
def whole(path):
    """A file beside path, open for writing, that takes its name once all is written.

    A link is followed, and the mode of an older file kept. A process that is killed in here
    leaves a hidden `.npvae-….partial`, which a save into the same folder removes after a day.
    Raises FileNotFoundError if path's folder does not exist, IsADirectoryError if path is one,
    OSError, naming path, if it cannot be written.
    """
    target = _target(path)
    _remove_old_partials(target.parent)
    partial = target.with_name(f".npvae-{uuid.uuid4().hex}.partial")
    try:
        with open(partial, "xb") as file:
            if target.exists():  # before a number is in it: what is private never was readable
                partial.chmod(target.stat().st_mode & 0o7777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise OSError(error.errno, f"cannot save to {path}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def to_json(header):
    """The header as text, with the format's name and version."""
    return json.dumps({"format": "npvae", "version": FORMAT_VERSION} | header)


def check_place(path, size=0):
    """Raise as `write` does where it is known already that path, of so many bytes, cannot be."""
    folder = _target(path).parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, size, PIECE):
                file.write(bytes(min(PIECE, size - start)))
            file.flush()
    except OSError as error:
        raise OSError(error.errno, f"cannot save to {path}: {error}") from error


def _target(path):
    """The file that is written, at the end of all links."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {target.parent}")
    if target.is_dir():
        raise IsADirectoryError(f"cannot save to {path}: it is a folder")
    return target


def _remove_old_partials(folder):
    for partial in folder.glob(".npvae-*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > DAY:
                partial.unlink()


def read(path):
    """-> header (without format and version), arrays by name.

    Raises as `read_arrays` and `from_json` do.
    """
    arrays = read_arrays(path)
    header = arrays.pop("header", None)
    return from_json(path, header if header is None else str(header[()])), arrays


def read_arrays(path):
    """-> the arrays of an npz by name.

    Raises FileNotFoundError if there is no such file; ValueError if it is truncated, not an
    npz, or claims more than it holds.
    """
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return dict(_read_members(archive, os.fstat(file.fileno()).st_size))
        except Exception as error:  # zipfile and NumPy raise a dozen kinds on damaged bytes
            reason = str(error) or type(error).__name__
            raise ValueError(f"{path} is truncated or not an npz file ({reason})") from error


def open_file(path):
    """The file, open for reading. Raises FileNotFoundError if there is none, or OSError."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}")
    return open(path, "rb")  # that it may not be read is said as it is


def check_members(archive, size):
    """Raise ValueError unless a zip of this size holds what it claims, under names of their own."""
    members = archive.infolist()
    if len({member.filename.removesuffix(".npy") for member in members}) < len(members):
        raise ValueError("two of its members have one name")
    # bzip2 unpacks a gigabyte from a kilobyte at one go, whatever size was claimed.
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its members are compressed; expected them as they are")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members claim to be larger than the file")


def _read_members(archive, size):
    """Yield name and array of each member; no more is read than the file is large."""
    check_members(archive, size)
    for member in archive.infolist():
        with archive.open(member) as opened:
            yield member.filename.removesuffix(".npy"), _read_array(opened, member.file_size)


def _read_array(opened, size):
    """The array of an .npy file of that size."""
    version = np.lib.format.read_magic(opened)
    if version not in _READERS:
        raise ValueError(f"an array of format version {version}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy would mend what looks like Python 2's
        shape, in_columns, dtype = _READERS[version](opened)
    if dtype.kind not in "fU":
        raise ValueError(f"an array of {dtype}; expected floats")
    if dtype.kind == "U" and size > LONGEST_HEADER:
        raise ValueError(f"text of {size} bytes; expected at most {LONGEST_HEADER}")
    numbers = opened.read(size - opened.tell())
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ValueError(f"an array of {dtype} {shape} in {len(numbers)} bytes")
    return np.frombuffer(numbers, dtype).reshape(shape, order="F" if in_columns else "C")


_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def check(path, forms, arrays):
    """Raise ValueError, naming the array, unless arrays have these forms, {name: (shape, dtype)}.

    One that is missing, unknown, or not finite is refused too.
    """
    for name, (shape, dtype) in forms.items():
        if name not in arrays:
            raise ValueError(f"{path} has no array {name!r}")
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{path}: {name} is {array.dtype} {array.shape}; its header says {dtype} {shape}"
            )
        check_finite(path, {name: array})
    if unknown := sorted(arrays.keys() - forms.keys()):
        raise ValueError(f"{path} has unknown arrays: {', '.join(unknown)}")


def check_finite(path, arrays):
    """Raise ValueError, naming the array, unless every number is finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds NaN or inf")


def from_json(path, text):
    """The header that `to_json` made text of, without format and version.

    Raises ValueError if text is None or anything else, or of another version.
    """
    try:
        header = json.loads(text)
        format_, version = header.pop("format"), header.pop("version")
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError):
        format_ = version = None
    if format_ != "npvae":
        raise ValueError(f"{path} has no npvae header: it was not written by VAE.save")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version}; this npvae reads version {FORMAT_VERSION}"
        )
    return header
