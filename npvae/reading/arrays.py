"""An array in an .npy, .npz or IDX file, told apart by content; and the lines of a text."""

import numpy as np

from ..datasets import read_idx

NPY, ZIP = b"\x93NUMPY", b"PK"


def read_array(path):
    """The array in a file: .npy, .npz with one array or one named x, or IDX, plain or gzipped.

    Raises OSError if it cannot be read, ValueError, naming the file, if it holds anything else.
    """
    with open(path, "rb") as file:
        start = file.read(len(NPY))
    if not start.startswith((NPY, ZIP)):
        return read_idx(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return loaded[_only_name(loaded.files)]
    except Exception as error:  # zipfile and NumPy raise a dozen kinds on damaged bytes
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} holds no array to read: {reason}") from error


def _only_name(names):
    if "header" in names:
        raise ValueError("it is a model, as VAE.save writes it; expected data")
    if len(names) == 1:
        return names[0]
    if "x" in names:
        return "x"
    raise ValueError(f"it has the arrays {', '.join(names)}; expected one, or one named x")


def read_names(path):
    """The lines of a text. Raises OSError, or ValueError, naming the file, if it is no text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error}") from error
    return [line.strip() for line in lines if line.strip()]
