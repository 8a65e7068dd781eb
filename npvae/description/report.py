"""`describe`: what data are, what to mend first, and what to begin with."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import real_numbers
from ..likelihoods import Likelihood
from .beginning import Beginning, begin_with_pixels, begin_with_table
from .columns import Columns, Grey, measure_columns, measure_grey, same_columns, same_rows
from .kinds import CLUMPED, COUNTS, HEAVY, KINDS, REAL, UNIT, clumped, heavy, kinds_of, white_of
from .mending import Fault, Places, dropped, faults_of, listed, mending_of

WIDTH = 80
TO_ARRAY = "x = np.asarray(x)\n"


def describe(x: ArrayLike) -> Description:
    """A look at data before anything is learned: what they are, and what to begin with.

    x (N, D), an array or a table; NaN is a hole -> Description, to be printed
    Raises TypeError or ValueError, saying what is in the way, unless x is an (N, D) array of real
    numbers with a number in it.
    """
    array, labels = real_numbers("x", x)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"x has shape {array.shape}; expected (N, D){_way_to_rows(array.shape)}")
    description = describe_rows(array, labels, is_table=hasattr(x, "iloc"))
    if isinstance(x, np.ndarray) or hasattr(x, "iloc"):
        return description
    mending, beginning = description.mending, description.beginning
    return description._replace(  # of lists and other tables the code wants an array
        mending=mending and TO_ARRAY + mending,
        beginning=beginning and beginning._replace(code=TO_ARRAY + beginning.code),
    )


def describe_rows(
    x: np.ndarray, names: Sequence[object] | None = None, *, is_table: bool = False
) -> Description:
    """The same of an array (N, D) of real numbers; is_table if the code is to be a table's."""
    columns = measure_columns(x)
    if not columns.seen.any():
        raise ValueError("x holds no finite number: all are NaN or inf")
    numbered = [f"column {d}" for d in range(x.shape[1])]
    names = numbered if names is None else [str(name) for name in names]
    kinds = kinds_of(columns)
    white = white_of(columns, kinds, x.dtype)
    grey = None if white is None else measure_grey(x, white)
    faults = faults_of(Places(x, columns, kinds, names, is_table), {} if grey else same_columns(x))
    if grey:
        faults = [fault for fault in faults if fault.grave]
    beginning = None
    if not any(fault.grave for fault in faults):
        beginning = _begin(x, columns, kinds, grey, dropped(faults), is_table)
    return Description(
        rows=len(x),
        names=names,
        dtype=str(x.dtype),
        kinds=kinds,
        columns=columns,
        holey_rows=int(np.isnan(x).any(axis=1).sum()) if columns.missing.any() else 0,
        repeated_rows=same_rows(x),
        grey=grey,
        faults=faults,
        mending=mending_of(faults, table=is_table),
        beginning=beginning,
    )


def _begin(x, columns, kinds, grey, drop, is_table):
    """For x as it is once these columns are dropped."""
    if grey:
        return begin_with_pixels(grey, bool(columns.missing.any()), x.dtype)
    if drop:
        x, kinds = np.delete(x, drop, axis=1), np.delete(kinds, drop)
        columns = Columns(*(np.delete(numbers, drop) for numbers in columns))
    return begin_with_table(x, columns, kinds, table=is_table) if len(kinds) else None


def _way_to_rows(shape):
    if len(shape) > 2 and math.prod(shape):
        return f"; reshape({shape[0]}, {math.prod(shape[1:])})"
    if len(shape) == 1 and shape[0]:
        return "; a single column is reshape(-1, 1)"
    return ", neither of them 0"


class Description(NamedTuple):
    """What `describe` found; `print` it."""

    rows: int
    names: list[str]  # (D,), as a table has them, or "column 0", …
    dtype: str
    kinds: np.ndarray  # (D,) of str
    columns: Columns
    holey_rows: int  # rows with a hole
    repeated_rows: int  # rows that appeared before
    grey: Grey | None  # if the columns are pixels
    faults: list[Fault]  # what to mend first
    mending: str  # code that mends what code can
    beginning: Beginning | None  # of x once mended; None, if nobody could learn from x before

    @property
    def likelihood(self) -> Likelihood | None:
        """What the code that is printed builds; None, if x has to be mended and described anew."""
        return self.beginning and self.beginning.likelihood

    def __str__(self) -> str:
        paragraphs = [_wrapped(self._size()), *self._about()]
        if self.faults:
            paragraphs += ["", "To mend first:"]
            paragraphs += [_wrapped(f"- {fault.text}") for fault in self.faults]
            paragraphs += ["", textwrap.indent(self.mending, "    ")] if self.mending else []
        if self.beginning is None:
            paragraphs += ["", "Then describe x again."]
        if self.beginning:
            begun = _wrapped(f"To begin with: {self.beginning.why}.")
            paragraphs += ["", begun, "", textwrap.indent(self.beginning.code, "    ")]
        return "\n".join(paragraphs)

    def _size(self):
        seen = self.columns.seen > 0
        low, high = self.columns.low[seen].min(), self.columns.high[seen].max()
        text = f"{self.rows:,} rows × {len(self.names):,} columns, {self.dtype}, "
        text += f"from {low:.6g} to {high:.6g}; "
        if holes := self.columns.missing.sum():
            share = holes / (self.rows * len(self.names))
            text += f"{_percent(share)} are holes, in {self.holey_rows:,} rows"
        else:
            text += "no holes"
        if self.repeated_rows:
            repeat = "row repeats" if self.repeated_rows == 1 else "rows repeat"
            return text + f"; {self.repeated_rows:,} {repeat} an earlier one"
        return text + "; no two rows alike"

    def _about(self):
        if self.grey:
            yield _wrapped(self._pixels())
        else:
            yield from self._kinds()
            yield from self._spread()

    def _pixels(self):
        numbers = self.columns.seen.sum()
        black = self.columns.zeros.sum() / numbers
        text = f"all columns from 0 to {self.grey.white:g}, like pixels: {_percent(black)} are 0"
        if self.grey.levels:
            text += f"; {self.grey.levels} grey levels"
        constant = np.count_nonzero(self.columns.low == self.columns.high)
        return text + (f"; {constant} columns are constant" if constant else "")

    def _kinds(self):
        for kind in KINDS:
            its = np.flatnonzero(self.kinds == kind)
            if len(its):
                start = f"{len(its):6,}  {kind:{max(map(len, KINDS))}}  "
                yield _wrapped(start + self._list(its), len(start))

    def _spread(self):
        its = np.flatnonzero(np.isin(self.kinds, (UNIT, REAL)))
        if len(its) > 1:
            deviation = self.columns.deviation[its]
            (least, a), (most, b) = (
                (deviation[i], self.names[its[i]]) for i in (deviation.argmin(), deviation.argmax())
            )
            ratio = f": 1 to {most / least:,.0f}" if 0 < least <= most < np.inf else ""
            yield _wrapped(f"spread from {least:.3g} ({a}) to {most:.3g} ({b}){ratio}")
        far = its[heavy(self.columns)[its]]
        if len(far):
            yield _wrapped(f"heavy tails (kurtosis above {HEAVY:g}): {self._list(far)}")
        its = np.flatnonzero((self.kinds == COUNTS) & clumped(self.columns))
        if len(its):
            yield _wrapped(f"variance above {CLUMPED:g} × mean: {self._list(its)}")

    def _list(self, its):
        return listed([self.names[d] for d in its])


def _percent(share):
    return f"{100 * share:.2g} %" if 0 < share < 1e-3 else f"{100 * share:.1f} %"


def _wrapped(text, indent=2):
    return textwrap.fill(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)
