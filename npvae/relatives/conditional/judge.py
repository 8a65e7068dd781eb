"""What a conditional model is worth: its bound on log p(x|c), and log p(x|c) itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import check_positive_int, check_rng
from ...evaluation import Evaluation, _require_finite, per_row, summarize
from ...importance import LogLikelihood, log_likelihood
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
    """The mean over rows of the bound on log p(x|c), as `npvae.evaluate`.  [conditional.1]

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
    """log p(x|c) by `npvae.log_likelihood` of the VAE that the model is given c. [conditional.7]

    x (N, D), condition (N, C), samples K -> LogLikelihood of the N rows
    Rows of equal conditions go together: ten classes take the time of one VAE. Where each row has
    a condition of its own, rows go one by one, which takes longer.
    Raises and warns as `npvae.log_likelihood` does, naming a row among those of its condition.
    """
    kept = model.rows("x", x)
    c = model.check_condition("condition", condition, len(kept.x))
    check_positive_int("samples", samples)
    check_rng(rng)
    conditions, group = np.unique(c, axis=0, return_inverse=True)
    result = LogLikelihood(*np.empty((4, len(c))))
    for g, one in enumerate(conditions):
        (rows,) = np.nonzero(group.reshape(-1) == g)
        found = log_likelihood(model.given(one), kept.x[rows], samples=samples, rng=rng)
        for values, of_rows in zip(result, found, strict=True):
            values[rows] = of_rows
    return result
