"""Of which kind a column is, decided by its numbers alone."""

from __future__ import annotations

import numpy as np

from ..likelihoods.counts import MOST
from ..likelihoods.standardized import RESOLVED
from .columns import Columns

EMPTY = "nothing but holes"
CONSTANT = "constant"
YES_NO = "yes or no"
CODES = "codes"
COUNTS = "counts"
UNIT = "numbers in [0, 1]"
REAL = "numbers"
KINDS = {  # in the order in which they are told; what each holds
    YES_NO: "0 and 1",
    CODES: "whole, from 0 … {LARGEST_CODE}",
    COUNTS: "whole, from 0 or 1 upwards, beyond {LARGEST_CODE}",
    UNIT: "others in [0, 1]",
    REAL: "others",
    CONSTANT: "one number alone",
    EMPTY: "none",
}
LARGEST_CODE = 12  # such as a month; a category that is counted on from there is rare
SMALLEST_OF_COUNTS = 1  # whole numbers that begin higher are rather measured, such as years
PICTURE = 16  # columns, from which on they may be pixels
WHITE = 127, 255  # the largest number of 8 bits lies between
REACHED = 0.25  # of the columns reach white, if they are pixels
HEAVY = 10.0  # a kurtosis; 3 of a Gaussian, 9 of a Student's t of 5 degrees of freedom
CLUMPED = 1.5  # variance over mean; 1 of a Poisson


def kinds_of(columns: Columns) -> np.ndarray:
    """One of `KINDS` for each column, (D,) of str."""
    low, high, whole = columns.low, columns.high, columns.whole
    conditions = {
        EMPTY: columns.seen == 0,
        CONSTANT: low == high,
        YES_NO: whole & (low == 0) & (high == 1),
        CODES: whole & (low >= 0) & (high <= LARGEST_CODE),
        COUNTS: whole & (low >= 0) & (low <= SMALLEST_OF_COUNTS) & (high <= MOST),
        UNIT: (low >= 0) & (high <= 1),
    }
    return np.select(list(conditions.values()), list(conditions), REAL)


def white_of(columns: Columns, kinds: np.ndarray, dtype: np.dtype) -> float | None:
    """What stands for white, if all columns are pixels of grey or colour; else None.

    They are if there are 16 of them or more, and all lie in [0, 1], a quarter of them reaching
    beyond ½; or all are whole numbers from 0 to at most 255, of 8 bits, or a quarter of the columns
    reaching their end.
    """
    seen = columns.seen > 0
    if len(kinds) < PICTURE or not seen.any() or set(kinds[seen]) <= {YES_NO, CODES, CONSTANT}:
        return None
    low, high = columns.low[seen].min(), columns.high[seen].max()
    if low >= 0 and high <= 1:
        return 1.0 if np.mean(columns.high[seen] > 0.5) >= REACHED else None
    if not (columns.whole.all() and low >= 0 and LARGEST_CODE < high <= WHITE[1]):
        return None
    if high > WHITE[0]:
        stretched = np.mean(columns.high[seen] > WHITE[0])
        return float(WHITE[1]) if dtype == np.uint8 or stretched >= REACHED else None
    return float(high) if np.mean(columns.high[seen] == high) >= REACHED else None


def heavy(columns: Columns) -> np.ndarray:
    """Where a few numbers lie far out, (D,) bool."""
    return columns.kurtosis > HEAVY


def clumped(columns: Columns) -> np.ndarray:
    """Where counts vary more than a Poisson would, (D,) bool."""
    return columns.deviation > np.sqrt(CLUMPED * np.clip(columns.mean, 0, MOST))


def unresolved(columns: Columns) -> np.ndarray:
    """Where float32 cannot tell the numbers of a column apart, (D,) bool."""
    varies = columns.low < columns.high
    least = np.maximum(RESOLVED * np.abs(columns.mean), np.finfo(np.float32).tiny)
    return varies & (columns.deviation < least)
