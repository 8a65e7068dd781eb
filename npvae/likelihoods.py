"""log p(x|z): what the decoder emits, read as a distribution over x.

A likelihood is four functions of the decoder's output — log_prob and its backward, mean,
draw — and a few words on the output: its width, the support of x, a good initial bias.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.special import entr, logit

from . import kernels
from ._checks import check_number, check_rng

LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Bernoulli:
    """x_d ∈ {0, 1}, one at a time: p(x_d = 1) = sigmoid(logits_d).

    Targets strictly inside [0, 1] are accepted: the value is then a cross-entropy, the mean
    of log p over images binarised at random, and never above −entropy(x).
    """

    def log_prob(self, x: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_d [x_d a_d − softplus(a_d)], a the logits, in nats.   [likelihoods.1]

        x (B, D), logits (L, B, D) -> log_px_z (L, B)
        Finite, with a gradient that never vanishes on a wrong pixel, at any finite logit.
        """
        return kernels.bernoulli_log_prob(x, logits)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, logits: np.ndarray
    ) -> np.ndarray:
        """dlogits = dlog_px_z (x − sigmoid(logits)).            [likelihoods.2]

        dlog_px_z (L, B), x (B, D), logits (L, B, D) -> (L, B, D)
        """
        return kernels.bernoulli_log_prob_backward(dlog_px_z, x, logits)

    def mean(self, logits: np.ndarray) -> np.ndarray:
        """E[x|z] = sigmoid(logits).                             [likelihoods.3]

        logits (…, D) -> (…, D) in [0, 1]
        """
        return kernels.sigmoid(logits)

    def draw(self, logits: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x_d ~ Bernoulli(m_d),  Var[x_d] = m_d (1 − m_d),  m the mean.    [likelihoods.4]

        logits (…, D) -> (…, D) of zeros and ones
        Raises TypeError if rng is not a Generator.
        """
        return binarize(self.mean(logits), rng=rng)

    def entropy(self, x: np.ndarray) -> np.ndarray:
        """Σ_d [−x_d log x_d − (1 − x_d) log(1 − x_d)], in nats. [likelihoods.5]

        x (B, D) in [0, 1] -> (B,), zero where x is binary
        log_prob(x, logits) ≤ −entropy(x), with equality at logits = logit(x).  [likelihoods.6]
        """
        return np.sum(entr(x) + entr(1 - x), axis=-1)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits for D numbers of data: D logits."""
        return data_dim

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here logit(x_mean).      [likelihoods.7]

        x_mean (D,) -> (D,), x_mean clipped to [0.001, 0.999], where the logit is finite
        """
        return logit(np.clip(x_mean, 0.001, 0.999))

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1: 255 in uint8, which holds grey levels, else 1.

        Raises ValueError unless every entry then lies in [0, 1], and if the largest of uint8 x
        is 1: binary, or levels almost black?
        """
        if x.dtype == np.uint8:
            if x.max() == 1:
                raise ValueError(
                    f"{name} is uint8 and its largest entry is 1: zeros and ones, or 8-bit grey "
                    "levels almost black? Convert zeros and ones by .astype(np.float32), grey "
                    "levels by / 255"
                )
            return 255
        if not (x.min() >= 0 and x.max() <= 1):  # so said, NaN is refused too
            raise ValueError(
                f"{name} spans [{x.min():g}, {x.max():g}]; a Bernoulli likelihood expects values "
                "in [0, 1] (divide 8-bit pixels by 255)"
            )
        return 1


@dataclass(frozen=True)
class Gaussian:
    """x_d ~ N(mean_d, σ²) with one stated σ, normalised.

    Raises TypeError or ValueError unless 1e-15 < sigma < 1e15, for
    float32 holds its square and the inverse of that.
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

    def draw(self, mean: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x = mean + σ·noise, noise ~ N(0, I);  Var[x_d] = σ².   [likelihoods.11]

        mean (…, D) -> (…, D)
        Raises TypeError if rng is not a Generator.
        """
        check_rng(rng)
        return mean + self.sigma * rng.standard_normal(mean.shape, mean.dtype)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits for D numbers of data: D means."""
        return data_dim

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here x_mean itself.      [likelihoods.7]"""
        return x_mean

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1, which stands for itself: any finite x has a density, as it stands."""
        return 1


@dataclass(frozen=True)
class HeteroscedasticGaussian:
    """x_d ~ N(mean_d, σ_d²), mean and width both emitted by the decoder.

    The decoder's output (L, B, 2D) is `mean` and `s`, side by side, and σ² = min_sigma² + e^s.
    The floor is smooth, so no gradient is cut, and necessary: without one, a pixel that never
    changes lets σ → 0 and log p(x|z) → ∞.
    Raises TypeError or ValueError unless 1e-15 < min_sigma < 1e15.
    """

    min_sigma: float = 0.01

    def __post_init__(self):
        check_number("min_sigma", self.min_sigma, low=1e-15, high=1e15)
        object.__setattr__(self, "min_sigma", float(self.min_sigma))  # JSON knows no np.float32

    def mean_logvar(self, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mean,  log σ² = log(min_sigma² + e^s).                [likelihoods.12]

        output (…, 2D) -> mean, logvar (…, D)
        """
        mean, s = np.split(output, 2, axis=-1)
        return mean, np.logaddexp(s, s.dtype.type(2 * math.log(self.min_sigma)))

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
        """dmean = dlog_px_z error/σ²,  ds = dlog_px_z ½ (error²/σ² − 1) e^s/σ².    [likelihoods.14]

        dlog_px_z (L, B), x (B, D), output (L, B, 2D) -> (L, B, 2D)
        """
        mean, logvar = self.mean_logvar(output)
        s = output[..., mean.shape[-1] :]
        dlog_px_z = dlog_px_z[..., None]
        error = x - mean
        precision = np.exp(-logvar)
        dmean = dlog_px_z * error * precision
        dlogvar = dlog_px_z * (error * error * precision - 1) / 2
        return np.concatenate([dmean, dlogvar * np.exp(s - logvar)], axis=-1)

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x|z] = mean.        (…, 2D) -> (…, D)                [likelihoods.10]"""
        return self.mean_logvar(output)[0]

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
        """The b with mean(b) = x_mean, and s = 0.               [likelihoods.7]

        x_mean (D,) -> (2D,); s = 0 is σ just above 1, wide enough for data of unit range
        """
        return np.concatenate([x_mean, np.zeros_like(x_mean)])

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1, which stands for itself: any finite x has a density, as it stands."""
        return 1


