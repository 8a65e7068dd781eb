"""Categorical: a pixel is one of 256 grey levels; and bits per dimension."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from .._checks import check_positive_int, check_rng, pieces, real_numbers
from ._support import check_grey_levels, check_unit_interval
from .base import Likelihood, invert_mean


@dataclass(frozen=True)
class Categorical(Likelihood):
    """x_d ∈ {0, 1, …, levels − 1} / (levels − 1), each with a probability of its own.

    The decoder's output (L, B, D·levels) is read as (L, B, D, levels): a logit a level.
    whole   x_d ∈ {0, 1, …, levels − 1}: numbers that only name a category, in no order. The
            encoder then reads a 1 at the category's place and 0 at the others'
    Raises TypeError or ValueError unless levels is an integer in 2 … 65536 and whole is a bool.
    """

    levels: int = 256
    whole: bool = False

    def __post_init__(self):
        if not isinstance(self.whole, bool):
            raise TypeError(f"whole is {self.whole!r}; expected True or False")
        check_positive_int("levels", self.levels)
        if not 2 <= self.levels <= 65536:
            raise ValueError(f"levels is {self.levels}; expected an integer in 2 … 65536")
        object.__setattr__(self, "levels", int(self.levels))  # JSON knows no np.int64

    @property
    def reads_x(self) -> bool:  # type: ignore[override]
        """Unless the numbers only name a category."""
        return not self.whole

    @property
    def support(self) -> np.ndarray:  # type: ignore[override]
        """Every x that is a level, (levels,)."""
        return self._values(np.float64)

    def log_prob(self, x: np.ndarray, output: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_d [a_dk − log Σ_j e^a_dj],  k = (levels − 1) x_d. [likelihoods.27]

        If whole, k is x_d itself, here and in all that follows.

        x (B, D), output (L, B, D·levels) -> log_px_z (L, B), in nats
        The largest logit's own e^0 = 1 is added by log1p, which keeps the digits of a level that
        is nearly certain.
        """
        logits = self._logits(output)
        k = self._level(x)[None, ..., None]
        top = logits.argmax(axis=-1, keepdims=True)
        highest = np.take_along_axis(logits, top, axis=-1)
        others = logits - highest
        np.put_along_axis(others, top, -np.inf, axis=-1)
        others = np.exp(others, out=others).sum(axis=-1)
        below = np.take_along_axis(logits, k, axis=-1) - highest
        return np.sum(below[..., 0] - np.log1p(others), axis=-1)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray
    ) -> np.ndarray:
        """dlogits_dj = dlog_px_z ([j = k] − p_dj).              [likelihoods.29]

        dlog_px_z (L, B), x (B, D), output (L, B, D·levels) -> (L, B, D·levels)
        """
        dlog_px_z = dlog_px_z[..., None, None]
        dlogits = softmax(self._logits(output))
        dlogits *= -dlog_px_z
        k = self._level(x)[None, ..., None]
        np.put_along_axis(dlogits, k, np.take_along_axis(dlogits, k, axis=-1) + dlog_px_z, axis=-1)
        return dlogits.reshape(output.shape)

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x_d|z] = Σ_k p_dk k/(levels − 1).                   [likelihoods.30]

        output (…, D·levels) -> (…, D) in [0, 1]
        """
        return softmax(self._logits(output)) @ self._values(output.dtype)

    def mean_backward(self, dmean: np.ndarray, output: np.ndarray) -> np.ndarray:
        """dlogits_dk = dmean_d p_dk (k/(levels − 1) − mean_d).  [observations.13]

        dmean (…, D), output (…, D·levels) -> (…, D·levels)
        """
        p, values = softmax(self._logits(output)), self._values(output.dtype)
        excess = values - (p @ values)[..., None]
        return (dmean[..., None] * p * excess).reshape(output.shape)

    def draw(self, output: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """k = the number of j with p_0 + … + p_j ≤ u, u ~ U[0, 1).      [likelihoods.31]

        output (…, D·levels) -> x = k/(levels − 1), (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        cumulative = np.cumsum(softmax(self._logits(output)), axis=-1, dtype=np.float64)
        u = rng.random((*cumulative.shape[:-1], 1)) * cumulative[..., -1:]
        k = np.count_nonzero(cumulative[..., :-1] <= u, axis=-1)
        return self._values(output.dtype)[k]

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits for D numbers of data: levels logits for each."""
        return data_dim * self.levels

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """x; if whole, [k = j] for every level j.        (B, D) -> (B, I)      [tables.22]"""
        if not self.whole:
            return x
        return np.equal(x[..., None], self.support).reshape(len(x), -1).astype(x.dtype)

    def input_width(self, data_dim: int) -> int:
        """I: D, or a number for each level."""
        return data_dim * self.levels if self.whole else data_dim

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean and b_dk = a_d k/(levels − 1).    [likelihoods.7]

        x_mean (D,) -> (D·levels,), x_mean/(levels − 1), if whole, clipped to [0.001, 0.999]
        Of all probabilities with that mean these have the largest entropy.
        """
        values = self._share(self._values(np.float64))
        a = invert_mean(
            lambda a: self._share(self.mean(np.ravel(a[:, None] * values))), self._share(x_mean)
        )
        return np.ravel(a[:, None] * values.astype(a.dtype))

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1: levels − 1 in uint8, which holds levels, else 1.

        Raises ValueError unless every entry is then a level, floats to a thousandth of a step or
        to rounding; and if the largest of uint8 x is above 0 and at most half of levels − 1,
        since that may be a white pixel or a dark one.
        """
        if x.dtype == np.uint8 and not self.whole:
            check_grey_levels(name, x, self.levels - 1, "take Categorical({high} + 1)")
            return self.levels - 1
        if self.whole:
            if not (x.min() >= 0 and x.max() < self.levels):
                raise ValueError(
                    f"{name} spans [{x.min():g}, {x.max():g}]; {self!r} expects whole numbers "
                    f"in 0 … {self.levels - 1}"
                )
            if x.dtype == np.uint8:
                return 1
        else:
            check_unit_interval(name, x, self.levels - 1)
        for _, rows in pieces(x):
            self._check_levels(name, rows)
        return 1

    def check_mean(self, name: str, x_mean: np.ndarray) -> None:
        """Raise ValueError unless x_mean lies between the levels; it need not be one."""
        check_unit_interval(name, self._share(x_mean), self.levels - 1)

    def floor(self, x: np.ndarray) -> float:
        """max_p (1/N) Σ_n log p(x_n) = −Σ_d entropy of column d's histogram.  [likelihoods.33]

        x (N, D) of levels in [0, 1] -> nats, in float64
        """
        histograms = (np.bincount(self._level(column)) / len(x) for column in x.T)
        return -float(sum(np.sum(entr(frequency)) for frequency in histograms))

    def _check_levels(self, name, x):
        k = x * self._steps
        off = np.abs(k - np.rint(k))
        if off.max() > max(1e-3, self.levels * np.finfo(x.dtype).eps):
            entry = x.flat[off.argmax()]
            raise ValueError(
                f"{name} holds {entry:.6g}; a Categorical likelihood with {self.levels} levels "
                f"expects k{'' if self.whole else f'/{self.levels - 1}'} with an integer k"
            )

    def _values(self, dtype):
        """x of each level, (levels,)."""
        return np.arange(self.levels, dtype=dtype) / self._steps

    def _share(self, x):
        """x as a part of the way from the first level to the last."""
        return x / (self.levels - 1) if self.whole else x

    @property
    def _steps(self):
        """Levels from x = 0 to x = 1."""
        return 1 if self.whole else self.levels - 1

    def _logits(self, output):
        """(…, D·levels) -> (…, D, levels)"""
        return output.reshape(*output.shape[:-1], -1, self.levels)

    def _level(self, x):
        """k of each x."""
        return np.rint(x * self._steps).astype(np.intp)


def softmax(logits: np.ndarray) -> np.ndarray:
    """p_k = e^a_k / Σ_j e^a_j, over the last axis.              [likelihoods.28]"""
    p = logits - logits.max(axis=-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=-1, keepdims=True)
    return p


def bits_per_dim(nats: ArrayLike, data_dim: int) -> np.ndarray:
    """−nats / (D log 2).        nats (…) -> (…)                  [likelihoods.32]

    Raises TypeError or ValueError unless nats are numbers and data_dim an integer >= 1.
    """
    check_positive_int("data_dim", data_dim)
    return -real_numbers("nats", nats)[0] / (data_dim * math.log(2))
