"""Continuous Bernoulli: a grey pixel, with a density.

Every pixel leans to one end of [0, 1], with a > 0 to white and with a < 0 to black. Let y be its
distance from that end. Its density is r e^−ry / (1 − e^−r), r = |a|: an exponential distribution
of rate r, cut off at 1.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy.special import zeta

from .._checks import check_rng
from ._support import check_unit_interval
from .base import Likelihood, invert_mean

EVEN = np.arange(2, 21, 2)
# c_n = B_2n/(2n)! = −2 (−1)^n ζ(2n)/(2π)^2n, B_2n a Bernoulli number; ten serve up to r = 1
SERIES = -2 * (-1.0) ** (EVEN / 2) * zeta(EVEN) / (2 * np.pi) ** EVEN


def log_mass(rate: np.ndarray) -> np.ndarray:
    """ψ(r) = log ∫₀¹ e^−ry dy = log((1 − e^−r)/r) = −r/2 + Σ_n c_n r^2n/2n.     [likelihoods.22]

    rate r (…) >= 0 -> (…)
    The series below r = 1, where the fraction is near 1 and its logarithm small.
    """
    near, far = np.minimum(rate, 1), np.maximum(rate, 1)
    square = near * near
    series = square * polyval(square, (SERIES / EVEN).astype(rate.dtype)) - near / 2
    return np.where(rate < 1, series, np.log(-np.expm1(-far) / far))


def mean_distance(rate: np.ndarray) -> np.ndarray:
    """E[y] = −ψ'(r) = 1/r − 1/(e^r − 1) = ½ − Σ_n c_n r^(2n−1).            [likelihoods.23]

    rate r (…) >= 0 -> (…) in (0, ½]
    The series below r = 1, where the fractions nearly cancel.
    """
    near, far = np.minimum(rate, 1), np.maximum(rate, 1)
    series = 0.5 - near * polyval(near * near, SERIES.astype(rate.dtype))
    return np.where(rate < 1, series, 1 / far + np.exp(-far) / np.expm1(-far))


def distance_variance(rate: np.ndarray) -> np.ndarray:
    """Var[y] = ψ''(r) = 1/r² − e^r/(e^r − 1)² = Σ_n (2n − 1) c_n r^(2n−2).    [observations.14]

    rate r (…) >= 0 -> (…) in (0, 1/12]
    The series below r = 1, where the fractions nearly cancel.
    """
    near, far = np.minimum(rate, 1), np.maximum(rate, 1)
    series = polyval(near * near, ((EVEN - 1) * SERIES).astype(rate.dtype))
    return np.where(rate < 1, series, 1 / far**2 - np.exp(-far) / np.expm1(-far) ** 2)


@dataclass(frozen=True)
class ContinuousBernoulli(Likelihood):
    """x_d ∈ [0, 1] with the density λ^x (1 − λ)^(1−x) C(λ), λ_d = sigmoid(logits_d).

    Bernoulli's value of grey targets, with the normaliser C that it lacks.
    Loaiza-Ganem & Cunningham 2019.
    """

    support: ClassVar = (0.0, 1.0)

    def log_prob(self, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_d [a_d x_d − κ(a_d)] = −Σ_d [r_d y_d + ψ(r_d)].     [likelihoods.21]

        x (B, D), a the logits (L, B, D) -> log_px_z (L, B), in nats; κ(a) = log((e^a − 1)/a)
        """
        rate, y = np.abs(logits), np.where(logits < 0, x, 1 - x)
        return -np.sum(rate * y + log_mass(rate), axis=-1)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, logits: np.ndarray
    ) -> np.ndarray:
        """dlogits = dlog_px_z (x − mean(logits)).               [likelihoods.25]

        dlog_px_z (L, B), x (B, D), logits (L, B, D) -> (L, B, D)
        """
        return dlog_px_z[..., None] * (x - self.mean(logits))

    def mean(self, logits: np.ndarray) -> np.ndarray:
        """E[x|z] = E[y] where a < 0, and 1 − E[y] elsewhere.    [likelihoods.24]

        logits (…, D) -> (…, D) in [0, 1]
        """
        y = mean_distance(np.abs(logits))
        return np.where(logits < 0, y, 1 - y)

    def mean_backward(self, dmean: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """dlogits = dmean Var[x|z].        (…, D) -> (…, D)      [observations.13]"""
        return dmean * distance_variance(np.abs(logits))

    def draw(self, logits: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """y = −log(1 − u (1 − e^−r))/r,  u ~ U[0, 1).            [likelihoods.26]

        logits (…, D) -> x (…, D) in [0, 1]
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        rate = np.maximum(np.abs(logits), 1e-20)  # there y = u, to the last digit
        u = rng.random(logits.shape, logits.dtype)
        y = np.minimum(-np.log1p(u * np.expm1(-rate)) / rate, 1)
        return np.where(logits < 0, y, 1 - y)

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean.                          [likelihoods.7]

        x_mean (D,) -> (D,), x_mean clipped to [0.001, 0.999], where b is ±1000
        """
        return invert_mean(self.mean, x_mean)

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1, as for Bernoulli."""
        return check_unit_interval(name, x)

    def floor(self, x: np.ndarray) -> float:
        """max_a (1/N) Σ_n log p(x_n|a), at mean(a) = x̄, the mean image.    [likelihoods.35]

        x (N, D) in [0, 1] -> nats, in float64; x̄ is clipped to [0.001, 0.999], because the
        maximum is infinite at a pixel that is black, or white, in every row
        """
        x_mean = x.mean(axis=0, dtype=np.float64)
        return self.log_prob(x_mean[None], self.output_bias(x_mean)[None, None]).item()
