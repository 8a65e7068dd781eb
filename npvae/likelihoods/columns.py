"""Real numbers of a table: each column has a width of its own, learned with the weights."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike
from scipy.special import gammaln

from .._checks import check_number, check_rng
from .base import Likelihood, summed_to
from .gaussian import LOG_2PI, best_constant

FLOOR_STEPS = 1000  # of the search for a Student-t's best constant, at most


class ColumnWidths(Likelihood):
    """What both have in common: σ_d² = min_sigma² + e^a_d, with a (D,) learned.

    sigma       where every σ_d starts
    min_sigma   keeps a column that is reconstructed exactly from being worth ∞
    """

    sigma: float
    min_sigma: float

    def __post_init__(self):
        check_number("min_sigma", self.min_sigma, low=1e-15, high=1e15)
        check_number("sigma", self.sigma, low=self.min_sigma, high=1e15)
        for name, value in vars(self).items():
            object.__setattr__(self, name, float(value))  # JSON knows no np.float32

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """a (D,), where σ_d = sigma."""
        return {"a": np.full(data_dim, math.log(self.sigma**2 - self.min_sigma**2), dtype)}

    def logvar(self, a: np.ndarray) -> np.ndarray:
        """log σ_d² = log(min_sigma² + e^a_d).        a (D,) -> (D,)        [tables.1]"""
        return np.logaddexp(a, a.dtype.type(2 * math.log(self.min_sigma)))

    def mean(self, mean: np.ndarray) -> np.ndarray:
        """E[x|z] = mean.        (…, D) -> (…, D)                 [likelihoods.10]"""
        return mean

    def mean_backward(self, dmean: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """dmean itself.        (…, D) -> (…, D)                  [observations.13]"""
        return dmean

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here x_mean itself.      [likelihoods.7]"""
        return x_mean


