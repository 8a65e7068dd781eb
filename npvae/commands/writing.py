"""Rows of numbers into a file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

ENDINGS = ".csv", ".npy"


def check_ending(path: Path, endings: tuple[str, ...]) -> str:
    """The ending of --out, in small letters; raises ValueError unless it is one of these."""
    ending = path.suffix.lower()
    if ending not in endings:
        raise ValueError(f"--out is {path}; expected a name in {', '.join(endings)}")
    return ending


def write_rows(path: Path, x: np.ndarray, names: list[str] | None) -> None:
    """x (N, D) as a .npy, or as a .csv whose first line has the names, if there are any."""
    if check_ending(path, ENDINGS) == ".npy":
        np.save(path, x)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if names is not None:
            writer.writerow(names)
        for row in x:
            writer.writerow(str(v).removesuffix(".0") for v in row)  # all its digits, and no more
