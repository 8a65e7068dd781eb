"""What findings are made of: numbers of data alone, and of a model on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ..evaluation import Evaluation, parts, summarize
from ..likelihoods import (
    Bernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
    binarize_rows,
)

SAMPLE_ROWS = 10_000
SOBOL_DIMENSIONS = 21_201  # SciPy has direction numbers for no more


class Yardsticks(NamedTuple):
    """What data alone say of any model with the same likelihood on them."""

    rows: int
    floor: float  # nats: the bound of the best model that ignores z, fitted to at most 10,000 rows
    optimism: float  # nats by which the floor flatters itself
    grey: float  # the part of a Bernoulli's targets strictly between 0 and 1
    entropy: float  # nats a row, of those: what no Bernoulli model can win
    has_width: bool  # whether the likelihood is a Gaussian
    constant: np.ndarray  # (D,) bool: the columns without variance
    deviation: np.ndarray  # (D,) standard deviations, where the likelihood has a width; else (0,)
    largest: float  # magnitude in x


class Vitals(NamedTuple):
    """What findings are made of, over the rows of a data set or an epoch."""

    yardsticks: Yardsticks
    evaluation: Evaluation
    variance: np.ndarray  # (Z,), the mean over rows of e^logvar
    largest: dict[str, float]  # the largest magnitude of quantities by name
    limit: float  # the largest number that the model's dtype holds
    beta: float  # of the training


def measure(vae, x, unit, *, binarized=False):
    """Yardsticks of targets x / unit; if binarized, of binary ones drawn from them."""
    likelihood = vae.likelihood
    rows = np.arange(0, len(x), 1 + len(x) // SAMPLE_ROWS)
    if binarized:  # with a generator of its own: measuring may not change what training draws
        sample = binarize_rows(x, rows, unit, vae.dtype, rng=np.random.default_rng(0))
    else:
        sample = np.divide(x[rows], unit, dtype=vae.dtype)
    grey = entropy = 0.0
    if isinstance(likelihood, Bernoulli) and not binarized:
        grey = sum(np.count_nonzero((part > 0) & (part < unit)) for (part,) in parts(x)) / x.size
        entropies = [likelihood.entropy(part) for (part,) in parts(sample)]
        entropy = float(np.concatenate(entropies).mean())
    has_width = isinstance(likelihood, Gaussian | LearnedGaussian | HeteroscedasticGaussian)
    with np.errstate(over="ignore", invalid="ignore"):  # of float64 x beyond 1e154
        floor, bias = likelihood.floor(sample), optimism(likelihood, sample)
        deviation = np.std(sample if has_width else sample[:, :0], axis=0, dtype=np.float64)
    return Yardsticks(
        rows=len(x),
        floor=floor,
        optimism=bias,
        grey=grey,
        entropy=entropy,
        has_width=has_width,
        constant=np.fmin.reduce(sample) == np.fmax.reduce(sample),
        deviation=deviation,
        largest=float(np.abs(likelihood.encoder_input(sample)).max()),
    )


def optimism(likelihood, x):
    """E[floor(x)] − E[log p(x′|fitted to x)] ≈ p/(N − 3), x′ fresh rows, in nats a row.

    x (N, D), p fitted numbers; inf up to N = 3.                 [diagnosis.2]
    Of a Gaussian whose width is given, p counts each mean Var[x_d]/σ² times, if that is above 1.
    """
    N, D = x.shape
    learned = likelihood.init_learned(x.dtype, D).values()
    p = likelihood.output_width(D) + sum(array.size for array in learned)
    if isinstance(likelihood, Gaussian):
        variance = np.var(x, axis=0, dtype=np.float64)
        p = np.sum(np.maximum(1, variance / likelihood.sigma**2))
    return float(p / (N - 3)) if N > 3 else np.inf


def sobol_noise(latent_dim):
    """draw(n) -> noise (n, Z) = Φ⁻¹(u), u the next n points of a Sobol sequence.    [diagnosis.1]

    Beyond 21,201 dimensions the noise is pseudo-random, always the same.
    """
    from scipy.stats import qmc  # here, for it would triple the time that import npvae takes

    sobol = qmc.Sobol(min(latent_dim, SOBOL_DIMENSIONS), scramble=False)
    sobol.fast_forward(1)  # its first point is 0, whose quantile is −∞
    rng = np.random.default_rng(0)

    def draw(n):
        even = ndtri(sobol.random(n))
        return np.hstack([even, rng.standard_normal((n, latent_dim - even.shape[1]))])

    return draw


def take_vitals(vae, yardsticks, log_px_z, mu, logvar, *, beta=1.0):
    """Vitals of rows (N, ·) as `per_row` gives them."""
    with np.errstate(over="ignore", invalid="ignore"):
        largest = {
            "mu²": float(np.square(max(mu.max(), -mu.min()))),
            "σ²": float(np.exp(logvar.max())),
            "log p(x|z)": float(np.abs(log_px_z).max()),
        }
        sums = [np.exp(part).sum(axis=0, dtype=np.float64) for (part,) in parts(logvar)]
    return Vitals(
        yardsticks=yardsticks,
        evaluation=summarize(log_px_z, mu, logvar),
        variance=np.sum(sums, axis=0) / len(mu),
        largest=largest,
        limit=float(np.finfo(vae.dtype).max),
        beta=beta,
    )
