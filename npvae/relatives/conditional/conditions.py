"""Conditions c: numbers (N, C) beside x, of which a label's one-hot row is one kind."""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._checks import check_positive_int, matrix, real_numbers
from ..classifier.labels import check_labels


def one_hot(labels: ArrayLike, classes: int, dtype: DTypeLike = np.float32) -> np.ndarray:
    """c_k = [k = label]: a row of zeros with a one in the label's place.

    labels (N,) integers 0 … C − 1 -> (N, C); one label -> (C,)
    Raises TypeError or ValueError if a label is no integer, or none of the classes.
    """
    check_positive_int("classes", classes)
    array = real_numbers("labels", labels)[0]
    rows = array.reshape(1) if array.ndim == 0 else array
    hot = np.eye(classes, dtype=dtype)[check_labels("labels", rows, classes, len(rows))]
    return hot[0] if array.ndim == 0 else hot


def check_condition(name, condition, C, n, dtype):
    """condition as (n, C) of dtype; a lone row, (C,) or (1, C), serves all n.

    Raises TypeError or ValueError otherwise, with a way out where labels were given.
    """
    if condition is None:
        raise TypeError(f"{name} is None; the model expects one, (N, C) with C = {C}")
    array = real_numbers(name, condition)[0]
    if array.ndim == 1 and (array.dtype.kind in "iub" or len(array) != C):
        raise ValueError(
            f"{name} has shape {array.shape}; expected (N, C) with N = {n} and C = {C}. Labels "
            f"become such rows by relatives.one_hot(labels, {C})"
        )
    rows = condition if array.ndim != 1 else array[None]
    rows = matrix(name, rows, columns=C, letters="(N, C)", dtype=dtype)
    if len(rows) not in (1, n):
        raise ValueError(f"{name} has {len(rows)} rows; expected {n}, or one for all")
    return np.broadcast_to(rows, (n, C))


def beside(a, condition):
    """[a, c]: the columns of c after those of a, for every draw if a has several.

    a (B, ·) or (L, B, ·), condition (B, C) -> (…, · + C)
    """
    return np.concatenate([a, np.broadcast_to(condition, (*a.shape[:-1], condition.shape[-1]))], -1)
