"""Holes: entries of a row that nobody observed, NaN in x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ._protocol import check_is_likelihood
from .base import Likelihood
from .learned_gaussian import LearnedGaussian

FILLER = 0.0  # stands in a hole while its term is computed, and dropped: in every support


@dataclass(frozen=True, repr=False)
class Holes(Likelihood):
    """p(x_seen|z): NaN in x is not observed, and likelihood is that of whole rows.

    The bound is log p(x_seen) >= E_q[log p(x_seen|z)] − KL(q(z|x_seen) ‖ p(z)).    [tables.21]
    It tells of p(x) if which numbers are missing depends on what was seen, and on nothing hidden.
    The encoder reads what likelihood lets it read, 0 in each hole, and beside it which of the D
    numbers were seen.
    Raises TypeError or ValueError unless likelihood is a `Likelihood`, none of whose parts is a
    LearnedGaussian: what one width for all columns has seen differs from column to column; or
    Holes itself. 0 must have a density under a likelihood of your own.
    """

    likelihood: Likelihood
    reads_x: ClassVar = False
    allows_holes: ClassVar = True

    def __post_init__(self):
        check_is_likelihood(self.likelihood)
        for part in _leaves(self.likelihood):
            if isinstance(part, LearnedGaussian):
                raise ValueError(f"Holes of {part!r}; take ColumnGaussian() in its place")
            if part.allows_holes:
                raise ValueError(f"Holes of {part!r}, which has them already")

    @property
    def fixed_dim(self) -> int | None:  # type: ignore[override]
        """D, if likelihood fixes it."""
        return self.likelihood.fixed_dim

    @property
    def support(self):  # type: ignore[override]
        """That of what is seen."""
        return self.likelihood.support

    def log_prob(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x_seen|z) = Σ_{d seen} log p(x_d|z), in nats.   [tables.20]

        x (B, D), NaN where nothing was seen, output (L, B, W) -> log_px_z (L, B)
        """
        seen, filled = seen_and_filled(x)
        return self.likelihood.terms(filled, output, **learned).sum(axis=-1, where=seen)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """doutput = dlog_px_z Σ_{d seen} ∂ log p(x_d|z)/∂output.    [tables.20]

        dlog_px_z (L, B), x (B, D), output (L, B, W) -> (L, B, W)
        """
        dterms = np.repeat(dlog_px_z[..., None], x.shape[1], axis=-1)
        return self.terms_backward(dterms, x, output, **learned)

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Σ_lb dlog_px_z Σ_{d seen} ∂ log p(x_d|z)/∂learned.    [tables.20]"""
        dterms = np.repeat(dlog_px_z[..., None], x.shape[1], axis=-1)
        return self.terms_backward_learned(dterms, x, output, **learned)

    def terms(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x_d|z) where d is seen, 0 elsewhere.        -> (L, B, D)        [tables.20]"""
        seen, filled = seen_and_filled(x)
        return np.where(seen, self.likelihood.terms(filled, output, **learned), 0)

    def terms_backward(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """Σ_{d seen} dterms_d ∂ log p(x_d|z)/∂output.          [tables.20]

        dterms (L, B, D), x (B, D), output (L, B, W) -> (L, B, W)
        """
        seen, filled = seen_and_filled(x)
        return self.likelihood.terms_backward(dterms * seen, filled, output, **learned)

    def terms_backward_learned(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Σ_lb Σ_{d seen} dterms_d ∂ log p(x_d|z)/∂learned.    [tables.20]"""
        seen, filled = seen_and_filled(x)
        return self.likelihood.terms_backward_learned(dterms * seen, filled, output, **learned)

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x|z] of the whole row, seen or not.        (…, W) -> (…, D)         [tables.20]"""
        return self.likelihood.mean(output)

    def mean_backward(self, dmean: np.ndarray, output: np.ndarray) -> np.ndarray:
        """That of likelihood.        (…, D), (…, W) -> (…, W)    [observations.13]"""
        return self.likelihood.mean_backward(dmean, output)

    def draw(
        self, output: np.ndarray, *, rng: np.random.Generator, **learned: np.ndarray
    ) -> np.ndarray:
        """A draw of the whole row, without holes.        (…, W) -> (…, D)       [tables.20]"""
        return self.likelihood.draw(output, rng=rng, **learned)

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """What likelihood's encoder would read, 0 in each hole, and 1 for each d seen. [tables.22]

        x (B, D) -> (B, I), NaN having come through whatever was done to x
        """
        with np.errstate(invalid="ignore"):
            read = self.likelihood.encoder_input(x)
        return np.hstack([np.nan_to_num(read, nan=0.0), ~np.isnan(x)], dtype=x.dtype)

    def input_width(self, data_dim: int) -> int:
        """I: what likelihood's encoder would read, and D for what was seen."""
        return self.likelihood.input_width(data_dim) + data_dim

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, such as the mean of what was seen.   [likelihoods.7]"""
        return self.likelihood.output_bias(x_mean)

    def floor(self, x: np.ndarray) -> float:
        """Σ_d N_d/N floor_d, of the N_d rows of x (N, D) in which d is seen.    [tables.20]"""
        seen, total = ~np.isnan(x), 0.0
        for d in np.flatnonzero(seen.any(axis=0)):
            own = x[seen[:, d], d][:, None]
            total += len(own) / len(x) * self.likelihood.at(np.array([d])).floor(own)
        return total

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1. Raises ValueError unless what is seen lies in likelihood's support.

        A hole is checked as its column's first number that is seen, or as 0.
        """
        if x.dtype.kind != "f":
            x = x.astype(np.float32)
        return self.likelihood.check_support(name, filled_by_column(x, ~np.isnan(x), FILLER))

    def check_mean(self, name: str, x_mean: np.ndarray) -> None:
        """Raise ValueError unless likelihood can have it."""
        self.likelihood.check_mean(name, x_mean)

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """What likelihood learns."""
        return self.likelihood.init_learned(dtype, data_dim)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits, as likelihood has them."""
        return self.likelihood.output_width(data_dim)

    def columns(self, pixels: np.ndarray, data_dim: int) -> np.ndarray:
        """Where the output holds what it says of these columns, as likelihood has them."""
        return self.likelihood.columns(pixels, data_dim)

    def at(self, columns: np.ndarray) -> Holes:
        """The same of these columns alone."""
        return Holes(self.likelihood.at(columns))

    def __repr__(self) -> str:
        return f"Holes({self.likelihood!r})"


def seen_and_filled(x):
    """Where x (B, D) is no hole, and x with a number in each hole."""
    seen = ~np.isnan(x)
    return seen, np.where(seen, x, x.dtype.type(FILLER))


def filled_by_column(x: np.ndarray, seen: np.ndarray, otherwise: float) -> np.ndarray:
    """x (N, D) with its column's first number that is seen in each hole, if there is one."""
    first = x[seen.argmax(axis=0), np.arange(x.shape[1])]
    return np.where(seen, x, np.where(seen.any(axis=0), first, x.dtype.type(otherwise)))


def _leaves(likelihood):
    """likelihood and all that it holds."""
    yield likelihood
    inner = getattr(likelihood, "likelihood", None)
    for part in [inner] if inner is not None else [p for _, p in getattr(likelihood, "parts", ())]:
        yield from _leaves(part)
