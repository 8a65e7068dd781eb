"""`train_predictor`: maximum likelihood, or maximum a posteriori, on the one loop."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ...likelihoods import Categorical
from ...optimizers import Optimizer
from ...training.loop import Rows, check_settings, must_be_iterated, progress_bar, visit
from ...training.step import require_finite, update
from .labels import check_no_gap
from .model import Predictor
from .passes import read, read_backward


class PredictorEpoch(NamedTuple):
    """One pass over the data: means over its rows, each as it was when its turn came."""

    epoch: int  # from 1
    log_prob: float  # nats a row
    accuracy: float | None  # None unless there are classes
    validation: float | None  # nats a row of x_val, after the epoch
    validation_accuracy: float | None
    seconds: float  # of training, validation not counted

    def __str__(self) -> str:
        line = f"epoch {self.epoch:3d}  log p(t|x) {_with_share(self.log_prob, self.accuracy)}"
        if self.validation is None:
            return line
        validated = _with_share(self.validation, self.validation_accuracy)
        return f"{line}\nvalidation log p(t|x) {validated}"


def train_predictor(
    predictor: Predictor,
    x: ArrayLike,
    t: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    x_val: ArrayLike | None = None,
    t_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[PredictorEpoch]:
    """Lower loss = −(1/N) Σ_n log p(t_n|x_n) + ½ λ ‖W‖²; a record after each epoch. [classifier.6]

    x (N, D)        every row is visited exactly once an epoch, in a fresh order
    t               labels (N,) for a Categorical, each of 0 … C − 1 at least once; else (N, T)
    optimizer       its weight_decay is λ: 0 for maximum likelihood, above 0 for the maximum a
                    posteriori under a prior N(0, 1/(λN)) on each weight
    x_val, t_val    the same, judged after each epoch; they never change what is learned
    Raises TypeError or ValueError at once if an argument is not as described, NonFiniteError
    during training.
    """
    rows, unit = predictor.check_rows("x", x)
    targets = predictor.check_targets("t", t, len(rows))
    if isinstance(predictor.likelihood, Categorical):
        check_no_gap("t", t, predictor.likelihood.levels)
    if (x_val is None) != (t_val is None):
        raise ValueError("x_val and t_val belong together; expected both or neither")
    if x_val is not None and t_val is not None:
        predictor.check_targets("t_val", t_val, len(predictor.check_rows("x_val", x_val)[0]))
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    run = _Run(predictor, Rows(rows, unit, predictor.dtype), targets, batch_size, optimizer)
    records = _epochs(run, epochs, x_val, t_val, rng.spawn(1)[0], progress)
    return must_be_iterated("relatives.train_predictor", records)


class _Run(NamedTuple):
    predictor: Predictor
    data: Rows
    targets: np.ndarray
    batch_size: int
    optimizer: Optimizer


def _epochs(run, epochs, x_val, t_val, order_rng, progress):
    predictor = run.predictor
    classes = isinstance(predictor.likelihood, Categorical)
    for epoch in range(1, epochs + 1):
        with progress_bar(len(run.data.x), f"epoch {epoch}/{epochs}", progress) as bar:
            start = kernels.clock()
            log_prob, hits = _visit_all_rows(run, epoch, order_rng, bar)
            seconds = kernels.clock() - start
        judged = x_val is not None
        yield PredictorEpoch(
            epoch=epoch,
            log_prob=float(log_prob.mean(dtype=np.float64)),
            accuracy=float(hits.mean()) if classes else None,
            validation=(
                float(predictor.log_prob(x_val, t_val).mean(dtype=np.float64)) if judged else None
            ),
            validation_accuracy=predictor.accuracy(x_val, t_val) if judged and classes else None,
            seconds=seconds,
        )


def _visit_all_rows(run, epoch, order_rng, bar):
    """A step for each minibatch; -> log p(t|x) of the rows, and whether predicted, as visited."""
    predictor, N = run.predictor, len(run.data.x)
    grads = predictor.params.empty_like()
    log_prob, hits = np.empty(N, predictor.dtype), np.zeros(N, bool)

    @np.errstate(over="ignore", invalid="ignore")  # told with a name
    def step(batch, rows, at, whole):
        t = run.targets[rows]
        reading = read(predictor, batch, t)
        require_finite({"log p(t|x)": reading.log_pt_x})
        dlog_pt_x = np.full(len(t), -1 / len(t), predictor.dtype)
        read_backward(dlog_pt_x, predictor, batch, t, reading, grads)
        log_prob[at] = reading.log_pt_x
        if isinstance(predictor.likelihood, Categorical):
            labels = np.rint(t[:, 0] * (predictor.likelihood.levels - 1))
            hits[at] = predictor.predict_output(reading.output) == labels
        with whole:
            update(run.optimizer, predictor.params, grads)

    visit(
        run.data,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train_predictor", predictor.params.rows[0].size, run.batch_size),
        order_rng=order_rng,
        target_rng=order_rng,
        bar=bar,
    )
    return log_prob, hits


def _with_share(log_prob, accuracy):
    share = "" if accuracy is None else f" {100 * accuracy:.2f} % right"
    return f"{log_prob:.4f} nats{share}"
