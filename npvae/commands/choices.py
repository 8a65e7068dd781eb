"""What train makes of data: a likelihood by name, or the one that `describe` suggests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..description import Description
from ..description.beginning import begin_with_table
from ..description.kinds import CONSTANT, YES_NO
from ..likelihoods import (
    Bernoulli,
    Categorical,
    ColumnGaussian,
    ContinuousBernoulli,
    Holes,
    LearnedGaussian,
    Likelihood,
    NegativeBinomial,
    Poisson,
    Standardized,
    StudentT,
)

WIDE = 200  # columns, from which on a model is wide
LIKELIHOODS = (
    "bernoulli",
    "continuous-bernoulli",
    "gaussian",
    "column-gaussian",
    "student-t",
    "poisson",
    "negative-binomial",
    "categorical",
)


class Choice(NamedTuple):
    """How rows are read, and as what."""

    likelihood: Likelihood
    divide: float
    binarize: bool


def choose(x: np.ndarray, about: Description, name: str | None, divide: float | None) -> Choice:
    """The likelihood of that name, of rows x (N, D); without a name, the one suggested.

    Raises ValueError if something in x has to be mended first, or the likelihood cannot be.
    """
    grave = [fault.text for fault in about.faults if fault.grave]
    if grave:
        raise ValueError(f"no model can learn from this: {'; '.join(grave)}")
    if name is None and divide is not None and about.grey is None:
        raise ValueError("--divide is for pictures, or goes with --likelihood")
    if name is None and about.grey is not None and about.beginning is not None:
        begun = about.beginning
        return Choice(begun.likelihood, divide or about.grey.white, begun.binarize)
    if name is None:  # what `describe` would leave out stays in
        begun = begin_with_table(x, about.columns, about.kinds, table=False)
        return Choice(begun.likelihood, begun.divide, begun.binarize)
    white = about.grey.white if about.grey else 1.0
    unit = divide or (1.0 if name in ("column-gaussian", "student-t") else white)
    likelihood = _named(name, x, unit, about)
    if about.columns.missing.any():
        return Choice(Holes(likelihood), unit, binarize=False)
    binary = set(about.kinds) <= {YES_NO, CONSTANT}
    return Choice(likelihood, unit, binarize=name == "bernoulli" and not binary)


def _named(name, x, divide, about):
    if name in ("column-gaussian", "student-t"):
        form = ColumnGaussian() if name == "column-gaussian" else StudentT()
        return Standardized.of(x / divide if divide != 1 else x, form)
    if name == "categorical":
        high = int(about.columns.high.max())
        if about.grey:
            return Categorical(levels=256 if divide == 1 else round(divide) + 1)
        return Categorical(levels=max(high, 1) + 1, whole=True)
    plain = {
        "bernoulli": Bernoulli(),
        "continuous-bernoulli": ContinuousBernoulli(),
        "gaussian": LearnedGaussian(optimal=True),
        "poisson": Poisson(),
        "negative-binomial": NegativeBinomial(),
    }
    return plain[name]


def widths_for(D: int) -> tuple[tuple[int, ...], int]:
    """-> hidden widths and latent dimensions to begin with, of D columns"""
    return (500,) if D >= WIDE else (100,), min(20, max(2, D // 3))


def batch_for(N: int) -> int:
    """Rows a step: a hundred, or fewer where an epoch would have under twenty steps."""
    return min(100, max(10, N // 20))


def epochs_for(steps: int) -> tuple[int, int]:
    """-> epochs at most, and epochs without a better validation, where one has so many steps

    What takes long is learning, which goes by steps: an epoch of few rows is over soon.
    """
    return max(50, 10_000 // steps), max(5, 1000 // steps)
