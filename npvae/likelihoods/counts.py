"""Counts: a column holds 0, 1, 2, …, without an upper end."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike
from scipy.optimize import minimize_scalar
from scipy.special import betaln, digamma, expit, gammaln, xlogy

from .._checks import check_number, check_rng, pieces
from .base import Likelihood, summed_to

MOST = 2.0**24  # float32 holds every whole number up to here
LARGEST_RATE = 1e18  # of a draw: NumPy's draws are int64
DISPERSIONS = -20.0, 20.0  # log r, between which the floor is looked for


class Counts(Likelihood):
    """What both have in common: the decoder emits a, the logarithm of the mean.

    The encoder reads log(1 + x), because a count of 1000 is no thousand times as far as one of 1.
    """

    support: ClassVar = np.arange(4001.0)  # more is not likely at a mean of e^5
    reads_x: ClassVar = False

    def mean(self, a: np.ndarray) -> np.ndarray:
        """E[x|z] = e^a.        (…, D) -> (…, D)                  [tables.9]"""
        return np.exp(a)

    def mean_backward(self, dmean: np.ndarray, a: np.ndarray) -> np.ndarray:
        """da = dmean e^a.        (…, D) -> (…, D)                [observations.13]"""
        return dmean * np.exp(a)

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """log(1 + x).        (B, D) -> (B, D)                    [tables.22]"""
        return np.log1p(x)

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here log x_mean.         [likelihoods.7]

        x_mean (D,) -> (D,), x_mean not below 0.001
        """
        return np.log(np.maximum(x_mean, x_mean.dtype.type(0.001)))

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1. Raises ValueError unless every entry is a whole number in 0 … 2^24."""
        for start, rows in pieces(x):
            strange = (rows < 0) | (rows > MOST) | (rows != np.rint(rows))
            if strange.any():
                row, column = np.argwhere(strange)[0]
                raise ValueError(
                    f"{name}[{start + row}, {column}] is {rows[row, column]}; the likelihood "
                    f"expects counts: whole numbers in 0 … {MOST:.0f}"
                )
        return 1

    def check_mean(self, name: str, x_mean: np.ndarray) -> None:
        """Raise ValueError if a mean is below 0."""
        if x_mean.min() < 0:
            raise ValueError(f"{name} holds {x_mean.min():.6g}; a mean of counts is >= 0")


@dataclass(frozen=True, repr=False)
class Poisson(Counts):
    """x_d ∈ {0, 1, 2, …} with mean and variance e^a_d."""

    def log_prob(self, x: np.ndarray, a: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_d [x_d a_d − e^a_d − log x_d!], in nats.          [tables.10]

        x (B, D), a (L, B, D) -> log_px_z (L, B); in float64 inside: of large counts, large
        numbers cancel
        """
        x, a64 = x.astype(np.float64), a.astype(np.float64)
        return np.sum(x * a64 - np.exp(a64) - gammaln(x + 1), axis=-1).astype(a.dtype)

    def log_prob_backward(self, dlog_px_z: np.ndarray, x: np.ndarray, a: np.ndarray) -> np.ndarray:
        """da = dlog_px_z (x − e^a).                             [tables.11]

        dlog_px_z (L, B), x (B, D), a (L, B, D) -> (L, B, D)
        """
        return dlog_px_z[..., None] * (x - np.exp(a))

    def draw(self, a: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x ~ Poisson(e^a);  Var[x_d] = E[x_d] = e^a_d.         [tables.9]

        a (…, D) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        return _poisson(np.exp(a.astype(np.float64)), rng).astype(a.dtype)

    def floor(self, x: np.ndarray) -> float:
        """max_a (1/N) Σ_n log p(x_n|a), at e^a = x̄, the mean row.         [tables.12]

        x (N, D) -> nats, in float64
        """
        mean = x.mean(axis=0, dtype=np.float64)
        surprise = gammaln(x.astype(np.float64) + 1).mean(axis=0)
        return float(np.sum(xlogy(mean, mean) - mean - surprise))


@dataclass(frozen=True, repr=False)
class NegativeBinomial(Counts):
    """x_d ∈ {0, 1, 2, …} with mean m = e^a_d and variance m + m²/r_d: counts that come in clumps.

    r_d = e^log_r_d is learned with the weights, one for each column; as r → ∞ it is a Poisson.
    r       where every r_d starts
    Raises TypeError or ValueError unless 1e-6 < r < 1e6.
    """

    r: float = 1.0

    def __post_init__(self):
        check_number("r", self.r, low=1e-6, high=1e6)
        object.__setattr__(self, "r", float(self.r))  # JSON knows no np.float32

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """log_r (D,)."""
        return {"log_r": np.full(data_dim, np.log(self.r), dtype)}

    def log_prob(self, x: np.ndarray, a: np.ndarray, log_r: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_d [log Γ(x+r)/(Γ(r) x!) + x log m/(r+m) + r log r/(r+m)].    [tables.13]

        x (B, D), a (L, B, D), log_r (D,) -> log_px_z (L, B), in nats; m = e^a, r = e^log_r
        The two shares are computed from a − log r alone, which cannot overflow; and the first term
        is −log x B(x, r), B the beta function, because log Γs of a large r would cancel.
        """
        x, log_r = x.astype(np.float64), log_r.astype(np.float64)
        r, odds = np.exp(log_r), a - log_r
        some = np.maximum(x, 1)  # at x = 0 the term is 0
        clumps = np.where(x > 0, -np.log(some) - betaln(some, r), 0)
        of_m, of_r = np.logaddexp(0, -odds), np.logaddexp(0, odds)
        return np.sum(clumps - x * of_m - r * of_r, axis=-1).astype(a.dtype)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, a: np.ndarray, log_r: np.ndarray
    ) -> np.ndarray:
        """da = dlog_px_z r (x − m)/(r + m).                     [tables.14]

        dlog_px_z (L, B), x (B, D), a (L, B, D), log_r (D,) -> (L, B, D)
        """
        of_r, of_m = expit(log_r - a), expit(a - log_r)  # their shares of r + m
        return dlog_px_z[..., None] * (x * of_r - np.exp(log_r) * of_m)

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, a: np.ndarray, log_r: np.ndarray
    ) -> dict[str, np.ndarray]:
        """dlog_r_d = Σ_lb dlog_px_z r [ψ(x+r) − ψ(r) + log r/(r+m) + (m − x)/(r+m)]. [tables.15]

        dlog_px_z (L, B), x (B, D), a (L, B, D), log_r (D,) -> {"log_r": (D,)}; ψ = Γ'/Γ
        Each ψ is a logarithm and a small rest: of a large r, all that counts is in the rests.
        """
        x, wide = x.astype(np.float64), log_r.astype(np.float64)
        r, odds = np.exp(wide), a - wide
        rest = expit(odds) - x / r * expit(-odds)  # (m − x)/(r + m)
        steps = np.log1p(x / r) + _psi_less_log(x + r) - _psi_less_log(r)  # ψ(x + r) − ψ(r)
        slope = r * (steps - np.logaddexp(0, odds) + rest)
        return {"log_r": summed_to(dlog_px_z[..., None] * slope, log_r)}

    def draw(self, a: np.ndarray, log_r: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x ~ Poisson(rate), rate ~ Gamma(r, m/r);  Var[x_d] = m + m²/r.   [tables.9]

        a (…, D), log_r (D,) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        m, r = np.exp(a.astype(np.float64)), np.exp(log_r.astype(np.float64))
        return _poisson(rng.gamma(r, m / r), rng).astype(a.dtype)

    def floor(self, x: np.ndarray) -> float:
        """max_{m, r} (1/N) Σ_n log p(x_n|m, r): at m = x̄, and r by search. [tables.12]

        x (N, D) -> nats, in float64
        """
        return float(sum(self._floor_of_column(column[:, None]) for column in x.T))

    def _floor_of_column(self, x):
        """x (N, 1)"""
        mean = max(float(x.mean(dtype=np.float64)), 1e-300)
        a = np.full((1, *x.shape), np.log(mean))

        def _cost(log_r):
            return -np.mean(self.log_prob(x, a, np.array([log_r])))

        return -minimize_scalar(_cost, bounds=DISPERSIONS, method="bounded").fun


def _psi_less_log(r):
    """ψ(r) − log r, beyond 100 by its series in 1/r."""
    far = np.maximum(r, 100)
    series = (-1 / 2 - (1 / 12 - (1 / 120 - 1 / (252 * far**2)) / far**2) / far) / far
    near = np.minimum(r, 100)
    return np.where(r > 100, series, digamma(near) - np.log(near))


def _poisson(rate, rng):
    return rng.poisson(np.minimum(rate, LARGEST_RATE))
