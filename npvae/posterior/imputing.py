"""What may stand in the holes of a table, given the rest of its row."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_number, check_positive_int, check_rng
from ..importance import EFFECTIVE_SAMPLES, UnreliableWarning, weigh
from ..likelihoods import Holes
from ..vae import VAE

NUMBERS = 4_000_000  # that the decoder emits at once


class Imputed(NamedTuple):
    """Whole rows: what was seen as it was, and in each hole what may stand there."""

    x: np.ndarray  # (N, D), E[x_d|x_seen] in the holes
    draws: np.ndarray  # (K, N, D), draws of x given x_seen, of whole rows
    effective_samples: np.ndarray  # (N,), of the draws of z behind them

    def interval(self, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Where x_d lies with this probability: quantiles of the draws, as many below as above.

        -> low, high (N, D), equal where x was seen
        Raises TypeError or ValueError unless 0 < level < 1.
        """
        check_number("level", level, low=0, high=1)
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return low, high

    def __str__(self) -> str:
        (K, N, D), few = self.draws.shape, self.effective_samples.min()
        return (
            f"{N:,} rows of {D:,} columns, each hole filled in {K:,} ways; effective samples "
            f"{few:.0f} or more"
        )


def impute(
    vae: VAE, x: ArrayLike, *, draws: int = 100, samples: int = 1000, rng: np.random.Generator
) -> Imputed:
    """E[x_d|x_seen] ≈ Σ_k w_k E[x_d|z_k] / Σ_k w_k,  z_k ~ q(z|x_seen).    [tables.23]

    x (N, D), NaN in its holes -> Imputed
    draws       K, of x: z_k again, chosen with probability w_k/Σw, and x ~ p(x|z_k) [tables.24]
    samples     of z for each row, weighted by w_k = p(x_seen, z_k)/q(z_k|x_seen)
    To fill a table for a method that does not know of holes, use several draws and not the mean:
    the mean is surer of its numbers than anybody can be.
    Raises TypeError or ValueError unless vae has a likelihood `Holes`, x is as described in its
    support, draws and samples are integers >= 1 and rng is a Generator; FloatingPointError if a
    weight is not finite.
    Warns UnreliableWarning if a few of z carry some row.
    """
    if not isinstance(vae.likelihood, Holes):
        raise TypeError(
            f"likelihood is {vae.likelihood!r}; expected Holes(…), with which the model learned "
            "from rows with holes. To fill them by a model of whole rows, take "
            "npvae.posterior.restore(vae, x, Pixels(~np.isnan(x)), …)"
        )
    x, _ = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("draws", draws)
    check_positive_int("samples", samples)
    check_rng(rng)
    size = max(1, NUMBERS // (samples * vae.likelihood.output_width(vae.data_dim)))
    parts = []
    with kernels.pace("impute", vae.params.rows[0].size, size * samples) as lap:
        for batch in vae.batches(x, 1, size):
            parts.append(_impute(vae, batch, draws, samples, rng))
            lap()
    means, drawn, effective = zip(*parts, strict=True)
    result = Imputed(np.concatenate(means), np.concatenate(drawn, 1), np.concatenate(effective))
    _warn_of_few(result, samples)
    return result


def _impute(vae, x, draws, samples, rng):
    """The fields of Imputed for some rows x (B, D)."""
    noise = rng.standard_normal((samples, len(x), vae.latent_dim), vae.dtype)
    output, log_w = weigh(vae, x, *vae.encode(x), noise)
    if not np.isfinite(log_w).all():
        raise FloatingPointError(
            f"a weight is not finite: a parameter is not, or a number has left the range of "
            f"{vae.dtype}"
        )
    w = np.exp(log_w - log_w.max(axis=0), dtype=np.float64)
    w /= w.sum(axis=0)
    means = vae.likelihood.mean(output)
    mean = np.einsum("kb,kbd->bd", w.astype(x.dtype), means)
    chosen = _choose(w, draws, rng)
    drawn = vae.likelihood.draw(output[chosen, np.arange(len(x))], rng=rng, **vae.params.likelihood)
    return fill(x, mean), fill(x, drawn), 1 / np.square(w).sum(axis=0)


def _choose(w, draws, rng):
    """Numbers of k, each with probability w_k, of every row.        w (K, B) -> (draws, B)"""
    cumulative = np.cumsum(w, axis=0)
    u = rng.random((draws, w.shape[1])) * cumulative[-1]
    columns = zip(cumulative.T, u.T, strict=True)
    return np.stack([np.searchsorted(c, v, side="right") for c, v in columns], axis=1)


def fill(x: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """x where it is seen, guess in its holes.        x (N, D), guess (…, N, D) -> (…, N, D)"""
    return np.where(np.isnan(x), guess, x)


def _warn_of_few(result, samples):
    few = result.effective_samples < min(EFFECTIVE_SAMPLES, samples)
    if few.any():
        warnings.warn(
            f"{few.sum():,} of {len(few):,} rows rest on fewer than {EFFECTIVE_SAMPLES} effective "
            f"samples of {samples:,}: their draws are too alike. Take more samples",
            UnreliableWarning,
            stacklevel=3,
        )
