"""`train_semi_supervised`: rows without a label on the one loop, rows with one beside them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ..._checks import check_number, matrix
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
from ..classifier.labels import check_labels, check_no_gap
from ..corruption import Corruption, check_corruption
from .bounds import Bounds, Weights, bounds, bounds_backward, loss, loss_backward
from .joined import Joined
from .model import SemiSupervisedVAE

UNLABELLED = -1


class SemiSupervisedEpoch(NamedTuple):
    """One pass over the rows without a label: means, each as it was when its turn came."""

    epoch: int  # from 1
    loss: float  # nats a row
    unlabelled: float  # nats, bound on log p(x) of a row without a label
    with_label: float  # nats, bound on log p(x, y) of a row with one
    log_q_y: float  # nats, log q(y|x) of a row with one
    seconds: float  # of training, validation not counted
    validation_accuracy: float | None  # of the classifier on x_val, after the epoch

    def __str__(self) -> str:
        line = (
            f"epoch {self.epoch:3d}  bound {self.unlabelled:8.2f}, with label "
            f"{self.with_label:8.2f} nats, log q(y|x) {self.log_q_y:.4f}"
        )
        if self.validation_accuracy is None:
            return line
        return f"{line}\nvalidation {100 * self.validation_accuracy:.2f} % right"


def train_semi_supervised(
    model: SemiSupervisedVAE,
    x: ArrayLike,
    labels: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    alpha: float = 1.0,
    negligible: float = 0.0,
    corruption: Corruption | None = None,
    batch_size: int = 100,
    binarize: bool = False,
    x_val: ArrayLike | None = None,
    labels_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[SemiSupervisedEpoch]:
    """Lower −(1/N) [Σ L + Σ U] − α (1/N_l) Σ log q(y|x); a record after each epoch.

    The sums run over rows with a label, without, and with. Each step reads B = batch_size rows
    without a label, once an epoch in a fresh order, and min(B, N_l) of the N_l with one, from
    orders of their own: an unbiased estimate of the loss.       [semi_supervised.9]
    x (N, D)        as `npvae.train` takes it, and epochs, optimizer, batch_size, binarize, rng
    labels (N,)     0 … C − 1, or −1 where the label is unknown; each class at least once
    alpha           weight of the classifier's own loss. It is not scaled by anything: 0.1 is the
                    paper's, whose sums over N rows have 0.1·N
    negligible      q(y|x) below it is taken for 0, and the class left out; 1e-5 saves most of the
                    time once the classifier is sure. 0 sums over every class
    corruption      of what the classifier reads while it learns, such as Masking(0.5); the bounds
                    are still of x. None leaves x as it is
    x_val, labels_val   other rows, all labels known, judged after each epoch
    Raises TypeError or ValueError at once if an argument is not as described, NonFiniteError
    during training.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
    reading = Bernoulli() if binarize else model.vae.likelihood
    rows, unit = _check_rows("x", x, model, reading)
    labels = check_partial_labels("labels", labels, model.classes, len(rows))
    validation = _check_validation(x_val, labels_val, model, reading)
    check_number("alpha", alpha, low=0, low_allowed=True)
    check_number("negligible", negligible, low=0, low_allowed=True, high=1 / model.classes)
    check_corruption(corruption)
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    known = labels != UNLABELLED
    with_label, unlabelled = (
        Rows(rows[chosen], unit, model.dtype, binarize) for chosen in (known, ~known)
    )
    weights = Weights(float(known.mean()), float((~known).mean()), float(alpha))
    run = _Run(
        model,
        with_label,
        labels[known],
        unlabelled,
        weights,
        float(negligible),
        corruption,
        batch_size,
        optimizer,
        *rng.spawn(5),
    )
    records = _epochs(run, epochs, validation, progress)
    return must_be_iterated("relatives.train_semi_supervised", records)


def check_partial_labels(name: str, labels: ArrayLike, classes: int, n: int) -> np.ndarray:
    """labels as (n,) int64, −1 where unknown.

    Raises as check_labels does; ValueError if none is known, or all, or none of some class.
    """
    array = np.asarray(labels)
    unknown = array == UNLABELLED
    checked = check_labels(
        name, np.where(unknown, 0, array) if unknown.any() else array, classes, n
    )
    if unknown.all():
        raise ValueError(f"{name} holds −1 alone, no label; expected one of each class at least")
    if not unknown.any():
        raise ValueError(
            f"{name} has no −1, so every label is known; expected some that are not. With all of "
            "them, a Predictor or a ConditionalVAE is enough"
        )
    check_no_gap(name, checked[~unknown], classes)
    return np.where(unknown, UNLABELLED, checked)


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    model: SemiSupervisedVAE
    with_label: Rows
    labels: np.ndarray
    unlabelled: Rows
    weights: Weights
    negligible: float
    corruption: Corruption | None
    batch_size: int
    optimizer: Optimizer
    order_rng: np.random.Generator
    label_rng: np.random.Generator
    noise_rng: np.random.Generator
    target_rng: np.random.Generator
    corruption_rng: np.random.Generator


