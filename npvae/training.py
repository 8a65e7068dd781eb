"""Minibatches and the training loop."""

import math
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import kernels
from ._checks import check_positive_int, check_rng
from ._signals import whole
from .diagnosis import (
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
from .elbo import CLOSED_FORM, elbo, elbo_backward
from .epoch import Epoch, NonFiniteError
from .evaluation import evaluate, per_row
from .likelihoods import Bernoulli, binarize_rows
from .likelihoods import binarize as draw_binary
from .objectives import Objective, check_objective
from .optimizers import SGD, Adagrad, Adam, Optimizer
from .vae import VAE

LARGE_STEP = 1e6
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
    Raises TypeError or ValueError at once if one of them is none of that; NonFiniteError
    during training, and FloatingPointError if x_val's bound is not finite. Warns at once of
    what is wrong with the data, and after an epoch, once for each kind, DiagnosisWarnings.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    reading, purpose = (Bernoulli(), ", to be binarised,") if binarize else (vae.likelihood, "")
    x, unit = vae.check_rows(f"x{purpose}", x, reading)
    if x_val is not None:
        x_val, _ = vae.check_rows(f"x_val{purpose}", x_val, reading)
    check_positive_int("epochs", epochs)
    check_positive_int("batch_size", batch_size)
    _objective_at(objective, 1)
    if isinstance(optimizer, type) or not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}; expected one such as npvae.Adam(1e-3)")
    check_rng(rng)
    yardsticks = measure(vae, x, unit, binarized=binarize)
    for finding in of_data(yardsticks):
        warnings.warn(finding, stacklevel=2)
    run = _Run(vae, x, unit, binarize, batch_size, optimizer, yardsticks, *rng.spawn(4))
    started: list[bool] = []
    iterator = _epochs(run, epochs, objective, x_val, progress, started)
    weakref.finalize(iterator, _warn_unless, started).atexit = False
    return iterator


def _warn_unless(started):
    """Warn at the line where a generator died, if it had not begun: it is easy to forget."""
    if not started:
        message = (
            "train(…) was never iterated: nothing was trained; loop over it, "
            "`for epoch in npvae.train(…)`"
        )
        warnings.warn(message, stacklevel=3)  # between here and there is weakref's call


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    vae: VAE
    x: np.ndarray
    unit: int
    binarize: bool
    batch_size: int
    optimizer: Optimizer
    yardsticks: Yardsticks
    order_rng: np.random.Generator
    noise_rng: np.random.Generator
    target_rng: np.random.Generator
    evaluation_rng: np.random.Generator


def _epochs(run, epochs, objective, x_val, progress, started):
    started.append(True)
    steps, told, before = 0, {ConstantDataWarning, GreyTargetsWarning, SpreadWarning}, -math.inf
    trained, validated = [], []
    if x_val is not None and run.binarize:
        x_val = draw_binary(x_val, rng=run.evaluation_rng)
    for epoch in range(1, epochs + 1):
        now = _objective_at(objective, epoch)
        with _bar(len(run.x), f"epoch {epoch}/{epochs}", progress) as bar:
            seconds, bound, vitals = _visit(run, now, epoch, bar)
        steps += math.ceil(len(run.x) / run.batch_size)
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
                warnings.warn(type(finding)(f"{finding} (after epoch {epoch})"), stacklevel=2)
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
            images_per_second=len(run.x) / seconds,
            validation=validation,
        )


def _bar(rows, description, progress):
    """A bar that is gone when its epoch ends, and is drawn at most ten times a second."""
    from tqdm import tqdm  # here, so that import npvae need not read it

    style = {"unit": " rows", "leave": False, "mininterval": 0.1, "miniters": 1}
    return tqdm(total=rows, desc=description, disable=not progress, **style)


def _visit(run, objective, epoch, bar):
    """An epoch's steps; -> their seconds, mean bound, and vitals of the rows as visited."""
    start = kernels.clock()
    bound, *rows = _visit_all_rows(run, objective, epoch, bar)
    seconds = kernels.clock() - start
    vitals = take_vitals(run.vae, run.yardsticks, *rows, beta=getattr(objective, "beta", 1.0))
    return seconds, float(bound.mean(dtype=np.float64)), vitals


