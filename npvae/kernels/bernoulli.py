"""The Bernoulli log-likelihood of rows of pixels, and its gradient."""

import numpy as np

from . import functions
from .arrays import check_dtypes, flat, plain
from .functions import ZERO, scalar
from .threads import CHUNK, loop, over_chunks, sum_loop

PIXELS = CHUNK // 4  # in a chunk: so many logarithms are most of a microsecond


def bernoulli_log_prob(x, logits):
    """Σ_d [x a − softplus(a)], one sum a row.        x (B, D), logits a (L, B, D) -> (L, B)"""
    check_dtypes(x, logits)
    log_px_z = np.empty(logits.shape[:-1], x.dtype)
    _over_rows(_sums, log_px_z, x, logits)
    return log_px_z


def bernoulli_log_prob_backward(dlog_px_z, x, logits):
    """dlog_px_z (x − sigmoid(a)).

    dlog_px_z (L, B), x (B, D), logits a (L, B, D) -> (L, B, D)
    """
    check_dtypes(dlog_px_z, x, logits)
    dlogits = np.empty(logits.shape, x.dtype)
    _over_rows(_gradients, plain(dlog_px_z), x, logits, dlogits.reshape(-1))
    return dlogits


def _over_rows(loop, per_row, x, logits, *out):
    if not (logits.ndim == 3 and logits.shape[1:] == x.shape and per_row.shape == logits.shape[:2]):
        raise ValueError(
            f"a value for each row, x, logits have shapes {per_row.shape}, {x.shape}, "
            f"{logits.shape}; expected (L, B), (B, D), (L, B, D)"
        )
    chunk = 1 + PIXELS // (1 + x.shape[1])
    rows = per_row.reshape(-1)
    over_chunks(loop)(rows.size, chunk, rows, plain(x), flat(logits), *out)


@scalar
def _log_px_z(x, a):
    """x a − softplus(a), the large terms first, since they cancel exactly."""
    return (x * a - functions.positive_part(a)) - functions.log1p_exp_minus_abs(a)


@sum_loop
def _sums(start, stop, log_px_z, x, logits):
    B, D = x.shape
    for row in range(np.intp(start), np.intp(stop)):
        x_row, a_row = x[row % B], logits[row * D : row * D + D]
        total = ZERO
        for d in range(D):
            total += _log_px_z(x_row[d], a_row[d])
        log_px_z[row] = total


@loop
def _gradients(start, stop, dlog_px_z, x, logits, dlogits):
    B, D = x.shape
    for row in range(np.intp(start), np.intp(stop)):
        x_row, a_row = x[row % B], logits[row * D : row * D + D]
        da_row = dlogits[row * D : row * D + D]
        for d in range(D):
            da_row[d] = dlog_px_z[row] * (x_row[d] - functions.sigmoid(a_row[d]))
