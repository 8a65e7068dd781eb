"""log p(x) itself, by importance sampling: draws from q(z|x), weighted as if from the prior."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._checks import check_positive_int, check_rng
from .activations import ACTIVATIONS
from .dense import stack
from .ratio import log_ratio
from .reparameterization import reparameterize
from .vae import VAE

IMAGES = 20  # rows of x at once, with at most
DRAWS = 200  # draws of z for each, fewer where the decoder emits more than
NUMBERS = 4_000_000  # numbers for them: they should stay in the cache


class LogLikelihood(NamedTuple):
    """log p(x) of each row, and how far to trust it."""

    log_px: np.ndarray  # (N,) nats
    standard_error: np.ndarray  # (N,) nats, of the draws of z; NaN for one draw
    effective_samples: np.ndarray  # (N,), of the draws: how many equal weights are worth as much

    def __str__(self) -> str:
        N = len(self.log_px)
        text = f"log p(x) {self.log_px.mean():.2f} nats a row"
        if N > 1:
            text += f", ± {self.log_px.std() / np.sqrt(N):.2f} over {N:,} rows"
        drawn = np.sqrt(np.square(self.standard_error).sum()) / N
        if np.isfinite(drawn):
            text += f", ± {drawn:.2g} by the draws"
        least, most = self.effective_samples.min(), self.effective_samples.max()
        return f"{text}; effective samples {least:.0f} to {most:.0f}"


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
    chapter 15 shows one that does not, and lies. Memory does not grow with K.
    progress        draw a progress bar on standard error
    Of grey x a Bernoulli likelihood makes no log p(x); `binarize` x first.
    Raises TypeError or ValueError if x is no finite (N, D) array in the likelihood's support,
    samples no integer >= 1, rng no Generator, progress no bool; FloatingPointError, naming the
    row, if a weight's logarithm is not finite.
    Burda, Grosse & Salakhutdinov 2015, section 5, with K = 5000.
    """
    from tqdm import tqdm  # here, so that import npvae need not read it

    x, unit = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("samples", samples)
    check_rng(rng)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    at_once = min(DRAWS, 1 + NUMBERS // (IMAGES * vae.likelihood.output_width(vae.data_dim)))
    rows = []
    with tqdm(total=len(x), unit=" rows", disable=not progress) as bar:
        for i, batch in enumerate(vae.batches(x, unit, IMAGES)):
            start = i * IMAGES
            sums = no_weights(len(batch))
            for first in range(0, samples, at_once):
                draws = min(at_once, samples - first)
                sums = add_weights(sums, _finite_log_weights(vae, batch, draws, start, rng))
            rows.append(estimate(sums, samples))
            bar.update(len(batch))
    return LogLikelihood(*map(np.concatenate, zip(*rows, strict=True)))


def _finite_log_weights(vae, x, draws, start, rng):
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a row
        log_w = draw_log_weights(vae, x, draws, rng=rng)
    if not np.isfinite(log_w).all():
        row = start + np.argwhere(~np.isfinite(log_w))[0, 1]
        raise FloatingPointError(
            f"log w of row {row} is not finite: a parameter is not, or a number has left the "
            f"range of {vae.dtype}"
        )
    return log_w


def draw_log_weights(vae, x, draws, *, rng):
    """log w of fresh draws from q(z|x).                         [objectives.10]

    x (B, D) -> log_w (draws, B)
    """
    mu, logvar = vae.encode(x)
    noise = rng.standard_normal((draws, *mu.shape), vae.dtype)
    z = reparameterize(mu, logvar, noise)
    flat = z.reshape(-1, vae.latent_dim)
    _, output = stack(flat, vae.params.decoder, ACTIVATIONS[vae.activation])
    output = output.reshape(draws, len(x), -1)
    log_px_z = vae.likelihood.log_prob(x, output, **vae.params.likelihood)
    return log_px_z - log_ratio(z, logvar, noise)


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
    The last is the variance of the mean weight, over its square; Kish 1965 for the second.
    """
    effective = np.square(sums.w) / sums.w2
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(samples / effective - 1, 0) / np.float64(samples - 1)
    return sums.largest + np.log(sums.w / samples), np.sqrt(variance), effective