LIKELIHOODS = {cls.__name__: cls for cls in (Bernoulli, Gaussian, HeteroscedasticGaussian)}


def binarize(x: ArrayLike, *, rng: np.random.Generator) -> np.ndarray:
    """Each entry becomes 1 with probability x, else 0: E[binary] = x.    [likelihoods.16]

    x (…) in [0, 1], or uint8 grey levels in [0, 255], read as x / 255
    -> binary (…), of x's dtype if that is float32 or float64, else float32
    log p is linear in x, so E[log_prob(binary, logits)] = log_prob(x, logits). [likelihoods.17]
    Raises TypeError if rng is not a Generator, ValueError if x leaves [0, 1], is empty, or is
    uint8 with 1 its largest entry.
    """
    check_rng(rng)
    x = np.asarray(x)
    if x.dtype not in (np.uint8, np.float32, np.float64):
        x = x.astype(np.float32)
    if x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected at least one entry")
    unit = Bernoulli().check_support("x", x)
    dtype = np.float32 if x.dtype == np.uint8 else x.dtype
    one_row = x.reshape(1, -1), np.zeros(1, np.int64)
    return binarize_rows(*one_row, unit, dtype, rng=rng).reshape(x.shape)


def binarize_rows(
    x: np.ndarray, rows: np.ndarray, unit: int, dtype: DTypeLike, *, rng: np.random.Generator
) -> np.ndarray:
    """Each entry of x[rows] becomes 1 with probability x / unit, else 0.    [likelihoods.16]

    x (N, D), rows (B,) -> binary (B, D) of dtype
    """
    key = rng.integers(2**64, dtype=np.uint64)
    return kernels.gather_binary(x, rows, unit, dtype, key)
