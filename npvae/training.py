"""Minibatches and the training loop."""

import math
import time
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import kernels
from ._checks import check_positive_int, check_rng
from .diagnosis import (
    DeadUnitsWarning,
    FloorWarning,
    GreyTargetsWarning,
    findings,
    take_vitals,
)
from .elbo import CLOSED_FORM, elbo, elbo_backward
from .evaluation import Evaluation, evaluate, per_row
from .likelihoods import Bernoulli, binarize_rows
from .likelihoods import binarize as draw_binary
from .objectives import Objective, check_objective
from .optimizers import Optimizer
from .vae import VAE

LARGE_STEP = 1e6
ENTROPY_ROWS = 2000
SETTLED_STEPS = 500  # before so many, a model may yet leave the floor and wake its units


class Epoch(NamedTuple):
    """One pass over the data: means over its rows, each as it was when its turn came.

    elbo = reconstruction − kl whatever the objective is; bound is the objective's.
    """

    epoch: int  # from 1
    bound: float  # nats, what was raised
    elbo: float  # nats
    reconstruction: float  # nats
    kl: float  # nats
    kl_per_dim: np.ndarray  # (Z,) nats
    active_units: int
    objective: Objective
    seconds: float  # of training, validation not counted
    images_per_second: float
    validation: Evaluation | None  # of x_val, after the epoch

    def __str__(self) -> str:
        line = (
            f"epoch {self.epoch:3d}  elbo {self.elbo:8.2f} = {self.reconstruction:8.2f} "
            f"− kl {self.kl:6.2f} nats {self.active_units:3d} active "
            f"{self.images_per_second:7,.0f} rows/s"
        )
        if self.validation is None:
            return line
        return (
            f"{line}\nvalidation     {self.validation.elbo:8.2f} = "
            f"{self.validation.reconstruction:8.2f} − kl {self.validation.kl:6.2f} nats "
            f"{self.validation.active_units:3d} active"
        )


class NonFiniteError(ArithmeticError):
    """A quantity became NaN or inf; the parameters are those before that step."""

    def __init__(self, quantity: str, epoch: int, step: int) -> None:
        super().__init__(quantity, epoch, step)
        self.quantity = quantity
        self.epoch = epoch
        self.step = step

    def __str__(self) -> str:
        return (
            f"{self.quantity} is not finite at epoch {self.epoch}, step {self.step}; the "
            "parameters are those before that step. Try a smaller learning rate or data scaled "
            "to about unit range"
        )


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
) -> Iterator[Epoch]:
    """Raise the mean bound over the rows of x; a generator of one Epoch after each epoch.

    x (N, D)        every row is visited exactly once an epoch, in a fresh order; uint8 x is
                    kept as it is, and its levels become x / 255 a batch at a time, for a
                    Bernoulli likelihood or to be binarised
    optimizer       such as npvae.Adam(1e-3); changes vae.params in place
    batch_size      B; the last batch of an epoch holds what is left
    objective       the bound to raise, such as npvae.ImportanceWeighted(5), or a function of the
                    epoch (from 1), such as
                    lambda epoch: npvae.ClosedForm(beta=min(1, epoch / 10))
    binarize        True draws binary targets anew each time a row is visited
    x_val (M, D)    evaluated after each epoch, binarised once if binarize is True; it never
                    changes what is learned
    Raises TypeError or ValueError at once if one of them is none of that; NonFiniteError
    during training. Warns GreyTargetsWarning where the bound is not one of log p(x), and after
    an epoch, once for each kind, DiagnosisWarnings.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
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
    if not binarize and isinstance(vae.likelihood, Bernoulli):
        _warn_of_grey(vae, x, unit)
    rngs = rng.spawn(4)
    return _epochs(vae, x, unit, x_val, epochs, optimizer, batch_size, objective, binarize, rngs)


def _epochs(vae, x, unit, x_val, epochs, optimizer, batch_size, objective, binarize, rngs):
    order_rng, noise_rng, target_rng, evaluation_rng = rngs
    steps, told = 0, set()
    if x_val is not None and binarize:
        x_val = draw_binary(x_val, rng=evaluation_rng)
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        now = _objective_at(objective, epoch)
        visited, bounds = [], []
        for step, rows in enumerate(minibatches(len(x), batch_size, rng=order_rng), start=1):
            if binarize:
                batch = binarize_rows(x, rows, unit, vae.dtype, rng=target_rng)
            else:
                batch = kernels.gather(x, rows, unit, vae.dtype)
            noise = noise_rng.standard_normal((now.samples, len(rows), vae.latent_dim), vae.dtype)
            try:
                trace = descend(vae, optimizer, batch, noise, now)
            except _NonFinite as error:
                raise NonFiniteError(str(error), epoch, step) from None
            visited.append(per_row(trace))
            bounds.append(trace.bound)
        seconds = time.perf_counter() - start
        steps += step
        rows = [np.concatenate(parts) for parts in zip(*visited, strict=True)]
        vitals = take_vitals(
            vae, x, unit, *rows, binarized=binarize, beta=getattr(now, "beta", None)
        )
        _warn(vitals, epoch, steps, told)
        summary = vitals.evaluation
        yield Epoch(
            epoch=epoch,
            bound=float(np.concatenate(bounds).mean(dtype=np.float64)),
            elbo=summary.elbo,
            reconstruction=summary.reconstruction,
            kl=summary.kl,
            kl_per_dim=summary.kl_per_dim,
            active_units=summary.active_units,
            objective=now,
            seconds=seconds,
            images_per_second=len(x) / seconds,
            validation=None if x_val is None else evaluate(vae, x_val, rng=evaluation_rng),
        )


def minibatches(n, batch_size, *, rng):
    """Yield arrays of row numbers: a fresh permutation of 0 … n − 1, cut every batch_size.

    E[(1/B) Σ_{b in batch} f_b] = (1/N) Σ_n f_n                   [training.1]
    for every batch, the shorter last one too: each is a uniform choice of B rows.
    Kingma & Welling 2013, eq. (8), divided by N.
    """
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def descend(vae, optimizer, x, noise, objective):
    """One step down loss = −(1/B) Σ_b bound_b.                  [training.2]

    x (B, D), noise (L, B, Z) -> the Trace before the step
    The mean over the batch is taken here and nowhere else.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        trace = elbo(vae, x, noise, objective)
        _require_finite({"log p(x|z)": trace.log_px_z, "kl": trace.kl, "bound": trace.bound})
        dbound = np.full(len(x), -1 / len(x), vae.dtype)
        grads = elbo_backward(dbound, vae, x, noise, trace).arrays()
        largest = _require_finite({f"gradient of {name}": dv for name, dv in grads.items()})
        _update(optimizer, vae.params.arrays(), grads, largest)
    if getattr(vae.likelihood, "optimal", False):
        logvar = vae.likelihood.optimal_logvar(x, trace.decoder_output)
        vae.params.likelihood["logvar"][:] = logvar
    return trace


