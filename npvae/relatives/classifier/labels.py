"""Labels: integers 0 … C − 1, one for each row of x."""

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import real_numbers


def check_labels(name: str, labels: ArrayLike, classes: int, n: int) -> np.ndarray:
    """labels as (n,) int64 in 0 … classes − 1.

    Raises TypeError if they are not integers, ValueError if they are others, or not n.
    """
    array = real_numbers(name, labels)[0]
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} holds {array.dtype} entries; expected integers 0 … {classes - 1}, "
            "such as np.unique(labels, return_inverse=True)[1]"
        )
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected (N,) with N = {n} rows of x")
    outside = (array < 0) | (array >= classes)
    if outside.any():
        i = outside.argmax()
        raise ValueError(
            f"{name}[{i}] is {array[i]}; expected 0 … {classes - 1}, one of {classes} classes"
        )
    return array.astype(np.int64)


def check_no_gap(name, labels, classes):
    counts = np.bincount(np.asarray(labels), minlength=classes)
    if (counts == 0).any():
        raise ValueError(
            f"{name} never holds the label {counts.argmin()}; expected each of 0 … {classes - 1} "
            "at least once, for the most likely logit of a class without a row is −∞"
        )
