"""Rows of numbers into a file."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..storage import archive

ENDINGS = ".csv", ".npy"


def check_ending(path: Path, endings: tuple[str, ...]) -> str:
    """The ending of --out, in small letters; raises ValueError unless it is one of these."""
    ending = path.suffix.lower()
    if ending not in endings:
        raise ValueError(f"--out is {path}; expected a name in {', '.join(endings)}")
    return ending


def add_force(parser: argparse.ArgumentParser) -> None:
    """--force."""
    about = "write over a FILE that is there already"
    parser.add_argument("--force", action="store_true", help=about)


def check_out(out: Path, force: bool, *read: Path) -> None:
    """Raise, before any work, if --out cannot be written, is what is read, or is there already."""
    archive.check_place(out)
    for source in read:
        if out.exists() and source.exists() and out.samefile(source):
            raise ValueError(f"--out {out} is what is read; choose another")
    if out.exists() and not force:
        raise ValueError(f"{out} is there already; choose another --out, or add --force")


def write_rows(path: Path, x: np.ndarray, names: list[str] | None) -> None:
    """x (N, …) as a .npy, or as a .csv, rows (N, D) below the names, if there are any."""
    if check_ending(path, ENDINGS) == ".npy":
        with archive.whole(path) as file:
            np.save(file, x)
        return
    write_table(path, (map(number_text, row) for row in x.reshape(len(x), -1)), names)


def write_table(path: Path, rows: Iterable[Iterable[str]], names: list[str] | None) -> None:
    """Rows of texts as a .csv below the names, if there are any."""
    with archive.whole(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        if names is not None:
            writer.writerow(names)
        writer.writerows(rows)
        text.detach()  # the file is not its to close


def number_text(value: float) -> str:
    """All its digits, and no more."""
    return str(value).removesuffix(".0")
