"""Data as EM walks over them: checked once, and read a batch at a time."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import matrix, pieces, real_numbers
from ...training import Rows
from .families import Bernoullis, Family
from .gaussians import Gaussians

NUMBERS = 2**21  # in a batch's features or its responsibilities: near the cores, and worth a sum
LARGEST = 4000  # rows of a batch
KEPT = np.uint8, np.float32, np.float64
FAR = 10  # standard deviations: a column whose mean lies beyond is moved to 0


def check_rows(name: str, x: ArrayLike, family: Family, D: int | None = None) -> Rows:
    """x (N, D), or with any D, as it is kept and read: x / unit, uint8 as float32.

    Raises TypeError or ValueError if it is not a finite (N, D) array in the family's support.
    """
    array, _ = real_numbers(name, x)
    if D is None and array.ndim == 2 and array.shape[1] == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected (N, D) with D >= 1")
    columns = array.shape[-1] if D is None and array.ndim == 2 else D or 1
    rows = matrix(name, x, columns=columns, letters="(N, D)", dtype=np.float64, keep=KEPT)
    unit = family.check_support(name, rows)
    return Rows(rows, unit, np.dtype(np.float32 if rows.dtype == np.uint8 else rows.dtype))


def batches(data: Rows, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, batch (B, D) of data.dtype) until all rows have come, in their order."""
    for start in range(0, len(data.x), size):
        batch = data.x[start : start + size]
        if batch.dtype != data.dtype:
            batch = np.divide(batch, data.unit, dtype=data.dtype)
        yield start, batch


def batch_size(F: int, K: int) -> int:
    """How many rows at a time, of F features and K responsibilities each."""
    return max(1, min(LARGEST, NUMBERS // max(F, K)))


def moments(data: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (D,) of the columns, in float64 and two passes."""
    N = len(data.x)
    mean = sum(rows.sum(axis=0, dtype=np.float64) for _, rows in pieces(data.x)) / N
    squares = sum(np.square(rows - mean).sum(axis=0) for _, rows in pieces(data.x)) / N
    return mean / data.unit, np.sqrt(squares) / data.unit


def origin(mean: np.ndarray, std: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Where columns far from 0 are moved to 0, because there x² − mean² would lose its digits."""
    far = np.abs(mean) > FAR * std
    return np.where(far, mean, 0).astype(dtype) if far.any() else None


def require_finite(log_px: np.ndarray, rows: Sequence[int] | np.ndarray) -> None:
    """Raise FloatingPointError, naming the row, if a log p(x) is not finite."""
    if not math.isfinite(log_px.sum()):
        row = rows[int(np.argmin(np.isfinite(log_px)))]
        raise FloatingPointError(
            f"log p(x) of row {row} is not finite: a parameter is not, or a number has left the "
            f"range of {log_px.dtype}"
        )


def check_family(family: Any) -> None:
    """Raise TypeError unless family is an instance of one."""
    if not isinstance(family, Bernoullis | Gaussians) or type(family) is Gaussians:
        raise TypeError(f"family is {family!r}; expected one such as Bernoullis()")


def place(data: Rows, family: Family) -> np.ndarray | None:
    """Where the columns are moved, once it is sure that a fit to them is sound."""
    mean, std = moments(data)
    moved = origin(mean, std, data.dtype) if isinstance(family, Gaussians) else None
    family.check_spread(data.x, mean if moved is None else mean - moved, std)
    return moved
