"""The one loop of EM: an E step over all rows, an M step, and a record after each.

A model has `expect`, which turns a batch of rows into sums, and `maximize`, which reads the sums
over all batches. A mixture and a hidden Markov model have both.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ..._checks import check_number, check_positive_int
from ...training import Rows
from ...training.loop import must_be_iterated
from .rows import require_finite

REVIVALS = 10  # steps in which empty components begin anew; those that die later are left so


class Model(Protocol):
    """What EM can fit."""

    def check_rows(self, name: str, x: ArrayLike) -> Rows:
        """x as it is kept and read, or an error."""
        ...

    def batch_size(self) -> int:
        """How many rows at a time."""
        ...

    def prepare(self, dtype: np.dtype) -> Any:
        """What every batch of a pass needs.                       [mixtures.6]"""
        ...

    def expect(
        self, x: np.ndarray, prepared: Any
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """E step: log p(x) (B,), whose row each is, and sums over the rows.  [mixtures.6]

        The second (B,) is a number for each row, the same for rows that look alike.
        """
        ...

    def maximize(
        self, sums: tuple[np.ndarray, ...], worst: Callable[[int], np.ndarray] | None
    ) -> int:
        """M step, in place; -> how many components were empty.     [mixtures.6]

        worst(n) are the n rows with the lowest log p(x)
        """
        ...

    def log_prior(self) -> float:
        """What the M step raises in addition to the rows' log p(x), in nats.  [mixtures.6]"""
        ...


class Step(NamedTuple):
    """One step of EM; the numbers are those of the parameters as they now are."""

    step: int  # from 1
    log_px: float  # nats a row, the mean over the data
    log_prior: float  # nats a row: the prior's, divided by N; 0 without a prior
    rise: float  # nats a row, of log_px + log_prior; below 0 by rounding, or as one begins anew
    empty: int  # components that no row belonged to; in the first ten such steps they begin anew
    converged: bool  # whether rise < tol: the last step
    seconds: float
    rows_per_second: float

    def __str__(self) -> str:
        line = f"step {self.step:4d}  log p(x) {self.log_px:10.3f} nats  rise {self.rise:9.2g}"
        line += f"  {self.rows_per_second:9,.0f} rows/s"
        return line + (f"  {self.empty} empty" if self.empty else "")


def em(model: Model, x: ArrayLike, *, steps: int, tol: float = 0.0) -> Iterator[Step]:
    """Raise the mean log p(x) over the rows of x; a generator of one Step after each step.

    q(k|x) = p(k|x), then max over θ of E_q[log p(x, k)] + log p(θ)      [mixtures.6]
    x (N, D)        binary rows may be uint8; they are read a batch at a time
    tol             nats a row; a smaller rise is the last
    The parameters change in place; after each record they and its numbers belong together.
    Raises TypeError or ValueError at once if an argument is not as described; FloatingPointError,
    naming the row, if its log p(x) is not finite.
    Dempster, Laird & Rubin 1977; Neal & Hinton 1998.
    """
    data = model.check_rows("x", x)
    check_positive_int("steps", steps)
    check_number("tol", tol, low=0, low_allowed=True)
    return must_be_iterated("em", _steps(model, data, steps, tol))


def _steps(model, data, steps, tol):
    N, revivals = len(data.x), 0
    log_px, sums, order = expect_all(model, data, np.arange(N))
    before = log_px.mean() + model.log_prior() / N
    for step in range(1, steps + 1):
        start = kernels.clock()
        empty = model.maximize(sums, _worst(data, log_px) if revivals < REVIVALS else None)
        revivals += empty > 0
        log_px, sums, order = expect_all(model, data, order)
        seconds = kernels.clock() - start
        mean, log_prior = float(log_px.mean()), model.log_prior() / N
        rise, before = mean + log_prior - before, mean + log_prior
        converged = rise < tol and (empty == 0 or revivals > REVIVALS)
        yield Step(step, mean, log_prior, rise, empty, converged, seconds, N / seconds)
        if converged:
            return


def expect_all(model: Model, data: Rows, order: np.ndarray) -> tuple[np.ndarray, Any, np.ndarray]:
    """The E step of every row: log p(x) (N,) and the sums, both in float64.    [mixtures.6]

    -> also the order (N,) in which the next pass should read the rows: those of one component
    together, for rows that look alike are zero in the same columns, and a product leaves out what
    is zero in all rows of a tile.                               [kernels.4]
    """
    N, size = len(data.x), model.batch_size()
    log_px, groups, totals = np.empty(N), np.empty(N, np.intp), None
    prepared = model.prepare(data.dtype)
    with kernels.pace("em", type(model), size) as lap:
        for start in range(0, N, size):
            rows = order[start : start + size]
            log_px[rows], groups[rows], sums = model.expect(data.take(rows, rng=None), prepared)
            require_finite(log_px[rows], rows)
            if totals is None:
                totals = tuple(np.zeros(a.shape) for a in sums)
            for total, part in zip(totals, sums, strict=True):
                total += part
            lap()
    return log_px, totals, np.argsort(groups, kind="stable")


def _worst(data, log_px):
    """A function of n: the n rows with the lowest log p(x), as floats."""
    return lambda n: data.take(np.sort(np.argsort(log_px, kind="stable")[:n]), rng=None)
