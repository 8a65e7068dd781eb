"""What to mend in data before a model learns from them, and the code that does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .columns import Columns
from .kinds import CONSTANT, EMPTY, PICTURE, REAL, UNIT, YES_NO, unresolved

SHOWN = 4  # names of a list
ORDERED_ROWS = 10  # fewer may be in order by chance
LARGEST = float(np.finfo(np.float32).max)


class Fault(NamedTuple):
    """Something that is likely not as it was meant."""

    text: str
    code: str = ""  # that mends it; "" where only the data's owner can
    drop: tuple[int, ...] = ()  # columns
    grave: bool = False  # no model can learn from such data


class Places(NamedTuple):
    """What faults are told of."""

    x: np.ndarray
    columns: Columns
    kinds: np.ndarray
    names: list[str]
    table: bool  # whether x has .iloc

    def of(self, which: np.ndarray) -> str:
        """Such as "column 3" or "columns age, height, and 7 more", of which (D,) bool."""
        said = [self.names[d].removeprefix("column ") for d in np.flatnonzero(which)]
        return f"column{'s' if len(said) > 1 else ''} {listed(said)}"


def faults_of(places: Places, same: dict[int, int]) -> list[Fault]:
    """What is wrong, the gravest first; `same` is {a column: one before that it equals}."""
    found = [*_numbers(places), *_columns(places, same), *_rows(places)]
    return sorted(found, key=lambda fault: not fault.grave)


def dropped(faults: list[Fault]) -> list[int]:
    """The columns that are better left out."""
    return sorted(d for fault in faults for d in fault.drop)


def mending_of(faults: list[Fault], *, table: bool) -> str:
    """The lines of code that mend what code can, columns dropped last: then their numbers hold."""
    lines = [fault.code for fault in faults if fault.code]
    if drop := dropped(faults):
        how = f"x.drop(columns=x.columns[{drop}])" if table else f"np.delete(x, {drop}, axis=1)"
        lines.append(f"x = {how}")
    return "\n".join(lines)


def _numbers(places):
    x, columns, table = places.x, places.columns, places.table
    if (infinite := columns.infinite > 0).any():
        of_array = "np.where(np.isinf(x), np.nan, x)"
        of_table = "x.replace([np.inf, -np.inf], np.nan)"
        text = f"{places.of(infinite)}: {columns.infinite.sum():,} × inf; make it a hole"
        yield Fault(text, f"x = {of_table if table else of_array}", grave=True)
    large = np.maximum(columns.high, -columns.low) > LARGEST
    if large.any():
        yield Fault(f"{places.of(large)}: beyond {LARGEST:.1e}, where float32 ends", grave=True)
    if (fine := unresolved(columns) & ~large).any():
        text = f"{places.of(fine)}: varies too little for float32; subtract the mean"
        yield Fault(text, _subtract(np.flatnonzero(fine).tolist(), table), grave=True)
    two = columns.two & np.isin(places.kinds, (REAL, UNIT)) & (len(x) > 2)
    if two.any():
        yield Fault(f"{places.of(two)}: two numbers only; write them as 0 and 1")


def _subtract(d, table):
    if table:
        return f"x = x.apply(lambda v: v - v.mean() if v.name in x.columns[{d}] else v)"
    return f"x = x.astype(np.float64)\nx[:, {d}] -= np.nanmean(x[:, {d}], axis=0)"


def _columns(places, same) -> Iterator[Fault]:
    columns, kinds = places.columns, places.kinds
    empty, constant = kinds == EMPTY, kinds == CONSTANT
    counted = columns.counted & (len(places.x) > 2)
    again = np.isin(np.arange(len(kinds)), list(same)) & ~constant & ~empty
    if empty.any():
        yield _dropped(places, empty, "no number at all", grave=True)
    if len(kinds) >= PICTURE and set(kinds) <= {YES_NO, CONSTANT}:
        return  # black and white pictures, whose margins may be alike
    if constant.any():
        yield _dropped(places, constant, "constant")
    if counted.any():
        yield _dropped(places, counted, "numbers the rows")
    if (again := again & ~counted).any():
        d = int(np.flatnonzero(again)[0])
        about = "the same as " + (places.names[same[d]] if again.sum() == 1 else "earlier ones")
        yield _dropped(places, again, about)


def _dropped(places, which, about, grave=False):
    drop = tuple(np.flatnonzero(which).tolist())
    return Fault(f"{places.of(which)}: {about}; drop", drop=drop, grave=grave)


def _rows(places):
    x, columns, table = places.x, places.columns, places.table
    if columns.missing.all() and (n := int(np.isnan(x).all(axis=1).sum())):
        code = "x = x.dropna(how='all')" if table else "x = x[~np.isnan(x).all(axis=1)]"
        yield Fault(f"{n:,} row{'s' if n > 1 else ''} without a number; drop", code)
    ordered = columns.ordered & (columns.low < columns.high) & ~columns.counted
    if ordered.any() and len(x) >= ORDERED_ROWS:
        text = "the rows are in that order; shuffle before you cut some off"
        yield Fault(f"{places.of(ordered)}: {text}")


def listed(names: list[str], shown: int = SHOWN) -> str:
    """The first few names, and how many more there are."""
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[:shown])}, and {len(names) - shown:,} more"
