"""`read_data`: rows of numbers out of a file or a folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._checks import real_numbers
from .arrays import NPY, ZIP, read_array
from .pictures import read_pictures
from .tables import find_columns, read_columns, read_table

TEXT = 1 << 12  # bytes that are looked at
GZIP, IDX = b"\x1f\x8b", b"\0\0"


class Data(NamedTuple):
    """Rows, and what the file says of them."""

    x: np.ndarray  # (N, D)
    names: list[str] | None  # (D,), of columns
    shape: tuple[int, ...] | None  # of a picture
    labels: np.ndarray | None  # (N,)
    numbers: Sequence[int]  # (D,), of the columns in the file

    @property
    def titles(self) -> list[str]:
        """What the columns are called: their names, or their numbers in the file."""
        return self.names or [f"column {d}" for d in self.numbers]


def read_data(
    path: Path,
    *,
    drop: Sequence[str] = (),
    label: str | None = None,
    keep: Sequence[str] | None = None,
    usual_label: str | None = None,
) -> Data:
    """The rows of .npy, .npz, IDX, .csv, or a folder of pictures.

    drop        columns left out, by name or number from 0
    label       a column kept apart
    keep        instead of drop: the columns wanted, in that order. A file without names has just
                these
    usual_label     a column kept apart if there is one
    Raises OSError if path cannot be read; TypeError or ValueError, saying what is in the way, if it
    holds anything else.
    """
    if is_text(path):
        return _of_table(path, drop, label, keep, usual_label)
    if keep is not None and not path.is_dir():
        drop = ()
    elif label is None and not path.is_dir():
        label = usual_label
    return _of_array(path, read_whole(path), drop, label)


def is_text(path: Path) -> bool:
    """Whether it is a table. Raises OSError or ValueError if nothing in here reads such a path."""
    if path.is_dir():
        return False
    if path.exists() and not path.is_file():
        raise ValueError(
            f"{path} is no file but a pipe, which can be read only once: save it first"
        )
    with open(path, "rb") as file:
        start = file.read(TEXT)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{path} is UTF-16 text; save it as UTF-8")
    if start.startswith((NPY, ZIP, GZIP, IDX)):
        return False
    if b"\0" in start:
        raise ValueError(f"{path} holds neither text nor .npy, .npz or IDX")
    return True


def read_whole(path: Path) -> np.ndarray:
    """The array in a file that is no text, or of a folder of pictures.

    Raises OSError if path cannot be read, ValueError, naming it, if it holds anything else.
    """
    return read_pictures(path) if path.is_dir() else read_array(path)


def _of_table(path, drop, label, keep, usual_label):
    table, rows = read_table(path)
    names, width = table.names, table.width
    if label is None and (usual_label in names if names else keep is None):
        label = usual_label
    apart = None if label is None else find_columns(names, width, [label], path)[0]
    if keep is None:
        columns = _left(names, width, drop, apart, path)
    elif names is None:
        columns = _left(names, width, (), apart, path)
    else:
        columns = find_columns(names, width, keep, path)
    x, labels = read_columns(table, rows, columns, apart)
    return Data(x, names and [names[d] for d in columns], None, labels, columns)


def _of_array(path, array, drop, label):
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(f"{path} has shape {array.shape}; expected (N, D), or N images")
    real_numbers(str(path), array)
    x = array.reshape(len(array), -1)
    D = x.shape[1]
    if not drop and label is None:
        return Data(x, None, array.shape[1:] if array.ndim > 2 else None, None, range(D))
    apart = None if label is None else find_columns(None, D, [label], path)[0]
    columns = _left(None, D, drop, apart, path)
    labels = None if apart is None else x[:, apart].astype(str)
    return Data(x[:, columns], None, None, labels, columns)


def _left(names, width, drop, apart, path):
    """The numbers of the columns that are not left out."""
    out = {apart, *find_columns(names, width, drop, path)}
    columns = [d for d in range(width) if d not in out]
    if not columns:
        raise ValueError(f"{path} has no column left")
    return columns


def picture_shape(shape: Sequence[int] | None, D: int) -> tuple[int, ...] | None:
    """(rows, columns) of a square picture of D numbers, or shape if it is given; None: a table."""
    if shape is not None:
        return tuple(shape)
    side = math.isqrt(D)
    return (side, side) if side * side == D and side > 1 else None