def _update(optimizer, params, grads, largest):
    # A step this large may overflow a parameter, and then there must be a way back. Smaller
    # ones cannot: they would need 1e32 of them, and the bound overflows long before.
    before = None
    if optimizer.learning_rate * max(1, largest) > LARGE_STEP:
        before = {name: w.copy() for name, w in params.items()}
    optimizer.update(params.values(), grads.values())
    if before is not None:
        try:
            _require_finite(params)
        except _NonFinite:
            for name, w in params.items():
                w[...] = before[name]
            raise


class _NonFinite(ArithmeticError):
    """Carries the quantity's name up to where epoch and step are known."""


def _require_finite(quantities):
    """The largest magnitude among arrays, all finite."""
    largest = kernels.max_abs(quantities.values())
    if not math.isfinite(largest):
        raise _NonFinite(next(name for name, a in quantities.items() if not np.isfinite(a).all()))
    return largest


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


def _warn(vitals, epoch, steps, told):
    """Warn of each kind of finding once; of what may yet pass, not before SETTLED_STEPS."""
    for finding in findings(vitals):
        kind = type(finding)
        passing = kind in (FloorWarning, DeadUnitsWarning) and steps < SETTLED_STEPS
        if kind not in told and not passing:
            told.add(kind)
            warnings.warn(kind(f"{finding} (after epoch {epoch})"), stacklevel=3)


def _warn_of_grey(vae, x, unit):
    parts = np.array_split(x, 1 + len(x) // ENTROPY_ROWS)
    grey = sum(np.count_nonzero((part > 0) & (part < unit)) for part in parts) / x.size
    if grey > 0:
        entropy = vae.likelihood.entropy(x[:: len(parts)] / unit).mean()
        warnings.warn(
            f"{100 * grey:.2g} % of the targets lie strictly between 0 and 1: the bound is then a "
            "cross-entropy, not a bound on log p(x) of a binary image, and about "
            f"{entropy:.1f} nats a row of -elbo are the targets' own entropy. "
            "binarize=True draws binary targets",
            GreyTargetsWarning,
            stacklevel=3,
        )
