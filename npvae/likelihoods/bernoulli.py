"""Bernoulli: a pixel is 0 or 1; and grey pixels, binarised."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.special import entr, logit

from .. import kernels
from .._checks import check_rng, real_numbers
from ._support import check_unit_interval
from .base import Likelihood


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """x_d ∈ {0, 1}, one at a time: p(x_d = 1) = sigmoid(logits_d).

    Targets strictly inside [0, 1] are accepted: the value is then a cross-entropy, the mean
    of log p over images binarised at random, and never above −entropy(x).
    """

    support: ClassVar = np.array([0.0, 1.0])

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

    def terms(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x_d|z) = x_d a_d − softplus(a_d) of each pixel alone.        [tables.16]

        x (B, D), output a (L, B, D) -> (L, B, D), in nats
        """
        large = x * output - np.maximum(output, 0)  # as they cancel exactly, they come first
        return large - kernels.softplus(-np.abs(output))

    def terms_backward(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """da = dterms (x − sigmoid(a)).        (L, B, D), … -> (L, B, D)          [tables.17]"""
        return dterms * (x - kernels.sigmoid(output))

    def mean(self, logits: np.ndarray) -> np.ndarray:
        """E[x|z] = sigmoid(logits).                             [likelihoods.3]

        logits (…, D) -> (…, D) in [0, 1]
        """
        return kernels.sigmoid(logits)

    def mean_backward(self, dmean: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """dlogits = dmean Var[x|z] = dmean mean (1 − mean).     [observations.13]

        dmean, logits (…, D) -> (…, D)
        """
        return kernels.sigmoid_backward(dmean, self.mean(logits))

    def draw(self, logits: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """x_d ~ Bernoulli(mean_d),  Var[x_d] = mean_d (1 − mean_d).        [likelihoods.4]

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

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean, here logit(x_mean).      [likelihoods.7]

        x_mean (D,) -> (D,), x_mean clipped to [0.001, 0.999], where the logit is finite
        """
        return logit(np.clip(x_mean, 0.001, 0.999))

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1: 255 in uint8, which holds grey levels, else 1.

        Raises ValueError unless every entry then lies in [0, 1]; and if the largest of uint8 x is
        1 … 127, since that may be a white pixel or a dark one.
        """
        return check_unit_interval(name, x)

    def floor(self, x: np.ndarray) -> float:
        """max_a (1/N) Σ_n log p(x_n|a) = −entropy(x̄), x̄ the mean image.    [likelihoods.33]

        x (N, D) in [0, 1] -> nats, in float64
        """
        return -float(self.entropy(x.mean(axis=0, dtype=np.float64)))


def binarize(x: ArrayLike, *, rng: np.random.Generator) -> np.ndarray:
    """Each entry becomes 1 with probability x, else 0: E[binary] = x.    [likelihoods.16]

    x (…) in [0, 1], or uint8 grey levels in [0, 255], read as x / 255
    -> binary (…), of x's dtype if that is float32 or float64, else float32
    log p is linear in x, so E[log_prob(binary, logits)] = log_prob(x, logits). [likelihoods.17]
    Raises TypeError if rng is not a Generator or x holds no numbers, ValueError if x leaves
    [0, 1], is empty, or is uint8 with a largest entry of 1 … 127.
    """
    check_rng(rng)
    x = real_numbers("x", x)[0]
    if x.dtype not in (np.uint8, np.float32, np.float64):
        x = x.astype(np.float32)
    if x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected at least one entry")
    unit = Bernoulli().check_support("x", x)
    dtype = np.float32 if x.dtype == np.uint8 else x.dtype
    one_row = x.reshape(1, -1), np.zeros(1, np.int64)
    return binarize_rows(*one_row, unit, dtype, rng=rng).reshape(x.shape)


def binarize_rows(
    x: np.ndarray,
    rows: np.ndarray,
    unit: int,
    dtype: DTypeLike,
    *,
    rng: np.random.Generator,
    before: int = 0,
) -> np.ndarray:
    """Each entry of x[rows] becomes 1 with probability x / unit, else 0.    [likelihoods.16]

    x (N, D), rows (B,) -> binary (B, D) of dtype, as where so many rows were drawn before them
    """
    key = rng.integers(2**64, dtype=np.uint64)
    return kernels.gather_binary(x, rows, unit, dtype, key, before)
