"""`train_semi_supervised`: a step of labelled and unlabelled rows, for the one loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ..._checks import check_number, real_numbers
from ...likelihoods import Bernoulli
from ...optimizers import Optimizer
from ...training.loop import (
    Rows,
    check_settings,
    minibatches,
    must_be_iterated,
    progress_bar,
    visit,
)
from ...training.step import ANYWHERE, require_finite, update
from .bounds import Bounds, bounds, bounds_backward
from .joined import Joined
from .model import SemiSupervisedVAE

UNLABELLED = -1


class Weights(NamedTuple):
    """What each kind of row counts for in the loss."""

    labelled: float  # N_labelled/N
    unlabelled: float  # N_unlabelled/N
    alpha: float


class SemiSupervisedEpoch(NamedTuple):
    """One pass over the unlabelled rows: means, each as it was when its turn came."""

    epoch: int  # from 1
    labelled: float  # nats, bound on log p(x, y) of a labelled row
    unlabelled: float  # nats, bound on log p(x) of an unlabelled one
    log_q_y: float  # nats, log q(y|x) of a labelled row
    seconds: float  # of training, validation not counted
    validation_accuracy: float | None

    def __str__(self) -> str:
        line = (
            f"epoch {self.epoch:3d}  bounds {self.unlabelled:8.2f}, with label {self.labelled:8.2f}"
            f"  log q(y|x) {self.log_q_y:7.4f} nats"
        )
        if self.validation_accuracy is None:
            return line
        return f"{line}\nvalidation {100 * self.validation_accuracy:.2f} % right"


def descend(
    model: SemiSupervisedVAE,
    optimizer: Optimizer,
    x: np.ndarray,
    labels: np.ndarray,
    noise: np.ndarray,
    weights: Weights,
    grads: Joined | None = None,
    whole=ANYWHERE,
) -> Bounds:
    """One step down loss = −(N_l/N) mean L − (N_u/N) mean U − α mean log q(y|x). [few_labels.7]

    x (M + B, D), the labelled rows first; labels (M,), noise (L, M + B, Z) -> the Bounds before
    the step
    """
    M, B = len(labels), len(x) - len(labels)

    def share(weight, n):
        return np.full(n, -weight / n, model.dtype)

    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        passed = bounds(model, x, labels, noise)
        quantities = {"bound with a label": passed.labelled, "bound": passed.unlabelled}
        require_finite(quantities | {"log q(y|x)": passed.log_q})
        dbounds = share(weights.labelled, M), share(weights.alpha, M), share(weights.unlabelled, B)
        grads = bounds_backward(*dbounds, model, x, labels, passed, grads)
        with whole:
            update(optimizer, model.params, grads)
    return passed


def train_semi_supervised(
    model: SemiSupervisedVAE,
    x: ArrayLike,
    labels: ArrayLike,
    *,
    alpha: float = 0.1,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    binarize: bool = False,
    x_val: ArrayLike | None = None,
    labels_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[SemiSupervisedEpoch]:
    rows, unit = model.classifier.check_rows("x", x)
    labels = np.asarray(labels)
    known = labels != UNLABELLED
    x_labelled, x_unlabelled = rows[known], rows[~known]
    labelled = Rows(x_labelled, unit, model.dtype, binarize)
    unlabelled = Rows(x_unlabelled, unit, model.dtype, binarize)
    weights = Weights(float(known.mean()), float((~known).mean()), float(alpha))
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    run = _Run(model, labelled, labels[known], unlabelled, weights, batch_size, optimizer, *rng.spawn(4))
    return must_be_iterated(
        "relatives.train_semi_supervised", _epochs(run, epochs, x_val, labels_val, progress)
    )


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    model: SemiSupervisedVAE
    labelled: Rows
    labels: np.ndarray
    unlabelled: Rows
    weights: Weights
    batch_size: int
    optimizer: Optimizer
    order_rng: np.random.Generator
    noise_rng: np.random.Generator
    target_rng: np.random.Generator
    labelled_rng: np.random.Generator


def _epochs(run, epochs, x_val, labels_val, progress):
    drawn = _endless(len(run.labels), run.batch_size, run.labelled_rng)
    for epoch in range(1, epochs + 1):
        with progress_bar(len(run.unlabelled.x), f"epoch {epoch}/{epochs}", progress) as bar:
            start = kernels.clock()
            means = _visit_all_rows(run, drawn, epoch, bar)
            seconds = kernels.clock() - start
        accuracy = None if x_val is None else run.model.classifier.accuracy(x_val, labels_val)
        yield SemiSupervisedEpoch(epoch, *means, seconds, accuracy)


def _endless(n, batch_size, rng):
    """Minibatches of the labelled rows: all, or in order after order."""
    while True:
        yield from minibatches(n, batch_size, rng=rng)


def _visit_all_rows(run, drawn, epoch, bar):
    """A step for each minibatch; -> means of the two bounds and of log q(y|x), as visited."""
    model = run.model
    grads = model.params.empty_like()
    labelled, log_q_y, unlabelled = [], [], np.empty(len(run.unlabelled.x), model.dtype)

    def step(batch, rows, at, whole):
        with_label = next(drawn)
        x = np.concatenate([run.labelled.take(with_label, rng=run.target_rng), batch])
        labels = run.labels[with_label]
        noise = run.noise_rng.standard_normal((1, len(x), model.vae.latent_dim), model.dtype)
        passed = descend(model, run.optimizer, x, labels, noise, run.weights, grads, whole)
        unlabelled[at] = passed.unlabelled
        labelled.append(passed.labelled.mean(dtype=np.float64))
        log_q_y.append(passed.log_q_y.mean(dtype=np.float64))

    visit(
        run.unlabelled,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train_semi_supervised", model.vae.params.rows[0].size, run.batch_size),
        order_rng=run.order_rng,
        target_rng=run.target_rng,
        bar=bar,
    )
    means = np.mean(labelled), unlabelled.mean(dtype=np.float64), np.mean(log_q_y)
    return tuple(map(float, means))