@dataclass(frozen=True, repr=False)
class ColumnGaussian(ColumnWidths):
    """x_d ~ N(mean_d, σ_d²), a width for each column, learned with the weights.

    Raises TypeError or ValueError unless 1e-15 < min_sigma < sigma < 1e15.
    """

    sigma: float = 1.0
    min_sigma: float = 0.01

    def log_prob(self, x: np.ndarray, mean: np.ndarray, a: np.ndarray) -> np.ndarray:
        """log p(x|z) = −½ Σ_d [(x_d − mean_d)²/σ_d² + log 2πσ_d²], in nats.    [tables.2]

        x (B, D), mean (L, B, D), a (D,) -> log_px_z (L, B)
        """
        logvar, error = self.logvar(a), x - mean
        return -np.sum(error * error * np.exp(-logvar) + logvar + LOG_2PI, axis=-1) / 2

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, a: np.ndarray
    ) -> np.ndarray:
        """dmean = dlog_px_z (x − mean)/σ².                      [likelihoods.9]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), a (D,) -> (L, B, D)
        """
        return dlog_px_z[..., None] * ((x - mean) * np.exp(-self.logvar(a)))

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, a: np.ndarray
    ) -> dict[str, np.ndarray]:
        """da_d = Σ_lb dlog_px_z ½ ((x_d − mean_d)²/σ_d² − 1) e^a_d/σ_d².      [tables.3]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), a (D,) -> {"a": (D,)}
        """
        logvar, error = self.logvar(a), x - mean
        excess = (error * error * np.exp(-logvar) - 1) / 2
        return {"a": summed_to(dlog_px_z[..., None] * excess * np.exp(a - logvar), a)}

    def draw(self, mean: np.ndarray, a: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ·noise, noise ~ N(0, I);  Var[x_d] = σ_d². [likelihoods.15]

        mean (…, D), a (D,) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        return mean + np.exp(self.logvar(a) / 2) * rng.standard_normal(mean.shape, mean.dtype)

    def floor(self, x: np.ndarray) -> float:
        """max_{mean, σ} (1/N) Σ_n log p(x_n|mean).               [likelihoods.34]

        x (N, D) -> nats, in float64; σ_d² is Var[x_d], or min_sigma² where that is larger
        """
        variance = np.var(x, axis=0, dtype=np.float64)
        return best_constant(variance, np.maximum(variance, self.min_sigma**2))


@dataclass(frozen=True, repr=False)
class StudentT(ColumnWidths):
    """x_d = mean_d + σ_d t, t from Student's distribution: numbers of which a few lie far out.

    dof     degrees of freedom ν > 2, one for all: the smaller, the heavier the tails
    Raises TypeError or ValueError unless 2 < dof < 1e6 and 1e-15 < min_sigma < sigma < 1e15.
    Lange, Little & Taylor 1989, who recommend ν = 4 where little is known.
    """

    dof: float = 4.0
    sigma: float = 1.0
    min_sigma: float = 0.01

    def __post_init__(self):
        check_number("dof", self.dof, low=2, high=1e6)
        super().__post_init__()

    @property
    def _log_normalizer(self):
        """log Γ(ν/2) + ½ log πν − log Γ((ν+1)/2)."""
        nu = self.dof
        return float(gammaln(nu / 2) - gammaln((nu + 1) / 2) + math.log(math.pi * nu) / 2)

    def log_prob(self, x: np.ndarray, mean: np.ndarray, a: np.ndarray) -> np.ndarray:
        """log p(x|z) = −Σ_d [(ν+1)/2 log(1 + error_d²/(ν σ_d²)) + ½ log σ_d² + C].    [tables.4]

        C = log Γ(ν/2) + ½ log πν − log Γ((ν+1)/2), error = x − mean.
        x (B, D), mean (L, B, D), a (D,) -> log_px_z (L, B), in nats
        """
        logvar, error = self.logvar(a), x - mean
        far = np.log1p(error * error * (np.exp(-logvar) / self.dof))
        return -np.sum(((self.dof + 1) * far + logvar) / 2 + self._log_normalizer, axis=-1)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, a: np.ndarray
    ) -> np.ndarray:
        """dmean = dlog_px_z w error/σ²,  w = (ν+1)/(ν + error²/σ²).        [tables.5]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), a (D,) -> (L, B, D)
        """
        precision, error = np.exp(-self.logvar(a)), x - mean
        return dlog_px_z[..., None] * (self._weight(error, precision) * error * precision)

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, a: np.ndarray
    ) -> dict[str, np.ndarray]:
        """da_d = Σ_lb dlog_px_z ½ (w error_d²/σ_d² − 1) e^a_d/σ_d².            [tables.6]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), a (D,) -> {"a": (D,)}
        """
        logvar, error = self.logvar(a), x - mean
        precision = np.exp(-logvar)
        excess = (self._weight(error, precision) * error * error * precision - 1) / 2
        return {"a": summed_to(dlog_px_z[..., None] * excess * np.exp(a - logvar), a)}

    def _weight(self, error, precision):
        """w: how much of a Gaussian's pull an entry keeps, little if it lies far out."""
        return (self.dof + 1) / (self.dof + error * error * precision)

    def draw(self, mean: np.ndarray, a: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ noise/√(χ²/ν);  Var[x_d] = σ_d² ν/(ν − 2).          [tables.7]

        mean (…, D), a (D,) -> (…, D); noise ~ N(0, I), χ² of ν degrees of freedom
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        t = rng.standard_t(self.dof, mean.shape).astype(mean.dtype)
        return mean + np.exp(self.logvar(a) / 2) * t

    def floor(self, x: np.ndarray) -> float:
        """max_{mean, σ} (1/N) Σ_n log p(x_n|mean), by weighted means.      [tables.8]

        x (N, D) -> nats, in float64
        """
        x = x.astype(np.float64)
        least = self.min_sigma**2
        mean, variance = np.median(x, axis=0), np.maximum(np.var(x, axis=0), least)
        best = -np.inf
        for _ in range(FLOOR_STEPS):
            w = self._weight(x - mean, 1 / variance)
            mean = np.sum(w * x, axis=0) / np.sum(w, axis=0)
            variance = np.maximum(np.mean(w * np.square(x - mean), axis=0), least)
            before, best = best, self._mean_log_prob(x, mean, variance)
            if best - before <= 1e-9 * max(1, abs(best)):
                break
        return best

    def _mean_log_prob(self, x, mean, variance):
        far = np.log1p(np.square(x - mean) / (self.dof * variance))
        rows = np.sum((self.dof + 1) * far + np.log(variance), axis=1) / 2
        return -float(rows.mean() + x.shape[1] * self._log_normalizer)
