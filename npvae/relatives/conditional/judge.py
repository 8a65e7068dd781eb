"""What a conditional model is worth: its bound on log p(x|c), and log p(x|c) itself."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import check_positive_int, check_rng
from ...evaluation import Evaluation, _require_finite, per_row, summarize
from ...importance import (
    EFFECTIVE_SAMPLES,
    LogLikelihood,
    UnreliableWarning,
    _warn_of_unreliable,
    log_likelihood,
)
from ...pareto import tail_size
from .bound import conditional_elbo
from .model import ConditionalVAE


def evaluate_conditional(
    model: ConditionalVAE,
    x: ArrayLike,
    condition: ArrayLike,
    *,
    samples: int = 1,
    batch_size: int = 1000,
    rng: np.random.Generator,
) -> Evaluation:
    """The mean over rows of the bound on log p(x|c), as `npvae.evaluate`.   [conditional.1]

    x (N, D), condition (N, C), samples L -> Evaluation; its kl is to p(z|c), and a unit is active
    where the mean of q(z|x, c), in the prior's units, varies over the rows
    Raises as `npvae.evaluate` does, and if condition is missing or of another shape.
    """
    rows = model.rows("x", x)
    c = model.check_condition("condition", condition, len(rows.x))
    check_positive_int("samples", samples)
    check_positive_int("batch_size", batch_size)
    check_rng(rng)
    seen = []
    for batch, at in rows.in_order(batch_size):
        noise = rng.standard_normal((samples, len(batch), model.latent_dim), model.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # told below, with a row
            trace = conditional_elbo(model, batch, c[at], noise)
        _require_finite(trace, at.start, model.dtype)
        seen.append(per_row(trace))
    return summarize(*map(np.concatenate, zip(*seen, strict=True)))


def conditional_log_likelihood(
    model: ConditionalVAE,
    x: ArrayLike,
    condition: ArrayLike,
    *,
    samples: int = 5000,
    rng: np.random.Generator,
) -> LogLikelihood:
    """log p(x|c), by `npvae.log_likelihood` of the VAE that the model is at c.  [conditional.7]

    x (N, D), condition (N, C), samples K -> LogLikelihood of the N rows
    Rows of one condition go together, so ten classes take the time of one VAE; where every row
    has a condition of its own they go one by one.
    Raises and warns as `npvae.log_likelihood` does; errors count the rows of one condition.
    """
    kept = model.rows("x", x)
    c = model.check_condition("condition", condition, len(kept.x))
    check_positive_int("samples", samples)
    check_rng(rng)
    result = LogLikelihood(*np.empty((4, len(c))))
    conditions, group = np.unique(c, axis=0, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableWarning)  # told below, of all rows at once
        for g, one in enumerate(conditions):
            rows = np.flatnonzero(group.reshape(-1) == g)
            batch = kept.take(rows, rng=rng)
            found = log_likelihood(model.given(one), batch, samples=samples, rng=rng)
            for values, of_rows in zip(result, found, strict=True):
                values[rows] = of_rows
    if samples >= EFFECTIVE_SAMPLES:  # with fewer it is known
        _warn_of_unreliable(result, tail_size(samples))
    return result


def marginal_log_likelihood(log_px_c: ArrayLike, log_pc: ArrayLike) -> np.ndarray:
    """log p(x) = log Σ_c p(c) p(x|c), in nats.                  [conditional.8]

    log_px_c (N, K), a column for each of K conditions, log_pc (K,) -> (N,)
    What knowing c is worth, log p(x|c) − log p(x), is at most −log p(c).    [conditional.9]
    Raises ValueError unless there is a column for each condition.
    """
    log_px_c, log_pc = np.asarray(log_px_c, np.float64), np.asarray(log_pc, np.float64)
    if log_px_c.ndim != 2 or log_pc.shape != log_px_c.shape[1:]:
        raise ValueError(
            f"log_px_c has shape {log_px_c.shape} and log_pc {log_pc.shape}; expected (N, K), (K,)"
        )
    return np.logaddexp.reduce(log_px_c + log_pc, axis=1)
