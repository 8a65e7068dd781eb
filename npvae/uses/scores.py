"""How odd is a row? Scores, each larger for odder rows, and how well they tell odd from usual."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln
from scipy.stats import rankdata

from .._checks import check_positive_int, check_rng, matrix, real_numbers
from ..elbo import elbo
from ..importance import log_likelihood
from ..vae import VAE

ROWS, DRAWS = 100, 20  # rows of x at once, and draws of z for each
NEIGHBOURS = ((0, -1), (-1, -1), (-1, 0), (-1, 1))  # of a pixel, read before it: (down, right)


class Scores(NamedTuple):
    """Four answers to "how odd is this row?", each larger for odder rows."""

    bound: np.ndarray  # (N,) nats, −bound
    log_px: np.ndarray  # (N,) nats, −log p(x)
    squared_error: np.ndarray  # (N,) ‖x − E[x|z = mu]‖²
    mu_distance: np.ndarray  # (N,) ‖mu‖², how far mu is from the prior's mean, in widths squared


class AUROC(NamedTuple):
    """The probability that an odd row is scored above a usual one, and how far to trust it."""

    value: float  # in [0, 1]: 1 tells all apart, ½ none, below ½ the sign is wrong
    standard_error: float  # over the draw of the rows, odd and usual

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.standard_error:.3f}"


def anomaly_scores(
    vae: VAE, x: ArrayLike, *, samples: int = 200, rng: np.random.Generator
) -> Scores:
    """−bound, −log p(x) in nats, ‖x − E[x|z = mu]‖² and ‖mu‖².            [scores.1]

    x (N, D), samples of z a row for the first two -> Scores. A score of a row depends on that
    row alone, and x is taken as it is: scale every row by the same number, or by none.
    With a Bernoulli likelihood, grey x have no log p(x); `binarize` x first.
    Raises as `log_likelihood` does, and warns as it does: of an odd row, q(z|x) knows little.
    """
    rows, unit = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("samples", samples)
    check_rng(rng)
    parts = []
    for batch in vae.batches(rows, unit, ROWS):
        mu, _ = vae.encode(batch)
        error = batch - vae.decode(mu)
        squares = (np.einsum("bd,bd->b", a, a) for a in (error, mu))
        parts.append((_mean_bound(vae, batch, samples, rng), *squares))
    bound, squared_error, mu_distance = map(np.concatenate, zip(*parts, strict=True))
    log_px = log_likelihood(vae, x, samples=samples, rng=rng).log_px
    return Scores(-bound, -log_px, squared_error, mu_distance)


def auroc(score: ArrayLike, odd: ArrayLike) -> AUROC:
    """P(score_odd > score_usual) + ½ P(score_odd = score_usual), over all pairs.   [scores.2]

    For m odd and n usual rows, with the share v_i of usual rows below odd row i and the share
    u_j of odd rows above usual row j,
    value = v̄ = ū,  standard_error² = Var[v]/m + Var[u]/n.               [scores.3]
    score (N,), odd (N,) of True and False (or 1 and 0) -> AUROC
    Raises TypeError or ValueError unless both are (N,), no score is NaN, and rows of both kinds
    are there. DeLong, DeLong & Clarke-Pearson 1988.
    """
    scores, is_odd = _scores("score", score), _zeros_and_ones("odd", odd)
    if scores.shape != is_odd.shape:
        raise ValueError(f"odd has {len(is_odd)} rows; score has {len(scores)}")
    if is_odd.all() or not is_odd.any():
        kind = "odd" if is_odd.all() else "usual"
        raise ValueError(f"all {len(is_odd)} rows are {kind}; expected some odd, some usual")
    v, u = _placements(scores, is_odd), _placements(-scores, ~is_odd)
    squared_error = _variance(v) / len(v) + _variance(u) / len(u)
    return AUROC(float(v.mean()), float(np.sqrt(squared_error)))


def code_length(x: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """−log p(x) = −Σ_c log [B(n_c1 + ½, n_c0 + ½) / B(½, ½)], in nats.   [scores.5]

    What a binary image costs a coder that has seen no image before, and learns as it reads on:
    it predicts a pixel from the four neighbours already read, c = 0 … 15, of which n_cv pixels
    were v = 0 or 1. Pixels outside the image count as 0.
    x (N, D) of zeros and ones, shape (rows, columns) with rows · columns = D -> (N,)
    Raises TypeError or ValueError if x or shape is not as described.
    Krichevsky & Trofimov 1981.
    """
    images = _binary_images(x, shape)
    N, rows, columns = images.shape
    padded = np.pad(images, ((0, 0), (1, 0), (1, 1)))
    context = np.zeros_like(images)
    for down, right in NEIGHBOURS:
        first = 1 + right
        context = 2 * context + padded[:, 1 + down : 1 + down + rows, first : first + columns]
    kinds = 2 ** len(NEIGHBOURS)
    place = (np.arange(N)[:, None, None] * kinds + context) * 2 + images
    n = np.bincount(place.ravel(), minlength=2 * N * kinds).reshape(N, kinds, 2)
    return -np.sum(betaln(n[..., 1] + 0.5, n[..., 0] + 0.5) - betaln(0.5, 0.5), axis=1)


def complexity_corrected(
    log_px_score: ArrayLike, x: ArrayLike, shape: tuple[int, int]
) -> np.ndarray:
    """−log p(x) − code_length(x) = log [p_coder(x)/p(x)], in nats.       [scores.6]

    log_px_score (N,) = −log p(x), as in Scores, of binary images x (N, D) -> (N,), larger for
    odder rows: an image that any coder finds long is not odd for that alone
    Raises as code_length does, and ValueError unless there is a score for each row.
    Serrà et al. 2020, there with PNG and other compressors.
    """
    score, length = _scores("log_px_score", log_px_score), code_length(x, shape)
    if score.shape != length.shape:
        raise ValueError(f"log_px_score has {len(score)} rows; x has {len(length)}")
    return score - length


def _mean_bound(vae, x, samples, rng):
    """The bound, its mean over `samples` draws of z, DRAWS of them at a time.    -> (B,)"""
    total = np.zeros(len(x))
    for first in range(0, samples, DRAWS):
        L = min(DRAWS, samples - first)
        noise = rng.standard_normal((L, len(x), vae.latent_dim), vae.dtype)
        total += L * elbo(vae, x, noise).bound
    return total / samples


def _placements(score, odd):
    """For each odd row, the share of usual rows below it, ties counted half.    [scores.4]

    (rank among all − rank among the odd)/n
    """
    return (rankdata(score)[odd] - rankdata(score[odd])) / np.sum(~odd)


def _variance(a):
    """NaN of one number alone."""
    return np.var(a, ddof=1) if len(a) > 1 else np.nan


def _scores(name, value):
    array = real_numbers(name, value)[0].astype(np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}; expected (N,) with N >= 1")
    if np.isnan(array).any():
        raise ValueError(f"{name}[{np.isnan(array).argmax()}] is nan; expected numbers")
    return array


def _zeros_and_ones(name, value):
    array = _scores(name, value)
    other = (array != 0) & (array != 1)
    if other.any():
        i = other.argmax()
        raise ValueError(f"{name}[{i}] is {array[i]:g}; expected True or False, or 1 or 0")
    return array == 1


def _binary_images(x, shape):
    if len(shape) != 2:
        raise ValueError(f"shape is {shape}; expected (rows, columns)")
    for side in shape:
        check_positive_int("shape", side)
    pixels = matrix("x", x, columns=shape[0] * shape[1], letters="(N, D)", dtype=np.float64)
    other = (pixels != 0) & (pixels != 1)
    if other.any():
        row, column = np.argwhere(other)[0]
        value = pixels[row, column]
        raise ValueError(f"x[{row}, {column}] is {value:g}; expected 0 or 1: npvae.binarize draws")
    return pixels.reshape(-1, *shape).astype(np.int64)
