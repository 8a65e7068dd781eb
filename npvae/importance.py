"""log p(x) itself, by importance sampling: draws from q(z|x), weighted as if from the prior."""

import textwrap
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import kernels
from ._checks import check_positive_int, check_rng
from .elbo import decode
from .pareto import largest_weights, pareto_k, tail_size
from .ratio import log_ratio
from .reparameterization import reparameterize
from .vae import VAE

IMAGES = 20  # rows of x at once, each with at most
DRAWS = 200  # draws of z for each, or fewer if the decoder would emit more than
NUMBERS = 4_000_000  # that the decoder emits at once: they should stay in the cache
EFFECTIVE_SAMPLES = 10  # with fewer, no standard error is given
RELIABLE_K = 0.7  # above this k̂, no affordable number of draws is enough


class UnreliableWarning(UserWarning):
    """An estimate of log p(x) rests on a few of its draws."""


class LogLikelihood(NamedTuple):
    """log p(x) of each row, and how far to trust it."""

    log_px: np.ndarray  # (N,) nats
    standard_error: np.ndarray  # (N,) nats, of the draws of z; NaN below 10 effective samples
    effective_samples: np.ndarray  # (N,), of the draws: how many equal weights are worth as much
    pareto_k: np.ndarray  # (N,), of the largest weights; above 0.7 the estimate is unreliable

    def __str__(self) -> str:
        N = len(self.log_px)
        text = f"log p(x) {self.log_px.mean():.2f} nats a row"
        few = np.isnan(self.standard_error).sum()
        if few:
            text += f", likely too low: {few:,} of {N:,} rows have too few effective samples"
        elif N > 1:
            text += f", ± {self.log_px.std() / np.sqrt(N):.2f} over {N:,} rows"
        if not few:
            drawn = np.sqrt(np.square(self.standard_error).sum()) / N
            text += f", ± {drawn:.2g} by the draws"
        least, most = self.effective_samples.min(), self.effective_samples.max()
        text += f"; effective samples {least:.0f} to {most:.0f}"
        return textwrap.fill(text, 80, subsequent_indent="  ")


class Sums(NamedTuple):
    """Σ w and Σ w² of the weights so far, in units of the largest: all a stream of log w needs.

    All (B,); w is exp(log_w − largest).
    """

    largest: np.ndarray
    w: np.ndarray
    w2: np.ndarray


