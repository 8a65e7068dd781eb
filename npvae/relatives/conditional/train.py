"""`train_conditional`: a step for the one loop over minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ...elbo import CLOSED_FORM
from ...evaluation import per_row, summarize
from ...likelihoods import Bernoulli
from ...likelihoods import binarize as draw_binary
from ...objectives import Objective, check_objective
from ...optimizers import Optimizer
from ...training import Epoch, Rows, visit
from ...training.loop import check_settings, must_be_iterated, progress_bar
from ...training.step import ANYWHERE, change, require_finite
from .bound import conditional_elbo, conditional_elbo_backward
from .judge import evaluate_conditional
from .model import ConditionalVAE


def train_conditional(
    model: ConditionalVAE,
    x: ArrayLike,
    condition: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    objective: Objective = CLOSED_FORM,
    binarize: bool = False,
    x_val: ArrayLike | None = None,
    condition_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[Epoch]:
    """Raise the mean of the bound on log p(x|c) over the rows of x.    [conditional.1]

    -> a generator of one `Epoch` after each epoch
    x (N, D)            as `npvae.train` takes it, and epochs, optimizer, batch_size, objective,
                        binarize, rng, progress
    condition (N, C)    a row for each row of x, or one for all
    x_val, condition_val    evaluated after each epoch, binarised once if binarize is True; they
                        never change what is learned
    Raises TypeError or ValueError at once if an argument is not as described; NonFiniteError
    during training.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
    if not isinstance(model, ConditionalVAE):
        raise TypeError(f"model is {model!r}; expected a ConditionalVAE")
    reading = Bernoulli() if binarize else None
    data = model.rows("x", x, reading)._replace(binarize=binarize)
    c = model.check_condition("condition", condition, len(data.x))
    if (x_val is None) != (condition_val is None):
        raise ValueError("x_val and condition_val belong together; expected both or neither")
    if x_val is not None and condition_val is not None:
        rows = model.rows("x_val", x_val, reading).x
        model.check_condition("condition_val", condition_val, len(rows))
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    check_objective(objective)
    run = _Run(model, data, c, batch_size, optimizer, objective, *rng.spawn(4))
    validation = None if x_val is None else (x_val, condition_val)
    return must_be_iterated(
        "relatives.train_conditional", _epochs(run, epochs, validation, progress)
    )


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    model: ConditionalVAE
    data: Rows
    condition: np.ndarray
    batch_size: int
    optimizer: Optimizer
    objective: Objective
    order_rng: np.random.Generator
    noise_rng: np.random.Generator
    target_rng: np.random.Generator
    evaluation_rng: np.random.Generator


def descend(
    model, optimizer, x, condition, noise, objective, grads=None, share=1.0, whole=ANYWHERE
):
    """One step down loss = −(1/B) Σ_b bound_b.                  [conditional.1]

    x (B, D), condition (B, C), noise (L, B, Z) -> the trace before the step; the others as in
    `training.descend`
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        trace = conditional_elbo(model, x, condition, noise, objective)
        require_finite({"log p(x|z)": trace.log_px_z, "kl": trace.kl, "bound": trace.bound})
        dbound = np.full(len(x), -1 / len(x), model.dtype)
        inputs = model, x, condition, noise, trace
        grads = conditional_elbo_backward(dbound, *inputs, out=grads)
        change(model, optimizer, grads, x, trace.decoder_output, share, whole)
    return trace


def _epochs(run, epochs, validation, progress):
    N = len(run.data.x)
    if validation is not None and run.data.binarize:
        x_val, condition_val = validation
        validation = draw_binary(x_val, rng=run.evaluation_rng), condition_val
    for epoch in range(1, epochs + 1):
        start = kernels.clock()
        with progress_bar(N, f"epoch {epoch}/{epochs}", progress) as bar:
            bound, *rows = _visit_all_rows(run, epoch, bar)
        seconds = kernels.clock() - start
        summary = summarize(*rows)
        yield Epoch(
            epoch=epoch,
            bound=float(bound.mean(dtype=np.float64)),
            elbo=summary.elbo,
            reconstruction=summary.reconstruction,
            kl=summary.kl,
            kl_per_dim=summary.kl_per_dim,
            active_units=summary.active_units,
            objective=run.objective,
            seconds=seconds,
            images_per_second=N / seconds,
            validation=None
            if validation is None
            else evaluate_conditional(run.model, *validation, rng=run.evaluation_rng),
        )


def _visit_all_rows(run, epoch, bar):
    """A step for each minibatch; -> bound, log p(x|z, c), mu, logvar of the rows, as visited."""
    model, N, L = run.model, len(run.data.x), run.objective.samples
    grads = model.params.empty_like()
    row, latents = (N,), (N, model.latent_dim)
    visited = [np.empty(shape, model.dtype) for shape in (row, row, latents, latents)]

    def step(batch, rows, at, whole):
        noise = run.noise_rng.standard_normal((L, len(rows), model.latent_dim), model.dtype)
        # The likelihood's own start counts as one row.
        share = len(rows) / min(1 + (epoch - 1) * N + at.stop, N)
        inputs = batch, run.condition[rows], noise
        trace = descend(model, run.optimizer, *inputs, run.objective, grads, share, whole)
        for values, batch_values in zip(visited, (trace.bound, *per_row(trace)), strict=True):
            values[at] = batch_values

    visit(
        run.data,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train_conditional", model.params.rows[0].size, run.batch_size, L),
        order_rng=run.order_rng,
        target_rng=run.target_rng,
        bar=bar,
    )
    return visited
