"""`train_autoencoder`: a step for the one loop over minibatches, and a record of each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_number
from ..likelihoods import Bernoulli
from ..optimizers import Optimizer
from ..training import Rows, visit
from ..training.loop import check_settings, must_be_iterated, progress_bar
from ..training.step import ANYWHERE, change, require_finite
from .autoencoder import Autoencoder, autoencode, autoencode_backward
from .corruption import Corruption, check_corruption


class Reconstruction(NamedTuple):
    """Means over rows."""

    log_px_z: float  # nats
    squared_error: float  # Σ_d (x_d − mean_d)²

    def __str__(self) -> str:
        return f"log p(x|z) {self.log_px_z:9.2f} nats, squared error {self.squared_error:8.4f}"


class AutoencoderEpoch(NamedTuple):
    """One pass over the data: means over its rows, each as it was when its turn came."""

    epoch: int  # from 1
    log_px_z: float  # nats, with all noise
    squared_error: float  # Σ_d (x_d − mean_d)², with all noise
    seconds: float
    rows_per_second: float
    validation: Reconstruction | None  # of x_val, after the epoch, without noise

    def __str__(self) -> str:
        trained = Reconstruction(self.log_px_z, self.squared_error)
        line = f"epoch {self.epoch:3d}  {trained} {self.rows_per_second:7,.0f} rows/s"
        return line if self.validation is None else f"{line}\nvalidation {self.validation}"


def train_autoencoder(
    model: Autoencoder,
    x: ArrayLike,
    *,
    epochs: int,
    optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    corruption: Corruption | None = None,
    code_sigma: float = 0.0,
    binarize: bool = False,
    x_val: ArrayLike | None = None,
    progress: bool = False,
) -> Iterator[AutoencoderEpoch]:
    """Raise the mean of log p(x|z), z = encoder(x̃) + code_sigma·noise.    [autoencoder.1]

    With both noises off it is `npvae.train` with σ = 0 and β = 0: [autoencoder.3] bit for bit
    if Z >= 2, because another kernel multiplies by a single column.
    -> a generator of one AutoencoderEpoch after each epoch
    x (N, D)        as `npvae.train` takes it, and epochs, optimizer, batch_size, rng, progress
    corruption      what makes x̃ of x, such as GaussianNoise(0.3); None leaves x as it is
    code_sigma      σ of the noise that is added to the code
    binarize        True draws binary x anew each time a row is visited, before it is corrupted
    x_val (M, D)    reconstructed after each epoch, without noise
    Raises TypeError or ValueError at once if an argument is not as described; NonFiniteError
    during training.
    """
    if not isinstance(binarize, bool):
        raise TypeError(f"binarize is {binarize!r}; expected True or False")
    if not isinstance(model, Autoencoder):
        raise TypeError(f"model is {model!r}; expected an Autoencoder")
    rows = model.rows("x", x, Bernoulli() if binarize else None)._replace(binarize=binarize)
    validation = None if x_val is None else model.rows("x_val", x_val)
    check_settings(
        epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
    )
    check_corruption(corruption)
    check_number("code_sigma", code_sigma, low=0, low_allowed=True)
    streams = _Streams(*rng.spawn(4))
    run = _Run(model, rows, batch_size, optimizer, corruption, float(code_sigma), streams)
    return must_be_iterated(
        "relatives.train_autoencoder", _epochs(run, epochs, validation, progress)
    )


class _Streams(NamedTuple):
    """A generator for each kind of chance, order first, as in `npvae.train`."""

    order: np.random.Generator
    code: np.random.Generator
    target: np.random.Generator
    corruption: np.random.Generator


class _Run(NamedTuple):
    """What stays the same from epoch to epoch."""

    model: Autoencoder
    data: Rows
    batch_size: int
    optimizer: Optimizer
    corruption: Corruption | None
    code_sigma: float
    streams: _Streams


def descend(model, optimizer, x, seen, code_noise, grads=None, share=1.0, whole=ANYWHERE):
    """One step down loss = −(1/B) Σ_b log p(x_b|z_b).           [autoencoder.1]

    x, seen (B, D), code_noise (B, Z) or 0 -> the Trace before the step; grads, share and whole
    as in `training.descend`
    """
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        trace = autoencode(model, x, seen, code_noise)
        require_finite({"log p(x|z)": trace.log_px_z})
        dlog_px_z = np.full((1, len(x)), -1 / len(x), model.dtype)
        grads = autoencode_backward(dlog_px_z, model, x, seen, trace, out=grads)
        change(model, optimizer, grads, x, trace.decoder_output, share, whole)
    return trace


def reconstruction(model: Autoencoder, x: ArrayLike) -> Reconstruction:
    """(1/N) Σ_n log p(x_n|z_n), (1/N) Σ_n Σ_d (x_nd − mean_nd)², at z = encoder(x). [autoencoder.4]

    x (N, D) -> Reconstruction, added up in float64
    Raises TypeError or ValueError if x is not a finite (N, D) array in the support,
    FloatingPointError if one of the two is not finite.
    """
    return _reconstruction(model, model.rows("x", x))


def _reconstruction(model, rows):
    log_px_z = squares = 0.0
    for x in model.batches(rows):
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            trace = autoencode(model, x, x)
            log_px_z += float(trace.log_px_z.sum(dtype=np.float64))
            squares += float(_squared_error(model, x, trace).sum(dtype=np.float64))
    if not math.isfinite(log_px_z + squares):
        raise FloatingPointError(
            "log p(x|z) or the squared error of a row is not finite: a parameter is not, or a "
            f"number has left the range of {model.dtype}"
        )
    return Reconstruction(log_px_z / len(rows.x), squares / len(rows.x))


def _squared_error(model, x, trace):
    error = x - model.likelihood.mean(trace.decoder_output[0])
    return np.einsum("bd,bd->b", error, error)


def _epochs(run, epochs, x_val, progress):
    N = len(run.data.x)
    for epoch in range(1, epochs + 1):
        start = kernels.clock()
        with progress_bar(N, f"epoch {epoch}/{epochs}", progress) as bar:
            log_px_z, squares = _visit_all_rows(run, epoch, bar)
        seconds = kernels.clock() - start
        yield AutoencoderEpoch(
            epoch=epoch,
            log_px_z=float(log_px_z.mean(dtype=np.float64)),
            squared_error=float(squares.mean(dtype=np.float64)),
            seconds=seconds,
            rows_per_second=N / seconds,
            validation=None if x_val is None else _reconstruction(run.model, x_val),
        )


def _visit_all_rows(run, epoch, bar):
    """A step for each minibatch; -> log p(x|z) and squared error of the rows, as visited."""
    model, N = run.model, len(run.data.x)
    grads = model.params.empty_like()
    log_px_z, squares = np.empty((2, N), model.dtype)

    def step(batch, rows, at, whole):
        seen, code_noise = batch, 0.0
        if run.corruption is not None:
            noise = run.corruption.draw(batch.shape, model.dtype, rng=run.streams.corruption)
            seen = run.corruption.apply(batch, noise)
        if run.code_sigma:
            shape = len(batch), model.latent_dim
            code_noise = run.code_sigma * run.streams.code.standard_normal(shape, model.dtype)
        # The likelihood's own start counts as one row.
        share = len(rows) / min(1 + (epoch - 1) * N + at.stop, N)
        trace = descend(model, run.optimizer, batch, seen, code_noise, grads, share, whole)
        log_px_z[at] = trace.log_px_z[0]
        squares[at] = _squared_error(model, batch, trace)

    visit(
        run.data,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train_autoencoder", model.params.rows[0].size, run.batch_size),
        order_rng=run.streams.order,
        target_rng=run.streams.target,
        bar=bar,
    )
    return log_px_z, squares
