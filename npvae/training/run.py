"""`train`: the epochs of a VAE, and what is told after each."""

import math
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from ..diagnosis import (
    CollapseWarning,
    ConstantDataWarning,
    DeadUnitsWarning,
    FloorWarning,
    GreyTargetsWarning,
    SpreadWarning,
    Yardsticks,
    findings,
    measure,
    of_data,
    overfitting,
    take_vitals,
)
from ..elbo import CLOSED_FORM
from ..evaluation import evaluate, per_row
from ..likelihoods import Bernoulli
from ..likelihoods import binarize as draw_binary
from ..objectives import Objective, check_objective
from ..optimizers import Optimizer
from ..vae import VAE
from .epoch import Epoch
from .loop import Rows, check_settings, must_be_iterated, progress_bar, visit
from .step import descend

SETTLED_STEPS = 500  # before so many, a model may yet wake its units and leave the floor
JUDGED_ROWS = 10  # of x_val; the standard error of fewer says little


def train(
    vae: VAE,
    x: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    objective: Objective | Callable[[int], Objective] = CLOSED_FORM,
    binarize: bool = False,
    x_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[Epoch]:
    """Raise the mean bound over the rows of x; a generator of one Epoch after each epoch.

    x (N, D)        every row is visited exactly once an epoch, in a fresh order; uint8 x is
                    kept as it is, and its grey levels become numbers in [0, 1] a batch at a
                    time, where the likelihood speaks of such, or to be binarised
    optimizer       such as npvae.Adam(1e-3); changes vae.params in place
    batch_size      B; the last batch of an epoch holds what is left
    objective       the bound to raise, such as npvae.ImportanceWeighted(5), or a function of the
                    epoch (from 1), such as
                    lambda epoch: npvae.ClosedForm(beta=min(1, epoch / 10))
    binarize        True draws binary targets anew each time a row is visited
    x_val (M, D)    evaluated after each epoch, binarised once if binarize is True; it never
                    changes what is learned
    rng             each call spawns streams of its own from it: a second call goes on elsewhere,
                    and so does one after rng's state was put back. To repeat a run, make the
                    rng anew from its seed
    progress        draw a bar over each epoch's rows on standard error
    Raises TypeError or ValueError at once if an argument is not as described; NonFiniteError
    during training, and FloatingPointError if x_val's bound is not finite. Warns at once of
    what is wrong with the data, and after an epoch, once for each kind, DiagnosisWarnings.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
    reading, purpose = (Bernoulli(), ", to be binarised,") if binarize else (vae.likelihood, "")
    x, unit = vae.check_rows(f"x{purpose}", x, reading)
    if x_val is not None:
        x_val, _ = vae.check_rows(f"x_val{purpose}", x_val, reading)
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    _objective_at(objective, 1)
    yardsticks = measure(vae, x, unit, binarized=binarize)
    for finding in of_data(yardsticks):
        warnings.warn(finding, stacklevel=2)
    data = Rows(x, unit, vae.dtype, binarize)
    run = _Run(vae, data, batch_size, optimizer, yardsticks, *rng.spawn(4))
    return must_be_iterated("train", _epochs(run, epochs, objective, x_val, progress))


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    vae: VAE
    data: Rows
    batch_size: int
    optimizer: Optimizer
    yardsticks: Yardsticks
    order_rng: np.random.Generator
    noise_rng: np.random.Generator
    target_rng: np.random.Generator
    evaluation_rng: np.random.Generator


def _epochs(run, epochs, objective, x_val, progress):
    N = len(run.data.x)
    steps, told, before = 0, {ConstantDataWarning, GreyTargetsWarning, SpreadWarning}, -math.inf
    trained, validated = [], []
    if x_val is not None and run.data.binarize:
        x_val = draw_binary(x_val, rng=run.evaluation_rng)
    for epoch in range(1, epochs + 1):
        now = _objective_at(objective, epoch)
        with progress_bar(N, f"epoch {epoch}/{epochs}", progress) as bar:
            seconds, bound, vitals = _visit(run, now, epoch, bar)
        steps += math.ceil(N / run.batch_size)
        summary = vitals.evaluation
        passing = _may_pass(steps, epoch == epochs, summary.elbo - before, vitals.yardsticks.floor)
        before = summary.elbo
        validation = None if x_val is None else evaluate(run.vae, x_val, rng=run.evaluation_rng)
        trained.append(summary)
        validated += [] if validation is None else [validation]
        told_now = list(findings(vitals))
        if validation is not None and len(x_val) >= JUDGED_ROWS:
            told_now += overfitting(trained, validated)
        for finding in told_now:
            if type(finding) not in told | passing:
                told.add(type(finding))
                warnings.warn(type(finding)(f"{finding} (after epoch {epoch})"), stacklevel=3)
        yield Epoch(
            epoch=epoch,
            bound=bound,
            elbo=summary.elbo,
            reconstruction=summary.reconstruction,
            kl=summary.kl,
            kl_per_dim=summary.kl_per_dim,
            active_units=summary.active_units,
            objective=now,
            seconds=seconds,
            images_per_second=N / seconds,
            validation=validation,
        )


def _visit(run, objective, epoch, bar):
    """An epoch's steps; -> their seconds, mean bound, and vitals of the rows as visited."""
    start = kernels.clock()
    bound, *rows = _visit_all_rows(run, objective, epoch, bar)
    seconds = kernels.clock() - start
    vitals = take_vitals(run.vae, run.yardsticks, *rows, beta=getattr(objective, "beta", 1.0))
    return seconds, float(bound.mean(dtype=np.float64)), vitals


def _visit_all_rows(run, objective, epoch, bar):
    """A step for each minibatch; -> bound, log p(x|z), mu, logvar of the rows, as visited."""
    vae, N = run.vae, len(run.data.x)
    grads = vae.params.empty_like()
    row, latents = (N,), (N, vae.latent_dim)
    visited = [np.empty(shape, vae.dtype) for shape in (row, row, latents, latents)]

    def step(batch, rows, at, whole):
        noise = run.noise_rng.standard_normal(
            (objective.samples, len(rows), vae.latent_dim), vae.dtype
        )
        # The likelihood's own start counts as one row.
        share = len(rows) / min(1 + (epoch - 1) * N + at.stop, N)
        trace = descend(vae, run.optimizer, batch, noise, objective, grads, share, whole)
        for values, batch_values in zip(visited, (trace.bound, *per_row(trace)), strict=True):
            values[at] = batch_values

    visit(
        run.data,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train", vae.params.rows[0].size, run.batch_size, objective.samples),
        order_rng=run.order_rng,
        target_rng=run.target_rng,
        bar=bar,
    )
    return visited


def _objective_at(objective, epoch):
    if isinstance(objective, Objective | type) or not callable(objective):
        check_objective(objective)
        return objective
    chosen = objective(epoch)
    if not isinstance(chosen, Objective):
        raise TypeError(
            f"objective({epoch}) is {chosen!r}; expected one such as npvae.ClosedForm()"
        )
    return chosen


def _may_pass(steps, last, rise, floor):
    """Kinds of findings that may yet pass by themselves, and are not told so soon."""
    passing = set()
    if steps < SETTLED_STEPS:
        passing |= {DeadUnitsWarning, FloorWarning} | (set() if last else {CollapseWarning})
    if rise > 0.001 * abs(floor) and not last:
        passing.add(FloorWarning)
    return passing