def _visit_all_rows(run, objective, epoch, bar):
    """A step for each minibatch; -> bound, log p(x|z), mu, logvar of the rows, as visited."""
    vae, N, done = run.vae, len(run.x), 0
    grads = vae.params.empty_like()
    row, latents = (N,), (N, vae.latent_dim)
    visited = [np.empty(shape, vae.dtype) for shape in (row, row, latents, latents)]
    batches = minibatches(N, run.batch_size, rng=run.order_rng)
    with kernels.pace("train", vae.params.rows[0].size, run.batch_size, objective.samples) as lap:
        for step, rows in enumerate(batches, start=1):
            if run.binarize:
                batch = binarize_rows(run.x, rows, run.unit, vae.dtype, rng=run.target_rng)
            else:
                batch = kernels.gather(run.x, rows, run.unit, vae.dtype)
            shape = objective.samples, len(rows), vae.latent_dim
            noise = run.noise_rng.standard_normal(shape, vae.dtype)
            # The likelihood's own start counts as one row.
            share = len(rows) / min(1 + (epoch - 1) * N + done + len(rows), N)
            try:
                trace = descend(vae, run.optimizer, batch, noise, objective, grads, share)
            except _NonFinite as error:
                raise NonFiniteError(str(error), epoch, step) from None
            for values, batch_values in zip(visited, (trace.bound, *per_row(trace)), strict=True):
                values[done : done + len(rows)] = batch_values
            done += len(rows)
            bar.update(len(rows))
            lap()
    return visited


def minibatches(n, batch_size, *, rng):
    """Yield arrays of row numbers: a fresh permutation of 0 … n − 1, cut every batch_size.

    E[(1/B) Σ_{b in batch} f_b] = (1/N) Σ_n f_n                   [training.1]
    for every batch, the shorter last one too: each is a uniform choice of B rows.
    Kingma & Welling 2013, eq. (8), divided by N.
    """
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def descend(vae, optimizer, x, noise, objective, grads=None, share=1.0):
    """One step down loss = −(1/B) Σ_b bound_b.                  [training.2]

    x (B, D), noise (L, B, Z) -> the Trace before the step; grads are Params to be overwritten;
    share of the data is what the likelihood's `follow` takes the batch for
    The mean over the batch is taken here and nowhere else.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        trace = elbo(vae, x, noise, objective)
        _require_finite({"log p(x|z)": trace.log_px_z, "kl": trace.kl, "bound": trace.bound})
        dbound = np.full(len(x), -1 / len(x), vae.dtype)
        grads = elbo_backward(dbound, vae, x, noise, trace, out=grads)
        learned = vae.params.likelihood
        followed = vae.likelihood.follow(x, trace.decoder_output, share, **learned)
        with whole():
            _update(optimizer, vae.params, grads)
            for name, value in followed.items():
                learned[name][...] = value
    return trace


def _update(optimizer, params, grads):
    largest = _largest(grads, "gradient of ")
    # A step this large may overflow a parameter, and a user's optimizer may do anything: then
    # there must be a way back. Smaller steps of npvae's own cannot: they would need 1e32 of
    # them, and the bound overflows long before.
    before = None
    own = type(optimizer) in (SGD, Adagrad, Adam)
    if not (own and optimizer.learning_rate * max(1, largest) <= LARGE_STEP):
        before = [row.copy() for row in params.rows]
    try:
        optimizer.update(params.rows, grads.rows)
        if before is not None:
            _largest(params)
    except BaseException:
        for row, was in zip(params.rows, before or (), strict=False):
            row[...] = was
        raise


class _NonFinite(ArithmeticError):
    """Carries the quantity's name up to where epoch and step are known."""


def _require_finite(quantities):
    for name, a in quantities.items():
        if not np.isfinite(a).all():
            raise _NonFinite(name)


def _largest(params, what=""):
    """The largest magnitude among params, all finite."""
    weights, others = map(kernels.max_abs, params.rows)
    if not math.isfinite(weights + others):
        _require_finite({what + name: a for name, a in params.arrays().items()})
    return max(weights, others)


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
