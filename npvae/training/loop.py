"""The one loop over minibatches: here rows are shuffled, cut, gathered, binarised and visited.

A model brings a step, and nothing else.
"""

import contextlib
import warnings
import weakref
from itertools import islice
from typing import NamedTuple

import numpy as np

from .. import kernels
from .._checks import check_positive_int, check_rng
from .._signals import terminable, whole_blocks
from ..likelihoods import binarize_rows
from ..optimizers import Optimizer
from .epoch import NonFiniteError
from .ranks import ALONE


class NonFinite(ArithmeticError):
    """Carries a quantity's name from a step up to where epoch and step are known."""


class Rows(NamedTuple):
    """Data as they are kept, and what a minibatch is made of them: x / unit, of dtype."""

    x: np.ndarray  # (N, D), uint8 or of dtype
    unit: int
    dtype: np.dtype
    binarize: bool = False  # whether targets are drawn anew at each visit

    def take(self, rows, *, rng, part=slice(None)):
        """A part of the batch (B, D) of these row numbers; rng draws binary targets.

        A part's targets are those that it has in the whole batch.
        """
        if self.binarize:
            unit = self.unit, self.dtype
            return binarize_rows(self.x, rows[part], *unit, rng=rng, before=part.start or 0)
        return kernels.gather(self.x, rows[part], self.unit, self.dtype)

    def in_order(self, size):
        """Yield batches (B, D) of the rows as they are, `size` at a time, and their slices."""
        for start in range(0, len(self.x), size):
            at = slice(start, min(start + size, len(self.x)))
            yield self._replace(binarize=False).take(np.arange(at.start, at.stop), rng=None), at


def minibatches(n, batch_size, *, rng):
    """Yield arrays of row numbers: a fresh permutation of 0 … n − 1, cut every batch_size.

    E[(1/B) Σ_{b in batch} f_b] = (1/N) Σ_n f_n                   [training.1]
    for every batch, the shorter last one too: each is a uniform choice of B rows.
    Kingma & Welling 2013, eq. (8), divided by N.
    """
    order = rng.permutation(n)
    for start in range(0, n, batch_size):
        yield order[start : start + batch_size]


def visit(
    data,
    step,
    *,
    epoch,
    batch_size,
    work,
    order_rng,
    target_rng,
    bar,
    done=0,
    after_step=None,
    ranks=ALONE,
):
    """An epoch: step(batch, rows, at, whole) for each minibatch of data.

    batch (B, D), or this rank's part; rows (B,) their numbers, at the slice that they have in the
    order of visits; from `with whole:` on a step is not interrupted
    work        words for the kind of work, as `kernels.pace` takes them
    done        of an epoch that goes on: so many rows have been visited
    after_step  called with the number of rows that have been, before a signal can interrupt; with
                it SIGTERM, where it would end the process without a word, raises SystemExit
    Raises NonFiniteError with epoch and step where the step raises NonFinite.
    """
    batches = minibatches(len(data.x), batch_size, rng=order_rng)
    first = -(-done // batch_size)
    bar.update(done)
    ends_well = terminable() if after_step else contextlib.nullcontext()
    with kernels.pace(*work) as lap, ends_well, whole_blocks() as whole:
        for number, rows in enumerate(islice(batches, first, None), start=first + 1):
            batch = data.take(rows, rng=target_rng, part=ranks.part(len(rows)))
            try:
                step(batch, rows, slice(done, done + len(rows)), whole)
            except NonFinite as error:
                raise NonFiniteError(str(error), epoch, number) from None
            done += len(rows)
            if after_step:
                after_step(done)
            whole.end()
            bar.update(len(rows))
            lap()


def progress_bar(rows, description, progress):
    """A bar that is gone when its epoch ends, and is drawn at most ten times a second."""
    from tqdm import tqdm  # here, so that import npvae need not read it

    style = {"unit": " rows", "leave": False, "mininterval": 0.1, "miniters": 1}
    return tqdm(total=rows, desc=description, disable=not progress, **style)


def check_settings(*, epochs, batch_size, optimizer, rng, progress):
    """Raise TypeError or ValueError unless they are what every training takes."""
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    check_positive_int("epochs", epochs)
    check_positive_int("batch_size", batch_size)
    if isinstance(optimizer, type) or not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}; expected one such as npvae.Adam(1e-3)")
    check_rng(rng)


def must_be_iterated(name, records):
    """The generator of records, which warns if it dies unstarted: it is easy to forget."""
    started = []

    def run():
        started.append(True)
        yield from records

    iterator = run()
    weakref.finalize(iterator, _warn_unless, started, name).atexit = False
    return iterator


def _warn_unless(started, name):
    """Warn at the line where the generator died."""
    if not started:
        message = (
            f"{name}(…) was never iterated: nothing was trained; loop over it, "
            f"`for epoch in npvae.{name}(…)`"
        )
        warnings.warn(message, stacklevel=3)  # between here and there is weakref's call
