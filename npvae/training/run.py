"""`train`: the epochs of a VAE, and what is told after each."""

import math
import warnings
from collections.abc import Callable, Iterator
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from ..diagnosis import measure, of_data, take_vitals
from ..elbo import CLOSED_FORM
from ..evaluation import evaluate, per_row
from ..likelihoods import Bernoulli
from ..objectives import Objective
from ..optimizers import Optimizer, Resumable
from ..vae import VAE
from .checkpoint import Checkpoint, checksums, go_on
from .epoch import Epoch
from .loop import Rows, check_settings, must_be_iterated, progress_bar, visit
from .past import last_step, objective_at, told
from .progress import Past, Progress, Run, Streams
from .ranks import ALONE, Alone, told_by
from .step import descend
from .stopping import check_ways_to_end
from .telling import to_warn_of


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
    learning_rate: Callable[[int], float] | None = None,
    stop_when: Callable[[list[Epoch]], bool] | None = None,
    keep_best: bool = False,
    checkpoint: str | PathLike | None = None,
    every: float | None = None,
    resume: str | PathLike | None = None,
    progress: bool = False,
    ranks: Alone = ALONE,
) -> Iterator[Epoch]:
    """Raise the mean bound over the rows of x; a generator of one Epoch after each epoch.

    x (N, D)        every row is visited exactly once an epoch, in a fresh order; uint8 x is
                    kept as it is, and its grey levels become numbers in [0, 1] a batch at a
                    time, where the likelihood speaks of such, or to be binarised
    optimizer       such as npvae.Adam(1e-3); changes vae.params in place
    batch_size      B; the last batch of an epoch holds what is left
    objective       the bound to raise, such as npvae.ImportanceWeighted(5), or a function of the
                    step (from 0), such as lambda step: npvae.ClosedForm(beta=rise(step)), with
                    rise = npvae.schedules.WarmUp(1.0, steps=6000)
    binarize        True draws binary targets anew each time a row is visited
    x_val (M, D)    evaluated after each epoch, binarised once if binarize is True; it never
                    changes what is learned
    learning_rate   a function of the step (from 0), which the optimizer's is set to before it,
                    such as npvae.schedules.Cosine(1e-3, steps=6000)
    stop_when       asked after each epoch, with all of them so far, whether to stop, such as
                    npvae.Patience(5)
    keep_best       at the end, however it comes, vae has the parameters of the best validation
    checkpoint      a file, written when an epoch ends, and when one is cut by Ctrl-C, SIGTERM or an
                    error; `VAE.load` reads its model
    every           seconds between two such files within an epoch; None writes none
    resume          such a file: go on from there, to `epochs` epochs in all. The same data and
                    arguments lead to the same bits as a run that was never cut
    rng             each call spawns streams of its own from it: a second call goes on elsewhere,
                    and so does one after rng's state was put back. To repeat a run, make the
                    rng anew from its seed
    progress        draw a bar over each epoch's rows on standard error
    ranks           npvae.distributed.Ranks(), where MPI runs several processes of one program:
                    they share the work of every batch. All of them call train, with the same
                    arguments and all rows of x; the first one's model, rng, validation, warnings
                    and checkpoint are the run's, and who leaves the loop, leaves it for all
    Raises TypeError or ValueError at once if an argument is not as described, or resume is of
    another run, FileNotFoundError or OSError if checkpoint cannot be written; NonFiniteError
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
    objective_at(objective, 0)
    check_ways_to_end(learning_rate, stop_when, keep_best, x_val)
    if not isinstance(ranks, Alone):
        raise TypeError(f"ranks is {ranks!r}; expected npvae.distributed.Ranks()")
    ranks.check(objective_at(objective, 0))
    file = Checkpoint(checkpoint, every) if checkpoint is not None and ranks.first else None
    if checkpoint is None and every is not None:
        raise ValueError(f"every is {every!r} without a checkpoint that it could be written to")
    if not (checkpoint is None is resume or isinstance(optimizer, Resumable)):
        raise TypeError(f"optimizer is {optimizer!r}, which lacks memory and recall: see Resumable")

    looks_at_data = checkpoint is not None or resume is not None or ranks.size > 1
    sums = checksums(x, x_val) if looks_at_data else {}
    numbers = {"rows": len(x), "epochs": epochs, "batch_size": batch_size, "binarize": binarize}
    kinds = {"optimizer": told_by(optimizer), "objective": told_by(objective_at(objective, 0))}
    ranks.agree({"model": repr(vae)} | kinds | numbers | sums)
    rng = ranks.same(rng, vae.params.rows)
    yardsticks = measure(vae, x, unit, binarized=binarize)
    data = Rows(x, unit, vae.dtype, binarize)
    stand = Progress(Streams(*rng.spawn(4)), len(x), vae.latent_dim, vae.dtype)
    choices = objective, learning_rate, stop_when, keep_best
    run = Run(vae, data, batch_size, optimizer, stand, x_val, yardsticks, *choices, file, ranks)
    stand.checksums = sums
    if resume is not None:
        go_on(resume, run)
    for finding in of_data(yardsticks) if ranks.first else ():
        warnings.warn(finding, stacklevel=2)
    return must_be_iterated("train", _epochs(run, epochs, progress))


def _epochs(run, epochs, bar_is_drawn):
    try:
        with run.ranks.together():
            yield from _until_the_end(run, epochs, bar_is_drawn)
    finally:
        if run.keep_best and run.progress.best is not None:
            for row, best in zip(run.vae.params.rows, run.progress.best.rows, strict=True):
                row[...] = best


def _until_the_end(run, epochs, bar_is_drawn):
    progress, shape = run.progress, (len(run.data.x), run.batch_size)
    ended = [told(n, p, run.objective, *shape) for n, p in enumerate(progress.past, start=1)]
    x_val = run.x_val
    if x_val is not None and run.data.binarize:
        x_val = progress.binarized(x_val)
    while progress.epoch <= epochs and not (ended and _is_to_stop(run, ended)):
        try:
            found = _epoch(run, x_val, epochs, bar_is_drawn)
            if run.file:
                run.file.write(run)
        except BaseException as error:
            if run.file:
                run.file.rescue(run, error)
            raise
        ended.append(told(len(progress.past), progress.past[-1], run.objective, *shape))
        for finding in found:
            warnings.warn(finding, stacklevel=4)
        if not (yield from _is_to_go_on(run.ranks, ended[-1])):
            return


def _is_to_go_on(ranks, epoch):
    """Yield it; -> whether nobody left the loop at it."""
    try:
        yield epoch
    except GeneratorExit:
        ranks.all_go_on(False)
        raise
    return ranks.all_go_on(True)


def _is_to_stop(run, ended):
    return run.stop_when and run.ranks.decided(lambda: run.stop_when(ended))


def _epoch(run, x_val, epochs, bar_is_drawn):
    """Go through the rows that are left, and validate; -> what is to be warned of."""
    progress, epoch = run.progress, run.progress.epoch
    bar_is_drawn &= run.ranks.first
    with progress_bar(len(run.data.x), f"epoch {epoch}/{epochs}", bar_is_drawn) as bar:
        bound = _visit_all_rows(run, bar)
    last = last_step(epoch, len(run.data.x), run.batch_size)
    beta = getattr(objective_at(run.objective, last), "beta", 1.0)
    vitals = take_vitals(run.vae, run.yardsticks, *progress.visited[1:], beta=beta)
    validated = None
    if x_val is not None:
        validated = run.ranks.decided(
            lambda: evaluate(run.vae, x_val, rng=progress.streams.evaluation)
        )
    found = to_warn_of(run, vitals, validated, last=epoch == epochs)
    if run.keep_best and validated.elbo > max(
        [past.validated.elbo for past in progress.past], default=-math.inf
    ):
        progress.best = run.vae.params.astype(run.vae.dtype)
    progress.told |= {type(finding).__name__ for finding in found}
    progress.after_epoch(Past(bound, progress.seconds, vitals.evaluation, validated))
    return found if run.ranks.first else []


def _visit_all_rows(run, bar):
    """A step for each minibatch that is left; -> the mean bound of the rows, as visited."""
    vae, progress, ranks, N = run.vae, run.progress, run.ranks, len(run.data.x)
    grads, epoch = vae.params.empty_like(), progress.epoch
    first = last_step(epoch - 1, N, run.batch_size) + 1

    def step(batch, rows, at, whole):
        number = first + at.start // run.batch_size
        objective = objective_at(run.objective, number)
        ranks.check(objective)
        if run.learning_rate is not None:
            run.optimizer.learning_rate = run.learning_rate(number)
        shape = objective.samples, len(rows), vae.latent_dim
        noise = progress.streams.noise.standard_normal(shape, vae.dtype)
        # The likelihood's own start counts as one row.
        share = len(rows) / min(1 + (epoch - 1) * N + at.stop, N)
        size = len(rows)
        noise = noise[:, ranks.part(size)]
        given = batch, noise, objective, grads, share, whole, ranks, size
        trace = descend(vae, run.optimizer, *given)
        progress.keep(at, ranks.join(size, [trace.bound, *per_row(trace)]))
        ranks.compare(number, vae.params.rows)

    def after_step(done):
        progress.after_step(done)
        if run.file:
            run.file.after_step(run)

    samples = objective_at(run.objective, first).samples
    progress.start()
    visit(
        run.data,
        step,
        epoch=epoch,
        batch_size=run.batch_size,
        work=("train", vae.params.rows[0].size, run.batch_size, samples),
        order_rng=progress.streams.order,
        target_rng=progress.streams.target,
        bar=bar,
        done=progress.done,
        after_step=after_step if run.file or not ranks.first else None,
        ranks=ranks,
    )
    progress.after_step(N)
    return float(progress.visited[0].mean(dtype=np.float64))
