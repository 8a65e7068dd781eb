"""What train writes beside a model, so that others can read the same rows, and check it."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._checks import pieces
from ..evaluation import evaluate
from ..importance import log_likelihood
from ..likelihoods import binarize
from ..reading.data import Data, read_data
from ..reading.rows import rows_for
from ..storage import archive
from ..storage import model as storage
from ..vae import VAE
from .running import notes

ROWS = 8  # whose log p(x) is kept, of data and of draws from the model
DRAWS = 100  # of z for each
ROOM = 4000  # letters, for what is checked
BOUND_OF_DATA = "bound of the data"
BOUND, DATA, SAMPLES, TARGETS = range(4)  # streams


class Record(NamedTuple):
    """How the rows were read, and what the model said of them."""

    command: str
    rows: int
    names: list[str] | None  # of the columns
    drop: list[str]
    label: str | None
    shape: list[int] | None  # of a picture
    divide: float
    binarize: bool
    seed: int
    checks: dict[str, Any]  # by name

    @classmethod
    def read(cls, path: Path, D: int) -> Record | None:
        """The one in the file of a model of D columns, or None. Raises as `VAE.load` does."""
        record = storage.read_record(path)
        if record is None:
            return None
        try:
            found = cls(**record)
        except TypeError as error:
            raise ValueError(f"{path} has a damaged record: {error}") from error
        for name in found._wrong(D):
            raise ValueError(f"{path} has a damaged record: its {name} is {getattr(found, name)!r}")
        return found

    def _wrong(self, D):
        """The names of fields that `train` cannot have written."""
        shape, divide = self.shape, self.divide
        fits = {
            "command": isinstance(self.command, str),
            "rows": _is_whole(self.rows),
            "names": self.names is None or (_are_texts(self.names) and len(self.names) == D),
            "drop": _are_texts(self.drop),
            "label": isinstance(self.label, str | None),
            "shape": shape is None
            or (isinstance(shape, list) and all(map(_is_whole, shape)) and math.prod(shape) == D),
            "divide": type(divide) in (int, float) and 0 < divide < math.inf,
            "binarize": isinstance(self.binarize, bool),
            "seed": _is_whole(self.seed),
            "checks": isinstance(self.checks, dict)
            and all(isinstance(said, str) or _are_numbers(said) for said in self.checks.values()),
        }
        return [name for name, fit in fits.items() if not fit]

    def save(self, path: Path, vae: VAE) -> None:
        """Write the model with this beside it. Raises as `VAE.save` does."""
        model = vae.params, vae.likelihood, vae.activation
        storage.save(path, *model, record=self._asdict())

    def check_fits(self, vae: VAE) -> None:
        """Raise ValueError, before anything is learned, if a file will have no room for it."""
        header = storage.header_of(vae.params, vae.likelihood, vae.activation)
        length = len(json.dumps([header, self._asdict()])) + ROOM
        if archive.LETTER * length > archive.LONGEST_HEADER:
            raise ValueError(
                f"names and scales of {vae.data_dim:,} columns take {length:,} letters of the "
                f"model's file, which has room for {archive.LONGEST_HEADER // archive.LETTER:,}; "
                "leave out columns (--drop), or take --likelihood gaussian"
            )

    def checked(self, vae: VAE, x: np.ndarray) -> Record:
        """With the numbers that `verify` compares; as it is, with a note, if there are none."""
        try:
            return self._replace(checks=checks_of(vae, self.seed, x, self.binarize))
        except (ArithmeticError, ValueError) as error:
            warnings.warn(f"verify will have nothing to compare: {error}", stacklevel=2)
            return self


def _is_whole(value):
    return type(value) is int and value >= 0


def _are_texts(values):
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _are_numbers(values):
    return isinstance(values, list) and all(type(value) in (int, float) for value in values)


def load_model(path: Path) -> tuple[VAE, Record | None]:
    """A model, and the record beside it if `train` wrote it. Raises as `VAE.load` does."""
    vae = VAE.load(path)
    return vae, Record.read(path, vae.data_dim)


def rows_of(
    vae: VAE,
    record: Record | None,
    path: Path,
    *,
    drop: list[str],
    label: str | None,
    divide: float | None,
) -> tuple[np.ndarray, Data]:
    """The rows in a file, read as when the model was trained unless told otherwise.

    -> x (N, D), divided; and what was read
    """
    keep = None
    if record is not None:
        keep = None if drop else record.names
        drop, divide = drop or record.drop, divide or record.divide
    usual = record.label if record is not None and label is None else None
    data = read_data(path, drop=drop, label=label, keep=keep, usual_label=usual)
    x = rows_for(vae, data.x, divide, path)
    if not vae.likelihood.allows_holes and (holes := np.isnan(x).any(axis=0)).any():
        column = data.titles[int(holes.argmax())]
        raise ValueError(f"{path} has holes, such as in {column}; the model learned from none")
    return x, data


def binary_if_asked(record: Record | None, x: np.ndarray, seed: int) -> np.ndarray:
    """x, or 0 and 1 drawn from it if the model learned from such."""
    if record is None or not record.binarize:
        return x
    return binarize(x, rng=np.random.default_rng([seed, TARGETS]))


def checks_of(vae: VAE, seed: int, x: np.ndarray | None, binary: bool) -> dict[str, Any]:
    """Numbers of a model, of draws of x from itself, and of rows x (N, D) unless None, by name.

    log p(x) is that of the first few rows.
    """
    drawn = vae.sample(ROWS, rng=np.random.default_rng([seed, SAMPLES]), draw=True)
    checks: dict[str, Any] = {
        "parameters": _hash(vae.params.rows),
        "log p(x) of draws from the model": _log_px(vae, drawn, seed, SAMPLES),
    }
    if x is None:
        return checks
    checks["data"] = _hash([x])
    if binary:
        x = binarize(x, rng=np.random.default_rng([seed, TARGETS]))
    bound = evaluate(vae, x, rng=np.random.default_rng([seed, BOUND]))
    return checks | {
        BOUND_OF_DATA: [bound.elbo],
        "log p(x) of the data's first rows": _log_px(vae, x[:ROWS], seed, DATA),
    }


def _log_px(vae, x, seed, stream):
    with notes(silent=True):  # that draws are few matters to no comparison
        said = log_likelihood(vae, x, samples=DRAWS, rng=np.random.default_rng([seed, stream]))
    return said.log_px.tolist()


def _hash(arrays):
    """SHA-256 of shapes and numbers, the same for the same numbers of any dtype."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(str(array.shape).encode())
        for _, rows in pieces(np.atleast_1d(array)):
            numbers = np.ascontiguousarray(rows, "<f8") + 0.0  # −0 is 0
            numbers[np.isnan(numbers)] = np.nan  # of many bits
            found.update(numbers.tobytes())
    return found.hexdigest()