def log_likelihood(
    vae: VAE,
    x: ArrayLike,
    *,
    samples: int = 5000,
    rng: np.random.Generator,
    progress: bool = False,
) -> LogLikelihood:
    """log p(x) ≈ log (1/K) Σ_k p(x|z_k) p(z_k)/q(z_k|x),  z_k ~ q(z|x), in nats.   [importance.1]

    x (N, D), samples K -> LogLikelihood, computed in float64 from weights of the model's dtype
    Too low on average, by about half the squared standard error, if q(z|x) covers the posterior;
    chapter 15 shows a q that does not, and its wrong estimate. Memory does not grow with K.
    progress        draw a progress bar on standard error
    With a Bernoulli likelihood, grey x have no log p(x); `binarize` x first.
    Raises TypeError or ValueError if x is not a finite (N, D) array in the likelihood's support,
    samples not an integer >= 1, rng not a Generator, progress not a bool; FloatingPointError,
    naming the row, if the logarithm of a weight is not finite.
    Warns UnreliableWarning if a few draws carry the estimate of some row.
    Burda, Grosse & Salakhutdinov 2015, section 5, with K = 5000.
    """
    from tqdm import tqdm  # here, so that import npvae need not read it

    x, unit = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("samples", samples)
    check_rng(rng)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    at_once = min(DRAWS, 1 + NUMBERS // (IMAGES * vae.likelihood.output_width(vae.data_dim)))
    rows, T = [], tail_size(samples)
    work = "log_likelihood", vae.params.rows[0].size, at_once
    with tqdm(total=len(x), unit=" rows", disable=not progress) as bar, kernels.pace(*work) as lap:
        for i, batch in enumerate(vae.batches(x, unit, IMAGES)):
            start = i * IMAGES
            q = vae.encode(batch)
            sums, tail = no_weights(len(batch)), np.full((T + 1, len(batch)), -np.inf)
            for first in range(0, samples, at_once):
                draws = min(at_once, samples - first)
                log_w = _finite_log_weights(vae, batch, q, draws, start, rng)
                sums, tail = add_weights(sums, log_w), largest_weights(tail, log_w)
                lap()
            rows.append((*estimate(sums, samples), np.array([pareto_k(row) for row in tail.T])))
            bar.update(len(batch))
    result = LogLikelihood(*map(np.concatenate, zip(*rows, strict=True)))
    if samples >= EFFECTIVE_SAMPLES:  # with fewer it is known
        _warn_of_unreliable(result, T)
    return result


def _warn_of_unreliable(result, T):
    few = np.isnan(result.standard_error)
    noise = 2 * (1 + RELIABLE_K) / np.sqrt(T)  # two standard deviations of k̂, at that k
    heavy = result.pareto_k > RELIABLE_K + noise
    if not (few | heavy).any():
        return
    warnings.warn(
        f"log p(x) of {(few | heavy).sum():,} of {len(few):,} rows rests on a few draws, and is "
        f"likely too low: {few.sum():,} have fewer than {EFFECTIVE_SAMPLES} effective samples, "
        f"{heavy.sum():,} a k̂ well above {RELIABLE_K}. {_draws_needed(result.pareto_k)}A q(z|x) "
        "wider than the posterior would help: npvae.ImportanceWeighted may train one, so compare k̂",
        UnreliableWarning,
        stacklevel=3,
    )


def _draws_needed(pareto_k):
    """Advice: 10^(1/(1 − k̂)) draws for the worst row; Vehtari et al. 2024, section 3."""
    worst = np.nanmax(pareto_k, initial=0)
    if worst < RELIABLE_K:
        return "Take more samples. "
    if worst >= 0.9:
        return f"Take more samples, though with k̂ = {worst:.2f} no number in reach is enough. "
    return f"Take more samples, at least {10 ** (1 / (1 - worst)):,.0f} for k̂ = {worst:.2f}. "


def _finite_log_weights(vae, x, q, draws, start, rng):
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a row
        log_w = draw_log_weights(vae, x, *q, draws, rng=rng)
    if not np.isfinite(log_w).all():
        row = start + np.argwhere(~np.isfinite(log_w))[0, 1]
        raise FloatingPointError(
            f"log w of row {row} is not finite: a parameter is not, or a number has left the "
            f"range of {vae.dtype}"
        )
    return log_w.astype(np.float64)


def draw_log_weights(vae, x, mu, logvar, draws, *, rng):
    """log w of fresh draws from q(z|x).                         [objectives.10]

    x (B, D), mu, logvar (B, Z) -> log_w (draws, B)
    """
    noise = rng.standard_normal((draws, *mu.shape), vae.dtype)
    return weigh(vae, x, mu, logvar, noise)[1]


def weigh(vae, x, mu, logvar, noise):
    """What the decoder emits at draws from q(z|x), and their log w.       [objectives.10]

    x (B, D), mu, logvar (B, Z), noise (K, B, Z) -> output (K, B, W), log_w (K, B)
    """
    z = reparameterize(mu, logvar, noise)
    _, output, log_px_z = decode(vae, x, z)
    return output, log_px_z - log_ratio(z, logvar, noise)


def no_weights(B):
    """The Sums of no draws, with which (importance.2) starts.    [importance.2]"""
    return Sums(np.full(B, -np.inf), np.zeros(B), np.zeros(B))


def add_weights(sums, log_w):
    """Σ ← Σ e^(largest − new) + Σ_k e^(log_w_k − new), new the largest so far.  [importance.2]

    sums of the draws before, log_w (K, B) -> Sums
    """
    log_w = log_w.astype(np.float64)
    new = np.maximum(sums.largest, log_w.max(axis=0))
    shrink, w = np.exp(sums.largest - new), np.exp(log_w - new)
    return Sums(
        largest=new,
        w=shrink * sums.w + w.sum(axis=0),
        w2=shrink**2 * sums.w2 + np.square(w).sum(axis=0),
    )


def estimate(sums, samples):
    """log_px = largest + log(Σw/K),  effective_samples = (Σw)²/Σw²,        [importance.3]

    standard_error² = (K/effective_samples − 1)/(K − 1).         [importance.4]
    The last is the variance of the mean weight over its square; NaN below 10 effective samples,
    where it is not the error of the logarithm. The second is from Kish 1965.
    """
    effective = np.square(sums.w) / sums.w2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(samples / effective - 1, 0) / np.float64(samples - 1)
    error = np.where(effective < EFFECTIVE_SAMPLES, np.nan, np.sqrt(variance))
    return sums.largest + np.log(sums.w / samples), error, effective
