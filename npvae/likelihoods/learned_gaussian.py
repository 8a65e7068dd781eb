"""Gaussian: a pixel is a real number, and one width for all pixels is learned."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from .._checks import check_number, check_rng
from .base import Likelihood
from .gaussian import LOG_2PI, best_constant

MIN_VARIANCE = 1e-30  # its logarithm is finite, and float32 holds its inverse


@dataclass(frozen=True)
class LearnedGaussian(Likelihood):
    """x_d ~ N(mean_d, e^logvar), one width for all pixels, learned with the weights.

    sigma       where it starts
    optimal     logvar follows no gradient; each batch moves it towards that batch's
                optimal_logvar, by the batch's share of the data
    Raises TypeError or ValueError unless 1e-15 < sigma < 1e15 and optimal is a bool.
    Rybkin et al. 2021, the σ-VAE.
    """

    sigma: float = 1.0
    optimal: bool = False

    def __post_init__(self):
        check_number("sigma", self.sigma, low=1e-15, high=1e15)
        object.__setattr__(self, "sigma", float(self.sigma))  # JSON knows no np.float32
        if not isinstance(self.optimal, bool):
            raise TypeError(f"optimal is {self.optimal!r}; expected True or False")

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """logvar (1,) = 2 log sigma."""
        return {"logvar": np.full(1, 2 * math.log(self.sigma), dtype)}

    def log_prob(self, x: np.ndarray, mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
        """log p(x|z) = −½ [e^−logvar Σ_d (x_d − mean_d)² + D (logvar + log 2π)].   [likelihoods.18]

        x (B, D), mean (L, B, D), logvar (1,) -> log_px_z (L, B), in nats
        """
        error = x - mean
        squares = np.sum(error * error, axis=-1)
        return -(np.exp(-logvar) * squares + x.shape[-1] * (logvar + LOG_2PI)) / 2

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, logvar: np.ndarray
    ) -> np.ndarray:
        """dmean = dlog_px_z (x − mean)/σ²,  σ² = e^logvar.      [likelihoods.9]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), logvar (1,) -> (L, B, D)
        """
        return dlog_px_z[..., None] * ((x - mean) * np.exp(-logvar))

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray, logvar: np.ndarray
    ) -> dict[str, np.ndarray]:
        """dlogvar = Σ_lb dlog_px_z ½ (Σ_d (x_d − mean_d)²/σ² − D).        [likelihoods.19]

        dlog_px_z (L, B), x (B, D), mean (L, B, D), logvar (1,) -> {"logvar": (1,)}
        Summed in float64: at the best logvar, the terms cancel.
        """
        error = x - mean
        squares = np.sum(error * error, axis=-1, dtype=np.float64)
        excess = squares * np.exp(-logvar.astype(np.float64)) - x.shape[-1]
        return {"logvar": np.full_like(logvar, np.sum(dlog_px_z * excess) / 2)}

    def optimal_logvar(self, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """logvar = log of the mean of (x_d − mean_d)² over L, B and D.      [likelihoods.20]

        x (B, D), mean (L, B, D) -> (1,), never below log MIN_VARIANCE
        There dlogvar = 0 if all dlog_px_z are equal.
        """
        return _logvar(_mean_square(x, mean), mean.dtype)

    def follow(
        self, x: np.ndarray, output: np.ndarray, share: float, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """σ² ← (1 − share) σ² + share · the mean of (x_d − mean_d)², if optimal.  [likelihoods.36]

        x (B, D), mean the output (L, B, D), logvar (1,) -> {"logvar": (1,)}; {} if not optimal
        A running mean over about 1/share batches, so that one small batch that is by luck
        reconstructed well cannot set the width. Added up in float64.
        """
        if not self.optimal:
            return {}
        logvar = learned["logvar"]
        variance = (1 - share) * math.exp(float(logvar[0])) + share * _mean_square(x, output)
        return {"logvar": _logvar(variance, logvar.dtype)}

    def mean(self, mean: np.ndarray) -> np.ndarray:
        """E[x|z] = mean.        (…, D) -> (…, D)                 [likelihoods.10]"""
        return mean

    def mean_backward(self, dmean: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """dmean itself.        (…, D) -> (…, D)                  [observations.13]"""
        return dmean

    def draw(self, mean: np.ndarray, logvar: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ·noise, noise ~ N(0, I);  Var[x_d] = σ² = e^logvar.  [likelihoods.11]

        mean (…, D), logvar (1,) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        return mean + np.exp(logvar / 2) * rng.standard_normal(mean.shape, mean.dtype)

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here x_mean itself.      [likelihoods.7]"""
        return x_mean

    def floor(self, x: np.ndarray) -> float:
        """max_{mean, σ} (1/N) Σ_n log p(x_n|mean).               [likelihoods.34]

        x (N, D) -> nats, in float64, at the mean image and σ² the mean of Var[x_d] over d
        """
        variance = np.var(x, axis=0, dtype=np.float64)
        return best_constant(variance, max(variance.mean(), MIN_VARIANCE))


def _mean_square(x, mean):
    """The mean of (x_d − mean_d)² over L, B and D."""
    error = x - mean
    return float(np.mean(error * error, dtype=np.float64))


def _logvar(variance, dtype):
    return np.full(1, math.log(max(variance, MIN_VARIANCE)), dtype)
