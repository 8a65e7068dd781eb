"""Checks of a user's input, for the public edge: what was expected and what came."""

import math
import numbers

import numpy as np

PIECE = 1_000_000  # numbers


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


def matrix(name, value, *, columns, letters, dtype, keep=(), holes=False) -> np.ndarray:
    """value as a C-contiguous (N, columns) array of dtype, N >= 1, every entry finite.

    letters names the shape in errors, such as "(N, D)"; an array of a dtype in keep keeps it; with
    holes, an entry may be NaN.
    Raises TypeError if the entries are not real numbers, ValueError otherwise.
    """
    array, labels = real_numbers(name, value)
    if array.ndim != 2 or array.shape[1] != columns:
        letter = letters.strip("()").split(", ")[1]
        raise ValueError(
            f"{name} has shape {array.shape}; expected {letters} with {letter} = {columns}"
            f"{_way_to_rows(array.shape, columns)}"
        )
    if len(array) == 0:
        raise ValueError(f"{name} has no rows; expected {letters} with at least one")
    with np.errstate(over="ignore"):  # told below, with the place
        array = np.ascontiguousarray(array, dtype=array.dtype if array.dtype in keep else dtype)
    if array.dtype.kind == "f":
        _check_finite(name, array, labels, holes)
    return array


def real_numbers(name, value) -> tuple[np.ndarray, list | None]:
    """-> value as an array of real numbers, of any shape; the names of its columns or None

    Of tables and sparse matrices only what they can do is asked, so that none need be imported.
    Raises TypeError or ValueError, naming what is in the way, if it holds anything else.
    """
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries; expected none")
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse, a {_kind(value)}; expected its .toarray()")
    if hasattr(value, "__next__"):
        raise TypeError(f"{name} is a {_kind(value)}; expected an array: np.stack(list(...))")
    if hasattr(value, "columns") and hasattr(value, "dtypes"):
        return _table(name, value), list(value.columns)
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}, a {_kind(value)}, makes no array: {error}") from error
    _check_entries(name, value, array)
    return array, None


def pieces(array):
    """Yield (first row, some rows) until all have come: what is made of them stays small."""
    step = max(1, PIECE // max(1, array[:1].size))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]


def _table(name, table):
    """A table's entries, of its columns' one dtype, or float64 with NaN for what is missing."""
    dtypes = list(table.dtypes)
    for column, dtype in zip(table.columns, dtypes, strict=True):
        if getattr(dtype, "kind", "f") not in "fiub":  # a dtype that has none is told below
            raise TypeError(
                f"{name}[{column!r}] holds {dtype} entries; expected real numbers: drop the "
                "column, encode it, or convert it by .astype(float)"
            )
    plain = all(isinstance(dtype, np.dtype) and dtype == dtypes[0] for dtype in dtypes)
    if not plain and all(hasattr(dtype, "kind") for dtype in dtypes):
        return table.to_numpy(dtype=np.float64, na_value=np.nan)
    array = np.asarray(table)
    _check_entries(name, table, array)
    return array


def _check_entries(name, value, array):
    if array.dtype.kind in "fiub":
        return
    if array.ndim == 0:
        raise TypeError(f"{name} is {_described(value)}; expected an array of real numbers")
    place = ""
    if array.dtype.kind == "O":
        others = (i for i, v in np.ndenumerate(array) if not isinstance(v, numbers.Real))
        index = next(others, None)
        if index is None:
            place = ": convert them by .astype(float)"
        else:
            place = f", and {_entry(name, index)} is {_described(array[index])}"
    raise TypeError(f"{name} holds {array.dtype} entries; expected real numbers{place}")


def _check_finite(name, array, labels, holes):
    for start, rows in pieces(array):
        finite = ~np.isinf(rows) if holes else np.isfinite(rows)
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            entry = rows[row, column]
            place = _entry(name, (start + row, column))
            if labels is not None:
                place = f"{name}[{labels[column]!r}], row {start + row},"
            raise ValueError(f"{place} is {entry}; expected finite {array.dtype} numbers")


def _way_to_rows(shape, columns):
    """What to do about a shape that is not (N, columns)."""
    if len(shape) == 1 and columns == 1:
        return "; a single column is reshape(-1, 1)"
    if len(shape) == 1:
        return "; a single row is x[None], or reshape(1, -1)"
    if len(shape) > 2 and math.prod(shape[1:]) == columns:
        return f"; reshape({shape[0]}, {columns})"
    return ""


def _entry(name, index):
    return f"{name}[{', '.join(map(str, index))}]"


def _kind(value):
    return type(value).__name__


def _described(value):
    return f"{value!r} ({type(value).__name__})"
