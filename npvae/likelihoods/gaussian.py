"""Gaussians: a pixel is a real number, whose width is stated, or emitted by the decoder."""

import math
from dataclasses import dataclass

import numpy as np

from .._checks import check_number, check_rng
from .base import Likelihood

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """x_d ~ N(mean_d, σ²) with one stated σ, normalised.

    Raises TypeError or ValueError unless 1e-15 < sigma < 1e15, where
    float32 holds σ² and 1/σ².
    """

    sigma: float

    def __post_init__(self):
        check_number("sigma", self.sigma, low=1e-15, high=1e15)
        object.__setattr__(self, "sigma", float(self.sigma))  # NumPy's float64 widens float32

    def log_prob(self, x: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """log p(x|z) = −½ Σ_d [(x_d − mean_d)²/σ² + log 2πσ²], in nats.    [likelihoods.8]

        x (B, D), mean (L, B, D) -> log_px_z (L, B)
        """
        log_normalizer = LOG_2PI + 2 * math.log(self.sigma)
        error = (x - mean) / self.sigma
        return -(np.sum(error * error, axis=-1) + x.shape[-1] * log_normalizer) / 2

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, mean: np.ndarray
    ) -> np.ndarray:
        """dmean = dlog_px_z (x − mean)/σ².                      [likelihoods.9]

        dlog_px_z (L, B), x (B, D), mean (L, B, D) -> (L, B, D)
        """
        return dlog_px_z[..., None] * ((x - mean) / self.sigma**2)

    def mean(self, mean: np.ndarray) -> np.ndarray:
        """E[x|z] = mean.        (…, D) -> (…, D)                 [likelihoods.10]"""
        return mean

    def mean_backward(self, dmean: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """dmean itself.        (…, D) -> (…, D)                  [observations.13]"""
        return dmean

    def draw(self, mean: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ·noise, noise ~ N(0, I);  Var[x_d] = σ².   [likelihoods.11]

        mean (…, D) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        return mean + self.sigma * rng.standard_normal(mean.shape, mean.dtype)

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here x_mean itself.      [likelihoods.7]"""
        return x_mean

    def floor(self, x: np.ndarray) -> float:
        """max_mean (1/N) Σ_n log p(x_n|mean), reached at the mean image.   [likelihoods.34]

        x (N, D) -> nats, in float64
        """
        return best_constant(np.var(x, axis=0, dtype=np.float64), self.sigma**2)


@dataclass(frozen=True)
class HeteroscedasticGaussian(Likelihood):
    """x_d ~ N(mean_d, σ_d²), mean and width both emitted by the decoder.

    The decoder's output (L, B, 2D) is `mean` and `a`, side by side, and σ² = min_sigma² + e^a.
    The floor min_sigma is smooth, so no gradient is cut off. It is necessary because without
    it a pixel that never changes lets σ → 0 and log p(x|z) → ∞.
    Raises TypeError or ValueError unless 1e-15 < min_sigma < 1e15.
    """

    min_sigma: float = 0.01

    def __post_init__(self):
        check_number("min_sigma", self.min_sigma, low=1e-15, high=1e15)
        object.__setattr__(self, "min_sigma", float(self.min_sigma))  # JSON knows no np.float32

    def mean_logvar(self, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mean,  log σ² = log(min_sigma² + e^a).                [likelihoods.12]

        output (…, 2D) -> mean, logvar (…, D)
        """
        mean, a = np.split(output, 2, axis=-1)
        return mean, np.logaddexp(a, a.dtype.type(2 * math.log(self.min_sigma)))

    def log_prob(self, x: np.ndarray, output: np.ndarray) -> np.ndarray:
        """log p(x|z) = −½ Σ_d [(x_d − mean_d)²/σ_d² + log 2πσ_d²], in nats.    [likelihoods.13]

        x (B, D), output (L, B, 2D) -> log_px_z (L, B)
        """
        mean, logvar = self.mean_logvar(output)
        error = x - mean
        return -np.sum(error * error * np.exp(-logvar) + logvar + LOG_2PI, axis=-1) / 2

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray
    ) -> np.ndarray:
        """dmean = dlog_px_z error/σ²,  da = dlog_px_z ½ (error²/σ² − 1) e^a/σ².    [likelihoods.14]

        dlog_px_z (L, B), x (B, D), output (L, B, 2D) -> (L, B, 2D)
        """
        mean, logvar = self.mean_logvar(output)
        a = output[..., mean.shape[-1] :]
        dlog_px_z = dlog_px_z[..., None]
        error = x - mean
        precision = np.exp(-logvar)
        dmean = dlog_px_z * error * precision
        dlogvar = dlog_px_z * (error * error * precision - 1) / 2
        return np.concatenate([dmean, dlogvar * np.exp(a - logvar)], axis=-1)

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x|z] = mean.        (…, 2D) -> (…, D)                [likelihoods.10]"""
        return self.mean_logvar(output)[0]

    def mean_backward(self, dmean: np.ndarray, output: np.ndarray) -> np.ndarray:
        """dmean, and da = 0.        (…, D), (…, 2D) -> (…, 2D)   [observations.13]"""
        return np.concatenate([dmean, np.zeros_like(dmean)], axis=-1)

    def draw(self, output: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ·noise, noise ~ N(0, I);  Var[x_d] = σ_d². [likelihoods.15]

        output (…, 2D) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        mean, logvar = self.mean_logvar(output)
        return mean + np.exp(logvar / 2) * rng.standard_normal(mean.shape, mean.dtype)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits for D numbers of data: D means and D widths."""
        return 2 * data_dim

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, and a = 0.               [likelihoods.7]

        x_mean (D,) -> (2D,); a = 0 is σ just above 1, wide enough for data of unit range
        """
        return np.concatenate([x_mean, np.zeros_like(x_mean)])

    def columns(self, pixels: np.ndarray, data_dim: int) -> np.ndarray:
        """d and D + d: a pixel's mean and a.        pixels (S,) -> (S, 2)"""
        return pixels[:, None] + np.array([0, data_dim])

    def floor(self, x: np.ndarray) -> float:
        """sup_output (1/N) Σ_n log p(x_n|output), x̄ the mean.   [likelihoods.34]

        x (N, D) -> nats, in float64; σ_d² is Var[x_d], or min_sigma² where that is larger
        """
        variance = np.var(x, axis=0, dtype=np.float64)
        return best_constant(variance, np.maximum(variance, self.min_sigma**2))


def best_constant(variance: np.ndarray, sigma2: np.ndarray | float) -> float:
    """−½ Σ_d [Var[x_d]/σ_d² + log 2πσ_d²]: the mean log p at the mean image.    [likelihoods.34]

    variance (D,), of the data; sigma2 (D,) or one for all -> nats
    """
    return -float(np.sum(variance / sigma2 + np.log(sigma2) + LOG_2PI)) / 2