def descend(
    model: SemiSupervisedVAE,
    optimizer: Optimizer,
    x: np.ndarray,
    labels: np.ndarray,
    noise: np.ndarray,
    weights: Weights,
    negligible: float = 0.0,
    seen: np.ndarray | None = None,
    grads: Joined | None = None,
    whole=ANYWHERE,
) -> Bounds:
    """One step down the loss.                                   [semi_supervised.7]

    x (M + B, D), rows with a label first; labels (M,), noise (L, M + B, Z), negligible, seen as in
    `bounds` -> the Bounds before the step; grads and whole as in `training.descend`
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        passed = bounds(model, x, labels, noise, negligible, seen)
        require_finite({"log p(x|z, y)": passed.trace.log_px_z, "log q(y|x)": passed.log_q_y})
        require_finite({"bound": passed.unlabelled, "bound with a label": passed.with_label})
        dpassed = loss_backward(passed, weights)
        grads = bounds_backward(*dpassed, model, labels, passed, grads)
        with whole:
            update(optimizer, model.params, grads)
    return passed


def _epochs(run, epochs, validation, progress):
    drawn = _without_end(len(run.labels), run.batch_size, run.label_rng)
    for epoch in range(1, epochs + 1):
        with progress_bar(len(run.unlabelled.x), f"epoch {epoch}/{epochs}", progress) as bar:
            start = kernels.clock()
            means = _visit_all_rows(run, drawn, epoch, bar)
            seconds = kernels.clock() - start
        accuracy = run.model.classifier.accuracy(*validation) if validation else None
        yield SemiSupervisedEpoch(epoch, *map(float, means), seconds, accuracy)


def _without_end(n, batch_size, rng):
    """Minibatches, order after order."""
    while True:
        yield from minibatches(n, batch_size, rng=rng)


def _visit_all_rows(run, drawn, epoch, bar):
    """A step for each minibatch; -> means of loss, U, L and log q(y|x), as visited."""
    model, grads, told = run.model, run.model.params.empty_like(), []

    @np.errstate(over="ignore", invalid="ignore")
    def step(batch, rows, at, whole):
        chosen = next(drawn)
        x = np.concatenate([run.with_label.take(chosen, rng=run.target_rng), batch])
        noise = run.noise_rng.standard_normal((1, len(x), model.vae.latent_dim), model.dtype)
        labels = run.labels[chosen]
        settings = run.weights, run.negligible, _corrupted(run, x)
        passed = descend(model, run.optimizer, x, labels, noise, *settings, grads, whole)
        values = passed.unlabelled, passed.with_label, passed.log_q_y
        means = [value.mean(dtype=np.float64) for value in values]
        told.append((len(rows), loss(passed, run.weights), *means))

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
    counts, *means = zip(*told, strict=True)
    return [np.average(mean, weights=counts) for mean in means]


def _corrupted(run, x):
    """What the classifier reads for x."""
    if run.corruption is None:
        return None
    noise = run.corruption.draw(x.shape, x.dtype, rng=run.corruption_rng)
    return run.corruption.apply(x, noise)


def _check_rows(name, x, model, likelihood):
    """x as it is kept, and the number in it that means 1."""
    form = {"columns": model.classifier.data_dim, "letters": "(N, D)", "dtype": model.dtype}
    rows = matrix(name, x, **form, keep=(np.uint8,))
    return rows, likelihood.check_support(name, rows)


def _check_validation(x, labels, model, likelihood):
    """Rows and labels to be judged, or None."""
    if (x is None) != (labels is None):
        raise ValueError("x_val and labels_val belong together; expected both or neither")
    if x is None:
        return None
    rows, unit = _check_rows("x_val", x, model, likelihood)
    labels = check_labels("labels_val", labels, model.classes, len(rows))
    return np.divide(rows, unit, dtype=model.dtype), labels
