"""Tables of text: numbers by , or ; or tabs, with a line of names above them or none."""

from __future__ import annotations

import csv
import re
import shlex
from array import array
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

MISSING = {"", "?", "-", ".", "na", "n/a", "#n/a", "nan", "null", "none"}  # in small letters
SEPARATORS = "\t", ";", ","  # the first that occurs: commas may be decimal points
COUNTED = 4  # columns, from which on 0, 1, 2, … above them are names
SHOWN = 30  # letters of an entry that is told
TEXT, HOLE, NUMBER = "text", "hole", "number"


class Table(NamedTuple):
    """What a file says before its numbers are read."""

    path: Path
    separator: str
    names: list[str] | None
    width: int
    first_line: int  # of the numbers


def read_table(path: Path) -> tuple[Table, Iterator[tuple[int, list[str]]]]:
    """A file's form, and its rows of entries, each with the number of its line.

    Raises OSError if it cannot be read; ValueError, naming the line, if it is no UTF-8 text, has
    no row, or rows of several lengths (when it comes to them).
    """
    separator = _separator(path)
    lines = _lines(path, separator)
    start = [line for _, line in zip(range(2), lines, strict=False)]
    if not start:
        raise ValueError(f"{path} holds no line of text; expected a table")
    first = start[0][1]
    named = _is_header(first, start[1][1] if len(start) > 1 else None, separator)
    if named and len(start) < 2:
        raise ValueError(f"{path} has the names {_short(', '.join(first))}, and no row below them")
    names = _names(first) if named else None
    table = Table(path, separator, names, len(first), start[named][0])
    return table, _rows(table)


def _names(entries):
    """Each column's own: one without is called by its number, a second "a" is "a.1"."""
    names = []
    for i, entry in enumerate(entries):
        name = entry.strip() or f"column {i}"
        names.append(next(n for n in _numbered(name) if n not in names))
    return names


def _numbered(name):
    yield name
    yield from (f"{name}.{i}" for i in count(1))


def _separator(path):
    """The one that the first line has outside quotation marks; a comma, if none."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            line = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error}") from error
    line = re.sub(r'"[^"]*"', "", line)
    return next((separator for separator in SEPARATORS if separator in line), ",")


def _lines(path, separator):
    """Yield (line number, entries) of all lines that are not blank."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        try:
            for entries in reader:
                if len(entries) > 1 or any(entry.strip() for entry in entries):
                    yield reader.line_num, entries
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}, line {reader.line_num + 1}: {error}") from error


def _rows(table):
    for number, entries in _lines(table.path, table.separator):
        if number < table.first_line:
            continue
        if len(entries) != table.width:
            raise ValueError(
                f"{table.path}, line {number} has {len(entries)} entries; the first line has "
                f"{table.width}"
            )
        yield number, entries


def _is_header(first, second, separator):
    """Whether the first row names columns: no number; text above a number; or 0, 1, 2, …"""
    kinds = [_kind(entry, separator) for entry in first]
    if set(kinds) <= {TEXT, HOLE}:
        return TEXT in kinds
    if second is None:
        return False
    below = [_kind(entry, separator) for entry in second]
    if any(a == TEXT and b != TEXT for a, b in zip(kinds, below, strict=False)):
        return True
    begins_empty = kinds[0] == HOLE  # above a column that numbers the rows
    numbers = [entry.strip() for entry in first[begins_empty:]]
    counted = [str(i) for i in range(len(numbers) + 1)]
    return numbers in (counted[:-1], counted[1:]) and (begins_empty or len(numbers) >= COUNTED)


def _kind(entry, separator):
    value = parsed(entry, separator)
    return TEXT if value is None else HOLE if np.isnan(value) else NUMBER


def parsed(entry: str, separator: str) -> float | None:
    """The number that an entry holds, NaN if it is missing, None if it is a text."""
    text = entry.strip()
    if text.lower() in MISSING:
        return np.nan
    if separator == ";":  # where a comma does not separate, it is a decimal point
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def read_columns(
    table: Table,
    rows: Iterator[tuple[int, list[str]]],
    columns: list[int],
    label: int | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """-> the numbers of these columns (N, S), NaN where one is missing; the texts of the label's

    Raises ValueError, naming column and line, if an entry is no number.
    """
    numbers, labels = array("d"), []
    for number, entries in rows:
        try:  # at once, which nearly all rows allow
            numbers.extend([float(entries[d]) for d in columns])
        except ValueError:
            numbers.extend([_number(table, number, d, entries[d]) for d in columns])
        if label is not None:
            labels.append(entries[label].strip())
    x = np.frombuffer(numbers, np.float64).reshape(-1, len(columns))
    return x, None if label is None else np.array(labels)


def _number(table, line, column, entry):
    value = parsed(entry, table.separator)
    if value is not None:
        return value
    name = name_of(table, column)
    raise ValueError(
        f"{table.path}, line {line}: column {name!r} holds the text {_short(entry)!r}; write "
        f"numbers for it, such as 0, 1, …, leave it out (--drop {shlex.quote(name)}), or keep it "
        f"apart (--label {shlex.quote(name)})"
    )


def name_of(table: Table, column: int) -> str:
    """Its name, or its number."""
    return str(column) if table.names is None else table.names[column]


def find_columns(
    names: Collection[str] | None, width: int, wanted: Collection[str], source: object
) -> list[int]:
    """The numbers of the columns that are wanted, by name, or by number from 0.

    Raises ValueError if there is none, or more than one, of a name.
    """
    found = []
    for name in wanted:
        its = [d for d, n in enumerate(names or ()) if n == name]
        if not its and name.isdecimal() and int(name) < width:
            its = [int(name)]
        if len(its) != 1:
            told = f"columns 0 … {width - 1}" if names is None else _short(", ".join(names), 200)
            many = f"{len(its)} columns" if its else "no column"
            raise ValueError(f"{source} has {many} {name!r}; it has {told}")
        found += its
    return found


def _short(text, length=SHOWN):
    return text if len(text) <= length else f"{text[:length]}…"
