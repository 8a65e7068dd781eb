"""PCA of logits: a linear decoder with a Bernoulli likelihood, by PCA again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_positive_int, matrix
from ..dense import dense
from ..likelihoods import Bernoulli
from ..training.loop import must_be_iterated

BERNOULLI = Bernoulli()
ENCODING_STEPS = 200


@dataclass(frozen=True, eq=False, repr=False)
class LogisticPCA:
    """log p(x|z) of a Bernoulli likelihood with logits = bias + z axes."""

    bias: np.ndarray  # (D,)
    axes: np.ndarray  # (k, D), orthonormal rows

    def encode(self, x: ArrayLike, steps: int = ENCODING_STEPS) -> np.ndarray:
        """z ← (y − bias) axesᵀ,  y = bias + z axes + 4 (x − sigmoid(bias + z axes)).    [pca.11]

        x (N, D) in [0, 1] -> (N, k), from z = 0 upwards in log p(x|z), which is concave in z
        The best code of a row is not a linear function of the row.
        Raises TypeError or ValueError if x is not a finite (N, D) array in [0, 1], or steps not an
        integer >= 1.
        """
        check_positive_int("steps", steps)
        rows = _unit_rows("x", x, len(self.bias), self.bias.dtype)
        z = before = np.zeros((len(rows), len(self.axes)), rows.dtype)
        for step in range(steps):
            ahead = z + step / (step + 3) * (z - before)
            y = working_data(rows, dense(ahead, self.axes, self.bias))
            before, z = z, kernels.matmul(y - self.bias, self.axes.T)
        return z

    def decode(self, z: ArrayLike) -> np.ndarray:
        """E[x|z] = sigmoid(bias + z axes).        z (N, k) -> (N, D)       [pca.9]

        Raises TypeError or ValueError if z is not a finite (N, k) array.
        """
        form = {"columns": len(self.axes), "letters": "(N, k)", "dtype": self.bias.dtype}
        return BERNOULLI.mean(dense(matrix("z", z, **form), self.axes, self.bias))

    def reconstruct(self, x: ArrayLike, steps: int = ENCODING_STEPS) -> np.ndarray:
        """E[x|z] at the z of encode.        x (N, D) -> (N, D)  [pca.11]

        Raises as encode does.
        """
        return self.decode(self.encode(x, steps))


class LogisticPCAStep(NamedTuple):
    """One step of `fit_logistic_pca`."""

    step: int  # from 1
    log_px_z: float  # nats, the mean over rows, each at its current code
    model: LogisticPCA

    def __str__(self) -> str:
        return f"step {self.step:4d}  log p(x|z) {self.log_px_z:9.3f} nats"


def working_data(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """y = a + 4 (x − sigmoid(a)), a the logits.                  [pca.9]

    log p(x|a') ≥ const − ⅛ ‖a' − y‖² for every a', with equality at a' = a: of all logits that
    a model can make, those nearest to y are at least as good as a.
    x, logits (N, D) -> (N, D). De Leeuw 2006.
    """
    return logits + 4 * (x - kernels.sigmoid(logits))


def fit_logistic_pca(x: ArrayLike, k: int, *, steps: int) -> Iterator[LogisticPCAStep]:
    """logits ← the best approximation of their working data by k axes, steps times.    [pca.10]

    x (N, D) in [0, 1] -> a generator of one LogisticPCAStep after each step
    Between steps the logits are carried on in their direction, the further the longer log p(x|z)
    has been rising (Nesterov 1983); when it falls, this starts again from rest.
    Raises TypeError or ValueError unless x is a finite (N, D) array in [0, 1], k an integer with
    1 <= k <= min(N, D), and steps an integer >= 1.
    If k axes can separate binary x, there is no best model: |logits| grow with every step.
    """
    check_positive_int("k", k)
    check_positive_int("steps", steps)
    given = np.asarray(x)
    dtype = given.dtype if given.dtype == np.float64 else np.float32
    rows = _unit_rows("x", x, np.atleast_1d(given).shape[-1], dtype)
    if k > min(rows.shape):
        raise ValueError(f"k is {k}; expected k <= {min(rows.shape)}, x has shape {rows.shape}")
    return must_be_iterated("relatives.fit_logistic_pca", _steps(rows, k, steps))


def _steps(x, k, steps):
    start = BERNOULLI.output_bias(x.mean(axis=0)).astype(x.dtype)
    logits = before = np.broadcast_to(start, x.shape)
    rising, last = 0, -np.inf
    for step in range(1, steps + 1):
        y = working_data(x, logits + rising / (rising + 3) * (logits - before))
        bias = y.mean(axis=0)
        y -= bias
        axes = np.ascontiguousarray(np.linalg.eigh(kernels.matmul(y.T, y))[1].T[::-1][:k])
        before, logits = logits, dense(kernels.matmul(y, axes.T), axes, bias)
        log_px_z = float(BERNOULLI.log_prob(x, logits[None]).mean(dtype=np.float64))
        rising = rising + 1 if log_px_z >= last else 0
        last = log_px_z
        yield LogisticPCAStep(step, log_px_z, LogisticPCA(bias, axes))


def _unit_rows(name, x, columns, dtype):
    rows = matrix(name, x, columns=columns, letters="(N, D)", dtype=dtype, keep=(np.uint8,))
    unit = BERNOULLI.check_support(name, rows)
    return np.divide(rows, unit, dtype=dtype)
