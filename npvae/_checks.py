"""Checks of a user's input, for the public edge: what was expected and what came."""

import math
import numbers

import numpy as np


def check_rng(rng):
    """Raise TypeError unless rng is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng is {_described(rng)}; expected a numpy.random.Generator, "
            "such as numpy.random.default_rng(0)"
        )


def check_positive_int(name, value):
    """Raise TypeError or ValueError unless value is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {_described(value)}; expected an integer >= 1")
    if value < 1:
        raise ValueError(f"{name} is {value}; expected an integer >= 1")


def check_number(name, value, *, low, low_allowed=False, high=np.inf):
    """Raise TypeError or ValueError unless value is a finite number with low < value < high.

    low_allowed admits low itself.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {_described(value)}; expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    above = number >= low if low_allowed else number > low
    if not (above and number < high and math.isfinite(number)):
        bounds = f"{'>=' if low_allowed else '>'} {low:g}"
        bounds += f" and < {high:g}" if np.isfinite(high) else ""
        raise ValueError(f"{name} is {value}; expected a finite number {bounds}")


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}")


def matrix(name, value, *, columns, letters, dtype) -> np.ndarray:
    """value as a C-contiguous (N, columns) array of dtype, N >= 1, every entry finite.

    letters names the shape in errors, such as "(N, D)".
    Raises TypeError if the entries are not real numbers, ValueError otherwise.
    """
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries; expected none")
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} holds {array.dtype} entries; expected real numbers")
    if array.ndim != 2 or array.shape[1] != columns:
        letter = letters.strip("()").split(", ")[1]
        raise ValueError(
            f"{name} has shape {array.shape}; expected {letters} with {letter} = {columns}"
        )
    if len(array) == 0:
        raise ValueError(f"{name} has no rows; expected {letters} with at least one")
    with np.errstate(over="ignore"):  # told below, with the place
        array = np.ascontiguousarray(array, dtype=dtype)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {array[row, column]}; expected finite {dtype} numbers"
        )
    return array


def _described(value):
    return f"{value!r} ({type(value).__name__})"
