"""Which component a row is of: sums over k that neither overflow nor underflow."""

from typing import NamedTuple

import numpy as np


class Natural(NamedTuple):
    """log p(x, k) = features(x) · W_k + b_k."""

    W: np.ndarray  # (F, K)
    b: np.ndarray  # (K,)


@np.errstate(invalid="ignore")  # told by require_finite, with the row
def posterior(log_joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log p(x) = log Σ_k p(x, k),  r_k = p(k|x) = p(x, k)/p(x).     [mixtures.1]

    log_joint (B, K) -> log_px (B,) nats, r (B, K), from p(x, k) over the largest of its row
    """
    largest = log_joint.max(axis=1, keepdims=True)
    r = np.exp(log_joint - largest)
    total = r.sum(axis=1, keepdims=True)
    r /= total
    return (largest + np.log(total))[:, 0], r


def without_dust(r: np.ndarray) -> np.ndarray:
    """r, in place, with 0 for what is below ε/K: together this is less than rounding loses.

    r (B, K), ε the dtype's. In many dimensions few components have a share in a row, and a product
    with a matrix of many zeros is quick.                             [mixtures.1]
    """
    r[r < np.finfo(r.dtype).eps / r.shape[1]] = 0
    return r
