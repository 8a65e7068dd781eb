"""What is measured of data: each column, the rows, and the grey levels of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._checks import pieces

LEVELS = 256  # whole numbers 0 … 255 are told one by one
NEAR = 0.1  # of black or of white, as a part of the way between
ROUNDING = 1e-3  # of a step between grey levels


class Columns(NamedTuple):
    """Numbers of each column (D,), over what is neither NaN nor inf."""

    seen: np.ndarray  # how many that is
    missing: np.ndarray  # NaN
    infinite: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    kurtosis: np.ndarray  # the mean of ((x − mean)/deviation)⁴; 3 of a Gaussian
    zeros: np.ndarray  # how many are 0
    ones: np.ndarray  # how many are 1
    whole: np.ndarray  # bool: all are whole numbers
    two: np.ndarray  # bool: all are low or high
    ordered: np.ndarray  # bool: none is below the one in the row before
    counted: np.ndarray  # bool: each is the one in the row before, plus 1


class Grey(NamedTuple):
    """The numbers of all columns, read as grey levels from 0 to `white`."""

    white: float
    levels: int  # how many of 256 occur; 0 if others occur too
    black_or_white: float  # the share within a tenth of 0 or of white


@np.errstate(over="ignore", invalid="ignore")  # beyond float64 is inf
def measure_columns(x: np.ndarray) -> Columns:
    """Two passes over x (N, D), a piece of it in float64 at a time."""
    first = _first_pass(x)
    mean = np.divide(first["total"], first["seen"], where=first["seen"] > 0, out=first["total"])
    second, fourth, ends = np.zeros((3, x.shape[1]))
    for _, rows in pieces(x):
        seen = np.isfinite(rows)
        square = np.square(np.subtract(rows, mean, where=seen, out=np.zeros(rows.shape)))
        second += square.sum(axis=0)
        fourth += np.square(square, out=square).sum(axis=0)
        ends += ((rows == first["low"]) | (rows == first["high"])).sum(axis=0)
    seen = np.maximum(first["seen"], 1)
    variance = second / seen
    kurtosis = fourth / seen / np.where(variance > 0, variance, 1) ** 2
    del first["total"]
    return Columns(
        **first,
        mean=mean,
        deviation=np.sqrt(variance),
        kurtosis=kurtosis,
        two=ends == first["seen"],
    )


def _first_pass(x):
    D = x.shape[1]
    counts = {name: np.zeros(D, np.int64) for name in ("seen", "missing", "infinite")}
    counts |= {name: np.zeros(D, np.int64) for name in ("zeros", "ones")}
    found = {"total": np.zeros(D), "low": np.full(D, np.inf), "high": np.full(D, -np.inf)}
    holds = {name: np.ones(D, bool) for name in ("whole", "ordered", "counted")}
    before = None
    for _, rows in pieces(x):
        rows = rows.astype(np.float64)
        seen, missing = np.isfinite(rows), np.isnan(rows)
        shown = rows if seen.all() else np.where(seen, rows, 0)
        counts["seen"] += seen.sum(axis=0)
        counts["missing"] += missing.sum(axis=0)
        counts["infinite"] += (~seen & ~missing).sum(axis=0)
        counts["zeros"] += (rows == 0).sum(axis=0)
        counts["ones"] += (rows == 1).sum(axis=0)
        found["total"] += shown.sum(axis=0)
        found["low"] = np.minimum(found["low"], rows.min(axis=0, where=seen, initial=np.inf))
        found["high"] = np.maximum(found["high"], rows.max(axis=0, where=seen, initial=-np.inf))
        holds["whole"] &= (shown == np.rint(shown)).all(axis=0)
        upper = rows[:-1] if before is None else np.vstack([before, rows[:-1]])
        lower = rows[len(rows) - len(upper) :]
        holds["ordered"] &= (lower >= upper).all(axis=0)
        holds["counted"] &= (lower == upper + 1).all(axis=0)
        before = rows[-1]
    return counts | found | holds


def measure_grey(x: np.ndarray, white: float) -> Grey:
    """x (N, D), all in [0, white] or NaN."""
    found, others = np.zeros(LEVELS, bool), False
    extreme = total = 0
    steps = white if white > 1 else LEVELS - 1
    for _, rows in pieces(x):
        part = rows[~np.isnan(rows)].astype(np.float64) / white
        extreme += int(np.count_nonzero((part <= NEAR) | (part >= 1 - NEAR)))
        total += part.size
        level = part * steps
        nearest = np.rint(level)
        others |= bool((np.abs(level - nearest) > ROUNDING).any())
        found[nearest.astype(np.intp)] = True
    return Grey(white, 0 if others else int(found.sum()), extreme / total)


def same_rows(x: np.ndarray) -> int:
    """How many rows have appeared before."""
    before: set[int] = set()
    for _, rows in pieces(x):
        before.update(hash(row.tobytes()) for row in rows + rows.dtype.type(0))  # −0 is 0
    return len(x) - len(before)


def same_columns(x: np.ndarray) -> dict[int, int]:
    """{a column: the first that is equal to it}"""
    first: dict[int, int] = {}
    same = {}
    for d in range(x.shape[1]):
        column = hash((x[:, d] + x.dtype.type(0)).tobytes())
        if first.setdefault(column, d) != d:
            same[d] = first[column]
    return same
